/* An ensemble trains what `bitune nn train` has made of a task. */
#include "nn/nn_hdet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/team_nccl.h"

#define LIST_LIMIT 512   /* bytes of --hdet */
#define TRIAL_SHARE 0.06 /* of the steps that a trial takes by default */
#define TRIAL_SYNCS 5    /* that a trial needs, docs/hdet.md */
#define TRIALS_SHARE 0.5 /* of the steps that all of them may take without --settle */

enum { CONTROLLER_SEARCH, CONTROLLER_PAPER };
enum { SCHEDULE_ONE_CYCLE, SCHEDULE_TASK, SCHEDULE_CONSTANT };

const BtOption bt_nn_hdet_options[] = {
    BT_OPT_TEXT(
        "hdet", 0, BtNnHdet, hdet, NULL, "LIST",
        "hyperparameters that differ between replicas, separated by commas: lr, weight-decay, momentum, and "
        "those of the task"),
    BT_OPT_INT("replicas", BtNnHdet, replicas, 8, BT_WITHIN(1, 65536), "N",
               "replicas of the network; they share the data and the work of the epochs"),
    BT_OPT_INT("sync", BtNnHdet, sync, 1000, BT_POSITIVE, "T",
               "steps of each replica from one average to the next"),
    BT_OPT_CHOICE(
        "controller", BtNnHdet, controller, CONTROLLER_SEARCH, "search|paper",
        "how losses steer lr: search its order of magnitude, then let mixtures of replicas vote until it "
        "settles; or along the schedule by the replicas' own losses"),
    BT_OPT_CHOICE("gradients", BtNnHdet, gradients, NN_HDET_LOCAL, "local|shared",
                  "whether replicas follow their own gradients or in every step the average of all"),
    BT_OPT_REAL(
        "spread", BtNnHdet, spread, NAN, BT_WITHIN(0, 10), "A",
        "rates of replicas are exp(-A) to exp(A) times their base, by default 1.1; paper: 1 - A to 1 + A "
        "times, by default 1/9"),
    BT_OPT_REAL("hyper-spread", BtNnHdet, hyper_spread, 0.5, BT_WITHIN(0, 100), "A",
                "other hyperparameters are spread by -A to A on their unconstrained scale"),
    BT_OPT_FLAG("fixed", BtNnHdet, fixed, "spread and average, but let the losses steer nothing"),
    BT_OPT_REAL("base-rate", BtNnHdet, rate, NAN, BT_POSITIVE, "R",
                "rate of the base schedule, for one-cycle its peak; by default the task's"),
    BT_OPT_CHOICE("base-schedule", BtNnHdet, schedule, SCHEDULE_ONE_CYCLE, "one-cycle|task|constant",
                  "the rate's base until it is steered, and its course after it has settled"),
    BT_OPT_INT("search", BtNnHdet, search, NAN, BT_WITHIN(0, 1e6), "N",
               "syncs at most that search the order of magnitude of lr, by default 8"),
    BT_OPT_REAL(
        "settle", BtNnHdet, settle, NAN, BT_WITHIN(0, 1), "F",
        "after this share of the steps lr is steered no more and follows the schedule, times what was "
        "found; 0: never; by default 0.06 a trial, at least 0.12; paper: 0"),
    BT_OPT_CHOICE(
        "settled", BtNnHdet, trial, 1, "goes-on|restarts",
        "whether the training goes on from there or starts anew, in the steps left, from its first weights"),
    BT_OPT_INT(
        "trial-runs", BtNnHdet, trials, 0, BT_WITHIN(0, NN_HDET_MAX_TRIALS), "N",
        "how often lr is searched and voted on from the first weights, in equal shares of the steps before "
        "it settles, on what they agree on; 0: 3 times, or once if syncs are few"),
    BT_OPT_REAL("steer-from", BtNnHdet, steer_from, NAN, BT_WITHIN(0, 1), "F",
                "the losses steer after this share of the steps, by default 0, paper: 0.3"),
    BT_OPT_REAL(
        "rate-floor", BtNnHdet, floor, NAN, BT_WITHIN(0, 1), "F",
        "a steered rate decays to F times the base rate; 0: it does not decay; by default 0, paper: 0.01"),
    BT_OPT_REAL("vote-sigma", BtNnHdet, sigma, 0, BT_NONNEGATIVE, "S",
                "losses vote by exp(-loss / S); 0: S is their standard deviation"),
    BT_OPT_INT("vote-batches", BtNnHdet, vote_batches, 0, BT_NONNEGATIVE, "N",
               "replicas vote with N validation batches; 0: with their mean training loss; mixtures: with 8"),
    BT_OPT_REAL("steer-momentum", BtNnHdet, beta, NAN, BT_WITHIN(0, 0.9999), "B",
                "memory of the steering, by default 0, paper: 0.9"),
    BT_OPT_REAL("steer-step", BtNnHdet, step, NAN, BT_NONNEGATIVE, "L",
                "step of the steering, by default 1, paper: 0.5"),
    BT_OPT_REAL("start-noise", BtNnHdet, noise, 0, BT_NONNEGATIVE, "NU",
                "replicas start apart by NU times the size of the weights"),
    BT_OPT_CHOICE("converge", BtNnHdet, converge, NN_HDET_AVERAGE, "average|copy",
                  "average the replicas, or let all go on from the one with the lowest loss"),
    BT_OPT_TEXT("replica-log", 0, BtNnHdet, log, NULL, "FILE.csv",
                "a row for each replica and sync: losses, weights in the vote, values and bases"),
    BT_OPT_END};

