#include "lowerlevel/mask.h"

#include <stdlib.h>
#include <string.h>

static void apply(const BtOperator *op, const double *x, double *out) {
  const double *known = op->data;
  for (size_t i = 0; i < bt_shape_size(op->shape); i++) out[i] = known[i] * x[i];
}

static void normal(const BtOperator *op, const double *x, double *work, double *out) {
  (void)work;
  apply(op, x, out);
}

static void diagonal(const BtOperator *op, double *out) {
  memcpy(out, op->data, bt_shape_size(op->shape) * sizeof *out);
}

static void destroy(BtOperator *op) { free(op->data); }

static const BtOperatorOps mask_ops = {.name = "mask",
                                       .apply = apply,
                                       .adjoint = apply,
                                       .normal = normal,
                                       .diagonal = diagonal,
                                       .destroy = destroy};

BtStatus bt_mask(BtContext *ctx, BtShape shape, const unsigned char *known, BtOperator *op) {
  const size_t n = bt_shape_size(shape);
  size_t count = 0;
  *op = (BtOperator){0};
  for (size_t i = 0; i < n; i++) count += known[i] != 0;
  if (count == 0)
    return bt_fail(ctx, BT_ERR_ARG, "the mask has no known pixel; known ones are not black in it");
  double *weights = malloc(n * sizeof *weights);
  if (!weights) return bt_fail_memory(ctx, "a mask", (double)n * sizeof *weights);
  for (size_t i = 0; i < n; i++) weights[i] = known[i] != 0;
  *op = (BtOperator){.ops = &mask_ops, .shape = shape, .norm = 1, .least = count == n, .data = weights};
  return BT_OK;
}
