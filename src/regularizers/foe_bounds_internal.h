/* regularizers/foe_bounds_internal.h: proven constants and local bounds of fields of experts; private to foe.c. */
#ifndef BITUNE_REGULARIZERS_FOE_BOUNDS_INTERNAL_H
#define BITUNE_REGULARIZERS_FOE_BOUNDS_INTERNAL_H

#include "regularizers/regularizer.h"

/* Entries of BtRegularizerOps. */
void bt_foe_constants(const BtRegularizer *reg, BtShape shape, const double *theta, BtRegularizerConstants *k);

#endif
