/* Searches over complete trainings: what the tuners of `bitune nn train` are compared with. */
#include "nn/nn_search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/json.h"
#include "linesearch/bayes.h"
#include "linesearch/grid.h"
#include "linesearch/random_search.h"

enum { RANDOM, BAYES, GRID };
#define METHODS "random|bayes|grid"
#define MOST_EPOCHS 1e9 /* that a budget of work is turned into */

const BtOption bt_nn_search_options[] = {
    BT_OPT_CHOICE("method", BtNnSearchOptions, method, RANDOM, METHODS, "how the trials' points are chosen"),
    BT_OPT_INT("trials", BtNnSearchOptions, trials, 20, BT_WITHIN(1, 100000), "N",
               "trainings in all; a search without --halving can be continued with more"),
    BT_OPT_TEXT("output", 'o', BtNnSearchOptions, output, NULL, "DIR",
                "folder of the results; a search that is there already goes on"),
    BT_OPT_INT(
        "halving", BtNnSearchOptions, halving, 0, BT_WITHIN(0, 100), "ETA",
        "successive halving: train all trials for a few epochs and the best 1/ETA of them for ETA times "
        "as many, again and again up to --epochs; 0: train all trials to the end"),
    BT_OPT_INT("least-epochs", BtNnSearchOptions, least_epochs, 1, BT_WITHIN(1, 1000000), "N",
               "halving: epochs before the first selection at least"),
    BT_OPT_INT("grid-points", BtNnSearchOptions, grid_points, 0, BT_WITHIN(0, 100000), "N",
               "grid: points of each axis, 2 or more; 0: as many as --trials allows"),
    BT_OPT_CHOICE("space", BtNnSearchOptions, space, 0, "ranges|unconstrained",
                  "where points lie: in the ranges of the task, or a box of unconstrained numbers"),
    BT_OPT_REAL("width", BtNnSearchOptions, width, 4, BT_POSITIVE, "W",
                "distance that the box of unconstrained numbers reaches to each side of the task's initial "
                "values; also for ranges that lack an end"),
    BT_OPT_END};

BtStatus bt_nn_search_check(BtApp *app, const BtNn *set) {
  BtContext *ctx = &app->ctx;
  const BtStatus st = bt_app_require(app, set->task != NULL, "task");
  if (st < 0) return st;
  if (set->tuner != NN_TUNER_NONE)
    return bt_fail(ctx, BT_ERR_ARG, "--tuner is for nn train; the hyperparameters of a search's trials stay");
  if (set->search.grid_points == 1) return bt_fail(ctx, BT_ERR_ARG, "--grid-points must be 0 or at least 2");
  if (set->search.halving == 1) return bt_fail(ctx, BT_ERR_ARG, "--halving must be 0 or at least 2");
  return bt_app_require(app, set->search.output != NULL, "output");
}

size_t bt_nn_search_items(const BtNn *set) {
  /* Bayesian search waits for a value before it chooses the next point; one device serves one training. */
  return set->search.method == BAYES || strcmp(set->device, "cpu") != 0 ? 1 : (size_t)set->search.trials;
}

/* The settings that make a search what it is. */
static json_t *identity(const BtNnSearch *s) {
  const BtNnSearchOptions *o = &s->set->search;
  char method[16];
  return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:s, s:O}", "method",
                   bt_choice_name(METHODS, o->method, method, sizeof method), "trials", (json_int_t)o->trials,
                   "epochs", (json_int_t)s->epochs, "halving", (json_int_t)o->halving, "least_epochs",
                   (json_int_t)o->least_epochs, "grid_points", (json_int_t)s->grid_points, "seed",
                   (json_int_t)s->set->seed, "width", o->width, "space",
                   o->space ? "unconstrained" : "ranges", "task", s->session.task->json);
}

