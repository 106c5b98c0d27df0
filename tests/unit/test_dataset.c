/* Data sets from idx, CSV and LIBSVM text: what is read, and what each fault is told as. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/dataset.h"
#include "core/file.h"
#include "core/gzip.h"
#include "core/idx.h"
#include "harness.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *write_bytes(const char *name, const void *bytes, size_t size) {
  const char *path = bt_test_path(name);
  BtContext ctx;
  bt_context_init(&ctx);
  BT_CHECK_STATUS(bt_file_write(&ctx, path, bytes, size), BT_OK, &ctx);
  return path;
}

static const char *write_text(const char *name, const char *text) {
  return write_bytes(name, text, strlen(text));
}

static const char *write_gzip(const char *name, const void *bytes, size_t size) {
  const char *path = bt_test_path(name);
  gzFile file = gzopen(path, "wb");
  BT_CHECK(file && gzwrite(file, bytes, (unsigned)size) == (int)size && gzclose(file) == Z_OK);
  return path;
}

/* The error's text begins with the path and holds `want`. */
static void check_error(const BtContext *ctx, BtStatus st, const char *path, const char *want, size_t row) {
  BT_CHECK_ROW(st == BT_ERR_FORMAT || st == BT_ERR_UNSUPPORTED, "row %zu: status %s", row,
               bt_status_name(st));
  BT_CHECK_ROW(strncmp(ctx->error, path, strlen(path)) == 0 && strstr(ctx->error, want),
               "row %zu: \"%s\" lacks \"%s\"", row, ctx->error, want);
}

static void csv(void) {
  BtContext ctx;
  BtDataset set;
  bt_context_init(&ctx);
  const char *path = write_text("good.csv", "a,b,label\n1,2.5,7\r\n\n-3e2, 4 ,-1\n");
  if (BT_CHECK_STATUS(bt_dataset_read_csv(&ctx, path, BT_LABEL_LAST, &set), BT_OK, &ctx)) {
    BT_CHECK(set.rows == 2 && set.features == 2);
    BT_CHECK(set.x[0] == 1 && set.x[1] == 2.5 && set.x[2] == -300 && set.x[3] == 4);
    BT_CHECK(set.label[0] == 7 && set.label[1] == -1);
  }
  bt_dataset_clear(&set);
  /* A comment, names and numbers in quotes, another separator. */
  static const char *const same[] = {
      "# made by: hand, yes\n\n1,2.5,7\n#x\n-3e2,4,-1\n",
      "\"a, first\",\"say \"\"b\"\"\",c\n1,2.5,7\n-3e2,4,-1",
      "\"1\",\"2.5\" ,\"7\"\n\"-3e2\", \"4\",-1\n",
      "\"one, two\";two;three\r\n1;2.5;7\r\n-3e2;\"4\";-1\r\n",
      "\xEF\xBB\xBF"
      "a b\tc\td\n1\t2.5\t7\n-3e2\t4\t-1\n",
  };
  for (size_t k = 0; k < COUNT(same); k++) {
    path = write_text("same.csv", same[k]);
    if (BT_CHECK_STATUS(bt_dataset_read_csv(&ctx, path, BT_LABEL_LAST, &set), BT_OK, &ctx)) {
      BT_CHECK_ROW(set.rows == 2 && set.features == 2 && set.x[1] == 2.5 && set.x[2] == -300 && set.x[3] == 4,
                   "row %zu", k);
      BT_CHECK_ROW(set.label[0] == 7 && set.label[1] == -1, "row %zu", k);
    }
    bt_dataset_clear(&set);
  }
  path = write_text("first.csv", "7,1,2\n8,3,4");
  if (BT_CHECK_STATUS(bt_dataset_read_csv(&ctx, path, BT_LABEL_FIRST, &set), BT_OK, &ctx))
    BT_CHECK(set.rows == 2 && set.label[1] == 8 && set.x[3] == 4);
  bt_dataset_clear(&set);
  if (BT_CHECK_STATUS(bt_dataset_read_csv(&ctx, path, BT_LABEL_NONE, &set), BT_OK, &ctx))
    BT_CHECK(set.features == 3 && !set.label);
  bt_dataset_clear(&set);
  path = write_gzip("good.csv.gz", "1,2,0\n3,4,1\n", 12);
  if (BT_CHECK_STATUS(bt_dataset_read_csv(&ctx, path, BT_LABEL_LAST, &set), BT_OK, &ctx))
    BT_CHECK(set.rows == 2 && set.x[2] == 3);
  bt_dataset_clear(&set);
}

