/* Data sets read from files that the tests write. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "harness.h"
#include "nn/loader.h"
#include "nn_data_check.h"

/* Which image a row is, told by its first two bytes; every byte and the label are compared too. */
static size_t identify(const NnReal *x, NnReal label) {
  const size_t i = (size_t)lround(255 * (double)x[0]) << 8 | (size_t)lround(255 * (double)x[1]);
  int right = (size_t)label == i % 10;
  for (size_t k = 2; k < NN_IDX_PLANE; k++) right &= lround(255 * (double)x[k]) == (long)(3 * i % 256);
  BT_CHECK_ROW(right, "image %zu is not as written", i);
  return i;
}

static void idx_files(void) {
  enum { TRAIN = 300, TEST = 20 };
  NnDataOptions o = nn_data_defaults(NN_DATA_MNIST);
  int seen[TRAIN] = {0};
  nn_write_idx("idx", "train", TRAIN);
  nn_write_idx("idx", "t10k", TEST);
  o.path = nn_data_path("idx");
  o.valid_share = 0.15;
  NnData *data = nn_data_opened(&o);
  BT_NEED(data);
  const NnDataInfo *info = nn_data_info(data);
  BT_CHECK(info->rows[NN_TRAIN] == 255 && info->rows[NN_VALID] == 45 && info->rows[NN_TEST] == TEST);
  BT_CHECK(info->x.dims == 3 && info->x.dim[0] == 1 && info->x.dim[1] == NN_IDX_SIDE && info->classes == 10);
  for (int s = 0; s < NN_SPLITS; s++) {
    NnReal *x, *label;
    const size_t rows = nn_data_rows(data, (NnSplit)s, &x, &label);
    for (size_t i = 0; i < rows; i++) {
      const size_t k = identify(x + i * NN_IDX_PLANE, label[i]);
      if (s == NN_TEST)
        BT_CHECK(k == i);
      else if (k < TRAIN)
        seen[k]++;
    }
    free(x);
    free(label);
  }
  for (int i = 0; i < TRAIN; i++) BT_CHECK_ROW(seen[i] == 1, "image %d is in %d splits", i, seen[i]);
  nn_data_close(data);
}

/* The last images of the training file, whatever the seed, as published splits have it. */
static void last_held_out(void) {
  enum { TRAIN = 300, HELD = 45 };
  NnDataOptions o = nn_data_defaults(NN_DATA_MNIST);
  nn_write_idx("last", "train", TRAIN);
  nn_write_idx("last", "t10k", 20);
  o.path = nn_data_path("last");
  o.valid_share = 0.15;
  o.held_out = NN_HELD_LAST;
  for (o.seed = 1; o.seed < 3; o.seed++) {
    NnData *data = nn_data_opened(&o);
    BT_NEED(data);
    for (int s = 0; s < NN_TEST; s++) {
      NnReal *x, *label;
      const size_t rows = nn_data_rows(data, (NnSplit)s, &x, &label);
      BT_CHECK(rows == (s == NN_TRAIN ? TRAIN - HELD : HELD));
      for (size_t i = 0; i < rows; i++)
        BT_CHECK(identify(x + i * NN_IDX_PLANE, label[i]) == (s == NN_TRAIN ? i : TRAIN - HELD + i));
      free(x);
      free(label);
    }
    nn_data_close(data);
  }
  o.held_out = 2;
  nn_data_refused(&o, BT_ERR_ARG, "hold out");
}

static void idx_refused(void) {
  NnDataOptions o = nn_data_defaults(NN_DATA_MNIST);
  nn_data_refused(&o, BT_ERR_ARG, "folder");
  o.path = nn_data_path("nowhere");
  nn_data_refused(&o, BT_ERR_IO, "train-images-idx3-ubyte");
  nn_write_idx("bad", "train", 30);
  char *bytes;
  size_t size;
  BT_CHECK_STATUS(
      bt_file_read(&nn_data_ctx, bt_test_path("bad/train-labels-idx1-ubyte"), 1000, &bytes, &size), BT_OK,
      &nn_data_ctx);
  bytes[8 + 17] = 10;
  nn_write_file("bad/train-labels-idx1-ubyte", bytes, size);
  o.path = nn_data_path("bad");
  nn_data_refused(&o, BT_ERR_FORMAT, "label 17 of part \"train\" is 10");
  nn_write_file("bad/train-labels-idx1-ubyte", bytes, size - 1);
  nn_data_refused(&o, BT_ERR_FORMAT, "truncated");
  free(bytes);
  o.valid_share = 0.95;
  nn_data_refused(&o, BT_ERR_ARG, "valid-share");
  o = nn_data_defaults(NN_DATA_LINEAR);
  o.count = 2, o.valid_share = 0.9;
  nn_data_refused(&o, BT_ERR_ARG, "too few");
}