/* The epochs follow from --max-work and --trials: another value of one alone makes another search. */
static BtStatus fail_planned(BtContext *ctx, const BtNnSearch *s, const char *path, const json_t *was) {
  const BtNnSearchOptions *o = &s->set->search;
  const int64_t epochs = json_integer_value(json_object_get(was, "epochs"));
  char cure[160] = "";
  const int free =
      s->rungs.count == 1 && o->method != GRID && (s->set->epochs == 0 || s->set->epochs >= epochs);
  if (free && epochs > 0 && epochs <= INT64_MAX / ((int64_t)s->count * s->epoch_work))
    snprintf(cure, sizeof cure, "--max-work %lld goes on with it up to %zu trials; or ",
             (long long)((int64_t)s->count * epochs * s->epoch_work), s->count);
  return bt_fail(ctx, BT_ERR_ARG,
                 "%s: is the record of a search of %lld epochs a trial, while --max-work %lld leaves %lld to "
                 "each of %zu "
                 "trials: %sname another folder",
                 path, (long long)epochs, (long long)s->set->work, (long long)s->epochs, s->count, cure);
}

static BtStatus compare(BtContext *ctx, const BtNnSearch *s, const char *path, json_t *is, json_t *was) {
  const char *key;
  json_t *value;
  json_object_foreach(is, key, value) {
    const json_t *before = json_object_get(was, key);
    const int grows = strcmp(key, "trials") == 0 && s->rungs.count == 1 && s->set->search.method != GRID &&
                      json_integer_value(before) <= json_integer_value(value);
    if (json_equal(before, value) || grows) continue;
    if (s->set->work > 0 && strcmp(key, "epochs") == 0) return fail_planned(ctx, s, path, was);
    return bt_fail(ctx, BT_ERR_ARG, "%s: is the record of a search with another \"%s\"; name another folder",
                   path, key);
  }
  return BT_OK;
}

/* Rank 0 begins the folder, or finds it to be that of this search. */
static BtStatus open_folder(BtNnSearch *s) {
  BtContext *ctx = &s->app->ctx;
  json_t *is = identity(s), *was = NULL;
  char *path = bt_nn_search_path(s, "search", ".json");
  BtStatus st = BT_OK;
  if (!is || !path) st = bt_fail_memory(ctx, "a search", 256);
  if (st >= 0) st = bt_make_folder(ctx, s->set->search.output);
  if (st >= 0) st = bt_file_claim(ctx, path, &s->claim);
  if (st >= 0 && access(path, F_OK) == 0) {
    st = bt_json_load(ctx, path, (size_t)16 << 20, &was);
    if (st >= 0) st = compare(ctx, s, path, is, was);
  }
  if (st >= 0 && !json_equal(is, was)) st = bt_json_save(ctx, path, is);
  if (st >= 0) st = bt_file_claim(ctx, path, &s->claim);
  json_decref(is);
  json_decref(was);
  free(path);
  return st;
}

/* Number of trials; the grid's points of each axis. */
static BtStatus count_trials(BtContext *ctx, BtNnSearch *s) {
  const BtNnSearchOptions *o = &s->set->search;
  const double n = (double)s->session.task->hyper.count;
  s->count = (size_t)o->trials;
  if (n == 0) return bt_fail(ctx, BT_ERR_ARG, "%s: has no hyperparameters to search", s->session.task->file);
  if (o->method != GRID) return BT_OK;
  s->grid_points = o->grid_points;
  if (s->grid_points == 0) s->grid_points = (int64_t)floor(pow((double)o->trials, 1 / n) + 1e-9);
  const double points = pow((double)fmax(2, (double)s->grid_points), n);
  if (s->grid_points < 2 || points > (double)o->trials)
    return bt_fail(
        ctx, BT_ERR_ARG,
        "a grid of %zu hyperparameters has %.4g points or more; --trials is %lld: raise it or choose "
        "another method",
        s->session.task->hyper.count, points, (long long)o->trials);
  s->count = (size_t)points;
  return BT_OK;
}

/* Whether trials of so many epochs stay within `limit`, their epochs in all. */
static int fits(BtNnSearch *s, int64_t epochs, int64_t limit) {
  const BtNnSearchOptions *o = &s->set->search;
  s->rungs = bt_nn_rungs(s->count, epochs, o->halving, o->least_epochs);
  return bt_nn_rungs_epochs(&s->rungs) <= limit;
}

