/* tests/nn/nn_check.h: derivatives of a graph against differences of its values.
 *
 * A case builds a graph; its leaves are found by the check and filled at random according to their names:
 * "label:N" and "token:N" with whole numbers below N, "rate…" with rates of dropout, "spread" with numbers
 * far from each other and from zero, others with normal numbers. Directions are taken in each leaf alone and
 * in all together. */
#ifndef BITUNE_TESTS_NN_CHECK_H
#define BITUNE_TESTS_NN_CHECK_H

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

/* The device that the tests run on: "cpu", or the program's first argument. */
void nn_test_device(const char *device);
/* NULL and a failed check where it cannot be opened. */
NnBackend *nn_test_backend(int threads);

/* Random values for all leaves, the same for the same seed. */
void nn_fill_leaves(NnGraph *g, uint64_t seed);

/* Tangents by differences and Taylor slope, adjoints by the dot test; linearised runs: adjoints by
 * differences. */
void nn_check_case(const NnCase *c);

/* Elements of a node with its rows in use. */
size_t nn_elements(const NnGraph *g, NnId node, size_t batch);

#endif
