#define _XOPEN_SOURCE 700 /* realpath */
#include "compare/compare.h"

#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

typedef struct {
  const char *output, *set;
  int plan, again;
} Compare;

static const BtOption options[] = {
    BT_OPT_TEXT("output", 'o', Compare, output, NULL, "DIR", "folder to write to, made if missing"),
    BT_OPT_TEXT(
        "set", 0, Compare, set, NULL, "PATH=VALUE",
        "set a field of the specification, such as task.options.train=photos; more of them as operands"),
    BT_OPT_FLAG("plan", Compare, plan, "print the runs' command lines and end"),
    BT_OPT_FLAG("again", Compare, again, "repeat the runs that are finished, too"), BT_OPT_END};

static size_t compare_options(void *settings, BtOptionSet *sets) {
  sets[0] = (BtOptionSet){options, settings, NULL};
  return 1;
}

static BtStatus compare_check(BtApp *app, const void *settings) {
  const Compare *compare = settings;
  return compare->plan ? BT_OK : bt_app_require(app, compare->output != NULL, "output");
}

/* Which of a launcher's processes this is, and of how many. */
static int launcher_size(void) {
  static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE",
                                      "SLURM_STEP_NUM_TASKS"};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const char *size = getenv(sizes[i]);
    if (size && atoi(size) > 0) return atoi(size);
  }
  return 1;
}

static BtStatus find_program(BtContext *ctx, BtCompare *all) {
  char *path = realpath("/proc/self/exe", NULL);
  if (!path)
    return bt_fail(ctx, BT_ERR_IO, "the program's own path is unknown: /proc/self/exe cannot be read");
  all->program = path;
  return BT_OK;
}

/* A number among the task's options; 1 if it is not set. */
static long at_least_one(const BtCompareSpec *spec, const char *name) {
  const json_t *value = json_object_get(spec->options, name);
  return json_is_integer(value) && json_integer_value(value) > 0 ? (long)json_integer_value(value) : 1;
}

/* As many processes at a time as there are cores for them. */
static size_t pool_size(const BtApp *app, const BtCompareSpec *spec, int size) {
  const char *device = json_string_value(json_object_get(spec->options, "device"));
  const long each = at_least_one(spec, "jobs") * at_least_one(spec, "threads");
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (app->common.jobs > 0) return (size_t)app->common.jobs;
  /* Runs on one GPU would share its time and memory. */
  if (size > 1 || (device && strncmp(device, "cpu", 3) != 0)) return 1;
  cores /= each;
  return cores < 1 ? 1 : (size_t)cores;
}

/* Absolute, so that command lines can be repeated from anywhere; made only once all is checked. */
static char *absolute_output(const char *output) {
  char here[PATH_MAX];
  /* The empty name stays what it is, to be refused. */
  if (!*output || *output == '/') return bt_copy_text(output);
  return getcwd(here, sizeof here) ? bt_path_join(here, output) : bt_copy_text(output);
}

static BtStatus load(BtApp *app, const Compare *set, BtCompare *all) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  const char **sets = calloc(app->operand_count + 1, sizeof *sets);
  size_t count = 0;
  if (!sets) return bt_fail_memory(ctx, "the command line", 0);
  if (set->set) sets[count++] = set->set;
  for (size_t i = 1; i < app->operand_count; i++) sets[count++] = app->operands[i];
  BT_TRY(bt_compare_spec_load(ctx, app->operands[0], sets, count, &all->spec));
  BT_TRY(find_program(ctx, all));
  all->output = set->output ? absolute_output(set->output) : bt_copy_text("DIR");
  if (!all->output) BT_TRY(bt_fail_memory(ctx, "the output", 0));
  all->jobs = pool_size(app, &all->spec, all->size);
  BT_COMPLETE(bt_compare_expand(ctx, all));
  if (!set->plan) BT_TRY(bt_make_folder(ctx, all->output));
done:
  app->usage_error = st == BT_ERR_ARG;
  free(sets);
  return st;
}

