#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "imageio/tiff_internal.h"

/* libtiff has had handlers per file, and limits per allocation, since 4.5. */
#define HAVE_OPEN_OPTIONS (TIFFLIB_VERSION >= 20221213)

/* No block or tag of a page that is accepted needs more. */
#define MAX_ALLOCATION ((tmsize_t)(9 * BT_IMAGE_MAX_SAMPLES))

/* Reads up to `size` bytes at the position, which it advances. */
static size_t read_on(BtTiffFile *file, unsigned char *bytes, size_t size) {
  size_t got = 0;
  while (got < size && file->at < file->size) {
    const ssize_t n = pread(file->fd, bytes + got, size - got, (off_t)file->at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && !file->error) file->error = errno;
    if (n <= 0) break;
    got += (size_t)n;
    file->at += (uint64_t)n;
  }
  return got;
}

int bt_tiff_read_bytes(BtTiffFile *file, uint64_t offset, void *bytes, size_t size) {
  file->at = offset;
  return read_on(file, bytes, size) == size;
}

static tmsize_t on_read(thandle_t handle, void *bytes, tmsize_t size) {
  BtTiffFile *file = handle;
  size_t got = 0;
  if (size < 0) return 0;
  for (; got < (size_t)size && file->at < file->header_size; got++)
    ((unsigned char *)bytes)[got] = file->header[file->at++];
  return (tmsize_t)(got + read_on(file, (unsigned char *)bytes + got, (size_t)size - got));
}

static tmsize_t on_write(thandle_t handle, void *bytes, tmsize_t size) {
  BtTiffFile *file = handle;
  tmsize_t put = 0;
  while (put < size) {
    const ssize_t n = pwrite(file->fd, (const char *)bytes + put, (size_t)(size - put), (off_t)file->at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (!file->error) file->error = n < 0 ? errno : ENOSPC;
      break;
    }
    put += n;
    file->at += (uint64_t)n;
    if (file->at > file->size) file->size = file->at;
  }
  return put;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int whence) {
  BtTiffFile *file = handle;
  if (whence == SEEK_CUR) offset += file->at;
  if (whence == SEEK_END) offset += file->size;
  if (offset > INT64_MAX) return (toff_t)-1;
  return file->at = offset;
}

static int on_close(thandle_t handle) {
  (void)handle;
  return 0;
}

static toff_t on_size(thandle_t handle) { return ((BtTiffFile *)handle)->size; }

/* Files are not mapped: one that shrinks meanwhile would kill the process. */
static int on_map(thandle_t handle, void **base, toff_t *size) {
  (void)handle;
  (void)base;
  (void)size;
  return 0;
}

static void on_unmap(thandle_t handle, void *base, toff_t size) {
  (void)handle;
  (void)base;
  (void)size;
}

#if HAVE_OPEN_OPTIONS
static void keep_first(char text[BT_TIFF_TEXT], const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void keep_first(char text[BT_TIFF_TEXT], const char *format, va_list args) {
  if (!text[0]) vsnprintf(text, BT_TIFF_TEXT, format, args);
}

static int on_error(TIFF *tif, void *user, const char *module, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));
static int on_warning(TIFF *tif, void *user, const char *module, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

static int on_error(TIFF *tif, void *user, const char *module, const char *format, va_list args) {
  (void)tif;
  (void)module;
  keep_first(((BtTiffFile *)user)->text, format, args);
  return 1;
}

static int on_warning(TIFF *tif, void *user, const char *module, const char *format, va_list args) {
  (void)tif;
  (void)module;
  keep_first(((BtTiffFile *)user)->warning, format, args);
  return 1;
}
#endif

TIFF *bt_tiff_attach(BtTiffFile *file, const char *path, const char *mode) {
  file->at = 0;
  file->error = 0;
  file->text[0] = file->warning[0] = '\0';
#if HAVE_OPEN_OPTIONS
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (!options) {
    file->error = ENOMEM;
    return NULL;
  }
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, MAX_ALLOCATION);
  TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, file);
  TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, file);
  TIFF *tif = TIFFClientOpenExt(path, mode, file, on_read, on_write, on_seek, on_close, on_size, on_map,
                                on_unmap, options);
  TIFFOpenOptionsFree(options);
  return tif;
#else
  /* An old libtiff has handlers for the whole process only, and prints by default: it is silenced, at the
   * price of less specific messages. */
  TIFFSetErrorHandler(NULL);
  TIFFSetWarningHandler(NULL);
  return TIFFClientOpen(path, mode, file, on_read, on_write, on_seek, on_close, on_size, on_map, on_unmap);
#endif
}

const char *bt_tiff_cause(const BtTiffFile *file, const char *fallback) {
  if (file->error) return strerror(file->error);
  return file->text[0] ? file->text : fallback;
}
