#include "bench.h"

#include <petscsys.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "imageio/file.h"
#include "imageio/set.h"

double bench_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void bench_check(const BtContext *ctx, BtStatus st, const char *what) {
  if (st >= 0) return;
  fprintf(stderr, "%s: %s (%s)\n", what, ctx->error, bt_status_name(st));
  exit(1);
}

BenchImages bench_images(BtContext *ctx, const char *folder, size_t count, size_t crop, double sigma) {
  BtImageSet set;
  bench_check(ctx, bt_image_set_list(ctx, &folder, 1, &set), folder);
  if (set.count < count) count = set.count;
  BenchImages images = {count, calloc(count, sizeof *images.noisy), calloc(count, sizeof *images.truth)};
  for (size_t i = 0; i < count; i++) {
    BtImage clean, noisy;
    bench_check(ctx, bt_image_read(ctx, set.paths[i], 0, &clean), set.paths[i]);
    bench_check(ctx, bt_image_to_gray(ctx, &clean), set.paths[i]);
    if (crop) bench_check(ctx, bt_image_crop(ctx, &clean, crop, crop), set.paths[i]);
    bench_check(ctx, bt_image_copy(ctx, &clean, &noisy), set.paths[i]);
    bt_image_add_noise(&noisy, sigma, 1, (unsigned long long)i << 32);
    images.noisy[i] = (BtNoisyImage){{clean.height, clean.width}, noisy.pixels};
    images.truth[i] = clean.pixels;
  }
  bt_image_set_clear(&set);
  return images;
}

void bench_start(int *argc, char ***argv) {
  if (PetscInitialize(argc, argv, NULL, NULL) || PetscPushErrorHandler(PetscReturnErrorHandler, NULL))
    exit(1);
}
