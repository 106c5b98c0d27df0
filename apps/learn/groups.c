#include "learn/groups.h"

#include <math.h>
#include <string.h>

size_t bt_parameter_groups(const BtRegularizer *reg, BtGroup groups[BT_MAX_GROUPS]) {
  size_t count = 0;
  for (size_t j = 0; j < reg->parameters; j++) {
    const char *name = reg->ops->parameter_name(reg, j);
    const int same = count > 0 && strcmp(groups[count - 1].name, name) == 0;
    if (!same && count < BT_MAX_GROUPS) groups[count++] = (BtGroup){name, j, 0};
    groups[count - 1].count++;
  }
  return count;
}

BtGroupFigures bt_group_figures(const BtGroup *group, const double *theta) {
  BtGroupFigures f = {0, (double)INFINITY, -(double)INFINITY};
  for (size_t j = group->first; j < group->first + group->count; j++) {
    f.mean += theta[j] / (double)group->count;
    f.least = fmin(f.least, theta[j]);
    f.largest = fmax(f.largest, theta[j]);
  }
  return f;
}
