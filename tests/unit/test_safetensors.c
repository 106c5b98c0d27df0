#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/safetensors.h"
#include "harness.h"

static BtContext ctx;

/* What safetensors 0.8.0 for Python writes of: step = int64 7, none = float64 of shape (0, 3), theta = [0.5,
 * -1], w = float32 [[1.5, 2.5, -3.5]], metadata {"format": "bitune"}. */
static const char reference_header[] =
    "{\"__metadata__\":{\"format\":\"bitune\"},\"step\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,"
    "8]},"
    "\"none\":{\"dtype\":\"F64\",\"shape\":[0,3],\"data_offsets\":[8,8]},"
    "\"theta\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[8,24]},"
    "\"w\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[24,36]}}";
static const unsigned char reference_length[8] = {0x08, 0x01};
static const unsigned char reference_data[] = {7, 0, 0,    0,    0, 0, 0,    0,    0, 0, 0,    0,
                                               0, 0, 0xe0, 0x3f, 0, 0, 0,    0,    0, 0, 0xf0, 0xbf,
                                               0, 0, 0xc0, 0x3f, 0, 0, 0x20, 0x40, 0, 0, 0x60, 0xc0};
enum { HEADER = sizeof reference_header - 1, REFERENCE = 8 + HEADER + sizeof reference_data };

static void reference_bytes(char *bytes) {
  memcpy(bytes, reference_length, 8);
  memcpy(bytes + 8, reference_header, HEADER);
  memcpy(bytes + 8 + HEADER, reference_data, sizeof reference_data);
}

static const int64_t step = 7;
static const double theta[] = {0.5, -1};
static const float w[] = {1.5f, 2.5f, -3.5f};

static BtTensorWriter *start(const char *path) {
  BtTensorWriter *writer;
  json_t *metadata = json_pack("{s:s}", "format", "bitune");
  BT_CHECK_STATUS(bt_tensors_create(&ctx, path, metadata, &writer), BT_OK, &ctx);
  json_decref(metadata);
  return writer;
}

static void declare_all(BtTensorWriter *writer) {
  BT_CHECK_STATUS(bt_tensors_declare(&ctx, writer, "step", BT_TENSOR_I64, 0, NULL), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_declare(&ctx, writer, "none", BT_TENSOR_F64, 2, (size_t[]){0, 3}), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_declare(&ctx, writer, "theta", BT_TENSOR_F64, 1, (size_t[]){2}), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_declare(&ctx, writer, "w", BT_TENSOR_F32, 2, (size_t[]){1, 3}), BT_OK, &ctx);
}

static void writes_reference_bytes(void) {
  char wanted[REFERENCE], *got;
  size_t size;
  const char *path = bt_test_path("written.safetensors");
  BtTensorWriter *writer = start(path);
  BT_NEED(writer);
  declare_all(writer);
  BT_CHECK_STATUS(bt_tensors_append(&ctx, writer, &step, 1), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_append(&ctx, writer, NULL, 0), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_append(&ctx, writer, theta, 2), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_append(&ctx, writer, w, 3), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_commit(&ctx, writer), BT_OK, &ctx);
  reference_bytes(wanted);
  BT_CHECK_STATUS(bt_file_read(&ctx, path, 10000, &got, &size), BT_OK, &ctx);
  BT_CHECK(size == REFERENCE && memcmp(got, wanted, REFERENCE) == 0);
  free(got);
}

