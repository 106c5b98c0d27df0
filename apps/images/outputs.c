#include "images/outputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"

/* Identity of a file on disk, sorted to find equal ones. */
typedef struct {
  dev_t device;
  ino_t inode;
  size_t index;
} Identity;

static int compare_identities(const void *a, const void *b) {
  const Identity *x = a, *y = b;
  if (x->device != y->device) return x->device < y->device ? -1 : 1;
  return x->inode < y->inode ? -1 : x->inode > y->inode;
}

typedef struct {
  const char *path;
  size_t index;
} Named;

static int compare_names(const void *a, const void *b) {
  return strcmp(((const Named *)a)->path, ((const Named *)b)->path);
}

/* folder/name with the extension replaced, malloc'ed. */
static char *output_path(const char *folder, const char *input, const char *extension) {
  const char *base = bt_path_base(input);
  if (!extension) return bt_path_join(folder, base);
  const char *old = bt_path_extension(base);
  const size_t stem = *old ? (size_t)(old - base) - 1 : strlen(base);
  const size_t size = stem + strlen(extension) + 2;
  char *name = malloc(size);
  if (!name) return NULL;
  snprintf(name, size, "%.*s.%s", (int)stem, base, extension);
  char *path = bt_path_join(folder, name);
  free(name);
  return path;
}

static BtStatus check_distinct(BtContext *ctx, const BtImageSet *inputs, const BtImageSet *outputs) {
  BtStatus st = BT_OK;
  Named *names = malloc(outputs->count * sizeof *names + 1);
  if (!names) return bt_fail_memory(ctx, "output names", (double)outputs->count * sizeof *names);
  for (size_t i = 0; i < outputs->count; i++) names[i] = (Named){outputs->paths[i], i};
  qsort(names, outputs->count, sizeof *names, compare_names);
  for (size_t i = 1; i < outputs->count && st >= 0; i++)
    if (strcmp(names[i - 1].path, names[i].path) != 0)
      continue;
    else if (bt_same_file(inputs->paths[names[i - 1].index], inputs->paths[names[i].index]))
      st = bt_fail(ctx, BT_ERR_ARG, "%s is named twice", inputs->paths[names[i].index]);
    else
      st = bt_fail(ctx, BT_ERR_ARG, "%s and %s would both be written to %s; give them different -o folders",
                   inputs->paths[names[i - 1].index], inputs->paths[names[i].index], names[i].path);
  free(names);
  return st;
}

static BtStatus check_inputs_kept(BtContext *ctx, const BtImageSet *inputs, const BtImageSet *outputs) {
  BtStatus st = BT_OK;
  struct stat info;
  size_t known = 0;
  Identity *files = malloc(inputs->count * sizeof *files + 1);
  if (!files) return bt_fail_memory(ctx, "input names", (double)inputs->count * sizeof *files);
  for (size_t i = 0; i < inputs->count; i++)
    if (stat(inputs->paths[i], &info) == 0) files[known++] = (Identity){info.st_dev, info.st_ino, i};
  qsort(files, known, sizeof *files, compare_identities);
  for (size_t i = 0; i < outputs->count && st >= 0; i++) {
    if (stat(outputs->paths[i], &info) != 0) continue;
    const Identity key = {info.st_dev, info.st_ino, 0};
    const Identity *same = bsearch(&key, files, known, sizeof *files, compare_identities);
    if (same)
      st = bt_fail(ctx, BT_ERR_ARG, "%s is an input and would be overwritten; choose another -o folder",
                   inputs->paths[same->index]);
  }
  free(files);
  return st;
}

BtStatus bt_outputs_plan(BtContext *ctx, const BtImageSet *inputs, const char *folder, const char *extension,
                         BtImageSet *outputs) {
  BtStatus st = BT_OK;
  *outputs = (BtImageSet){calloc(inputs->count + 1, sizeof *outputs->paths), inputs->count};
  if (!outputs->paths)
    return bt_fail_memory(ctx, "output names", (double)inputs->count * sizeof *outputs->paths);
  for (size_t i = 0; i < inputs->count; i++) {
    outputs->paths[i] = output_path(folder, inputs->paths[i], extension);
    if (!outputs->paths[i]) BT_TRY(bt_fail_memory(ctx, "output names", (double)strlen(inputs->paths[i])));
  }
  BT_TRY(check_distinct(ctx, inputs, outputs));
  BT_TRY(check_inputs_kept(ctx, inputs, outputs));
done:
  if (st < 0) bt_image_set_clear(outputs);
  return st;
}

size_t bt_app_count_images(BtApp *app) {
  BtImageSet set = {0};
  if (bt_image_set_list(&app->ctx, app->operands, app->operand_count, &set) < 0) return 0;
  const size_t count = set.count;
  bt_image_set_clear(&set);
  return count;
}

int bt_outputs_same_folder(const char *a, const char *b) {
  struct stat x, y;
  return stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISDIR(x.st_mode) && x.st_dev == y.st_dev &&
         x.st_ino == y.st_ino;
}

BtStatus bt_outputs_apart(BtContext *ctx, const char *const *outputs, size_t count, const BtImageSet *inputs) {
  for (size_t k = 0; k < count; k++) {
    if (!outputs[k]) continue;
    for (size_t j = 0; j < k; j++)
      if (outputs[j] && bt_same_file(outputs[k], outputs[j]))
        return bt_fail(ctx, BT_ERR_ARG, "%s would be written twice; give the outputs different names", outputs[k]);
    for (size_t i = 0; inputs && i < inputs->count; i++)
      if (bt_same_file(outputs[k], inputs->paths[i]))
        return bt_fail(ctx, BT_ERR_ARG, "%s is an input of this run and would be overwritten; choose another name",
                       outputs[k]);
  }
  return BT_OK;
}
