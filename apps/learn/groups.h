/* apps/learn/groups.h: parameters in groups of one name, for logs and reports that must not list thousands of them. */
#ifndef BITUNE_APPS_GROUPS_H
#define BITUNE_APPS_GROUPS_H

#include <stddef.h>

#include "regularizers/regularizer.h"

#define BT_MAX_GROUPS 8

/* Parameters first … first + count − 1. */
typedef struct {
  const char *name; /* static storage */
  size_t first, count;
} BtGroup;

/* Lists a regularizer's groups, the last one taking in all the rest; returns their number. */
size_t bt_parameter_groups(const BtRegularizer *regularizer, BtGroup groups[BT_MAX_GROUPS]);

typedef struct {
  double mean, least, largest;
} BtGroupFigures;

BtGroupFigures bt_group_figures(const BtGroup *group, const double *theta);

#endif