static void write_text(const char *name, const char *text) { nn_write_file(name, text, strlen(text)); }

static void texts(void) {
  NnDataOptions o = nn_data_defaults(NN_DATA_TEXT);
  BT_CHECK_STATUS(bt_make_folder(&nn_data_ctx, bt_test_path("text")), BT_OK, &nn_data_ctx);
  write_text("text/ptb.train.txt", " the cat sat \n the <unk> dog\n\nran");
  write_text("text/valid.txt", "the dog sat\r\n");
  o.path = nn_data_path("text");
  o.length = 3;
  write_text("text/test.txt", "dog bird\n");
  NnData *data = nn_data_opened(&o);
  BT_NEED(data);
  const NnDataInfo *info = nn_data_info(data);
  static const char *const words[] = {"the", "cat", "sat", "<eos>", "<unk>", "dog", "ran"};
  BT_CHECK(info->text && info->classes == 7 && nn_data_word(data, 7) == NULL);
  for (size_t i = 0; i < 7; i++) BT_CHECK_TEXT(nn_data_word(data, i), words[i]);
  BT_CHECK(info->rows[NN_TRAIN] == 11 && info->rows[NN_VALID] == 4 && info->rows[NN_TEST] == 3);

  /* the cat sat <eos> the <unk> dog <eos> <eos> ran <eos>, in two streams of five. */
  static const int stream[2][5] = {{0, 1, 2, 3, 0}, {4, 5, 3, 3, 6}};
  for (int shuffle = 0; shuffle < 2; shuffle++) {
    const NnLoaderOptions lo = {.split = NN_TRAIN, .batch = 2, .shuffle = shuffle, .threads = 1};
    NnLoader *l;
    BT_CHECK_STATUS(nn_loader_create(&nn_data_ctx, data, &lo, &l), BT_OK, &nn_data_ctx);
    BT_NEED(l);
    BT_CHECK(nn_loader_batches(l) == (shuffle ? 1u : 2u));
    for (size_t w = 0; w < nn_loader_batches(l); w++) {
      NnBatch b;
      BT_CHECK_STATUS(nn_loader_get(&nn_data_ctx, l, 0, w, &b), BT_OK, &nn_data_ctx);
      BT_CHECK(b.rows == 2 && b.steps == (w ? 1u : 3u) && b.carried == (w > 0));
      for (size_t r = 0; r < 2; r++)
        for (size_t t = 0; t < 3; t++) {
          const int inside = t < b.steps;
          BT_CHECK((int)b.x[3 * r + t] == (inside ? stream[r][3 * w + t] : 0));
          BT_CHECK((int)b.label[3 * r + t] == (inside ? stream[r][3 * w + t + 1] : 0));
        }
    }
    nn_loader_destroy(l);
  }
  const NnLoaderOptions many = {.split = NN_VALID, .batch = 3};
  NnLoader *l;
  BT_CHECK_STATUS(nn_loader_create(&nn_data_ctx, data, &many, &l), BT_ERR_ARG, &nn_data_ctx);
  BT_CHECK(strstr(nn_data_ctx.error, "too few") != NULL);
  nn_data_close(data);

  write_text("text/ptb.train.txt", "the cat\nsat");
  nn_data_refused(&o, BT_ERR_FORMAT, "valid.txt, line 1: the word \"dog\"");
  nn_write_file("text/valid.txt", "the\0cat", 7);
  nn_data_refused(&o, BT_ERR_FORMAT, "byte 3 is zero");
  write_text("text/valid.txt", "");
  nn_data_refused(&o, BT_ERR_FORMAT, "no words");
  o.path = nn_data_path("nowhere");
  nn_data_refused(&o, BT_ERR_IO, "no train.txt or ptb.train.txt");
}

/* Counts warnings. */
static int count_warnings(void *user, const BtEvent *event) {
  if (event->type == BT_EVENT_WARNING) ++*(int *)user;
  return 0;
}

