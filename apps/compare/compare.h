/* apps/compare/compare.h: what the files of `bitune compare` share.
 *
 * A specification (compare_spec.c, its commands compare_command.c, options compare_values.c, what is swept
 * compare_sweep.c) is expanded (compare_expand.c) into runs. Each run is a child process of this program (compare_pool.c,
 * compare_run.c) in a folder of its own, named by what it does, so that finished runs are recognised. What the runs left
 * is collected (compare_collect.c) and told as tables, plots (compare_plots.c), sample images (compare_samples.c) and a
 * page (compare_html.c). Commands and kinds of results differ by the tables of compare_kind.h. */
#ifndef BITUNE_APPS_COMPARE_H
#define BITUNE_APPS_COMPARE_H

#include <sys/types.h>
#include <time.h>

#include "compare/compare_kind.h"
#include "program/app.h"

#define BT_COMPARE_MOST_RUNS 10000
#define BT_COMPARE_MOST_METHODS 64

typedef struct {
  const char *name;                /* as in the legend; borrowed from the specification         */
  BtCompareCommand own;            /* empty if the task's is run                                */
  const BtCompareCommand *command; /* own, or the task's                                        */
  double budget_factor;            /* its multiple of the common budget                         */
  json_t *options;                 /* object: option name → value, texts with paths resolved    */
  json_t *points; /* array of such objects: the sweep, one empty object if none                 */
} BtCompareMethod;

typedef struct {
  const char *label;
  json_t *options;
} BtCompareStart;

typedef struct {
  const char *path; /* of the file, borrowed            */
  char *folder;     /* that its paths are relative to   */
  json_t *root;     /* the document with what the command line sets */
  const char *title, *note;
  BtCompareCommand command; /* of the task */
  json_t *options;
  int64_t work; /* budget of a run, 0: none          */
  double seconds;
  int last_weights; /* of networks: the last ones are compared, not those of best epochs */
  BtCompareMethod *methods;
  size_t method_count;
  BtCompareStart *starts;
  size_t start_count; /* at least 1: one without options if the specification has none */
  int64_t *seeds;
  size_t seed_count;  /* 0: the command's own seed                                     */
  json_t *judge;      /* options of the judging run, NULL if there is none              */
  char *axis;         /* the one number that is swept, NULL if it is none or several   */
} BtCompareSpec;

/* Reads and checks a specification; `sets` are "PATH=VALUE" assignments. Every option is looked up in the
 * command's own tables. Errors name the file, the place in the document, the cause and the cure. */
BtStatus bt_compare_spec_load(BtContext *ctx, const char *path, const char *const *sets, size_t set_count,
                              BtCompareSpec *spec);
void bt_compare_spec_clear(BtCompareSpec *spec);

/* compare_assign.c: sets the field that "PATH=VALUE" names. A text is kept as {BT_COMPARE_FROM_HERE: text}: paths
 * from the command line are relative to the present folder. BT_ERR_ARG. */
#define BT_COMPARE_FROM_HERE "\x01"
BtStatus bt_compare_assign(BtContext *ctx, const char *path, json_t *root, const char *assignment);

/* A value as a word of a command line ("0.1", "5", "photos"), malloc'ed. NULL if out of memory. */
char *bt_compare_value_text(const json_t *value);

/* compare_probe.c: the program's own tables for a command. */
typedef struct {
  BtApp app; /* never started: it holds the tables and settings */
} BtCompareProbe;

/* BT_ERR_FORMAT if there is no such command. */
BtStatus bt_compare_probe_open(BtContext *ctx, const char *const *words, BtCompareProbe *probe);
void bt_compare_probe_close(BtCompareProbe *probe);
/* NULL if the command has no such option. */
const BtOption *bt_compare_probe_find(const BtCompareProbe *probe, const char *name);
/* Checks one option's value, the text of the error as the command line would give it. */
BtStatus bt_compare_probe_set(BtCompareProbe *probe, BtContext *ctx, const char *name, const char *text);
/* What the command line has to say about an unknown option. */
void bt_compare_probe_unknown(BtCompareProbe *probe, const char *name, char *text, size_t size);
/* Parses and checks a whole command line, argv[0] being the program's name, and what the form can tell from its
 * settings; known: as of BtCompareForm.check. */
BtStatus bt_compare_probe_line(BtContext *ctx, char *const *argv, size_t count, const BtCompareForm *form,
                               json_t *known);

typedef enum {
  BT_RUN_WAITING,     /* not begun, or begun and interrupted           */
  BT_RUN_RUNNING,
  BT_RUN_FINISHED,
  BT_RUN_FAILED,
  BT_RUN_ELSEWHERE    /* another rank's, or held by another process    */
} BtRunState;

/* The course of a run: columns of its table. */
typedef struct {
  size_t rows;
  double *iteration, *loss, *eps, *delta, *work, *seconds, *rate; /* [rows], one allocation at `iteration` */
  int stochastic; /* loss is a moving average over random samples */
} BtRunCourse;

