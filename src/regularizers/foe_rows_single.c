/* Compiled with relaxed floating point (see CMakeLists.txt), so that 1/√s becomes the processor's estimate and a Newton
 * step, and log a vector function. */
#define REAL float
#define ROWS(name) bt_foe_rows_single_##name
#define logarithm logf

#include <math.h>

static inline float inverse_root(float s) { return 1 / sqrtf(s); }

#include "regularizers/foe_rows_template_internal.h"