/* The least number of epochs, `most` or less, of which the trials have as many rungs as of `most`. */
static int64_t least_of_rungs(const BtNnSearch *s, int64_t most) {
  const BtNnSearchOptions *o = &s->set->search;
  const int count = bt_nn_rungs(s->count, most, o->halving, o->least_epochs).count;
  int64_t least = 1;
  while (least < most) {
    const int64_t middle = least + (most - least) / 2;
    if (bt_nn_rungs(s->count, middle, o->halving, o->least_epochs).count < count)
      least = middle + 1;
    else
      most = middle;
  }
  return least;
}

/* The largest number of epochs in [1, most] that fits; 0 if none does. More epochs cost more as long as they
 * are of as many rungs, and less where they allow another one: the ranges of epochs with as many are looked
 * at from above. */
static int64_t most_epochs(BtNnSearch *s, int64_t most, int64_t limit) {
  while (most > 0) {
    int64_t epochs = least_of_rungs(s, most);
    if (!fits(s, epochs, limit)) {
      most = epochs - 1;
      continue;
    }
    while (epochs < most) {
      const int64_t middle = epochs + (most - epochs + 1) / 2;
      if (fits(s, middle, limit))
        epochs = middle;
      else
        most = middle - 1;
    }
    return epochs;
  }
  return 0;
}

/* Epochs of a trial that is trained to its end: by --epochs or the task, or as many as --max-work allows. */
static BtStatus plan_epochs(BtContext *ctx, BtNnSearch *s) {
  const BtNnSearchOptions *o = &s->set->search;
  const NnTask *task = s->session.task;
  const int64_t work = s->set->work, epochs = s->set->epochs;
  const double countable = NN_MOST_WORK / (double)s->epoch_work;
  s->epochs = epochs > 0 ? epochs : task->epochs;
  if (work == 0 && (double)s->epochs > countable)
    return bt_fail(ctx, BT_ERR_ARG,
                   "%s: %lld epochs of a trial are more than the %.3g that are counted; take fewer",
                   task->file, (long long)s->epochs, countable);
  if (work > 0) {
    const int64_t limit = work / s->epoch_work;
    int64_t most = (int64_t)fmin(fmin((double)limit, countable), MOST_EPOCHS);
    if (epochs > 0 && epochs < most) most = epochs;
    s->epochs = most_epochs(s, most, limit);
  }
  s->rungs = bt_nn_rungs(s->count, s->epochs, o->halving, o->least_epochs);
  if (s->epochs > 0) return BT_OK;
  return bt_fail(ctx, BT_ERR_ARG,
                 "%s: an epoch of %zu trials takes %lld gradients, more than the %lld of --max-work",
                 task->file, s->count, (long long)s->count * (long long)s->epoch_work, (long long)work);
}

BtStatus bt_nn_search_plan(BtContext *ctx, const BtNn *set, NnTask *task, int64_t epoch_work) {
  BtNnSearch s = {.set = set, .session = {.task = task}, .epoch_work = epoch_work};
  const BtStatus st = count_trials(ctx, &s);
  return st < 0 || epoch_work == 0 ? st : plan_epochs(ctx, &s);
}

static BtStatus prepare(BtNnSearch *s) {
  BtApp *app = s->app;
  const BtNnSearchOptions *o = &s->set->search;
  const double limit = s->set->keeping.max_seconds;
  enum { NAME = 32 };
  NnTask *task;
  BtStatus st = BT_OK;
  BT_TRY(nn_task_load(&app->ctx, s->set->task, &task));
  BT_COMPLETE(bt_nn_session_open(app, s->set, task, &s->session));
  if (nn_data_info(s->session.data)->rows[NN_VALID] == 0)
    return bt_fail(&app->ctx, BT_ERR_ARG, "%s: a search needs validation data; set \"valid_share\"",
                   task->file);
  BT_TRY(count_trials(&app->ctx, s));
  BT_TRY(bt_nn_space_create(&app->ctx, &task->hyper, o->space, o->width, &s->space));
  BT_TRY(nn_epoch_work(&app->ctx, task, NN_TUNER_NONE, nn_data_info(s->session.data), &s->epoch_work));
  BT_TRY(plan_epochs(&app->ctx, s));
  s->deadline = limit > 0 ? bt_app_clock() + limit : (double)INFINITY;
  s->theta = calloc(s->count * task->hyper.count, sizeof *s->theta);
  s->trial = calloc(s->count, sizeof *s->trial);
  s->name = calloc(s->count, sizeof *s->name);
  s->names = calloc(s->count, NAME);
  if (!s->theta || !s->trial || !s->name || !s->names)
    return bt_fail_memory(&app->ctx, "trials", (double)(s->count * sizeof *s->trial));
  for (size_t i = 0; i < s->count; i++) {
    snprintf(s->names + i * NAME, NAME, "trial-%04zu", i + 1);
    s->name[i] = s->names + i * NAME;
  }
  if (app->team.rank == 0) st = open_folder(s);
done:
  return st;
}

