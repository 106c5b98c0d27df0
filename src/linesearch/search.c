/* The record of a search: evaluations, the best of them, checkpoints. */
#include "linesearch/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "linesearch/box_internal.h"
#include "linesearch/search_internal.h"

const char *bt_search_reason_name(BtSearchReason reason) {
  switch (reason) {
    case BT_SEARCH_DONE: return "all points evaluated";
    case BT_SEARCH_CONVERGED: return "converged";
    case BT_SEARCH_FLOOR: return "converged to the accuracy floor";
    case BT_SEARCH_BUDGET: return "budget used up";
    case BT_SEARCH_STOPPED: return "stopped";
    case BT_SEARCH_RUNNING: break;
  }
  return "running";
}

static BtStatus make_box(BtContext *ctx, const BtSearchSettings *set, int bounded, BtSearch *s) {
  const BtStatus st = bt_box_holds(ctx, set->lo, set->hi, s->p, s->start);
  for (size_t j = 0; j < s->p && st >= 0; j++) {
    const double at = s->start[j];
    s->lo[j] = set->lo ? set->lo[j] : -(double)INFINITY;
    s->hi[j] = set->hi ? set->hi[j] : (double)INFINITY;
    if (set->width > 0) {
      s->lo[j] = fmax(s->lo[j], at - set->width);
      s->hi[j] = fmin(s->hi[j], at + set->width);
    }
    if (bounded && !isfinite(s->hi[j] - s->lo[j]))
      return bt_fail(ctx, BT_ERR_ARG, "parameter %zu has no bounds to search between; give --width", j);
  }
  return st;
}

BtStatus bt_search_create(BtContext *ctx, const BtSearchSettings *settings, int bounded, size_t p,
                          const double *theta, BtSearch *search) {
  *search = (BtSearch){.p = p};
  search->theta = calloc(4 * p, sizeof *search->theta);
  if (!search->theta) return bt_fail_memory(ctx, "a search", 32.0 * (double)p);
  search->start = search->theta + p;
  search->lo = search->theta + 2 * p;
  search->hi = search->theta + 3 * p;
  memcpy(search->theta, theta, p * sizeof *theta);
  memcpy(search->start, theta, p * sizeof *theta);
  search->value = (BtInexactValue){.value = (double)INFINITY,
                                   .lower = -(double)INFINITY,
                                   .upper = (double)INFINITY,
                                   .eps = (double)INFINITY};
  const BtStatus st = make_box(ctx, settings, bounded, search);
  if (st < 0) bt_search_clear(search);
  return st;
}

void bt_search_clear(BtSearch *search) {
  free(search->theta);
  free(search->points);
  free(search->values);
  *search = (BtSearch){0};
}

const double *bt_search_point(const BtSearch *search, int64_t i) {
  return search->points + (size_t)i * search->p;
}

BtInexactValue bt_search_value(const BtSearch *search, int64_t i) {
  const double *v = search->values + i * BT_SEARCH_FIELDS;
  return (BtInexactValue){.value = v[BT_SEARCH_VALUE],
                          .lower = v[BT_SEARCH_LOWER],
                          .upper = v[BT_SEARCH_UPPER],
                          .eps = v[BT_SEARCH_EPS],
                          .proof = (BtProof)v[BT_SEARCH_PROOF]};
}

static BtStatus reserve(BtContext *ctx, BtSearch *s, int64_t count) {
  if (count <= s->capacity) return BT_OK;
  int64_t capacity = s->capacity > 0 ? s->capacity : 64;
  while (capacity < count) capacity *= 2;
  double *points = realloc(s->points, (size_t)capacity * s->p * sizeof *points);
  if (points) s->points = points;
  double *values = points ? realloc(s->values, (size_t)capacity * BT_SEARCH_FIELDS * sizeof *values) : NULL;
  if (!values)
    return bt_fail_memory(ctx, "evaluations", 8.0 * (double)capacity * (double)(s->p + BT_SEARCH_FIELDS));
  s->values = values;
  s->capacity = capacity;
  return BT_OK;
}

static double rank(const BtSearch *s, const BtInexactValue *v) {
  return s->by_bound && isfinite(v->upper) ? v->upper : v->value;
}

