#include "hypergrad/charted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void bt_chart_apply(const BtRegularizer *reg, const double *free_parameters, double *theta) {
  if (reg->ops->chart)
    reg->ops->chart(reg, free_parameters, theta);
  else
    memcpy(theta, free_parameters, reg->parameters * sizeof *theta);
}

int bt_chart_invert(const BtRegularizer *reg, const double *theta, double *free_parameters) {
  if (reg->ops->chart_inverse) return reg->ops->chart_inverse(reg, theta, free_parameters);
  memcpy(free_parameters, theta, reg->parameters * sizeof *theta);
  return 1;
}

/* c->theta ← T(free); the inner oracle recognises the points it has solved by the exact parameters. */
static BtStatus move_to(BtCharted *c, BtContext *ctx, const double *free_parameters) {
  bt_chart_apply(c->regularizer, free_parameters, c->theta);
  for (int64_t j = 0; j < c->inner.parameters; j++)
    if (isnan(c->theta[j]) && !isnan(free_parameters[j])) return bt_fail_memory(ctx, "the chart of a regularizer", 0);
  return BT_OK;
}

static BtStatus value(void *self, BtContext *ctx, const double *free_parameters, double eps, double threshold,
                      BtInexactValue *out) {
  BtCharted *c = self;
  const BtStatus st = move_to(c, ctx, free_parameters);
  return st < 0 ? st : c->inner.value(c->inner.self, ctx, c->theta, eps, threshold, out);
}

static BtStatus gradient(void *self, BtContext *ctx, const double *free_parameters, double eps, double delta, int want,
                         double *z, BtInexactGradient *out) {
  BtCharted *c = self;
  BtStatus st = move_to(c, ctx, free_parameters);
  if (st < 0) return st;
  st = c->inner.gradient(c->inner.self, ctx, c->theta, eps, delta, want, z, out);
  if (st < 0 || st == BT_STOPPED) return st;
  const double norm = c->regularizer->ops->chart_adjoint(c->regularizer, free_parameters, z);
  if (isnan(norm)) return bt_fail_memory(ctx, "the chart of a regularizer", 0);
  double sum = 0;
  for (int64_t j = 0; j < c->inner.parameters; j++) sum += z[j] * z[j];
  out->norm = sqrt(sum);
  out->bound *= norm;
  out->bound_adjoint *= norm;
  out->estimate *= norm;
  return st;
}

static BtWork work(const void *self) {
  const BtCharted *c = self;
  return c->inner.work(c->inner.self);
}

static void accept(void *self, const double *free_parameters) {
  BtCharted *c = self;
  bt_chart_apply(c->regularizer, free_parameters, c->theta);
  c->inner.accept(c->inner.self, c->theta);
}

static BtStatus draw(void *self, BtContext *ctx, int64_t k) {
  BtCharted *c = self;
  return c->inner.draw(c->inner.self, ctx, k);
}

BtStatus bt_charted_create(BtContext *ctx, const BtOracle *inner, const BtRegularizer *regularizer, BtCharted *charted,
                           BtOracle *oracle) {
  *charted = (BtCharted){.inner = *inner, .regularizer = regularizer};
  *oracle = *inner;
  if (!regularizer->ops->chart) return BT_OK;
  charted->theta = calloc((size_t)inner->parameters, sizeof *charted->theta);
  if (!charted->theta) return bt_fail_memory(ctx, "the chart of a regularizer", 8.0 * (double)inner->parameters);
  *oracle = (BtOracle){.self = charted,
                       .parameters = inner->parameters,
                       .value = value,
                       .gradient = gradient,
                       .work = work,
                       .accept = inner->accept ? accept : NULL,
                       .draw = inner->draw ? draw : NULL};
  return BT_OK;
}

void bt_charted_clear(BtCharted *charted) {
  free(charted->theta);
  *charted = (BtCharted){0};
}
