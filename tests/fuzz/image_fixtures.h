/* tests/fuzz/image_fixtures.h: small image files of every kind, made with libpng and libtiff alone, whose
 * pixels are known by formula. The unit tests read them, the fuzzer begins with them. */
#ifndef BITUNE_TESTS_IMAGE_FIXTURES_H
#define BITUNE_TESTS_IMAGE_FIXTURES_H

#include <stddef.h>

typedef struct {
  const char *name; /* file name                                                              */
  const char *mode; /* TIFFOpen's: "wl", "wb" (big-endian), "wl8" (BigTIFF); NULL for a PNG   */
  unsigned pages;
  unsigned bits;    /* per sample; 32 and 64 are floating point                               */
  unsigned samples; /* stored per pixel                                                       */
  int type;         /* PHOTOMETRIC_… of a TIFF, PNG_COLOR_TYPE_… of a PNG                     */
  int compression;  /* COMPRESSION_… of a TIFF; 1 for an interlaced PNG                       */
  int predictor;    /* PREDICTOR_… of a TIFF, or 0; 1 for a PNG with a tRNS chunk             */
  int separate;     /* planes one after the other                                             */
  unsigned tile;    /* width and height of tiles, 0 for strips of 5 rows                      */
  double tolerance; /* of a lossy scheme                                                      */
} BtFixture;

extern const BtFixture bt_fixtures[];
extern const size_t bt_fixture_count;

/* All pages are of this size, but page k of a stack is k columns narrower. */
#define BT_FIXTURE_HEIGHT 23
unsigned bt_fixture_width(unsigned page);

/* Writes the file into a folder; 0 if libtiff lacks the compression, 1 if written, −1 on failure. */
int bt_fixture_write(const BtFixture *fixture, const char *path);

/* Number of colour and alpha planes to expect, and the values, as fractions of white. */
int bt_fixture_colors(const BtFixture *fixture);
int bt_fixture_alpha(const BtFixture *fixture);
double bt_fixture_pixel(const BtFixture *fixture, unsigned page, int plane, unsigned row, unsigned column);

#endif
