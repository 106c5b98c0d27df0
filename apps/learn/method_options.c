/* Choice of an outer method: options, demands, settings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/method.h"

int bt_method_is_stochastic(BtMethodKind kind) { return kind == BT_METHOD_ISGD; }

static size_t full_sets(BtMethodSettings *set, int isgd, BtOptionSet *sets) {
  size_t n = 0;
  sets[n++] =
      (BtOptionSet){bt_maid_options, &set->maid,
                    "Method MAID; budgets, tolerance, first accuracies and step of other methods too"};
  if (isgd) sets[n++] = (BtOptionSet){bt_isgd_options, &set->isgd, "Method ISGD"};
  sets[n++] = (BtOptionSet){bt_hoag_options, &set->hoag, "Method HOAG"};
  sets[n++] = (BtOptionSet){bt_dfo_options, &set->dfo,
                            "Methods that search by values of the loss; dynamic-accuracy trust regions"};
  sets[n++] = (BtOptionSet){bt_nlopt_options, &set->nlopt, "Methods nelder-mead and bobyqa"};
  sets[n++] = (BtOptionSet){bt_grid_options, &set->grid, "Grid search"};
  sets[n++] = (BtOptionSet){bt_random_options, &set->random, "Random search"};
  sets[n++] = (BtOptionSet){bt_bayes_options, &set->bayes, "Bayesian search"};
  return n;
}

/* The set that has an option of this name before set `s`; NULL if it is the first. */
static const BtOptionSet *earlier(const BtOptionSet *sets, size_t s, const char *name,
                                  const BtOption **option) {
  for (size_t e = 0; e < s; e++)
    for (const BtOption *o = sets[e].table; o->kind != BT_OPT_KIND_END; o++)
      if (strcmp(o->name, name) == 0) {
        *option = o;
        return &sets[e];
      }
  return NULL;
}

size_t bt_method_option_sets(BtMethodSettings *settings, int isgd, BtOptionSet *sets) {
  BtOptionSet full[BT_METHOD_TABLES];
  const size_t count = full_sets(settings, isgd, full);
  size_t listed = 0;
  for (size_t s = 0; s < count; s++) {
    BtOption *table = settings->tables[s];
    const BtOption *other, *o = full[s].table;
    size_t n = 0;
    for (; o->kind != BT_OPT_KIND_END && n + 1 < BT_METHOD_TABLE_LENGTH; o++)
      if (!earlier(full, s, o->name, &other)) table[n++] = *o;
    table[n] = (BtOption)BT_OPT_END;
    /* A table that begins the list is whole, and may be longer than the copies. */
    if (s == 0) table = NULL;
    if (n > 0) sets[listed++] = (BtOptionSet){table ? table : full[s].table, full[s].target, full[s].title};
  }
  return listed;
}

static size_t field_size(const BtOption *o) {
  switch (o->kind) {
    case BT_OPT_KIND_REAL: return sizeof(double);
    case BT_OPT_KIND_INT: return sizeof(int64_t);
    case BT_OPT_KIND_FLAG:
    case BT_OPT_KIND_CHOICE: return sizeof(int);
    case BT_OPT_KIND_TEXT: return sizeof(const char *);
    case BT_OPT_KIND_END: break;
  }
  return 0;
}

/* Gives options that were listed once to every method that has them. */
static void share(BtMethodSettings *settings, int isgd) {
  BtOptionSet full[BT_METHOD_TABLES];
  const size_t count = full_sets(settings, isgd, full);
  for (size_t s = 1; s < count; s++)
    for (const BtOption *other, *o = full[s].table; o->kind != BT_OPT_KIND_END; o++) {
      const BtOptionSet *from = earlier(full, s, o->name, &other);
      if (from && other->kind == o->kind)
        memcpy((char *)full[s].target + o->offset, (const char *)from->target + other->offset, field_size(o));
    }
}

static int is_search(BtMethodKind kind) { return kind >= BT_METHOD_DFO; }

void bt_method_choose(const BtMethodSettings *settings, BtMethodKind kind, const BtMethodProblem *problem,
                      BtMethod *method) {
  *method = (BtMethod){.kind = kind, .set = *settings};
  BtMethodSettings *set = &method->set;
  BtSearchSettings *const searches[] = {&set->dfo.search, &set->nlopt.search, &set->grid.search,
                                        &set->random.search, &set->bayes.search};
  /* All of them know ISGD's own options; sharing does not touch them. */
  share(set, 0);
  set->maid.accelerated = kind != BT_METHOD_MAID_PLAIN && kind != BT_METHOD_FIXED_GRADIENT;
  set->maid.fixed = kind == BT_METHOD_FIXED || kind == BT_METHOD_FIXED_GRADIENT;
  set->isgd.lo = set->hoag.lo = problem->lo;
  set->isgd.hi = set->hoag.hi = problem->hi;
  set->isgd.max_work = set->maid.max_work;
  set->hoag.constant = kind == BT_METHOD_FIXED_STEP;
  if (set->hoag.constant) set->hoag.first_step = set->maid.alpha0;
  set->nlopt.algorithm = kind == BT_METHOD_BOBYQA ? BT_NLOPT_BOBYQA : BT_NLOPT_NELDER_MEAD;
  set->random.seed = set->bayes.seed = problem->seed;
  for (size_t s = 0; s < sizeof searches / sizeof *searches; s++)
    searches[s]->lo = problem->lo, searches[s]->hi = problem->hi;
  method->ops = kind == BT_METHOD_ISGD                                   ? &bt_method_isgd
                : kind == BT_METHOD_HOAG || kind == BT_METHOD_FIXED_STEP ? &bt_method_hoag
                : is_search(kind)                                        ? &bt_method_search
                                                                         : &bt_method_maid;
}

static BtStatus check_maid(BtContext *ctx, const BtMaidSettings *maid) {
  if (!(maid->lambda < maid->eta))
    return bt_fail(ctx, BT_ERR_ARG, "--lambda must be less than --eta, got %g and %g", maid->lambda,
                   maid->eta);
  if (!(maid->eps0 > maid->eps_floor && maid->delta0 > maid->eps_floor))
    return bt_fail(ctx, BT_ERR_ARG, "--eps0 and --delta0 must exceed --eps-floor (%g)", maid->eps_floor);
  return BT_OK;
}

/* What create() would refuse, found out before anything is read. */
BtStatus bt_method_check(BtContext *ctx, const BtMethodSettings *settings, BtMethodKind kind, size_t p) {
  BtStatus st = check_maid(ctx, &settings->maid);
  if (st < 0 || p == 0 || !is_search(kind)) return st;
  BtMethod method;
  double *origin = calloc(p, sizeof *origin);
  if (!origin) return bt_fail_memory(ctx, "parameters", 8.0 * (double)p);
  bt_method_choose(settings, kind, &(BtMethodProblem){0}, &method);
  /* A domain is not known here, so any box will do. */
  BtSearchSettings *const boxes[] = {&method.set.grid.search, &method.set.random.search,
                                     &method.set.bayes.search};
  for (size_t s = 0; s < 3; s++) boxes[s]->width = 1;
  st = method.ops->create(ctx, &method, p, origin);
  method.ops->clear(&method);
  free(origin);
  return st;
}
