/* Convolution as products with a matrix of shifted copies (im2col), a group of images at a time so that small
 * images still make large products. Groups and the sums over them depend on the sizes alone. */
#include <omp.h>
#include <string.h>

#include "nn/cpu_internal.h"

#define GROUP_COLUMNS ((size_t)512)      /* columns of a group's matrix, about                */
#define FILTER_SLOTS ((size_t)16)        /* partial sums of the filter's gradient             */
#define FILTER_MEMORY ((size_t)16 << 20) /* elements that they may take together              */

typedef struct {
  size_t group, groups; /* images of a group, number of groups */
  size_t taps;          /* rows of the matrix: channels · kernel_height · kernel_width */
  size_t plane;         /* out_height · out_width */
  size_t columns;       /* group · plane */
  size_t buffer;        /* elements of one thread's buffers */
  size_t slots;
} Plan;

static Plan plan(const NnConv *c) {
  Plan p = {.taps = c->channels * c->kernel_height * c->kernel_width, .plane = c->out_height * c->out_width};
  p.group = GROUP_COLUMNS / p.plane;
  if (p.group < 1) p.group = 1;
  p.group = nn_min(p.group, c->batch);
  p.groups = (c->batch + p.group - 1) / p.group;
  p.columns = p.group * p.plane;
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

/* First and one-past-last output column whose tap j lies inside the image. */
static void inside(const NnConv *c, size_t j, size_t *first, size_t *last) {
  const size_t low = c->pad > j ? (c->pad - j + c->stride - 1) / c->stride : 0;
  const size_t high = c->width + c->pad > j ? (c->width + c->pad - j + c->stride - 1) / c->stride : 0;
  *last = nn_min(high, c->out_width);
  *first = nn_min(low, *last);
}

/* Copies `images` images into columns [taps][ld], image g at column g·plane. */
BT_SIMD static void to_columns(const NnConv *c, size_t images, const NnReal *x, NnReal *columns, size_t ld) {
  const size_t plane = c->out_height * c->out_width;
  NnReal *row = columns;
  for (size_t k = 0; k < c->channels; k++)
    for (size_t i = 0; i < c->kernel_height; i++)
      for (size_t j = 0; j < c->kernel_width; j++, row += ld) {
        size_t first, last;
        inside(c, j, &first, &last);
        for (size_t g = 0; g < images; g++) {
          const NnReal *image = x + (g * c->channels + k) * c->height * c->width;
          NnReal *out = row + g * plane;
          for (size_t oy = 0; oy < c->out_height; oy++, out += c->out_width) {
            const size_t y = oy * c->stride + i; /* + pad */
            if (y < c->pad || y >= c->height + c->pad) {
              memset(out, 0, c->out_width * sizeof *out);
              continue;
            }
            const NnReal *line = image + (y - c->pad) * c->width;
            for (size_t ox = 0; ox < first; ox++) out[ox] = 0;
            if (c->stride == 1) {
              if (last > first) memcpy(out + first, line + first + j - c->pad, (last - first) * sizeof *out);
            } else {
              for (size_t ox = first; ox < last; ox++) out[ox] = line[ox * c->stride + j - c->pad];
            }
            for (size_t ox = last; ox < c->out_width; ox++) out[ox] = 0;
          }
        }
      }
}

/* The adjoint of to_columns: x ← beta·x + sums. */
BT_SIMD static void from_columns(const NnConv *c, size_t images, const NnReal *columns, size_t ld,
                                 NnReal beta, NnReal *x) {
  const size_t plane = c->out_height * c->out_width, size = images * c->channels * c->height * c->width;
  const NnReal *row = columns;
  if (beta == 0)
    memset(x, 0, size * sizeof *x);
  else if (beta != 1)
    for (size_t i = 0; i < size; i++) x[i] *= beta;
  for (size_t k = 0; k < c->channels; k++)
    for (size_t i = 0; i < c->kernel_height; i++)
      for (size_t j = 0; j < c->kernel_width; j++, row += ld) {
        size_t first, last;
        inside(c, j, &first, &last);
        for (size_t g = 0; g < images; g++) {
          NnReal *image = x + (g * c->channels + k) * c->height * c->width;
          const NnReal *in = row + g * plane;
          for (size_t oy = 0; oy < c->out_height; oy++, in += c->out_width) {
            const size_t y = oy * c->stride + i;
            if (y < c->pad || y >= c->height + c->pad || last <= first) continue;
            NnReal *line = image + (y - c->pad) * c->width;
            if (c->stride == 1) {
              NnReal *to = line + first + j - c->pad;
              for (size_t ox = 0; ox < last - first; ox++) to[ox] += in[first + ox];
            } else {
              for (size_t ox = first; ox < last; ox++) line[ox * c->stride + j - c->pad] += in[ox];
            }
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

void nn_cpu_conv2d(NnBackend *b, const NnConv *c, const NnReal *x, const NnReal *w, NnReal beta, NnReal *y,
                   NnReal *work) {
  const Plan p = plan(c);
  const size_t in = c->channels * c->height * c->width, out = c->filters * p.plane;
  NN_PRAGMA(omp parallel for schedule(dynamic) num_threads(b->threads))
  for (size_t q = 0; q < p.groups; q++) {
    NnReal *columns = work + (size_t)omp_get_thread_num() * p.buffer, *m = columns + p.taps * p.columns;
    const size_t first = q * p.group, images = nn_min(p.group, c->batch - first), n = images * p.plane;
    to_columns(c, images, x + first * in, columns, n);
    if (images == 1) {
      nn_gemm_serial(0, 0, c->filters, n, p.taps, 1, w, p.taps, columns, n, beta, y + first * out, n);
    } else {
      nn_gemm_serial(0, 0, c->filters, n, p.taps, 1, w, p.taps, columns, n, 0, m, n);
      to_images(images, c->filters, p.plane, m, beta, y + first * out);
    }
  }
}

void nn_cpu_conv2d_data(NnBackend *b, const NnConv *c, const NnReal *w, const NnReal *gy, NnReal beta,
                        NnReal *gx, NnReal *work) {
  const Plan p = plan(c);
  const size_t in = c->channels * c->height * c->width, out = c->filters * p.plane;
  NN_PRAGMA(omp parallel for schedule(dynamic) num_threads(b->threads))
  for (size_t q = 0; q < p.groups; q++) {
    NnReal *columns = work + (size_t)omp_get_thread_num() * p.buffer, *m = columns + p.taps * p.columns;
    const size_t first = q * p.group, images = nn_min(p.group, c->batch - first), n = images * p.plane;
    const NnReal *g = gy + first * out;
    if (images > 1) {
      from_images(images, c->filters, p.plane, g, m);
      g = m;
    }
    nn_gemm_serial(1, 0, p.taps, n, c->filters, 1, w, p.taps, g, n, 0, columns, n);
    from_columns(c, images, columns, n, beta, gx + first * in);
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
      const size_t first = q * p.group, images = nn_min(p.group, c->batch - first), n = images * p.plane;
      const NnReal *g = gy + first * out;
      if (images > 1) {
        from_images(images, c->filters, p.plane, g, m);
        g = m;
      }
      to_columns(c, images, x + first * in, columns, n);
      nn_gemm_serial(0, 1, c->filters, p.taps, n, 1, g, n, columns, n, q == slot ? 0 : 1,
                     partial + slot * size, p.taps);
    }
  }
  for (size_t slot = 0; slot < p.slots; slot++)
    b->kernels->axpby(b, size, 1, partial + slot * size, slot ? 1 : beta, gw);
}