struct BtNnEnsemble {
  BtNnHdet set;
  json_t *kept;      /* what texts of `set` point into, NULL: the command line */
  char *description; /* of the options, as checkpoints keep it                 */
  char list[LIST_LIMIT];
  BtTeam *team;   /* of the averages: the program's, or devices */
  BtTeam devices; /* by NCCL                                    */
  NnHdetTraining *training;
  BtNnHdetLog *log;
};

static int spreads_rate(const BtNnHdet *set) {
  const char *lr = strstr(set->hdet, "lr");
  while (lr && ((lr > set->hdet && lr[-1] != ',') || (lr[2] && lr[2] != ','))) lr = strstr(lr + 1, "lr");
  return lr != NULL;
}

/* An option beside which lr is not to be found, but steered along a schedule at most; NULL: it is to be. */
static const char *rules_out_search(const BtNnHdet *set) {
  if (set->fixed) return "--fixed";
  if (set->controller == CONTROLLER_PAPER) return "--controller paper";
  if (set->converge == NN_HDET_COPY) return "--converge copy";
  return spreads_rate(set) ? NULL : "--hdet without lr";
}

/* The same of trials. */
static const char *rules_out_trials(const BtNnHdet *set) {
  const char *other = rules_out_search(set);
  if (other) return other;
  if (!set->trial) return "--settled goes-on";
  return set->settle == 0 ? "--settle 0" : NULL;
}

/* Options of a search where there is none would do nothing. */
static BtStatus check_search(BtContext *ctx, const BtNnHdet *set) {
  const char *no_search = rules_out_search(set), *no_trials = rules_out_trials(set);
  if (no_search && set->search > 0)
    return bt_fail(ctx, BT_ERR_ARG, "--search %lld: beside %s lr is not searched; leave one of them out",
                   (long long)set->search, no_search);
  if (no_search && !set->trial)
    return bt_fail(ctx, BT_ERR_ARG,
                   "--settled goes-on: beside %s there is no search to go on from; leave one of them out",
                   no_search);
  if (no_trials && set->trials > 0)
    return bt_fail(ctx, BT_ERR_ARG, "--trial-runs %lld: beside %s there are no trials; leave one of them out",
                   (long long)set->trials, no_trials);
  return BT_OK;
}

BtStatus bt_nn_hdet_check(BtApp *app, const BtNnHdet *set, const char *resume) {
  if (set->hdet && resume)
    return bt_fail(&app->ctx, BT_ERR_ARG, "--resume brings its own --hdet; leave it out");
  if (set->hdet && strlen(set->hdet) >= LIST_LIMIT)
    return bt_fail(&app->ctx, BT_ERR_ARG, "--hdet is too long");
  if (set->log && !set->hdet && !resume)
    return bt_fail(&app->ctx, BT_ERR_ARG, "--replica-log is for ensembles: use --hdet lr");
  return set->hdet ? check_search(&app->ctx, set) : BT_OK;
}

