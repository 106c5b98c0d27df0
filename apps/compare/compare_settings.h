/* apps/compare/compare_settings.h: the runs of a comparison by settings, as networks are judged: by means over seeds. */
#ifndef BITUNE_APPS_COMPARE_SETTINGS_H
#define BITUNE_APPS_COMPARE_SETTINGS_H

#include "compare/compare.h"

/* Lists the settings, finds the best and everyone's distance to its mean. Once, when all runs have their figures. */
BtStatus bt_compare_settings(BtContext *ctx, BtCompare *all);
/* A method's setting with the least mean loss; NULL if none of its runs has a loss. */
const BtCompareSetting *bt_compare_best_of(const BtCompare *all, size_t method);
/* Whether any run has this figure of its kind. */
int bt_compare_has_figure(const BtCompare *all, size_t figure);

#endif
