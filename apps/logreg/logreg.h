/* apps/logreg/logreg.h: what the files of `bitune logreg` share. */
#ifndef BITUNE_APPS_LOGREG_H
#define BITUNE_APPS_LOGREG_H

#include "core/dataset.h"
#include "learn/keeping.h"
#include "learn/method.h"
#include "lowerlevel/logistic.h"
#include "lowerlevel/solve.h"
#include "program/app.h"

#define BT_LOWER_LOSS_CHOICES "sum|mean"
#define BT_LABEL_CHOICES "last|first|none"

/* The options. */
typedef struct {
  const char *data, *test, *output, *resize;
  int format, label, ridge, mean, method, standardise;
  double start, floor, valid_share, test_share;
  int64_t train, seed;
  BtMethodSettings methods;
  BtLowerSettings lower;
  BtKeepingSettings keeping;
} BtLogreg;

/* How rows were divided; what `eval` needs to find the same rows again. */
typedef struct {
  int64_t seed;
  size_t rows;              /* of the data that were divided                                   */
  size_t train, valid, test; /* test: 0 where the test rows are data of their own               */
  double fingerprint;
} BtLogregSplit;

/* A model: everything that prediction needs. */
typedef struct {
  size_t features, classes;
  int64_t *labels;               /* [classes] ascending, as in the data                           */
  size_t height, width;          /* of images, 0 for other data                                   */
  size_t from_height, from_width; /* before they were resized                                     */
  double *mean, *deviation;      /* [features] of standardisation; NULL: none                     */
  BtRidge ridge;
  int mean_loss;                 /* the lower-level loss is a mean over rows, not their sum       */
  double floor;                  /* of the ridge weights, for the mean loss                       */
  size_t parameters;
  double *theta;                 /* [parameters] logarithms of the ridge weights                  */
  double *weights;               /* [classes][features]                                           */
  BtLogregSplit split;
} BtLogregModel;

/* logreg_model.c. The file is JSON, replaced atomically; `training` (borrowed, may be NULL) is kept beside the model.
 * Loading checks every field. Errors: BT_ERR_IO, BT_ERR_FORMAT naming file and field. */
BtStatus bt_logreg_model_save(BtContext *ctx, const char *path, const BtLogregModel *model, json_t *training);
BtStatus bt_logreg_model_load(BtContext *ctx, const char *path, BtLogregModel *model, json_t **training);
void bt_logreg_model_clear(BtLogregModel *model);

/* logreg_data.c. */
typedef struct {
  BtDataset rows, test;   /* test has no rows where it is part of `rows`                          */
  size_t *order;          /* [rows.rows]: training rows first, then validation, then test         */
  int32_t *index, *test_index; /* classes of the rows                                            */
} BtLogregData;

/* --data and --test, divided and standardised; fills the model's fields about them. */
BtStatus bt_logreg_data_load(BtContext *ctx, const BtLogreg *set, BtLogregModel *model, BtLogregData *data);
/* Data to predict or evaluate, brought to the form that the model was learned on. part: of an idx folder. */
BtStatus bt_logreg_data_read(BtContext *ctx, const BtLogreg *set, const char *path, const char *part,
                             const BtLogregModel *model, BtDataset *rows, double *fingerprint);
void bt_logreg_data_clear(BtLogregData *data);
/* The part of a path to predict: "t10k" where it is an idx folder that has it, else "train". */
const char *bt_logreg_part(const char *path);

/* logreg_predict.c. probabilities[count][classes] (may be NULL) of rows order[count] (NULL: the first `count`); index
 * (may be NULL): classes of all rows, for the loss and accuracy. */
typedef struct {
  double loss, accuracy; /* mean cross-entropy; share of rows whose class is the most probable */
} BtLogregScore;
BtStatus bt_logreg_score(BtContext *ctx, const BtLogregModel *model, const BtDataset *rows, const size_t *order,
                         size_t count, const int32_t *index, double *probabilities, BtLogregScore *score);

/* The method, "auto" resolved. */
BtMethodKind bt_logreg_method(const BtLogreg *set);

/* What the words after `bitune logreg` do. */
BtStatus bt_logreg_learn(BtApp *app, BtLogreg *set);
BtStatus bt_logreg_predict(BtApp *app, const BtLogreg *set);
BtStatus bt_logreg_eval(BtApp *app, const BtLogreg *set);

#endif