static void reads_reference_bytes(void) {
  char bytes[REFERENCE];
  BtTensorReader *reader;
  int64_t integer = 0;
  double reals[2] = {0};
  float singles[3] = {0};
  const char *path = bt_test_path("reference.safetensors");
  reference_bytes(bytes);
  BT_CHECK_STATUS(bt_file_write(&ctx, path, bytes, sizeof bytes), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_open(&ctx, path, &reader), BT_OK, &ctx);
  BT_NEED(reader);
  BT_CHECK_STATUS(bt_tensors_read(&ctx, reader, "w", BT_TENSOR_F32, 3, singles), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_read(&ctx, reader, "theta", BT_TENSOR_F64, 2, reals), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_read(&ctx, reader, "step", BT_TENSOR_I64, 1, &integer), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_tensors_read(&ctx, reader, "none", BT_TENSOR_F64, 0, NULL), BT_OK, &ctx);
  BT_CHECK(integer == 7);
  BT_CHECK(memcmp(reals, theta, sizeof theta) == 0);
  BT_CHECK(memcmp(singles, w, sizeof w) == 0);
  BT_CHECK_TEXT(bt_tensors_metadata(reader, "format"), "bitune");
  BT_CHECK(bt_tensors_metadata(reader, "step") == NULL);
  BT_CHECK(bt_tensors_has(reader, "w") && bt_tensors_has(reader, "none"));
  BT_CHECK(!bt_tensors_has(reader, "__metadata__") && !bt_tensors_has(reader, "W"));

  static const struct {
    const char *name;
    BtTensorType type;
    size_t count;
    const char *want;
  } rows[] = {
      {"x", BT_TENSOR_F64, 2, "tensor \"x\" is missing"},
      {"theta", BT_TENSOR_F64, 3, "tensor \"theta\" has 2 elements of type F64 instead of 3 of type F64"},
      {"theta", BT_TENSOR_I64, 2, "tensor \"theta\" has 2 elements of type F64 instead of 2 of type I64"},
      {"__metadata__", BT_TENSOR_F64, 0, "tensor \"__metadata__\" is missing"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    double untouched[3] = {9, 9, 9};
    char wanted[512];
    snprintf(wanted, sizeof wanted, "%s: %s", path, rows[i].want);
    BT_CHECK_STATUS(bt_tensors_read(&ctx, reader, rows[i].name, rows[i].type, rows[i].count, untouched),
                    BT_ERR_FORMAT, &ctx);
    BT_CHECK_TEXT(ctx.error, wanted);
    BT_CHECK(untouched[0] == 9 && untouched[1] == 9 && untouched[2] == 9);
  }
  bt_tensors_close(reader);
}

/* Written without bt_file_write, whose syncs would make thousands of files slow. */
static BtStatus open_bytes(const void *bytes, size_t size) {
  BtTensorReader *reader;
  const char *path = bt_test_path("f");
  FILE *file = fopen(path, "wb");
  BT_CHECK(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
  const BtStatus st = bt_tensors_open(&ctx, path, &reader);
  BT_CHECK((reader != NULL) == (st == BT_OK));
  bt_tensors_close(reader);
  return st;
}

#define T(name, type, shape, offsets) \
  "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define TOO_LONG "9223372036854775807"

/* A header, the bytes of data after it, and a part of the error; NULL for a good file. */
static const struct {
  const char *header;
  size_t data;
  const char *want;
} headers[] = {
    {"{}", 0, NULL},
    {"{}      ", 0, NULL},
    {"{" T("b", "F32", "[1]", "[8,12]") "," T("a", "F64", "[1]", "[0,8]") "}", 12, NULL},
    {"{" T("a", "F64", "[0," TOO_LONG "]", "[0,0]") "}", 0, NULL},
    {"{\"__metadata__\":{}}", 0, NULL},

    {"", 0, "its header is no JSON object"},
    {"[]", 0, "its header is no JSON object"},
    {" {}", 0, "its header is no JSON object"},
    {"{", 0, "header, column 1:"},
    {"{} x", 0, "end of file expected"},
    {"{}", 1, "data that belong to no tensor"},
    {"{\"__metadata__\":{}}", 8, "data that belong to no tensor"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "metadata \"k\" is not a string"},
    {"{\"a\":1}", 0, "has none of the types"},
    {"{\"a\":{}}", 0, "has none of the types"},
    {"{" T("a", "F16", "[1]", "[0,2]") "}", 2, "has none of the types"},
    {"{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "has none of the types"},
    {"{\"a\":{\"dtype\":\"F64\",\"data_offsets\":[0,8]}}", 8, "has no shape"},
    {"{" T("a", "F64", "1", "[0,8]") "}", 8, "has no shape"},
    {"{" T("a", "F64", "[-1]", "[0,8]") "}", 8, "has an impossible shape"},
    {"{" T("a", "F64", "[1.0]", "[0,8]") "}", 8, "has an impossible shape"},
    {"{" T("a", "F64", "[" TOO_LONG ",2]", "[0,8]") "}", 8, "has an impossible shape"},
    {"{" T("a", "F64", "[4294967296,4294967296]", "[0,0]") "}", 0, "has an impossible shape"},
    {"{" T("a", "F64", "[2305843009213693952]", "[0,0]") "}", 0, "does not match its data_offsets"},
    {"{" T("a", "F64", "[2]", "[0,8]") "}", 8, "does not match its data_offsets"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1]}}", 8, "has no valid data_offsets"},
    {"{" T("a", "F64", "[1]", "[0]") "}", 8, "has no valid data_offsets"},
    {"{" T("a", "F64", "[1]", "[0,8,16]") "}", 8, "has no valid data_offsets"},
    {"{" T("a", "F64", "[1]", "[8,0]") "}", 8, "has no valid data_offsets"},
    {"{" T("a", "F64", "[1]", "[-8,0]") "}", 8, "has no valid data_offsets"},
    {"{" T("a", "F64", "[0]", "[-8,-8]") "}", 8, "has no valid data_offsets"},
    {"{" T("a", "F64", "[1]", "[0,8.0]") "}", 8, "has no valid data_offsets"},
    {"{" T("a", "F64", "[1]", "[9223372036854775808,9223372036854775816]") "}", 8, "header, column"},
    {"{" T("a", "F64", "[1]", "[8,16]") "}", 16, "leaves a gap before its data"},
    {"{" T("a", "F64", "[1]", "[0,8]") "," T("b", "F64", "[1]", "[16,24]") "}", 24,
     "leaves a gap before its data"},
    {"{" T("a", "F64", "[1]", "[0,8]") "," T("b", "F64", "[1]", "[4,12]") "}", 12, "overlaps another"},
    {"{" T("a", "F64", "[1]", "[0,8]") "," T("b", "F64", "[1]", "[0,8]") "}", 8, "overlaps another"},
    {"{" T("a", "F64", "[1]", "[0,8]") "," T("a", "F64", "[1]", "[8,16]") "}", 16, "duplicate object key"},
    {"{" T("a", "F64", "[2]", "[0,16]") "}", 8, "the file is truncated"},
    {"{" T("a", "F64", "[1152921504606846975]", "[0,9223372036854775800]") "}", 8, "the file is truncated"},
};

static void headers_good_and_bad(void) {
  static char bytes[4096];
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    const size_t n = strlen(headers[i].header);
    memset(bytes, 0, sizeof bytes);
    bytes[0] = (char)(n & 255), bytes[1] = (char)(n >> 8);
    memcpy(bytes + 8, headers[i].header, n);
    ctx.error[0] = '\0';
    const BtStatus st = open_bytes(bytes, 8 + n + headers[i].data);
    if (!headers[i].want) {
      BT_CHECK_STATUS(st, BT_OK, &ctx);
      continue;
    }
    BT_CHECK_STATUS(st, BT_ERR_FORMAT, &ctx);
    BT_CHECK_ROW(strstr(ctx.error, headers[i].want) != NULL, "%s: got \"%s\", wanted \"%s\"",
                 headers[i].header, ctx.error, headers[i].want);
  }
}

