/* What the results look like: one image of the task, noisy, denoised by the best and the worst run's model,
 * clean. The program's own commands make them, so that this file needs no image code. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "compare/compare.h"
#include "core/file.h"
#include "core/json.h"

#define LARGEST_PICTURE ((size_t)4 << 20)
#define RESULT_LIMIT ((size_t)16 << 20)
#define MOST_WORDS 12

typedef struct {
  BtContext *ctx;
  const BtCompare *all;
  char *folder, *out, *err; /* DIR/samples, and where its processes print */
  char *image;              /* the clean image */
} Studio;

static int is_image(const char *name) {
  static const char *const extensions[] = {"png", "tif", "tiff"};
  for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
    if (*name != '.' && strcasecmp(bt_path_extension(name), extensions[i]) == 0) return 1;
  return 0;
}

/* The folder's first image by name, or the file itself; malloc'ed, NULL if there is none. */
static char *first_image(const char *path) {
  struct stat info;
  char *first = NULL, *found;
  if (stat(path, &info) != 0) return NULL;
  if (!S_ISDIR(info.st_mode)) return bt_copy_text(path);
  DIR *dir = opendir(path);
  for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
    if (!is_image(entry->d_name) || (first && strcmp(entry->d_name, first) >= 0)) continue;
    free(first);
    first = bt_copy_text(entry->d_name);
  }
  if (dir) (void)closedir(dir);
  found = first ? bt_path_join(path, first) : NULL;
  free(first);
  return found;
}

/* Runs `bitune WORD …`; words are NULL-terminated. BT_ERR_LIBRARY with its own message if it fails. */
static BtStatus call(Studio *s, const char *const *words) {
  char *argv[MOST_WORDS + 2] = {s->all->program};
  int code;
  for (size_t i = 0; words[i] && i < MOST_WORDS; i++) argv[i + 1] = (char *)words[i];
  const BtStatus st = bt_compare_call(s->ctx, argv, s->out, s->err, &code);
  if (st != BT_OK || code == 0 || code == 3) return st;
  char *said = bt_compare_last_error(s->err);
  const BtStatus failed =
      bt_fail(s->ctx, BT_ERR_LIBRARY, "bitune %s: %.600s", words[0], said ? said : "failed");
  free(said);
  return failed;
}

static char *format(const char *name, const char *folder, const char *file) {
  const size_t size = strlen(name) + strlen(folder) + strlen(file) + 8;
  char *word = malloc(size);
  if (word) snprintf(word, size, "%s=%s%s%s", name, folder, *file ? "/" : "", file);
  return word;
}

/* The first page of an image as PNG bytes. */
static BtStatus take_picture(Studio *s, const char *image, const char *name, BtCompareSample *sample) {
  BtStatus st = BT_OK;
  char *word = format("--output", s->folder, name), *path = bt_path_join(s->folder, name);
  if (!word || !path) BT_TRY(bt_fail_memory(s->ctx, "a sample", 0));
  BT_TRY(call(s, (const char *const[]){"montage", word, image, NULL}));
  if (st == BT_OK) BT_TRY(bt_file_read(s->ctx, path, LARGEST_PICTURE, &sample->png, &sample->size));
done:
  free(word);
  free(path);
  return st;
}

/* The one image file in a folder of results. */
static BtStatus picture_of(Studio *s, const char *name, const char *png, BtCompareSample *sample) {
  char *folder = bt_path_join(s->folder, name), *image = folder ? first_image(folder) : NULL;
  const BtStatus st = image ? take_picture(s, image, png, sample)
                            : bt_fail(s->ctx, BT_ERR_LIBRARY, "no image was written to %s", name);
  free(folder);
  free(image);
  return st;
}

static BtStatus make_noisy(Studio *s, int64_t seed, double sigma) {
  char level[64], number[64];
  char *folder = format("--output", s->folder, "noisy");
  snprintf(level, sizeof level, "--sigma=%.17g", sigma);
  snprintf(number, sizeof number, "--seed=%lld", (long long)seed);
  const BtStatus st = folder ? call(s, (const char *const[]){"noise", level, number, "--format=tif-float",
                                                             folder, "--jobs=1", s->image, NULL})
                             : bt_fail_memory(s->ctx, "a sample", 0);
  free(folder);
  return st;
}

