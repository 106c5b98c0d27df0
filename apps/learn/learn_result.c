/* What a run has found: judged, written, told. */
#include <math.h>
#include <stdlib.h>

#include "images/evaluation.h"
#include "learn/groups.h"
#include "learn/learn.h"
#include "learn/learned.h"

/* Batches of new windows that judge the result of a stochastic method. */
enum { ASSESSED_BATCHES = 4 };

typedef struct {
  BtMethodState state;
  BtInexactValue value; /* f at the result                        */
  double psnr;          /* mean over images or windows             */
  size_t judged;        /* their number                            */
} Verdict;

/* Mean over images of PSNR at the last solutions. */
static double mean_psnr(const BtLearnRun *run, double value, double *losses) {
  double sum = 0;
  if (run->set->loss == BT_LEARN_PSNR) return -value;
  bt_bilevel_losses(run->bilevel, losses);
  for (size_t i = 0; i < run->count; i++) {
    const double mse = 2 * losses[i] / (double)bt_shape_size(run->noisy[i].shape);
    sum += -10 * log10(mse);
  }
  return sum / (double)run->count;
}

static void not_judged(Verdict *verdict) {
  const double none = (double)NAN;
  verdict->value = (BtInexactValue){.value = none, .lower = none, .upper = none};
  verdict->psnr = none;
}

/* The losses kept are those of the last trial; asking again for the result's costs no solve, unless the
 * result is an earlier iterate whose solutions are gone. A run whose time was up before it had computed any
 * loss gives its start, unjudged. */
static BtStatus judge_images(BtApp *app, BtLearnRun *run, Verdict *verdict, double *losses) {
  BtOracle *oracle = &run->oracle;
  const double reached = verdict->state.value.eps;
  BtInexactValue value;
  if (!(reached > 0) || !isfinite(verdict->value.value)) {
    not_judged(verdict);
    return BT_OK;
  }
  const BtStatus st =
      oracle->value(oracle->self, &app->ctx, verdict->state.theta, reached, (double)NAN, &value);
  if (st < 0 || st == BT_STOPPED) return st;
  verdict->psnr = mean_psnr(run, verdict->state.value.value, losses);
  return BT_OK;
}

/* The averaged iterate on windows that no step has seen. */
static BtStatus judge_windows(BtApp *app, BtLearnRun *run, Verdict *verdict, double *losses) {
  BtOracle *oracle = &run->oracle;
  const double share = 1.0 / ASSESSED_BATCHES;
  BtInexactValue sum = {.proof = BT_PROVEN};
  verdict->judged = ASSESSED_BATCHES * run->count;
  for (int k = 0; k < ASSESSED_BATCHES; k++) {
    BtInexactValue value;
    BtStatus st = oracle->draw(oracle->self, &app->ctx, BT_DRAW_ASSESS + k);
    if (st >= 0 && st != BT_STOPPED)
      st = oracle->value(oracle->self, &app->ctx, verdict->state.theta, run->method.set.isgd.eps0,
                         (double)NAN, &value);
    if (st < 0 || st == BT_STOPPED) return st;
    sum.value += share * value.value;
    sum.lower += share * value.lower;
    sum.upper += share * value.upper;
    sum.eps = fmax(sum.eps, value.eps);
    sum.proof = bt_proof_weaker(sum.proof, value.proof);
    verdict->psnr += share * mean_psnr(run, value.value, losses);
  }
  verdict->value = sum;
  return BT_OK;
}

static BtStatus judge(BtApp *app, BtLearnRun *run, int hurried, Verdict *verdict) {
  BtStatus st = BT_OK;
  *verdict = (Verdict){.state = run->method.ops->state(&run->method), .judged = run->count};
  verdict->value = verdict->state.value;
  if (hurried) {
    not_judged(verdict);
    return st;
  }
  double *losses = calloc(run->count, sizeof *losses);
  if (!losses) st = bt_fail_memory(&app->ctx, "losses", (double)run->count * 8);
  st = bt_team_agree(&app->team, &app->ctx, st);
  if (st == BT_OK)
    st = run->method.ops->stochastic ? judge_windows(app, run, verdict, losses)
                                     : judge_images(app, run, verdict, losses);
  free(losses);
  return st;
}

/* The method knows only that it was stopped. */
static const char *reason(const BtLearnRun *run, const Verdict *verdict) {
  return run->keeping.limit.reached ? "time used up" : verdict->state.reason;
}