/* Whether evaluation i is the best so far; it then becomes so. */
static int improves(BtSearch *s, int64_t i) {
  const BtInexactValue value = bt_search_value(s, i);
  if (!(rank(s, &value) < rank(s, &s->value))) return 0;
  memcpy(s->theta, bt_search_point(s, i), s->p * sizeof *s->theta);
  s->value = value;
  return 1;
}

static void tick(BtSearchRun *run) {
  const double now = bt_clock();
  run->search->seconds += now - run->clock;
  run->clock = now;
}

static BtStatus tell(BtSearchRun *run, int64_t i, int best) {
  const BtSearch *s = run->search;
  const BtInexactValue v = bt_search_value(s, i);
  tick(run);
  const BtEvent event = {.type = BT_EVENT_OUTER,
                         .as.outer = {.iteration = i + 1,
                                      .value = v.value,
                                      .lower = v.lower,
                                      .upper = v.upper,
                                      .eps = v.eps,
                                      .delta = (double)NAN,
                                      .step = run->step,
                                      .gradient_norm = (double)NAN,
                                      .gradient_bound = (double)NAN,
                                      .gradient_estimate = (double)NAN,
                                      .accepted = best,
                                      .trials = 1,
                                      .theta = bt_search_point(s, i),
                                      .parameters = (int64_t)s->p,
                                      .work = run->oracle->work(run->oracle->self),
                                      .seconds = s->seconds}};
  return bt_emit(run->ctx, &event);
}

BtSearchRun bt_search_begin(BtContext *ctx, BtOracle *oracle, const BtSearchSettings *settings,
                            BtSearch *search) {
  search->reason = BT_SEARCH_RUNNING;
  return (BtSearchRun){
      .ctx = ctx, .oracle = oracle, .set = settings, .search = search, .clock = bt_clock()};
}

static BtStatus recall(BtSearchRun *run, const double *theta, double eps, BtInexactValue *out) {
  const BtSearch *s = run->search;
  const double asked = s->values[run->next * BT_SEARCH_FIELDS + BT_SEARCH_ASKED];
  if (asked != eps || memcmp(bt_search_point(s, run->next), theta, s->p * sizeof *theta) != 0)
    return bt_fail(run->ctx, BT_ERR_FORMAT,
                   "the checkpoint's evaluation %lld is not the one that this method and these settings "
                   "ask for; resume with the settings of the run that wrote it",
                   (long long)run->next + 1);
  *out = bt_search_value(s, run->next++);
  return BT_OK;
}

static int out_of_budget(const BtSearchRun *run) {
  const BtWork work = run->oracle->work(run->oracle->self);
  return run->search->count >= run->set->max_evaluations ||
         (run->set->max_work > 0 && bt_work_total(&work) >= run->set->max_work);
}

BtStatus bt_search_evaluate(BtSearchRun *run, const double *theta, double eps, BtInexactValue *out) {
  BtSearch *s = run->search;
  if (run->next < s->count) return recall(run, theta, eps, out);
  if (out_of_budget(run)) return BT_MAX_ITERS;
  BtStatus st = reserve(run->ctx, s, s->count + 1);
  if (st < 0) return st;
  st = run->oracle->value(run->oracle->self, run->ctx, theta, eps, (double)NAN, out);
  if (st < 0 || st == BT_STOPPED) return st;
  if (isnan(out->value))
    return bt_fail(run->ctx, BT_ERR_NUMERIC, "evaluation %lld: the loss is not a number",
                   (long long)s->count + 1);
  double *fields = s->values + s->count * BT_SEARCH_FIELDS;
  memcpy(s->points + (size_t)s->count * s->p, theta, s->p * sizeof *theta);
  fields[BT_SEARCH_ASKED] = eps;
  fields[BT_SEARCH_VALUE] = out->value;
  fields[BT_SEARCH_LOWER] = out->lower;
  fields[BT_SEARCH_UPPER] = out->upper;
  fields[BT_SEARCH_EPS] = out->eps;
  fields[BT_SEARCH_PROOF] = (double)out->proof;
  s->count++;
  run->next = s->count;
  const int best = improves(s, s->count - 1);
  if (best && run->oracle->accept) run->oracle->accept(run->oracle->self, s->theta);
  return tell(run, s->count - 1, best);
}

