/* regularizers/simd.h: the same as core/simd.h. */
#ifndef BITUNE_REGULARIZERS_SIMD_H
#define BITUNE_REGULARIZERS_SIMD_H

#include "core/simd.h"

#endif
