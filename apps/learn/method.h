/* apps/learn/method.h: the outer methods as the learning commands and their checkpoints see them: choice, options,
 * creation.
 *
 * A command has BtMethodSettings among its settings, BT_METHOD_CHOICES as its --method, lists
 * bt_method_option_sets() with its tables, calls bt_method_check() in its check(), and bt_method_choose()
 * before create(). */
#ifndef BITUNE_APPS_METHOD_H
#define BITUNE_APPS_METHOD_H

#include "linesearch/bayes.h"
#include "linesearch/dfo.h"
#include "linesearch/grid.h"
#include "linesearch/hoag.h"
#include "linesearch/isgd.h"
#include "linesearch/maid.h"
#include "linesearch/nlopt_search.h"
#include "linesearch/random_search.h"

/* In the order of BT_METHOD_CHOICES; what "auto" stands for is the command's to say. */
typedef enum {
  BT_METHOD_AUTO,
  BT_METHOD_MAID,
  BT_METHOD_MAID_PLAIN,
  BT_METHOD_ISGD,
  BT_METHOD_FIXED,
  BT_METHOD_FIXED_GRADIENT,
  BT_METHOD_FIXED_STEP,
  BT_METHOD_HOAG,
  BT_METHOD_DFO,
  BT_METHOD_NELDER_MEAD,
  BT_METHOD_BOBYQA,
  BT_METHOD_GRID,
  BT_METHOD_RANDOM,
  BT_METHOD_BAYES
} BtMethodKind;
#define BT_METHOD_CHOICES \
  "auto|maid|maid-plain|isgd|fixed|fixed-gradient|fixed-step|hoag|dfo|nelder-mead|bobyqa|grid|random|bayes"
/* What --method's help says of them. */
#define BT_METHOD_HELP                                                                                     \
  "maid: accelerated MAID; maid-plain: MAID as in the paper step by step; isgd: stochastic gradients; at " \
  "fixed "                                                                                                 \
  "accuracies, proving nothing: fixed: L-BFGS, fixed-gradient: gradient descent with backtracking, "       \
  "fixed-step: with a "                                                                                    \
  "constant step; hoag: HOAG; by values of the loss alone: dfo (dynamic-accuracy trust regions), "         \
  "nelder-mead, bobyqa, "                                                                                  \
  "grid, random, bayes"

/* Options of one method that another has by the same name and meaning are listed once, with the first. */
enum { BT_METHOD_TABLES = 8, BT_METHOD_TABLE_LENGTH = 16 };

typedef struct {
  BtMaidSettings maid;
  BtIsgdSettings isgd;
  BtHoagSettings hoag;
  BtDfoSettings dfo;
  BtNloptSettings nlopt;
  BtGridSettings grid;
  BtRandomSettings random;
  BtBayesSettings bayes;
  BtOption tables[BT_METHOD_TABLES][BT_METHOD_TABLE_LENGTH]; /* what bt_method_option_sets() lists  */
} BtMethodSettings;

/* Lists the option tables of all methods in sets[BT_METHOD_TABLES], `isgd` 0 leaving out that of ISGD;
 * returns their number. They live as long as `settings`. */
size_t bt_method_option_sets(BtMethodSettings *settings, int isgd, BtOptionSet *sets);

/* Demands that tables cannot express, and whether the method suits p parameters (0: not known yet).
 * BT_ERR_ARG. */
BtStatus bt_method_check(BtContext *ctx, const BtMethodSettings *settings, BtMethodKind kind, size_t p);

/* 1 for ISGD, whose oracle draws samples. */
int bt_method_is_stochastic(BtMethodKind kind);

/* Where a run stands. */
typedef struct {
  size_t p;
  const double *theta; /* [p] what would be returned now, borrowed                    */
  int64_t iteration;   /* of the last event                                           */
  double seconds;
  BtInexactValue value;              /* last known f; of a stochastic method's last batch           */
  const BtInexactGradient *gradient; /* borrowed; its norm is NAN where none is known               */
  const char *reason;                /* why the run ended, static storage                           */
  int converged, stuck;
} BtMethodState;

typedef struct BtMethod BtMethod;

typedef struct {
  int stochastic; /* f is that of a sample drawn anew at each step; the state is usable after a stop */
  BtStatus (*create)(BtContext *ctx, BtMethod *method, size_t p, const double *theta);
  void (*clear)(BtMethod *method);
  BtStatus (*run)(BtContext *ctx, BtOracle *oracle, BtMethod *method);
  BtMethodState (*state)(const BtMethod *method);
  BtStatus (*declare)(BtContext *ctx, const BtMethod *method, BtTensorWriter *writer);
  BtStatus (*save)(BtContext *ctx, const BtMethod *method, BtTensorWriter *writer);
  BtStatus (*load)(BtContext *ctx, BtTensorReader *reader, BtMethod *method);
} BtMethodOps;

/* A chosen method; create() makes its state, the one of these that its ops know. */
struct BtMethod {
  const BtMethodOps *ops;
  BtMethodKind kind;
  BtMethodSettings set;
  BtMaid maid;
  BtIsgd isgd;
  BtHoag hoag;
  BtSearch search;
};

extern const BtMethodOps bt_method_maid, bt_method_isgd, bt_method_hoag, bt_method_search;

/* What a problem adds to the settings. */
typedef struct {
  const double *lo, *hi; /* [p] domain of θ, borrowed for the life of the method; NULL: none */
  uint64_t seed;         /* of random and Bayesian search                                    */
} BtMethodProblem;

/* Fills in ops and settings; kind is not BT_METHOD_AUTO. ISGD's eps0 and delta0 are still in the units of its
 * options. */
void bt_method_choose(const BtMethodSettings *settings, BtMethodKind kind, const BtMethodProblem *problem,
                      BtMethod *method);

#endif
