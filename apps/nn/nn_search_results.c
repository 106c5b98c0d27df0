/* What a search leaves behind. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "nn/nn_search.h"
#include "program/csv.h"
#include "program/version.h"

long bt_nn_search_best(const BtNnSearch *s) {
  long best = -1;
  for (size_t i = 0; i < s->known; i++) {
    const BtNnTrial *t = &s->trial[i];
    if (t->rungs > 0 && !t->failed && (best < 0 || t->valid.loss < s->trial[best].valid.loss)) best = (long)i;
  }
  return best;
}

static double figure(int text, NnScore s) { return text ? exp(s.loss) : s.accuracy; }

static void print_table(const BtNnSearch *s, double *values, FILE *out) {
  const NnHyperSet *hyper = s->space.hyper;
  const int text = nn_data_info(s->session.data)->text;
  const char *name = text ? "perplexity" : "accuracy";
  double best = (double)INFINITY;
  int64_t epochs = 0;
  (void)fprintf(out,
                "trial,epochs,best_epoch,valid_loss,test_loss,valid_%s,test_%s,best_loss,failed,seconds,"
                "total_epochs,work",
                name, name);
  for (size_t j = 0; j < hyper->count; j++) {
    (void)fputc(',', out);
    bt_csv_text(out, hyper->item[j].name);
  }
  (void)fputc('\n', out);
  for (size_t i = 0; i < s->known; i++) {
    const BtNnTrial *t = &s->trial[i];
    if (t->rungs == 0) continue;
    if (!t->failed) best = fmin(best, t->valid.loss);
    epochs += t->epochs;
    (void)fprintf(out,
                  "%zu,%" PRId64 ",%" PRId64 ",%.17g,%.17g,%.17g,%.17g,%.17g,%d,%.3f,%" PRId64 ",%" PRId64,
                  i + 1, t->epochs, t->best_epoch, t->failed ? (double)NAN : t->valid.loss,
                  t->failed ? (double)NAN : t->test.loss, t->failed ? (double)NAN : figure(text, t->valid),
                  t->failed ? (double)NAN : figure(text, t->test), best, t->failed, t->seconds, epochs,
                  epochs * s->epoch_work);
    bt_nn_space_values(&s->space, s->theta + i * hyper->count, values);
    for (size_t j = 0; j < hyper->count; j++) (void)fprintf(out, ",%.17g", values[j]);
    (void)fputc('\n', out);
  }
}

BtStatus bt_nn_search_table(const BtNnSearch *s) {
  BtContext *ctx = &s->app->ctx;
  char *path = bt_nn_search_path(s, "trials", ".csv");
  double *values = calloc(s->space.hyper->count + 1, sizeof *values);
  BtAtomicFile file = {0};
  BtStatus st = path && values ? bt_atomic_open(ctx, path, &file) : bt_fail_memory(ctx, "a table", 64);
  if (st >= 0) {
    print_table(s, values, file.stream);
    st = bt_atomic_commit(ctx, &file);
  }
  free(values);
  free(path);
  return st;
}

static BtStatus save(const BtNnSearch *s, const char *name, const json_t *value) {
  char *path = bt_nn_search_path(s, name, ".json");
  const BtStatus st =
      path ? bt_json_save(&s->app->ctx, path, value) : bt_fail_memory(&s->app->ctx, "a result", 64);
  free(path);
  return st;
}

/* The task with the values as its hyperparameters' initial ones. */
static BtStatus save_task(const BtNnSearch *s, const double *values) {
  json_t *task = json_deep_copy(s->session.task->json), *entry;
  json_t *list = json_object_get(task, "hyperparameters");
  size_t index;
  BtStatus st = BT_OK;
  json_array_foreach(list, index, entry) {
    const char *name = json_string_value(json_object_get(entry, "name"));
    const long j = name ? nn_hyper_find(s->space.hyper, name) : -1;
    if (j >= 0) (void)json_object_set_new(entry, "initial", json_real(values[j]));
  }
  st = task ? save(s, "best-task", task) : bt_fail_memory(&s->app->ctx, "a task", 1024);
  json_decref(task);
  return st;
}

