/* nn/data/data_internal.h: how a kind of data is written: open() reads a set into a store of its own and
 * fills in info; example() delivers one row. */
#ifndef BITUNE_NN_DATA_INTERNAL_H
#define BITUNE_NN_DATA_INTERNAL_H

#include "nn/data.h"
#include "nn/data/vocabulary_internal.h"

/* Which row of a batch. */
typedef struct {
  NnSplit split;
  size_t row;           /* of the split; of text: the stream                */
  size_t index, batch;  /* window and streams of text                       */
  uint64_t seed, epoch; /* of what is drawn anew for each delivery          */
} NnExample;

typedef struct {
  /* BT_OK, BT_STOPPED (loops over rows look at the stop) or an error. */
  BtStatus (*open)(BtContext *ctx, const NnDataOptions *options, NnData *data);
  /* Any thread, any time. x, label: one row. */
  void (*example)(const NnData *data, const NnExample *e, NnReal *x, NnReal *label);
  void (*close)(NnData *data); /* frees the store, which may be NULL or half made */
} NnDataOps;

struct NnData {
  const NnDataOps *ops;
  NnDataInfo info;
  double *mean, *deviation; /* [info.channels], what info points to */
  void *store;
};

extern const NnDataOps nn_data_mnist, nn_data_cifar10, nn_data_text, nn_data_images, nn_data_table,
    nn_data_classes, nn_data_digits, nn_data_textures, nn_data_tokens, nn_data_linear;

/* data.c */

/* A split of `count` rows, cut to its limit. */
size_t nn_data_limited(const NnDataOptions *options, int split, size_t count);
/* How many rows of `trained` are held out for validation; they may be too many. */
size_t nn_data_held(const NnDataOptions *options, size_t trained);
/* Rows of the splits: of `trained` rows (valid_share of them held out, as options->held_out says) and of
 * `tested` rows that follow them, cut to the limits. row[split] (owned by the caller) and rows[split]. */
BtStatus nn_data_split(BtContext *ctx, const NnDataOptions *options, size_t trained, size_t tested,
                       size_t *row[NN_SPLITS], size_t rows[NN_SPLITS]);
/* BT_ERR_MEMORY if that many bytes are more than the machine has: some systems promise them, and end the
 * process when they are used. */
BtStatus nn_data_fits(BtContext *ctx, const char *what, double bytes);
/* Room for mean and deviation; sets info.channels. */
BtStatus nn_data_channels(BtContext *ctx, size_t channels, NnData *data);

/* What is generated draws one number after the other from a stream of its own for each row. */
typedef struct {
  uint64_t seed, stream, next;
} NnDice;
/* kind: of the set (and purpose), so that no two share streams. */
static inline NnDice nn_dice(int64_t seed, unsigned kind, size_t row) {
  return (NnDice){(uint64_t)seed, (uint64_t)(kind + 1) << 40 | row, 0};
}
double nn_dice_uniform(NnDice *dice, double low, double high);
double nn_dice_normal(NnDice *dice);
/* 0 … n − 1 */
size_t nn_dice_below(NnDice *dice, size_t n);
/* 255·x, rounded, in range. */
uint8_t nn_byte(double x);

/* data_bytes.c: labelled images of bytes. */
typedef struct {
  size_t size, plane; /* entries of an image, of a channel                                   */
  uint8_t *pixel;     /* [rows × size], training rows, then test rows                        */
  uint8_t *label;     /* [rows]                                                              */
  size_t *row[NN_SPLITS];
  NnReal *scale, *shift; /* [channels]: x = scale·byte + shift                                 */
} NnBytes;

/* Room for `rows` images in data->store; *bytes points to it. `what` names the set in errors. */
BtStatus nn_bytes_create(BtContext *ctx, const char *what, size_t rows, NnShape shape, NnData *data,
                         NnBytes **bytes);
/* When pixel and label are filled in: splits and statistics. */
BtStatus nn_bytes_finish(BtContext *ctx, const NnDataOptions *options, size_t trained, size_t tested,
                         size_t classes, NnData *data);
void nn_bytes_example(const NnData *data, const NnExample *e, NnReal *x, NnReal *label);
void nn_bytes_close(NnData *data);

/* data_rows.c: rows of numbers with a number or a class. */
typedef struct {
  size_t features;
  double *x, *label; /* [rows × features], [rows]; owned */
  size_t *row[NN_SPLITS];
  NnReal *scale, *shift; /* [features + 1]: of the features and the label */
} NnNumbers;

BtStatus nn_numbers_create(BtContext *ctx, const char *what, size_t rows, size_t features, NnData *data,
                           NnNumbers **numbers);
/* row and info.rows are there already where numbers->row[NN_TRAIN] is not NULL. classes: 0 for numbers. */
BtStatus nn_numbers_finish(BtContext *ctx, const NnDataOptions *options, size_t trained, size_t tested,
                           size_t classes, NnData *data);
void nn_numbers_example(const NnData *data, const NnExample *e, NnReal *x, NnReal *label);
void nn_numbers_close(NnData *data);

/* data_tokens.c: streams of tokens. */
typedef struct {
  int32_t *token[NN_SPLITS]; /* owned */
  size_t count[NN_SPLITS];
  NnVocabulary vocabulary;
} NnTokens;

BtStatus nn_tokens_create(BtContext *ctx, const NnDataOptions *options, NnData *data, NnTokens **tokens);
/* Of generated tokens: how many are held out for validation. */
size_t nn_tokens_held(const NnDataOptions *options);
/* When all tokens are there. */
void nn_tokens_finish(const NnDataOptions *options, NnData *data);
void nn_tokens_example(const NnData *data, const NnExample *e, NnReal *x, NnReal *label);
void nn_tokens_close(NnData *data);

#endif
