#include "image_fixtures.h"

#include <png.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

#define HEIGHT BT_FIXTURE_HEIGHT
#define WIDTH 29

enum {
  BLACK = PHOTOMETRIC_MINISBLACK,
  WHITE = PHOTOMETRIC_MINISWHITE,
  RGB = PHOTOMETRIC_RGB,
  PALETTE = PHOTOMETRIC_PALETTE,
  YCBCR = PHOTOMETRIC_YCBCR,
  CMYK = PHOTOMETRIC_SEPARATED,
  NONE = COMPRESSION_NONE,
  LZW = COMPRESSION_LZW,
  DEFLATE = COMPRESSION_ADOBE_DEFLATE,
  PACKBITS = COMPRESSION_PACKBITS,
  JPEG = COMPRESSION_JPEG,
  FAX4 = COMPRESSION_CCITTFAX4,
  FAX3 = COMPRESSION_CCITTFAX3,
  ZSTD = COMPRESSION_ZSTD,
  LZMA = COMPRESSION_LZMA
};

const BtFixture bt_fixtures[] = {
    /* name, mode, pages, bits, samples, photometric, compression, predictor, separate, tile, tolerance */
    {"g1.tif", "wl", 1, 1, 1, BLACK, NONE, 0, 0, 0, 0},
    {"g1-fax3.tif", "wl", 1, 1, 1, WHITE, FAX3, 0, 0, 0, 0},
    {"g1-fax4.tif", "wb", 1, 1, 1, WHITE, FAX4, 0, 0, 16, 0},
    {"g2.tif", "wb", 1, 2, 1, BLACK, LZW, 0, 0, 0, 0},
    {"g4-white.tif", "wl", 1, 4, 1, WHITE, PACKBITS, 0, 0, 0, 0},
    {"g8.tif", "wl", 1, 8, 1, BLACK, NONE, 0, 0, 0, 0},
    {"g8-white.tif", "wb", 1, 8, 1, WHITE, NONE, 0, 0, 0, 0},
    {"g8-alpha.tif", "wl", 1, 8, 2, BLACK, DEFLATE, 2, 0, 0, 0},
    {"g8-white-alpha-separate.tif", "wl", 1, 8, 2, WHITE, LZW, 0, 1, 0, 0},
    {"g8-jpeg.tif", "wl", 1, 8, 1, BLACK, JPEG, 0, 0, 16, 0.1},
    {"g10.tif", "wl", 1, 10, 1, BLACK, NONE, 0, 0, 0, 0},
    {"g12.tif", "wb", 1, 12, 1, BLACK, LZW, 0, 0, 16, 0},
    {"g16.tif", "wl", 1, 16, 1, BLACK, LZW, 2, 0, 0, 0},
    {"g16-big-endian.tif", "wb", 1, 16, 1, BLACK, LZW, 2, 0, 16, 0},
    {"g16-bigtiff.tif", "wl8", 1, 16, 1, BLACK, DEFLATE, 2, 0, 0, 0},
    {"g16-bigtiff-big-endian.tif", "wb8", 2, 16, 1, BLACK, NONE, 0, 0, 0, 0},
    {"g16-stack.tif", "wl", 5, 16, 1, BLACK, DEFLATE, 0, 0, 0, 0},
    {"g32.tif", "wl", 1, 32, 1, BLACK, NONE, 0, 0, 0, 0},
    {"g32-predictor.tif", "wl", 2, 32, 1, BLACK, DEFLATE, 3, 0, 16, 0},
    {"g64.tif", "wb", 1, 64, 1, BLACK, LZW, 0, 0, 0, 0},
    {"rgb8.tif", "wl", 1, 8, 3, RGB, NONE, 0, 0, 0, 0},
    {"rgb8-lzw.tif", "wl", 1, 8, 3, RGB, LZW, 2, 0, 16, 0},
    {"rgb8-separate.tif", "wb", 1, 8, 3, RGB, DEFLATE, 2, 1, 0, 0},
    {"rgba8-separate-tiles.tif", "wl", 1, 8, 4, RGB, PACKBITS, 0, 1, 32, 0},
    {"rgb8-jpeg.tif", "wl", 1, 8, 3, YCBCR, JPEG, 0, 0, 0, 0.15},
    {"rgb8-zstd.tif", "wl", 1, 8, 3, RGB, ZSTD, 2, 0, 0, 0},
    {"rgb8-lzma.tif", "wl", 1, 8, 3, RGB, LZMA, 0, 0, 0, 0},
    {"rgba16.tif", "wb", 1, 16, 4, RGB, DEFLATE, 2, 0, 16, 0},
    {"rgb32.tif", "wl", 1, 32, 3, RGB, LZW, 3, 1, 0, 0},
    {"p1.tif", "wl", 1, 1, 1, PALETTE, NONE, 0, 0, 0, 0},
    {"p4.tif", "wl", 1, 4, 1, PALETTE, LZW, 0, 0, 0, 0},
    {"p8.tif", "wb", 1, 8, 1, PALETTE, NONE, 0, 0, 16, 0},
    /* name, NULL, pages, bits, samples, colour type, interlaced, transparency chunk */
    {"g1.png", NULL, 1, 1, 1, PNG_COLOR_TYPE_GRAY, 0, 0, 0, 0, 0},
    {"g2.png", NULL, 1, 2, 1, PNG_COLOR_TYPE_GRAY, 1, 0, 0, 0, 0},
    {"g4-clear.png", NULL, 1, 4, 1, PNG_COLOR_TYPE_GRAY, 0, 1, 0, 0, 0},
    {"g8.png", NULL, 1, 8, 1, PNG_COLOR_TYPE_GRAY, 0, 0, 0, 0, 0},
    {"g16-interlaced.png", NULL, 1, 16, 1, PNG_COLOR_TYPE_GRAY, 1, 0, 0, 0, 0},
    {"ga8.png", NULL, 1, 8, 2, PNG_COLOR_TYPE_GRAY_ALPHA, 0, 0, 0, 0, 0},
    {"ga16.png", NULL, 1, 16, 2, PNG_COLOR_TYPE_GRAY_ALPHA, 1, 0, 0, 0, 0},
    {"rgb8.png", NULL, 1, 8, 3, PNG_COLOR_TYPE_RGB, 0, 0, 0, 0, 0},
    {"rgb16-clear.png", NULL, 1, 16, 3, PNG_COLOR_TYPE_RGB, 0, 1, 0, 0, 0},
    {"rgba8-interlaced.png", NULL, 1, 8, 4, PNG_COLOR_TYPE_RGB_ALPHA, 1, 0, 0, 0, 0},
    {"rgba16.png", NULL, 1, 16, 4, PNG_COLOR_TYPE_RGB_ALPHA, 0, 0, 0, 0, 0},
    {"p1.png", NULL, 1, 1, 1, PNG_COLOR_TYPE_PALETTE, 0, 0, 0, 0, 0},
    {"p4-clear.png", NULL, 1, 4, 1, PNG_COLOR_TYPE_PALETTE, 1, 1, 0, 0, 0},
    {"p8.png", NULL, 1, 8, 1, PNG_COLOR_TYPE_PALETTE, 0, 0, 0, 0, 0},
};
const size_t bt_fixture_count = sizeof bt_fixtures / sizeof *bt_fixtures;

