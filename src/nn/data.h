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

/* kind      path                                            x of an example      label
 * MNIST     folder of idx files, MNIST's or Fashion-MNIST's [1 × h × w]          [1] of 10 classes
 * CIFAR10   folder of data_batch_1 … 5.bin, test_batch.bin  [3 × 32 × 32]        [1] of 10 classes
 * TEXT      folder of train.txt, valid.txt, test.txt        [T] words            [T] the next words
 * IMAGES    none: options.images                            [c × p × p] noisy    [c × p × p] clean
 * TABLE     folder of a UCI set (data.txt, index_*.txt), or
 *           CSV with the target last                        [features]           [1] number
 * CLASSES   CSV with the label last, or LIBSVM text         [features]           [1] of the classes
 * generated:
 * DIGITS    distorted, noisy digits                         [1 × size × size]    [1] of 10 classes
 * TEXTURES  coloured textures                               [3 × size × size]    [1] of 8 classes
 * TOKENS    brackets nested among words                     [T] words            [T] the next words
 * LINEAR    y = ⟨a, x⟩ + noise with a known a               [size]               [1] number           */
typedef enum {
  NN_DATA_MNIST,
  NN_DATA_CIFAR10,
  NN_DATA_TEXT,
  NN_DATA_IMAGES,
  NN_DATA_TABLE,
  NN_DATA_CLASSES,
  NN_DATA_DIGITS,
  NN_DATA_TEXTURES,
  NN_DATA_TOKENS,
  NN_DATA_LINEAR
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

/* Which training rows are held out for validation. */
typedef enum {
  NN_HELD_DRAWN, /* drawn by the seed                                                            */
  NN_HELD_LAST   /* the last ones of the file (of a UCI set's list of training rows), which makes figures
                  * comparable with published ones                                              */
} NnHeldOut;
#define NN_HELD_OUT_CHOICES "drawn|last"

/* An image in planes, values usually in [0, 1]. */
typedef struct {
  size_t channels, height, width;
  const float *pixels; /* [channels × height × width] */
  const char *name;    /* in errors; NULL: none, borrowed for nn_data_open */
} NnPicture;

typedef struct {
  int kind; /* NnDataKind */
  const char *path;
  const char *test_path; /* test rows of CSV and LIBSVM data, or NULL                       */
  int64_t seed;          /* of the split and of generated sets                              */
  double valid_share;    /* of the training rows held out; texts have files of their own    */
  int held_out;          /* NnHeldOut: which; texts ignore it                               */
  int64_t train_limit, valid_limit, test_limit; /* rows (tokens) used at most, 0: all       */
  int normalise;                                /* NnNormalise                              */
  int64_t length;            /* T: words of one row of text                                 */
  int64_t fold;              /* of a UCI set: its split number, −1: all rows are trained on  */
  int64_t count, test_count; /* rows (tokens) generated; validation is held out of count    */
  int64_t size;              /* side of generated images, features of LINEAR; 0: the usual  */
  double noise;              /* deviation: of the pixels in IMAGES, DIGITS, TEXTURES; of the
                              * target in LINEAR; NAN: the usual                            */
  int64_t patch, patches;    /* IMAGES: side; number from each image in an epoch            */

  /* IMAGES alone; not in the table. Copied. Validation images are held out of `images`. */
  const NnPicture *images, *test_images;
  size_t image_count, test_image_count;
} NnDataOptions;

/* Defaults, domains and help of all fields but the images. */
extern const BtOption nn_data_options[];

typedef struct {
  NnShape x, label;               /* of one example                                                     */
  size_t classes;                 /* labels and words are 0 … classes − 1; 0: labels are numbers        */
  size_t rows[NN_SPLITS];         /* examples; words of a text; 0: the set has no such split            */
  int text;                       /* a batch is a window of `batch` parallel streams (nn/loader.h)      */
  size_t channels;                /* of images; features of tables; 0 for text                          */
  const double *mean, *deviation; /* [channels] of the training split as NN_UNIT delivers it;
                                   * owned by the data                                      */
  double label_mean, label_deviation; /* label delivered = (label − mean) / deviation: 0 and 1
                                       * unless a table is standardised                         */
} NnDataInfo;

typedef struct NnData NnData;

/* What the options of a generated set tell without generating it: rows and text of info; of text also x and
 * label. 0 for sets that must be opened to know. */
int nn_data_foresee(const NnDataOptions *options, NnDataInfo *info);

/* options: fields that its kind does not use are ignored. A set without a test file has an empty test split,
 * and a warning tells so (bt_warn). BT_STOPPED, with *data NULL, if a stop is asked for meanwhile. Errors:
 * BT_ERR_ARG (options), BT_ERR_IO naming the file that is missing, BT_ERR_FORMAT naming file, record and
 * cause, BT_ERR_MEMORY. */
BtStatus nn_data_open(BtContext *ctx, const NnDataOptions *options, NnData **data);
/* NULL is allowed. Loaders on it must be destroyed before. */
void nn_data_close(NnData *data);

const NnDataInfo *nn_data_info(const NnData *data);
/* Text of a token; NULL where the data are no text or have no such token. */
const char *nn_data_word(const NnData *data, size_t token);

/* Coefficient j of NN_DATA_LINEAR, and how many of `features` are not zero: the first half. */
double nn_linear_coefficient(int64_t seed, size_t features, size_t j);

#endif
