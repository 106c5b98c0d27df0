/* regularizers/filter_bank_internal.h: the ways to sweep, for the choice among them and for the tests. */
#ifndef BITUNE_REGULARIZERS_FILTER_BANK_INTERNAL_H
#define BITUNE_REGULARIZERS_FILTER_BANK_INTERNAL_H

#include "regularizers/filter_bank.h"

typedef enum {
  BT_BANK_GENERIC, /* any processor                     */
  BT_BANK_V3,      /* x86-64-v3: AVX2, FMA              */
  BT_BANK_V4,      /* x86-64-v4: AVX-512                */
  BT_BANK_FOURIER, /* single only                       */
  BT_BANK_METHODS
} BtBankMethod;

/* Whether this build on this processor has the method in single or in double precision. */
int bt_bank_can(BtBankMethod method, int single);

/* The method that bt_bank_sweep() takes. */
BtBankMethod bt_bank_choice(const BtBankSweep *sweep, BtShape shape);

/* bt_bank_sweep() by a method that it has. BT_ERR_MEMORY comes before act() is called. */
BtStatus bt_bank_sweep_by(BtBankMethod method, const BtBankSweep *sweep, BtShape shape);

/* The sweep by Fourier transforms of side × side tiles. */
BtStatus bt_bank_sweep_fourier(const BtBankSweep *sweep, BtShape shape, size_t side);

/* Σ n² log₂ n over the tiles, for each pixel; the best `side`, 0 if it takes too much memory. */
double bt_bank_fourier_work(const BtBankSweep *sweep, BtShape shape, size_t *side);

#define BT_BANK_ALIGNMENT 64
/* Entries after a row of responses that kernels and act() may write. */
#define BT_BANK_SPARE 16

/* The n + s − 1 pixels that the extension of a line of n pixels shows: period 2n. */
void bt_bank_reflect(size_t n, size_t s, size_t *at);

/* The next `count` items of an allocation, aligned; NULL if base is. */
void *bt_bank_take(char *base, size_t *used, size_t count, size_t size);

#endif
