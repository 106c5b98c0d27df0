/* Ridge weights learned: data, problem, method, result. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "hypergrad/cross_entropy.h"
#include "images/outputs.h"
#include "learn/groups.h"
#include "learn/learned.h"
#include "logreg/logreg.h"

typedef struct {
  const BtLogreg *set;
  BtLogregModel model; /* theta: the start, then the result */
  BtLogregData data;   /* on rank 0; elsewhere freed once the rows are dealt */
  size_t test_rows;
  BtLogistic *logistic;
  BtCrossEntropy *entropy; /* rank 0 */
  BtUpperLoss loss;
  BtBilevel *bilevel;
  BtOracle oracle;
  BtMethod method;
  double *lo, *hi; /* [parameters] domain of theta */
  BtKeeping keeping;
  BtGroup group;
  json_t *identity;
} Run;

static int in_domain(const void *data, const double *theta) {
  const BtLogregModel *model = data;
  for (size_t j = 0; j < model->parameters; j++)
    if (!(fabs(theta[j]) <= BT_RIDGE_BOUND)) return 0;
  return 1;
}

/* The derivative by the logarithm of one of many ridge weights is so small that --alpha0's default, made for
 * images, would move nothing by an amount whose effect could be proven. Unless another is asked for, the
 * first step is as long as --max-step allows and is cut where that is too far. */
static const double default_step = 0.01, longest_step = 1e100;

static void choose_method(Run *run) {
  const BtLogreg *set = run->set;
  const BtMethodKind kind = bt_logreg_method(set);
  const BtMethodProblem problem = {.lo = run->lo, .hi = run->hi, .seed = (uint64_t)set->seed};
  bt_method_choose(&set->methods, kind, &problem, &run->method);
  if ((kind == BT_METHOD_MAID || kind == BT_METHOD_FIXED) && set->methods.maid.alpha0 == default_step)
    run->method.set.maid.alpha0 = longest_step;
}

/* What a checkpoint must share with the run that resumes from it. */
static json_t *make_identity(const Run *run) {
  const BtLogregModel *m = &run->model;
  const BtLogregSplit *s = &m->split;
  char method[40], ridge[40], loss[40];
  json_t *id =
      json_pack("{s:s, s:s, s:s, s:s}", "format", "bitune-logreg-checkpoint-1", "method",
                bt_choice_name(BT_METHOD_CHOICES, (int)bt_logreg_method(run->set), method, sizeof method),
                "ridge", bt_choice_name(BT_RIDGE_CHOICES, (int)m->ridge, ridge, sizeof ridge),
                "lower-level loss", bt_choice_name(BT_LOWER_LOSS_CHOICES, m->mean_loss, loss, sizeof loss));
  int bad = !id;
  bad |= json_object_set_new(id, "floor of the ridge", json_sprintf("%.17g", m->floor));
  bad |= json_object_set_new(id, "data", json_sprintf("%.17g", s->fingerprint));
  bad |=
      json_object_set_new(id, "problem", json_sprintf("%zu classes, %zu features", m->classes, m->features));
  bad |= json_object_set_new(
      id, "split",
      json_sprintf("%zu to train, %zu to validate, seed %lld", s->train, s->valid, (long long)s->seed));
  bad |= json_object_set_new(id, "standardised", json_string(m->mean ? "yes" : "no"));
  if (!bad) return id;
  json_decref(id);
  return NULL;
}

static BtStatus pose_upper(BtContext *ctx, Run *run, BtLogisticSpec spec) {
  spec.index = run->data.order + run->model.split.train;
  spec.rows = run->model.split.valid;
  const BtStatus st = bt_cross_entropy_create(ctx, &spec, &run->entropy);
  if (st >= 0) run->loss = bt_cross_entropy_loss(run->entropy);
  return st;
}

/* Every process reads the data and keeps its share of the training rows; the first keeps the others besides.
 */
static BtStatus pose(BtApp *app, Run *run) {
  BtContext *ctx = &app->ctx;
  BtLogregModel *m = &run->model;
  BtStatus st = bt_logreg_data_load(ctx, run->set, m, &run->data);
  if (st == BT_OK) {
    m->theta = malloc(m->parameters * sizeof *m->theta);
    m->weights = calloc(m->classes * m->features, sizeof *m->weights);
    run->lo = malloc(m->parameters * sizeof *run->lo);
    run->hi = malloc(m->parameters * sizeof *run->hi);
    if (!m->theta || !m->weights || !run->lo || !run->hi)
      st = bt_fail_memory(ctx, "a model", 16.0 * (double)m->parameters);
  }
  for (size_t j = 0; st == BT_OK && j < m->parameters; j++) {
    m->theta[j] = run->set->start;
    run->lo[j] = -BT_RIDGE_BOUND;
    run->hi[j] = BT_RIDGE_BOUND;
  }
  st = bt_team_agree(&app->team, ctx, st);
  if (st < 0 || st == BT_STOPPED) return st;
  const BtLogisticSpec spec = {.rows = m->split.train,
                               .features = m->features,
                               .classes = m->classes,
                               .x = run->data.rows.x,
                               .label = run->data.index,
                               .index = run->data.order,
                               .ridge = m->ridge,
                               .mean = m->mean_loss,
                               .floor = m->floor};
  run->test_rows = run->data.test.rows > 0 ? run->data.test.rows : m->split.test;
  run->group = (BtGroup){"log_ridge", 0, m->parameters};
  st = bt_logistic_create(ctx, &spec, &app->team, &run->logistic);
  if (st >= 0 && app->team.rank == 0) st = pose_upper(ctx, run, spec);
  if (app->team.rank != 0) bt_logreg_data_clear(&run->data);
  return bt_team_agree(&app->team, ctx, st);
}

