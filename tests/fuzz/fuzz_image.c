/* tests/fuzz/fuzz_image.c: libFuzzer's entry: any bytes as an image file, up to four pages read. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imageio/file.h"

#define MOST_PAGES 4

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* One file per process, rewritten for each input. */
static const char *write_input(const uint8_t *bytes, size_t size) {
  static char path[4096];
  if (!path[0]) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/bitune-fuzz-%ld", folder ? folder : "/tmp", (long)getpid());
  }
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd) != 0) abort();
  return path;
}

/* What a reader promises: pixels that are finite, or an error with a text of one line that names the file. */
static void check_error(const BtContext *ctx, const char *path) {
  if (!strstr(ctx->error, path) && !strstr(ctx->error, "out of memory")) abort();
}

static void check_pixels(const BtImage *image) {
  const size_t n = bt_image_plane_size(image) * (size_t)(image->colors + image->alpha);
  for (size_t p = 0; p < n; p++)
    if (image->pixels[p] - image->pixels[p] != 0.0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  BtContext ctx;
  BtImageReader *reader;
  const char *path = write_input(bytes, size);
  bt_context_init(&ctx);
  if (bt_image_open(&ctx, path, 0.0, &reader) < 0) {
    check_error(&ctx, path);
  } else {
    for (size_t page = 0; page < bt_image_pages(reader) && page < MOST_PAGES; page++) {
      BtImage image;
      bt_context_init(&ctx);
      if (bt_image_read_page(&ctx, reader, page, &image) < 0)
        check_error(&ctx, path);
      else
        check_pixels(&image);
      bt_image_clear(&image);
    }
    bt_image_close(reader);
  }
  unlink(path);
  return 0;
}