#define BT_REACH_LEVELS 2
static const double bt_reach_levels[BT_REACH_LEVELS] = {0.01, 0.001};

struct BtCompareRun {
  size_t index, method, start, point;
  size_t setting;   /* of networks: its place in the comparison's settings */
  int has_seed;
  int64_t seed;
  char *place;      /* start and swept values, "eps0=0.1", may be empty                          */
  char *label;      /* what tells it from the method's other runs: "eps0=0.1 seed=1", may be empty */
  char *name;       /* method and label                                                           */
  double swept;     /* value on the specification's axis, NAN                                    */
  json_t *options;  /* all that were set                                                          */
  char **argv;      /* what it does: program name, command, options; NULL-terminated              */
  size_t argc;
  char *folder;

  BtRunState state;
  int reused;       /* finished before this comparison began  */
  int other_build;  /* by another build of this program       */
  int resumed;      /* goes on from a checkpoint              */
  pid_t pid;        /* of the process under way, 0 if none    */
  int judging;      /* that process judges the result         */
  int lock;         /* descriptor, -1                         */
  double began;     /* clock                                  */
  double wall;      /* seconds of all its processes           */
  int code;         /* exit code of the run                   */
  char *error;      /* why it failed                          */
  char *remark;     /* what the reader should know, or NULL   */
  json_t *record;   /* run.json                               */
  json_t *result;   /* what the run printed, inside `record`  */
  json_t *judged;   /* what judging printed                   */

  BtRunCourse course;
  double loss, lower, upper; /* final; judged if it was judged */
  const char *certificate;   /* "proven", "estimated", "none", static storage */
  double work, spent;        /* final work and seconds                  */
  double best;               /* of all runs with its seed; of networks of all settings */
  double distance;           /* (loss - best)/|best|                    */
  double reach_work[BT_REACH_LEVELS], reach_seconds[BT_REACH_LEVELS]; /* NAN: not reached */
  int diverged;              /* finished, without a loss: its numbers blew up */
  double figure[BT_COMPARE_MOST_FIGURES]; /* of the kind, NAN: none   */
  double rate;               /* of networks: the highest after a quarter of the work */
};

/* Of the values of some runs: number, least, median, greatest, mean and standard deviation (NAN for less than two
 * values); n = 0 leaves NANs. */
typedef struct {
  size_t n;
  double least, median, greatest, mean, deviation;
} BtSpread;

/* The runs of a method that differ by their seeds alone. */
typedef struct {
  size_t method, start, point;
  const char *place; /* of its runs, borrowed */
  double swept;
  size_t runs, finished, diverged;
  BtSpread loss, figure[BT_COMPARE_MOST_FIGURES], rate, work, seconds;
  double distance; /* (mean loss - best)/|best|: of the setting with the least mean loss */
} BtCompareSetting;

struct BtCompare {
  BtApp *app;
  BtCompareSpec spec;
  const char *output;
  char *program;      /* path of this very program              */
  BtCompareRun *runs;
  size_t run_count;
  size_t jobs;        /* processes at a time                    */
  int rank, size;     /* of the processes that share the runs   */
  time_t since;       /* when this process began                */
  int again;          /* repeat finished runs                   */
  double floor;       /* smallest distance that means something */
  int judged;         /* every finished run was judged          */
  BtCompareSetting *settings; /* [setting_count], of networks  */
  size_t setting_count;
  const BtCompareSetting *best_setting; /* NULL: none has a loss */
};

/* compare_words.c: what a run is told. */
/* What a run's command leaves. */
const BtCompareForm *bt_compare_form(const BtCompare *all, const BtCompareRun *run);
/* The budget of a run of this method, 0: none. */
int64_t bt_compare_work_budget(const BtCompareSpec *spec, size_t method);
double bt_compare_seconds_budget(const BtCompareSpec *spec, size_t method);
/* The run's command line without its outputs: `count` words and NULL; free with bt_compare_words_free(). NULL if
 * out of memory. */
char **bt_compare_deed_words(const BtCompare *all, const BtCompareRun *run, size_t *count);
/* The whole one, outputs included. */
char **bt_compare_run_words(const BtCompare *all, const BtCompareRun *run);
/* The same of the process that judges its result. */
char **bt_compare_judge_words(const BtCompare *all, const BtCompareRun *run);
void bt_compare_words_free(char **words);
/* Command line for a POSIX shell, malloc'ed: words quoted where needed. */
char *bt_compare_shell_line(const char *const *argv);

/* compare_expand.c: all runs, in the order seeds, starts, sweep, methods. Each command line is checked. */
BtStatus bt_compare_expand(BtContext *ctx, BtCompare *all);
void bt_compare_runs_clear(BtCompare *all);

/* compare_process.c: one child process. */
/* Starts a process: argv[0] is the program's path; stdin is empty, stdout and stderr go to files, the
 * environment of an MPI launcher is taken out. `keep` (or -1) is a descriptor that the child inherits. */
BtStatus bt_compare_spawn(BtContext *ctx, char *const *argv, const char *out, const char *err, int keep,
                          pid_t *pid);
