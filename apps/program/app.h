/* apps/program/app.h: one run of the program, as its command sees it.
 *
 * Results go to stdout through bt_app_print() and bt_app_put(), everything else to stderr. A command returns
 * a status; the program prints the error text and turns the status into an exit code:
 *   0 done, 1 error, 2 usage, 3 finished but not certified, 130 interrupted. */
#ifndef BITUNE_APPS_APP_H
#define BITUNE_APPS_APP_H

#include <jansson.h>
#include <stdint.h>

#include "command.h"
#include "core/context.h"
#include "core/team.h"
#include "program/progress.h"

struct BtApp {
  BtContext ctx;                 /* stop flag and observers are in place when a command runs */
  BtTeam team;
  BtCommon common;
  const BtCommand *command;
  void *settings;
  BtOptionSet sets[BT_MAX_SETS]; /* the command's tables, then the common one                */
  size_t set_count;
  const char *const *operands;
  size_t operand_count;

  json_t *result;                /* what --json prints; use bt_app_put                       */
  size_t done;                   /* items that the last bt_app_each() finished, on all ranks */
  size_t failures;               /* items that failed while the rest was done: exit code 1   */
  double start;                  /* bt_app_clock() at the start                              */
  BtProgress progress;           /* the line on the terminal                                 */

  char *petsc_argument;          /* what common.petsc points into                            */
  int petsc_running;
  int in_item;                   /* inside bt_app_each(): every rank's warnings are shown    */
  int stdout_error;              /* errno of the first failed write                          */
  int usage_error;               /* the command line was wrong: exit code 2                  */
};

/* Text for people on stdout; nothing under --json and --quiet or on ranks other than 0. */
void bt_app_print(BtApp *app, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text that is a command's whole purpose (help, a script): even under --quiet; "text" under --json. */
void bt_app_document(BtApp *app, const char *text);

/* Sets a field of the JSON result; takes over the reference. NULL becomes null. */
void bt_app_put(BtApp *app, const char *key, json_t *value);
void bt_app_put_real(BtApp *app, const char *key, double value); /* NaN and infinity become null */
void bt_app_put_int(BtApp *app, const char *key, int64_t value);
void bt_app_put_text(BtApp *app, const char *key, const char *value);
/* A JSON string of any bytes: those that are not UTF-8 become question marks. New reference. */
json_t *bt_app_text_json(const char *text);
/* {name: value} of all the command's tables, the record of a run. New reference. */
json_t *bt_app_settings_json(const BtApp *app);

/* One line "bitune: TEXT" on stderr, whole even when several processes write. */
void bt_app_complain(BtApp *app, const char *text);

/* Wall time since the start in seconds; the monotonic clock itself. */
double bt_app_seconds(const BtApp *app);
double bt_app_clock(void);

/* Cores that this process may use. */
int bt_app_cores(void);

/* For check(): BT_ERR_ARG "--NAME is required" unless `given`. */
BtStatus bt_app_require(BtApp *app, int given, const char *name);

/* Calls work(user, app, i) for this rank's items of 0 … count-1, with progress in `unit` ("images"). An item
 * that fails is reported by its own error text, counted in app->failures and listed under "failed" in the
 * JSON result (names[i]); the rest is done. Collective; returns the same on every rank: BT_OK, BT_STOPPED,
 * the largest outcome (> 0) of an item, or an error of the team itself; app->done items are finished.
 * failed[count] (may be NULL) receives 1 for items that failed, on whichever rank. */
typedef BtStatus BtAppWork(void *user, BtApp *app, size_t i);
BtStatus bt_app_each(BtApp *app, const char *unit, const char *const *names, size_t count, BtAppWork *work,
                     void *user, unsigned char *failed);

/* What main() does with it, in this order. */
void bt_app_init(BtApp *app);
/* Finds the command and fills settings and operands; --help and --version become commands. Errors: usage. */
BtStatus bt_app_parse(BtApp *app, int argc, char **argv);
/* Rank that a launcher (mpirun, mpiexec, srun) gave this process, -1 if it was started by hand. */
int bt_app_launcher_rank(void);
/* Starts signal handlers, observers, processes and PETSc. */
BtStatus bt_app_start(BtApp *app);
/* Prints error and JSON, ends PETSc and processes, checks that stdout was written; returns the exit code. */
int bt_app_finish(BtApp *app, BtStatus status);

#endif
