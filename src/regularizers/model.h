/* regularizers/model.h: a learned regularizer as a JSON file.
 *
 *   { "format": "bitune-model", "version": 1, "problem": "denoising", "sigma": 25,
 *     "regularizer": { "name": "tv", "variant": "isotropic", "parameters": ["log_weight", "log_smoothing"],
 *                      "theta": [-2.5, -5.0] },
 *     "training": { … how it was learned, for people … } }
 *
 * Fields of experts add "filters": K and "size": s. A name of n parameters in a row is written once,
 * "filter*2352". Models of more than 16 parameters are written to 10 significant digits, smaller ones
 * exactly. */
#ifndef BITUNE_REGULARIZERS_MODEL_H
#define BITUNE_REGULARIZERS_MODEL_H

#include <jansson.h>

#include "core/context.h"
#include "regularizers/regularizer.h"

typedef struct {
  BtRegularizer regularizer;
  double *theta; /* [regularizer.parameters], owned, inside the regularizer's domain        */
  double sigma;  /* noise level it was learned for, standard deviation on the 0–255 scale   */
} BtModel;

/* Errors: BT_ERR_IO; BT_ERR_FORMAT naming the file and the field that is missing, of the wrong kind or out of
 * range. */
BtStatus bt_model_load(BtContext *ctx, const char *path, BtModel *model);
void bt_model_clear(BtModel *model);

/* Writes atomically; `training` (borrowed, may be NULL) is the record of how the model was learned. */
BtStatus bt_model_save(BtContext *ctx, const char *path, const BtModel *model, json_t *training);

#endif
