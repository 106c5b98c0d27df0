/* Layers that change the data: augmentations, whose strengths are hyperparameters or numbers, and the
 * standardisation that follows them. */
#include <stdlib.h>

#include "nn/augment.h"
#include "nn/model_internal.h"

enum { MOST_STRENGTHS = 4 };

/* Columns of the strengths named by keys[count] in one node; −1 for those that are missing. Returns NN_NONE
 * after an error and where all are missing. */
static NnId strengths(NnBuilder *b, NnFields *f, int count, const char *const *keys, int *column) {
  double *fixed = malloc(MOST_STRENGTHS * sizeof *fixed);
  int numbers = 0, names = 0;
  if (!fixed) return NN_NONE;
  for (int i = 0; i < count; i++) {
    const json_t *v = nn_field_value(f, keys[i]);
    NnRate rate;
    column[i] = -1;
    if (json_is_number(v) && json_number_value(v) >= 0) {
      fixed[numbers] = json_number_value(v);
      column[i] = numbers++;
    } else if (nn_build_rate_value(b, f, keys[i], v, 0, &rate)) {
      column[i] = (int)rate.column;
      names++;
    }
  }
  if (numbers + names == 0) nn_fields_fail(f, "needs a strength, \"%s\" for instance", keys[0]);
  if (numbers && names)
    nn_fields_fail(f, "its strengths must all be numbers, or all names of hyperparameters");
  if (f->status < 0 || numbers == 0) {
    free(fixed);
    return f->status < 0 ? NN_NONE : b->model->nodes.rates;
  }
  return nn_build_constants(b, (size_t)numbers, fixed);
}

static NnId flip(NnBuilder *b, NnFields *f, NnId x) {
  (void)f;
  return nn_flip(b->g, x);
}

static NnId crop(NnBuilder *b, NnFields *f, NnId x) {
  return nn_crop(b->g, x, (size_t)nn_field_int(f, "pad", 4, 0, 1024));
}

static NnId cutout(NnBuilder *b, NnFields *f, NnId x) {
  static const char *const keys[] = {"length", "holes"};
  int c[2];
  const NnId rates = strengths(b, f, 2, keys, c);
  return rates == NN_NONE ? NN_NONE : nn_cutout(b->g, x, rates, c[0], c[1]);
}

static NnId jitter(NnBuilder *b, NnFields *f, NnId x) {
  static const char *const keys[] = {"hue", "saturation", "brightness", "contrast"};
  int c[4];
  const NnId rates = strengths(b, f, 4, keys, c);
  return rates == NN_NONE ? NN_NONE : nn_jitter(b->g, x, rates, (NnJitterColumns){c[0], c[1], c[2], c[3]});
}

static NnId affine(NnBuilder *b, NnFields *f, NnId x) {
  static const char *const keys[] = {"rotation", "shear", "translation", "scale"};
  int c[4];
  const NnId rates = strengths(b, f, 4, keys, c);
  return rates == NN_NONE ? NN_NONE : nn_affine(b->g, x, rates, (NnAffineColumns){c[0], c[1], c[2], c[3]});
}

static NnId noise(NnBuilder *b, NnFields *f, NnId x) {
  static const char *const keys[] = {"scale"};
  int c[1];
  const NnId rates = strengths(b, f, 1, keys, c);
  return rates == NN_NONE ? NN_NONE : nn_input_noise(b->g, x, rates, c[0]);
}

/* (x − mean) / deviation of the training images, by channel. */
static NnId standardise(NnBuilder *b, NnFields *f, NnId x) {
  const NnProblem *p = &b->model->problem;
  const NnShape s = nn_build_shape(b, x);
  double *scale = malloc((p->channels + 1) * sizeof *scale),
         *shift = malloc((p->channels + 1) * sizeof *shift);
  if (!p->mean || s.dims == 0 || s.dim[0] != p->channels || !scale || !shift) {
    nn_fields_fail(f, "needs data with statistics of their channels, and the channels of the data");
    free(scale);
    free(shift);
    return NN_NONE;
  }
  for (size_t c = 0; c < p->channels; c++) {
    scale[c] = p->deviation[c] > 0 ? 1 / p->deviation[c] : 1;
    shift[c] = -p->mean[c] * scale[c];
  }
  const NnId factor = nn_build_constants(b, p->channels, scale);
  return nn_channel_affine(b->g, x, factor, nn_build_constants(b, p->channels, shift));
}

const NnLayerType nn_augment_layers[] = {
    {"flip", flip},     {"crop", crop},   {"cutout", cutout},           {"jitter", jitter},
    {"affine", affine}, {"noise", noise}, {"standardise", standardise}, {NULL, NULL}};