static void bad_csv(void) {
  static const struct {
    const char *text, *want;
  } cases[] = {
      {"", "empty"},
      {"\n \n", "no rows"},
      {"a,b,c\n", "no rows"},
      {"1,2,0\n1,2\n", "line 2 has 2 columns instead of 3"},
      {"1,2,0\n\n1,2,3,4\n", "line 3 has 4 columns"},
      {"1,2,0\n1,x,1\n", "line 2, column 2: \"x\" is not a number"},
      {"1,,0\n", "line 1, column 2: \"\" is not a number"},
      {"1,nan,0\n", "\"nan\" is not a number"},
      {"1,inf,0\n", "\"inf\" is not a number"},
      {"1,0x10,0\n", "\"0x10\" is not a number"},
      {"1,1e999,0\n", "\"1e999\" is not a number"},
      {"1,2 3,0\n", "\"2 3\" is not a number"},
      {"1,2,0.5\n", "line 1: \"0.5\" is no label: not an integer"},
      {"1,2,cat\n", "line 1: \"cat\" is no label"},
      {"1,2,99999999999\n", "more than 9 digits"},
      {"a,2,c\n1,2,0\n", "line 1, column 1: \"a\" is not a number"},
      {"5\n6\n", "one column only"},
      {"a,\"b,c\n1,2,3\n", "line 1 has a quote that is not closed"},
      {"1,2,0\n1,\"2,0\n", "line 2 has a quote that is not closed"},
      {"1,\"2\"5,0\n", "line 1, column 2: \"\"2\"5\" is not a number"},
      {"# 1,2\n1,2,0\n1,\"2,0\"\n", "line 3 has 2 columns instead of 3"},
      {"# only\n# comments\n", "no rows"},
  };
  for (size_t k = 0; k < COUNT(cases); k++) {
    BtContext ctx;
    BtDataset set;
    bt_context_init(&ctx);
    const char *path = write_text("bad.csv", cases[k].text);
    check_error(&ctx, bt_dataset_read_csv(&ctx, path, BT_LABEL_LAST, &set), path, cases[k].want, k);
    BT_CHECK_ROW(!set.x && !set.label, "row %zu leaves something behind", k);
  }
  BtContext ctx;
  BtDataset set;
  bt_context_init(&ctx);
  const char *path = write_bytes("zero.csv", "1,2,0\n1\0,2,0\n", 13);
  check_error(&ctx, bt_dataset_read_csv(&ctx, path, BT_LABEL_LAST, &set), path, "not a text file", 100);
  BT_CHECK(bt_dataset_read_csv(&ctx, bt_test_path("nowhere.csv"), BT_LABEL_LAST, &set) == BT_ERR_IO);
}

static void libsvm(void) {
  BtContext ctx;
  BtDataset set;
  bt_context_init(&ctx);
  const char *path = write_text("good.svm", "# heart\n+1 1:0.5 4:-2 # why not\n-1\n\n3 2:1e1\n");
  if (BT_CHECK_STATUS(bt_dataset_read_libsvm(&ctx, path, 0, &set), BT_OK, &ctx)) {
    static const double x[] = {0.5, 0, 0, -2, 0, 0, 0, 0, 0, 10, 0, 0};
    BT_CHECK(set.rows == 3 && set.features == 4 && memcmp(set.x, x, sizeof x) == 0);
    BT_CHECK(set.label[0] == 1 && set.label[1] == -1 && set.label[2] == 3);
  }
  bt_dataset_clear(&set);
  if (BT_CHECK_STATUS(bt_dataset_read_libsvm(&ctx, path, 6, &set), BT_OK, &ctx)) BT_CHECK(set.features == 6);
  bt_dataset_clear(&set);
  BtDataFormat format = BT_DATA_AUTO;
  const BtDataSpec spec = {.place = BT_LABEL_LAST};
  BT_CHECK_STATUS(bt_dataset_read(&ctx, path, &spec, &set, &format), BT_OK, &ctx);
  BT_CHECK(format == BT_DATA_LIBSVM);
  bt_dataset_clear(&set);
}

