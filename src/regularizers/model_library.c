#include "regularizers/model_library.h"

#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

/* Levels closer than this are the same: a level that went through text. */
#define SAME_LEVEL 1e-9

static const char *const extension = ".json";

static int ends_in_json(const char *text) {
  const size_t n = strlen(text), m = strlen(extension);
  return n > m && strcmp(text + n - m, extension) == 0;
}

/* Takes "NAME-SIGMA.json" apart; returns the length of NAME, 0 if it is no such name. */
static size_t parse_file_name(const char *base, double *sigma) {
  if (!ends_in_json(base)) return 0;
  const char *end = base + strlen(base) - strlen(extension), *digits = end;
  while (digits > base && ((digits[-1] >= '0' && digits[-1] <= '9') || digits[-1] == '.')) digits--;
  if (digits == end || digits < base + 2 || digits[-1] != '-') return 0;
  char number[32], *stop;
  const size_t length = (size_t)(end - digits);
  if (length >= sizeof number) return 0;
  memcpy(number, digits, length);
  number[length] = '\0';
  *sigma = strtod(number, &stop);
  return !*stop && *sigma > 0 && *sigma <= 1e6 ? (size_t)(digits - 1 - base) : 0;
}

static BtStatus add_file(BtContext *ctx, BtModelFiles *list, const char *path, const char *name,
                         size_t length, double sigma) {
  BtModelFile *files = realloc(list->files, (list->count + 1) * sizeof *files);
  if (files) list->files = files;
  char *own_path = bt_copy_text(path), *own_name = malloc(length + 1);
  if (!files || !own_path || !own_name) {
    free(own_path);
    free(own_name);
    return bt_fail_memory(ctx, "a list of models", (double)(list->count + 1) * sizeof *files);
  }
  memcpy(own_name, name, length);
  own_name[length] = '\0';
  list->files[list->count++] = (BtModelFile){.path = own_path, .name = own_name, .sigma = sigma};
  return BT_OK;
}

/* Whether one of the first `count` files has this name. */
static int has_name(const BtModelFiles *list, size_t count, const char *name, size_t length) {
  for (size_t i = 0; i < count; i++)
    if (strlen(list->files[i].name) == length && strncmp(list->files[i].name, name, length) == 0) return 1;
  return 0;
}

static BtStatus add_folder(BtContext *ctx, const char *folder, BtModelFiles *all) {
  BtStatus st = BT_OK;
  const size_t earlier = all->count;
  DIR *dir = opendir(folder);
  if (!dir) return BT_OK;
  for (const struct dirent *entry = readdir(dir); entry && st >= 0; entry = readdir(dir)) {
    double sigma;
    const size_t length = parse_file_name(entry->d_name, &sigma);
    if (length == 0 || has_name(all, earlier, entry->d_name, length)) continue;
    char *path = bt_path_join(folder, entry->d_name);
    st =
        path ? add_file(ctx, all, path, entry->d_name, length, sigma) : bt_fail_memory(ctx, "a file name", 0);
    free(path);
  }
  (void)closedir(dir);
  return st;
}

static int by_name_and_level(const void *left, const void *right) {
  const BtModelFile *a = left, *b = right;
  const int names = strcmp(a->name, b->name);
  if (names) return names;
  if (a->sigma != b->sigma) return a->sigma < b->sigma ? -1 : 1;
  return strcmp(a->path, b->path);
}

BtStatus bt_model_library_list(BtContext *ctx, const char *const *folders, size_t folder_count,
                               BtModelFiles *all) {
  BtStatus st = BT_OK;
  *all = (BtModelFiles){0};
  for (size_t i = 0; i < folder_count && st >= 0; i++) st = add_folder(ctx, folders[i], all);
  if (st < 0)
    bt_model_files_clear(all);
  else if (all->count)
    qsort(all->files, all->count, sizeof *all->files, by_name_and_level);
  return st;
}

void bt_model_files_clear(BtModelFiles *files) {
  for (size_t i = 0; i < files->count; i++) {
    free(files->files[i].path);
    free(files->files[i].name);
  }
  free(files->files);
  *files = (BtModelFiles){0};
}

/* Appends to text[size], which it never overruns. */
static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t size, const char *format, ...) {
  const size_t used = strlen(text);
  va_list list;
  va_start(list, format);
  (void)vsnprintf(text + used, size - used, format, list);
  va_end(list);
}

/* "tv (5, 15, 25), foe (25)". */
static void describe(const BtModelFiles *all, char *text, size_t size) {
  *text = '\0';
  for (size_t i = 0; i < all->count; i++) {
    const int new_name = i == 0 || strcmp(all->files[i - 1].name, all->files[i].name) != 0;
    if (new_name) append(text, size, "%s%s (", i ? "), " : "", all->files[i].name);
    append(text, size, "%s%g", new_name ? "" : ", ", all->files[i].sigma);
  }
  if (all->count) append(text, size, ")");
}