/* Lengths of the header beyond the file, beyond the limit and beyond any memory. */
static void header_lengths(void) {
  static const unsigned char lengths[][8] = {{3},
                                             {255},
                                             {0, 0xe1, 0xf5, 0x05},
                                             {1, 0xe1, 0xf5, 0x05},
                                             {255, 255, 255, 255, 255, 255, 255, 255},
                                             {0, 0, 0, 0, 0, 0, 0, 128}};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    char bytes[10] = {0};
    memcpy(bytes, lengths[i], 8);
    memcpy(bytes + 8, "{}", 2);
    BT_CHECK_STATUS(open_bytes(bytes, sizeof bytes), BT_ERR_FORMAT, &ctx);
    BT_CHECK(strstr(ctx.error, "not a safetensors file, or truncated") != NULL);
  }

  /* One byte over the limit, in a file (mostly a hole) that is long enough. */
  static const unsigned char over[] = {1, 0xe1, 0xf5, 0x05, 0, 0, 0, 0, '{'};
  BtTensorReader *reader;
  const char *large = bt_test_path("large");
  BT_CHECK_STATUS(bt_file_write(&ctx, large, over, sizeof over), BT_OK, &ctx);
  BT_CHECK(truncate(large, 100000100) == 0);
  BT_CHECK_STATUS(bt_tensors_open(&ctx, large, &reader), BT_ERR_FORMAT, &ctx);
  BT_CHECK(strstr(ctx.error, "its header would have 100000001 bytes") != NULL);

  BT_CHECK_STATUS(bt_tensors_open(&ctx, bt_test_path("none"), &reader), BT_ERR_IO, &ctx);
  BT_CHECK_STATUS(bt_tensors_open(&ctx, bt_test_folder(), &reader), BT_ERR_IO, &ctx);
}