static void record(BtApp *app, const BtLearnRun *run, const Verdict *v) {
  const BtWork work = run->oracle.work(run->oracle.self);
  bt_app_put_real(app, "psnr_train", v->psnr);
  bt_app_put_int(app, "images", (int64_t)run->images);
  if (run->planes.count) bt_app_put_int(app, "windows", (int64_t)run->count);
  bt_learned_record(app, &v->value, &v->state, run->model.theta, &work, reason(run, v));
}

static void report_theta(BtApp *app, const BtLearnRun *run) {
  BtGroup groups[BT_MAX_GROUPS];
  const size_t count = bt_parameter_groups(&run->model.regularizer, groups);
  for (size_t g = 0; g < count; g++) {
    const BtGroupFigures f = bt_group_figures(&groups[g], run->model.theta);
    if (groups[g].count == 1)
      bt_app_print(app, "  %-18s %.6f\n", groups[g].name, f.mean);
    else
      bt_app_print(app, "  %-18s %zu from %.4f to %.4f, mean %.4f\n", groups[g].name, groups[g].count,
                   f.least, f.largest, f.mean);
  }
}

static void report(BtApp *app, const BtLearnRun *run, const Verdict *v) {
  const BtMethodState *s = &v->state;
  const BtWork work = run->oracle.work(run->oracle.self);
  bt_learned_tell(app, s, &work, reason(run, v));
  if (!isnan(v->value.value))
    bt_app_print(app, "loss %.8g in [%.8g, %.8g] (%s), %s PSNR %.2f dB\n", v->value.value, v->value.lower,
                 v->value.upper, bt_proof_name(v->value.proof),
                 run->method.ops->stochastic ? "new windows'" : "training", v->psnr);
  if (!run->method.ops->stochastic && isfinite(s->gradient->bound))
    bt_app_print(app, "hypergradient %.2e, error at most %.1e\n", s->gradient->norm, s->gradient->bound);
  else if (!run->method.ops->stochastic && isfinite(s->gradient->norm))
    bt_app_print(app, "hypergradient %.2e\n", s->gradient->norm);
  report_theta(app, run);
  bt_app_print(app, "model written to %s\n", run->set->output);
}

static BtStatus validate(BtApp *app, const BtLearnRun *run) {
  BtStatus st = BT_OK;
  BtImageSet set = {0};
  BtEvaluated *results = NULL;
  BtEvaluationMean mean;
  st = bt_image_set_list(&app->ctx, &run->set->valid, 1, &set);
  if (st >= 0 && !(results = calloc(set.count, sizeof *results)))
    st = bt_fail_memory(&app->ctx, "results", (double)set.count * sizeof *results);
  st = bt_team_agree(&app->team, &app->ctx, st);
  if (st >= 0 && st != BT_STOPPED) {
    const BtEvaluation evaluation = {.regularizer = &run->model.regularizer,
                                     .theta = run->model.theta,
                                     .sigma = run->set->sigma,
                                     .tolerance = BT_DENOISE_TOLERANCE,
                                     .white = run->set->white,
                                     .seed = run->set->seed,
                                     .lower = &run->set->lower};
    st = bt_evaluate(app, &evaluation, &set, results, &mean);
  }
  if (st >= 0 && st != BT_STOPPED) {
    bt_app_put_real(app, "psnr_valid", mean.psnr);
    bt_app_print(app, "validation: %zu images, noisy %.2f dB, denoised %.2f dB, SSIM %.4f\n", mean.images,
                 mean.psnr_noisy, mean.psnr, mean.ssim);
  }
  free(results);
  bt_image_set_clear(&set);
  return st;
}

/* The model file is written before anything else can fail. */
BtStatus bt_learn_finish(BtApp *app, BtLearnRun *run, int hurried) {
  Verdict verdict;
  BtStatus st = BT_OK;
  st = judge(app, run, hurried, &verdict);
  if (st == BT_STOPPED && run->method.ops->stochastic) {
    /* Interrupted while judging: the model is there all the same. */
    hurried = 1;
    BT_TRY(judge(app, run, hurried, &verdict));
  }
  if (st < 0 || st == BT_STOPPED) goto done;
  bt_chart_apply(&run->model.regularizer, verdict.state.theta, run->model.theta);
  record(app, run, &verdict);
  if (app->team.rank == 0) st = bt_model_save(&app->ctx, run->set->output, &run->model, app->result);
  if (st >= 0) report(app, run, &verdict);
  st = bt_team_agree(&app->team, &app->ctx, st);
  if (st >= 0 && st != BT_STOPPED && run->set->valid && !hurried) st = validate(app, run);
  if (st == BT_OK && !run->method.ops->stochastic &&
      (verdict.value.proof != BT_PROVEN || verdict.state.stuck))
    st = BT_NOT_CERTIFIED;
done:
  return st;
}
