#include "imageio/set.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/file.h"

static int has_image_extension(const char *name) {
  static const char *const known[] = {"png", "tif", "tiff"};
  const char *extension = bt_path_extension(name);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcasecmp(extension, known[i]) == 0) return 1;
  return 0;
}

static int compare_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Appends a path, which the set owns from here on even if this fails. */
static BtStatus append(BtContext *ctx, BtImageSet *set, char *path) {
  if (!path) return bt_fail_memory(ctx, "a file name", 0.0);
  /* Room grows at counts that are powers of two. */
  if ((set->count & (set->count - 1)) == 0) {
    const size_t room = set->count ? 2 * set->count : 1;
    char **larger = realloc(set->paths, room * sizeof *larger);
    if (!larger) {
      free(path);
      return bt_fail_memory(ctx, "a list of files", (double)room * sizeof *larger);
    }
    set->paths = larger;
  }
  set->paths[set->count++] = path;
  return BT_OK;
}

/* The image files of a folder, hidden ones apart, sorted; none is not an error. */
static BtStatus list_folder(BtContext *ctx, const char *folder, BtImageSet *set) {
  BtStatus st = BT_OK;
  const size_t first = set->count;
  DIR *dir = opendir(folder);
  if (!dir) return bt_fail(ctx, BT_ERR_IO, "%s: %s", folder, strerror(errno));
  for (;;) {
    struct stat info;
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (!entry) {
      if (errno) st = bt_fail(ctx, BT_ERR_IO, "%s: %s", folder, strerror(errno));
      break;
    }
    if (entry->d_name[0] == '.' || !has_image_extension(entry->d_name)) continue;
    char *path = bt_path_join(folder, entry->d_name);
    if (path && (stat(path, &info) != 0 || !S_ISREG(info.st_mode))) {
      free(path);
      continue;
    }
    BT_TRY(append(ctx, set, path));
  }
  if (set->count > first) qsort(set->paths + first, set->count - first, sizeof *set->paths, compare_text);
done:
  (void)closedir(dir);
  return st;
}

BtStatus bt_image_set_list(BtContext *ctx, const char *const *paths, size_t count, BtImageSet *set) {
  BtStatus st = BT_OK;
  *set = (BtImageSet){0};
  for (size_t i = 0; i < count; i++) {
    struct stat info;
    const size_t before = set->count;
    if (stat(paths[i], &info) != 0) {
      st = bt_fail(ctx, BT_ERR_IO, "%s: %s", paths[i], strerror(errno));
      goto done;
    }
    if (!S_ISDIR(info.st_mode)) {
      BT_TRY(append(ctx, set, bt_copy_text(paths[i])));
      continue;
    }
    BT_TRY(list_folder(ctx, paths[i], set));
    if (set->count == before) {
      st = bt_fail(ctx, BT_ERR_ARG, "%s: no images (.png, .tif, .tiff) in this folder", paths[i]);
      goto done;
    }
  }
done:
  if (st < 0) bt_image_set_clear(set);
  return st;
}

void bt_image_set_clear(BtImageSet *set) {
  for (size_t i = 0; i < set->count; i++) free(set->paths[i]);
  free(set->paths);
  *set = (BtImageSet){0};
}

/* Length of a base name without its extension and dot. */
static size_t stem_length(const char *base) {
  const char *extension = bt_path_extension(base);
  return *extension ? (size_t)(extension - base) - 1 : strlen(base);
}

BtStatus bt_image_set_partner(BtContext *ctx, const char *folder, const char *path, char **found) {
  BtStatus st = BT_OK;
  BtImageSet set = {0};
  struct stat info;
  const char *base = bt_path_base(path);
  const size_t stem = stem_length(base);
  *found = bt_path_join(folder, base);
  if (!*found) return bt_fail_memory(ctx, "a file name", (double)(strlen(folder) + strlen(base)));
  if (stat(*found, &info) == 0 && !S_ISDIR(info.st_mode)) return BT_OK;
  free(*found);
  *found = NULL;

  BT_TRY(list_folder(ctx, folder, &set));
  for (size_t i = 0; i < set.count; i++) {
    const char *other = bt_path_base(set.paths[i]);
    if (stem_length(other) != stem || strncmp(other, base, stem) != 0) continue;
    *found = set.paths[i];
    set.paths[i] = NULL;
    break;
  }
  if (!*found) st = bt_fail(ctx, BT_ERR_IO, "%s: no image in %s has its name", path, folder);
done:
  bt_image_set_clear(&set);
  return st;
}
