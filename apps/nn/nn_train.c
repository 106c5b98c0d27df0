/* A network trained, with its hyperparameters tuned on the way. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/nn.h"
#include "program/version.h"

typedef struct {
  const BtNn *set;
  BtNnSession session;
  NnTraining *training;
  BtNnEnsemble *ensemble; /* NULL: none */
  BtNnLog *log, *schedule;
  BtNnSchedule replay;
  NnTunerKind tuner;
  uint64_t seed;
  int64_t epochs;
} Run;

static BtStatus fail_other(BtApp *app, const char *checkpoint, const char *option, NnTask *task) {
  nn_task_free(task);
  return bt_fail(&app->ctx, BT_ERR_ARG, "%s: --resume brings another --%s; leave it out", checkpoint, option);
}

/* The task, from --task or a checkpoint; tuner and seed come with the latter. */
static BtStatus load_task(BtApp *app, Run *run, NnTask **task) {
  const BtNn *set = run->set;
  const char *resume = set->keeping.resume;
  run->tuner = (NnTunerKind)set->tuner;
  run->seed = (uint64_t)set->seed;
  run->epochs = set->epochs;
  if (!resume) return nn_task_load(&app->ctx, set->task, task);
  NnCheckpointInfo info;
  const BtStatus st = nn_checkpoint_read(&app->ctx, resume, &info);
  if (st < 0) return st;
  *task = info.task;
  /* The defaults stand for nothing said. */
  if (set->tuner != NN_TUNER_NONE && set->tuner != (int)info.tuner)
    return fail_other(app, resume, "tuner", info.task);
  if (set->seed != 1 && (uint64_t)set->seed != info.seed) return fail_other(app, resume, "seed", info.task);
  run->tuner = info.tuner;
  run->seed = info.seed;
  if (run->epochs == 0 && set->work == 0) run->epochs = info.epochs;
  return BT_OK;
}

static BtStatus open_log(BtApp *app, Run *run, const char *path, BtNnLogKind kind, BtNnLog **log) {
  const int64_t from = run->set->keeping.resume ? nn_training_result(run->training).step : -1;
  if (!path || app->team.rank != 0) return BT_OK;
  const BtNnLogOptions o = {.kind = kind,
                            .hyper = &run->session.task->hyper,
                            .text = nn_data_info(run->session.data)->text,
                            .scales = kind == BT_NN_EPOCHS && nn_tuner_traits(run->tuner).responds};
  const BtStatus st = bt_nn_log_open(&app->ctx, path, &o, from, log);
  return st < 0 ? st : bt_context_observe(&app->ctx, bt_nn_log_event, *log);
}

static BtStatus prepare(BtApp *app, Run *run) {
  const BtNn *set = run->set;
  const BtKeepingSettings *keeping = &set->keeping;
  BtContext *ctx = &app->ctx;
  BtNnSession *s = &run->session;
  NnTask *task;
  BtStatus st = BT_OK;
  BT_TRY(load_task(app, run, &task));
  BT_COMPLETE(bt_nn_session_open(app, set, task, s));
  if (set->replay) BT_TRY(bt_nn_schedule_read(ctx, set->replay, &task->hyper, &run->replay));
  const NnTrainOptions o = {.tuner = run->tuner,
                            .seed = run->seed,
                            .epochs = run->epochs,
                            .work = set->work,
                            .max_seconds = keeping->max_seconds,
                            .threads = 1,
                            .replay = set->replay ? &run->replay.replay : NULL,
                            .checkpoint = bt_keeping_path(keeping)};
  BT_TRY(nn_training_create(ctx, task, &o, s->data, s->backend, &run->training));
  BT_TRY(bt_nn_hdet_open(app, &set->ensemble, keeping->resume, o.checkpoint, run->training, &run->ensemble));
  if (keeping->resume) BT_TRY(nn_training_load(ctx, run->training, keeping->resume));
  if (app->team.rank == 0) BT_TRY(nn_training_claim(ctx, run->training));
  BT_TRY(open_log(app, run, keeping->log, BT_NN_EPOCHS, &run->log));
  BT_TRY(open_log(app, run, set->schedule, BT_NN_SCHEDULE, &run->schedule));
done:
  return st;
}

static json_t *scales_json(const NnHyperSet *hyper, const double *scales) {
  json_t *object = json_object();
  for (size_t i = 0; object && i < hyper->count; i++)
    (void)json_object_set_new(object, hyper->item[i].name, json_real(scales[i]));
  return object;
}

