/* apps/images/models.h: the model that --model and --sigma name, and what is told about it. */
#ifndef BITUNE_APPS_MODELS_H
#define BITUNE_APPS_MODELS_H

#include "lowerlevel/denoiser.h"
#include "program/app.h"
#include "regularizers/model_library.h"

/* What `model` stands for in the folders that models are looked for in: those of the environment variable
 * BITUNE_MODELS (separated by colons), the installed ones beside the program, and the source tree's for a
 * program that was not installed. Errors: those of bt_model_library_find(). */
BtStatus bt_models_find(BtContext *ctx, const char *model, BtModelFiles *files);

/* {"file", "name", "variant", "parameters", "sigma", "sigma_learned", "adapted"}; "file" is a list of two
 * where two models were interpolated. New reference. */
json_t *bt_models_json(const BtModelFiles *files, const BtLevelModel *model);

/* "FILE (foe convex), learned for sigma 25, adapted to 20 (contrast)" into text[size]. */
void bt_models_describe(const BtModelFiles *files, const BtLevelModel *model, char *text, size_t size);

/* What a result is worth, in words: "proven", "estimated, not proven", "no certificate: …". */
const char *bt_models_certificate(BtProof proof, int certified, int reached);

/* Row of an option table for a struct's int field. */
#define BT_OPT_ADAPT(Type, field)                                                                          \
  BT_OPT_CHOICE(                                                                                           \
      "adapt", Type, field, BT_ADAPT_AUTO, BT_ADAPTATION_CHOICES,                                          \
      "how a model learned for another noise level is used: scaled with the image's contrast, its weight " \
      "scaled with the variance, mixed from the neighbouring levels, or as it is; auto: mixed for tv, "    \
      "else by contrast")

#endif
