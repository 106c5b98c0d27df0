/* regularizers/model_library.h: model files by name and noise level.
 *
 * A library is a list of folders with files NAME-SIGMA.json: tv-25.json is the model "tv" learned for noise
 * of standard deviation 25 on the 0–255 scale. */
#ifndef BITUNE_REGULARIZERS_MODEL_LIBRARY_H
#define BITUNE_REGULARIZERS_MODEL_LIBRARY_H

#include "regularizers/model_level.h"

typedef struct {
  char *path;   /* owned                                                         */
  char *name;   /* owned; the file's name up to the level                          */
  double sigma; /* level by the file's name                                       */
} BtModelFile;

/* Files of one model, or of all, by rising name and level. */
typedef struct {
  BtModelFile *files; /* [count], owned */
  size_t count;
  int levels; /* 1: a name that stands for all its levels; 0: one file that was asked for */
} BtModelFiles;

/* Every model of the library. Where folders have the same name, the first folder's levels count. Folders that
 * are missing or cannot be read are empty. BT_ERR_MEMORY. */
BtStatus bt_model_library_list(BtContext *ctx, const char *const *folders, size_t folder_count,
                               BtModelFiles *all);

/* What `model` stands for: a name in the library ("tv": all its levels; "tv-25": that one), else a file. A
 * text with a slash or the ending .json is always a file. Errors: BT_ERR_IO if it is neither, naming what the
 * library has; BT_ERR_MEMORY. Files are not read yet. */
BtStatus bt_model_library_find(BtContext *ctx, const char *const *folders, size_t folder_count,
                               const char *model, BtModelFiles *files);
void bt_model_files_clear(BtModelFiles *files);

/* A model ready for use at one noise level. */
typedef struct {
  BtModel model;    /* adapted; model.sigma is the level it is used at                                    */
  double learned;   /* level it was learned for, of file[0]                                               */
  size_t file[2];   /* where it came from, index in files; equal unless interpolated                       */
  BtAdaptation how; /* BT_ADAPT_NONE if the file is used as it is                                          */
} BtLevelModel;

/* The model for noise level sigma: the file of that level, else the nearest level in log σ, adapted by
 * `rule`. NAN: one file as it was learned. Interpolation takes the two neighbouring levels; outside of the
 * levels, or where neighbours are not of one kind, it is BT_ADAPT_CONTRAST from the nearest. Errors: those of
 * bt_model_load(); BT_ERR_ARG if sigma is missing for a name with levels; BT_ERR_FORMAT if a file was learned
 * for another level than its name says. */
BtStatus bt_model_library_load(BtContext *ctx, const BtModelFiles *files, double sigma, BtAdaptation rule,
                               BtLevelModel *out);
void bt_level_model_clear(BtLevelModel *model);

#endif
