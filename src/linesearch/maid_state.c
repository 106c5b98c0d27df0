/* MAID's state: creation and checkpoint. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linesearch/maid.h"

/* Scalars of the state in the order of the tensor "maid.scalars". */
enum { EPS, DELTA, ALPHA, PREVIOUS_ERROR, SECONDS, SAMPLE_ERROR, SAMPLE_EPS, SAMPLE_DELTA, SCALARS };
enum {
  ITERATION,
  TRIALS,
  HAVE_PREVIOUS,
  PAIRS,
  HAVE_GRADIENT,
  PROOF,
  VALUE_PROOF,
  SAMPLE_USES,
  EARLIER,
  COUNTERS
};
/* Of the hypergradient, in the order of the tensor "maid.gradient". */
enum {
  NORM,
  BOUND,
  BOUND_ADJOINT,
  ESTIMATE,
  UNCORRECTED,
  GRADIENT_EPS,
  GRADIENT_DELTA,
  VALUE,
  LOWER,
  UPPER,
  VALUE_EPS,
  GRADIENT
};

BtStatus bt_maid_create(BtContext *ctx, const BtMaidSettings *settings, size_t p, const double *theta,
                        BtMaid *maid) {
  *maid = (BtMaid){.p = p};
  if (!(settings->lambda < settings->eta))
    return bt_fail(ctx, BT_ERR_ARG, "MAID needs lambda < eta, got %g and %g", settings->lambda,
                   settings->eta);
  maid->theta = calloc(4 * p, sizeof *maid->theta);
  if (!maid->theta || bt_lbfgs_create(p, &maid->lbfgs) < 0) {
    bt_maid_clear(maid);
    return bt_fail_memory(ctx, "MAID", 24.0 * 8.0 * (double)p);
  }
  maid->z = maid->theta + p;
  maid->previous = maid->theta + 2 * p;
  maid->previous_z = maid->theta + 3 * p;
  memcpy(maid->theta, theta, p * sizeof *theta);
  maid->eps = settings->eps0;
  maid->delta = settings->delta0;
  maid->alpha = settings->alpha0;
  maid->trials = settings->max_trials;
  maid->sample.error = (double)INFINITY;
  return BT_OK;
}

void bt_maid_clear(BtMaid *maid) {
  free(maid->theta);
  bt_lbfgs_clear(&maid->lbfgs);
  *maid = (BtMaid){0};
}

BtStatus bt_maid_declare(BtContext *ctx, const BtMaid *maid, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  const size_t pairs[2] = {BT_LBFGS_MEMORY, maid->p};
  BT_TRY(bt_tensors_declare(ctx, writer, "maid.vectors", BT_TENSOR_F64, 2, (const size_t[]){4, maid->p}));
  BT_TRY(bt_tensors_declare(ctx, writer, "maid.scalars", BT_TENSOR_F64, 1, (const size_t[]){SCALARS}));
  BT_TRY(bt_tensors_declare(ctx, writer, "maid.counters", BT_TENSOR_I64, 1, (const size_t[]){COUNTERS}));
  BT_TRY(bt_tensors_declare(ctx, writer, "maid.gradient", BT_TENSOR_F64, 1, (const size_t[]){GRADIENT}));
  BT_TRY(bt_tensors_declare(ctx, writer, "maid.earlier", BT_TENSOR_F64, 1, (const size_t[]){BT_MAID_WINDOW}));
  BT_TRY(bt_tensors_declare(ctx, writer, "maid.pairs.s", BT_TENSOR_F64, 2, pairs));
  BT_TRY(bt_tensors_declare(ctx, writer, "maid.pairs.y", BT_TENSOR_F64, 2, pairs));
done:
  return st;
}

BtStatus bt_maid_save(BtContext *ctx, const BtMaid *maid, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  const BtInexactGradient *g = &maid->gradient;
  const double scalars[SCALARS] = {[EPS] = maid->eps,
                                   [DELTA] = maid->delta,
                                   [ALPHA] = maid->alpha,
                                   [PREVIOUS_ERROR] = maid->previous_error,
                                   [SECONDS] = maid->seconds,
                                   [SAMPLE_ERROR] = maid->sample.error,
                                   [SAMPLE_EPS] = maid->sample.eps,
                                   [SAMPLE_DELTA] = maid->sample.delta};
  const int64_t counters[COUNTERS] = {
      [ITERATION] = maid->iteration,         [TRIALS] = maid->trials,
      [HAVE_PREVIOUS] = maid->have_previous, [PAIRS] = maid->lbfgs.count,
      [HAVE_GRADIENT] = maid->have_gradient, [PROOF] = g->proof,
      [VALUE_PROOF] = g->value.proof,        [SAMPLE_USES] = maid->sample.uses,
      [EARLIER] = maid->earlier_count};
  const double gradient[GRADIENT] = {[NORM] = g->norm,
                                     [BOUND] = g->bound,
                                     [BOUND_ADJOINT] = g->bound_adjoint,
                                     [ESTIMATE] = g->estimate,
                                     [UNCORRECTED] = g->uncorrected,
                                     [GRADIENT_EPS] = g->eps,
                                     [GRADIENT_DELTA] = g->delta,
                                     [VALUE] = g->value.value,
                                     [LOWER] = g->value.lower,
                                     [UPPER] = g->value.upper,
                                     [VALUE_EPS] = g->value.eps};
  BT_TRY(bt_tensors_append(ctx, writer, maid->theta, 4 * maid->p));
  BT_TRY(bt_tensors_append(ctx, writer, scalars, SCALARS));
  BT_TRY(bt_tensors_append(ctx, writer, counters, COUNTERS));
  BT_TRY(bt_tensors_append(ctx, writer, gradient, GRADIENT));
  BT_TRY(bt_tensors_append(ctx, writer, maid->earlier, BT_MAID_WINDOW));
  BT_TRY(bt_tensors_append(ctx, writer, maid->lbfgs.s, BT_LBFGS_MEMORY * maid->p));
  BT_TRY(bt_tensors_append(ctx, writer, maid->lbfgs.y, BT_LBFGS_MEMORY * maid->p));
done:
  return st;
}