/* The best trial's checkpoint gets a name of its own; the others have served. */
static void keep_checkpoint(const BtNnSearch *s, long best) {
  char *from = bt_nn_search_path(s, s->name[best], ".safetensors"),
       *to = bt_nn_search_path(s, "best", ".safetensors");
  if (from && to) (void)rename(from, to);
  for (size_t i = 0; i < s->count; i++) bt_nn_trial_drop(s, i);
  free(from);
  free(to);
}

static void put_totals(const BtNnSearch *s, int time_up) {
  BtApp *app = s->app;
  int64_t epochs = 0, failed = 0, ended = 0, whole = 0;
  double seconds = 0;
  char method[16];
  for (size_t i = 0; i < s->known; i++) {
    const BtNnTrial *t = &s->trial[i];
    epochs += t->epochs;
    seconds += t->seconds;
    failed += t->failed;
    ended += t->rungs > 0;
    whole += !t->failed && t->epochs == s->epochs;
  }
  bt_app_put_text(app, "task", s->session.task->file);
  bt_app_put_text(app, "method",
                  bt_choice_name("random|bayes|grid", s->set->search.method, method, sizeof method));
  bt_app_put_int(app, "trials", ended);
  bt_app_put_int(app, "failed_trials", failed);
  bt_app_put_int(app, "complete_trials", whole);
  bt_app_put_int(app, "epochs", epochs);
  bt_app_put_int(app, "work", epochs * s->epoch_work);
  bt_app_put_real(app, "seconds", seconds);
  bt_app_put_text(app, "reason", time_up ? "time used up" : "all trials done");
  bt_app_put_text(app, "bitune", bt_version_text());
  bt_app_put(app, "settings", bt_app_settings_json(app));
  bt_app_print(app, "%lld trials (%lld failed, %lld trained to the end), %lld epochs in %.1f s\n",
               (long long)ended, (long long)failed, (long long)whole, (long long)epochs, seconds);
}

static BtStatus put_best(BtNnSearch *s, long best, double *values) {
  BtApp *app = s->app;
  const BtNnTrial *t = &s->trial[best];
  const NnHyperSet *hyper = s->space.hyper;
  bt_nn_space_values(&s->space, s->theta + (size_t)best * hyper->count, values);
  bt_app_put_int(app, "best_trial", best + 1);
  bt_app_put_int(app, "best_epoch", t->best_epoch);
  bt_nn_score_put(app, &s->session, "valid", t->valid);
  bt_nn_score_put(app, &s->session, "test", t->test);
  bt_app_put(app, "hyperparameters", bt_nn_hyper_json(hyper, values));
  bt_app_print(app, "best: trial %ld\n", best + 1);
  bt_nn_score_print(app, &s->session, "  validation", t->valid);
  bt_nn_score_print(app, &s->session, "  test", t->test);
  for (size_t j = 0; j < hyper->count; j++)
    bt_app_print(app, "  %-20s %.5g %s\n", hyper->item[j].name,
                 hyper->item[j].range.discrete ? floor(values[j]) : values[j], hyper->item[j].unit);
  return save_task(s, values);
}

BtStatus bt_nn_search_report(BtNnSearch *s, int time_up) {
  BtApp *app = s->app;
  const long best = bt_nn_search_best(s);
  double *values = calloc(s->space.hyper->count + 1, sizeof *values);
  BtStatus st = values ? bt_nn_search_table(s) : bt_fail_memory(&app->ctx, "a report", 64);
  if (st >= 0) put_totals(s, time_up);
  if (st >= 0 && best >= 0) st = put_best(s, best, values);
  if (st >= 0 && best < 0 && !time_up)
    st = bt_fail(&app->ctx, BT_ERR_NUMERIC, "all trials failed; %s/trial-0001.json says how the first did",
                 s->set->search.output);
  if (st >= 0) st = save(s, "best", app->result);
  if (st >= 0 && best >= 0 && !time_up) keep_checkpoint(s, best);
  free(values);
  return st;
}