/* The options that a checkpoint keeps; *kept stays NULL if it is of no ensemble. --replica-log is this run's.
 */
static BtStatus recall(BtContext *ctx, const char *path, BtNnHdet *set, json_t **kept) {
  const char *const log = set->log;
  char *text;
  *kept = NULL;
  BtStatus st = nn_hdet_description(ctx, path, &text);
  if (st < 0) return st;
  json_t *object = *text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
  if (*text && !json_is_object(object))
    st = bt_fail(ctx, BT_ERR_FORMAT, "%s: its description of the ensemble is damaged", path);
  free(text);
  for (const BtOption *o = bt_nn_hdet_options; object && o->name && st >= 0; o++) {
    const char *value = json_string_value(json_object_get(object, o->name));
    if (value) st = bt_option_set(ctx, o, set, value);
  }
  set->log = log;
  if (st < 0) json_decref(object);
  if (st >= 0) *kept = object;
  return st;
}

/* The options as texts, the way bt_option_set reads them. */
static char *describe(const BtNnHdet *set) {
  json_t *values = bt_options_json(bt_nn_hdet_options, set), *texts = json_object();
  const char *name;
  json_t *value;
  int good = values && texts;
  if (good) json_object_foreach(values, name, value) {
      json_t *text = NULL;
      if (json_is_string(value)) text = json_incref(value);
      if (json_is_real(value)) text = json_sprintf("%.17g", json_real_value(value));
      if (json_is_integer(value)) text = json_sprintf("%lld", (long long)json_integer_value(value));
      if (json_is_boolean(value)) text = json_string(json_is_true(value) ? "yes" : "no");
      if (text) good &= json_object_set_new(texts, name, text) == 0;
    }
  if (good) (void)json_object_del(texts, "replica-log");
  char *text = good ? json_dumps(texts, JSON_COMPACT) : NULL;
  json_decref(values);
  json_decref(texts);
  return text;
}

size_t bt_nn_hdet_items(BtApp *app, const BtNnHdet *set, const char *resume) {
  BtNnHdet o = *set;
  json_t *kept = NULL;
  /* An error is told when the checkpoint is opened again. */
  if (!o.hdet && resume) (void)recall(&app->ctx, resume, &o, &kept);
  const size_t items = o.hdet ? (size_t)o.replicas : 0;
  json_decref(kept);
  return items;
}

static BtStatus parse_list(BtContext *ctx, BtNnEnsemble *e, NnHdetTrainingOptions *o) {
  const double step = e->set.hyper_spread;
  snprintf(e->list, sizeof e->list, "%s", e->set.hdet);
  for (char *name = e->list; name;) {
    char *comma = strchr(name, ',');
    if (comma) *comma = '\0';
    if (!*name || o->choices == NN_HDET_MAX_HYPERS)
      return bt_fail(ctx, BT_ERR_ARG, "--hdet %s: must name 1 to %d hyperparameters, separated by commas",
                     e->set.hdet, NN_HDET_MAX_HYPERS);
    const int rate = strcmp(name, "lr") == 0, wide = rate && !rules_out_search(&e->set);
    const double spread = isnan(e->set.spread) ? (wide ? 1.1 : 1.0 / 9) : e->set.spread;
    o->choice[o->choices++] =
        (NnHdetChoice){name, rate ? spread : step, !e->set.fixed, wide ? NN_SPREAD_LOG : NN_SPREAD_MULTIPLE};
    name = comma ? comma + 1 : NULL;
  }
  return BT_OK;
}

BtStatus bt_nn_hdet_foresee(BtContext *ctx, const BtNnHdet *set, const NnTask *task) {
  BtNnEnsemble e = {.set = *set};
  NnHdetTrainingOptions o = {0};
  const BtStatus st = parse_list(ctx, &e, &o);
  return st < 0 ? st : nn_hdet_choices_check(ctx, &o, task);
}

static void observe(void *user, const NnHdetSync *sync) {
  BtNnEnsemble *e = user;
  if (e->log) bt_nn_hdet_log_sync(e->log, sync);
}

