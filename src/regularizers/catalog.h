/* regularizers/catalog.h: regularizers by name, as options and model files call them. */
#ifndef BITUNE_REGULARIZERS_CATALOG_H
#define BITUNE_REGULARIZERS_CATALOG_H

#include "core/context.h"
#include "regularizers/regularizer.h"

/* Names for an option's choices: "tv|…". */
#define BT_REGULARIZER_CHOICES "tv"
/* Variants of all regularizers: "isotropic|anisotropic|…". */
#define BT_VARIANT_CHOICES "isotropic|anisotropic"

/* The regularizer of that name and variant; an empty or NULL variant is the first. BT_ERR_ARG names what exists. */
BtStatus bt_regularizer_find(BtContext *ctx, const char *name, const char *variant, BtRegularizer *regularizer);

/* Name of a regularizer's variant, static storage. */
const char *bt_regularizer_variant_name(const BtRegularizer *regularizer);

#endif