unsigned bt_fixture_width(unsigned page) { return WIDTH - page; }

static int is_png(const BtFixture *f) { return f->mode == NULL; }

static int is_palette(const BtFixture *f) {
  return f->type == (is_png(f) ? PNG_COLOR_TYPE_PALETTE : PALETTE);
}

/* JPEG's strips are multiples of 8 rows, or all. */
static unsigned strip_rows(const BtFixture *f) { return f->compression == JPEG ? HEIGHT : 5; }

static double largest(const BtFixture *f) { return f->bits > 16 ? 1.0 : (double)((1u << f->bits) - 1); }

/* The stored sample: a coarse pattern, or a ramp where compression is lossy. */
static double sample(const BtFixture *f, unsigned page, unsigned s, unsigned r, unsigned k) {
  const unsigned pattern = r * 2731 + k * 919 + s * 5077 + page * 3301 + r * k % 7;
  if (f->tolerance > 0.0) return (double)(255 * (r + k + 3 * s) / (HEIGHT + WIDTH + 9));
  if (f->bits > 16) return (double)(float)(((double)(pattern % 4096) - 900.0) / 7.0);
  return (double)(pattern % (1u << f->bits));
}

static unsigned palette_entry(unsigned index, int c) { return (index * 83 + 31 * (unsigned)c + 5) & 255; }

