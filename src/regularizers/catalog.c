#include "regularizers/catalog.h"

#include <string.h>

#include "regularizers/foe.h"
#include "regularizers/tv.h"

typedef struct {
  const char *name, *variant;
  int number;
  BtRegularizer (*make)(int number, const BtRegularizerSpec *spec);
} Entry;

static BtRegularizer make_tv(int number, const BtRegularizerSpec *spec) {
  (void)spec;
  return bt_tv((BtTvVariant)number);
}

static BtRegularizer make_foe(int number, const BtRegularizerSpec *spec) {
  return bt_foe((BtFoePotential)number, spec->filters ? spec->filters : BT_FOE_FILTERS,
                spec->size ? spec->size : BT_FOE_SIZE);
}

static const Entry entries[] = {
    {"tv", "isotropic", BT_TV_ISOTROPIC, make_tv},
    {"tv", "anisotropic", BT_TV_ANISOTROPIC, make_tv},
    {"foe", "convex", BT_FOE_CONVEX, make_foe},
    {"foe", "log", BT_FOE_LOG, make_foe},
    {"foe", "weak", BT_FOE_WEAK, make_foe},
};
static const size_t entry_count = sizeof entries / sizeof *entries;

static int is_default(const char *variant) { return !variant || !*variant || strcmp(variant, "default") == 0; }

BtStatus bt_regularizer_find(BtContext *ctx, const BtRegularizerSpec *spec, BtRegularizer *regularizer) {
  for (size_t i = 0; i < entry_count; i++) {
    const Entry *e = &entries[i];
    if (strcmp(e->name, spec->name) != 0) continue;
    if (!is_default(spec->variant) && strcmp(e->variant, spec->variant) != 0) continue;
    if (e->make == make_foe && (spec->filters > BT_FOE_MOST_FILTERS || spec->size > BT_FOE_LARGEST || spec->size == 1))
      return bt_fail(ctx, BT_ERR_ARG, "fields of experts have 1 to %d filters of 2 to %d pixels a side, got %zu of %zu",
                     BT_FOE_MOST_FILTERS, BT_FOE_LARGEST, spec->filters, spec->size);
    *regularizer = e->make(e->number, spec);
    return BT_OK;
  }
  return bt_fail(ctx, BT_ERR_ARG,
                 "no regularizer \"%.40s\" of variant \"%.40s\"; there are tv isotropic, tv anisotropic, foe convex, "
                 "foe log and foe weak",
                 spec->name, spec->variant ? spec->variant : "");
}

const char *bt_regularizer_variant_name(const BtRegularizer *regularizer) {
  for (size_t i = 0; i < entry_count; i++)
    if (strcmp(entries[i].name, regularizer->ops->name) == 0 && entries[i].number == regularizer->variant)
      return entries[i].variant;
  return "";
}
