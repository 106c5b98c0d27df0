#include "harness.h"

#include <CUnit/Basic.h>
#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define WHAT 512
#define PATHS 8
#define PATH_SIZE 1024

static char folder[256];

static void remove_tree(const char *path) {
  DIR *dir = opendir(path);
  if (!dir) return;
  for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
    char name[PATH_SIZE];
    struct stat info;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    if (lstat(name, &info) == 0 && S_ISDIR(info.st_mode))
      remove_tree(name);
    else
      (void)unlink(name);
  }
  (void)closedir(dir);
  (void)rmdir(path);
}

const char *bt_test_folder(void) {
  if (folder[0]) return folder;
  const char *base = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/bitune-test-XXXXXX", base && *base ? base : "/tmp");
  if (!mkdtemp(folder)) {
    perror(folder);
    exit(1);
  }
  return folder;
}

const char *bt_test_path(const char *name) {
  static char paths[PATHS][PATH_SIZE];
  static int next;
  char *path = paths[next++ % PATHS];
  snprintf(path, PATH_SIZE, "%s/%s", bt_test_folder(), name);
  return path;
}

int bt_test_entries(const char *path) {
  int count = 0;
  DIR *dir = opendir(path);
  if (!dir) return -1;
  for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
    count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  (void)closedir(dir);
  return count;
}

int bt_test_check(int ok, const char *file, int line, const char *what, ...) {
  char text[WHAT];
  va_list args;
  va_start(args, what);
  vsnprintf(text, sizeof text, what, args);
  va_end(args);
  CU_assertImplementation(ok ? CU_TRUE : CU_FALSE, (unsigned)line, text, file, "", CU_FALSE);
  return ok;
}

int bt_test_near(double got, double wanted, double tolerance, const char *file, int line, const char *what) {
  return bt_test_check(fabs(got - wanted) <= tolerance, file, line, "%s = %.17g, wanted %.17g +- %.3g", what,
                       got, wanted, tolerance);
}

int bt_test_text(const char *got, const char *wanted, const char *file, int line) {
  return bt_test_check(got && strcmp(got, wanted) == 0, file, line, "got \"%s\", wanted \"%s\"",
                       got ? got : "(NULL)", wanted);
}

int bt_test_status(BtStatus got, BtStatus wanted, const BtContext *ctx, const char *file, int line) {
  return bt_test_check(got == wanted, file, line, "status \"%s\", wanted \"%s\"; error text: %s",
                       bt_status_name(got), bt_status_name(wanted), ctx ? ctx->error : "");
}

int bt_test_skip(const char *suite, const char *reason) {
  printf("SKIPPED %s: %s\n", suite, reason);
  return BT_TEST_SKIPPED;
}

int bt_test_main(const char *suite, const BtTest *tests, size_t count) {
  const char *only = getenv("BITUNE_ONLY");
  size_t chosen = 0;
  int failed = 1;
  if (CU_initialize_registry() != CUE_SUCCESS) return failed;
  CU_pSuite cases = CU_add_suite(suite, NULL, NULL);
  for (size_t i = 0; cases && i < count; i++) {
    if (only && !strstr(tests[i].name, only)) continue;
    chosen++;
    if (!CU_add_test(cases, tests[i].name, tests[i].run)) cases = NULL;
  }
  if (cases) {
    CU_basic_set_mode(CU_BRM_VERBOSE);
    failed = CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_failures() > 0 ||
             CU_get_number_of_tests_run() != chosen || chosen == 0 || CU_get_number_of_asserts() == 0;
  }
  CU_cleanup_registry();
  if (folder[0]) remove_tree(folder);
  return failed;
}
