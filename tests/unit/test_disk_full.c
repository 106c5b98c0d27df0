/* A tiny file system in memory, filled to the brim: what was on it must survive every kind of write. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/file.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "harness.h"

#define LARGE (1 << 18)

static BtContext ctx;
static char bytes[LARGE];

static BtStatus write_bytes(const char *path) { return bt_file_write(&ctx, path, bytes, 100); }
static BtStatus write_many_bytes(const char *path) { return bt_file_write(&ctx, path, bytes, sizeof bytes); }

static BtStatus write_json(const char *path) {
  json_t *value = bt_json_reals((const double *)(const void *)bytes, LARGE / 8);
  const BtStatus st = bt_json_save(&ctx, path, value);
  json_decref(value);
  return st;
}

static BtStatus write_tensor(const char *path) {
  BtTensorWriter *writer;
  const size_t shape[] = {LARGE / 8};
  BtStatus st = bt_tensors_create(&ctx, path, NULL, &writer);
  if (st < 0) return st;
  BT_CHECK_STATUS(bt_tensors_declare(&ctx, writer, "x", BT_TENSOR_F64, 1, shape), BT_OK, &ctx);
  st = bt_tensors_append(&ctx, writer, bytes, shape[0]);
  bt_tensors_abandon(writer);
  return st;
}

static void survives(void) {
  static BtStatus (*const writers[])(const char *) = {write_bytes, write_many_bytes, write_json,
                                                      write_tensor};
  const char *dir = bt_test_path("disk"), *path = bt_test_path("disk/a");
  char wanted[512];
  snprintf(wanted, sizeof wanted, "%s: cannot write: No space left on device", path);
  BT_CHECK_STATUS(bt_file_write(&ctx, path, "old", 3), BT_OK, &ctx);

  FILE *filler = fopen(bt_test_path("disk/filler"), "wb");
  BT_NEED(filler);
  while (fwrite(bytes, 1, 512, filler) == 512 && fflush(filler) == 0) continue;
  BT_CHECK(errno == ENOSPC);
  (void)fclose(filler);

  for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
    char *text;
    size_t size;
    ctx.error[0] = '\0';
    BT_CHECK_STATUS(writers[i](path), BT_ERR_IO, &ctx);
    BT_CHECK_TEXT(ctx.error, wanted);
    BT_CHECK_STATUS(bt_file_read(&ctx, path, 10, &text, &size), BT_OK, &ctx);
    BT_CHECK_TEXT(text, "old");
    BT_CHECK(bt_test_entries(dir) == 2);
    free(text);
  }
}

static const BtTest tests[] = {{"the old content survives", survives}};

int main(void) {
  char dir[512];
  snprintf(dir, sizeof dir, "%s", bt_test_path("disk"));
  if (bt_make_folder(&ctx, dir) < 0) return 1;
  if (mount("bitune-test", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k") != 0) {
    const int error = errno;
    (void)rmdir(dir);
    (void)rmdir(bt_test_folder());
    return bt_test_skip("disk_full", strerror(error));
  }
  /* bt_test_main cannot remove the folder while something is mounted there. */
  const int failed = bt_test_main("disk_full", tests, sizeof tests / sizeof *tests);
  const int unmounted = umount(dir) == 0;
  (void)rmdir(dir);
  (void)rmdir(bt_test_folder());
  return failed || !unmounted;
}
