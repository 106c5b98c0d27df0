/* nn/augment.h: random changes of images, operations of a graph whose strengths are hyperparameters.
 *
 * x is a batched image [channels × height × width]. Each example draws for itself, with strengths of its own:
 * `rates` [n] holds them in columns, batched or not (one for all), as those of nn_dropout(). A column of −1
 * stands for strength 0; so does a number that is not positive. Without training, and at strength 0, an
 * augmentation leaves every bit of x as it is; draws follow from the run's seed and step.
 *
 * Augmentations act on data: there is no derivative, neither in strengths nor in x, and an x that depends on
 * a parameter is BT_ERR_ARG. */
#ifndef BITUNE_NN_AUGMENT_H
#define BITUNE_NN_AUGMENT_H

#include "nn/ops.h"

/* Left and right change places with probability ½. */
NnId nn_flip(NnGraph *g, NnId x);

/* A window of the size of x, its place uniform, of x padded with zeros by `pad` pixels on all sides. */
NnId nn_crop(NnGraph *g, NnId x, size_t pad);

/* floor(holes) square holes (one where `holes` is −1) of floor(length) pixels, filled with zeros, their
 * centres uniform over the pixels; what reaches over the border is lost. At most 32 holes. Zero is black, or
 * the mean in what nn_channel_affine() has standardised before. */
NnId nn_cutout(NnGraph *g, NnId x, NnId rates, int length, int holes);

/* Colours in [0, 1], red, green, blue; in images of one channel, brightness and contrast alone. In this
 * order, each followed by clamping to [0, 1], with factors f uniform in [max(0, 1 − s), 1 + s] for strength
 * s: brightness f·x; contrast: m + f·(x − m), m the mean of the image's gray values; saturation: v + f·(x −
 * v), v the pixel's gray value; hue: turned by a number uniform in [−s, s] of full turns, s ≤ ½. */
typedef struct {
  int hue, saturation, brightness, contrast; /* columns of rates */
} NnJitterColumns;
NnId nn_jitter(NnGraph *g, NnId x, NnId rates, NnJitterColumns columns);

/* One affine map about the centre of the image, bilinear, zeros outside; uniform draws for strength s: an
 * angle in [−s, s] degrees, a shear along rows of the tangent of [−s, s] degrees (s ≤ 80), translations in
 * [−s, s] of width and of height, a factor of size in [max(0.05, 1 − s), 1 + s]. */
typedef struct {
  int rotation, shear, translation, scale; /* columns of rates */
} NnAffineColumns;
NnId nn_affine(NnGraph *g, NnId x, NnId rates, NnAffineColumns columns);

/* x + s·ε, ε ~ N(0, I); x of any batched shape. */
NnId nn_input_noise(NnGraph *g, NnId x, NnId rates, int column);

#endif