static NnData *opened_with_warnings(const NnDataOptions *o, int wanted) {
  int warnings = 0;
  NnData *data;
  bt_context_init(&nn_data_ctx);
  BT_CHECK_STATUS(bt_context_observe(&nn_data_ctx, count_warnings, &warnings), BT_OK, &nn_data_ctx);
  BT_CHECK_STATUS(nn_data_open(&nn_data_ctx, o, &data), BT_OK, &nn_data_ctx);
  BT_CHECK_ROW(warnings == wanted, "%d warnings, wanted %d", warnings, wanted);
  bt_context_init(&nn_data_ctx);
  return data;
}

enum { RECORD = 1 + 3 * 32 * 32 };

/* Record i: label i mod 10; its planes hold i, 2·i and 3·i. */
static unsigned char *cifar_records(size_t first, size_t count) {
  unsigned char *bytes = calloc(count, RECORD);
  if (!bytes) abort();
  for (size_t i = 0; i < count; i++) {
    bytes[i * RECORD] = (unsigned char)((first + i) % 10);
    for (size_t c = 0; c < 3; c++)
      memset(bytes + i * RECORD + 1 + c * 1024, (int)((c + 1) * (first + i)), 1024);
  }
  return bytes;
}

static void write_cifar(const char *name, size_t first, size_t count, size_t bytes_left_out) {
  unsigned char *bytes = cifar_records(first, count);
  nn_write_file(name, bytes, count * RECORD - bytes_left_out);
  free(bytes);
}

static void cifar_files(void) {
  NnDataOptions o = nn_data_defaults(NN_DATA_CIFAR10);
  int seen[50] = {0};
  BT_CHECK_STATUS(bt_make_folder(&nn_data_ctx, bt_test_path("cifar")), BT_OK, &nn_data_ctx);
  o.path = nn_data_path("cifar");
  nn_data_refused(&o, BT_ERR_IO, "no data_batch_1.bin");
  write_cifar("cifar/data_batch_2.bin", 0, 30, 0);
  write_cifar("cifar/data_batch_5.bin", 30, 20, 0);
  NnData *data = opened_with_warnings(&o, 4);
  BT_NEED(data);
  const NnDataInfo *info = nn_data_info(data);
  BT_CHECK(info->rows[NN_TRAIN] == 40 && info->rows[NN_VALID] == 10 && info->rows[NN_TEST] == 0);
  BT_CHECK(info->x.dim[0] == 3 && info->x.dim[1] == 32 && info->x.dim[2] == 32 && info->classes == 10);
  nn_data_close(data);

  write_cifar("cifar/test_first1000.bin", 50, 7, 0);
  data = opened_with_warnings(&o, 4);
  BT_NEED(data);
  for (int s = 0; s < NN_SPLITS; s++) {
    NnReal *x, *label;
    const size_t rows = nn_data_rows(data, (NnSplit)s, &x, &label);
    for (size_t i = 0; i < rows; i++) {
      const size_t k = (size_t)lround(255 * (double)x[i * 3072]);
      int right = (size_t)label[i] == k % 10 && (s == NN_TEST ? k == 50 + i : k < 50);
      for (size_t p = 0; p < 3072; p++)
        right &= lround(255 * (double)x[i * 3072 + p]) == (long)((p / 1024 + 1) * k);
      BT_CHECK_ROW(right, "record %zu", k);
      if (k < 50) seen[k]++;
    }
    free(x);
    free(label);
  }
  for (int i = 0; i < 50; i++) BT_CHECK_ROW(seen[i] == 1, "record %d is in %d splits", i, seen[i]);
  nn_data_close(data);

  write_cifar("cifar/data_batch_5.bin", 30, 20, 1);
  nn_data_refused(&o, BT_ERR_FORMAT, "data_batch_5.bin: record 19 is truncated: 3072 of 3073 bytes");
  nn_write_file("cifar/data_batch_5.bin", "", 0);
  nn_data_refused(&o, BT_ERR_FORMAT, "record 0 is truncated");
  unsigned char *bytes = cifar_records(0, 2);
  bytes[RECORD] = 77;
  nn_write_file("cifar/data_batch_5.bin", bytes, 2 * RECORD);
  nn_data_refused(&o, BT_ERR_FORMAT, "the label of record 1 is 77");
  free(bytes);
}

