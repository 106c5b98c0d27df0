/* Data sets: files that the tests write, generated sets, splits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "harness.h"
#include "nn/data.h"
#include "nn/loader.h"

static BtContext ctx;

static NnDataOptions defaults(NnDataKind kind) {
  NnDataOptions o = {0};
  bt_options_default(nn_data_options, &o);
  o.kind = kind;
  return o;
}

static NnData *opened(const NnDataOptions *o) {
  NnData *data;
  bt_context_init(&ctx);
  BT_CHECK_STATUS(nn_data_open(&ctx, o, &data), BT_OK, &ctx);
  return data;
}

static void refused(const NnDataOptions *o, BtStatus wanted, const char *words) {
  NnData *data;
  bt_context_init(&ctx);
  const BtStatus st = nn_data_open(&ctx, o, &data);
  BT_CHECK_STATUS(st, wanted, &ctx);
  BT_CHECK(data == NULL);
  BT_CHECK_ROW(strstr(ctx.error, words) != NULL, "\"%s\" does not say \"%s\"", ctx.error, words);
  nn_data_close(data);
}

/* All rows of a split, in its own order: x and label, malloc'ed. */
static size_t read_split(const NnData *data, NnSplit split, NnReal **x, NnReal **label) {
  const size_t rows = nn_data_info(data)->rows[split];
  const size_t xs = nn_shape_size(nn_data_info(data)->x), ls = nn_shape_size(nn_data_info(data)->label);
  const NnLoaderOptions options = {.split = split, .batch = 7};
  NnLoader *loader;
  *x = calloc(rows * xs + 1, sizeof **x);
  *label = calloc(rows * ls + 1, sizeof **label);
  if (!*x || !*label) abort();
  if (rows == 0 || !BT_CHECK_STATUS(nn_loader_create(&ctx, data, &options, &loader), BT_OK, &ctx)) return 0;
  size_t got = 0;
  for (size_t i = 0; i < nn_loader_batches(loader); i++) {
    NnBatch b;
    BT_CHECK_STATUS(nn_loader_get(&ctx, loader, 0, i, &b), BT_OK, &ctx);
    memcpy(*x + got * xs, b.x, b.rows * xs * sizeof **x);
    memcpy(*label + got * ls, b.label, b.rows * ls * sizeof **label);
    got += b.rows;
  }
  BT_CHECK(got == rows);
  nn_loader_destroy(loader);
  return got;
}

static void write_file(const char *name, const void *bytes, size_t size) {
  BT_CHECK_STATUS(bt_file_write(&ctx, bt_test_path(name), bytes, size), BT_OK, &ctx);
}

#define SIDE 4
#define PLANE (SIDE * SIDE)

/* Image i is filled with 3·i mod 256 but for its first two bytes, i; its label is i mod 10. */
static void write_idx(const char *folder, const char *part, size_t rows) {
  unsigned char *images = calloc(16 + rows * PLANE, 1), *labels = calloc(8 + rows, 1);
  char name[128];
  if (!images || !labels) abort();
  const unsigned char head[16] = {
      0, 0, 8, 3, 0, 0, (unsigned char)(rows >> 8), (unsigned char)rows, 0, 0, 0, SIDE, 0, 0, 0, SIDE};
  memcpy(images, head, 16);
  memcpy(labels, head, 8);
  labels[3] = 1;
  for (size_t i = 0; i < rows; i++) {
    memset(images + 16 + i * PLANE, (int)(3 * i % 256), PLANE);
    images[16 + i * PLANE] = (unsigned char)(i >> 8);
    images[17 + i * PLANE] = (unsigned char)i;
    labels[8 + i] = (unsigned char)(i % 10);
  }
  BT_CHECK_STATUS(bt_make_folder(&ctx, bt_test_path(folder)), BT_OK, &ctx);
  snprintf(name, sizeof name, "%s/%s-images-idx3-ubyte", folder, part);
  write_file(name, images, 16 + rows * PLANE);
  snprintf(name, sizeof name, "%s/%s-labels-idx1-ubyte", folder, part);
  write_file(name, labels, 8 + rows);
  free(images);
  free(labels);
}

/* Which image a row is, told by its first two bytes; every byte and the label are compared too. */
static size_t identify(const NnReal *x, NnReal label) {
  const size_t i = (size_t)lround(255 * (double)x[0]) << 8 | (size_t)lround(255 * (double)x[1]);
  int right = (size_t)label == i % 10;
  for (size_t k = 2; k < PLANE; k++) right &= lround(255 * (double)x[k]) == (long)(3 * i % 256);
  BT_CHECK_ROW(right, "image %zu is not as written", i);
  return i;
}

