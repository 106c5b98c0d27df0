/* From a specification to runs: every combination of seed, start, swept values and method, each with its
 * folder and its command line checked. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"
#include "core/file.h"

#define SLUG 28

/* 64 bits of FNV-1a over the words, the program's own path left out. */
static uint64_t hash_words(char *const *words) {
  uint64_t h = 14695981039346656037u;
  for (size_t i = 1; words[i]; i++)
    for (const char *c = words[i];; c++) {
      h = (h ^ (unsigned char)*c) * 1099511628211u;
      if (!*c) break;
    }
  return h;
}

/* DIR/runs/maid-0123456789abcdef: the number is of all that the run does, and of nothing else. */
static char *make_folder(const BtCompare *all, const BtCompareRun *run) {
  char slug[SLUG + 1];
  size_t n = 0;
  for (const char *c = all->spec.methods[run->method].name; *c && n < SLUG; c++) {
    const char lower = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    const int keep = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || (lower == '.' && n);
    if (keep)
      slug[n++] = lower;
    else if (n && slug[n - 1] != '-')
      slug[n++] = '-';
  }
  while (n && (slug[n - 1] == '-' || slug[n - 1] == '.')) n--;
  slug[n] = '\0';
  const size_t size = strlen(all->output) + SLUG + 40;
  char *folder = malloc(size);
  if (folder)
    snprintf(folder, size, "%s/runs/%s%s%016" PRIx64, all->output, slug, n ? "-" : "", hash_words(run->argv));
  return folder;
}

/* Appends "name=value " to a text of `size` bytes. */
static void add_label(char *text, size_t size, const char *name, const char *value) {
  const size_t n = strlen(text);
  if (n < size) snprintf(text + n, size - n, "%s%s%s%.60s", n ? " " : "", name, *name ? "=" : "", value);
}

static int label_run(const BtCompare *all, BtCompareRun *run) {
  const BtCompareSpec *s = &all->spec;
  const BtCompareMethod *m = &s->methods[run->method];
  const json_t *point = json_array_get(m->points, run->point);
  char label[512] = "", name[640], number[32];
  const char *key;
  json_t *value;
  run->swept = (double)NAN;
  json_object_foreach((json_t *)point, key, value) {
    char *text = json_is_boolean(value) || json_is_string(value) || json_is_number(value)
                     ? bt_compare_value_text(value)
                     : NULL;
    if (!text) return 0;
    add_label(label, sizeof label, key, text);
    free(text);
    if (s->axis && strcmp(key, s->axis) == 0) run->swept = json_number_value(value);
  }
  if (s->start_count > 1) add_label(label, sizeof label, "start", s->starts[run->start].label);
  run->place = bt_copy_text(label);
  if (s->seed_count > 1) {
    snprintf(number, sizeof number, "%" PRId64, run->seed);
    add_label(label, sizeof label, "seed", number);
  }
  snprintf(name, sizeof name, "%s%s%s", m->name, *label ? " " : "", label);
  run->label = bt_copy_text(label);
  run->name = bt_copy_text(name);
  return run->place && run->label && run->name;
}

/* What is set, in the order in which later places win. */
static json_t *gather(const BtCompare *all, const BtCompareRun *run) {
  const BtCompareSpec *s = &all->spec;
  const BtCompareMethod *m = &s->methods[run->method];
  json_t *o = json_copy(s->options);
  int ok = o != NULL;
  ok = ok && json_object_update(o, m->options) == 0;
  ok = ok && json_object_update(o, s->starts[run->start].options) == 0;
  ok = ok && json_object_update(o, json_array_get(m->points, run->point)) == 0;
  if (run->has_seed) ok = ok && json_object_set_new(o, "seed", json_integer(run->seed)) == 0;
  const int64_t work = bt_compare_work_budget(s, run->method);
  const double seconds = bt_compare_seconds_budget(s, run->method);
  if (work) ok = ok && json_object_set_new(o, "max-work", json_integer(work)) == 0;
  if (seconds > 0) ok = ok && json_object_set_new(o, "max-seconds", json_real(seconds)) == 0;
  /* One process and thread a run, so that runs beside one another do not share its cores. */
  if (ok && !json_object_get(o, "jobs")) ok = json_object_set_new(o, "jobs", json_integer(1)) == 0;
  if (ok && m->command->threads && !json_object_get(o, "threads"))
    ok = json_object_set_new(o, "threads", json_integer(1)) == 0;
  if (ok) return o;
  json_decref(o);
  return NULL;
}

