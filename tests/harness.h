/* tests/harness.h: a test program is a table of named functions run by CUnit.
 *
 * The program's exit code is bt_test_main's: 0 passed, 1 failed, 77 skipped. A check prints what it compared
 * when it fails; nothing else ends a test function early but BT_NEED. */
#ifndef BITUNE_TESTS_HARNESS_H
#define BITUNE_TESTS_HARNESS_H

#include <stddef.h>

#include "core/context.h"

#define BT_TEST_SKIPPED 77

typedef struct {
  const char *name;
  void (*run)(void);
} BtTest;

/* Runs all tests of a table, or with BITUNE_ONLY=TEXT in the environment those whose names hold TEXT: a long
 * suite in pieces. No tests, or a run without checks, fails. */
int bt_test_main(const char *suite, const BtTest *tests, size_t count);

/* Says why the whole program cannot run here and returns BT_TEST_SKIPPED. */
int bt_test_skip(const char *suite, const char *reason);

/* A folder of this run, made on the first call and removed with its files by bt_test_main. */
const char *bt_test_folder(void);

/* folder + "/" + name, valid for the next 8 calls. */
const char *bt_test_path(const char *name);

/* Number of entries of a folder, "." and ".." not counted; -1 if it cannot be read. */
int bt_test_entries(const char *folder);

/* Each counts one check and returns whether it held; `what` describes it, printf-like. */
int bt_test_check(int ok, const char *file, int line, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
int bt_test_near(double got, double wanted, double tolerance, const char *file, int line, const char *what);
int bt_test_text(const char *got, const char *wanted, const char *file, int line);
int bt_test_status(BtStatus got, BtStatus wanted, const BtContext *ctx, const char *file, int line);

#define BT_CHECK(condition) bt_test_check((condition) ? 1 : 0, __FILE__, __LINE__, "%s", #condition)
/* A check in a loop, with text that says which row failed. */
#define BT_CHECK_ROW(condition, ...) bt_test_check((condition) ? 1 : 0, __FILE__, __LINE__, __VA_ARGS__)
/* |got − wanted| <= tolerance; never true of NaN. */
#define BT_CHECK_NEAR(got, wanted, tolerance) bt_test_near(got, wanted, tolerance, __FILE__, __LINE__, #got)
/* Equal texts. */
#define BT_CHECK_TEXT(got, wanted) bt_test_text(got, wanted, __FILE__, __LINE__)
/* A status; a wrong one prints the text of the error in ctx (may be NULL). */
#define BT_CHECK_STATUS(got, wanted, ctx) bt_test_status(got, wanted, ctx, __FILE__, __LINE__)
/* Leaves the test function if the condition, needed by what follows, does not hold. */
#define BT_NEED(condition)            \
  do {                                \
    if (!BT_CHECK(condition)) return; \
  } while (0)

#endif