BtStatus bt_search_end(BtSearchRun *run, BtStatus st, BtSearchReason reason) {
  tick(run);
  if (st >= 0)
    run->search->reason = st == BT_STOPPED     ? BT_SEARCH_STOPPED
                          : st == BT_MAX_ITERS ? BT_SEARCH_BUDGET
                                               : reason;
  return st;
}

enum { SECONDS, SCALARS };

/* A run that has evaluated nothing keeps one empty row. */
static size_t rows(const BtSearch *s) { return s->count > 0 ? (size_t)s->count : 1; }

BtStatus bt_search_declare(BtContext *ctx, const BtSearch *s, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  BT_TRY(bt_tensors_declare(ctx, writer, "search.count", BT_TENSOR_I64, 1, (const size_t[]){1}));
  BT_TRY(bt_tensors_declare(ctx, writer, "search.scalars", BT_TENSOR_F64, 1, (const size_t[]){SCALARS}));
  BT_TRY(bt_tensors_declare(ctx, writer, "search.points", BT_TENSOR_F64, 2, (const size_t[]){rows(s), s->p}));
  BT_TRY(bt_tensors_declare(ctx, writer, "search.values", BT_TENSOR_F64, 2,
                            (const size_t[]){rows(s), BT_SEARCH_FIELDS}));
done:
  return st;
}

BtStatus bt_search_save(BtContext *ctx, const BtSearch *s, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  static const double nothing[BT_SEARCH_FIELDS] = {0};
  const double scalars[SCALARS] = {[SECONDS] = s->seconds};
  BT_TRY(bt_tensors_append(ctx, writer, &s->count, 1));
  BT_TRY(bt_tensors_append(ctx, writer, scalars, SCALARS));
  BT_TRY(bt_tensors_append(ctx, writer, s->count ? s->points : s->start, rows(s) * s->p));
  BT_TRY(bt_tensors_append(ctx, writer, s->count ? s->values : nothing, rows(s) * BT_SEARCH_FIELDS));
done:
  return st;
}

static int sound(const BtSearch *s, int64_t i) {
  const BtInexactValue v = bt_search_value(s, i);
  const double *theta = bt_search_point(s, i), proof = s->values[i * BT_SEARCH_FIELDS + BT_SEARCH_PROOF];
  int ok = !isnan(v.value) && (proof == BT_PROOF_NONE || proof == BT_ESTIMATED || proof == BT_PROVEN);
  for (size_t j = 0; j < s->p; j++) ok = ok && isfinite(theta[j]);
  return ok;
}

BtStatus bt_search_load(BtContext *ctx, BtTensorReader *reader, BtSearch *s) {
  BtStatus st = BT_OK;
  static const int64_t most = 1000000;
  double scalars[SCALARS];
  int64_t count;
  BT_TRY(bt_tensors_read(ctx, reader, "search.count", BT_TENSOR_I64, 1, &count));
  BT_TRY(bt_tensors_read(ctx, reader, "search.scalars", BT_TENSOR_F64, SCALARS, scalars));
  if (count < 0 || count > most || !(scalars[SECONDS] >= 0))
    return bt_fail(ctx, BT_ERR_FORMAT, "the checkpoint's record of evaluations is out of range");
  if (count == 0) return BT_OK;
  BT_TRY(reserve(ctx, s, count));
  BT_TRY(bt_tensors_read(ctx, reader, "search.points", BT_TENSOR_F64, (size_t)count * s->p, s->points));
  BT_TRY(bt_tensors_read(ctx, reader, "search.values", BT_TENSOR_F64, (size_t)count * BT_SEARCH_FIELDS,
                         s->values));
  for (int64_t i = 0; i < count; i++) {
    if (!sound(s, i))
      return bt_fail(ctx, BT_ERR_FORMAT, "the checkpoint's evaluation %lld is out of range",
                     (long long)i + 1);
  }
  s->count = count;
  s->seconds = scalars[SECONDS];
  for (int64_t i = 0; i < count; i++) (void)improves(s, i);
done:
  return st;
}
