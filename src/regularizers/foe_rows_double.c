#define REAL double
#define ROWS(name) bt_foe_rows_double_##name
#define logarithm log

#include <math.h>

static inline double inverse_root(double s) { return 1 / sqrt(s); }

#include "regularizers/foe_rows_template_internal.h"