/* The mean and deviation that info tells, and what standardising with them gives. */
static void standardised(void) {
  NnDataOptions o = nn_data_defaults(NN_DATA_MNIST);
  NnReal *x, *z, *label;
  nn_write_idx("standard", "train", 60);
  o.path = nn_data_path("standard");
  NnData *unit = opened_with_warnings(&o, 1);
  o.normalise = NN_STANDARD;
  NnData *standard = opened_with_warnings(&o, 1);
  BT_NEED(unit && standard);
  const double mean = nn_data_info(unit)->mean[0], deviation = nn_data_info(unit)->deviation[0];
  const size_t count = nn_data_rows(unit, NN_TRAIN, &x, &label) * NN_IDX_PLANE;
  free(label);
  nn_data_rows(standard, NN_TRAIN, &z, &label);
  free(label);
  double sum = 0, squares = 0, worst = 0, zero = 0, one = 0;
  for (size_t i = 0; i < count; i++) {
    sum += (double)x[i] / (double)count, squares += (double)x[i] * (double)x[i] / (double)count;
    zero += (double)z[i] / (double)count, one += (double)z[i] * (double)z[i] / (double)count;
    worst = fmax(worst, fabs(((double)x[i] - mean) / deviation - (double)z[i]));
  }
  BT_CHECK_NEAR(mean, sum, 1e-6);
  BT_CHECK_NEAR(deviation, sqrt(squares - sum * sum), 1e-6);
  BT_CHECK_NEAR(zero, 0, 1e-5);
  BT_CHECK_NEAR(one, 1, 1e-5);
  BT_CHECK_NEAR(worst, 0, 1e-5);
  free(x);
  free(z);
  nn_data_close(unit);
  nn_data_close(standard);
}

/* 20 rows: 3 + i, 2·i, −i, y = 100·i. */
static void write_uci(const char *folder) {
  char text[2048], name[64];
  size_t used = 0;
  BT_CHECK_STATUS(bt_make_folder(&nn_data_ctx, bt_test_path(folder)), BT_OK, &nn_data_ctx);
  for (int i = 0; i < 20; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, " %d  %d %d    %d \n", 100 * i, 3 + i, 2 * i, -i);
  snprintf(name, sizeof name, "%s/data.txt", folder);
  nn_write_file(name, text, used);
  snprintf(name, sizeof name, "%s/index_features.txt", folder);
  write_text(name, "1\n3\n");
  snprintf(name, sizeof name, "%s/index_target.txt", folder);
  write_text(name, "0\n\n");
  snprintf(name, sizeof name, "%s/index_train_2.txt", folder);
  write_text(name, "9\n8\n7\n6\n5\n19\n18\n17\n16\n15\n");
  snprintf(name, sizeof name, "%s/index_test_2.txt", folder);
  write_text(name, "0\n11\n3\n");
}