static void idx_files(void) {
  enum { TRAIN = 300, TEST = 20 };
  NnDataOptions o = defaults(NN_DATA_MNIST);
  int seen[TRAIN] = {0};
  write_idx("idx", "train", TRAIN);
  write_idx("idx", "t10k", TEST);
  o.path = bt_test_path("idx");
  o.valid_share = 0.15;
  NnData *data = opened(&o);
  BT_NEED(data);
  const NnDataInfo *info = nn_data_info(data);
  BT_CHECK(info->rows[NN_TRAIN] == 255 && info->rows[NN_VALID] == 45 && info->rows[NN_TEST] == TEST);
  BT_CHECK(info->x.dims == 3 && info->x.dim[0] == 1 && info->x.dim[1] == SIDE && info->classes == 10);
  for (int s = 0; s < NN_SPLITS; s++) {
    NnReal *x, *label;
    const size_t rows = read_split(data, (NnSplit)s, &x, &label);
    for (size_t i = 0; i < rows; i++) {
      const size_t k = identify(x + i * PLANE, label[i]);
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

static void idx_refused(void) {
  NnDataOptions o = defaults(NN_DATA_MNIST);
  refused(&o, BT_ERR_ARG, "folder");
  o.path = bt_test_path("nowhere");
  refused(&o, BT_ERR_IO, "train-images-idx3-ubyte");
  write_idx("bad", "train", 30);
  char *bytes;
  size_t size;
  BT_CHECK_STATUS(bt_file_read(&ctx, bt_test_path("bad/train-labels-idx1-ubyte"), 1000, &bytes, &size), BT_OK,
                  &ctx);
  bytes[8 + 17] = 10;
  write_file("bad/train-labels-idx1-ubyte", bytes, size);
  o.path = bt_test_path("bad");
  refused(&o, BT_ERR_FORMAT, "label 17 of part \"train\" is 10");
  write_file("bad/train-labels-idx1-ubyte", bytes, size - 1);
  refused(&o, BT_ERR_FORMAT, "truncated");
  free(bytes);
  o.valid_share = 0.95;
  refused(&o, BT_ERR_ARG, "valid-share");
  o = defaults(NN_DATA_LINEAR);
  o.count = 2, o.valid_share = 0.9;
  refused(&o, BT_ERR_ARG, "too few");
}

static void write_text(const char *name, const char *text) { write_file(name, text, strlen(text)); }

static void texts(void) {
  NnDataOptions o = defaults(NN_DATA_TEXT);
  BT_CHECK_STATUS(bt_make_folder(&ctx, bt_test_path("text")), BT_OK, &ctx);
  write_text("text/ptb.train.txt", " the cat sat \n the <unk> dog\n\nran");
  write_text("text/valid.txt", "the dog sat\r\n");
  o.path = bt_test_path("text");
  o.length = 3;
  write_text("text/test.txt", "dog bird\n");
  NnData *data = opened(&o);
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
    BT_CHECK_STATUS(nn_loader_create(&ctx, data, &lo, &l), BT_OK, &ctx);
    BT_NEED(l);
    BT_CHECK(nn_loader_batches(l) == (shuffle ? 1u : 2u));
    for (size_t w = 0; w < nn_loader_batches(l); w++) {
      NnBatch b;
      BT_CHECK_STATUS(nn_loader_get(&ctx, l, 0, w, &b), BT_OK, &ctx);
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
  BT_CHECK_STATUS(nn_loader_create(&ctx, data, &many, &l), BT_ERR_ARG, &ctx);
  BT_CHECK(strstr(ctx.error, "too few") != NULL);
  nn_data_close(data);

  write_text("text/ptb.train.txt", "the cat\nsat");
  refused(&o, BT_ERR_FORMAT, "valid.txt, line 1: the word \"dog\"");
  write_file("text/valid.txt", "the\0cat", 7);
  refused(&o, BT_ERR_FORMAT, "byte 3 is zero");
  write_text("text/valid.txt", "");
  refused(&o, BT_ERR_FORMAT, "no words");
  o.path = bt_test_path("nowhere");
  refused(&o, BT_ERR_IO, "no train.txt or ptb.train.txt");
}

/* Brackets match, and the same seed speaks the same. */
static void brackets(void) {
  NnDataOptions o = defaults(NN_DATA_TOKENS);
  o.count = 5000;
  o.length = 10;
  NnData *data = opened(&o);
  BT_NEED(data);
  const NnLoaderOptions lo = {.split = NN_TRAIN, .batch = 1};
  NnLoader *l;
  BT_CHECK_STATUS(nn_loader_create(&ctx, data, &lo, &l), BT_OK, &ctx);
  BT_NEED(l);
  char open[64];
  int depth = 0, deepest = 0, ends = 0;
  for (size_t w = 0; w < nn_loader_batches(l); w++) {
    NnBatch b;
    BT_CHECK_STATUS(nn_loader_get(&ctx, l, 0, w, &b), BT_OK, &ctx);
    for (size_t t = 0; t < b.steps; t++) {
      const char *word = nn_data_word(data, (size_t)b.x[t]);
      BT_NEED(word && depth < 60);
      if (strncmp(word, "open", 4) == 0) open[depth++] = word[4];
      if (strncmp(word, "close", 5) == 0) BT_NEED(depth > 0 && open[--depth] == word[5]);
      if (strcmp(word, "<eos>") == 0) ends++, BT_CHECK(depth == 0);
      if (depth > deepest) deepest = depth;
    }
  }
  BT_CHECK(deepest >= 5 && ends > 50);
  nn_loader_destroy(l);
  nn_data_close(data);
}

static const BtTest tests[] = {
    {"texts", texts},
    {"brackets", brackets},
    {"idx files that are refused", idx_refused},
    {"idx files", idx_files},
};

int main(void) { return bt_test_main("data of networks", tests, sizeof tests / sizeof *tests); }