static BtStatus build(BtApp *app, Run *run) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BT_TRY(bt_bilevel_create(ctx, bt_logistic_problem(run->logistic), &run->loss, &run->set->lower, &app->team,
                           in_domain, &run->model, &run->bilevel));
  run->oracle = bt_bilevel_oracle(run->bilevel);
  choose_method(run);
  st = run->method.ops->create(ctx, &run->method, run->model.parameters, run->model.theta);
  run->identity = make_identity(run);
  if (st >= 0 && !run->identity) st = bt_fail_memory(ctx, "a checkpoint", 1024);
  st = bt_team_agree(&app->team, ctx, st);
done:
  return st;
}

static BtStatus attach(BtApp *app, Run *run) {
  const BtKeepingSettings *set = &run->set->keeping;
  const BtStatus st =
      set->resume ? bt_checkpoint_load(app, set->resume, run->identity, &run->method, run->bilevel) : BT_OK;
  if (st < 0 || st == BT_STOPPED) return st;
  const BtCheckpoint what = {
      .app = app, .identity = run->identity, .method = &run->method, .bilevel = run->bilevel};
  const BtLogSpec log = {.groups = &run->group, .group_count = 1, .parameters = run->model.parameters};
  return bt_keeping_attach(app, set, &what, &log, &run->keeping);
}

typedef struct {
  BtMethodState state;
  BtInexactValue value;
  BtLogregScore train, valid, test;
} Verdict;

/* The solution at the result, and what it makes of the rows; on rank 0, whose the rows are. */
static BtStatus judge_rows(BtApp *app, Run *run, Verdict *v) {
  BtContext *ctx = &app->ctx;
  BtLogregModel *m = &run->model;
  const BtLogregSplit *s = &m->split;
  const BtLogregData *d = &run->data;
  BtStatus st = BT_OK;
  const double *w = bt_bilevel_solution(run->bilevel, 0, m->theta);
  if (!w) return bt_fail(ctx, BT_ERR_NUMERIC, "the lower-level problem has no solution at the result");
  memcpy(m->weights, w, m->classes * m->features * sizeof *w);
  const int own = d->test.rows > 0;
  BT_TRY(bt_logreg_score(ctx, m, &d->rows, d->order, s->train, d->index, NULL, &v->train));
  BT_TRY(bt_logreg_score(ctx, m, &d->rows, d->order + s->train, s->valid, d->index, NULL, &v->valid));
  BT_TRY(bt_logreg_score(ctx, m, own ? &d->test : &d->rows, own ? NULL : d->order + s->rows - s->test,
                         run->test_rows, own ? d->test_index : d->index, NULL, &v->test));
done:
  return st;
}

/* Asking for the result's value again costs a solve only where its solution was given up for a trial's. */
static BtStatus judge(BtApp *app, Run *run, Verdict *v) {
  BtContext *ctx = &app->ctx;
  *v = (Verdict){.state = run->method.ops->state(&run->method)};
  memcpy(run->model.theta, v->state.theta, run->model.parameters * sizeof *run->model.theta);
  const double reached = v->state.value.eps,
               eps = isfinite(reached) && reached > 0 ? reached * (1 + 1e-9) : run->set->methods.maid.eps0;
  BtStatus st = run->oracle.value(run->oracle.self, ctx, run->model.theta, eps, (double)NAN, &v->value);
  if (st < 0 || st == BT_STOPPED) return st;
  const BtStatus scored = app->team.rank == 0 ? judge_rows(app, run, v) : BT_OK;
  st = bt_team_agree(&app->team, ctx, scored);
  return st;
}

static const char *reason(const Run *run, const Verdict *v) {
  return run->keeping.limit.reached ? "time used up" : v->state.reason;
}

