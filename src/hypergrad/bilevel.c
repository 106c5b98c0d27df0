#include "hypergrad/bilevel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hypergrad/bilevel_internal.h"
#include "lowerlevel/vector.h"

static int owns(const BtBilevel *b, size_t i) { return bt_team_owns(b->team, i); }

/* Length of the team's sum with `vectors` parameter vectors of each image: none for values, z_i, z_i and
 * estimate_i. */
static size_t sum_length(const BtBilevel *b, size_t vectors) {
  return b->problem->count * (BT_ROW_LENGTH + vectors * b->problem->parameters) + BT_WORK_FIELDS;
}

static double *row(BtBilevel *b, size_t i) { return b->rows + i * BT_ROW_LENGTH; }

/* z_i (vector 0) or estimate_i (vector 1). */
static double *vector(BtBilevel *b, size_t vector, size_t i) {
  return b->rows + sum_length(b, vector) + i * b->problem->parameters;
}

static void free_slot(BtBilevel *b, BtSlot *slot) {
  for (size_t i = 0; slot->points && i < b->problem->count; i++) {
    free(slot->points[i].x);
    free(slot->points[i].dual);
  }
  free(slot->points);
  free(slot->certificates);
  free(slot->along);
  free(slot->theta);
}

void bt_bilevel_destroy(BtBilevel *b) {
  if (!b) return;
  for (int s = 0; s < 2; s++) free_slot(b, &b->slots[s]);
  for (size_t i = 0; b->adjoints && i < b->problem->count; i++) free(b->adjoints[i]);
  free(b->adjoints);
  free(b->scratch);
  free(b->rows);
  bt_lower_destroy(b->lower);
  bt_adjoint_destroy(b->adjoint);
  free(b);
}

static BtStatus allocate_slot(BtBilevel *b, BtSlot *slot) {
  const size_t count = b->problem->count;
  slot->theta = calloc(b->problem->parameters, sizeof *slot->theta);
  slot->points = calloc(count, sizeof *slot->points);
  slot->certificates = calloc(count, sizeof *slot->certificates);
  slot->along = malloc(count * sizeof *slot->along);
  if (!slot->theta || !slot->points || !slot->certificates || !slot->along) return BT_ERR_MEMORY;
  for (size_t i = 0; i < count; i++) slot->along[i] = bt_interval_all();
  for (size_t i = 0; i < count; i++) {
    const size_t n = b->problem->ops->dimension(b->problem, i), dual = bt_problem_dual_size(b->problem, i);
    if (n > b->largest) b->largest = n;
    if (dual > b->largest_dual) b->largest_dual = dual;
    if (!owns(b, i)) continue;
    slot->points[i].x = malloc(n * sizeof(double));
    if (dual) slot->points[i].dual = calloc(dual, sizeof(double));
    if (!slot->points[i].x || (dual && !slot->points[i].dual)) return BT_ERR_MEMORY;
  }
  return BT_OK;
}

static BtStatus allocate(BtBilevel *b, BtContext *ctx) {
  const BtProblem *p = b->problem;
  size_t norm_work = 0;
  for (int s = 0; s < 2; s++)
    if (allocate_slot(b, &b->slots[s]) < 0) goto fail;
  b->adjoints = calloc(p->count, sizeof *b->adjoints);
  if (!b->adjoints) goto fail;
  for (size_t i = 0; i < p->count; i++) {
    const size_t work = p->ops->cross_norm_work(p, i);
    if (work > norm_work) norm_work = work;
    if (owns(b, i) && !(b->adjoints[i] = calloc(p->ops->dimension(p, i), sizeof(double)))) goto fail;
  }
  b->scratch = malloc((7 * b->largest + norm_work + p->parameters) * sizeof(double));
  b->rows = malloc(sum_length(b, 2) * sizeof(double));
  if (!b->scratch || !b->rows) goto fail;
  return BT_OK;
fail:
  return bt_fail(ctx, BT_ERR_MEMORY,
                 "out of memory: warm starts of %zu images; learn from fewer or smaller ones", p->count);
}

