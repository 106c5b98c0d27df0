/* regularizers/catalog.h: regularizers by name, as options and model files call them. */
#ifndef BITUNE_REGULARIZERS_CATALOG_H
#define BITUNE_REGULARIZERS_CATALOG_H

#include "core/context.h"
#include "regularizers/regularizer.h"

/* Names for an option's choices: "tv|…". */
#define BT_REGULARIZER_CHOICES "tv|foe"
/* Variants of all regularizers; "default" is the family's first. */
#define BT_VARIANT_CHOICES "default|isotropic|anisotropic|convex|log|weak"

/* What names one regularizer. */
typedef struct {
  const char *name;     /* "tv", "foe"                                                    */
  const char *variant;  /* NULL, "" or "default": the family's first                       */
  size_t filters, size; /* fields of experts; 0: 48 filters of 7 × 7                       */
} BtRegularizerSpec;

/* The regularizer of that specification. BT_ERR_ARG names what exists. */
BtStatus bt_regularizer_find(BtContext *ctx, const BtRegularizerSpec *spec, BtRegularizer *regularizer);

/* Name of a regularizer's variant, static storage. */
const char *bt_regularizer_variant_name(const BtRegularizer *regularizer);

#endif
