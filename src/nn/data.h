/* nn/data.h: data sets that networks learn from, in three splits.
 *
 * A set is read (or generated) as a whole when it is opened and does not change afterwards, so any number of
 * threads may read it. Images are kept as bytes and become numbers when a batch is formed (nn/loader.h). What
 * is random (the split, a generated set) follows from options.seed alone. */
#ifndef BITUNE_NN_DATA_H
#define BITUNE_NN_DATA_H

#include <stdint.h>

#include "core/option.h"
#include "nn/graph.h"

typedef enum { NN_TRAIN, NN_VALID, NN_TEST, NN_SPLITS } NnSplit;
/* "train", "valid" or "test", static storage. */
const char *nn_split_name(NnSplit split);

/* kind       path                                          x                     label          */
typedef enum {
  NN_DATA_MNIST,    /* folder of idx files, MNIST's or Fashion-MNIST's  [1 × h × w]          [1] of 10      */
  NN_DATA_CIFAR10,  /* folder of data_batch_1 … 5.bin, test_batch.bin   [3 × 32 × 32]        [1] of 10      */
  NN_DATA_TEXT,     /* folder of train.txt, valid.txt, test.txt         [T] tokens           [T] next ones  */
  NN_DATA_IMAGES,   /* none: options.images; clean and noisy patches    [channels × p × p]   same           */
  NN_DATA_TABLE,    /* folder with data.txt as the UCI sets have been
                       prepared, or CSV with the target last            [features]           [1] number     */
  NN_DATA_CLASSES,  /* CSV (label last) or LIBSVM text                  [features]           [1] of classes */
  NN_DATA_DIGITS,   /* generated: distorted, noisy digits               [1 × size × size]    [1] of 10      */
  NN_DATA_TEXTURES, /* generated: coloured textures                     [3 × size × size]    [1] of 8       */
  NN_DATA_TOKENS,   /* generated: nested brackets among words           [T] tokens           [T] next ones  */
  NN_DATA_LINEAR    /* generated: y = ⟨a, x⟩ + noise, a known           [size]               [1] number     */
} NnDataKind;
#define NN_DATA_CHOICES "mnist|cifar10|text|images|table|classes|digits|textures|tokens|linear"

/* What the numbers of a batch are. Augmentation (nn/augment.h) acts on NN_UNIT; a network that wants
 * standardised images after it applies nn_channel_affine() with the info's mean and deviation. */
typedef enum {
  NN_UNIT,    /* bytes / 255: [0, 1]; tables as in the file                                            */
  NN_STANDARD /* (x − mean) / deviation of the training split, by channel or feature; the target of a
                 table too                                                                             */
} NnNormalise;
#define NN_NORMALISE_CHOICES "unit|standard"

/* An image in planes, values usually in [0, 1]. */
typedef struct {
  size_t channels, height, width;
  const float *pixels; /* [channels × height × width] */
} NnPicture;

typedef struct {
  int kind; /* NnDataKind */
  const char *path;
  const char *test_path;    /* test rows of NN_DATA_TABLE (CSV) and NN_DATA_CLASSES, or NULL             */
  int64_t seed;             /* of the split and of generated sets                                        */
  double valid_share;       /* of the training rows held out; not for texts, which have files of their own */
  int64_t train_limit, valid_limit, test_limit; /* rows (tokens) used at most, 0: all                    */
  int normalise;            /* NnNormalise                                                               */
  int64_t length;           /* T: tokens of one row of text                                              */
  int64_t fold;             /* of a UCI set: its split number, −1: hold out by seed                      */
  int64_t count, test_count; /* rows (tokens) of generated sets, training and validation together        */
  int64_t size;             /* side of generated images, features of NN_DATA_LINEAR; 0: its usual one    */
  double noise;             /* deviation of noise: of NN_DATA_IMAGES in the pixels' unit, of generated
                               images in [0, 1], of the target of NN_DATA_LINEAR; NAN: the usual         */
  int64_t patch, patches;   /* NN_DATA_IMAGES: side; number from each image an epoch                     */

  /* NN_DATA_IMAGES alone; not in the table. Copied. Validation images are held out of `images`. */
  const NnPicture *images, *test_images;
  size_t image_count, test_image_count;
} NnDataOptions;

/* Defaults, domains and help of all fields but the images. */
extern const BtOption nn_data_options[];

typedef struct {
  NnShape x, label;        /* of one example                                                                */
  size_t classes;          /* labels and tokens are 0 … classes − 1; 0: labels are numbers                  */
  size_t rows[NN_SPLITS];  /* examples; tokens of a text; 0: the set has no such split                      */
  int text;                /* a batch is one window of `batch` parallel streams (nn/loader.h)               */
  size_t channels;         /* of images; features of tables; 0 for text                                     */
  const double *mean, *deviation; /* [channels] of the training split, as delivered by NN_UNIT; owned by the
                                     data                                                                   */
  double label_mean, label_deviation; /* what the label was divided by: 0 and 1 unless standardised         */
} NnDataInfo;

typedef struct NnData NnData;

/* options: fields that its kind does not use are ignored. A set without a test file has an empty test split,
 * and a warning tells so (bt_warn). Errors: BT_ERR_ARG (options), BT_ERR_IO naming the file that is missing,
 * BT_ERR_FORMAT naming file, record and cause, BT_ERR_MEMORY. */
BtStatus nn_data_open(BtContext *ctx, const NnDataOptions *options, NnData **data);
/* NULL is allowed. Loaders on it must be destroyed before. */
void nn_data_close(NnData *data);

const NnDataInfo *nn_data_info(const NnData *data);
/* Text of a token; NULL where the data are no text or have no such token. */
const char *nn_data_word(const NnData *data, size_t token);

/* Coefficient j of NN_DATA_LINEAR, and how many of `features` are not zero: the first half. */
double nn_linear_coefficient(int64_t seed, size_t features, size_t j);

#endif
