/* The rows in single and double precision for each instruction set, chosen when asked for. */
#include "regularizers/foe_rows_internal.h"

#include <math.h>

#include "core/simd.h"

#ifdef BT_SIMD_CHOICE
#include <immintrin.h>
#endif

#define BYTES 16
#define REAL float
#define SINGLE 1
#define ROWS(name) name##_single
#include "regularizers/foe_rows_template_internal.h"
#undef REAL
#undef SINGLE
#undef ROWS
#define REAL double
#define SINGLE 0
#define ROWS(name) name##_double
#include "regularizers/foe_rows_template_internal.h"
#undef REAL
#undef SINGLE
#undef ROWS
#undef BYTES

#ifdef BT_SIMD_CHOICE
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define BYTES 32
#define REAL float
#define SINGLE 1
#define ROWS(name) name##_single_v3
#define ESTIMATE(s) _mm256_rsqrt_ps((__m256)(s))
#define STEPS 2
#include "regularizers/foe_rows_template_internal.h"
#undef REAL
#undef SINGLE
#undef ROWS
#undef ESTIMATE
#undef STEPS
#define REAL double
#define SINGLE 0
#define ROWS(name) name##_double_v3
#include "regularizers/foe_rows_template_internal.h"
#undef REAL
#undef SINGLE
#undef ROWS
#undef BYTES
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define BYTES 64
#define REAL float
#define SINGLE 1
#define ROWS(name) name##_single_v4
#define ESTIMATE(s) _mm512_rsqrt14_ps((__m512)(s))
#define STEPS 1
#include "regularizers/foe_rows_template_internal.h"
#undef REAL
#undef SINGLE
#undef ROWS
#undef ESTIMATE
#undef STEPS
#define REAL double
#define SINGLE 0
#define ROWS(name) name##_double_v4
#define ESTIMATE(s) _mm512_rsqrt14_pd((__m512d)(s))
#define STEPS 3
#include "regularizers/foe_rows_template_internal.h"
#pragma GCC pop_options
#endif

const BtFoeRows *bt_foe_rows(int single) {
#ifdef BT_SIMD_CHOICE
  if (__builtin_cpu_supports("x86-64-v4")) return single ? &table_single_v4 : &table_double_v4;
  if (__builtin_cpu_supports("x86-64-v3")) return single ? &table_single_v3 : &table_double_v3;
#endif
  return single ? &table_single : &table_double;
}
