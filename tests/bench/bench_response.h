/* bench_response.h: a network in training, and the first and second derivatives of its training loss. */
#ifndef BITUNE_BENCH_RESPONSE_H
#define BITUNE_BENCH_RESPONSE_H

#include "nn/loader.h"
#include "nn/train.h"

enum { MOST_HYPER = 32, MOST_NODES = 256 };

typedef struct {
  const char *task;
  NnTunerKind kind;
  uint64_t seed;
  int64_t epochs, frozen;
  int masks, repeats, cg, draws;
  double h;                 /* step in λ of differences */
  double adam, rate, scale; /* rates of Adam: with W and b, on the frozen network; σ of all, 0: the task's */
  double values[MOST_HYPER];
} Options;

typedef struct {
  BtContext ctx;
  NnBackend *backend;
  NnTask *task;
  NnData *data;
  NnLoader *train, *valid;
  NnModel *model;
  NnTuner *tuner;
  size_t rows[NN_SPLITS], n, weights; /* examples; hyperparameters; elements of all W and b */
  NnId node[MOST_NODES];              /* W and b */
  int nodes;
} Net;

/* Ends the program after an error. */
void must(BtStatus st, const BtContext *ctx);
/* Zeroed numbers. */
void *room(size_t count);
double dot(size_t n, const double *a, const double *b);

/* The network of o->task with hyperparameters in their ranges, NULL: the task's. */
void open_net(Net *t, const Options *o, NnTunerKind kind, const double *values);
/* Gives it another tuner; adam: of the response, else the task's optimizer. */
void open_tuner(Net *t, const Options *o, NnTunerKind kind, int adam);
void close_net(Net *t);
/* Epochs first … last − 1 of training steps. */
void train(Net *t, int64_t first, int64_t last, double rate, double response_rate);

/* One pass over a loader's examples, `rows` in all: the mean loss. With gather: a backward run from `scalar`
 * for each batch, behind which gather adds its share, `weight`, to sum. */
typedef void Gather(Net *t, double weight, double *sum);
double pass(Net *t, NnLoader *l, size_t rows, NnRun run, NnId scalar, int groups, Gather *gather,
            double *sum);
Gather gather_lambda, gather_weights;
double valid_loss(Net *t, NnTunerKind kind);

/* All training examples in order: the passes of M and G. */
NnLoader *ordered(Net *t);
/* M [n][weights] = ∂∇_w L_T/∂λ by central differences with the same draws on both sides. */
void mixed_derivative(Net *t, const Options *o, double *M);
/* Gv = mean over examples and masks of Jᵀ H J v. */
void gauss_newton(Net *t, const Options *o, NnLoader *l, const double *v, double *Gv);
/* (G + d I) x = b by conjugate gradients from x; the number of products. */
int solve(Net *t, const Options *o, NnLoader *l, double d, const double *b, double *x);

#endif
