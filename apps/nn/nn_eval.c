/* Loss and accuracy of a trained network. */
#include <stdlib.h>

#include "nn/nn.h"

static BtStatus evaluate(BtApp *app, const BtNn *set, BtNnSession *s, NnTraining *training) {
  BtContext *ctx = &app->ctx;
  const NnDataInfo *info = nn_data_info(s->data);
  const NnTrainResult r = nn_training_result(training);
  BtStatus st = BT_OK;
  if (!set->last && r.best_epoch > 0) BT_TRY(nn_training_use_best(ctx, training));
  bt_app_put_int(app, "epoch", set->last || r.best_epoch == 0 ? r.epoch : r.best_epoch);
  for (int split = NN_VALID; split < NN_SPLITS; split++) {
    NnScore score;
    const char *name = nn_split_name((NnSplit)split);
    if (info->rows[split] == 0) continue;
    st = nn_training_evaluate(ctx, training, (NnSplit)split, &score);
    if (st != BT_OK) return st;
    bt_nn_score_put(app, s, name, score);
    bt_nn_score_print(app, s, name, score);
  }
  double *values = calloc(s->task->hyper.count + 1, sizeof *values);
  if (!values) return bt_fail_memory(ctx, "hyperparameters", 64);
  st = nn_training_hyper(ctx, training, values, NULL);
  if (st >= 0) bt_app_put(app, "hyperparameters", bt_nn_hyper_json(&s->task->hyper, values));
  free(values);
done:
  return st;
}

BtStatus bt_nn_eval(BtApp *app, const BtNn *set) {
  const char *path = app->operands[1];
  BtContext *ctx = &app->ctx;
  BtNnSession session = {0};
  NnTraining *training = NULL;
  NnCheckpointInfo info;
  BtStatus st = nn_checkpoint_read(ctx, path, &info);
  if (st < 0) return st;
  BT_COMPLETE(bt_nn_session_open(app, set, info.task, &session));
  const NnTrainOptions o = {.tuner = info.tuner, .seed = info.seed, .epochs = info.epochs, .threads = 1};
  BT_TRY(nn_training_create(ctx, session.task, &o, session.data, session.backend, &training));
  BT_TRY(nn_training_load(ctx, training, path));
  st = evaluate(app, set, &session, training);
done:
  nn_training_destroy(training);
  bt_nn_session_clear(&session);
  return st;
}
