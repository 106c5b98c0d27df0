#include "regularizers/filter_bank.h"

#include <stdlib.h>
#include <string.h>

static size_t reflect(ptrdiff_t i, size_t n) {
  const ptrdiff_t period = 2 * (ptrdiff_t)n;
  i = ((i % period) + period) % period;
  return (size_t)(i < (ptrdiff_t)n ? i : period - 1 - i);
}

BtStatus bt_bank_sweep(const BtBankSweep *w, BtShape shape) {
  const int arrays = 2;
  const size_t K = w->bank[0]->filters, s = w->bank[0]->size, W = shape.width, a = (s - 1) / 2;
  double *t = calloc(2 * K * W, sizeof *t);
  float *f = calloc(2 * K * W, sizeof *f);
  if (!t || !f) {
    free(t);
    free(f);
    return BT_ERR_MEMORY;
  }
  if (w->out) memset(w->out, 0, bt_shape_size(shape) * sizeof *w->out);
  if (w->tap_sums) memset(w->tap_sums, 0, K * s * s * sizeof *w->tap_sums);
  for (size_t r = 0; r < shape.height; r++) {
    BtBankRow row = {.row = r, .columns = W, .stride = W};
    for (int l = 0; l < arrays; l++) row.t[l] = w->single ? (void *)(f + (size_t)l * K * W) : (void *)(t + (size_t)l * K * W);
    for (int pass = 0; pass < 2; pass++) {
      for (int l = 0; l < arrays; l++) {
        double *tl = t + (size_t)l * K * W;
        if (pass == 1 && w->single)
          for (size_t j = 0; j < K * W; j++) tl[j] = f[(size_t)l * K * W + j];
        for (size_t k = 0; k < K; k++)
          for (size_t c = 0; c < W; c++) {
            double sum = 0, g = tl[k * W + c];
            for (size_t i = 0; i < s; i++)
              for (size_t j = 0; j < s; j++) {
                const size_t p = reflect((ptrdiff_t)(r + i) - (ptrdiff_t)a, shape.height) * W +
                                 reflect((ptrdiff_t)(c + j) - (ptrdiff_t)a, W), tap = (k * s + i) * s + j;
                if (pass == 0 && l < w->inputs) sum += w->bank[l]->taps[tap] * w->image[l][p];
                if (pass == 1 && l < w->outputs) w->out[p] += w->bank[l]->taps[tap] * g;
                if (pass == 1 && l < w->inputs && w->tap_sums) w->tap_sums[tap] += g * w->image[l][p];
              }
            if (pass == 0) tl[k * W + c] = sum;
          }
        if (pass == 0 && w->single)
          for (size_t j = 0; j < K * W; j++) f[(size_t)l * K * W + j] = (float)tl[j];
      }
      if (pass == 0) w->act(w->user, &row);
    }
  }
  free(t);
  free(f);
  return BT_OK;
}
