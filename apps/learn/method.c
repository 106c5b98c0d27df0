#include "learn/method.h"

#include <math.h>

/* Of a run that has computed none. */
static const BtInexactGradient unknown = {.norm = (double)NAN, .bound = (double)NAN, .estimate = (double)NAN};

static BtStatus maid_create(BtContext *ctx, BtMethod *m, size_t p, const double *theta) {
  return bt_maid_create(ctx, &m->set.maid, p, theta, &m->maid);
}

static void maid_clear(BtMethod *m) { bt_maid_clear(&m->maid); }

static BtStatus maid_run(BtContext *ctx, BtOracle *oracle, BtMethod *m) {
  return bt_maid_run(ctx, oracle, &m->set.maid, &m->maid);
}

static BtMethodState maid_state(const BtMethod *m) {
  const BtMaid *maid = &m->maid;
  return (BtMethodState){.p = maid->p,
                         .theta = maid->theta,
                         .iteration = maid->iteration,
                         .seconds = maid->seconds,
                         .value = maid->value,
                         .gradient = maid->value.eps > 0 ? &maid->gradient : &unknown,
                         .reason = bt_maid_reason_name(maid->reason),
                         .converged = bt_maid_converged(maid->reason),
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
  return bt_isgd_create(ctx, &m->set.isgd, p, theta, &m->isgd);
}

static void isgd_clear(BtMethod *m) { bt_isgd_clear(&m->isgd); }

static BtStatus isgd_run(BtContext *ctx, BtOracle *oracle, BtMethod *m) {
  return bt_isgd_run(ctx, oracle, &m->set.isgd, &m->isgd);
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

static BtStatus hoag_create(BtContext *ctx, BtMethod *m, size_t p, const double *theta) {
  return bt_hoag_create(ctx, &m->set.hoag, p, theta, &m->hoag);
}

static void hoag_clear(BtMethod *m) { bt_hoag_clear(&m->hoag); }

static BtStatus hoag_run(BtContext *ctx, BtOracle *oracle, BtMethod *m) {
  return bt_hoag_run(ctx, oracle, &m->set.hoag, &m->hoag);
}

static BtMethodState hoag_state(const BtMethod *m) {
  const BtHoag *hoag = &m->hoag;
  return (BtMethodState){.p = hoag->p,
                         .theta = hoag->best,
                         .iteration = hoag->iteration,
                         .seconds = hoag->seconds,
                         .value = hoag->value,
                         .gradient = hoag->iteration > 0 ? &hoag->gradient : &unknown,
                         .reason = bt_hoag_reason_name(hoag->reason),
                         .converged = hoag->reason == BT_HOAG_CONVERGED,
                         .stuck = hoag->reason == BT_HOAG_STUCK};
}

static BtStatus hoag_declare(BtContext *ctx, const BtMethod *m, BtTensorWriter *writer) {
  return bt_hoag_declare(ctx, &m->hoag, writer);
}

static BtStatus hoag_save(BtContext *ctx, const BtMethod *m, BtTensorWriter *writer) {
  return bt_hoag_save(ctx, &m->hoag, writer);
}

static BtStatus hoag_load(BtContext *ctx, BtTensorReader *reader, BtMethod *m) {
  return bt_hoag_load(ctx, reader, &m->hoag);
}

const BtMethodOps bt_method_hoag = {.create = hoag_create,
                                    .clear = hoag_clear,
                                    .run = hoag_run,
                                    .state = hoag_state,
                                    .declare = hoag_declare,
                                    .save = hoag_save,
                                    .load = hoag_load};

static BtStatus search_create(BtContext *ctx, BtMethod *m, size_t p, const double *theta) {
  switch (m->kind) {
    case BT_METHOD_DFO: return bt_dfo_create(ctx, &m->set.dfo, p, theta, &m->search);
    case BT_METHOD_GRID: return bt_grid_create(ctx, &m->set.grid, p, theta, &m->search);
    case BT_METHOD_RANDOM: return bt_random_create(ctx, &m->set.random, p, theta, &m->search);
    case BT_METHOD_BAYES: return bt_bayes_create(ctx, &m->set.bayes, p, theta, &m->search);
    default: return bt_nlopt_create(ctx, &m->set.nlopt, p, theta, &m->search);
  }
}

static void search_clear(BtMethod *m) { bt_search_clear(&m->search); }

static BtStatus search_run(BtContext *ctx, BtOracle *oracle, BtMethod *m) {
  switch (m->kind) {
    case BT_METHOD_DFO: return bt_dfo_run(ctx, oracle, &m->set.dfo, &m->search);
    case BT_METHOD_GRID: return bt_grid_run(ctx, oracle, &m->set.grid, &m->search);
    case BT_METHOD_RANDOM: return bt_random_run(ctx, oracle, &m->set.random, &m->search);
    case BT_METHOD_BAYES: return bt_bayes_run(ctx, oracle, &m->set.bayes, &m->search);
    default: return bt_nlopt_run(ctx, oracle, &m->set.nlopt, &m->search);
  }
}

static BtMethodState search_state(const BtMethod *m) {
  const BtSearch *search = &m->search;
  const BtSearchReason reason = search->reason;
  return (BtMethodState){
      .p = search->p,
      .theta = search->theta,
      .iteration = search->count,
      .seconds = search->seconds,
      .value = search->value,
      .gradient = &unknown,
      .reason = bt_search_reason_name(reason),
      .converged = reason == BT_SEARCH_DONE || reason == BT_SEARCH_CONVERGED || reason == BT_SEARCH_FLOOR};
}

static BtStatus search_declare(BtContext *ctx, const BtMethod *m, BtTensorWriter *writer) {
  return bt_search_declare(ctx, &m->search, writer);
}

static BtStatus search_save(BtContext *ctx, const BtMethod *m, BtTensorWriter *writer) {
  return bt_search_save(ctx, &m->search, writer);
}

static BtStatus search_load(BtContext *ctx, BtTensorReader *reader, BtMethod *m) {
  return bt_search_load(ctx, reader, &m->search);
}

const BtMethodOps bt_method_search = {.create = search_create,
                                      .clear = search_clear,
                                      .run = search_run,
                                      .state = search_state,
                                      .declare = search_declare,
                                      .save = search_save,
                                      .load = search_load};