static BtStatus keep_matching(BtContext *ctx, const BtModelFiles *all, const char *model,
                              BtModelFiles *files) {
  BtStatus st = BT_OK;
  for (size_t i = 0; i < all->count && st >= 0; i++) {
    const BtModelFile *f = &all->files[i];
    const char *base = bt_path_base(f->path);
    const size_t stem = strlen(base) - strlen(extension);
    const int named = strcmp(f->name, model) == 0;
    if (!named && !(strlen(model) == stem && strncmp(base, model, stem) == 0)) continue;
    files->levels |= named;
    st = add_file(ctx, files, f->path, f->name, strlen(f->name), f->sigma);
  }
  return st;
}

static int is_there(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file) (void)fclose(file);
  return file != NULL;
}

BtStatus bt_model_library_find(BtContext *ctx, const char *const *folders, size_t folder_count,
                               const char *model, BtModelFiles *files) {
  BtStatus st = BT_OK;
  BtModelFiles all = {0};
  char known[600];
  *files = (BtModelFiles){0};
  if (strchr(model, '/') || ends_in_json(model))
    return add_file(ctx, files, model, model, strlen(model), NAN);
  BT_TRY(bt_model_library_list(ctx, folders, folder_count, &all));
  BT_TRY(keep_matching(ctx, &all, model, files));
  if (files->count) goto done;
  if (is_there(model)) {
    st = add_file(ctx, files, model, model, strlen(model), NAN);
    goto done;
  }
  describe(&all, known, sizeof known);
  st = bt_fail(
      ctx, BT_ERR_IO, "no model file and no model named \"%.80s\"; %s%s", model,
      all.count ? "there are, with their noise levels: " : "no models are installed (see BITUNE_MODELS)",
      known);
done:
  bt_model_files_clear(&all);
  if (st < 0) bt_model_files_clear(files);
  return st;
}

/* A file's model; what its name says must be true. */
static BtStatus load(BtContext *ctx, const BtModelFile *file, BtModel *model) {
  const BtStatus st = bt_model_load(ctx, file->path, model);
  if (st < 0 || isnan(file->sigma) || fabs(model->sigma - file->sigma) <= SAME_LEVEL * file->sigma) return st;
  const double sigma = model->sigma;
  bt_model_clear(model);
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: sigma is %g, the file's name says %g", file->path, sigma,
                 file->sigma);
}

static size_t nearest(const BtModelFiles *files, double sigma) {
  size_t best = 0;
  for (size_t i = 1; i < files->count; i++)
    if (fabs(log(files->files[i].sigma / sigma)) < fabs(log(files->files[best].sigma / sigma))) best = i;
  return best;
}

/* Neighbours of sigma, if it is between two levels and their models are of one kind. */
static BtStatus interpolate(BtContext *ctx, const BtModelFiles *files, double sigma, BtAdaptation rule,
                            BtLevelModel *out, int *done) {
  BtStatus st = BT_OK;
  BtModel other = {0};
  size_t above = 0;
  *done = 0;
  while (above < files->count && files->files[above].sigma < sigma) above++;
  if (above == 0 || above == files->count) return BT_OK;
  BT_TRY(load(ctx, &files->files[above - 1], &out->model));
  BT_TRY(load(ctx, &files->files[above], &other));
  if (bt_model_same_kind(&out->model, &other) &&
      (rule == BT_ADAPT_INTERPOLATE || other.regularizer.filters == 0)) {
    out->learned = out->model.sigma;
    bt_model_interpolate(&out->model, &other, sigma);
    out->file[0] = above - 1;
    out->file[1] = above;
    out->how = BT_ADAPT_INTERPOLATE;
    *done = 1;
  } else {
    bt_model_clear(&out->model);
  }
done:
  bt_model_clear(&other);
  return st;
}

BtStatus bt_model_library_load(BtContext *ctx, const BtModelFiles *files, double sigma, BtAdaptation rule,
                               BtLevelModel *out) {
  BtStatus st = BT_OK;
  int done = 0;
  *out = (BtLevelModel){.how = BT_ADAPT_NONE};
  if (isnan(sigma) && files->count > 1)
    BT_TRY(bt_fail(ctx, BT_ERR_ARG,
                   "model \"%s\" has several noise levels; give --sigma, or one of its files (%s, …)",
                   files->files[0].name, files->files[0].path));
  const size_t i = isnan(sigma) || isnan(files->files[0].sigma) ? 0 : nearest(files, sigma);
  const double level = files->files[i].sigma;
  const int exact = isnan(sigma) || fabs(level - sigma) <= SAME_LEVEL * sigma;
  if ((rule == BT_ADAPT_AUTO || rule == BT_ADAPT_INTERPOLATE) && !exact && files->count > 1)
    BT_TRY(interpolate(ctx, files, sigma, rule, out, &done));
  if (done) goto done;
  BT_TRY(load(ctx, &files->files[i], &out->model));
  out->learned = out->model.sigma;
  out->file[0] = out->file[1] = i;
  if (exact || fabs(out->learned - sigma) <= SAME_LEVEL * sigma) goto done;
  out->how = bt_model_adapt(&out->model, sigma, rule);
done:
  if (st < 0) bt_level_model_clear(out);
  return st;
}

void bt_level_model_clear(BtLevelModel *model) {
  bt_model_clear(&model->model);
  memset(model, 0, sizeof *model);
}
