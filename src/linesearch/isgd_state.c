/* ISGD's state: creation and checkpoint. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linesearch/box_internal.h"
#include "linesearch/isgd.h"

enum { VALUE_MEAN, SECONDS, SCALARS };
enum { VECTORS = 4 }; /* those of the state: theta, average, moments */

BtStatus bt_isgd_create(BtContext *ctx, const BtIsgdSettings *settings, size_t p, const double *theta,
                        BtIsgd *isgd) {
  *isgd = (BtIsgd){.p = p};
  const BtStatus st = bt_box_holds(ctx, settings->lo, settings->hi, p, theta);
  if (st < 0) return st;
  isgd->theta = calloc((VECTORS + 1) * p, sizeof *isgd->theta);
  if (!isgd->theta) return bt_fail_memory(ctx, "ISGD", 8.0 * (VECTORS + 1) * (double)p);
  isgd->average = isgd->theta + p;
  isgd->moment1 = isgd->theta + 2 * p;
  isgd->moment2 = isgd->theta + 3 * p;
  isgd->z = isgd->theta + VECTORS * p;
  memcpy(isgd->theta, theta, p * sizeof *theta);
  memcpy(isgd->average, theta, p * sizeof *theta);
  return BT_OK;
}

void bt_isgd_clear(BtIsgd *isgd) {
  free(isgd->theta);
  *isgd = (BtIsgd){0};
}

BtStatus bt_isgd_declare(BtContext *ctx, const BtIsgd *isgd, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  BT_TRY(
      bt_tensors_declare(ctx, writer, "isgd.vectors", BT_TENSOR_F64, 2, (const size_t[]){VECTORS, isgd->p}));
  BT_TRY(bt_tensors_declare(ctx, writer, "isgd.scalars", BT_TENSOR_F64, 1, (const size_t[]){SCALARS}));
  BT_TRY(bt_tensors_declare(ctx, writer, "isgd.iteration", BT_TENSOR_I64, 1, (const size_t[]){1}));
done:
  return st;
}

BtStatus bt_isgd_save(BtContext *ctx, const BtIsgd *isgd, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  const double scalars[SCALARS] = {[VALUE_MEAN] = isgd->value_mean, [SECONDS] = isgd->seconds};
  BT_TRY(bt_tensors_append(ctx, writer, isgd->theta, VECTORS * isgd->p));
  BT_TRY(bt_tensors_append(ctx, writer, scalars, SCALARS));
  BT_TRY(bt_tensors_append(ctx, writer, &isgd->iteration, 1));
done:
  return st;
}

BtStatus bt_isgd_load(BtContext *ctx, BtTensorReader *reader, BtIsgd *isgd) {
  BtStatus st = BT_OK;
  double scalars[SCALARS];
  int64_t iteration;
  BT_TRY(bt_tensors_read(ctx, reader, "isgd.vectors", BT_TENSOR_F64, VECTORS * isgd->p, isgd->theta));
  BT_TRY(bt_tensors_read(ctx, reader, "isgd.scalars", BT_TENSOR_F64, SCALARS, scalars));
  BT_TRY(bt_tensors_read(ctx, reader, "isgd.iteration", BT_TENSOR_I64, 1, &iteration));
  int sound = iteration >= 0 && isfinite(scalars[VALUE_MEAN]) && scalars[SECONDS] >= 0;
  for (size_t j = 0; j < isgd->p; j++)
    sound = sound && isfinite(isgd->theta[j]) && isfinite(isgd->average[j]) && isfinite(isgd->moment1[j]) &&
            isgd->moment2[j] >= 0 && isfinite(isgd->moment2[j]);
  if (!sound) return bt_fail(ctx, BT_ERR_FORMAT, "the checkpoint's ISGD state is out of range");
  isgd->value_mean = scalars[VALUE_MEAN];
  isgd->seconds = scalars[SECONDS];
  isgd->iteration = iteration;
done:
  return st;
}