static void clear(BtNnSearch *s) {
  bt_nn_space_clear(&s->space);
  bt_nn_session_clear(&s->session);
  free(s->theta);
  free(s->trial);
  free(s->name);
  free(s->names);
  if (s->claim >= 0) (void)close(s->claim);
}

/* The trials as an oracle: evaluation k is trial k. */
typedef struct {
  BtNnSearch *search;
  int trains; /* 0: lists the points of methods that do not look at values */
} Trials;

static void show_place(BtNnSearch *s, size_t i) {
  const BtProgressEvent place = {"trials", (double)i, (double)s->count};
  (void)bt_emit(&s->app->ctx, &(BtEvent){.type = BT_EVENT_PROGRESS, .as.progress = place});
}

static BtStatus trial_value(void *self, BtContext *ctx, const double *theta, double eps, double threshold,
                            BtInexactValue *out) {
  const Trials *trials = self;
  BtNnSearch *s = trials->search;
  const size_t i = s->known, n = s->space.hyper->count;
  (void)ctx, (void)eps, (void)threshold;
  memcpy(s->theta + i * n, theta, n * sizeof *theta);
  s->known++;
  *out = (BtInexactValue){.lower = -(double)INFINITY, .upper = (double)INFINITY, .proof = BT_PROOF_NONE};
  if (!trials->trains) return BT_OK;
  show_place(s, i);
  BtStatus st = bt_nn_trial_run(s, i, 0);
  if (st == BT_OK) st = bt_nn_search_table(s);
  if (st == BT_MAX_ITERS) return BT_STOPPED;
  out->value = s->trial[i].failed ? (double)INFINITY : s->trial[i].loss[0];
  return st;
}

static BtWork no_work(const void *self) {
  (void)self;
  return (BtWork){0};
}

static BtStatus run_method(BtNnSearch *s, BtContext *ctx, BtOracle *oracle) {
  const size_t n = s->space.hyper->count;
  const double *start = s->space.start;
  const uint64_t seed = (uint64_t)s->set->seed;
  const BtSearchSettings search = {
      .eps = 1, .max_evaluations = (int64_t)s->count, .lo = s->space.low, .hi = s->space.high};
  const BtRandomSettings random = {search, seed};
  const BtGridSettings grid = {search, s->grid_points};
  const BtBayesSettings bayes = {.search = search, .seed = seed};
  const int method = s->set->search.method;
  BtSearch record = {0};
  BtStatus st = method == RANDOM ? bt_random_create(ctx, &random, n, start, &record)
                : method == GRID ? bt_grid_create(ctx, &grid, n, start, &record)
                                 : bt_bayes_create(ctx, &bayes, n, start, &record);
  if (st >= 0)
    st = method == RANDOM ? bt_random_run(ctx, oracle, &random, &record)
         : method == GRID ? bt_grid_run(ctx, oracle, &grid, &record)
                          : bt_bayes_run(ctx, oracle, &bayes, &record);
  bt_search_clear(&record);
  return st;
}

/* All points; Bayesian search trains the first rung on the way. */
static BtStatus choose_points(BtNnSearch *s) {
  BtContext *ctx = &s->app->ctx, own;
  Trials trials = {s, s->set->search.method == BAYES};
  BtOracle oracle = {
      .self = &trials, .parameters = (int64_t)s->space.hyper->count, .value = trial_value, .work = no_work};
  bt_context_init(&own); /* its iterations are not what an observer of this run should see */
  const BtStatus st = run_method(s, &own, &oracle);
  if (st < 0 && *own.error) return bt_fail(ctx, st, "%s", own.error);
  return st;
}