static int is_proof(int64_t kind) {
  return kind == BT_PROOF_NONE || kind == BT_ESTIMATED || kind == BT_PROVEN;
}

BtStatus bt_maid_load(BtContext *ctx, BtTensorReader *reader, BtMaid *maid) {
  BtStatus st = BT_OK;
  double scalars[SCALARS], gradient[GRADIENT];
  int64_t counters[COUNTERS];
  BT_TRY(bt_tensors_read(ctx, reader, "maid.vectors", BT_TENSOR_F64, 4 * maid->p, maid->theta));
  BT_TRY(bt_tensors_read(ctx, reader, "maid.scalars", BT_TENSOR_F64, SCALARS, scalars));
  BT_TRY(bt_tensors_read(ctx, reader, "maid.counters", BT_TENSOR_I64, COUNTERS, counters));
  BT_TRY(bt_tensors_read(ctx, reader, "maid.gradient", BT_TENSOR_F64, GRADIENT, gradient));
  BT_TRY(bt_tensors_read(ctx, reader, "maid.earlier", BT_TENSOR_F64, BT_MAID_WINDOW, maid->earlier));
  BT_TRY(
      bt_tensors_read(ctx, reader, "maid.pairs.s", BT_TENSOR_F64, BT_LBFGS_MEMORY * maid->p, maid->lbfgs.s));
  BT_TRY(
      bt_tensors_read(ctx, reader, "maid.pairs.y", BT_TENSOR_F64, BT_LBFGS_MEMORY * maid->p, maid->lbfgs.y));
  if (counters[PAIRS] < 0 || counters[PAIRS] > BT_LBFGS_MEMORY || counters[ITERATION] < 0 ||
      counters[TRIALS] < 1 || counters[EARLIER] < 0 || counters[EARLIER] > BT_MAID_WINDOW ||
      !is_proof(counters[PROOF]) || !is_proof(counters[VALUE_PROOF]) || !(scalars[EPS] > 0) ||
      !(scalars[DELTA] > 0) || !(scalars[ALPHA] > 0))
    return bt_fail(ctx, BT_ERR_FORMAT, "the checkpoint's MAID state is out of range");
  maid->eps = scalars[EPS];
  maid->delta = scalars[DELTA];
  maid->alpha = scalars[ALPHA];
  maid->previous_error = scalars[PREVIOUS_ERROR];
  maid->seconds = scalars[SECONDS];
  maid->sample = (BtMaidSample){scalars[SAMPLE_ERROR], scalars[SAMPLE_EPS], scalars[SAMPLE_DELTA],
                                counters[SAMPLE_USES]};
  maid->iteration = counters[ITERATION];
  maid->trials = counters[TRIALS];
  maid->earlier_count = counters[EARLIER];
  maid->have_previous = counters[HAVE_PREVIOUS] != 0;
  maid->lbfgs.count = counters[PAIRS];
  maid->have_gradient = counters[HAVE_GRADIENT] != 0;
  maid->gradient = (BtInexactGradient){.norm = gradient[NORM],
                                       .bound = gradient[BOUND],
                                       .bound_adjoint = gradient[BOUND_ADJOINT],
                                       .estimate = gradient[ESTIMATE],
                                       .uncorrected = gradient[UNCORRECTED],
                                       .eps = gradient[GRADIENT_EPS],
                                       .delta = gradient[GRADIENT_DELTA],
                                       .proof = (BtProof)counters[PROOF],
                                       .value = {.value = gradient[VALUE],
                                                 .lower = gradient[LOWER],
                                                 .upper = gradient[UPPER],
                                                 .eps = gradient[VALUE_EPS],
                                                 .proof = (BtProof)counters[VALUE_PROOF]}};
done:
  return st;
}
