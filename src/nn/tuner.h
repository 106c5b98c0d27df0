/* nn/tuner.h: how hyperparameters are tuned while the weights are trained.
 *
 * none   weights alone; hyperparameters stay (or follow a schedule).
 * stn    self-tuning network (MacKay et al. 2019, arXiv:1903.03088): W, U, V, C, b, u descend L_T(λ', w(λ')).
 * cstn   centred: the response is fed δ = λ' − λ0; W, b descend L_T at λ0, then U, u, V, C the full network
 * at λ'. dstn   Δ-STN (Bae, Grosse 2020, arXiv:2010.13514): as cstn, but U, u, V, C descend the loss of y0 +
 * J δ.
 *
 * The validation step of all three descends L_V(w(λ')) − τ H in λ and s, with no dropout or augmentation;
 * with fixed scales λ alone, at λ' = λ. The derivative flows through the response alone. Responses of stn
 * start as noise; those of cstn and dstn as zero (V = C = 0), which the centred input makes harmless: w(λ0) =
 * (W, b) whatever U and u are. */
#ifndef BITUNE_NN_TUNER_H
#define BITUNE_NN_TUNER_H

#include "nn/model.h"
#include "nn/optimizer.h"

typedef enum { NN_TUNER_NONE, NN_TUNER_STN, NN_TUNER_CSTN, NN_TUNER_DSTN } NnTunerKind;
#define NN_TUNER_CHOICES "none|stn|cstn|dstn"

/* What a kind asks of the model. */
typedef struct {
  int responds, centred;
  double deviation;          /* of V, C at the start                                                  */
  NnResponseMode evaluation; /* how the network is evaluated at λ: full for stn, off (w0) for others  */
} NnTunerTraits;
NnTunerTraits nn_tuner_traits(NnTunerKind kind);

typedef struct {
  NnTunerKind kind;
  int fixed_scales; /* s stays as declared: no perturbation in the validation step, τ unused          */
  uint64_t seed;    /* of masks and perturbations                                                     */
  NnOptimizerOptions weights, response, hyper;
} NnTunerOptions;

typedef struct NnTuner NnTuner;

/* The model, made with the kind's traits, is borrowed. */
BtStatus nn_tuner_create(BtContext *ctx, const NnTunerOptions *options, NnModel *model, NnTuner **tuner);
/* NULL is allowed. Before its model. */
void nn_tuner_destroy(NnTuner *tuner);

/* One training step on the `rows` examples (and states) that are set in the model. after: where, in memory of
 * the backend, the states that follow from the run that trains W and b go (nn_model_get_state), or NULL.
 * Nothing waits for the backend: losses are kept there, with what was not finite, until nn_tuner_losses reads
 * and checks them. On a backend that records (nn/recorder.h) all kernels of the step are started as one.
 * BT_ERR_ARG where nn_tuner_full. */
BtStatus nn_tuner_train(BtContext *ctx, NnTuner *tuner, size_t rows, double rate, double response_rate,
                        NnReal *after);
/* One validation step; not for NN_TUNER_NONE. */
BtStatus nn_tuner_validate(BtContext *ctx, NnTuner *tuner, size_t rows, double rate, NnReal *after);

/* So many steps' losses can be kept. */
#define NN_TUNER_STEPS 32
/* Whether there is no room for those of another one. */
int nn_tuner_full(const NnTuner *tuner);

/* Of the steps since the last reading. */
typedef struct {
  double training[NN_TUNER_STEPS]; /* L_T without penalties, of the run that trains W and b, step by step */
  size_t steps;                    /* of them                                                              */
  /* L_V at the perturbed hyperparameters, of the last validation step; NAN: there was none. */
  double validation;
} NnTunerLosses;

/* Waits and reads. BT_ERR_NUMERIC if a loss, or a norm that gradients are clipped by, was not finite: the
 * text names the first tensor of that run that was not, `steps` is the number of whole training steps before
 * it, and the weights are useless. */
BtStatus nn_tuner_losses(BtContext *ctx, NnTuner *tuner, NnTunerLosses *losses);

/* Steps that were replayed as one. */
int64_t nn_tuner_replays(const NnTuner *tuner);

/* The optimizer of W and b, for those who take its steps themselves. */
NnOptimizer *nn_tuner_weights(NnTuner *tuner);

/* Optimizers' states and the counter of draws, with names that begin with "tuner.". */
BtStatus nn_tuner_declare(BtContext *ctx, const NnTuner *tuner, BtTensorWriter *writer);
BtStatus nn_tuner_append(BtContext *ctx, const NnTuner *tuner, BtTensorWriter *writer);
BtStatus nn_tuner_load(BtContext *ctx, NnTuner *tuner, BtTensorReader *reader);

#endif
