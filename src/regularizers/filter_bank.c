/* The sweep in single and double precision for each instruction set, chosen when it is called. */
#include "regularizers/filter_bank.h"

#include <stdlib.h>
#include <string.h>

#include "regularizers/filter_bank_internal.h"
#include "core/simd.h"

/* A batch is as many rows as fit into so many bytes for each filter: enough for the vectors' remainder not to
 * count, few enough for the responses of some 50 filters to stay in the second-level cache. */
#define BATCH_BYTES 4096
/* What a kernel takes of a wide row at a time. */
#define STRETCH_BYTES 4096
/* Terms that a tap sum's lane adds up in single precision before it goes to double: 256 unit roundoffs at
 * most. */
#define MOST_TERMS 256

/* Has a value loaded once into a register where the compiler would read memory at each use. */
#if defined(__GNUC__) && defined(__x86_64__)
#define KEEP(vector) __asm__("" : "+v"(vector))
#else
#define KEEP(vector) (void)(vector)
#endif

typedef struct {
  size_t filters, padded, size; /* K; K rounded up to the forward kernel's block; s     */
  size_t before;                /* a = (s − 1)/2                                         */
  size_t columns, pitch;        /* of the image, of its extension                        */
  size_t rows, stride, lead;    /* of a batch: image rows, entries from filter to filter, zeros before it */
  size_t parts;                 /* groups of filter rows that the adjoint takes at a time */
  size_t *reflected_row, *reflected_column; /* pixel that the extension shows at an index */
  size_t *offset;                           /* of a tap in the extended plane                     */
} BankPlan;

static size_t bank_part_rows(const BankPlan *plan, size_t part) {
  return plan->size / plan->parts + (part < plan->size % plan->parts);
}

/* How many of `left` to take at a time, `most` at most, so that a single one is not left over. */
static size_t bank_split(size_t left, size_t most) {
  return left == most + 1 ? (left + 1) / 2 : left < most ? left : most;
}

void bt_bank_reflect(size_t n, size_t s, size_t *at) {
  const size_t before = (s - 1) / 2, period = 2 * n;
  for (size_t c = 0; c < n + s - 1; c++) {
    const size_t shifted = (c + period * before - before) % period;
    at[c] = shifted < n ? shifted : period - 1 - shifted;
  }
}

void *bt_bank_take(char *base, size_t *used, size_t count, size_t size) {
  const size_t from = *used;
  *used += (count * size + BT_BANK_ALIGNMENT - 1) / BT_BANK_ALIGNMENT * BT_BANK_ALIGNMENT;
  return base ? base + from : NULL;
}

/* 16 registers of 16 bytes, whatever the processor. */
#define BYTES 16
#define FILTERS 6
#define WIDE 2
#define MOST_ROWS 6
#define MOST_GROUP 4
#define GROUP(rows) ((rows) < 4 ? 4 : (rows) < 5 ? 3 : 2)
#define REAL float
#define BANK(name) name##_single
#include "regularizers/filter_bank_template_internal.h"
#undef REAL
#undef BANK
#define REAL double
#define BANK(name) name##_double
#include "regularizers/filter_bank_template_internal.h"
#undef REAL
#undef BANK

#ifdef BT_SIMD_CHOICE
#undef BYTES
#define BYTES 32
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define REAL float
#define BANK(name) name##_single_v3
#include "regularizers/filter_bank_template_internal.h"
#undef REAL
#undef BANK
#define REAL double
#define BANK(name) name##_double_v3
#include "regularizers/filter_bank_template_internal.h"
#undef REAL
#undef BANK
#pragma GCC pop_options

#undef BYTES
#undef FILTERS
#undef WIDE
#undef MOST_ROWS
#undef MOST_GROUP
#undef GROUP
#define BYTES 64
#define FILTERS 8
#define WIDE 3
#define MOST_ROWS 9
#define MOST_GROUP 5
#define GROUP(rows) ((rows) < 6 ? 5 : (rows) < 7 ? 4 : 3)
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define REAL float
#define BANK(name) name##_single_v4
#include "regularizers/filter_bank_template_internal.h"
#undef REAL
#undef BANK
#define REAL double
#define BANK(name) name##_double_v4
#include "regularizers/filter_bank_template_internal.h"
#pragma GCC pop_options
#endif

int bt_bank_can(BtBankMethod method, int single) {
  switch (method) {
#ifdef BT_SIMD_CHOICE
    case BT_BANK_V4: return __builtin_cpu_supports("x86-64-v4") != 0;
    case BT_BANK_V3: return __builtin_cpu_supports("x86-64-v3") != 0;
#endif
    case BT_BANK_GENERIC: return 1;
    case BT_BANK_FOURIER: return single;
    default: return 0;
  }
}

/* Direct sums take time with s², transforms with n² log₂ n of their tiles: in the former's unit, so much.
 * Measured on one Sapphire Rapids core with FFTW 3.3.10; the generic one follows from its rate. Then
 * transforms win from filters of about 25 × 25 with AVX-512 and 17 × 17 with AVX2. Not in double:
 * certificates count on the rounding errors of direct sums. */
static const double fourier_cost[] = {[BT_BANK_GENERIC] = 8, [BT_BANK_V3] = 18, [BT_BANK_V4] = 30};

static BtBankMethod direct_method(void) {
  return bt_bank_can(BT_BANK_V4, 0) ? BT_BANK_V4 : bt_bank_can(BT_BANK_V3, 0) ? BT_BANK_V3 : BT_BANK_GENERIC;
}

BtBankMethod bt_bank_choice(const BtBankSweep *sweep, BtShape shape) {
  const BtBankMethod direct = direct_method();
  const double size = (double)sweep->bank[0]->size;
  size_t side;
  if (!sweep->single) return direct;
  const double work = bt_bank_fourier_work(sweep, shape, &side);
  return side > 0 && fourier_cost[direct] * work < size * size ? BT_BANK_FOURIER : direct;
}

BtStatus bt_bank_sweep_by(BtBankMethod method, const BtBankSweep *sweep, BtShape shape) {
  size_t side;
  switch (method) {
#ifdef BT_SIMD_CHOICE
    case BT_BANK_V4: return sweep->single ? sweep_single_v4(sweep, shape) : sweep_double_v4(sweep, shape);
    case BT_BANK_V3: return sweep->single ? sweep_single_v3(sweep, shape) : sweep_double_v3(sweep, shape);
#endif
    case BT_BANK_FOURIER:
      (void)bt_bank_fourier_work(sweep, shape, &side);
      return side > 0 ? bt_bank_sweep_fourier(sweep, shape, side) : BT_ERR_MEMORY;
    default: return sweep->single ? sweep_single(sweep, shape) : sweep_double(sweep, shape);
  }
}

BtStatus bt_bank_sweep(const BtBankSweep *sweep, BtShape shape) {
  const BtBankMethod method = bt_bank_choice(sweep, shape);
  const BtStatus st = bt_bank_sweep_by(method, sweep, shape);
  if (st != BT_ERR_MEMORY || method != BT_BANK_FOURIER) return st;
  return bt_bank_sweep_by(direct_method(), sweep, shape);
}
