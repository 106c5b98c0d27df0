/* tests/cli/image_tool.c: image files for shell scripts, by libpng and libtiff alone: it shares no code with
 * what it checks.
 *
 *   image_tool info FILE            one line a page: "tif 48x64 bits 16 samples 3" (height x width)
 *   image_tool psnr A B             dB over all pages and colour samples, each on its own [0,1] scale
 *   image_tool alpha A B            largest difference of the alpha samples, as a fraction of opaque
 *   image_tool value A PAGE ROW COLUMN SAMPLE   one sample on the [0,1] scale, 17 digits
 *   image_tool convert IN OUT BITS SAMPLES PAGES
 *       the first page of IN as PAGES pages (page k shifted cyclically by 7k columns) of 8 or 16 bits, in TIFF
 *       also 32 (float); 1 to 4 samples a pixel: gray, gray and alpha, RGB, RGBA. Alpha becomes a ramp.
 *   image_tool nan OUT              an 8x8 float TIFF whose sample in row 3, column 5 (from 0) is NaN */
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

typedef struct {
  int tiff;
  unsigned height, width, bits, samples;
  double *values; /* [height][width][samples], on the [0,1] scale */
} Page;

typedef struct {
  unsigned count;
  Page *pages;
} Pages;

static void die(const char *path, const char *what) {
  fprintf(stderr, "image_tool: %s: %s\n", path, what);
  exit(1);
}

static void *need(size_t count, size_t size) {
  void *p = calloc(count ? count : 1, size);
  if (!p) die("memory", "none left");
  return p;
}

static unsigned colors_of(const Page *p) { return p->samples < 3 ? 1 : 3; }
static int has_alpha(const Page *p) { return p->samples % 2 == 0; }
static size_t row_size(const Page *p) { return (size_t)p->width * p->samples; }

/* One row of stored samples to values and back; integers of 16 bits are big-endian in a PNG. */
static void unpack(const Page *p, const unsigned char *row, double *values) {
  for (size_t i = 0; i < row_size(p); i++) {
    uint16_t word;
    float real;
    if (p->bits == 8) values[i] = row[i] / 255.0;
    if (p->bits == 16 && !p->tiff) values[i] = (row[2 * i] * 256 + row[2 * i + 1]) / 65535.0;
    if (p->bits == 16 && p->tiff) values[i] = (memcpy(&word, row + 2 * i, 2), word / 65535.0);
    if (p->bits == 32) values[i] = (memcpy(&real, row + 4 * i, 4), (double)real);
  }
}

static void pack(const Page *p, const double *values, unsigned char *row) {
  for (size_t i = 0; i < row_size(p); i++) {
    const uint16_t word = (uint16_t)lround(values[i] * 65535);
    const float real = (float)values[i];
    if (p->bits == 8) row[i] = (unsigned char)lround(values[i] * 255);
    if (p->bits == 16 && !p->tiff) row[2 * i] = (unsigned char)(word >> 8), row[2 * i + 1] = (unsigned char)word;
    if (p->bits == 16 && p->tiff) memcpy(row + 2 * i, &word, 2);
    if (p->bits == 32) memcpy(row + 4 * i, &real, 4);
  }
}

static Pages read_png(const char *path) {
  FILE *file = fopen(path, "rb");
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!file || !info) die(path, "cannot be opened");
  if (setjmp(png_jmpbuf(png))) die(path, "is not a PNG");
  png_init_io(png, file);
  png_read_png(png, info, PNG_TRANSFORM_EXPAND, NULL);
  Pages all = {1, need(1, sizeof(Page))};
  Page *p = all.pages;
  p->height = png_get_image_height(png, info);
  p->width = png_get_image_width(png, info);
  p->bits = png_get_bit_depth(png, info);
  p->samples = png_get_channels(png, info);
  p->values = need(p->height, row_size(p) * sizeof(double));
  png_bytepp rows = png_get_rows(png, info);
  for (unsigned r = 0; r < p->height; r++) unpack(p, rows[r], p->values + r * row_size(p));
  png_destroy_read_struct(&png, &info, NULL);
  fclose(file);
  return all;
}

