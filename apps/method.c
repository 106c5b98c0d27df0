#include "method.h"

static BtStatus maid_create(BtContext *ctx, BtMethod *m, size_t p, const double *theta) {
  return bt_maid_create(ctx, &m->maid_settings, p, theta, &m->maid);
}

static void maid_clear(BtMethod *m) { bt_maid_clear(&m->maid); }

static BtStatus maid_run(BtContext *ctx, BtOracle *oracle, BtMethod *m) {
  return bt_maid_run(ctx, oracle, &m->maid_settings, &m->maid);
}

static BtMethodState maid_state(const BtMethod *m) {
  const BtMaid *maid = &m->maid;
  return (BtMethodState){.p = maid->p,
                         .theta = maid->theta,
                         .iteration = maid->iteration,
                         .seconds = maid->seconds,
                         .value = maid->value,
                         .gradient = &maid->gradient,
                         .reason = bt_maid_reason_name(maid->reason),
                         .converged = maid->reason == BT_MAID_CONVERGED || maid->reason == BT_MAID_FLOOR,
                         .stuck = maid->reason == BT_MAID_STUCK};
}

static BtStatus maid_declare(BtContext *ctx, const BtMethod *m, BtTensorWriter *writer) {
  return bt_maid_declare(ctx, &m->maid, writer);
}

static BtStatus maid_save(BtContext *ctx, const BtMethod *m, BtTensorWriter *writer) {
  return bt_maid_save(ctx, &m->maid, writer);
}

static BtStatus maid_load(BtContext *ctx, BtTensorReader *reader, BtMethod *m) {
  return bt_maid_load(ctx, reader, &m->maid);
}

const BtMethodOps bt_method_maid = {.create = maid_create,
                                    .clear = maid_clear,
                                    .run = maid_run,
                                    .state = maid_state,
                                    .declare = maid_declare,
                                    .save = maid_save,
                                    .load = maid_load};

static BtStatus isgd_create(BtContext *ctx, BtMethod *m, size_t p, const double *theta) {
  return bt_isgd_create(ctx, &m->isgd_settings, p, theta, &m->isgd);
}

static void isgd_clear(BtMethod *m) { bt_isgd_clear(&m->isgd); }

static BtStatus isgd_run(BtContext *ctx, BtOracle *oracle, BtMethod *m) {
  return bt_isgd_run(ctx, oracle, &m->isgd_settings, &m->isgd);
}

static BtMethodState isgd_state(const BtMethod *m) {
  const BtIsgd *isgd = &m->isgd;
  return (BtMethodState){.p = isgd->p,
                         .theta = isgd->average,
                         .iteration = isgd->iteration,
                         .seconds = isgd->seconds,
                         .value = isgd->gradient.value,
                         .gradient = &isgd->gradient,
                         .reason = bt_isgd_reason_name(isgd->reason),
                         .converged = isgd->reason == BT_ISGD_DONE};
}

static BtStatus isgd_declare(BtContext *ctx, const BtMethod *m, BtTensorWriter *writer) {
  return bt_isgd_declare(ctx, &m->isgd, writer);
}

static BtStatus isgd_save(BtContext *ctx, const BtMethod *m, BtTensorWriter *writer) {
  return bt_isgd_save(ctx, &m->isgd, writer);
}

static BtStatus isgd_load(BtContext *ctx, BtTensorReader *reader, BtMethod *m) {
  return bt_isgd_load(ctx, reader, &m->isgd);
}

const BtMethodOps bt_method_isgd = {.stochastic = 1,
                                    .create = isgd_create,
                                    .clear = isgd_clear,
                                    .run = isgd_run,
                                    .state = isgd_state,
                                    .declare = isgd_declare,
                                    .save = isgd_save,
                                    .load = isgd_load};
