#include "linesearch/random_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "linesearch/search_internal.h"

const BtOption bt_random_options[] = {BT_SEARCH_OPTION_BUDGETS(BtRandomSettings),
                                      BT_SEARCH_OPTION_EPS(BtRandomSettings),
                                      BT_SEARCH_OPTION_WIDTH(BtRandomSettings), BT_OPT_END};

BtStatus bt_random_create(BtContext *ctx, const BtRandomSettings *settings, size_t p, const double *theta,
                          BtSearch *search) {
  return bt_search_create(ctx, &settings->search, 1, p, theta, search);
}

BtStatus bt_random_run(BtContext *ctx, BtOracle *oracle, const BtRandomSettings *settings, BtSearch *search) {
  BtSearchRun run = bt_search_begin(ctx, oracle, &settings->search, search);
  BtStatus st = BT_OK;
  BtInexactValue value;
  static const uint64_t stream = 0x72616e646f6d; /* apart from what else the seed is used for */
  double *theta = malloc(search->p * sizeof *theta);
  if (!theta) return bt_fail_memory(ctx, "random search", 8.0 * (double)search->p);
  for (int64_t i = 0; i < settings->search.max_evaluations && st == BT_OK; i++) {
    for (size_t j = 0; j < search->p; j++) {
      const double u = bt_rng_uniform(settings->seed, stream + (uint64_t)i, j);
      theta[j] = i > 0 ? search->lo[j] + u * (search->hi[j] - search->lo[j]) : search->start[j];
    }
    st = bt_search_evaluate(&run, theta, settings->search.eps, &value);
  }
  free(theta);
  return bt_search_end(&run, st, BT_SEARCH_DONE);
}
