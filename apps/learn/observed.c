#include "learn/observed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "lowerlevel/blur.h"
#include "lowerlevel/mask.h"
#include "lowerlevel/restorer.h"

const BtOption bt_observing_options[] = {
    BT_OPT_TEXT("blur", 0, BtObserving, degradation.blur, NULL, "BLUR",
                "known blur, lengths in pixels: " BT_KERNEL_FORMS),
    BT_OPT_TEXT("kernel", 0, BtObserving, degradation.kernel, NULL, "FILE",
                "known blur from a PNG or TIFF image or a table of numbers (.csv, .txt), divided by its sum"),
    BT_OPT_CHOICE("boundary", BtObserving, degradation.boundary, BT_BOUNDARY_REFLECT, BT_BOUNDARY_CHOICES,
                  "what the blur sees beyond the image's edges"),
    BT_OPT_REAL("drop", BtObserving, missing, 0, BT_WITHIN(0, 0.99), "F",
                "share of pixels that are unknown, drawn at random"),
    BT_OPT_REAL("ridge", BtObserving, ridge, BT_RESTORE_RIDGE, BT_NONNEGATIVE, "MU",
                "weight of the distance to the image itself (to the mean of what is known)"),
    BT_OPT_END};

int bt_observing(const BtObserving *set) {
  return set->degradation.blur || set->degradation.kernel || set->missing > 0;
}

BtStatus bt_observing_check(BtContext *ctx, const BtObserving *set) {
  if ((set->degradation.blur || set->degradation.kernel) && set->missing > 0)
    return bt_fail(ctx, BT_ERR_ARG, "give a blur or --drop, not both");
  if (!bt_observing(set) &&
      (set->ridge != BT_RESTORE_RIDGE || set->degradation.boundary != BT_BOUNDARY_REFLECT))
    return bt_fail(ctx, BT_ERR_ARG, "--ridge and --boundary are for --blur, --kernel or --drop");
  return bt_degradation_check(ctx, &set->degradation, 0);
}

/* Streams of masks: the two uppermost bits, which those of images and windows never have both. */
static uint64_t mask_stream(size_t i) { return (uint64_t)3 << 62 | (uint64_t)i; }

static BtStatus make_mask(BtContext *ctx, const BtObserving *set, int64_t seed, size_t i, BtShape shape,
                          BtOperator *op) {
  const size_t n = bt_shape_size(shape);
  unsigned char *known = malloc(n);
  if (!known) return bt_fail_memory(ctx, "a mask", (double)n);
  for (size_t k = 0; k < n; k++) known[k] = bt_rng_uniform((uint64_t)seed, mask_stream(i), k) >= set->missing;
  /* A mask that knows nothing would be no observation. */
  known[n / 2] = 1;
  const BtStatus st = bt_mask(ctx, shape, known, op);
  free(known);
  return st;
}

static BtStatus find_blur(BtContext *ctx, const BtObserving *set, const BtKernel *kernel, BtShape shape,
                          BtObserved *o, const BtOperator **found) {
  for (size_t k = 0; k < o->operator_count; k++)
    if (o->operators[k].shape.height == shape.height && o->operators[k].shape.width == shape.width) {
      *found = &o->operators[k];
      return BT_OK;
    }
  BtOperator *op = &o->operators[o->operator_count];
  const BtStatus st =
      bt_blur(ctx, shape, kernel->height, kernel->width, kernel->taps, set->degradation.boundary, op);
  if (st >= 0) o->operator_count++;
  *found = op;
  return st;
}

static void describe(const BtObserving *set, const BtKernel *kernel, char *text, size_t size) {
  double sum = 0;
  for (size_t k = 0; k < kernel->height * kernel->width; k++) sum += (double)(k + 1) * kernel->taps[k];
  if (kernel->taps)
    snprintf(text, size, "blur %zux%zu %.17g %d", kernel->height, kernel->width, sum,
             set->degradation.boundary);
  else
    snprintf(text, size, "missing %.17g", set->missing);
}

BtStatus bt_observed_create(BtApp *app, const BtObserving *set, int64_t seed, size_t count,
                            BtNoisyImage *noisy, double *const *truth, BtObserved *o) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BtKernel kernel = {0};
  size_t largest = 0;
  *o = (BtObserved){.count = count,
                    .noisy = noisy,
                    .truth = truth,
                    .ridge = set->ridge,
                    .operators = calloc(count, sizeof *o->operators),
                    .observations = calloc(count, sizeof *o->observations),
                    .centres = calloc(count, sizeof *o->centres)};
  for (size_t i = 0; i < count; i++)
    if (bt_shape_size(noisy[i].shape) > largest) largest = bt_shape_size(noisy[i].shape);
  o->work = malloc(2 * largest * sizeof *o->work);
  if (!o->operators || !o->observations || !o->centres || !o->work)
    BT_TRY(bt_fail_memory(ctx, "observations", 16.0 * (double)largest));
  BT_TRY(bt_degradation_kernel(ctx, &set->degradation, &kernel));
  describe(set, &kernel, o->text, sizeof o->text);
  for (size_t i = 0; i < count; i++) {
    const BtShape shape = noisy[i].shape;
    const BtOperator *op = &o->operators[i];
    const double *centre = noisy[i].noisy;
    if (kernel.taps) {
      BT_TRY(find_blur(ctx, set, &kernel, shape, o, &op));
    } else {
      BT_TRY(make_mask(ctx, set, seed, i, shape, &o->operators[i]));
      o->operator_count = i + 1;
      if (centre) {
        o->centres[i] = malloc(bt_shape_size(shape) * sizeof(double));
        if (!o->centres[i]) BT_TRY(bt_fail_memory(ctx, "observations", 8.0 * (double)bt_shape_size(shape)));
        centre = o->centres[i];
      }
    }
    o->observations[i] =
        (BtObservation){.shape = shape, .op = op, .data = noisy[i].noisy, .centre = centre, .work = o->work};
  }
done:
  bt_kernel_clear(&kernel);
  return st;
}

void bt_observed_clear(BtObserved *o) {
  for (size_t k = 0; k < o->operator_count; k++) bt_operator_clear(&o->operators[k]);
  for (size_t i = 0; o->centres && i < o->count; i++) free(o->centres[i]);
  free(o->operators);
  free(o->observations);
  free(o->centres);
  free(o->work);
  *o = (BtObserved){0};
}

/* The mean of the known pixels, everywhere. */
static void place_centre(const BtObserved *o, size_t i, size_t n) {
  double *diagonal = o->work, sum = 0, known = 0;
  o->observations[i].op->ops->diagonal(o->observations[i].op, diagonal);
  for (size_t k = 0; k < n; k++) {
    sum += diagonal[k] * o->noisy[i].noisy[k];
    known += diagonal[k];
  }
  for (size_t k = 0; k < n; k++) o->centres[i][k] = sum / known;
}

void bt_observed_apply(BtObserved *o) {
  for (size_t i = 0; i < o->count; i++) {
    const BtOperator *op = o->observations[i].op;
    const size_t n = bt_shape_size(o->noisy[i].shape);
    double *data = (double *)o->noisy[i].noisy, *noise = o->work;
    if (!data) continue;
    if (o->centres[i]) {
      /* Noise where nothing is known is no data. */
      op->ops->apply(op, data, noise);
      memcpy(data, noise, n * sizeof *data);
      place_centre(o, i, n);
      continue;
    }
    for (size_t k = 0; k < n; k++) noise[k] = data[k] - o->truth[i][k];
    op->ops->apply(op, o->truth[i], data);
    for (size_t k = 0; k < n; k++) data[k] += noise[k];
  }
}