/* No prefix of a file is a file, and no flipped bit of the header does harm (sanitizers watch). */
static void damaged_files(void) {
  char bytes[REFERENCE];
  size_t refused = 0;
  reference_bytes(bytes);
  BT_CHECK_STATUS(open_bytes(bytes, REFERENCE), BT_OK, &ctx);
  for (size_t n = 0; n < REFERENCE; n++) BT_CHECK_STATUS(open_bytes(bytes, n), BT_ERR_FORMAT, &ctx);
  for (size_t i = 0; i < 8 + HEADER; i++) {
    for (int bit = 0; bit < 8; bit++) {
      bytes[i] = (char)(bytes[i] ^ 1 << bit);
      refused += open_bytes(bytes, REFERENCE) == BT_ERR_FORMAT;
      bytes[i] = (char)(bytes[i] ^ 1 << bit);
    }
  }
  BT_CHECK_ROW(refused > 4 * HEADER, "%zu of %d damaged headers refused", refused, 8 * (8 + HEADER));
}

static void check_kept(const char *path) {
  char *text;
  size_t size;
  BT_CHECK_STATUS(bt_file_read(&ctx, path, 10000, &text, &size), BT_OK, &ctx);
  BT_CHECK_TEXT(text, "old");
  free(text);
}

/* Misuse is an error, and commit then keeps the old file. */
static void misuse(void) {
  const char *dir = bt_test_path("misuse"), *path = bt_test_path("misuse/a");
  BT_CHECK_STATUS(bt_make_folder(&ctx, dir), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_file_write(&ctx, path, "old", 3), BT_OK, &ctx);
  for (int wrong = 0; wrong < 10; wrong++) {
    const size_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, huge[2] = {(size_t)1 << 40, (size_t)1 << 40};
    BtTensorWriter *writer = start(path);
    BtStatus st = BT_OK;
    BT_NEED(writer);
    declare_all(writer);
    if (wrong > 5) BT_CHECK_STATUS(bt_tensors_append(&ctx, writer, &step, 1), BT_OK, &ctx);
    switch (wrong) {
      case 0: st = bt_tensors_declare(&ctx, writer, "w", BT_TENSOR_F64, 0, NULL); break;
      case 1: st = bt_tensors_declare(&ctx, writer, "__metadata__", BT_TENSOR_F64, 0, NULL); break;
      case 2: st = bt_tensors_declare(&ctx, writer, "n", BT_TENSOR_F64, 9, nine); break;
      case 3: st = bt_tensors_declare(&ctx, writer, "h", BT_TENSOR_F64, 2, huge); break;
      case 4: st = bt_tensors_declare(&ctx, writer, "\xff", BT_TENSOR_F64, 0, NULL); break;
      case 5: st = bt_tensors_append(&ctx, writer, theta, 2); break;
      case 6: st = bt_tensors_declare(&ctx, writer, "late", BT_TENSOR_F64, 0, NULL); break;
      case 7: st = bt_tensors_append(&ctx, writer, theta, 1); break;
      default: break;
    }
    BT_CHECK_STATUS(st, wrong < 8 ? BT_ERR_ARG : BT_OK, &ctx);
    if (wrong == 8) {
      bt_tensors_abandon(writer);
    } else {
      BT_CHECK_STATUS(bt_tensors_commit(&ctx, writer), BT_ERR_ARG, &ctx);
      BT_CHECK((strstr(ctx.error, "data of 3 of 4 tensors are missing") != NULL) == (wrong == 9));
    }
    check_kept(path);
    BT_CHECK(bt_test_entries(dir) == 1);
  }

  BtTensorWriter *writer;
  json_t *metadata = json_pack("{s:i}", "k", 1);
  BT_CHECK_STATUS(bt_tensors_create(&ctx, path, metadata, &writer), BT_ERR_ARG, &ctx);
  BT_CHECK(writer == NULL);
  json_decref(metadata);
  BT_CHECK_STATUS(bt_tensors_create(&ctx, bt_test_path("nowhere/a"), NULL, &writer), BT_ERR_IO, &ctx);
  check_kept(path);
}

