#include "regularizers/model_level.h"

#include <math.h>
#include <string.h>

#include "regularizers/foe.h"

/* R(x/s) s² for the global weight and the smoothings, which every family so far keeps as logarithms. */
static double shift_of(const BtRegularizer *reg, size_t j, double log_s, BtAdaptation rule) {
  const char *name = reg->ops->parameter_name(reg, j);
  const int logarithm = reg->filters > 0 && reg->variant == BT_FOE_LOG;
  if (strcmp(name, "log_weight") == 0) return rule == BT_ADAPT_WEIGHT || logarithm ? 2 * log_s : log_s;
  return rule == BT_ADAPT_CONTRAST && strcmp(name, "log_smoothing") == 0 ? log_s : 0;
}

static void keep_inside(const BtRegularizer *reg, double *theta) {
  for (size_t j = 0; j < reg->parameters; j++) {
    double lo, hi;
    reg->ops->domain(reg, j, &lo, &hi);
    theta[j] = fmin(hi, fmax(lo, theta[j]));
  }
}

/* Lowers the weight of a weakly convex model to where its modulus, which is proportional to it, is
 * BT_FOE_MODULUS. */
static void keep_modulus(const BtRegularizer *reg, double *theta) {
  BtRegularizerConstants k;
  const BtShape any = {4 * reg->size, 4 * reg->size};
  if (reg->filters == 0 || reg->variant != BT_FOE_WEAK) return;
  reg->ops->constants(reg, any, theta, &k);
  if (k.convexity < -BT_FOE_MODULUS) theta[0] -= log(-k.convexity / BT_FOE_MODULUS);
}

BtAdaptation bt_model_adapt(BtModel *model, double sigma, BtAdaptation rule) {
  const BtRegularizer *reg = &model->regularizer;
  const double log_s = log(sigma / model->sigma);
  model->sigma = sigma;
  if (rule == BT_ADAPT_NONE) return rule;
  if (rule != BT_ADAPT_WEIGHT) rule = BT_ADAPT_CONTRAST;
  for (size_t j = 0; j < reg->parameters; j++) model->theta[j] += shift_of(reg, j, log_s, rule);
  keep_inside(reg, model->theta);
  if (rule == BT_ADAPT_WEIGHT) keep_modulus(reg, model->theta);
  return rule;
}

int bt_model_same_kind(const BtModel *a, const BtModel *b) {
  const BtRegularizer *p = &a->regularizer, *q = &b->regularizer;
  return p->ops == q->ops && p->variant == q->variant && p->filters == q->filters && p->size == q->size &&
         p->parameters == q->parameters;
}

void bt_model_interpolate(BtModel *model, const BtModel *other, double sigma) {
  const BtRegularizer *reg = &model->regularizer;
  const double t = log(sigma / model->sigma) / log(other->sigma / model->sigma);
  for (size_t j = 0; j < reg->parameters; j++) model->theta[j] += t * (other->theta[j] - model->theta[j]);
  keep_modulus(reg, model->theta);
  model->sigma = sigma;
}
