#include "core/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/dataset_internal.h"
#include "core/gzip.h"
#include "core/idx.h"
#include "core/rng.h"

/* The generator's stream of permutations. */
static const uint64_t shuffle_stream = 0x73706c6974ull;

void bt_dataset_clear(BtDataset *set) {
  free(set->x);
  free(set->label);
  free(set->line);
  *set = (BtDataset){0};
}

BtStatus bt_dataset_allocate(BtContext *ctx, const char *path, int labels, int text, BtDataset *set) {
  const double bytes = (double)set->rows * (double)set->features * sizeof *set->x;
  if (bytes > BT_DATASET_LIMIT)
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: %zu rows of %zu features are more than %.0f GiB", path, set->rows,
                   set->features, BT_DATASET_LIMIT / (1 << 30));
  set->x = calloc(set->rows * set->features, sizeof *set->x);
  if (labels) set->label = calloc(set->rows, sizeof *set->label);
  if (text) set->line = calloc(set->rows, sizeof *set->line);
  return set->x && (set->label || !labels) && (set->line || !text) ? BT_OK : bt_fail_memory(ctx, path, bytes);
}

BtStatus bt_dataset_read_idx(BtContext *ctx, const char *folder, const char *part, BtDataset *set) {
  BtIdx images, labels;
  *set = (BtDataset){0};
  BtStatus st = bt_idx_read_part(ctx, folder, part, &images, &labels);
  if (st < 0) return st;
  *set = (BtDataset){.rows = images.shape[0], .height = images.shape[1], .width = images.shape[2]};
  set->features = set->height * set->width;
  BT_TRY(bt_dataset_allocate(ctx, folder, 1, 0, set));
  for (size_t j = 0; j < images.size; j++) set->x[j] = images.entries[j] / 255.0;
  for (size_t i = 0; i < set->rows; i++) set->label[i] = labels.entries[i];
done:
  bt_idx_clear(&images);
  bt_idx_clear(&labels);
  if (st < 0) bt_dataset_clear(set);
  return st;
}

static int is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* "12:0.5" */
static int is_pair(const char *word, size_t length) {
  const size_t digits = strspn(word, "0123456789");
  return digits > 0 && digits < length && word[digits] == ':' && !memchr(word, ',', length);
}

/* What the first line that is neither blank nor a comment looks like: LIBSVM has a pair behind the label. */
static BtStatus recognise(BtContext *ctx, const char *path, BtDataFormat *format) {
  char *text = NULL;
  size_t size = 0;
  BtStatus st = bt_gzip_read(ctx, path, BT_DATASET_TEXT_LIMIT, &text, &size);
  if (st < 0) return st;
  if (size >= 4 && text[0] == 0 && text[1] == 0)
    st = bt_fail(ctx, BT_ERR_FORMAT, "%s: an idx file; name the folder that has images and labels", path);
  const char *line = text;
  while (*line && (*line == '#' || line[strspn(line, " \t\r")] == '\n')) {
    line += strcspn(line, "\n");
    line += *line == '\n';
  }
  *format = BT_DATA_CSV;
  for (const char *word = line + strcspn(line, " \t\n"); *word && *word != '\n';) {
    word += strspn(word, " \t");
    const size_t length = strcspn(word, " \t\r\n");
    if (is_pair(word, length)) *format = BT_DATA_LIBSVM;
    word += length + (word[length] == '\r');
  }
  free(text);
  return st;
}

BtStatus bt_dataset_read(BtContext *ctx, const char *path, const BtDataSpec *spec, BtDataset *set,
                         BtDataFormat *out) {
  BtStatus st = BT_OK;
  BtDataFormat format = spec->format;
  *set = (BtDataset){0};
  if (format == BT_DATA_AUTO && is_folder(path)) format = BT_DATA_IDX;
  if (format == BT_DATA_AUTO) BT_TRY(recognise(ctx, path, &format));
  if (format == BT_DATA_IDX) BT_TRY(bt_dataset_read_idx(ctx, path, spec->part, set));
  if (format == BT_DATA_CSV) BT_COMPLETE(bt_dataset_read_csv(ctx, path, spec->place, set));
  if (format == BT_DATA_LIBSVM) BT_COMPLETE(bt_dataset_read_libsvm(ctx, path, spec->features, set));
  if (spec->features && set->features != spec->features)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: %zu features, %zu are expected", path, set->features,
                   spec->features));
  if (out) *out = format;
done:
  if (st != BT_OK) bt_dataset_clear(set);
  return st;
}

/* weight[to][from] ← share of old cell j in new cell i, each row of sum 1. */
static void area_weights(size_t from, size_t to, double *weight) {
  const double side = (double)from / (double)to;
  for (size_t i = 0; i < to; i++)
    for (size_t j = 0; j < from; j++) {
      const double lo = fmax((double)i * side, (double)j), hi = fmin((double)(i + 1) * side, (double)(j + 1));
      weight[i * from + j] = hi > lo ? (hi - lo) / side : 0;
    }
}