/* All lengths of headers, so that every padding occurs; also the file without a tensor. */
static void padding(void) {
  const char *path = bt_test_path("padding");
  BtTensorWriter *writer;
  BtTensorReader *reader;
  for (size_t n = 0; n <= 16; n++) {
    char name[32] = "aaaaaaaaaaaaaaaa", *bytes;
    size_t size;
    double x = 0;
    name[n] = '\0';
    BT_CHECK_STATUS(bt_tensors_create(&ctx, path, NULL, &writer), BT_OK, &ctx);
    if (n) BT_CHECK_STATUS(bt_tensors_declare(&ctx, writer, name, BT_TENSOR_F64, 0, NULL), BT_OK, &ctx);
    if (n) BT_CHECK_STATUS(bt_tensors_append(&ctx, writer, theta, 1), BT_OK, &ctx);
    BT_CHECK_STATUS(bt_tensors_commit(&ctx, writer), BT_OK, &ctx);
    BT_CHECK_STATUS(bt_file_read(&ctx, path, 1000, &bytes, &size), BT_OK, &ctx);
    BT_CHECK(size % 8 == 0 && bytes[0] % 8 == 0);
    free(bytes);
    BT_CHECK_STATUS(bt_tensors_open(&ctx, path, &reader), BT_OK, &ctx);
    BT_NEED(reader);
    if (n) BT_CHECK_STATUS(bt_tensors_read(&ctx, reader, name, BT_TENSOR_F64, 1, &x), BT_OK, &ctx);
    BT_CHECK(x == (n ? 0.5 : 0));
    bt_tensors_close(reader);
  }
}

static const BtTest tests[] = {
    {"writes the bytes of the reference implementation", writes_reference_bytes},
    {"reads the bytes of the reference implementation", reads_reference_bytes},
    {"headers good and bad", headers_good_and_bad},
    {"impossible header lengths", header_lengths},
    {"damaged files", damaged_files},
    {"misuse of the writer", misuse},
    {"padding", padding},
};

int main(void) { return bt_test_main("safetensors", tests, sizeof tests / sizeof *tests); }
