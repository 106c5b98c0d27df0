/* Matrix products: tiles whose sizes depend on the matrices alone, each a product of one thread, so that the
 * result does not depend on how many threads there are. */
#include "nn/cpu/cpu_internal.h"

#define TILES 16                 /* of a large product: work for as many threads       */
#define TILE_FLOPS 16e6          /* least size of a tile                               */
#define TILE_UNIT ((size_t)48)   /* multiple of the libraries' register blocks             */
#define TILE_LEAST ((size_t)192) /* side: each tile copies its rows and columns anew  */

/* Length of the pieces of n in about `pieces` pieces. */
static size_t piece(size_t n, size_t pieces) {
  const size_t length = (n + pieces - 1) / pieces;
  return (length + TILE_UNIT - 1) / TILE_UNIT * TILE_UNIT;
}

void nn_cpu_gemm(NnBackend *b, int ta, int tb, size_t m, size_t n, size_t k, NnReal alpha, const NnReal *A,
                 size_t lda, const NnReal *B, size_t ldb, NnReal beta, NnReal *C, size_t ldc) {
  if (m == 0 || n == 0) return;
  const double flops = 2.0 * (double)m * (double)n * (double)k;
  size_t tiles = flops / TILE_FLOPS < TILES ? (size_t)(flops / TILE_FLOPS) : TILES;
  size_t pm = m, pn = n;
  if (tiles > 1) {
    /* Split the longer side first; the other one if its pieces would be slivers. */
    size_t *longer = m > n ? &pm : &pn, *shorter = m > n ? &pn : &pm;
    const size_t most = (*longer + TILE_LEAST - 1) / TILE_LEAST;
    const size_t first = nn_min(tiles, most);
    *longer = piece(*longer, first);
    if (tiles / first > 1) *shorter = piece(*shorter, tiles / first);
  }
  const size_t rows = (m + pm - 1) / pm, columns = (n + pn - 1) / pn;
  NN_PRAGMA(omp parallel for schedule(dynamic) num_threads(b->threads) if (rows * columns > 1))
  for (size_t tile = 0; tile < rows * columns; tile++) {
    const size_t i = tile / columns * pm, j = tile % columns * pn;
    nn_gemm_serial(ta, tb, nn_min(pm, m - i), nn_min(pn, n - j), k, alpha, A + (ta ? i : i * lda), lda,
                   B + (tb ? j * ldb : j), ldb, beta, C + i * ldc + j, ldc);
  }
}
