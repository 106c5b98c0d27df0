/* Convolution as products with a matrix of shifted copies (im2col): of a group of images at a time, so that
 * small images still make large products, or of a band of lines of one, so that the matrix stays in the
 * cache. Groups, bands and the sums over them depend on the sizes alone. */
#include <omp.h>
#include <string.h>

#include "nn/cpu/cpu_internal.h"

#define GROUP_COLUMNS ((size_t)512)      /* columns of the matrix, about                      */
#define FILTER_SLOTS ((size_t)16)        /* partial sums of the filter's gradient             */
#define FILTER_MEMORY ((size_t)16 << 20) /* elements that they may take together              */

typedef struct {
  size_t group, groups; /* images of a group, number of groups */
  size_t taps;          /* rows of the matrix: channels · kernel_height · kernel_width */
  size_t plane;         /* out_height · out_width */
  size_t lines;         /* of a band, out_height where a group is more than one image */
  size_t columns;       /* of the matrix, group · lines · out_width */
  size_t buffer;        /* elements of one thread's buffers */
  size_t slots;
} Plan;

static Plan plan(const NnConv *c) {
  Plan p = {.taps = c->channels * c->kernel_height * c->kernel_width, .plane = c->out_height * c->out_width};
  p.group = GROUP_COLUMNS / p.plane;
  if (p.group < 1) p.group = 1;
  p.group = nn_min(p.group, c->batch);
  p.groups = (c->batch + p.group - 1) / p.group;
  const size_t most = c->out_width < GROUP_COLUMNS ? GROUP_COLUMNS / c->out_width : 1,
               bands = (c->out_height + most - 1) / most;
  p.lines = (c->out_height + bands - 1) / bands;
  p.columns = p.group * p.lines * c->out_width;
  p.buffer = (p.taps + c->filters) * p.columns;
  p.slots = FILTER_MEMORY / (c->filters * p.taps);
  if (p.slots < 1) p.slots = 1;
  p.slots = nn_min(nn_min(p.slots, FILTER_SLOTS), p.groups);
  return p;
}

size_t nn_cpu_conv2d_work(NnBackend *b, const NnConv *c) {
  const Plan p = plan(c);
  /* The plan of a smaller batch has no more groups, hence no more slots. */
  return (size_t)b->threads * p.buffer + p.slots * c->filters * p.taps;
}

/* First and one-past-last of `count` outputs, from `top` on, whose tap j lies inside of `size` inputs. */
static void inside(const NnConv *c, size_t j, size_t size, size_t top, size_t count, size_t *first,
                   size_t *last) {
  const size_t low = c->pad > j ? (c->pad - j + c->stride - 1) / c->stride : 0;
  const size_t high = size + c->pad > j ? (size + c->pad - j + c->stride - 1) / c->stride : 0;
  *last = high > top ? nn_min(high - top, count) : 0;
  *first = low > top ? nn_min(low - top, *last) : 0;
}

/* What a matrix is made of: lines `top` … `top` + `lines` − 1 of the results of `images` images. */
typedef struct {
  size_t images, top, lines;
} Band;

/* The part of a band and tap that lies inside of the images: lines and columns of the results, and where in
 * an image its first element is read. */
typedef struct {
  size_t line, line_end, column, column_end, from;
  int empty;
} Part;

static Part part_of(const NnConv *c, Band b, size_t i, size_t j) {
  Part p;
  inside(c, i, c->height, b.top, b.lines, &p.line, &p.line_end);
  inside(c, j, c->width, 0, c->out_width, &p.column, &p.column_end);
  p.empty = p.line == p.line_end || p.column == p.column_end;
  p.from = p.empty
               ? 0
               : ((b.top + p.line) * c->stride + i - c->pad) * c->width + p.column * c->stride + j - c->pad;
  return p;
}

/* Where lines of results and of images have the same length, and neighbours are neighbours, a part is one
 * piece of memory but for the columns beside it. */
static int in_one_piece(const NnConv *c) { return c->stride == 1 && c->out_width == c->width; }

static size_t piece_of(const NnConv *c, Part p) {
  return (p.line_end - p.line - 1) * c->width + p.column_end - p.column;
}