/* Denoises the sample by a run's model; PSNR before and after. */
static BtStatus denoise(Studio *s, const BtCompareRun *run, const char *name, double *before, double *after) {
  BtStatus st = BT_OK;
  json_t *result = NULL;
  char *model = format("--model", run->folder, "model.json"), *output = format("--output", s->folder, name);
  char *noisy = bt_path_join(s->folder, "noisy"), *reference = NULL;
  const size_t length = (size_t)(bt_path_base(s->image) - s->image);
  char *clean = malloc(length + 2);
  if (clean) snprintf(clean, length + 2, "%.*s", (int)length, s->image);
  reference = clean ? format("--reference", clean, "") : NULL;
  if (!model || !output || !noisy || !reference) BT_TRY(bt_fail_memory(s->ctx, "a sample", 0));
  BT_TRY(
      call(s, (const char *const[]){"denoise", model, output, reference, "--json", "--jobs=1", noisy, NULL}));
  if (st == BT_STOPPED) goto done;
  BT_TRY(bt_json_load(s->ctx, s->out, RESULT_LIMIT, &result));
  const json_t *psnr = json_object_get(result, "psnr_mean"),
               *noise = json_object_get(result, "psnr_noisy_mean");
  *after = json_is_number(psnr) ? json_number_value(psnr) : (double)NAN;
  *before = json_is_number(noise) ? json_number_value(noise) : (double)NAN;
done:
  json_decref(result);
  free(model);
  free(output);
  free(noisy);
  free(clean);
  free(reference);
  return st;
}

/* The runs with the least and the greatest final loss relative to the best. */
static void choose(const BtCompare *all, const BtCompareRun **best, const BtCompareRun **worst) {
  *best = *worst = NULL;
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    if (run->state != BT_RUN_FINISHED || !isfinite(run->distance)) continue;
    if (!*best || run->distance < (*best)->distance) *best = run;
    if (!*worst || run->distance > (*worst)->distance) *worst = run;
  }
}

static BtStatus make_all(Studio *s, const BtCompareRun *best, const BtCompareRun *worst, double sigma,
                         BtCompareSample *samples) {
  BtStatus st = BT_OK;
  const char *name = bt_path_base(s->image);
  double noisy = (double)NAN;
  BT_TRY(make_noisy(s, best->has_seed ? best->seed : 1, sigma));
  if (st != BT_OK) goto done;
  BT_TRY(denoise(s, best, "best", &noisy, &samples[BT_SAMPLE_BEST].psnr));
  if (st == BT_STOPPED) goto done;
  BT_TRY(denoise(s, worst, "worst", &noisy, &samples[BT_SAMPLE_WORST].psnr));
  if (st == BT_STOPPED) goto done;
  samples[BT_SAMPLE_NOISY].psnr = noisy;
  samples[BT_SAMPLE_CLEAN].psnr = (double)NAN;
  BT_TRY(picture_of(s, "noisy", "noisy.png", &samples[BT_SAMPLE_NOISY]));
  BT_TRY(picture_of(s, "best", "best.png", &samples[BT_SAMPLE_BEST]));
  BT_TRY(picture_of(s, "worst", "worst.png", &samples[BT_SAMPLE_WORST]));
  BT_TRY(take_picture(s, s->image, "clean.png", &samples[BT_SAMPLE_CLEAN]));
  snprintf(samples[BT_SAMPLE_NOISY].caption, sizeof samples->caption, "Noisy, σ = %g", sigma);
  snprintf(samples[BT_SAMPLE_BEST].caption, sizeof samples->caption, "Best: %.120s", best->name);
  snprintf(samples[BT_SAMPLE_WORST].caption, sizeof samples->caption, "Worst: %.120s", worst->name);
  snprintf(samples[BT_SAMPLE_CLEAN].caption, sizeof samples->caption, "Clean: %.120s", name);
done:
  return st;
}

BtStatus bt_compare_samples(BtContext *ctx, const BtCompare *all, BtCompareSample *samples, size_t *count,
                            char **why) {
  Studio studio = {.ctx = ctx, .all = all};
  const BtCompareRun *best, *worst;
  BtStatus st = BT_OK;
  *count = 0;
  *why = NULL;
  const json_t *train = json_object_get(all->spec.options, "train"),
               *sigma = json_object_get(all->spec.options, "sigma");
  choose(all, &best, &worst);
  if (!bt_command_find("denoise") || !json_is_string(train) || !json_is_number(sigma) || !best) return BT_OK;
  studio.folder = bt_path_join(all->output, "samples");
  studio.out = studio.folder ? bt_path_join(studio.folder, "output.json") : NULL;
  studio.err = studio.folder ? bt_path_join(studio.folder, "messages.txt") : NULL;
  if (!studio.err || !studio.out) BT_TRY(bt_fail_memory(ctx, "samples", 0));
  BT_TRY(bt_make_folder(ctx, studio.folder));
  studio.image = first_image(json_string_value(train));
  if (!studio.image) goto done;
  st = make_all(&studio, best, worst, json_number_value(sigma), samples);
  if (st == BT_OK) *count = BT_SAMPLE_COUNT;
  if (st < 0 && st != BT_ERR_MEMORY) {
    /* Pictures are an extra: the report says why there are none. */
    *why = bt_copy_text(ctx->error);
    st = BT_OK;
  }
done:
  free(studio.folder);
  free(studio.out);
  free(studio.err);
  free(studio.image);
  return st;
}

void bt_compare_samples_clear(BtCompareSample *samples) {
  for (int i = 0; i < BT_SAMPLE_COUNT; i++) free(samples[i].png);
}