/* Options of the library from those of the command line. */
static NnHdetTrainingOptions translate(const BtNnEnsemble *e, uint64_t seed, int64_t steps,
                                       double task_rate) {
  const BtNnHdet *set = &e->set;
  const double rate = isnan(set->rate) ? task_rate : set->rate;
  NnHdetTrainingOptions o = {.vote_batches = (int)set->vote_batches, .description = e->description};
  o.ensemble = nn_hdet_defaults((int)set->replicas, steps, set->sync, rate);
  o.ensemble.gradients = (NnHdetGradients)set->gradients;
  o.ensemble.converge = (NnHdetConverge)set->converge;
  if (!rules_out_search(set)) {
    nn_hdet_find_rate(&o.ensemble);
    if (set->search >= 0) o.ensemble.search.blocks = (int)set->search;
    if (set->trials > 0 || !set->trial) {
      o.ensemble.search.trials = set->trial ? (int)set->trials : 0;
      o.ensemble.search.settle = (int64_t)(TRIAL_SHARE * (double)steps * fmax(2, o.ensemble.search.trials));
    }
    if (o.vote_batches == 0) o.vote_batches = 8;
  }
  if (!isnan(set->settle)) o.ensemble.search.settle = (int64_t)(set->settle * (double)steps);
  if (!isnan(set->steer_from)) o.ensemble.steer_from = (int64_t)(set->steer_from * (double)steps);
  if (!isnan(set->floor)) o.ensemble.floor = set->floor * rate;
  if (!isnan(set->beta)) o.ensemble.steering.beta = set->beta;
  if (!isnan(set->step)) o.ensemble.steering.step = set->step;
  o.ensemble.sigma = set->sigma;
  o.ensemble.noise = set->noise;
  o.ensemble.seed = seed;
  if (set->schedule == SCHEDULE_CONSTANT) o.ensemble.schedule.kind = NN_SCHEDULE_CONSTANT;
  if (set->schedule == SCHEDULE_TASK) o.ensemble.schedule.total = 0;
  return o;
}

/* Trials leave the run at least half of its steps, unless --settle says otherwise. */
static BtStatus check_trials(BtContext *ctx, const BtNnHdet *set) {
  const double share = TRIAL_SHARE * (double)set->trials;
  if (!isnan(set->settle) || share <= TRIALS_SHARE) return BT_OK;
  return bt_fail(ctx, BT_ERR_ARG,
                 "--trial-runs %lld: trials of %g %% of the steps each would take %g %% of the run; at most "
                 "%d fit in half of it, more only if --settle says what share all of them take",
                 (long long)set->trials, 100 * TRIAL_SHARE, 100 * share, (int)(TRIALS_SHARE / TRIAL_SHARE));
}

/* With fewer syncs a trial is a search that has hardly ended, and a vote or none. */
static void warn_of_short_trials(BtContext *ctx, const NnHdetOptions *o) {
  const NnHdetSearch *s = &o->search;
  if (s->trials == 0 || s->settle == 0 || s->settle / s->trials >= TRIAL_SYNCS * o->sync) return;
  bt_warn(ctx,
          "lr may settle far off: a trial needs %d syncs or more to find it, these have %lld; take a smaller "
          "--sync, fewer --trial-runs, or train longer",
          TRIAL_SYNCS, (long long)(s->settle / s->trials / o->sync));
}

/* GPUs average among themselves where NCCL is there and each rank has its own. */
static void join_devices(BtApp *app, BtNnEnsemble *e, NnTraining *training) {
  const char *device = nn_graph_backend(nn_training_model(training)->graph)->name;
  if (app->team.size == 1 || strncmp(device, "cuda:", 5) != 0) return;
  const BtStatus st = nn_team_nccl(&app->ctx, &app->team, atoi(device + 5), &e->devices);
  if (st == BT_OK)
    e->team = &e->devices;
  else
    bt_warn(&app->ctx, "averages go through the processes' memory: %.200s", app->ctx.error);
}

