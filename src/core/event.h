/* core/event.h: typed events that a run tells its observers.
 *
 * The progress bar, the table on the terminal, the CSV log and the JSON record are observers; the library itself
 * writes none of them. An observer returns non-zero to ask the run to stop. */
#ifndef BITUNE_CORE_EVENT_H
#define BITUNE_CORE_EVENT_H

#include <stdint.h>

#include "core/work.h"

typedef enum {
  BT_EVENT_WARNING,  /* text: something the user should know                                 */
  BT_EVENT_PROGRESS, /* done of total units                                                  */
  BT_EVENT_OUTER,    /* one outer iteration of a bilevel method has ended                    */
  BT_EVENT_TRAINING  /* a network's training has come a step further                         */
} BtEventType;

typedef struct {
  const char *unit; /* "images", "outer iterations"; static storage                         */
  double done;
  double total; /* 0 if unknown                                                              */
} BtProgressEvent;

typedef struct {
  int64_t iteration;    /* 0 is the start                                                    */
  double value;         /* f at the inexact lower-level solutions                            */
  double lower, upper;  /* bounds of the true f                                              */
  double eps, delta;    /* accuracies in force                                               */
  double step;          /* accepted step size, 0 if none                                     */
  double gradient_norm; /* ‖z‖ of the last hypergradient: of this iterate, or of the one before where it comes
                           with the next direction                                           */
  double gradient_bound;    /* ω, bound of ‖z − ∇f‖                                          */
  double gradient_estimate; /* estimate of ‖z − ∇f‖, NAN if none                             */
  int accepted;         /* 1 if the step was accepted                                        */
  int trials;           /* steps tried                                                       */
  const double *theta;  /* [parameters], borrowed for the call                               */
  int64_t parameters;
  int stochastic;       /* 1: value is that of a sample drawn for this step alone             */
  double value_mean;    /* stochastic: moving average of value                                */
  int64_t planned;      /* iterations of the whole run, 0 if unknown                          */
  BtWork work;          /* cumulative                                                        */
  double seconds;       /* wall time since the run began, earlier parts of a resumed run included */
} BtOuterEvent;

typedef enum {
  BT_TRAINED_STEP,  /* one training step                                                     */
  BT_TRAINED_TUNED, /* hyperparameters have moved                                            */
  BT_TRAINED_EPOCH  /* an epoch has ended and the network was evaluated                      */
} BtTrainingMoment;

typedef struct {
  BtTrainingMoment moment;
  int64_t epoch, epochs; /* whole epochs done, and planned                                    */
  int64_t step, steps;   /* training steps done, and planned                                  */
  double rate;           /* step size of the weights                                          */
  double train_loss;     /* mean over the epoch so far                                        */
  double tuning_loss;    /* TUNED: validation loss of this step's batch; else NAN             */
  double valid_loss, valid_accuracy; /* EPOCH; NAN where there is none                        */
  double test_loss, test_accuracy;
  int best;              /* EPOCH: the least validation loss so far                           */
  const double *hyper;   /* [hyper_count] hyperparameters, discrete ones before they are floored; borrowed for */
  int64_t hyper_count;   /* the call; NULL in STEP                                                        */
  const double *scales;  /* [hyper_count] deviations of their perturbations; NULL in STEP and where a tuner does
                            not perturb                                                              */
  int64_t work;          /* gradients of single examples (words of text) computed so far, see nn/train.h    */
  double seconds;        /* wall time since the run began, earlier parts of a resumed run included        */
} BtTrainingEvent;

typedef struct {
  BtEventType type;
  union {
    const char *warning;
    BtProgressEvent progress;
    BtOuterEvent outer;
    BtTrainingEvent training;
  } as;
} BtEvent;

typedef int BtObserverFn(void *user, const BtEvent *event);

typedef struct {
  BtObserverFn *fn;
  void *user;
} BtObserver;

#endif
