/* What a model says of rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "images/outputs.h"
#include "logreg/logreg.h"
#include "lowerlevel/softmax.h"

/* Rows scored at a time. */
enum { PIECE = 4096 };

BtStatus bt_logreg_score(BtContext *ctx, const BtLogregModel *model, const BtDataset *rows,
                         const size_t *order, size_t count, const int32_t *index, double *probabilities,
                         BtLogregScore *score) {
  const size_t d = model->features, classes = model->classes;
  double *x = malloc(PIECE * d * sizeof *x), *p = malloc(PIECE * classes * sizeof *p);
  double *work = malloc(bt_softmax_work(d, classes) * sizeof *work);
  int32_t *label = malloc(PIECE * sizeof *label);
  BtStatus st = x && p && work && label
                    ? BT_OK
                    : bt_fail_memory(ctx, "predictions", 8.0 * PIECE * (double)(d + classes));
  double loss = 0;
  size_t right = 0;
  for (size_t first = 0; st >= 0 && first < count; first += PIECE) {
    const size_t n = count - first < PIECE ? count - first : PIECE;
    for (size_t i = 0; i < n; i++) {
      const size_t row = order ? order[first + i] : first + i;
      memcpy(x + i * d, rows->x + row * d, d * sizeof *x);
      label[i] = index ? index[row] : 0;
    }
    const BtSoftmaxRows piece = {
        .rows = n, .features = d, .classes = classes, .x = x, .label = index ? label : NULL};
    loss += bt_softmax_predict(&piece, model->weights, p, work);
    if (probabilities) memcpy(probabilities + first * classes, p, n * classes * sizeof *p);
    for (size_t i = 0; i < n; i++) {
      size_t best = 0;
      for (size_t k = 1; k < classes; k++)
        if (p[i * classes + k] > p[i * classes + best]) best = k;
      right += (size_t)label[i] == best;
    }
  }
  const double none = (double)NAN;
  *score = index && count ? (BtLogregScore){loss / (double)count, (double)right / (double)count}
                          : (BtLogregScore){none, none};
  free(x);
  free(p);
  free(work);
  free(label);
  return st;
}

static BtStatus write_predictions(BtContext *ctx, const char *path, const BtLogregModel *model,
                                  const BtDataset *rows, const double *p) {
  BtAtomicFile file = {0};
  BtStatus st = BT_OK;
  BT_TRY(bt_atomic_open(ctx, path, &file));
  fprintf(file.stream, "row%s,predicted", rows->label ? ",label" : "");
  for (size_t k = 0; k < model->classes; k++) fprintf(file.stream, ",p_%lld", (long long)model->labels[k]);
  fputc('\n', file.stream);
  for (size_t i = 0; i < rows->rows; i++, p += model->classes) {
    size_t best = 0;
    for (size_t k = 1; k < model->classes; k++)
      if (p[k] > p[best]) best = k;
    fprintf(file.stream, "%zu", i + 1);
    if (rows->label) fprintf(file.stream, ",%lld", (long long)rows->label[i]);
    fprintf(file.stream, ",%lld", (long long)model->labels[best]);
    for (size_t k = 0; k < model->classes; k++) fprintf(file.stream, ",%.10g", p[k]);
    fputc('\n', file.stream);
  }
  BT_TRY(bt_atomic_commit(ctx, &file));
done:
  bt_atomic_abort(&file);
  return st;
}

BtStatus bt_logreg_predict(BtApp *app, const BtLogreg *set) {
  BtContext *ctx = &app->ctx;
  const char *path = app->operands[2];
  char *inputs[] = {(char *)app->operands[1], (char *)path};
  BtStatus st = BT_OK;
  BtLogregModel model = {0};
  BtDataset rows = {0};
  BtLogregScore score;
  double *p = NULL, fingerprint;
  BT_TRY(bt_logreg_model_load(ctx, app->operands[1], &model, NULL));
  BT_TRY(bt_outputs_apart(ctx, (const char *const[]){set->output}, 1,
                          &(BtImageSet){.paths = inputs, .count = 2}));
  BT_COMPLETE(bt_logreg_data_read(ctx, set, path, bt_logreg_part(path), &model, &rows, &fingerprint));
  p = malloc(rows.rows * model.classes * sizeof *p);
  if (!p) BT_TRY(bt_fail_memory(ctx, "predictions", 8.0 * (double)(rows.rows * model.classes)));
  BT_TRY(bt_logreg_score(ctx, &model, &rows, NULL, rows.rows, NULL, p, &score));
  BT_TRY(write_predictions(ctx, set->output, &model, &rows, p));
  bt_app_print(app, "%zu rows of %s classified, predictions written to %s\n", rows.rows, path, set->output);
  bt_app_put_int(app, "rows", (int64_t)rows.rows);
  bt_app_put_text(app, "output", set->output);
done:
  free(p);
  bt_dataset_clear(&rows);
  bt_logreg_model_clear(&model);
  return st;
}