static Pages read_tiff(const char *path) {
  TIFF *tiff = TIFFOpen(path, "r");
  Pages all = {0, NULL};
  if (!tiff) die(path, "is not a TIFF");
  do {
    Page p = {.tiff = 1};
    uint16_t bits = 8, samples = 1;
    all.pages = realloc(all.pages, (all.count + 1) * sizeof p);
    if (!all.pages) die("memory", "none left");
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &p.height);
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &p.width);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
    p.bits = bits;
    p.samples = samples;
    p.values = need(p.height, row_size(&p) * sizeof(double));
    unsigned char *row = need((size_t)TIFFScanlineSize(tiff), 1);
    for (unsigned r = 0; r < p.height; r++) {
      if (TIFFReadScanline(tiff, row, r, 0) < 0) die(path, "cannot be read");
      unpack(&p, row, p.values + r * row_size(&p));
    }
    free(row);
    all.pages[all.count++] = p;
  } while (TIFFReadDirectory(tiff));
  TIFFClose(tiff);
  return all;
}

static int is_png(const char *path) {
  const size_t size = strlen(path);
  return size > 4 && strcmp(path + size - 4, ".png") == 0;
}

static Pages read_pages(const char *path) { return is_png(path) ? read_png(path) : read_tiff(path); }

static void release(Pages all) {
  for (unsigned k = 0; k < all.count; k++) free(all.pages[k].values);
  free(all.pages);
}

static void write_png(const char *path, const Page *p) {
  static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                              PNG_COLOR_TYPE_RGB_ALPHA};
  FILE *file = fopen(path, "wb");
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  unsigned char *row = need(row_size(p), 2);
  if (!file || !info || setjmp(png_jmpbuf(png))) die(path, "cannot be written");
  png_init_io(png, file);
  png_set_IHDR(png, info, p->width, p->height, (int)p->bits, types[p->samples - 1], PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (unsigned r = 0; r < p->height; r++) {
    pack(p, p->values + r * row_size(p), row);
    png_write_row(png, row);
  }
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  free(row);
  if (fclose(file) != 0) die(path, "cannot be written");
}

static void write_tiff(const char *path, const Pages *all) {
  TIFF *tiff = TIFFOpen(path, "w");
  if (!tiff) die(path, "cannot be written");
  for (unsigned k = 0; k < all->count; k++) {
    const Page *p = &all->pages[k];
    const uint16_t extra[] = {EXTRASAMPLE_UNASSALPHA};
    unsigned char *row = need(row_size(p), 4);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, p->height);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, p->width);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, p->bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, p->samples);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, p->bits == 32 ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, colors_of(p) == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_LZW);
    if (has_alpha(p)) TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, extra);
    for (unsigned r = 0; r < p->height; r++) {
      pack(p, p->values + r * row_size(p), row);
      if (TIFFWriteScanline(tiff, row, r, 0) < 0) die(path, "cannot be written");
    }
    free(row);
    if (!TIFFWriteDirectory(tiff)) die(path, "cannot be written");
  }
  TIFFClose(tiff);
}

static void write_pages(const char *path, const Pages *all) {
  if (is_png(path))
    write_png(path, &all->pages[0]);
  else
    write_tiff(path, all);
}

static int info(const char *path) {
  Pages all = read_pages(path);
  for (unsigned k = 0; k < all.count; k++) {
    const Page *p = &all.pages[k];
    printf("%s %ux%u bits %u samples %u\n", p->tiff ? "tif" : "png", p->height, p->width, p->bits, p->samples);
  }
  release(all);
  return 0;
}

static void check_alike(const Pages *a, const Pages *b, const char *path) {
  if (a->count != b->count) die(path, "has another number of pages");
  for (unsigned k = 0; k < a->count; k++) {
    const Page *p = &a->pages[k], *q = &b->pages[k];
    if (p->height != q->height || p->width != q->width) die(path, "has another size");
    if (colors_of(p) != colors_of(q)) die(path, "has other colours");
  }
}