/* The figures of the epoch with the least validation loss; those of the last one beside them. */
static BtStatus report(BtApp *app, Run *run) {
  const NnTrainResult r = nn_training_result(run->training);
  const NnHyperSet *hyper = &run->session.task->hyper;
  char kind[16];
  double *values = calloc(2 * hyper->count + 1, sizeof *values), *scales = values + hyper->count;
  if (!values) return bt_fail_memory(&app->ctx, "a report", 64);
  BtStatus st = nn_training_hyper(&app->ctx, run->training, values, scales);
  bt_app_put_text(app, "task", run->session.task->file);
  bt_app_put_text(app, "tuner", bt_choice_name(NN_TUNER_CHOICES, (int)run->tuner, kind, sizeof kind));
  bt_app_put_text(app, "device", run->session.backend->name);
  bt_nn_score_put(app, &run->session, "valid", r.best_valid);
  bt_nn_score_put(app, &run->session, "test", r.best_test);
  bt_app_put_int(app, "best_epoch", r.best_epoch);
  bt_app_put(app, "final_hyperparameters", bt_nn_hyper_json(hyper, values));
  if (nn_tuner_traits(run->tuner).responds) bt_app_put(app, "final_scales", scales_json(hyper, scales));
  if (r.best_epoch > 0) (void)nn_training_best_hyper(run->training, values);
  bt_app_print(app,
               "%lld epochs, %lld steps, %lld validation steps in %.1f s: %.0f examples a second on %s\n",
               (long long)r.epoch, (long long)r.step, (long long)r.tuned, r.seconds, r.examples_per_second,
               run->session.backend->name);
  if (r.best_epoch > 0)
    bt_app_print(app, "at epoch %lld, of the least validation loss:\n", (long long)r.best_epoch);
  bt_nn_score_print(app, &run->session, "  validation", r.best_valid);
  bt_nn_score_print(app, &run->session, "  test", r.best_test);
  for (size_t i = 0; i < hyper->count; i++)
    bt_app_print(app, "  %-20s %.5g %s\n", hyper->item[i].name,
                 hyper->item[i].range.discrete ? floor(values[i]) : values[i], hyper->item[i].unit);
  bt_app_put(app, "hyperparameters", bt_nn_hyper_json(hyper, values));
  bt_nn_score_put(app, &run->session, "final_valid", r.valid);
  bt_nn_score_put(app, &run->session, "final_test", r.test);
  bt_app_put_real(app, "train_loss", r.train_loss);
  bt_app_put_int(app, "epochs", r.epoch);
  bt_app_put_int(app, "steps", r.step);
  bt_app_put_int(app, "validation_steps", r.tuned);
  bt_app_put_int(app, "work", r.work);
  bt_app_put_real(app, "seconds", r.seconds);
  bt_app_put_real(app, "examples_per_second", r.examples_per_second);
  bt_app_put_text(app, "reason", r.time_up ? "time used up" : "all epochs done");
  bt_app_put_text(app, "bitune", bt_version_text());
  bt_app_put(app, "settings", bt_app_settings_json(app));
  free(values);
  return st;
}

static BtStatus end_stopped(BtApp *app, const Run *run) {
  const BtKeepingSettings *keeping = &run->set->keeping;
  const int saved = run->training && nn_training_result(run->training).saved;
  const char *from = saved ? bt_keeping_path(keeping) : keeping->resume;
  if (from)
    bt_warn(&app->ctx, "stopped; go on with bitune nn train --resume %s", from);
  else if (!run->training)
    bt_warn(&app->ctx, "stopped before the training began");
  else if (keeping->checkpoint)
    bt_warn(&app->ctx, "stopped before the first checkpoint was written");
  else
    bt_warn(&app->ctx, "stopped without a checkpoint; --checkpoint FILE keeps one");
  return BT_STOPPED;
}

static BtStatus print_task(BtApp *app, const BtNn *set) {
  size_t size = 0;
  const char *text = nn_task_text(set->task, &size);
  NnTask *task;
  const BtStatus st = nn_task_load(&app->ctx, set->task, &task);
  if (st < 0) return st;
  char *own = text ? malloc(size + 1) : json_dumps(task->json, JSON_INDENT(2));
  if (text && own) {
    memcpy(own, text, size);
    own[size] = '\0';
  }
  if (own) bt_app_document(app, own);
  free(own);
  nn_task_free(task);
  return BT_OK;
}

BtStatus bt_nn_train(BtApp *app, const BtNn *set) {
  Run run = {.set = set};
  if (set->print_task) return print_task(app, set);
  BtStatus st = prepare(app, &run);
  /* Otherwise the other processes, if there are any, have left. */
  if (bt_nn_hdet_items(app, &set->ensemble, set->keeping.resume) > 0)
    st = bt_team_agree(&app->team, &app->ctx, st);
  if (st == BT_OK)
    st = run.ensemble ? bt_nn_hdet_run(app, run.ensemble) : nn_training_run(&app->ctx, run.training, 0);
  if (st == BT_STOPPED)
    st = end_stopped(app, &run);
  else if (st >= 0)
    st = report(app, &run);
  if (st >= 0 && run.ensemble) bt_nn_hdet_report(app, run.ensemble);
  BtNnLog *const logs[] = {run.log, run.schedule};
  for (int i = 0; i < 2; i++) {
    const BtStatus closed = bt_nn_log_close(&app->ctx, logs[i]);
    if (closed < 0 && st >= 0) st = closed;
  }
  const BtStatus ended = bt_nn_hdet_close(&app->ctx, run.ensemble);
  if (ended < 0 && st >= 0) st = ended;
  nn_training_destroy(run.training);
  bt_nn_schedule_clear(&run.replay);
  bt_nn_session_clear(&run.session);
  return st;
}