static BtStatus print_plan(BtApp *app, const BtCompare *all) {
  json_t *list = json_array();
  for (size_t i = 0; i < all->run_count; i++) {
    char **words = bt_compare_run_words(all, &all->runs[i]);
    char *line = words ? bt_compare_shell_line((const char *const *)words) : NULL;
    if (line) {
      bt_app_print(app, "# %s\n%s\n", all->runs[i].name, line);
      (void)json_array_append_new(
          list, json_pack("{s:o, s:o, s:o}", "name", bt_app_text_json(all->runs[i].name), "command",
                          bt_app_text_json(line), "folder", bt_app_text_json(all->runs[i].folder)));
    }
    bt_compare_words_free(words);
    free(line);
    if (!line) return bt_fail_memory(&app->ctx, "a plan", 0);
  }
  bt_app_put(app, "runs", list);
  return BT_OK;
}

/* What is finished already, and which runs are other processes'. */
static BtStatus look(BtContext *ctx, BtCompare *all, size_t *finished) {
  BtStatus st = BT_OK;
  *finished = 0;
  for (size_t i = 0; i < all->run_count && st >= 0; i++) {
    BtCompareRun *run = &all->runs[i];
    const int own = (int)(i % (size_t)all->size) == all->rank;
    if (!all->again && own) st = bt_compare_run_look(ctx, all, run);
    run->reused = run->state == BT_RUN_FINISHED;
    *finished += (size_t)run->reused;
    if (!own) run->state = BT_RUN_ELSEWHERE;
  }
  return st;
}

static BtStatus report(BtApp *app, BtCompare *all, size_t reused) {
  BtContext *ctx = &app->ctx;
  BtComparePlot plots[BT_PLOT_COUNT] = {0};
  BtCompareSample samples[BT_SAMPLE_COUNT] = {0};
  const size_t finished = bt_compare_count(all, BT_RUN_FINISHED),
               failed = bt_compare_count(all, BT_RUN_FAILED);
  const size_t elsewhere = bt_compare_count(all, BT_RUN_ELSEWHERE);
  size_t sample_count = 0;
  char *why = NULL;
  json_t *failures = json_array();
  BtStatus st = BT_OK;
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    if (run->state == BT_RUN_FAILED)
      (void)json_array_append_new(failures,
                                  json_pack("{s:o, s:o}", "name", bt_app_text_json(run->name), "error",
                                            bt_app_text_json(run->error ? run->error : "")));
  }
  app->failures = failed;
  bt_app_put(app, "failed", failures);
  bt_app_put_int(app, "runs", (int64_t)all->run_count);
  bt_app_put_int(app, "finished", (int64_t)finished);
  bt_app_put_int(app, "reused", (int64_t)reused);
  bt_app_put_int(app, "elsewhere", (int64_t)elsewhere);
  bt_app_put_text(app, "output", all->output);
  BT_TRY(bt_compare_collect(ctx, all));
  BT_TRY(all->spec.command.form->kind->tables(ctx, all));
  if (finished) {
    const BtStatus drawn = bt_compare_plots(ctx, all, plots);
    /* The tables and the page are of use without pictures. */
    if (drawn == BT_ERR_LIBRARY) bt_warn(ctx, "the report has no plots: %.900s", ctx->error);
    if (drawn != BT_ERR_LIBRARY) BT_TRY(drawn);
    BT_TRY(bt_compare_samples(ctx, all, samples, &sample_count, &why));
    if (st == BT_STOPPED) goto done;
  }
  BT_TRY(bt_compare_html(ctx, all, plots, samples, sample_count, why));
  all->spec.command.form->kind->tell(app, all);
  bt_app_print(app, "%zu of %zu runs finished%s, %zu failed; report in %s/report.html\n", finished,
               all->run_count, reused ? " (some before)" : "", failed, all->output);
  bt_app_put_text(app, "report", "report.html");
  if (elsewhere)
    st = bt_fail(
        ctx, BT_ERR_IO,
        "%s: not complete yet: another process is at %zu of its runs; once it has ended, the same command "
        "completes the report",
        all->output, elsewhere);
done:
  bt_compare_plots_clear(plots);
  bt_compare_samples_clear(samples);
  free(why);
  return st;
}

