/* tests/nn/nn_check.h: derivatives of a graph against differences of its values.
 *
 * A case builds a graph; its leaves are found by the check and filled at random according to their names:
 * "label:N" and "token:N" with whole numbers below N, "rate…" with rates of dropout, "spread" with numbers
 * far from each other and from zero, others with normal numbers. Directions are taken in each leaf alone and
 * in all together. */
#ifndef BITUNE_TESTS_NN_CHECK_H
#define BITUNE_TESTS_NN_CHECK_H

#include "harness.h"
#include "nn/graph.h"
#include "nn/ops.h"

typedef struct {
  const char *name;
  NnId (*build)(NnGraph *g); /* the output; a scalar or any other node */
  NnResponseMode response;
  int training, perturbed;
  size_t batch; /* rows in use of max_batch = batch + 1 */
} NnCase;

#ifdef NN_DOUBLE
#define NN_TOLERANCE(single, full) (full)
#define NN_STEP 1e-5
#else
#define NN_TOLERANCE(single, full) (single)
#define NN_STEP 2e-2
#endif

/* Runs the tests on the device that the program's first argument names, "cpu" if there is none; SKIPPED where
 * it is not built in or not there. */
int nn_test_main(int argc, char **argv, const char *suite, const BtTest *tests, size_t count);
/* NULL and a failed check where it cannot be opened. */
NnBackend *nn_test_backend(int threads);
/* The device's name. */
const char *nn_test_device(void);

/* A copy of x in the backend's memory, NULL for NULL. */
void *nn_put_bytes(NnBackend *b, const void *x, size_t bytes);
/* The same of x [n]; nn_take brings it back and releases it. */
NnReal *nn_put(NnBackend *b, const NnReal *x, size_t n);
/* n elements of NaN. */
NnReal *nn_memory(NnBackend *b, size_t n);
void nn_take(NnBackend *b, NnReal *device, NnReal *x, size_t n);
/* Releases what was only read. */
void nn_drop(NnBackend *b, void *device);

/* Random values for all leaves, the same for the same seed. */
void nn_fill_leaves(NnGraph *g, uint64_t seed);

/* Tangents by differences and Taylor slope, adjoints by the dot test; linearised runs: adjoints by
 * differences. */
void nn_check_case(const NnCase *c);

/* The same graph on the CPU and on the device: values, tangents and adjoints of the output and of every leaf.
 */
void nn_check_parity(const NnCase *c);

/* Elements of a node with its rows in use. */
size_t nn_elements(const NnGraph *g, NnId node, size_t batch);

#endif