static void record(BtApp *app, const Run *run, const Verdict *v) {
  const BtWork work = run->oracle.work(run->oracle.self);
  const BtLogregModel *m = &run->model;
  bt_app_put_real(app, "valid_loss", v->valid.loss);
  bt_app_put_real(app, "test_loss", v->test.loss);
  bt_app_put_real(app, "test_accuracy", v->test.accuracy);
  bt_app_put_real(app, "valid_accuracy", v->valid.accuracy);
  bt_app_put_real(app, "train_loss", v->train.loss);
  bt_app_put_real(app, "train_accuracy", v->train.accuracy);
  bt_app_put_real(app, "eps", v->value.eps);
  bt_app_put_int(app, "train_rows", (int64_t)m->split.train);
  bt_app_put_int(app, "valid_rows", (int64_t)m->split.valid);
  bt_app_put_int(app, "test_rows", (int64_t)run->test_rows);
  bt_learned_record(app, &v->value, &v->state, m->theta, &work, reason(run, v));
}

static void report(BtApp *app, const Run *run, const Verdict *v) {
  const BtMethodState *s = &v->state;
  const BtWork work = run->oracle.work(run->oracle.self);
  const BtGroupFigures f = bt_group_figures(&run->group, run->model.theta);
  bt_learned_tell(app, s, &work, reason(run, v));
  bt_app_print(app, "validation loss %.8g in [%.8g, %.8g] (%s), accuracy %.2f %%\n", v->value.value,
               v->value.lower, v->value.upper, bt_proof_name(v->value.proof), 100 * v->valid.accuracy);
  if (run->test_rows > 0)
    bt_app_print(app, "test loss %.8g, accuracy %.2f %%\n", v->test.loss, 100 * v->test.accuracy);
  bt_app_print(app, "hypergradient %.2e, error at most %.1e\n", s->gradient->norm, s->gradient->bound);
  bt_app_print(app, "  log_ridge          %zu from %.4f to %.4f, mean %.4f\n", run->model.parameters, f.least,
               f.largest, f.mean);
  bt_app_print(app, "model written to %s\n", run->set->output);
}

/* The model file is written before anything else can fail. */
static BtStatus finish(BtApp *app, Run *run) {
  Verdict v;
  BtStatus st = judge(app, run, &v);
  if (st < 0 || st == BT_STOPPED) return st;
  record(app, run, &v);
  if (app->team.rank == 0) st = bt_logreg_model_save(&app->ctx, run->set->output, &run->model, app->result);
  if (st >= 0) report(app, run, &v);
  st = bt_team_agree(&app->team, &app->ctx, st);
  return st == BT_OK && (v.value.proof != BT_PROVEN || v.state.stuck) ? BT_NOT_CERTIFIED : st;
}

/* A time limit leaves a model; an interruption leaves what a resumed run goes on from. */
static BtStatus end_stopped(BtApp *app, Run *run) {
  if (bt_keeping_stopped(&run->keeping, 0)) return finish(app, run);
  bt_keeping_tell(&run->keeping);
  return BT_STOPPED;
}

/* Outputs must be neither inputs nor one another. */
static BtStatus check_outputs(BtApp *app, const BtLogreg *set) {
  BtContext *ctx = &app->ctx;
  const char *const outputs[] = {set->output, set->keeping.log, bt_keeping_path(&set->keeping)};
  char *inputs[] = {(char *)set->data, (char *)set->test};
  const BtStatus st =
      bt_outputs_apart(ctx, outputs, 3, &(BtImageSet){.paths = inputs, .count = set->test ? 2 : 1});
  return st >= 0 && app->team.rank == 0 ? bt_file_writable(ctx, set->output) : st;
}

static void clear(Run *run) {
  json_decref(run->identity);
  free(run->lo);
  free(run->hi);
  if (run->method.ops) run->method.ops->clear(&run->method);
  bt_bilevel_destroy(run->bilevel);
  bt_logistic_destroy(run->logistic);
  bt_cross_entropy_destroy(run->entropy);
  bt_logreg_data_clear(&run->data);
  bt_logreg_model_clear(&run->model);
}

BtStatus bt_logreg_learn(BtApp *app, BtLogreg *set) {
  Run run = {.set = set};
  BtContext *ctx = &app->ctx;
  BtStatus st = bt_team_agree(&app->team, ctx, check_outputs(app, set));
  if (st == BT_OK) st = pose(app, &run);
  if (st == BT_OK) st = build(app, &run);
  if (st == BT_OK) st = attach(app, &run);
  if (st == BT_OK) {
    st = run.method.ops->run(ctx, &run.oracle, &run.method);
    if (st == BT_STOPPED)
      st = end_stopped(app, &run);
    else if (st >= 0)
      st = finish(app, &run);
  }
  const BtStatus closed = bt_keeping_close(ctx, &run.keeping);
  if (closed < 0 && st >= 0) st = closed;
  st = bt_team_agree(&app->team, ctx, st);
  clear(&run);
  return st;
}
