#include "images/models.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_info.h"
#include "core/file.h"
#include "regularizers/catalog.h"

#define MOST_FOLDERS 16
#define LONGEST_PATH 4096

typedef struct {
  char *path[MOST_FOLDERS]; /* owned */
  size_t count;
} Folders;

static BtStatus add(BtContext *ctx, Folders *folders, const char *start, size_t length) {
  if (length == 0 || folders->count == MOST_FOLDERS) return BT_OK;
  char *copy = malloc(length + 1);
  if (!copy) return bt_fail_memory(ctx, "a list of folders", (double)length);
  memcpy(copy, start, length);
  copy[length] = '\0';
  folders->path[folders->count++] = copy;
  return BT_OK;
}

/* The folder of the running program; 0 if it cannot be told. */
static int program_folder(char *folder, size_t size) {
  const ssize_t n = readlink("/proc/self/exe", folder, size - 1);
  if (n <= 0) return 0;
  folder[n] = '\0';
  char *slash = strrchr(folder, '/');
  if (!slash) return 0;
  *slash = '\0';
  return 1;
}

static BtStatus find_folders(BtContext *ctx, Folders *folders) {
  BtStatus st = BT_OK;
  char program[LONGEST_PATH], beside[LONGEST_PATH + sizeof BT_MODELS_FROM_BIN];
  for (const char *at = getenv("BITUNE_MODELS"); at && *at;) {
    const size_t length = strcspn(at, ":");
    BT_TRY(add(ctx, folders, at, length));
    at += length + (at[length] == ':');
  }
  if (program_folder(program, sizeof program)) {
    if (strcmp(program, BT_BUILD_BIN) == 0) {
      BT_TRY(add(ctx, folders, BT_SOURCE_MODELS, strlen(BT_SOURCE_MODELS)));
      goto done;
    }
    const int n = snprintf(beside, sizeof beside, "%s/%s", program, BT_MODELS_FROM_BIN);
    BT_TRY(add(ctx, folders, beside, (size_t)n));
  }
  BT_TRY(add(ctx, folders, BT_INSTALLED_MODELS, strlen(BT_INSTALLED_MODELS)));
done:
  return st;
}

BtStatus bt_models_find(BtContext *ctx, const char *model, BtModelFiles *files) {
  Folders folders = {0};
  BtStatus st = find_folders(ctx, &folders);
  if (st >= 0)
    st = bt_model_library_find(ctx, (const char *const *)folders.path, folders.count, model, files);
  for (size_t i = 0; i < folders.count; i++) free(folders.path[i]);
  return st;
}

static const char *how_name(BtAdaptation how, char *buffer, size_t size) {
  return bt_choice_name(BT_ADAPTATION_CHOICES, (int)how, buffer, size);
}

json_t *bt_models_json(const BtModelFiles *files, const BtLevelModel *m) {
  char how[32];
  const BtRegularizer *reg = &m->model.regularizer;
  json_t *file = bt_app_text_json(files->files[m->file[0]].path);
  if (m->file[1] != m->file[0])
    file = json_pack("[o, o]", file, bt_app_text_json(files->files[m->file[1]].path));
  json_t *object =
      json_pack("{s:o, s:s, s:s, s:I, s:f, s:f, s:s}", "file", file, "name", reg->ops->name, "variant",
                bt_regularizer_variant_name(reg), "parameters", (json_int_t)reg->parameters, "sigma",
                m->model.sigma, "sigma_learned", m->learned, "adapted", how_name(m->how, how, sizeof how));
  if (object && reg->filters) {
    (void)json_object_set_new(object, "filters", json_integer((json_int_t)reg->filters));
    (void)json_object_set_new(object, "size", json_integer((json_int_t)reg->size));
  }
  return object;
}

void bt_models_describe(const BtModelFiles *files, const BtLevelModel *m, char *text, size_t size) {
  char how[32];
  const BtRegularizer *reg = &m->model.regularizer;
  const char *first = files->files[m->file[0]].path, *second = files->files[m->file[1]].path;
  const int n =
      snprintf(text, size, "%s%s%s (%s %s), learned for sigma %g", first, first == second ? "" : " and ",
               first == second ? "" : second, reg->ops->name, bt_regularizer_variant_name(reg), m->learned);
  if (n < 0 || (size_t)n >= size || m->learned == m->model.sigma) return;
  if (m->how == BT_ADAPT_NONE)
    (void)snprintf(text + n, size - (size_t)n, ", used as it is for %g", m->model.sigma);
  else
    (void)snprintf(text + n, size - (size_t)n, ", adapted to %g (%s)", m->model.sigma,
                   how_name(m->how, how, sizeof how));
}

const char *bt_models_certificate(BtProof proof, int certified, int reached) {
  if (certified) return "proven";
  switch (proof) {
    case BT_PROVEN: return "proven, but --tol was NOT reached";
    case BT_ESTIMATED:
      return reached ? "estimated, not proven" : "estimated, not proven; --tol was NOT reached";
    default:
      return reached ? "no certificate for this model; the solver converged"
                     : "no certificate for this model; the solver did NOT converge";
  }
}
