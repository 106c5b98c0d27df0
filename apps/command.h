/* apps/command.h: what a subcommand is. Help, man pages and completion are printed from these tables. */
#ifndef BITUNE_APPS_COMMAND_H
#define BITUNE_APPS_COMMAND_H

#include <math.h> /* INFINITY in option tables */
#include <stddef.h>
#include <stdint.h>

#include "core/option.h"

#define BT_MAX_SETS 16 /* option tables of one command, the common one included */
#define BT_ANY_NUMBER ((size_t)-1)

typedef struct BtApp BtApp;

/* What every command takes. */
typedef struct {
  int json, quiet, help; /* flags                                     */
  int64_t jobs;          /* processes; 0: all cores available         */
  const char *petsc;     /* options for PETSc, NULL if none           */
} BtCommon;

typedef struct {
  const char *command; /* "bitune noise --sigma 25 -o noisy clean"       */
  const char *what;    /* one sentence without a full stop               */
} BtExample;

enum {
  BT_USES_TEAM = 1, /* deals its work over app->team; otherwise the team has one process */
  BT_USES_PETSC = 2, /* needs PETSc to be running                                        */
  BT_USES_LAUNCHER = 4 /* every process of a launcher runs it by itself, without MPI     */
};

typedef struct {
  const char *name;
  const char *group;    /* heading in `bitune help`                                        */
  const char *summary;  /* one sentence without a full stop                                */
  const char *usage;    /* what follows "bitune NAME"; several forms are separated by "\n" */
  const char *help;     /* paragraphs, separated by "\n\n"; wrapped when printed           */
  BtExample examples[3];
  unsigned flags;       /* BT_USES_…                                                       */
  size_t min_operands, max_operands;
  const char *operands; /* what completion offers: "files", "commands", "a|b|c" or NULL    */

  /* The settings struct: its size (allocated zeroed, then filled with the tables' defaults) and the tables
   * that fill it, at most BT_MAX_SETS - 1; returns their number. The first holds the command's own. */
  size_t settings_size;
  size_t (*options)(void *settings, BtOptionSet *sets);

  /* Optional: demands that a table cannot express, before any process starts; an error is a usage error. */
  BtStatus (*check)(BtApp *app, const void *settings);
  /* Optional: number of items to deal, so that no more processes are started than that; 0 if unknown. */
  size_t (*items)(BtApp *app, const void *settings);
  /* The work. Every rank must return after the same collective calls; see apps/program/app.h for what to call. */
  BtStatus (*run)(BtApp *app, void *settings);
} BtCommand;

/* Group headings. */
#define BT_GROUP_LEARNING "Learning and restoring"
#define BT_GROUP_IMAGES "Images and plots"
#define BT_GROUP_PROGRAM "About the program"

/* All commands of this build in the order of `bitune help`; the list ends with NULL. */
const BtCommand *const *bt_commands(void);
/* Those that need the imaging part; an empty list in a build without it. */
extern const BtCommand *const bt_imaging_commands[];

/* NULL if there is none. */
const BtCommand *bt_command_find(const char *name);
/* The existing name nearest to `name`; NULL if nothing is near. */
const char *bt_command_nearest(const char *name);

/* Allocates a command's settings (*settings, free(); NULL if it has none), fills them and `common` with the
 * defaults and lists the tables in sets[BT_MAX_SETS], the common one last. Returns their number, 0 if out of
 * memory. */
size_t bt_command_settings(const BtCommand *command, BtCommon *common, void **settings, BtOptionSet *sets);

#endif
