/* hypergrad/bilevel_internal.h: what the files of BtBilevel share. */
#ifndef BITUNE_HYPERGRAD_BILEVEL_INTERNAL_H
#define BITUNE_HYPERGRAD_BILEVEL_INTERNAL_H

#include "hypergrad/adjoint.h"
#include "hypergrad/bilevel.h"

/* Solutions of all own images at one θ. */
typedef struct {
  int used;
  double *theta;        /* [parameters]                                          */
  BtLowerPoint *points; /* [count], arrays of own images only                    */
  BtCertificate *certificates; /* [count]; bound is infinite where unsolved      */
  BtInterval *along;    /* [count], of ∇g(x̃)ᵀ(x̂ − x̃) by the adjoint; infinite where it is not known for this x̃ */
} BtSlot;

struct BtBilevel {
  const BtProblem *problem;
  const BtUpperLoss *loss;
  BtTeam *team;
  BtDomainTest *domain;
  const void *domain_data;
  BtLower *lower;
  BtAdjoint *adjoint;
  BtSlot slots[2];
  int accepted;        /* index of the accepted iterate's slot                   */
  double **adjoints;   /* [count][dimension], q of own images, the last ones     */
  size_t largest;      /* largest dimension                                      */
  size_t largest_dual;
  double *scratch;     /* 7 vectors of the largest dimension, cross-norm work, [parameters] */
  double *rows;        /* for the team's sum: a row of figures for each image, work, z_i and estimate_i of each image */
  BtDraw *draw;        /* NULL: f is the mean over fixed images                  */
  void *draw_data;
  int64_t hypergradients;
  int64_t residuals;   /* gradients that bounds and estimates took               */
  int64_t uncounted;   /* work that verified a checkpoint                        */
  BtWork earlier;      /* of the parts of the run before this process, team total */
  BtWork total;        /* team total at the last collective call                 */
};

/* Own problems are done: where the problem shares its sums over the team, owners release the others. Collective. */
BtStatus bt_bilevel_join(BtBilevel *bilevel, BtContext *ctx);

/* What each image contributes besides its hypergradient. */
enum { BT_ROW_VALUE, BT_ROW_LOWER, BT_ROW_UPPER, BT_ROW_EPS, BT_ROW_PROOF, BT_ROW_RESIDUAL, BT_ROW_BOUND,
       BT_ROW_ADJOINT, BT_ROW_LENGTH };
#define BT_WORK_FIELDS 3

/* Relative residual of the systems behind an estimate: the share of the error that may be left after correction. */
#define BT_ESTIMATE_RESIDUAL 0.1

#endif