/* Zeroes the columns beside a part in its lines: few, and far from each other. */
static void clear_beside(const NnConv *c, Part p, NnReal *out) {
  const size_t width = c->out_width;
  for (size_t x = 0; x < p.column; x++)
    for (size_t l = p.line; l < p.line_end; l++) out[l * width + x] = 0;
  for (size_t x = p.column_end; x < width; x++)
    for (size_t l = p.line; l < p.line_end; l++) out[l * width + x] = 0;
}

static void clear(size_t n, NnReal *x) {
  if (n > 0) memset(x, 0, n * sizeof *x);
}

/* Copies a band into columns [taps][ld], image g at column g·lines·out_width. */
BT_SIMD static void to_columns(const NnConv *c, Band b, const NnReal *x, NnReal *columns, size_t ld) {
  const size_t plane = b.lines * c->out_width, width = c->out_width;
  NnReal *row = columns;
  for (size_t k = 0; k < c->channels; k++)
    for (size_t i = 0; i < c->kernel_height; i++)
      for (size_t j = 0; j < c->kernel_width; j++, row += ld) {
        const Part p = part_of(c, b, i, j);
        for (size_t g = 0; g < b.images; g++) {
          const NnReal *in = x + (g * c->channels + k) * c->height * c->width + p.from;
          NnReal *out = row + g * plane;
          if (p.empty) {
            clear(plane, out);
            continue;
          }
          clear(p.line * width, out);
          clear((b.lines - p.line_end) * width, out + p.line_end * width);
          if (in_one_piece(c))
            memcpy(out + p.line * width + p.column, in, piece_of(c, p) * sizeof *out);
          else
            for (size_t l = p.line; l < p.line_end; l++, in += c->stride * c->width)
              for (size_t q = p.column; q < p.column_end; q++)
                out[l * width + q] = in[(q - p.column) * c->stride];
          clear_beside(c, p, out);
        }
      }
}

/* The adjoint of to_columns: adds to x. The columns beside parts are zeroed. */
BT_SIMD static void from_columns(const NnConv *c, Band b, NnReal *columns, size_t ld, NnReal *x) {
  const size_t plane = b.lines * c->out_width, width = c->out_width;
  NnReal *row = columns;
  for (size_t k = 0; k < c->channels; k++)
    for (size_t i = 0; i < c->kernel_height; i++)
      for (size_t j = 0; j < c->kernel_width; j++, row += ld) {
        const Part p = part_of(c, b, i, j);
        for (size_t g = 0; g < b.images && !p.empty; g++) {
          NnReal *to = x + (g * c->channels + k) * c->height * c->width + p.from;
          if (in_one_piece(c)) {
            const NnReal *in = row + g * plane + p.line * width + p.column;
            const size_t n = piece_of(c, p);
            clear_beside(c, p, row + g * plane);
            for (size_t q = 0; q < n; q++) to[q] += in[q];
          } else {
            const NnReal *in = row + g * plane + p.line * width;
            for (size_t l = p.line; l < p.line_end; l++, in += width, to += c->stride * c->width)
              for (size_t q = p.column; q < p.column_end; q++) to[(q - p.column) * c->stride] += in[q];
          }
        }
      }
}

/* [filters][images·plane] to images and back. */
BT_SIMD static void to_images(size_t images, size_t filters, size_t plane, const NnReal *m, NnReal beta,
                              NnReal *y) {
  for (size_t g = 0; g < images; g++)
    for (size_t k = 0; k < filters; k++) {
      const NnReal *from = m + (k * images + g) * plane;
      NnReal *to = y + (g * filters + k) * plane;
      if (beta == 0)
        memcpy(to, from, plane * sizeof *to);
      else
        for (size_t p = 0; p < plane; p++) to[p] = from[p] + beta * to[p];
    }
}

static void from_images(size_t images, size_t filters, size_t plane, const NnReal *y, NnReal *m) {
  for (size_t g = 0; g < images; g++)
    for (size_t k = 0; k < filters; k++)
      memcpy(m + (k * images + g) * plane, y + (g * filters + k) * plane, plane * sizeof *m);
}

static void scale(size_t n, NnReal beta, NnReal *x) {
  if (beta == 0)
    memset(x, 0, n * sizeof *x);
  else if (beta != 1)
    for (size_t i = 0; i < n; i++) x[i] *= beta;
}

/* The bands of a group of images, in order. */
#define EACH_BAND(c, p, count, band)                                                                   \
  for (Band band = {(count), 0, (p).lines};                                                            \
       band.top < (c)->out_height && (band.lines = nn_min((p).lines, (c)->out_height - band.top)) > 0; \
       band.top += (p).lines)

