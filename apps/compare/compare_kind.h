/* apps/compare/compare_kind.h: what `bitune compare` knows of commands and of what they leave.
 *
 * A form says which files a command writes into a run's folder and how an interrupted run goes on. A kind says how the
 * results are judged, told and drawn; commands of one comparison are of one kind. */
#ifndef BITUNE_APPS_COMPARE_KIND_H
#define BITUNE_APPS_COMPARE_KIND_H

#include "program/app.h"

#define BT_COMPARE_MOST_WORDS 4
#define BT_COMPARE_MOST_FIGURES 8
#define BT_COURSE_COLUMNS 7
#define BT_COMPARE_SEARCH_FOLDER "search" /* what nn search writes, inside of a run's folder */

typedef struct BtCompare BtCompare;
typedef struct BtCompareRun BtCompareRun;
typedef struct BtDraw BtDraw;
typedef struct BtPage BtPage;

/* A number of a run's result, told beside the loss compared. */
typedef struct {
  const char *name;   /* column of the tables                    */
  const char *title;  /* of the page, HTML                       */
  const char *key[2]; /* field of the result: best, last weights */
  int percent;        /* it is a share                           */
} BtCompareFigure;

enum { BT_PLOT_WORK, BT_PLOT_SECONDS, BT_PLOT_ACCURACIES, BT_PLOT_SPREAD, BT_PLOT_SWEEP, BT_PLOT_COUNT };

typedef struct {
  const char *work;               /* what it is counted in                                        */
  const char *work_key;           /* its field of a result                                        */
  const char *loss_key[2];        /* field of the loss: best, last weights                        */
  int diverges;                   /* a run whose numbers blow up is a result, not a failure       */
  const BtCompareFigure *figures; /* BT_COMPARE_MOST_FIGURES at most, ended by NULL; NULL: none   */
  const char *captions[BT_PLOT_COUNT];
  /* Loss, bounds and figures of a finished run, from its result and course. */
  void (*take)(const BtCompare *all, BtCompareRun *run);
  /* The best, and the distances to it, once all is taken. */
  BtStatus (*rank)(BtContext *ctx, BtCompare *all);
  /* trajectories.csv, summary.csv, methods.csv in all->output. */
  BtStatus (*tables)(BtContext *ctx, const BtCompare *all);
  /* A plot's gnuplot script; 0 if there is nothing to draw. */
  int (*draw)(BtDraw *p, int plot);
  /* Tables of the page. */
  void (*summary)(BtPage *p);
  void (*runs)(BtPage *p);
  /* The same in short on the terminal and in the program's own result. */
  void (*tell)(BtApp *app, const BtCompare *all);
} BtCompareKind;
extern const BtCompareKind bt_compare_bilevel; /* compare_bilevel.c: certified losses of bilevel learning */
extern const BtCompareKind bt_compare_network; /* compare_network.c: losses of networks on held-out data  */

typedef struct {
  const char *words;             /* "nn train"; NULL: any other command                              */
  const BtCompareKind *kind;     /* of its results                                                   */
  const char *const (*files)[2]; /* options and the files that they get, ended by NULL               */
  const char *course;            /* the table of a run's course                                      */
  const char *columns[BT_COURSE_COLUMNS]; /* of that table, for those of BtRunCourse; NULL: none     */
  int seconds_add_up;            /* the table's are of each row alone                                */
  int has_last;                  /* it tells the losses of the last weights                          */
  int goes_on;                   /* the same command goes on with what is in its folder              */
  const char *resume_brings;     /* options that --resume brings, "a|b"; NULL: there is no --resume  */
  const char *shared_files;      /* options by which all runs would write to one file, "a|b"         */
  /* What else can be told of a run before it runs, from its command's settings; NULL: nothing. known: an object
   * in which it may keep what holds for other runs of the comparison, too. BT_STOPPED if a stop is asked for. */
  BtStatus (*check)(BtContext *ctx, const void *settings, json_t *known);
} BtCompareForm;

/* A command of this program. */
typedef struct {
  char *words, *cut; /* "logreg learn", whole and cut at its blanks */
  const char *word[BT_COMPARE_MOST_WORDS + 1]; /* [count], then NULL */
  size_t count;
  const BtCompareForm *form;
  int checkpoints; /* it has --checkpoint and --resume */
  int threads;     /* it has --threads                 */
} BtCompareCommand;
void bt_compare_command_clear(BtCompareCommand *command);

#endif