BtStatus bt_nn_hdet_open(BtApp *app, const BtNnHdet *set, const char *resume, const char *checkpoint,
                         NnTraining *training, BtNnEnsemble **ensemble) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  *ensemble = NULL;
  BtNnEnsemble *e = calloc(1, sizeof *e);
  if (!e) return bt_fail_memory(ctx, "ensemble", sizeof *e);
  e->set = *set;
  e->team = &app->team;
  if (resume) BT_TRY(recall(ctx, resume, &e->set, &e->kept));
  if (!e->set.hdet) goto done;
  e->description = describe(&e->set);
  if (!e->description) BT_TRY(bt_fail_memory(ctx, "ensemble", 0));
  BT_TRY(check_trials(ctx, &e->set));
  const NnHdetPlan plan = nn_hdet_plan(training, (int)e->set.replicas);
  NnHdetTrainingOptions o = translate(e, plan.seed, plan.steps, plan.rate);
  o.checkpoint = checkpoint;
  o.observe = observe;
  o.user = e;
  BT_TRY(parse_list(ctx, e, &o));
  join_devices(app, e, training);
  BT_TRY(nn_hdet_training_create(ctx, &o, training, e->team, &e->training));
  if (!resume && app->team.rank == 0) warn_of_short_trials(ctx, &o.ensemble);
  *ensemble = e;
  return BT_OK;
done:
  (void)bt_nn_hdet_close(NULL, e);
  return st;
}

static BtStatus open_log(BtContext *ctx, BtNnEnsemble *e) {
  const char *names[NN_HDET_MAX_HYPERS];
  const int hypers = nn_hdet_training_hypers(e->training);
  if (!e->set.log || e->team->rank != 0) return BT_OK;
  for (int i = 0; i < hypers; i++) names[i] = nn_hdet_training_name(e->training, i);
  return bt_nn_hdet_log_open(ctx, e->set.log, names, hypers,
                             nn_hdet_syncs(nn_hdet_training_hdet(e->training)), &e->log);
}

BtStatus bt_nn_hdet_run(BtApp *app, BtNnEnsemble *e) {
  const BtStatus st = bt_team_agree(&app->team, &app->ctx, open_log(&app->ctx, e));
  return st == BT_OK ? nn_hdet_training_run(&app->ctx, e->training) : st;
}

void bt_nn_hdet_report(BtApp *app, BtNnEnsemble *e) {
  NnHdet *h = nn_hdet_training_hdet(e->training);
  const NnHdetSeconds spent = nn_hdet_seconds(h);
  json_t *bases = json_object();
  for (int i = 0; bases && i < nn_hdet_training_hypers(e->training); i++)
    (void)json_object_set_new(bases, nn_hdet_training_name(e->training, i),
                              json_real(nn_hdet_training_base(e->training, i)));
  bt_app_put_int(app, "replicas", e->set.replicas);
  bt_app_put_int(app, "processes", app->team.size);
  bt_app_put_int(app, "syncs", nn_hdet_syncs(h));
  bt_app_put_int(app, "collectives", nn_hdet_collectives(h));
  bt_app_put_int(app, "gradient_collectives", nn_hdet_gradient_collectives(h));
  bt_app_put_int(app, "failed_syncs", nn_hdet_failures(h));
  bt_app_put_int(app, "dropped_replicas", nn_hdet_dropped(h));
  bt_app_put_real(app, "fan_out_seconds", spent.fan_out);
  bt_app_put_real(app, "converge_seconds", spent.converge);
  bt_app_put_real(app, "mixture_seconds", spent.mixtures);
  bt_app_put_real(app, "vote_seconds", spent.votes);
  bt_app_put_real(
      app, "step_seconds",
      nn_hdet_training_seconds(e->training) - spent.fan_out - spent.converge - spent.mixtures - spent.votes);
  bt_app_put(app, "bases", bases);
  bt_app_print(app, "%lld replicas on %d processes, %lld syncs\n", (long long)e->set.replicas, app->team.size,
               (long long)nn_hdet_syncs(h));
}

BtStatus bt_nn_hdet_close(BtContext *ctx, BtNnEnsemble *e) {
  if (!e) return BT_OK;
  const BtStatus st = bt_nn_hdet_log_close(ctx, e->log);
  nn_hdet_training_destroy(e->training);
  if (e->team == &e->devices) e->devices.destroy(&e->devices);
  json_decref(e->kept);
  free(e->description);
  free(e);
  return st;
}