/* Runs a process to its end, output in `out` and `err`; its exit code, or 128 + signal. */
BtStatus bt_compare_call(BtContext *ctx, char *const *argv, const char *out, const char *err, int *code);
/* The last line of a process's messages that tells an error, without "bitune: "; malloc'ed, NULL if none. */
char *bt_compare_last_error(const char *err);
/* Waits; BT_COMPARE_TICK is the time between two looks at the children. */
#define BT_COMPARE_TICK 0.02
void bt_compare_nap(double seconds);

/* compare_run.c: one run. */
/* Looks for a finished run's record. */
BtStatus bt_compare_run_look(BtContext *ctx, const BtCompare *all, BtCompareRun *run);
/* Starts its next process: run->pid. It is none where the run turns out to be finished, or under way in another
 * process (BT_RUN_ELSEWHERE). BT_ERR_*: the run cannot be started. */
BtStatus bt_compare_run_begin(BtContext *ctx, const BtCompare *all, BtCompareRun *run);
/* Its process has ended (status as of waitpid): sets state, or leaves BT_RUN_RUNNING with pid 0 where another
 * process is to follow. `stopped`: the comparison is being stopped. */
BtStatus bt_compare_run_ended(BtContext *ctx, const BtCompare *all, BtCompareRun *run, int status,
                              int stopped);
/* Share of its budget that a running run has used, 0 to 1; 0 if there is no telling. */
double bt_compare_run_share(const BtCompare *all, const BtCompareRun *run);
/* DIR/runs/…/NAME, malloc'ed. */
char *bt_compare_run_file(const BtCompareRun *run, const char *name);

/* compare_pool.c */
/* Carries out this process's share of the runs, but for those that another one holds: these are left as
 * BT_RUN_ELSEWHERE unless they have ended by then. BT_STOPPED, or an error of the system; a run's own failure is in
 * its state. */
BtStatus bt_compare_pool(BtContext *ctx, BtCompare *all);
/* The runs in a state. */
size_t bt_compare_count(const BtCompare *all, BtRunState state);

/* compare_collect.c: courses, final losses, best and distances. */
BtStatus bt_compare_collect(BtContext *ctx, BtCompare *all);
/* A number of a run's result; NAN if there is none. */
double bt_compare_number(const json_t *value);
/* Of n values, which are sorted. */
BtSpread bt_compare_spread_of(double *values, size_t n);

/* compare_bilevel.c */
/* Whether a method's logged losses are those of its own random samples, which say nothing of when 1 % was reached. */
int bt_compare_stochastic(const BtCompare *all, size_t method);
/* Of the values of a method's finished runs. */
BtSpread bt_compare_spread(const BtCompare *all, size_t method, double (*value)(const BtCompareRun *run));
double bt_compare_distance_of(const BtCompareRun *run);
double bt_compare_work_of(const BtCompareRun *run);
double bt_compare_spent_of(const BtCompareRun *run);
double bt_compare_reach_1_of(const BtCompareRun *run);
double bt_compare_reach_01_of(const BtCompareRun *run);
double bt_compare_reach_1_seconds_of(const BtCompareRun *run);

/* compare_plots.c */
typedef struct {
  char *svg; /* NULL where there is nothing to draw */
  size_t size;
} BtComparePlot;
/* Draws into plots[BT_PLOT_COUNT] and all->output/plots. BT_ERR_LIBRARY without gnuplot. */
BtStatus bt_compare_plots(BtContext *ctx, const BtCompare *all, BtComparePlot *plots);
void bt_compare_plots_clear(BtComparePlot *plots);
/* "#0072B2", and a dash pattern for SVG ("", "6 3", …): the same for a method everywhere. */
const char *bt_compare_color(size_t method);
const char *bt_compare_dash(size_t method);
const char *bt_compare_plot_name(int plot);

/* compare_samples.c */
typedef struct {
  char *png;
  size_t size;
  double psnr; /* NAN of the clean image */
  char caption[160];
} BtCompareSample;
enum { BT_SAMPLE_NOISY, BT_SAMPLE_BEST, BT_SAMPLE_WORST, BT_SAMPLE_CLEAN, BT_SAMPLE_COUNT };
/* Where the task has images: one of them, noisy, denoised by the best and the worst method's model, and clean.
 * *count is 0 where it has none or they cannot be made; *why (malloc'ed, or NULL) tells. */
BtStatus bt_compare_samples(BtContext *ctx, const BtCompare *all, BtCompareSample *samples, size_t *count,
                            char **why);
void bt_compare_samples_clear(BtCompareSample *samples);

/* machine.c: one line each, "unknown" where the system does not tell. */
typedef struct {
  char host[128], cpu[160], memory[48], system[256];
  int cores;
} BtMachine;
void bt_machine(BtMachine *machine);

/* compare_html.c: report.html in all->output. */
BtStatus bt_compare_html(BtContext *ctx, const BtCompare *all, const BtComparePlot *plots,
                         const BtCompareSample *samples, size_t sample_count, const char *why);

#endif
