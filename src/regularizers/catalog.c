#include "regularizers/catalog.h"

#include <string.h>

#include "regularizers/tv.h"

typedef struct {
  const char *name, *variant;
  int number;
  BtRegularizer (*make)(int number);
} Entry;

static BtRegularizer make_tv(int number) { return bt_tv((BtTvVariant)number); }

static const Entry entries[] = {
    {"tv", "isotropic", BT_TV_ISOTROPIC, make_tv},
    {"tv", "anisotropic", BT_TV_ANISOTROPIC, make_tv},
};
static const size_t entry_count = sizeof entries / sizeof *entries;

BtStatus bt_regularizer_find(BtContext *ctx, const char *name, const char *variant,
                             BtRegularizer *regularizer) {
  for (size_t i = 0; i < entry_count; i++) {
    const Entry *e = &entries[i];
    if (strcmp(e->name, name) != 0) continue;
    if (variant && *variant && strcmp(e->variant, variant) != 0) continue;
    *regularizer = e->make(e->number);
    return BT_OK;
  }
  return bt_fail(ctx, BT_ERR_ARG,
                 "no regularizer \"%.40s\" of variant \"%.40s\"; there are tv isotropic and tv anisotropic",
                 name, variant ? variant : "");
}

const char *bt_regularizer_variant_name(const BtRegularizer *regularizer) {
  for (size_t i = 0; i < entry_count; i++)
    if (strcmp(entries[i].name, regularizer->ops->name) == 0 && entries[i].number == regularizer->variant)
      return entries[i].variant;
  return "";
}