BtStatus bt_bilevel_create(BtContext *ctx, const BtProblem *problem, const BtUpperLoss *loss,
                           const BtLowerSettings *settings, BtTeam *team, BtDomainTest *domain,
                           const void *domain_data, BtBilevel **out) {
  BtStatus st = BT_OK;
  *out = NULL;
  if (problem->count == 0) return bt_fail(ctx, BT_ERR_ARG, "no images to learn from");
  BtBilevel *b = calloc(1, sizeof *b);
  if (!b) return bt_fail_memory(ctx, "a bilevel problem", sizeof *b);
  b->problem = problem;
  b->loss = loss;
  b->team = team;
  b->domain = domain;
  b->domain_data = domain_data;
  st = allocate(b, ctx);
  if (st >= 0) st = bt_lower_create(ctx, problem, settings, &b->lower);
  if (st >= 0) st = bt_adjoint_create(ctx, problem, &b->adjoint);
  st = bt_team_agree(team, ctx, st);
  if (st < 0)
    bt_bilevel_destroy(b);
  else
    *out = b;
  return st;
}

/* The slot that holds θ, or the trial slot started from the accepted iterate. */
static BtSlot *slot_for(BtBilevel *b, const double *theta) {
  const BtProblem *p = b->problem;
  const size_t bytes = p->parameters * sizeof *theta;
  for (int s = 0; s < 2; s++)
    if (b->slots[s].used && memcmp(b->slots[s].theta, theta, bytes) == 0) return &b->slots[s];
  const BtSlot *from = &b->slots[b->accepted];
  BtSlot *slot = &b->slots[from->used ? 1 - b->accepted : b->accepted];
  for (size_t i = 0; i < p->count; i++) {
    slot->certificates[i] = (BtCertificate){.bound = (double)INFINITY};
    slot->along[i] = bt_interval_all();
    if (!owns(b, i)) continue;
    if (from->used) {
      memcpy(slot->points[i].x, from->points[i].x, p->ops->dimension(p, i) * sizeof(double));
      if (slot->points[i].dual)
        memcpy(slot->points[i].dual, from->points[i].dual, bt_problem_dual_size(p, i) * sizeof(double));
    } else {
      bt_lower_cold_start(b->lower, i, theta, slot->points[i]);
    }
  }
  memcpy(slot->theta, theta, bytes);
  slot->used = 1;
  return slot;
}

const double *bt_bilevel_solution(const BtBilevel *b, size_t i, const double *theta) {
  for (int s = 0; s < 2; s++)
    if (owns(b, i) && b->slots[s].used &&
        memcmp(b->slots[s].theta, theta, b->problem->parameters * sizeof *theta) == 0)
      return b->slots[s].points[i].x;
  return NULL;
}

static void accept(void *self, const double *theta) {
  BtBilevel *b = self;
  for (int s = 0; s < 2; s++)
    if (b->slots[s].used && memcmp(b->slots[s].theta, theta, b->problem->parameters * sizeof *theta) == 0)
      b->accepted = s;
}

static void clear_rows(BtBilevel *b, size_t vectors) {
  memset(b->rows, 0, sum_length(b, vectors) * sizeof *b->rows);
}

/* U(x̃, ε) and Lo(x̃, ε) of one image (Salehi et al. 2023), and where the adjoint has told more, what follows
 * from it: then the value is that of x̃ corrected to first order. */
static void value_row(BtBilevel *b, size_t i, const BtSlot *slot) {
  const size_t n = b->problem->ops->dimension(b->problem, i);
  const double eps = slot->certificates[i].bound;
  const BtUpperPoint at = b->loss->ops->evaluate(b->loss, i, n, slot->points[i].x, b->scratch);
  double *out = row(b, i);
  out[BT_ROW_VALUE] = at.value;
  b->loss->ops->bounds(at, n, eps, &out[BT_ROW_LOWER], &out[BT_ROW_UPPER]);
  const BtInterval along = slot->along[i];
  if (isfinite(along.least) && isfinite(along.most)) {
    const double centre = 0.5 * (along.least + along.most);
    double lower, upper;
    b->loss->ops->bounds_along(at, n, eps, along, &lower, &upper);
    out[BT_ROW_LOWER] = fmax(out[BT_ROW_LOWER], lower);
    out[BT_ROW_UPPER] = fmin(out[BT_ROW_UPPER], upper);
    b->loss->ops->bounds_along(at, n, 0, (BtInterval){centre, centre}, &lower, &upper);
    const double value = 0.5 * (lower + upper);
    if (isfinite(value)) out[BT_ROW_VALUE] = fmin(fmax(value, out[BT_ROW_LOWER]), out[BT_ROW_UPPER]);
  }
  out[BT_ROW_EPS] = eps;
  out[BT_ROW_PROOF] = (double)slot->certificates[i].proof;
}

