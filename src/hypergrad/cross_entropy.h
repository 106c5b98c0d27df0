/* hypergrad/cross_entropy.h: the mean cross-entropy of rows that were not trained on, as an upper loss.
 *
 *   g(w) = (1/m) Σ_i [ log Σ_k e^{w_k·v_i} − w_{y_i}·v_i ],   convex, ≥ 0, L_g = ½‖VᵀV‖/m
 *
 * for models of lowerlevel/logistic.h. U = g + ‖∇g‖ε + ½L_gε², Lo = max(0, g − ‖∇g‖ε). */
#ifndef BITUNE_HYPERGRAD_CROSS_ENTROPY_H
#define BITUNE_HYPERGRAD_CROSS_ENTROPY_H

#include "core/context.h"
#include "hypergrad/upper_loss.h"
#include "lowerlevel/logistic.h"

typedef struct BtCrossEntropy BtCrossEntropy;

/* spec gives rows, features, classes, x, label and index; the rows are copied. Errors: those of bt_logistic_create(). */
BtStatus bt_cross_entropy_create(BtContext *ctx, const BtLogisticSpec *spec, BtCrossEntropy **loss);
void bt_cross_entropy_destroy(BtCrossEntropy *loss);

/* Valid while `loss` lives. */
BtUpperLoss bt_cross_entropy_loss(const BtCrossEntropy *loss);

#endif