/* What `auto` takes a file for. */
static void formats(void) {
  static const struct {
    const char *text;
    BtDataFormat format;
  } cases[] = {
      {"1,2,0\n3,4,1\n", BT_DATA_CSV},        {"# time: 12:30\n1 1:2\n0 1:3\n", BT_DATA_LIBSVM},
      {"at 12:30,b,c\n1,2,0\n", BT_DATA_CSV}, {"\"at 12:30\",b\n1,0\n", BT_DATA_CSV},
      {"\n  \n1 1:2\r\n", BT_DATA_LIBSVM},    {"-1\t3:1\t4:2\n", BT_DATA_LIBSVM},
  };
  for (size_t k = 0; k < COUNT(cases); k++) {
    BtContext ctx;
    BtDataset set;
    BtDataFormat format = BT_DATA_AUTO;
    const BtDataSpec spec = {.place = BT_LABEL_LAST};
    bt_context_init(&ctx);
    const char *path = write_text("format.txt", cases[k].text);
    if (BT_CHECK_STATUS(bt_dataset_read(&ctx, path, &spec, &set, &format), BT_OK, &ctx))
      BT_CHECK_ROW(format == cases[k].format, "row %zu", k);
    bt_dataset_clear(&set);
  }
}

static void bad_libsvm(void) {
  static const struct {
    const char *text, *want;
    size_t features;
  } cases[] = {
      {"1 1:1\n1 3:1 2:1\n", "line 2: \"2:1\" is out of order", 0},
      {"1 2:1 2:1\n", "line 1: \"2:1\" is out of order", 0},
      {"1 0:1 2:1\n", "line 1: \"0:1\" has index 0", 0},
      {"1 2:3 -1:1\n", "\"-1:1\" is not INDEX:VALUE", 0},
      {"1 a:1 2:1\n", "\"a:1\" is not INDEX:VALUE", 0},
      {"1 1.5:1 2:1\n", "\"1.5:1\" is not INDEX:VALUE", 0},
      {"1 1:x 2:1\n", "\"1:x\" has a value that is not a number", 0},
      {"1 1: 2:1\n", "\"1:\" has a value that is not a number", 0},
      {"1 1:nan\n", "\"1:nan\" has a value", 0},
      {"1 1\n1 1:1\n", "line 1: \"1\" is not INDEX:VALUE", 0},
      {"x 1:1\n", "line 1: \"x\" is no label", 0},
      {"0.5 1:1\n", "not an integer", 0},
      {"1:1 2:1\n", "\"1:1\" is no label", 0},
      {"1 99999999999:1\n", "is larger than", 0},
      {"1 7:1\n", "index 7, but there are 6 features", 6},
      {"1\n2\n", "no features", 0},
      {"# nothing\n", "no rows", 0},
      {"", "empty", 0},
  };
  for (size_t k = 0; k < COUNT(cases); k++) {
    BtContext ctx;
    BtDataset set;
    bt_context_init(&ctx);
    const char *path = write_text("bad.svm", cases[k].text);
    check_error(&ctx, bt_dataset_read_libsvm(&ctx, path, cases[k].features, &set), path, cases[k].want, k);
    BT_CHECK_ROW(!set.x && !set.label, "row %zu leaves something behind", k);
  }
}

/* Two images of 2 × 3 and their labels. */
static const unsigned char images[] = {0, 0, 8, 3,  0,   0,   0,   2,   0,  0,  0,  2,  0,  0,
                                       0, 3, 0, 51, 102, 153, 204, 255, 10, 20, 30, 40, 50, 60};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 3};