BtStatus bt_bilevel_join(BtBilevel *b, BtContext *ctx) {
  return b->problem->ops->join ? b->problem->ops->join(b->problem, ctx) : BT_OK;
}

/* Sums rows over the team, agrees on the status, and brings the work counters up to date. */
static BtStatus gather(BtBilevel *b, BtContext *ctx, size_t vectors, BtStatus local) {
  const BtStatus joined = bt_bilevel_join(b, ctx);
  BtStatus st = bt_team_agree(b->team, ctx, joined < 0 ? joined : local);
  if (st < 0 || st == BT_STOPPED) return st;
  const BtWork work = bt_lower_work(b->lower);
  double *counters = b->rows + b->problem->count * BT_ROW_LENGTH;
  counters[0] = (double)(work.gradients + b->residuals - b->uncounted);
  counters[1] = (double)(work.hessian_products + bt_adjoint_products(b->adjoint));
  counters[2] = (double)work.solves;
  const BtStatus summed = b->team->sum(b->team, ctx, b->rows, sum_length(b, vectors));
  if (summed < 0) return summed;
  b->total = b->earlier;
  bt_work_add(&b->total, &(BtWork){.gradients = (int64_t)counters[0],
                                   .hessian_products = (int64_t)counters[1],
                                   .solves = (int64_t)counters[2],
                                   .hypergradients = b->hypergradients});
  return st;
}

/* Means over images in image order; each bound is widened by what rounding may have done to its own sum. */
static void mean_value(BtBilevel *b, BtInexactValue *out) {
  const double m = (double)b->problem->count;
  double lower_size = 0, upper_size = 0;
  *out = (BtInexactValue){.proof = BT_PROVEN};
  for (size_t i = 0; i < b->problem->count; i++) {
    const double *r = row(b, i);
    out->value += r[BT_ROW_VALUE] / m;
    out->lower += r[BT_ROW_LOWER] / m;
    out->upper += r[BT_ROW_UPPER] / m;
    lower_size += fabs(r[BT_ROW_LOWER]) / m;
    upper_size += fabs(r[BT_ROW_UPPER]) / m;
    out->eps = fmax(out->eps, r[BT_ROW_EPS]);
    out->proof = bt_proof_weaker(out->proof, (BtProof)r[BT_ROW_PROOF]);
  }
  const double rounding = bt_sum_rounding(b->problem->count);
  if (isfinite(lower_size)) out->lower -= 2 * rounding * lower_size;
  out->upper += 2 * rounding * upper_size;
}

static void outside_domain(BtInexactValue *out) {
  *out = (BtInexactValue){.value = (double)INFINITY, .lower = (double)INFINITY, .upper = (double)INFINITY};
}

static BtStatus value_at(BtBilevel *b, BtContext *ctx, BtSlot *slot, double eps, BtInexactValue *out) {
  BtStatus st = BT_OK, worst = BT_OK;
  clear_rows(b, 0);
  for (size_t i = 0; i < b->problem->count && st >= 0 && st != BT_STOPPED; i++) {
    if (!owns(b, i)) continue;
    if (!(slot->certificates[i].bound <= eps)) {
      slot->along[i] = bt_interval_all();
      st = bt_lower_solve(b->lower, ctx, i, slot->theta, eps, slot->points[i], &slot->certificates[i]);
    }
    if (st < 0) slot->used = 0;
    if (st > worst) worst = st;
    if (st >= 0 && st != BT_STOPPED) value_row(b, i, slot);
  }
  st = gather(b, ctx, 0, st < 0 ? st : worst);
  if (st >= 0 && st != BT_STOPPED) mean_value(b, out);
  return st;
}

/* Stages of rising accuracy up to the threshold's decision would start a solver anew each: they do not pay.
 */
static BtStatus value(void *self, BtContext *ctx, const double *theta, double eps, double threshold,
                      BtInexactValue *out) {
  BtBilevel *b = self;
  if (b->domain && !b->domain(b->domain_data, theta)) {
    outside_domain(out);
    return BT_OK;
  }
  BtSlot *slot = slot_for(b, theta);
  (void)threshold;
  return value_at(b, ctx, slot, eps, out);
}

