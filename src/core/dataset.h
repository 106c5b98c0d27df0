/* core/dataset.h: labelled rows of numbers for classification, from idx images, CSV and LIBSVM text.
 *
 * Text files and idx files may be gzipped. Every fault of a text file is BT_ERR_FORMAT with file and line. Where a stop
 * is asked for in the middle of a text, its readers return BT_STOPPED and an empty set. */
#ifndef BITUNE_CORE_DATASET_H
#define BITUNE_CORE_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "core/context.h"

#define BT_MOST_CLASSES 1000

typedef struct {
  size_t rows, features;
  double *x;            /* [rows][features], owned                                          */
  int64_t *label;       /* [rows] as written in the file, owned; NULL: the file has none    */
  size_t *line;         /* [rows] where in a text file it stands, owned; NULL: no text file */
  size_t height, width; /* of images, features = height × width; 0 for other data           */
} BtDataset;

void bt_dataset_clear(BtDataset *set);

typedef enum { BT_LABEL_LAST, BT_LABEL_FIRST, BT_LABEL_NONE } BtLabelPlace;

/* Dense CSV, one row a line, all of the same length; blank lines and those that begin with '#' are skipped. Numbers are
 * separated by commas, or by semicolons or tabs if the first line has no comma, and may stand in quotes; in a file with
 * none of all these they are separated by blanks. The label is the last column, the first, or missing. A first line
 * without any number is a header. Labels are integers. */
BtStatus bt_dataset_read_csv(BtContext *ctx, const char *path, BtLabelPlace place, BtDataset *set);

/* LIBSVM text: "LABEL INDEX:VALUE INDEX:VALUE …" a line, indices from 1, ascending; what is missing is 0; '#' starts a
 * comment. features: number of features, larger indices being errors; 0: the largest index in the file. */
BtStatus bt_dataset_read_libsvm(BtContext *ctx, const char *path, size_t features, BtDataset *set);

/* One part of a folder of MNIST's kind (core/idx.h), pixels scaled from 0 … 255 to [0, 1]. */
BtStatus bt_dataset_read_idx(BtContext *ctx, const char *folder, const char *part, BtDataset *set);

typedef enum { BT_DATA_AUTO, BT_DATA_IDX, BT_DATA_CSV, BT_DATA_LIBSVM } BtDataFormat;
#define BT_DATA_CHOICES "auto|idx|csv|libsvm"

typedef struct {
  BtDataFormat format; /* AUTO: a folder is idx; text whose first line has "INDEX:VALUE" is LIBSVM, else CSV */
  BtLabelPlace place;  /* of CSV                                                                     */
  size_t features;     /* that the rows must have, 0: any                                            */
  const char *part;    /* of idx                                                                     */
} BtDataSpec;

/* Any of the three; BT_ERR_FORMAT where `features` does not fit. `format` (may be NULL) ← what it was. */
BtStatus bt_dataset_read(BtContext *ctx, const char *path, const BtDataSpec *spec, BtDataset *set,
                         BtDataFormat *format);

/* Images resized to height × width by area averaging: a pixel is the mean of what it covers. BT_ERR_ARG for data that
 * are no images and for enlargements. */
BtStatus bt_dataset_resize(BtContext *ctx, size_t height, size_t width, BtDataset *set);

/* The distinct labels in ascending order, *values (owned by the caller, free()). BT_ERR_FORMAT naming `path` where
 * there are fewer than two or more than BT_MOST_CLASSES. */
BtStatus bt_dataset_classes(BtContext *ctx, const char *path, const BtDataset *set, int64_t **values, size_t *count);

/* index[rows] ← the place of each row's label in values[count]; BT_ERR_FORMAT naming a label that is not there. */
BtStatus bt_dataset_index(BtContext *ctx, const char *path, const BtDataset *set, const int64_t *values, size_t count,
                          int32_t *index);

/* order[n] ← a random permutation of 0 … n−1 that depends on the seed alone. */
void bt_shuffle(uint64_t seed, size_t n, size_t *order);

/* A number that another data set is unlikely to have: of sizes, entries and labels. */
double bt_dataset_fingerprint(const BtDataset *set);

#endif