static BtStatus check_lines(BtContext *ctx, const BtCompare *all, const BtCompareRun *run, json_t *known) {
  BtContext said;
  size_t n = 0;
  bt_context_init(&said);
  said.stop = ctx->stop;
  char **words = bt_compare_run_words(all, run);
  BtStatus st = words ? BT_OK : bt_fail_memory(ctx, "a command line", 0);
  while (words && words[n]) n++;
  if (words) st = bt_compare_probe_line(&said, words, n, bt_compare_form(all, run), known);
  if (words && st < 0)
    st = bt_fail(ctx, BT_ERR_FORMAT, "%s: run \"%.200s\": %.600s", all->spec.path, run->name, said.error);
  bt_compare_words_free(words);
  return st;
}

static BtStatus make_run(BtContext *ctx, BtCompare *all, BtCompareRun *run, json_t *known) {
  const BtCompareSpec *s = &all->spec;
  run->lock = -1;
  run->has_seed = s->seed_count > 0;
  if (!label_run(all, run)) return bt_fail_memory(ctx, "a run", 0);
  run->options = gather(all, run);
  run->argv =
      run->options ? bt_compare_deed_words(all, run, &run->argc) : NULL;
  run->folder = run->argv ? make_folder(all, run) : NULL;
  if (!run->folder) return bt_fail_memory(ctx, "a run", 0);
  return check_lines(ctx, all, run, known);
}

static int same_deed(const BtCompareRun *a, const BtCompareRun *b) {
  size_t i = 1;
  if (a->argc != b->argc) return 0;
  while (i < a->argc && strcmp(a->argv[i], b->argv[i]) == 0) i++;
  return i == a->argc;
}

/* One more, which must do something that none before it does. */
static BtStatus add_run(BtContext *ctx, BtCompare *all, BtCompareRun begun, json_t *known) {
  BtCompareRun *run = &all->runs[all->run_count];
  *run = begun;
  run->index = all->run_count++;
  const BtStatus st = make_run(ctx, all, run, known);
  if (st != BT_OK) return st;
  for (size_t i = 0; i < run->index; i++)
    if (same_deed(&all->runs[i], run))
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: the runs \"%.200s\" and \"%.200s\" do the same; leave one out",
                     all->spec.path, all->runs[i].name, run->name);
  return BT_OK;
}

BtStatus bt_compare_expand(BtContext *ctx, BtCompare *all) {
  const BtCompareSpec *s = &all->spec;
  BtStatus st = BT_OK;
  const size_t seeds = s->seed_count ? s->seed_count : 1;
  size_t most_points = 0, count = 0;
  for (size_t m = 0; m < s->method_count; m++) {
    const size_t points = json_array_size(s->methods[m].points);
    if (points > most_points) most_points = points;
    count += points;
  }
  if (seeds * s->start_count > BT_COMPARE_MOST_RUNS || count * seeds * s->start_count > BT_COMPARE_MOST_RUNS)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: more than %d runs; take fewer seeds, starts or swept values",
                   s->path, BT_COMPARE_MOST_RUNS);
  json_t *known = json_object();
  all->runs = calloc(count * seeds * s->start_count, sizeof *all->runs);
  if (!all->runs || !known) BT_TRY(bt_fail_memory(ctx, "runs", (double)count * sizeof *all->runs));
  for (size_t seed = 0; seed < seeds; seed++)
    for (size_t start = 0; start < s->start_count; start++)
      for (size_t point = 0; point < most_points; point++)
        for (size_t m = 0; m < s->method_count; m++) {
          if (point >= json_array_size(s->methods[m].points)) continue;
          const int64_t number = s->seed_count ? s->seeds[seed] : 0;
          BT_COMPLETE(add_run(
              ctx, all, (BtCompareRun){.method = m, .start = start, .point = point, .seed = number}, known));
        }
done:
  json_decref(known);
  return st;
}

void bt_compare_runs_clear(BtCompare *all) {
  for (size_t i = 0; i < all->run_count; i++) {
    BtCompareRun *run = &all->runs[i];
    bt_compare_words_free(run->argv);
    free(run->place);
    free(run->label);
    free(run->name);
    free(run->folder);
    free(run->error);
    free(run->remark);
    free(run->course.iteration);
    json_decref(run->options);
    json_decref(run->record);
    json_decref(run->judged);
  }
  free(all->runs);
  free(all->settings);
  all->runs = NULL;
  all->settings = NULL;
  all->run_count = 0;
}
