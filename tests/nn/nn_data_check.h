/* tests/nn/nn_data_check.h: what the tests of data sets share. */
#ifndef BITUNE_TESTS_NN_DATA_CHECK_H
#define BITUNE_TESTS_NN_DATA_CHECK_H

#include "nn/data.h"

extern BtContext nn_data_ctx;

NnDataOptions nn_data_defaults(NnDataKind kind);
/* NULL and a failed check after an error, or if the set cannot be stopped. */
NnData *nn_data_opened(const NnDataOptions *o);
/* Checks that opening ends without data if a stop is asked for: `stop`, NULL: from the start. */
void nn_data_stopped(const NnDataOptions *o, const BtStop *stop);
/* Checks that opening fails with a status and a text that contains `words`. */
void nn_data_refused(const NnDataOptions *o, BtStatus wanted, const char *words);
/* All rows of a split, in its own order: x and label, malloc'ed; how many there are. */
size_t nn_data_rows(const NnData *data, NnSplit split, NnReal **x, NnReal **label);

/* As bt_test_path, valid to the end of the program: for options. */
const char *nn_data_path(const char *name);
/* A file in the folder of the test. */
void nn_write_file(const char *name, const void *bytes, size_t size);

#define NN_IDX_SIDE 4
#define NN_IDX_PLANE (NN_IDX_SIDE * NN_IDX_SIDE)
/* Two idx files. Image i is filled with 3·i mod 256 but for its first two bytes, i; its label is i mod 10. */
void nn_write_idx(const char *folder, const char *part, size_t rows);

#endif
