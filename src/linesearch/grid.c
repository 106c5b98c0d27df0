#include "linesearch/grid.h"

#include <math.h>
#include <stdlib.h>

#include "linesearch/search_internal.h"

const BtOption bt_grid_options[] = {
    BT_SEARCH_OPTION_BUDGETS(BtGridSettings), BT_SEARCH_OPTION_EPS(BtGridSettings),
    BT_SEARCH_OPTION_WIDTH(BtGridSettings),
    BT_OPT_INT("grid-points", BtGridSettings, points, 9, BT_WITHIN(2, 100000), "N",
               "grid: points of each axis; all of them must be within --max-evaluations"),
    BT_OPT_END};

static double size(const BtGridSettings *set, size_t p) { return pow((double)set->points, (double)p); }

BtStatus bt_grid_create(BtContext *ctx, const BtGridSettings *settings, size_t p, const double *theta,
                        BtSearch *search) {
  *search = (BtSearch){0};
  if (!(size(settings, p) <= (double)settings->search.max_evaluations))
    return bt_fail(
        ctx, BT_ERR_ARG,
        "a grid of %lld points an axis has %.4g points for %zu parameters, --max-evaluations is %lld; "
        "lower --grid-points, raise --max-evaluations or choose another method",
        (long long)settings->points, size(settings, p), p, (long long)settings->search.max_evaluations);
  return bt_search_create(ctx, &settings->search, 1, p, theta, search);
}

static void point(const BtGridSettings *set, const BtSearch *s, int64_t i, double *theta) {
  for (size_t j = s->p; j-- > 0; i /= set->points) {
    const double share = (double)(i % set->points) / (double)(set->points - 1);
    theta[j] = share < 1 ? s->lo[j] + share * (s->hi[j] - s->lo[j]) : s->hi[j];
  }
}

BtStatus bt_grid_run(BtContext *ctx, BtOracle *oracle, const BtGridSettings *settings, BtSearch *search) {
  BtSearchRun run = bt_search_begin(ctx, oracle, &settings->search, search);
  BtStatus st = BT_OK;
  BtInexactValue value;
  double *theta = malloc(search->p * sizeof *theta);
  if (!theta) return bt_fail_memory(ctx, "a grid", 8.0 * (double)search->p);
  const int64_t planned = (int64_t)size(settings, search->p);
  for (int64_t i = 0; i < planned && st == BT_OK; i++) {
    point(settings, search, i, theta);
    st = bt_search_evaluate(&run, theta, settings->search.eps, &value);
  }
  free(theta);
  return bt_search_end(&run, st, BT_SEARCH_DONE);
}