static void report(BtApp *app, const char *name, size_t count, BtLogregScore score) {
  char key[40];
  if (count == 0) return;
  bt_app_print(app, "%-10s  %7zu rows  loss %.6f  accuracy %.2f %%\n", name, count, score.loss,
               100 * score.accuracy);
  snprintf(key, sizeof key, "%s_loss", name);
  bt_app_put_real(app, key, score.loss);
  snprintf(key, sizeof key, "%s_accuracy", name);
  bt_app_put_real(app, key, score.accuracy);
  snprintf(key, sizeof key, "%s_rows", name);
  bt_app_put_int(app, key, (int64_t)count);
}

/* Rows from `first` on in the model's order of them. */
static BtStatus score_part(BtApp *app, const BtLogregModel *model, const BtDataset *rows,
                           const int32_t *index, const char *name, const size_t *order, size_t count) {
  BtLogregScore score;
  const BtStatus st = bt_logreg_score(&app->ctx, model, rows, order, count, index, NULL, &score);
  if (st >= 0) report(app, name, count, score);
  return st;
}

static BtStatus index_rows(BtContext *ctx, const char *path, const BtLogregModel *model,
                           const BtDataset *rows, int32_t **index) {
  if (!rows->label) return bt_fail(ctx, BT_ERR_ARG, "--label none is for predict: a loss needs labels");
  free(*index);
  *index = malloc(rows->rows * sizeof **index);
  if (!*index) return bt_fail_memory(ctx, path, 4.0 * (double)rows->rows);
  return bt_dataset_index(ctx, path, rows, model->labels, model->classes, *index);
}

/* The rows that the model was learned from, divided as they were then. */
static BtStatus score_split(BtApp *app, const BtLogregModel *model, const BtDataset *rows,
                            const int32_t *index) {
  const BtLogregSplit *s = &model->split;
  BtStatus st = BT_OK;
  size_t *order = malloc(s->rows * sizeof *order);
  if (!order) return bt_fail_memory(&app->ctx, "a division of rows", 8.0 * (double)s->rows);
  bt_shuffle((uint64_t)s->seed, s->rows, order);
  BT_TRY(score_part(app, model, rows, index, "train", order, s->train));
  BT_TRY(score_part(app, model, rows, index, "valid", order + s->train, s->valid));
  BT_TRY(score_part(app, model, rows, index, "test", order + s->rows - s->test, s->test));
done:
  free(order);
  return st;
}

BtStatus bt_logreg_eval(BtApp *app, const BtLogreg *set) {
  static const char *const work[] = {"lower_gradients", "hessian_products", "hypergradients",
                                     "outer_iterations"};
  BtContext *ctx = &app->ctx;
  const char *path = app->operands[2];
  const int folder_with_test = strcmp(bt_logreg_part(path), "t10k") == 0;
  BtStatus st = BT_OK;
  BtLogregModel model = {0};
  BtDataset rows = {0};
  json_t *training = NULL;
  int32_t *index = NULL;
  double fingerprint;
  BT_TRY(bt_logreg_model_load(ctx, app->operands[1], &model, &training));
  BT_COMPLETE(bt_logreg_data_read(ctx, set, path, "train", &model, &rows, &fingerprint));
  BT_TRY(index_rows(ctx, path, &model, &rows, &index));
  const int same = rows.rows == model.split.rows && fingerprint == model.split.fingerprint;
  bt_app_put(app, "learned_from_these", json_boolean(same));
  if (same) BT_TRY(score_split(app, &model, &rows, index));
  if (!same && !folder_with_test) BT_TRY(score_part(app, &model, &rows, index, "test", NULL, rows.rows));
  if (folder_with_test) {
    bt_dataset_clear(&rows);
    BT_COMPLETE(bt_logreg_data_read(ctx, set, path, "t10k", &model, &rows, &fingerprint));
    BT_TRY(index_rows(ctx, path, &model, &rows, &index));
    BT_TRY(score_part(app, &model, &rows, index, "test", NULL, rows.rows));
  }
  /* The work is that of learning. */
  for (size_t k = 0; training && k < sizeof work / sizeof *work; k++)
    bt_app_put(app, work[k], json_incref(json_object_get(training, work[k])));
  bt_app_put_real(app, "seconds", bt_app_seconds(app));
done:
  json_decref(training);
  free(index);
  bt_dataset_clear(&rows);
  bt_logreg_model_clear(&model);
  return st;
}