static void tables(void) {
  static const int tested[] = {0, 11, 3};
  NnDataOptions o = nn_data_defaults(NN_DATA_TABLE);
  NnReal *x, *y;
  write_uci("uci");
  o.path = nn_data_path("uci");
  o.fold = 2;
  NnData *data = nn_data_opened(&o);
  BT_NEED(data);
  const NnDataInfo *info = nn_data_info(data);
  BT_CHECK(info->rows[NN_TRAIN] == 8 && info->rows[NN_VALID] == 2 && info->rows[NN_TEST] == 3);
  BT_CHECK(info->x.dims == 1 && info->x.dim[0] == 2 && info->classes == 0 && info->channels == 2);
  int seen[20] = {0};
  for (int s = 0; s < NN_SPLITS; s++) {
    const size_t rows = nn_data_rows(data, (NnSplit)s, &x, &y);
    for (size_t i = 0; i < rows; i++) {
      const int k = (int)lround((double)y[i] / 100);
      BT_CHECK(k >= 0 && k < 20 && (int)x[2 * i] == 3 + k && (int)x[2 * i + 1] == -k);
      BT_CHECK(s == NN_TEST ? k == tested[i] : k % 10 >= 5);
      if (k >= 0 && k < 20) seen[k]++;
    }
    free(x);
    free(y);
  }
  for (int i = 0; i < 20; i++) BT_CHECK(seen[i] == (i % 10 >= 5 || i == 0 || i == 11 || i == 3));
  nn_data_close(data);

  /* The last rows are those of the training list. */
  o.held_out = NN_HELD_LAST;
  data = nn_data_opened(&o);
  BT_NEED(data);
  BT_CHECK(nn_data_rows(data, NN_VALID, &x, &y) == 2 && (double)y[0] == 1600 && (double)y[1] == 1500);
  free(x);
  free(y);
  nn_data_close(data);

  o.held_out = NN_HELD_DRAWN;
  o.fold = -1;
  o.normalise = NN_STANDARD;
  data = nn_data_opened(&o);
  BT_NEED(data);
  info = nn_data_info(data);
  const size_t rows = nn_data_rows(data, NN_TRAIN, &x, &y);
  double sum = 0, squares = 0;
  BT_CHECK(rows == 16 && info->rows[NN_TEST] == 0);
  for (size_t i = 0; i < rows; i++) {
    const double k = ((double)y[i] * info->label_deviation + info->label_mean) / 100;
    BT_CHECK_NEAR(k, round(k), 1e-4);
    BT_CHECK_NEAR((double)x[2 * i] * info->deviation[0] + info->mean[0], 3 + k, 1e-4);
    sum += (double)y[i], squares += (double)y[i] * (double)y[i];
  }
  BT_CHECK_NEAR(sum, 0, 1e-5);
  BT_CHECK_NEAR(squares, 16, 1e-4);
  free(x);
  free(y);
  nn_data_close(data);

  o.fold = 3;
  nn_data_refused(&o, BT_ERR_IO, "index_train_3.txt");
  o.fold = 2;
  write_text("uci/index_test_2.txt", "0\n20\n");
  nn_data_refused(&o, BT_ERR_FORMAT, "index_test_2.txt: entry 2 is 20, not one of 0 to 19");
  write_text("uci/index_target.txt", "0 1\n");
  nn_data_refused(&o, BT_ERR_FORMAT, "index_target.txt: one number a line");
  write_text("uci/data.txt", "1 2 3 4\n1 2 3\n");
  nn_data_refused(&o, BT_ERR_FORMAT, "data.txt: line 2 has 3 columns");
}

static void csv_files(void) {
  NnDataOptions o = nn_data_defaults(NN_DATA_TABLE);
  NnReal *x, *y;
  write_text("train.csv", "a,b,y\n1,2,0.5\n3,4,1.5\n5,6,2.5\n7,8,3.5\n9,10,4.5\n");
  write_text("test.csv", "1,1,7\n2,2,8\n");
  o.path = nn_data_path("train.csv");
  o.test_path = nn_data_path("test.csv");
  NnData *data = nn_data_opened(&o);
  BT_NEED(data);
  BT_CHECK(nn_data_rows(data, NN_TEST, &x, &y) == 2 && (int)y[1] == 8 && (int)x[2] == 2);
  free(x);
  free(y);
  BT_CHECK(nn_data_rows(data, NN_TRAIN, &x, &y) == 4);
  for (int i = 0; i < 4; i++) BT_CHECK_NEAR((double)y[i], ((double)x[2 * i]) / 2, 1e-6);
  free(x);
  free(y);
  nn_data_close(data);
  write_text("test.csv", "1,7\n");
  nn_data_refused(&o, BT_ERR_FORMAT, "test.csv: 2 columns");

  o = nn_data_defaults(NN_DATA_CLASSES);
  write_text("train.csv", "0.5,1,-3\n1.5,1,4\n2.5,1,9\n3.5,1,-3\n4.5,1,4\n");
  write_text("test.csv", "8,8,9\n");
  o.path = nn_data_path("train.csv");
  o.test_path = nn_data_path("test.csv");
  data = nn_data_opened(&o);
  BT_NEED(data);
  BT_CHECK(nn_data_info(data)->classes == 3 && nn_data_rows(data, NN_TEST, &x, &y) == 1 && (int)y[0] == 2);
  free(x);
  free(y);
  nn_data_close(data);
  write_text("test.csv", "8,8,5\n");
  nn_data_refused(&o, BT_ERR_FORMAT, "test.csv");
}

static const BtTest tests[] = {
    {"CIFAR-10 files", cifar_files},
    {"standardised", standardised},
    {"tables", tables},
    {"CSV files", csv_files},
    {"texts", texts},
    {"idx files that are refused", idx_refused},
    {"idx files", idx_files},
    {"the last rows held out", last_held_out},
};

int main(void) { return bt_test_main("data of networks", tests, sizeof tests / sizeof *tests); }