typedef struct {
  BtNnSearch *search;
  int rung;
  const size_t *part; /* trials that take part */
} Share;

static BtStatus train_item(void *user, BtApp *app, size_t k) {
  const Share *share = user;
  BtNnSearch *s = share->search;
  BtStatus st = bt_nn_trial_run(s, share->part[k], share->rung);
  if (st == BT_OK && app->team.rank == 0) st = bt_nn_search_table(s);
  return st;
}

/* Trains the trials of a rung, each process its own, and takes up what the others have come to. Errors of a
 * single trial, a full disk for one, end the search: what is there is taken up by the next call. */
static BtStatus run_rung(BtNnSearch *s, int rung, const size_t *part, size_t count) {
  BtApp *app = s->app;
  Share share = {s, rung, part};
  const char **names = calloc(count, sizeof *names);
  if (!names) return bt_fail_memory(&app->ctx, "a list of trials", 8.0 * (double)count);
  for (size_t k = 0; k < count; k++) names[k] = s->name[part[k]];
  BtStatus st = bt_app_each(app, "trials", names, count, train_item, &share, NULL);
  free(names);
  for (size_t i = 0; i < s->count && st >= 0 && st != BT_STOPPED; i++) {
    const BtStatus read = bt_nn_trial_read(s, i);
    if (read < 0) st = read;
  }
  st = bt_team_agree(&app->team, &app->ctx, st);
  if (st == BT_OK && app->failures > 0)
    st = bt_fail(&app->ctx, BT_ERR_IO, "%zu trials could not be run; the same command tries them again",
                 app->failures);
  return st;
}

/* The `count` best of part[*size] at the end of a rung come first, in the order of trials. */
static void select_best(BtNnSearch *s, int rung, size_t *part, size_t *size, size_t count) {
  size_t kept = 0;
  for (size_t k = 0; k < *size; k++) {
    const double loss = s->trial[part[k]].loss[rung];
    size_t better = 0;
    for (size_t j = 0; j < *size; j++) {
      const double other = s->trial[part[j]].loss[rung];
      better += !s->trial[part[j]].failed && (other < loss || (other == loss && j < k));
    }
    s->trial[part[k]].selected = better < count && !s->trial[part[k]].failed;
  }
  for (size_t k = 0; k < *size; k++) {
    if (s->trial[part[k]].selected)
      part[kept++] = part[k];
    else if (bt_team_owns(&s->app->team, part[k]))
      bt_nn_trial_drop(s, part[k]);
  }
  *size = kept;
}

static BtStatus run_rungs(BtNnSearch *s) {
  size_t size = s->count, *part = calloc(s->count, sizeof *part);
  BtStatus st = part ? BT_OK : bt_fail_memory(&s->app->ctx, "a list of trials", 8.0 * (double)s->count);
  st = bt_team_agree(&s->app->team, &s->app->ctx, st);
  for (size_t i = 0; i < s->count && st >= 0; i++) part[i] = i;
  for (int rung = 0; rung < s->rungs.count && st == BT_OK && size > 0; rung++) {
    st = run_rung(s, rung, part, size);
    if (st == BT_OK && rung + 1 < s->rungs.count)
      select_best(s, rung, part, &size, s->rungs.trials[rung + 1]);
  }
  free(part);
  return st;
}

BtStatus bt_nn_search(BtApp *app, const BtNn *set) {
  BtNnSearch s = {.app = app, .set = set, .claim = -1};
  BtStatus st = bt_team_agree(&app->team, &app->ctx, prepare(&s));
  if (st == BT_OK) st = choose_points(&s);
  const int out_of_time = st == BT_STOPPED && !bt_stop_requested(&app->ctx);
  st = bt_team_agree(&app->team, &app->ctx, out_of_time ? BT_MAX_ITERS : st);
  if (st == BT_OK) st = run_rungs(&s);
  if (st == BT_STOPPED) {
    bt_warn(&app->ctx, "stopped; the same command goes on");
  } else if (st >= 0) {
    const int time_up = st == BT_MAX_ITERS;
    st = app->team.rank == 0 ? bt_nn_search_report(&s, time_up) : BT_OK;
  }
  clear(&s);
  return st;
}