/* Alpha of a palette entry, or of the one colour that a tRNS chunk names: that of pixel (0,0). */
static double clear_pixel(const BtFixture *f, unsigned r, unsigned k) {
  if (is_palette(f)) return sample(f, 0, 0, r, k) < 3.0 ? 10.0 * sample(f, 0, 0, r, k) / 255.0 : 1.0;
  for (unsigned s = 0; s < f->samples; s++)
    if (sample(f, 0, s, r, k) != sample(f, 0, s, 0, 0)) return 1.0;
  return 0.0;
}

int bt_fixture_colors(const BtFixture *f) { return is_palette(f) || f->samples >= 3 ? 3 : 1; }

int bt_fixture_alpha(const BtFixture *f) {
  return f->samples == 2 || f->samples == 4 || (is_png(f) && f->predictor) ? 1 : 0;
}

double bt_fixture_pixel(const BtFixture *f, unsigned page, int plane, unsigned r, unsigned k) {
  if (is_palette(f) && plane < 3) return palette_entry((unsigned)sample(f, page, 0, r, k), plane) / 255.0;
  if (is_png(f) && f->predictor && plane == bt_fixture_colors(f)) return clear_pixel(f, r, k);
  const double v = sample(f, page, (unsigned)plane, r, k);
  return (!is_png(f) && f->type == WHITE && plane == 0 ? largest(f) - v : v) / largest(f);
}

/* Packs n samples into bytes, the highest bit first; `high_first` is the byte order of 16 bits. */
static void pack(const BtFixture *f, const double *samples, size_t n, int high_first, unsigned char *out) {
  unsigned waiting = 0, have = 0;
  for (size_t i = 0; i < n; i++) {
    const unsigned v = f->bits > 16 ? 0 : (unsigned)samples[i];
    if (f->bits == 64) {
      memcpy(out + 8 * i, &samples[i], 8);
    } else if (f->bits == 32) {
      const float x = (float)samples[i];
      memcpy(out + 4 * i, &x, 4);
    } else if (f->bits == 16 && !high_first) {
      const uint16_t x = (uint16_t)v;
      memcpy(out + 2 * i, &x, 2);
    } else {
      waiting = waiting << f->bits | v;
      for (have += f->bits; have >= 8; have -= 8) *out++ = (unsigned char)(waiting >> (have - 8) & 255);
    }
  }
  if (have > 0) *out = (unsigned char)(waiting << (8 - have) & 255);
}

/* Row r, columns [k, k+n) as bytes; sample s alone, or all if s is negative. Samples outside are 0. */
static void pack_row(const BtFixture *f, unsigned page, int s, unsigned r, unsigned k, unsigned n,
                     int high_first, unsigned char *out) {
  double samples[4 * 64];
  size_t count = 0;
  for (unsigned j = k; j < k + n; j++)
    for (unsigned i = s < 0 ? 0 : (unsigned)s; i <= (s < 0 ? f->samples - 1 : (unsigned)s); i++)
      samples[count++] = r < HEIGHT && j < bt_fixture_width(page) ? sample(f, page, i, r, j) : 0.0;
  pack(f, samples, count, high_first, out);
}

static int write_tiff_blocks(const BtFixture *f, TIFF *tif, unsigned page) {
  const unsigned width = bt_fixture_width(page);
  const unsigned w = f->tile ? f->tile : width, h = f->tile ? f->tile : strip_rows(f);
  const size_t row_bytes = ((size_t)w * (f->separate ? 1 : f->samples) * f->bits + 7) / 8;
  unsigned char *block = calloc(h, row_bytes);
  int ok = block != NULL;
  for (unsigned s = 0; ok && s < (f->separate ? f->samples : 1); s++)
    for (unsigned y = 0; ok && y < HEIGHT; y += h)
      for (unsigned x = 0; ok && x < width; x += w) {
        const unsigned rows = !f->tile && HEIGHT - y < h ? HEIGHT - y : h;
        for (unsigned r = 0; r < rows; r++)
          pack_row(f, page, f->separate ? (int)s : -1, y + r, x, w, 0, block + r * row_bytes);
        const tmsize_t bytes = (tmsize_t)(rows * row_bytes);
        ok =
            f->tile
                ? TIFFWriteEncodedTile(tif, TIFFComputeTile(tif, x, y, 0, (uint16_t)s), block, bytes) == bytes
                : TIFFWriteEncodedStrip(tif, TIFFComputeStrip(tif, y, (uint16_t)s), block, bytes) == bytes;
      }
  free(block);
  return ok;
}