/* psnr, or with `alpha` the largest difference of the alpha samples. */
static int compare(const char *a_path, const char *b_path, int alpha) {
  Pages a = read_pages(a_path), b = read_pages(b_path);
  double sum = 0, count = 0, largest = 0;
  check_alike(&a, &b, b_path);
  for (unsigned k = 0; k < a.count; k++) {
    const Page *p = &a.pages[k], *q = &b.pages[k];
    if (alpha && !(has_alpha(p) && has_alpha(q))) die(a_path, "has no alpha, or the other has none");
    for (size_t i = 0; i < (size_t)p->height * p->width; i++) {
      const double *x = p->values + i * p->samples, *y = q->values + i * q->samples;
      if (alpha) largest = fmax(largest, fabs(x[p->samples - 1] - y[q->samples - 1]));
      for (unsigned c = 0; c < colors_of(p); c++, count++) sum += (x[c] - y[c]) * (x[c] - y[c]);
    }
  }
  if (alpha)
    printf("%.17g\n", largest);
  else
    printf("%.12f\n", sum > 0 ? -10 * log10(sum / count) : 999.0);
  release(a);
  release(b);
  return 0;
}

static int value(char **argv) {
  Pages all = read_pages(argv[2]);
  const unsigned page = (unsigned)atoi(argv[3]), row = (unsigned)atoi(argv[4]), column = (unsigned)atoi(argv[5]);
  const unsigned sample = (unsigned)atoi(argv[6]);
  if (page >= all.count) die(argv[2], "has no such page");
  const Page *p = &all.pages[page];
  if (row >= p->height || column >= p->width || sample >= p->samples) die(argv[2], "has no such sample");
  printf("%.17g\n", p->values[row * row_size(p) + (size_t)column * p->samples + sample]);
  release(all);
  return 0;
}

static int convert(const char *from, const char *to, unsigned bits, unsigned samples, unsigned count) {
  Pages in = read_pages(from), out = {count, need(count, sizeof(Page))};
  const Page *p = &in.pages[0];
  for (unsigned k = 0; k < count; k++) {
    Page *q = &out.pages[k];
    *q = (Page){!is_png(to), p->height, p->width, bits, samples, NULL};
    q->values = need(q->height, row_size(q) * sizeof(double));
    for (unsigned r = 0; r < p->height; r++)
      for (unsigned c = 0; c < p->width; c++) {
        const double *x = p->values + r * row_size(p) + (size_t)((c + 7 * k) % p->width) * p->samples;
        double *y = q->values + r * row_size(q) + (size_t)c * samples;
        for (unsigned s = 0; s < colors_of(q); s++) y[s] = x[colors_of(p) == 3 ? s : 0];
        if (has_alpha(q)) y[samples - 1] = (double)c / p->width;
      }
  }
  write_pages(to, &out);
  release(in);
  release(out);
  return 0;
}

static int make_nan(const char *path) {
  double values[64];
  Page page = {1, 8, 8, 32, 1, values};
  for (int i = 0; i < 64; i++) values[i] = i / 64.0;
  values[3 * 8 + 5] = NAN;
  write_tiff(path, &(Pages){1, &page});
  return 0;
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  TIFFSetWarningHandler(NULL);
  if (argc == 3 && strcmp(command, "info") == 0) return info(argv[2]);
  if (argc == 4 && strcmp(command, "psnr") == 0) return compare(argv[2], argv[3], 0);
  if (argc == 4 && strcmp(command, "alpha") == 0) return compare(argv[2], argv[3], 1);
  if (argc == 7 && strcmp(command, "value") == 0) return value(argv);
  if (argc == 7 && strcmp(command, "convert") == 0)
    return convert(argv[2], argv[3], (unsigned)atoi(argv[4]), (unsigned)atoi(argv[5]), (unsigned)atoi(argv[6]));
  if (argc == 3 && strcmp(command, "nan") == 0) return make_nan(argv[2]);
  fputs("usage: see the first lines of tests/cli/image_tool.c\n", stderr);
  return 2;
}