static void clear(BtCompare *all) {
  bt_compare_runs_clear(all);
  bt_compare_spec_clear(&all->spec);
  free((char *)all->output);
  free(all->program);
}

static BtStatus compare_run(BtApp *app, void *settings) {
  const Compare *set = settings;
  BtContext *ctx = &app->ctx;
  const int rank = bt_app_launcher_rank();
  BtCompare all = {.app = app, .again = set->again, .rank = rank < 0 ? 0 : rank, .since = time(NULL)};
  BtStatus st = BT_OK;
  size_t reused = 0;
  all.size = rank < 0 ? 1 : launcher_size();
  if (all.rank >= all.size) all.size = all.rank + 1;
  /* One process of a launcher speaks for all. */
  if (all.rank > 0) app->common.quiet = 1, app->common.json = 0;
  BT_COMPLETE(load(app, set, &all));
  if (set->plan) {
    st = all.rank == 0 ? print_plan(app, &all) : BT_OK;
    goto done;
  }
  BT_TRY(look(ctx, &all, &reused));
  if (reused) bt_app_print(app, "%zu of %zu runs are finished already\n", reused, all.run_count);
  BT_TRY(bt_compare_pool(ctx, &all));
  if (st == BT_STOPPED) {
    bt_warn(ctx, "stopped; the same command goes on where it was");
    goto done;
  }
  if (all.rank == 0) BT_TRY(report(app, &all, reused));
done:
  clear(&all);
  return st;
}

const BtCommand bt_cmd_compare = {
    .name = "compare",
    .group = BT_GROUP_LEARNING,
    .summary = "run several methods on one task and report on them",
    .usage = "SPEC.json -o DIR [options] [PATH=VALUE ...]",
    .help =
        "The specification names a task (learn, logreg learn, nn train or nn search with its options), "
        "methods, "
        "starts, swept options, seeds and a budget of work or seconds that is the same for all. Every "
        "combination is "
        "a run: a process of its own, so that one that crashes does not touch the others. docs/compare.md "
        "describes "
        "the fields, data/experiments holds specifications.\n\n"
        "--jobs processes run at a time, by default one a core; under mpirun every rank takes its share of "
        "the runs. "
        "Stopped or killed, the same command goes on: finished runs, recognised by their command lines, are "
        "not "
        "repeated, the others resume from their checkpoints. Delete DIR after images have been changed.\n\n"
        "DIR holds report.html (tables, plots, sample images, machine and command lines in one file), "
        "trajectories.csv (every outer iteration, epoch or trial of every run), summary.csv (one line a "
        "run), "
        "methods.csv (one line a method or setting), plots and a folder of each run. A run that fails is "
        "reported, the "
        "others go on, and the exit code is 1; so it is where another process of the same comparison is "
        "still at some "
        "of the runs.\n\n"
        "Bilevel learning: a loss counts as reached from where on a run's logged losses stay within 1 % or "
        "0.1 % of "
        "the best final loss of all runs with its seed.\n\n"
        "Networks: tuners, ensembles (--hdet) and, with a method's own command nn search, searches. The "
        "budget is in "
        "gradients of examples, those of replicas, responses, validation steps and all trials included; "
        "\"budget_factor\" gives a method a multiple of it. Compared are the validation losses of best "
        "epochs, or with "
        "\"weights\": \"last\" those of the last weights, by their means over seeds. A run that diverges is "
        "a result, told "
        "as such, not a failure.\n\n"
        "Paths in a specification are relative to its file, those set by PATH=VALUE to the present folder.",
    .examples = {{"bitune compare data/experiments/tv.json -o tv-runs", "The experiment on total variation"},
                 {"bitune compare tv.json -o tv-runs --jobs 2 task.options.train=photos budget.work=20000",
                  "With other images and a smaller budget, two runs at a time"},
                 {"bitune compare data/experiments/hdet.json -o hdet-runs",
                  "Ensembles of networks, data-parallel training at seven rates, tuners"}},
    .flags = BT_USES_LAUNCHER,
    .min_operands = 1,
    .max_operands = BT_ANY_NUMBER,
    .operands = "files",
    .settings_size = sizeof(Compare),
    .options = compare_options,
    .check = compare_check,
    .run = compare_run,
};
