/* imageio/codec_internal.h: what a file format implements; file.c does what is common to all.
 *
 * A codec moves samples between a file and pixels in the file's own scale. Scaling to white = 1, the search
 * for samples that are not finite, names, formats told apart and atomic replacement are file.c's. */
#ifndef BITUNE_IMAGEIO_CODEC_INTERNAL_H
#define BITUNE_IMAGEIO_CODEC_INTERNAL_H

#include <stdint.h>

#include "core/file.h"
#include "imageio/file.h"

/* What an output file keeps of its input besides pixels; taken from the first page, in TIFF's codes. */
typedef struct {
  double x_resolution, y_resolution; /* pixels per unit, 0 if the file does not say            */
  int unit;                          /* 1 only the aspect ratio is meant, 2 inch, 3 centimetre */
  int orientation;                   /* 1 … 8, 1 is top left                                   */
  int compression;                   /* scheme, 0 if the file is no TIFF                       */
  int premultiplied;                 /* 1 if the colours are multiplied by alpha               */
  char *description;                 /* owned, NULL if none                                    */
} BtImageNotes;

typedef struct BtImageCodec BtImageCodec;

struct BtImageReader {
  const BtImageCodec *codec;
  char *path;         /* owned                                             */
  FILE *stream;       /* owned                                             */
  uint64_t size;      /* of the file, bytes                                */
  double white;       /* 0: the sample type's own                          */
  size_t pages;       /* set by the codec's open                           */
  BtImageNotes notes; /* set by the codec's open                           */
  void *state;        /* the codec's                                       */
};

struct BtImageWriter {
  const BtImageCodec *codec;
  BtAtomicFile file;
  char *path;   /* owned; the name the user gave                     */
  size_t pages; /* announced                                         */
  size_t written;
  int broken;          /* a page failed: the file cannot be completed       */
  BtImageNotes notes;  /* of the input; all zero without one                */
  uint64_t input_size; /* of the input, bytes; 0 without one                */
  void *state;         /* the codec's                                       */
};

struct BtImageCodec {
  const char *name;
  const char *extensions; /* lower case, each between blanks: " tif tiff "    */
  int stacks;             /* 1 if a file holds any number of pages            */
  int floats;             /* 1 if a file holds floating-point samples         */

  /* required */
  int (*recognizes)(const unsigned char signature[8]);
  /* Sets pages and notes. On error the caller calls close(). */
  BtStatus (*open)(BtContext *ctx, BtImageReader *reader);
  /* Creates the image: pixels in the file's scale, sample type, and in `white` the largest sample (1 for
   * float). On error the caller clears the image. */
  BtStatus (*read_page)(BtContext *ctx, BtImageReader *reader, size_t page, BtImage *image);
  BtStatus (*write_page)(BtContext *ctx, BtImageWriter *writer, const BtImage *image);

  /* optional (NULL) */
  /* Frees state, if there is any. */
  void (*close)(BtImageReader *reader);
  /* writer->file is open; discard() follows if this fails. */
  BtStatus (*create)(BtContext *ctx, BtImageWriter *writer);
  /* Completes the bytes, before the rename. */
  BtStatus (*finish)(BtContext *ctx, BtImageWriter *writer);
  /* Frees state, if there is any; the last call, whatever happened. */
  void (*discard)(BtImageWriter *writer);
};

extern const BtImageCodec bt_png_codec, bt_tiff_codec;

/* Largest value of an integer sample type, 1 for float. */
double bt_sample_scale(BtSample sample);

/* Bytes of a sample. */
size_t bt_sample_size(BtSample sample);

/* "path: page k of n", or the path alone if there is one page. */
void bt_page_name(const BtImageReader *reader, size_t page, char *text, size_t size);

/* Creates a page that a file's header describes. BT_ERR_FORMAT if it is empty, BT_ERR_UNSUPPORTED if it has
 * more than BT_IMAGE_MAX_SAMPLES samples, BT_ERR_MEMORY; `where` begins the message. */
BtStatus bt_page_create(BtContext *ctx, const char *where, uint64_t width, uint64_t height, int colors,
                        int alpha, BtImage *image);

/* Row r as interleaved samples in the file's scale and the machine's byte order: width·(colors+alpha) of
 * image->sample. Integers are rounded to nearest and clipped. */
void bt_samples_pack(const BtImage *image, size_t r, void *out);

#endif