void nn_cpu_conv2d(NnBackend *b, const NnConv *c, const NnReal *x, const NnReal *w, NnReal beta, NnReal *y,
                   NnReal *work) {
  const Plan p = plan(c);
  const size_t in = c->channels * c->height * c->width, out = c->filters * p.plane;
  NN_PRAGMA(omp parallel for schedule(dynamic) num_threads(b->threads))
  for (size_t q = 0; q < p.groups; q++) {
    NnReal *columns = work + (size_t)omp_get_thread_num() * p.buffer, *m = columns + p.taps * p.columns;
    const size_t first = q * p.group, images = nn_min(p.group, c->batch - first);
    EACH_BAND(c, p, images, band) {
      const size_t n = images * band.lines * c->out_width;
      NnReal *to = y + first * out + band.top * c->out_width;
      to_columns(c, band, x + first * in, columns, n);
      if (images == 1) {
        nn_gemm_serial(0, 0, c->filters, n, p.taps, 1, w, p.taps, columns, n, beta, to, p.plane);
      } else {
        nn_gemm_serial(0, 0, c->filters, n, p.taps, 1, w, p.taps, columns, n, 0, m, n);
        to_images(images, c->filters, p.plane, m, beta, to);
      }
    }
  }
}

/* Adjoints of a band's results as a matrix of filters, *ld elements from row to row; `m` is room for it. */
static const NnReal *result_rows(const NnConv *c, const Plan *p, Band band, const NnReal *gy, NnReal *m,
                                 size_t *ld) {
  *ld = p->plane;
  if (band.images == 1) return gy + band.top * c->out_width;
  from_images(band.images, c->filters, p->plane, gy, m);
  *ld = band.images * p->plane;
  return m;
}

void nn_cpu_conv2d_data(NnBackend *b, const NnConv *c, const NnReal *w, const NnReal *gy, NnReal beta,
                        NnReal *gx, NnReal *work) {
  const Plan p = plan(c);
  const size_t in = c->channels * c->height * c->width, out = c->filters * p.plane;
  NN_PRAGMA(omp parallel for schedule(dynamic) num_threads(b->threads))
  for (size_t q = 0; q < p.groups; q++) {
    NnReal *columns = work + (size_t)omp_get_thread_num() * p.buffer, *m = columns + p.taps * p.columns;
    const size_t first = q * p.group, images = nn_min(p.group, c->batch - first);
    scale(images * in, beta, gx + first * in);
    EACH_BAND(c, p, images, band) {
      const size_t n = images * band.lines * c->out_width;
      size_t ld;
      const NnReal *g = result_rows(c, &p, band, gy + first * out, m, &ld);
      nn_gemm_serial(1, 0, p.taps, n, c->filters, 1, w, p.taps, g, ld, 0, columns, n);
      from_columns(c, band, columns, n, gx + first * in);
    }
  }
}

void nn_cpu_conv2d_filter(NnBackend *b, const NnConv *c, const NnReal *x, const NnReal *gy, NnReal beta,
                          NnReal *gw, NnReal *work) {
  const Plan p = plan(c);
  const size_t in = c->channels * c->height * c->width, out = c->filters * p.plane,
               size = c->filters * p.taps;
  NnReal *partial = work + (size_t)b->threads * p.buffer;
  NN_PRAGMA(omp parallel for schedule(dynamic) num_threads(b->threads))
  for (size_t slot = 0; slot < p.slots; slot++) {
    NnReal *columns = work + (size_t)omp_get_thread_num() * p.buffer, *m = columns + p.taps * p.columns;
    for (size_t q = slot; q < p.groups; q += p.slots) {
      const size_t first = q * p.group, images = nn_min(p.group, c->batch - first);
      EACH_BAND(c, p, images, band) {
        const size_t n = images * band.lines * c->out_width;
        size_t ld;
        const NnReal *g = result_rows(c, &p, band, gy + first * out, m, &ld);
        to_columns(c, band, x + first * in, columns, n);
        nn_gemm_serial(0, 1, c->filters, p.taps, n, 1, g, ld, columns, n, q == slot && band.top == 0 ? 0 : 1,
                       partial + slot * size, p.taps);
      }
    }
  }
  for (size_t slot = 0; slot < p.slots; slot++)
    b->kernels->axpby(b, size, 1, partial + slot * size, slot ? 1 : beta, gw);
}