/* out[h][w] ← V in Hᵀ, V = vertical[h][from_h] and H = horizontal[w][from_w]; row holds from_w numbers. */
static void resize_one(const BtDataset *set, const double *in, size_t h, size_t w, const double *vertical,
                       const double *horizontal, double *row, double *out) {
  for (size_t r = 0; r < h; r++) {
    for (size_t c = 0; c < set->width; c++) row[c] = 0;
    for (size_t k = 0; k < set->height; k++) {
      const double share = vertical[r * set->height + k];
      for (size_t c = 0; share > 0 && c < set->width; c++) row[c] += share * in[k * set->width + c];
    }
    for (size_t c = 0; c < w; c++) {
      double sum = 0;
      for (size_t k = 0; k < set->width; k++) sum += horizontal[c * set->width + k] * row[k];
      out[r * w + c] = sum;
    }
  }
}

BtStatus bt_dataset_resize(BtContext *ctx, size_t height, size_t width, BtDataset *set) {
  BtStatus st = BT_OK;
  double *vertical = NULL, *horizontal = NULL, *row = NULL, *x = NULL;
  if (set->height == 0) return bt_fail(ctx, BT_ERR_ARG, "only images (idx) can be resized");
  if (height < 1 || width < 1 || height > set->height || width > set->width)
    return bt_fail(ctx, BT_ERR_ARG,
                   "images of %zux%zu cannot be resized to %zux%zu: sizes go down to 1, not up", set->height,
                   set->width, height, width);
  vertical = calloc(height * set->height, sizeof *vertical);
  horizontal = calloc(width * set->width, sizeof *horizontal);
  row = calloc(set->width, sizeof *row);
  x = calloc(set->rows * height * width, sizeof *x);
  if (!vertical || !horizontal || !row || !x)
    BT_TRY(bt_fail_memory(ctx, "resized images", (double)(set->rows * height * width) * sizeof *x));
  area_weights(set->height, height, vertical);
  area_weights(set->width, width, horizontal);
  for (size_t i = 0; i < set->rows; i++)
    resize_one(set, set->x + i * set->features, height, width, vertical, horizontal, row,
               x + i * height * width);
  free(set->x);
  set->x = x;
  x = NULL;
  set->height = height;
  set->width = width;
  set->features = height * width;
done:
  free(vertical);
  free(horizontal);
  free(row);
  free(x);
  return st;
}

static int compare(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

BtStatus bt_dataset_classes(BtContext *ctx, const char *path, const BtDataset *set, int64_t **values,
                            size_t *count) {
  *values = NULL;
  *count = 0;
  if (!set->label) return bt_fail(ctx, BT_ERR_FORMAT, "%s: has no labels", path);
  int64_t *sorted = malloc(set->rows * sizeof *sorted);
  if (!sorted) return bt_fail_memory(ctx, path, (double)set->rows * sizeof *sorted);
  memcpy(sorted, set->label, set->rows * sizeof *sorted);
  qsort(sorted, set->rows, sizeof *sorted, compare);
  size_t n = 0;
  for (size_t i = 0; i < set->rows; i++)
    if (n == 0 || sorted[i] != sorted[n - 1]) sorted[n++] = sorted[i];
  if (n < 2 || n > BT_MOST_CLASSES) {
    free(sorted);
    return n < 2 ? bt_fail(ctx, BT_ERR_FORMAT,
                           "%s: all rows have the same label; two classes at least are wanted", path)
                 : bt_fail(
                       ctx, BT_ERR_FORMAT,
                       "%s: %zu different labels, %d at most are supported; is the label in another column?",
                       path, n, BT_MOST_CLASSES);
  }
  *values = sorted;
  *count = n;
  return BT_OK;
}

BtStatus bt_dataset_index(BtContext *ctx, const char *path, const BtDataset *set, const int64_t *values,
                          size_t count, int32_t *index) {
  for (size_t i = 0; i < set->rows; i++) {
    const int64_t *found = bsearch(&set->label[i], values, count, sizeof *values, compare);
    if (!found)
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: %s %zu has the label %lld, which is none of the %zu classes",
                     path, set->line ? "line" : "row", set->line ? set->line[i] : i + 1,
                     (long long)set->label[i], count);
    index[i] = (int32_t)(found - values);
  }
  return BT_OK;
}

/* Fisher–Yates; the bias of scaling 53 bits to n ≤ 2³² is below 10⁻⁶ of a share. */
void bt_shuffle(uint64_t seed, size_t n, size_t *order) {
  for (size_t i = 0; i < n; i++) order[i] = i;
  for (size_t i = n; i > 1; i--) {
    const size_t j = (size_t)(bt_rng_uniform(seed, shuffle_stream, i) * (double)i);
    const size_t kept = order[i - 1];
    order[i - 1] = order[j];
    order[j] = kept;
  }
}

double bt_dataset_fingerprint(const BtDataset *set) {
  double sum = (double)set->rows + 1e-3 * (double)set->features;
  for (size_t i = 0; i < set->rows; i++) {
    double row = 0;
    for (size_t j = 0; j < set->features; j++) row += set->x[i * set->features + j] * (double)(j % 97 + 1);
    const double weight = (double)(i % 1009 + 1) / 1009;
    sum += weight * (row + (set->label ? (double)set->label[i] : 0));
  }
  return sum;
}
