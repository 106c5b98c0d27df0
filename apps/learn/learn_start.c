/* Where learning starts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/learn.h"
#include "regularizers/model_level.h"

BtStatus bt_learn_regularizer(BtContext *ctx, const BtLearn *set, BtRegularizer *regularizer) {
  char name[64], variant[64];
  const BtRegularizerSpec spec = {
      .name = bt_choice_name(BT_REGULARIZER_CHOICES, set->regularizer, name, sizeof name),
      .variant = bt_choice_name(BT_VARIANT_CHOICES, set->variant, variant, sizeof variant),
      .filters = (size_t)set->filters,
      .size = (size_t)set->filter_size};
  const BtStatus st = bt_regularizer_find(ctx, &spec, regularizer);
  if (st >= 0 && (set->filters || set->filter_size) && regularizer->filters == 0)
    return bt_fail(ctx, BT_ERR_ARG,
                   "--filters and --filter-size are for fields of experts (--regularizer foe)");
  return st;
}

/* "a,b,…" into theta. */
static BtStatus parse_numbers(BtContext *ctx, const char *text, const BtRegularizer *reg, double *theta) {
  const char *at = text;
  for (size_t j = 0; j < reg->parameters; j++) {
    char *end;
    theta[j] = strtod(at, &end);
    const int last = j + 1 == reg->parameters;
    if (end == at || *end != (last ? '\0' : ','))
      return bt_fail(
          ctx, BT_ERR_ARG,
          "--start wants %zu numbers separated by commas, or a model file MODEL.json, got \"%.80s\"",
          reg->parameters, text);
    at = end + 1;
  }
  for (size_t j = 0; j < reg->parameters; j++) {
    double lo, hi;
    reg->ops->domain(reg, j, &lo, &hi);
    if (!(theta[j] >= lo && theta[j] <= hi))
      return bt_fail(ctx, BT_ERR_ARG, "--start: %s must be in [%g, %g], got %g",
                     reg->ops->parameter_name(reg, j), lo, hi, theta[j]);
  }
  return BT_OK;
}

static BtStatus start_from_model(BtContext *ctx, const char *path, const BtRegularizer *reg, double sigma,
                                 double *theta) {
  BtModel model = {0};
  BtStatus st = bt_model_load(ctx, path, &model);
  if (st < 0) return st;
  const BtRegularizer *other = &model.regularizer;
  if (other->ops != reg->ops || other->variant != reg->variant || other->parameters != reg->parameters ||
      other->filters != reg->filters)
    st =
        bt_fail(ctx, BT_ERR_ARG,
                "--start %s: a model of %s %s with %zu parameters; this run learns %s %s with %zu parameters",
                path, other->ops->name, bt_regularizer_variant_name(other), other->parameters, reg->ops->name,
                bt_regularizer_variant_name(reg), reg->parameters);
  else {
    if (model.sigma != sigma) (void)bt_model_adapt(&model, sigma, BT_ADAPT_AUTO);
    memcpy(theta, model.theta, reg->parameters * sizeof *theta);
  }
  bt_model_clear(&model);
  return st;
}

static int ends_in_json(const char *text) {
  const size_t length = strlen(text);
  return length > 5 && strcmp(text + length - 5, ".json") == 0;
}

BtStatus bt_learn_start(BtContext *ctx, const BtLearn *set, const BtRegularizer *reg, double *theta) {
  const double sigma = set->sigma / 255;
  if (set->start && ends_in_json(set->start))
    return start_from_model(ctx, set->start, reg, set->sigma, theta);
  if (set->start) return parse_numbers(ctx, set->start, reg, theta);
  if (set->init == BT_LEARN_REGULAR) {
    reg->ops->initial(reg, sigma, theta);
    return BT_OK;
  }
  if (!reg->ops->initial_random)
    return bt_fail(ctx, BT_ERR_ARG, "--init random: %s has no random start", reg->ops->name);
  reg->ops->initial_random(reg, sigma, (uint64_t)set->seed, theta);
  return BT_OK;
}

BtStatus bt_learn_model(BtContext *ctx, BtLearnRun *run) {
  BtStatus st = BT_OK;
  BtRegularizer *reg = &run->model.regularizer;
  BT_TRY(bt_learn_regularizer(ctx, run->set, reg));
  run->model.sigma = run->set->sigma;
  run->model.theta = calloc(reg->parameters, sizeof *run->model.theta);
  run->lo = calloc(reg->parameters, sizeof *run->lo);
  run->hi = calloc(reg->parameters, sizeof *run->hi);
  run->free = calloc(reg->parameters, sizeof *run->free);
  if (!run->model.theta || !run->lo || !run->hi || !run->free)
    return bt_fail_memory(ctx, "a model", 32.0 * (double)reg->parameters);
  for (size_t j = 0; j < reg->parameters; j++) {
    if (reg->ops->learning_domain)
      reg->ops->learning_domain(reg, run->set->sigma / 255, j, &run->lo[j], &run->hi[j]);
    else
      reg->ops->domain(reg, j, &run->lo[j], &run->hi[j]);
  }
  BT_TRY(bt_learn_start(ctx, run->set, reg, run->model.theta));
  for (size_t j = 0; j < reg->parameters; j++)
    if (!isfinite(run->model.theta[j]))
      BT_TRY(bt_fail(ctx, BT_ERR_MEMORY, "out of memory: the start of learning"));
  /* Outside the chart's image the chart brings the start into it. */
  if (!bt_chart_invert(reg, run->model.theta, run->free)) {
    memcpy(run->free, run->model.theta, reg->parameters * sizeof *run->free);
    if (run->set->start) bt_warn(ctx, "--start: its weight is lowered to where certificates are proven");
  }
  for (size_t j = 0; j < reg->parameters; j++)
    run->free[j] = fmin(run->hi[j], fmax(run->lo[j], run->free[j]));
done:
  return st;
}
