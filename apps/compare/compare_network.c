/* Comparisons of networks: losses on held-out data, judged by their means over seeds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare_network.h"
#include "core/json.h"

#define NAME_SIZE 160 /* of a setting's name on the terminal */

/* The part of a run in which an ensemble may still be searching its rate. */
static const double searched = 0.25;

static const BtCompareFigure figures[] = {
    [BT_NETWORK_TEST_LOSS] = {"test_loss", "Test loss", {"test_loss", "final_test_loss"}, 0},
    {"valid_accuracy", "Validation<br>accuracy", {"valid_accuracy", "final_valid_accuracy"}, 1},
    {"test_accuracy", "Test<br>accuracy", {"test_accuracy", "final_test_accuracy"}, 1},
    {"valid_perplexity", "Validation<br>perplexity", {"valid_perplexity", "final_valid_perplexity"}, 0},
    {"test_perplexity", "Test<br>perplexity", {"test_perplexity", "final_test_perplexity"}, 0},
    {"valid_psnr", "Validation<br>PSNR, dB", {"valid_psnr", "final_valid_psnr"}, 0},
    {"test_psnr", "Test<br>PSNR, dB", {"test_psnr", "final_test_psnr"}, 0},
    {NULL, NULL, {NULL, NULL}, 0}};

static void take(const BtCompare *all, BtCompareRun *run) {
  const int last = all->spec.last_weights;
  BtRunCourse *c = &run->course;
  run->loss = bt_compare_number(json_object_get(run->result, bt_compare_network.loss_key[last]));
  for (size_t k = 0; figures[k].name; k++)
    run->figure[k] = bt_compare_number(json_object_get(run->result, figures[k].key[last]));
  for (size_t r = 0; r < c->rows; r++) {
    if (r > 0 && !last) c->loss[r] = fmin(c->loss[r], c->loss[r - 1]);
    if (!run->diverged && c->work[r] >= searched * c->work[c->rows - 1])
      run->rate = fmax(run->rate, c->rate[r]);
  }
}

static BtStatus rank(BtContext *ctx, BtCompare *all) {
  all->floor = 0;
  return bt_compare_settings(ctx, all);
}

char *bt_network_found(const BtCompare *all, const BtCompareRun *run) {
  const char *const field = all->spec.last_weights ? "final_hyperparameters" : "hyperparameters";
  const char *name;
  json_t *value;
  char *text = NULL;
  size_t size;
  int count = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return NULL;
  json_object_foreach(json_object_get(run->result, field), name, value)(void)
      fprintf(out, "%s%s %.4g", count++ ? ", " : "", name, bt_compare_number(value));
  if (fclose(out) == 0) return text;
  free(text);
  return NULL;
}

static json_t *spread_json(BtSpread s) {
  return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "runs", (int)s.n, "mean", bt_json_real(s.mean),
                   "deviation", bt_json_real(s.deviation), "least", bt_json_real(s.least), "median",
                   bt_json_real(s.median), "greatest", bt_json_real(s.greatest));
}

/* "0.364 ± 0.011", "no loss". */
static void format(char *text, size_t size, BtSpread s) {
  if (s.n == 0)
    snprintf(text, size, "none");
  else if (s.n == 1)
    snprintf(text, size, "%.4g", s.mean);
  else
    snprintf(text, size, "%.4g ± %.2g", s.mean, s.deviation);
}

/* "HDET, base-rate=0.02" */
static void name_setting(const BtCompare *all, const BtCompareSetting *s, char *name) {
  snprintf(name, NAME_SIZE, "%s%s%s", all->spec.methods[s->method].name, *s->place ? ", " : "", s->place);
}

/* Bytes of UTF-8 text beyond one a character, by which printf pads too little. */
static int extra_bytes(const char *text) {
  int n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xc0) == 0x80;
  return n;
}

static void print_setting(BtApp *app, const BtCompare *all, const BtCompareSetting *s, int width) {
  char name[NAME_SIZE], loss[48], test[48], distance[32] = "", work[32] = "none";
  name_setting(all, s, name);
  format(loss, sizeof loss, s->loss);
  format(test, sizeof test, s->figure[BT_NETWORK_TEST_LOSS]);
  if (isfinite(s->distance))
    snprintf(distance, sizeof distance, s->distance < BT_NETWORK_FAR ? "%+.1f %%" : "%+.0e %%",
             100 * s->distance);
  if (s->work.n) snprintf(work, sizeof work, "%.4g", s->work.mean);
  bt_app_print(app, "%-*s %3zu/%zu  %-*s %-9s %-*s %s", width + extra_bytes(name), name, s->finished, s->runs,
               20 + extra_bytes(loss), loss, distance, 20 + extra_bytes(test), test, work);
  if (s->diverged) bt_app_print(app, "  %zu diverged", s->diverged);
  bt_app_print(app, "\n");
}

static json_t *setting_json(const BtCompare *all, const BtCompareSetting *s) {
  return json_pack("{s:o, s:o, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "method",
                   bt_app_text_json(all->spec.methods[s->method].name), "setting", bt_app_text_json(s->place),
                   "runs", (int)s->runs, "finished", (int)s->finished, "diverged", (int)s->diverged,
                   "valid_loss", spread_json(s->loss), "distance", bt_json_real(s->distance), "test_loss",
                   spread_json(s->figure[BT_NETWORK_TEST_LOSS]), "work", spread_json(s->work), "seconds",
                   spread_json(s->seconds));
}

static void tell(BtApp *app, const BtCompare *all) {
  static const char heading[] = "method and setting";
  json_t *settings = json_array();
  int width = (int)sizeof heading - 1;
  for (size_t k = 0; k < all->setting_count; k++) {
    char name[NAME_SIZE];
    name_setting(all, &all->settings[k], name);
    const int length = (int)strlen(name) - extra_bytes(name);
    if (length > width) width = length;
  }
  bt_app_print(app, "%-*s %5s  %-20s %-9s %-20s %s\n", width, heading, "runs", "validation loss", "to best",
               "test loss", "gradients");
  for (size_t k = 0; k < all->setting_count; k++) {
    print_setting(app, all, &all->settings[k], width);
    (void)json_array_append_new(settings, setting_json(all, &all->settings[k]));
  }
  bt_app_put(app, "settings", settings);
}

const BtCompareKind bt_compare_network = {
    .work = "gradients of examples",
    .work_key = "work",
    .loss_key = {"valid_loss", "final_valid_loss"},
    .diverges = 1,
    .figures = figures,
    .take = take,
    .rank = rank,
    .tables = bt_network_tables,
    .draw = bt_network_draw,
    .captions = {"Validation loss against work, the number of gradients of examples (words of text) "
                 "computed, those of "
                 "response and validation steps included. Of each method the setting with the least mean; "
                 "one line a run, a "
                 "dot where it ends.",
                 "Validation loss against wall time.", NULL,
                 "Final losses by methods. Small dots are runs; full ones are those of the method’s setting "
                 "with the least "
                 "mean, which is the large dot, the bar their range; rings are those of its other settings. "
                 "A cross on the right edge is a run that diverged or whose loss lies beyond the axis.",
                 "Final loss by the swept option: means over seeds, with the ranges. A cross on the upper "
                 "edge is a setting "
                 "of which runs diverged or whose mean lies beyond the axis; a line without dots is the best "
                 "mean of a method that does not "
                 "have the option."},
    .summary = bt_network_summary,
    .runs = bt_network_runs,
    .tell = tell};
