/* What the symmetric extension adds to diag ∇²R: taps of one filter that fall upon the same pixel. */
#include <stdlib.h>
#include <string.h>

#include "regularizers/foe_bounds_internal.h"
#include "regularizers/foe_rows_internal.h"

/* Where the taps of a window at p fall, and for each the first tap that falls there. */
typedef struct {
  size_t at[BT_FOE_LARGEST], first[BT_FOE_LARGEST];
  int folded; /* two taps fall upon one pixel */
} Window;

static void place(Window *w, size_t p, size_t n, size_t size) {
  const size_t before = (size - 1) / 2, period = 2 * n;
  w->folded = 0;
  for (size_t j = 0; j < size; j++) {
    const size_t i = (p + j + before * (period - 1)) % period;
    w->at[j] = i < n ? i : period - 1 - i;
    w->first[j] = j;
    for (size_t k = 0; k < j && w->first[j] == j; k++)
      if (w->at[k] == w->at[j]) w->first[j] = w->first[k], w->folded = 1;
  }
}

/* diagonal += h ((Σ c)² − Σ c²) over the taps upon each pixel. */
static void add_folded(const Window *rows, const Window *columns, size_t size, const double *taps, double h,
                       size_t width, double *sums, double *diagonal) {
  double *squares = sums + size * size;
  memset(sums, 0, 2 * size * size * sizeof *sums);
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j < size; j++) {
      const double c = taps[i * size + j];
      const size_t slot = rows->first[i] * size + columns->first[j];
      sums[slot] += c;
      squares[slot] += c * c;
    }
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j < size; j++) {
      const size_t slot = i * size + j;
      if (rows->first[i] == i && columns->first[j] == j)
        diagonal[rows->at[i] * width + columns->at[j]] += h * (sums[slot] * sums[slot] - squares[slot]);
    }
}

BtStatus bt_foe_diagonal_folds(const BtRegularizer *reg, BtShape shape, const double *taps,
                               const void *planes, double *diagonal) {
  const size_t size = reg->size, area = size * size, pitch = bt_foe_padded(shape.width);
  double *sums = malloc(2 * area * sizeof *sums);
  Window rows, columns;
  if (!sums) return BT_ERR_MEMORY;
  for (size_t r = 0; r < shape.height; r++) {
    place(&rows, r, shape.height, size);
    for (size_t c = 0; c < shape.width; c++) {
      const size_t inside = (size - 1) / 2;
      if (!rows.folded && c > inside && c + size < shape.width)
        c = shape.width - size; /* nothing folds in between */
      place(&columns, c, shape.width, size);
      if (!rows.folded && !columns.folded) continue;
      for (size_t k = 0; k < reg->filters; k++) {
        const size_t at = (k * shape.height + r) * pitch + c;
        const double h = reg->single ? (double)((const float *)planes)[at] : ((const double *)planes)[at];
        add_folded(&rows, &columns, size, taps + k * area, h, shape.width, sums, diagonal);
      }
    }
  }
  free(sums);
  return BT_OK;
}