static void idx(void) {
  BtContext ctx;
  BtDataset set;
  bt_context_init(&ctx);
  (void)write_gzip("train-images-idx3-ubyte.gz", images, sizeof images);
  (void)write_bytes("train-labels.idx1-ubyte", labels, sizeof labels);
  if (BT_CHECK_STATUS(bt_dataset_read_idx(&ctx, bt_test_folder(), "train", &set), BT_OK, &ctx)) {
    BT_CHECK(set.rows == 2 && set.features == 6 && set.height == 2 && set.width == 3);
    BT_CHECK(set.label[0] == 7 && set.label[1] == 3);
    BT_CHECK_NEAR(set.x[1], 0.2, 1e-15);
    BT_CHECK(set.x[5] == 1);
    /* One row of 1.5 pixels each: (0 + 51/2 + 153 + 204/2)/3 and the rest, by hand. */
    BT_CHECK_STATUS(bt_dataset_resize(&ctx, 1, 2, &set), BT_OK, &ctx);
    BT_CHECK_NEAR(set.x[0], (0 + 25.5 + 153 + 102) / 3 / 255, 1e-15);
    BT_CHECK_NEAR(set.x[1], (25.5 + 102 + 102 + 255) / 3 / 255, 1e-15);
    BT_CHECK(set.features == 2 && set.height == 1 && set.width == 2);
    BT_CHECK(bt_dataset_resize(&ctx, 2, 2, &set) == BT_ERR_ARG);
  }
  bt_dataset_clear(&set);
  BT_CHECK(!bt_idx_has_part(bt_test_folder(), "t10k"));
  BT_CHECK(bt_dataset_read_idx(&ctx, bt_test_folder(), "t10k", &set) == BT_ERR_IO);
  BT_CHECK(strstr(ctx.error, "t10k-images") != NULL);
  const char *one = write_bytes("one-idx", images, sizeof images);
  const BtDataSpec spec = {.place = BT_LABEL_LAST};
  check_error(&ctx, bt_dataset_read(&ctx, one, &spec, &set, NULL), one, "name the folder", 0);
  /* As many labels as images. */
  static const unsigned char short_labels[] = {0, 0, 8, 1, 0, 0, 0, 1, 7};
  (void)write_bytes("train-labels.idx1-ubyte", short_labels, sizeof short_labels);
  BT_CHECK(bt_dataset_read_idx(&ctx, bt_test_folder(), "train", &set) == BT_ERR_FORMAT);
  BT_CHECK(strstr(ctx.error, "2 images but 1 labels") != NULL);
}

static void bad_idx(void) {
  static const struct {
    int at, byte;
    size_t size;
    const char *want;
  } cases[] = {
      {0, 1, sizeof images, "not an idx file"},
      {2, 13, sizeof images, "only unsigned bytes"},
      {2, 99, sizeof images, "only unsigned bytes"},
      {3, 0, sizeof images, "0 dimensions"},
      {3, 9, sizeof images, "9 dimensions"},
      {7, 0, sizeof images, "dimension 1 is 0"},
      {7, 3, sizeof images, "fewer than its header says"},
      {4, 255, sizeof images, "fewer than its header says"},
      {7, 1, sizeof images, "6 bytes follow the 6 entries"},
      {0, 0, sizeof images - 1, "fewer than its header says"},
      {0, 0, 10, "truncated in its header"},
      {0, 0, 3, "truncated"},
      {0, 0, 0, "truncated"},
  };
  for (size_t k = 0; k < COUNT(cases); k++) {
    unsigned char bytes[sizeof images];
    BtContext ctx;
    BtIdx array;
    bt_context_init(&ctx);
    memcpy(bytes, images, sizeof bytes);
    bytes[cases[k].at] = (unsigned char)cases[k].byte;
    const char *path = write_bytes("bad-idx", bytes, cases[k].size);
    check_error(&ctx, bt_idx_read(&ctx, path, &array), path, cases[k].want, k);
    BT_CHECK_ROW(!array.bytes && !array.entries, "row %zu leaves something behind", k);
  }
}

/* Every prefix of a gzip file, and every changed byte, is an error or the same text; none crashes. */
static void damaged_gzip(void) {
  static const char text[] = "1,2,0\n3,4,1\n5,6,0\n";
  char bytes[256];
  BtContext ctx;
  char *out;
  size_t size, got;
  bt_context_init(&ctx);
  const char *path = write_gzip("whole.gz", text, strlen(text));
  BT_NEED(bt_file_read(&ctx, path, sizeof bytes - 10, &out, &size) == BT_OK);
  memcpy(bytes, out, size);
  free(out);
  for (size_t cut = 2; cut < size; cut++) {
    path = write_bytes("cut.gz", bytes, cut);
    BT_CHECK_ROW(bt_gzip_read(&ctx, path, 1000, &out, &got) == BT_ERR_FORMAT && !out, "cut at %zu", cut);
  }
  for (size_t at = 2; at < size; at++) {
    bytes[at] ^= 0x55;
    path = write_bytes("changed.gz", bytes, size);
    const BtStatus st = bt_gzip_read(&ctx, path, 1000, &out, &got);
    BT_CHECK_ROW(st == BT_ERR_FORMAT || (st == BT_OK && strcmp(out, text) == 0), "changed at %zu", at);
    free(out);
    bytes[at] ^= 0x55;
  }
  memcpy(bytes + size, "rest", 4);
  path = write_bytes("rest.gz", bytes, size + 4);
  BT_CHECK(bt_gzip_read(&ctx, path, 1000, &out, &got) == BT_ERR_FORMAT && strstr(ctx.error, "4 bytes"));
  memcpy(bytes + size, bytes, size);
  path = write_bytes("twice.gz", bytes, 2 * size);
  BT_CHECK(bt_gzip_read(&ctx, path, 1000, &out, &got) == BT_OK && got == 2 * strlen(text));
  free(out);
  path = write_gzip("zeros.gz", "", 1);
  BT_CHECK(bt_gzip_read(&ctx, path, 1000, &out, &got) == BT_OK && got == 1);
  free(out);
  char *large = calloc(1, 200000);
  path = write_gzip("large.gz", large, 200000);
  BT_CHECK(bt_gzip_read(&ctx, path, 199999, &out, &got) == BT_ERR_FORMAT && !out);
  BT_CHECK(bt_gzip_read(&ctx, path, 200000, &out, &got) == BT_OK && got == 200000);
  free(out);
  free(large);
}

