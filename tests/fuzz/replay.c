/* tests/fuzz/replay.c: runs a fuzz target without libFuzzer: on every fixture and kept file, then on
 * mutations of each that depend on a seed alone.
 *
 * usage: replay MUTATIONS [SEED [FOLDER]]   fixtures, and the files of FOLDER
 *        replay --write FOLDER              leaves the fixtures there, as libFuzzer's first corpus */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/rng.h"
#include "image_fixtures.h"

#define MOST_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

typedef struct {
  uint64_t seed, stream, next;
} Dice;

static size_t roll(Dice *dice, size_t count) {
  return (size_t)(bt_rng_uniform(dice->seed, dice->stream, dice->next++) * (double)count);
}

/* Numbers at which sizes and offsets go wrong. */
static uint32_t odd_number(Dice *dice, size_t size) {
  static const uint32_t numbers[] = {0,     1,     2,     7,          8,          255,       256,
                                     32767, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff};
  const size_t count = sizeof numbers / sizeof *numbers;
  const size_t i = roll(dice, count + 2);
  return i < count ? numbers[i] : (uint32_t)roll(dice, size + 16);
}

/* Changes bytes in place and returns the new size, which is not larger. */
static size_t mutate(Dice *dice, uint8_t *bytes, size_t size) {
  const size_t changes = 1 + roll(dice, 4);
  for (size_t i = 0; i < changes && size > 8; i++) {
    const size_t at = roll(dice, size), kind = roll(dice, 8);
    /* The first bytes and the directories matter most. */
    const size_t low = roll(dice, size < 160 ? size : 160), tail = size - 1 - low;
    const size_t place = kind % 3 == 0 ? low : kind % 3 == 1 ? tail : at;
    const uint32_t number = odd_number(dice, size);
    const int swapped = bytes[0] == 'M' || bytes[0] == 0x89;
    if (kind < 3) {
      bytes[place] ^= (uint8_t)(1u << roll(dice, 8));
    } else if (kind < 7) {
      const size_t width = roll(dice, 2) ? 2 : 4;
      for (size_t b = 0; b < width && place + b < size; b++)
        bytes[place + b] = (uint8_t)(number >> 8 * (swapped ? width - 1 - b : b));
    } else {
      size = 1 + roll(dice, size);
    }
  }
  return size;
}

static int replay_bytes(const uint8_t *bytes, size_t size, size_t mutations, Dice *dice) {
  uint8_t *copy = malloc(size + 1);
  if (!copy) return 0;
  LLVMFuzzerTestOneInput(bytes, size);
  for (size_t i = 0; i < mutations; i++) {
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, mutate(dice, copy, size));
  }
  free(copy);
  return 1;
}

static int replay_file(const char *path, size_t mutations, Dice *dice) {
  BtContext ctx;
  char *bytes;
  size_t size;
  bt_context_init(&ctx);
  if (bt_file_read(&ctx, path, MOST_BYTES, &bytes, &size) < 0) {
    fprintf(stderr, "%s\n", ctx.error);
    return 0;
  }
  dice->stream++;
  dice->next = 0;
  const int ok = replay_bytes((const uint8_t *)bytes, size, mutations, dice);
  free(bytes);
  return ok;
}

static int write_fixtures(const char *folder) {
  for (size_t i = 0; i < bt_fixture_count; i++) {
    char *path = bt_path_join(folder, bt_fixtures[i].name);
    const int written = path ? bt_fixture_write(&bt_fixtures[i], path) : -1;
    if (written < 0) fprintf(stderr, "%s: not written\n", path ? path : folder);
    free(path);
    if (written < 0) return 0;
  }
  return 1;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* Files in the order of their names, so that the mutations are the same everywhere. */
static int replay_folder(const char *folder, size_t mutations, Dice *dice, size_t *files) {
  struct dirent **entries;
  int ok = 1;
  const int count = scandir(folder, &entries, NULL, by_name);
  if (count < 0) return 0;
  for (int i = 0; i < count; i++) {
    if (entries[i]->d_name[0] != '.') {
      char *path = bt_path_join(folder, entries[i]->d_name);
      ok = ok && path && replay_file(path, mutations, dice);
      free(path);
      *files += 1;
    }
    free(entries[i]);
  }
  free(entries);
  return ok;
}

static void remove_fixtures(const char *folder) {
  for (size_t i = 0; i < bt_fixture_count; i++) {
    char *path = bt_path_join(folder, bt_fixtures[i].name);
    if (path) (void)unlink(path);
    free(path);
  }
  (void)rmdir(folder);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write") == 0) return write_fixtures(argv[2]) ? 0 : 1;
  const size_t mutations = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
  Dice dice = {.seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1};
  size_t files = 0;
  char folder[] = "/tmp/bitune-replay-XXXXXX";
  if (!mkdtemp(folder)) return 1;
  int ok = write_fixtures(folder) && replay_folder(folder, mutations, &dice, &files);
  remove_fixtures(folder);
  if (ok && argc > 3) ok = replay_folder(argv[3], mutations, &dice, &files);
  printf("%zu files, %zu mutations of each\n", files, mutations);
  return ok ? 0 : 1;
}