static void set_palette(const BtFixture *f, TIFF *tif) {
  uint16_t entries[3][256];
  for (int c = 0; c < 3; c++)
    for (unsigned i = 0; i < 1u << f->bits; i++) entries[c][i] = (uint16_t)(palette_entry(i, c) * 257);
  TIFFSetField(tif, TIFFTAG_COLORMAP, entries[0], entries[1], entries[2]);
}

static int write_tiff(const BtFixture *f, const char *path) {
  if (!TIFFIsCODECConfigured((uint16_t)f->compression)) return 0;
  TIFF *tif = TIFFOpen(path, f->mode);
  int ok = tif != NULL;
  for (unsigned page = 0; ok && page < f->pages; page++) {
    const uint16_t extra[1] = {EXTRASAMPLE_UNASSALPHA};
    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, bt_fixture_width(page));
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, HEIGHT);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, f->bits);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, f->samples);
    TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, f->bits > 16 ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
    if (f->samples % 2 == 0) TIFFSetField(tif, TIFFTAG_EXTRASAMPLES, 1, extra);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, f->type);
    TIFFSetField(tif, TIFFTAG_PLANARCONFIG, f->separate ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    TIFFSetField(tif, TIFFTAG_COMPRESSION, f->compression);
    if (f->predictor) TIFFSetField(tif, TIFFTAG_PREDICTOR, f->predictor);
    if (f->type == YCBCR) {
      TIFFSetField(tif, TIFFTAG_YCBCRSUBSAMPLING, 1, 1);
      TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (f->tile) {
      TIFFSetField(tif, TIFFTAG_TILEWIDTH, f->tile);
      TIFFSetField(tif, TIFFTAG_TILELENGTH, f->tile);
    } else {
      TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, strip_rows(f));
    }
    TIFFSetField(tif, TIFFTAG_XRESOLUTION, 300.0);
    TIFFSetField(tif, TIFFTAG_YRESOLUTION, 150.0);
    TIFFSetField(tif, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
    TIFFSetField(tif, TIFFTAG_IMAGEDESCRIPTION, "a fixture");
    if (is_palette(f)) set_palette(f, tif);
    ok = write_tiff_blocks(f, tif, page) && TIFFWriteDirectory(tif) == 1;
  }
  if (tif) TIFFClose(tif);
  return ok ? 1 : -1;
}

static void set_png_palette(const BtFixture *f, png_structp png, png_infop info) {
  png_color entries[256];
  for (unsigned i = 0; i < 1u << f->bits; i++) {
    entries[i].red = (png_byte)palette_entry(i, 0);
    entries[i].green = (png_byte)palette_entry(i, 1);
    entries[i].blue = (png_byte)palette_entry(i, 2);
  }
  png_set_PLTE(png, info, entries, 1 << f->bits);
}

static void set_png_transparency(const BtFixture *f, png_structp png, png_infop info) {
  const png_byte alphas[3] = {0, 10, 20};
  png_color_16 clear = {0};
  clear.gray = clear.red = (png_uint_16)sample(f, 0, 0, 0, 0);
  clear.green = (png_uint_16)sample(f, 0, 1, 0, 0);
  clear.blue = (png_uint_16)sample(f, 0, 2, 0, 0);
  if (is_palette(f))
    png_set_tRNS(png, info, alphas, 3, NULL);
  else
    png_set_tRNS(png, info, NULL, 0, &clear);
}

static int write_png(const BtFixture *f, const char *path) {
  unsigned char rows[HEIGHT][8 * 64];
  png_bytep row_pointers[HEIGHT];
  FILE *stream = fopen(path, "wb");
  png_structp png = stream ? png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL) : NULL;
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(png_jmpbuf(png))) {
    if (stream) fclose(stream);
    png_destroy_write_struct(&png, &info);
    return -1;
  }
  for (unsigned r = 0; r < HEIGHT; r++) {
    pack_row(f, 0, -1, r, 0, WIDTH, 1, rows[r]);
    row_pointers[r] = rows[r];
  }
  png_init_io(png, stream);
  png_set_IHDR(png, info, WIDTH, HEIGHT, (int)f->bits, f->type,
               f->compression ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_set_pHYs(png, info, 4000, 8000, PNG_RESOLUTION_METER);
  if (is_palette(f)) set_png_palette(f, png, info);
  if (f->predictor) set_png_transparency(f, png, info);
  png_write_info(png, info);
  png_write_image(png, row_pointers);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  return fclose(stream) == 0 ? 1 : -1;
}

int bt_fixture_write(const BtFixture *f, const char *path) {
  return is_png(f) ? write_png(f, path) : write_tiff(f, path);
}
