/* Damaged data files: reading ends with an error that names a file, or with data that are whole. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "harness.h"
#include "nn_data_check.h"

enum { MUTATIONS = 250, MOST_BYTES = 1 << 20 };

typedef struct {
  uint64_t stream, next;
} Dice;

static size_t roll(Dice *dice, size_t count) {
  const size_t k = (size_t)(bt_rng_uniform(11, dice->stream, dice->next++) * (double)count);
  return k < count ? k : count - 1;
}

/* Bits, bytes at which numbers go wrong, and cuts; returns the new size. */
static size_t damage(Dice *dice, char *bytes, size_t size) {
  static const unsigned char odd[] = {0, 1, 7, 8, 9, 10, ' ', '\n', '-', '.', 'e', ',', '0', 127, 128, 255};
  for (size_t i = 1 + roll(dice, 4); i > 0 && size > 1; i--) {
    const size_t at = roll(dice, 3) ? roll(dice, size) : roll(dice, size < 20 ? size : 20);
    switch (roll(dice, 6)) {
      case 0: bytes[at] ^= (char)(1 << roll(dice, 8)); break;
      case 1: size = 1 + roll(dice, size); break;
      case 2: memset(bytes + at, (int)odd[roll(dice, sizeof odd)], size - at < 9 ? size - at : 9); break;
      default: bytes[at] = (char)odd[roll(dice, sizeof odd)];
    }
  }
  return size;
}

/* All rows are numbers, and labels are classes. */
static void check_whole(const NnData *data, const char *name) {
  const NnDataInfo *info = nn_data_info(data);
  if (info->text) {
    for (size_t i = 0; i < info->classes; i++) BT_CHECK(nn_data_word(data, i) != NULL);
    return;
  }
  for (int s = 0; s < NN_SPLITS; s++) {
    NnReal *x, *label;
    const size_t rows = nn_data_rows(data, (NnSplit)s, &x, &label);
    int right = 1;
    for (size_t i = 0; i < rows * nn_shape_size(info->x); i++) right &= isfinite((double)x[i]) != 0;
    for (size_t i = 0; i < rows; i++)
      right &=
          info->classes ? label[i] >= 0 && (size_t)label[i] < info->classes : isfinite((double)label[i]) != 0;
    BT_CHECK_ROW(right, "%s was read, but its rows are not whole", name);
    free(x);
    free(label);
  }
}

static void damaged(const NnDataOptions *o, const char *file, uint64_t stream) {
  Dice dice = {stream, 0};
  char *good, *bytes;
  size_t size;
  int refused = 0;
  BT_CHECK_STATUS(bt_file_read(&nn_data_ctx, bt_test_path(file), MOST_BYTES, &good, &size), BT_OK,
                  &nn_data_ctx);
  bytes = malloc(size);
  if (!bytes) abort();
  for (int i = 0; i < MUTATIONS; i++) {
    NnData *data;
    memcpy(bytes, good, size);
    nn_write_file(file, bytes, damage(&dice, bytes, size));
    bt_context_init(&nn_data_ctx);
    const BtStatus st = nn_data_open(&nn_data_ctx, o, &data);
    if (st >= 0) {
      check_whole(data, file);
    } else {
      BT_CHECK_ROW(strstr(nn_data_ctx.error, bt_test_folder()) != NULL || st == BT_ERR_ARG,
                   "%s: \"%s\" names no file", file, nn_data_ctx.error);
      BT_CHECK(data == NULL);
      refused++;
    }
    nn_data_close(data);
  }
  BT_CHECK_ROW(refused > 0, "%s: no damage was noticed", file);
  nn_write_file(file, good, size);
  free(good);
  free(bytes);
}

static NnDataOptions folder(NnDataKind kind, const char *name) {
  NnDataOptions o = nn_data_defaults(kind);
  BT_CHECK_STATUS(bt_make_folder(&nn_data_ctx, bt_test_path(name)), BT_OK, &nn_data_ctx);
  o.path = nn_data_path(name);
  return o;
}

static void write_text(const char *name, const char *text) { nn_write_file(name, text, strlen(text)); }

static void idx_files(void) {
  const NnDataOptions o = folder(NN_DATA_MNIST, "idx");
  nn_write_idx("idx", "train", 40);
  nn_write_idx("idx", "t10k", 10);
  damaged(&o, "idx/train-images-idx3-ubyte", 1);
  damaged(&o, "idx/train-labels-idx1-ubyte", 2);
  damaged(&o, "idx/t10k-images-idx3-ubyte", 3);
}

static void cifar_files(void) {
  const NnDataOptions o = folder(NN_DATA_CIFAR10, "cifar");
  char *bytes = calloc(6, 3073);
  if (!bytes) abort();
  nn_write_file("cifar/data_batch_1.bin", bytes, (size_t)6 * 3073);
  nn_write_file("cifar/test_batch.bin", bytes, (size_t)2 * 3073);
  free(bytes);
  damaged(&o, "cifar/data_batch_1.bin", 4);
  damaged(&o, "cifar/test_batch.bin", 5);
}

static void texts(void) {
  const NnDataOptions o = folder(NN_DATA_TEXT, "text");
  write_text("text/train.txt", "one two three\nfour two one\nfive three\n");
  write_text("text/valid.txt", "one three\nfive\n");
  write_text("text/test.txt", "two two\n");
  damaged(&o, "text/train.txt", 6);
  damaged(&o, "text/valid.txt", 7);
}

static void tables(void) {
  NnDataOptions o = folder(NN_DATA_TABLE, "uci");
  o.fold = 0;
  write_text("uci/data.txt", "1 2.5 3\n4 5 6\n7 8 9\n1e1 11 12\n-13 14 15\n");
  write_text("uci/index_features.txt", "0\n1\n");
  write_text("uci/index_target.txt", "2\n");
  write_text("uci/index_train_0.txt", "0\n1\n4\n");
  write_text("uci/index_test_0.txt", "2\n3\n");
  damaged(&o, "uci/data.txt", 8);
  damaged(&o, "uci/index_features.txt", 9);
  damaged(&o, "uci/index_target.txt", 10);
  damaged(&o, "uci/index_train_0.txt", 11);
  o = folder(NN_DATA_CLASSES, "rows");
  write_text("rows/train.csv", "1,2,0\n3,4,1\n5,6,2\n7,8,0\n");
  o.path = nn_data_path("rows/train.csv");
  damaged(&o, "rows/train.csv", 12);
}

static const BtTest tests[] = {
    {"idx files", idx_files}, {"CIFAR-10 files", cifar_files}, {"texts", texts}, {"tables", tables}};

int main(void) { return bt_test_main("damaged data files", tests, sizeof tests / sizeof *tests); }