/* Sums of the images' shares in image order. */
static void mean_gradient(BtBilevel *b, int want, double *z, BtInexactGradient *out) {
  const size_t p = b->problem->parameters;
  const double m = (double)b->problem->count;
  const int estimate = want & BT_WANT_ESTIMATE;
  double *error = b->scratch;
  memset(z, 0, p * sizeof *z);
  for (size_t k = 0; k < p; k++) error[k] = 0;
  for (size_t i = 0; i < b->problem->count; i++) {
    const double *r = row(b, i), *part = vector(b, 0, i), *miss = vector(b, 1, i);
    for (size_t k = 0; k < p; k++) z[k] += part[k] / m;
    for (size_t k = 0; estimate && k < p; k++) error[k] += miss[k] / m;
    out->bound += r[BT_ROW_BOUND] / m;
    out->bound_adjoint += r[BT_ROW_ADJOINT] / m;
    out->delta = fmax(out->delta, r[BT_ROW_RESIDUAL]);
  }
  out->estimate = out->uncorrected = estimate ? bt_norm(error, p) : (double)NAN;
  if (want & BT_WANT_CORRECTED) {
    for (size_t k = 0; k < p; k++) z[k] += error[k];
    out->bound += out->estimate;
    out->estimate *= BT_ESTIMATE_RESIDUAL;
  }
  out->norm = bt_norm(z, p);
  out->eps = out->value.eps;
  out->proof = want & BT_WANT_BOUND ? out->value.proof : BT_PROOF_NONE;
}

static BtStatus gradient(void *self, BtContext *ctx, const double *theta, double eps, double delta, int want,
                         double *z, BtInexactGradient *out) {
  BtBilevel *b = self;
  BtStatus st = BT_OK, worst = BT_OK;
  if (b->domain && !b->domain(b->domain_data, theta))
    return bt_fail(ctx, BT_ERR_ARG, "hypergradient asked for outside the parameters' domain");
  BtSlot *slot = slot_for(b, theta);
  const size_t vectors = want & BT_WANT_ESTIMATE ? 2 : 1;
  clear_rows(b, vectors);
  for (size_t i = 0; i < b->problem->count && st >= 0 && st != BT_STOPPED; i++) {
    if (!owns(b, i)) continue;
    double *r = row(b, i);
    BtHypergradientPart part = {.certificate = slot->certificates[i], .along = slot->along[i]};
    st = bt_hypergradient(b, ctx, i, theta, eps, delta, want, slot->points[i], b->adjoints[i],
                          vector(b, 0, i), vector(b, 1, i), &part);
    slot->certificates[i] = part.certificate;
    slot->along[i] = part.along;
    r[BT_ROW_RESIDUAL] = part.residual;
    r[BT_ROW_BOUND] = part.bound;
    r[BT_ROW_ADJOINT] = fmin(part.bound, part.bound_adjoint);
    if (st < 0) slot->used = 0;
    if (st > worst) worst = st;
    if (st >= 0 && st != BT_STOPPED) value_row(b, i, slot);
  }
  b->hypergradients++;
  st = gather(b, ctx, vectors, st < 0 ? st : worst);
  if (st < 0 || st == BT_STOPPED) return st;
  *out = (BtInexactGradient){0};
  mean_value(b, &out->value);
  mean_gradient(b, want, z, out);
  return st;
}

static BtStatus draw(void *self, BtContext *ctx, int64_t k) {
  BtBilevel *b = self;
  const BtStatus st = bt_team_agree(b->team, ctx, b->draw(b->draw_data, ctx, k));
  for (int s = 0; s < 2; s++) b->slots[s].used = 0;
  for (size_t i = 0; i < b->problem->count; i++)
    if (b->adjoints[i]) memset(b->adjoints[i], 0, b->problem->ops->dimension(b->problem, i) * sizeof(double));
  return st;
}

void bt_bilevel_sample(BtBilevel *b, BtDraw *sample, void *data) {
  b->draw = sample;
  b->draw_data = data;
}

void bt_bilevel_losses(const BtBilevel *b, double *losses) {
  for (size_t i = 0; i < b->problem->count; i++) losses[i] = b->rows[i * BT_ROW_LENGTH + BT_ROW_VALUE];
}

static BtWork work(const void *self) { return ((const BtBilevel *)self)->total; }

BtOracle bt_bilevel_oracle(BtBilevel *b) {
  return (BtOracle){.self = b,
                    .parameters = (int64_t)b->problem->parameters,
                    .value = value,
                    .gradient = gradient,
                    .work = work,
                    .accept = accept,
                    .draw = b->draw ? draw : NULL};
}