static void classes(void) {
  BtContext ctx;
  int64_t label[] = {5, -2, 5, 9, -2}, one[] = {3, 3}, *values;
  int32_t index[5];
  size_t count;
  BtDataset set = {.rows = 5, .label = label};
  bt_context_init(&ctx);
  BT_NEED(bt_dataset_classes(&ctx, "d", &set, &values, &count) == BT_OK);
  BT_CHECK(count == 3 && values[0] == -2 && values[1] == 5 && values[2] == 9);
  BT_CHECK_STATUS(bt_dataset_index(&ctx, "d", &set, values, count, index), BT_OK, &ctx);
  BT_CHECK(index[0] == 1 && index[1] == 0 && index[3] == 2);
  label[4] = 4;
  BT_CHECK(bt_dataset_index(&ctx, "d", &set, values, count, index) == BT_ERR_FORMAT);
  BT_CHECK_TEXT(ctx.error, "d: row 5 has the label 4, which is none of the 3 classes");
  free(values);
  BtDataset same = {.rows = 2, .label = one}, none = {.rows = 2};
  BT_CHECK(bt_dataset_classes(&ctx, "d", &same, &values, &count) == BT_ERR_FORMAT);
  BT_CHECK(bt_dataset_classes(&ctx, "d", &none, &values, &count) == BT_ERR_FORMAT);
}

static void shuffling(void) {
  enum { N = 1000 };
  size_t a[N], b[N], c[N], fixed = 0, differ = 0;
  int seen[N] = {0};
  bt_shuffle(1, N, a);
  bt_shuffle(1, N, b);
  bt_shuffle(2, N, c);
  for (size_t i = 0; i < N; i++) seen[a[i]]++, fixed += a[i] == i, differ += a[i] != c[i];
  for (size_t i = 0; i < N; i++) BT_CHECK_ROW(seen[i] == 1, "%zu occurs %d times", i, seen[i]);
  BT_CHECK(memcmp(a, b, sizeof a) == 0);
  BT_CHECK(fixed < 10 && differ > 900);
}

/* A stop in the middle of a text leaves nothing. */
static void stopped(void) {
  static const volatile sig_atomic_t asked = 1;
  static const BtDataSpec spec = {.place = BT_LABEL_LAST};
  const char *const texts[] = {"1,2,3\n4,5,6\n", "1 1:2 2:3\n4 1:5 2:6\n"};
  for (size_t k = 0; k < COUNT(texts); k++) {
    BtContext ctx;
    BtDataset set;
    bt_context_init(&ctx);
    ctx.stop.flag = &asked;
    const char *path = write_text("stopped", texts[k]);
    BT_CHECK_STATUS(bt_dataset_read(&ctx, path, &spec, &set, NULL), BT_STOPPED, &ctx);
    BT_CHECK(set.rows == 0 && !set.x && !set.label && !set.line);
  }
}

static const BtTest tests[] = {
    {"CSV", csv},
    {"faults of CSV", bad_csv},
    {"LIBSVM text", libsvm},
    {"faults of LIBSVM text", bad_libsvm},
    {"formats recognised", formats},
    {"idx", idx},
    {"faults of idx", bad_idx},
    {"damaged gzip", damaged_gzip},
    {"classes", classes},
    {"shuffles", shuffling},
    {"stopped", stopped},
};

int main(void) { return bt_test_main("dataset", tests, COUNT(tests)); }
