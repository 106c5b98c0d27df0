#include "nn/nn.h"

#include <string.h>

#include "core/file.h"

static const BtOption options[] = {
    BT_OPT_TEXT("task", 0, BtNn, task, NULL, "NAME|FILE",
                "train: a built-in task, or a JSON file that describes one"),
    BT_OPT_TEXT("data", 0, BtNn, data, NULL, "DIR",
                "folder or file of the task's data; generated data need none"),
    BT_OPT_CHOICE("tuner", BtNn, tuner, NN_TUNER_NONE, NN_TUNER_CHOICES,
                  "train: how hyperparameters are tuned; none: they stay as the task says"),
    BT_OPT_TEXT("device", 0, BtNn, device, "cpu", "DEVICE",
                "cpu, cuda or cuda:K; cuda,tf32 and cuda,graph are faster (docs/gpu.md)"),
    BT_OPT_INT("threads", BtNn, threads, 0, BT_WITHIN(0, 4096), "N",
               "threads on the CPU; 0: all cores available"),
    BT_OPT_INT("epochs", BtNn, epochs, 0, BT_NONNEGATIVE, "N",
               "train: passes over the training data; 0: the task's"),
    BT_OPT_INT(
        "max-work", BtNn, work, 0, BT_NONNEGATIVE, "N",
        "train, search: as many epochs as take N gradients of examples (words of text) or less, those of "
        "response and validation steps and of all trials included; 0: no limit"),
    BT_OPT_INT("seed", BtNn, seed, 1, BT_NONNEGATIVE, "N",
               "train: of initial weights, order of the data, dropout masks and perturbations"),
    BT_OPT_TEXT("schedule", 0, BtNn, schedule, NULL, "FILE.csv",
                "train: hyperparameters over the training steps, as they are tuned"),
    BT_OPT_TEXT("replay", 0, BtNn, replay, NULL, "FILE.csv",
                "train: follow a schedule that an earlier run has found, with --tuner none"),
    BT_OPT_FLAG("print-task", BtNn, print_task,
                "train: print the task's JSON, to start one of your own from"),
    BT_OPT_FLAG("last", BtNn, last, "eval: the last weights instead of those with the least validation loss"),
    BT_OPT_END};

static size_t nn_options(void *settings, BtOptionSet *sets) {
  BtNn *set = settings;
  sets[0] = (BtOptionSet){options, set, NULL};
  sets[1] = (BtOptionSet){bt_keeping_options, &set->keeping, "Log, checkpoint, time limit (train)"};
  sets[2] =
      (BtOptionSet){bt_nn_hdet_options, &set->ensemble, "Ensembles of diverging hyperparameters (train)"};
  sets[3] = (BtOptionSet){bt_nn_search_options, &set->search, "Search"};
  return 4;
}

typedef BtStatus Action(BtApp *app, const BtNn *set);
static const struct {
  const char *name;
  size_t operands; /* its own name included */
  Action *run;
} actions[] = {{"train", 1, bt_nn_train},
               {"eval", 2, bt_nn_eval},
               {"search", 1, bt_nn_search},
               {"check", 1, bt_nn_check}};

enum { ACTIONS = sizeof actions / sizeof *actions };

static int action_of(const BtApp *app) {
  for (int k = 0; k < ACTIONS; k++)
    if (strcmp(app->operands[0], actions[k].name) == 0) return k;
  return -1;
}

static BtStatus check_train(BtApp *app, const BtNn *set) {
  BtContext *ctx = &app->ctx;
  const BtKeepingSettings *keeping = &set->keeping;
  if (!set->task && !keeping->resume) return bt_fail(ctx, BT_ERR_ARG, "--task (or --resume) is required");
  if (set->task && keeping->resume)
    return bt_fail(ctx, BT_ERR_ARG, "--resume brings its own task; leave --task out");
  if (set->replay && set->tuner != NN_TUNER_NONE)
    return bt_fail(ctx, BT_ERR_ARG, "--replay follows a schedule instead of tuning: use --tuner none");
  /* Outputs first; the checkpoint alone may be what is resumed from. */
  const char *const files[] = {bt_keeping_path(keeping),
                               keeping->log,
                               set->schedule,
                               set->ensemble.log,
                               set->replay,
                               set->task,
                               set->data,
                               keeping->resume};
  enum { OUTPUTS = 4, FILES = sizeof files / sizeof *files };
  for (int i = 0; i < OUTPUTS; i++)
    for (int k = i + 1; k < FILES; k++)
      if (files[i] && files[k] && !(i == 0 && files[k] == keeping->resume) &&
          bt_same_file(files[i], files[k]))
        return bt_fail(ctx, BT_ERR_ARG, "%s is named for two files", files[i]);
  if (set->ensemble.hdet && set->tuner != NN_TUNER_NONE)
    return bt_fail(
        ctx, BT_ERR_ARG,
        "--hdet and a tuner cannot steer one training: use --tuner none and name what the tuner would "
        "tune in --hdet, or leave --hdet out");
  if (set->ensemble.hdet && (set->replay || set->schedule))
    return bt_fail(ctx, BT_ERR_ARG,
                   "--hdet has a log of its own, --replica-log; --schedule and --replay are of tuners");
  return bt_nn_hdet_check(app, &set->ensemble, keeping->resume);
}

/* Options of searches, given to what is none. */
static BtStatus check_no_search(BtApp *app, const BtNn *set, const char *action) {
  BtNnSearchOptions initial;
  const char *name;
  json_t *value;
  BtStatus st = BT_OK;
  bt_options_default(bt_nn_search_options, &initial);
  json_t *before = bt_options_json(bt_nn_search_options, &initial);
  json_t *now = bt_options_json(bt_nn_search_options, &set->search);
  if (!before || !now) st = bt_fail_memory(&app->ctx, "options", 0);
  json_object_foreach(now, name, value) {
    if (st >= 0 && !json_equal(json_object_get(before, name), value))
      st = bt_fail(&app->ctx, BT_ERR_ARG, "--%s is for nn search, not for nn %s", name, action);
  }
  json_decref(before);
  json_decref(now);
  return st;
}

/* What sets the length of trainings, given to what trains nothing. */
static BtStatus check_no_training(BtApp *app, const BtNn *set, const char *action) {
  const char *const option = set->work > 0 ? "max-work" : set->epochs > 0 ? "epochs" : NULL;
  if (option)
    return bt_fail(&app->ctx, BT_ERR_ARG, "--%s is for nn train and nn search, not for nn %s", option,
                   action);
  return BT_OK;
}

/* A file that other actions than train would leave unwritten. */
static BtStatus check_others(BtApp *app, const BtNn *set, const char *action) {
  const struct {
    const char *option, *value;
  } files[] = {{"log", set->keeping.log},         {"checkpoint", set->keeping.checkpoint},
               {"resume", set->keeping.resume},   {"schedule", set->schedule},
               {"replay", set->replay},           {"hdet", set->ensemble.hdet},
               {"replica-log", set->ensemble.log}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (files[i].value)
      return bt_fail(&app->ctx, BT_ERR_ARG, "--%s is for nn train, not for nn %s", files[i].option, action);
  return BT_OK;
}

static BtStatus nn_check(BtApp *app, const void *settings) {
  const int action = action_of(app);
  if (action < 0)
    return bt_fail(&app->ctx, BT_ERR_ARG,
                   "nn does not know \"%.40s\"; it knows train, eval, search and check", app->operands[0]);
  if (app->operand_count != actions[action].operands)
    return actions[action].operands == 1
               ? bt_fail(&app->ctx, BT_ERR_ARG, "nn %s takes options only; \"%.80s\" is too many",
                         actions[action].name, app->operands[1])
               : bt_fail(&app->ctx, BT_ERR_ARG,
                         "nn eval takes a checkpoint: bitune nn eval CHECKPOINT --data DIR");
  const int train = actions[action].run == bt_nn_train, search = actions[action].run == bt_nn_search;
  const char *const name = actions[action].name;
  BtStatus st = search ? BT_OK : check_no_search(app, settings, name);
  if (st >= 0 && train) return check_train(app, settings);
  if (st >= 0 && !search) st = check_no_training(app, settings, name);
  if (st >= 0) st = check_others(app, settings, name);
  return st >= 0 && search ? bt_nn_search_check(app, settings) : st;
}

/* Replicas of an ensemble to train; 0: none. */
static size_t replicas(BtApp *app, const BtNn *set) {
  if (actions[action_of(app)].run != bt_nn_train || set->print_task) return 0;
  return bt_nn_hdet_items(app, &set->ensemble, set->keeping.resume);
}

/* They, and the trials of a search, are dealt over processes; everything else is for one. A GPU has one,
 * unless
 * --jobs says otherwise. */
static size_t nn_items(BtApp *app, const void *settings) {
  const BtNn *set = settings;
  if (actions[action_of(app)].run == bt_nn_search) return bt_nn_search_items(set);
  const int gpu = strncmp(set->device, "cpu", 3) != 0;
  const size_t count = gpu && app->common.jobs == 0 ? 1 : replicas(app, set);
  return count ? count : 1;
}

static BtStatus nn_run(BtApp *app, void *settings) {
  const BtNn *set = settings;
  const int action = action_of(app);
  /* Under a launcher, what is for one process. */
  if (app->team.rank > 0 && actions[action].run != bt_nn_search && replicas(app, set) == 0) return BT_OK;
  bt_app_put_text(app, "action", actions[action].name);
  return actions[action].run(app, settings);
}

const BtCommand bt_cmd_nn = {
    .name = "nn",
    .group = BT_GROUP_LEARNING,
    .summary = "train networks that tune their own hyperparameters",
    .usage =
        "train --task NAME|FILE [--data DIR] [options]\neval CHECKPOINT [--data DIR] "
        "[options]\nsearch --task NAME|FILE -o DIR [--data DIR] [options]\ncheck [options]",
    .help =
        "A task is one JSON file: data, network, hyperparameters with their ranges, optimizers, tuning. "
        "Built in are "
        "mnist-mlp, fmnist-cnn, cifar-alexnet, cifar-vgg16, cifar-resnet18, ptb-lstm, dncnn and, on "
        "generated "
        "data, tiny-mlp, "
        "tiny-cnn and tiny-lstm; --print-task prints one.\n\n"
        "Tuners: stn, self-tuning networks (MacKay et al. 2019); cstn, the same with a centred response; "
        "dstn, "
        "Delta-STN (Bae and Grosse 2020). They learn how the weights respond to the hyperparameters while "
        "the "
        "weights are trained, and move the hyperparameters to lower the validation loss: dropout rates, "
        "weight decay, "
        "augmentation and the like are tuned in one training.\n\n"
        "Ensembles (--hdet): replicas train on their shares of the data with learning rates and other "
        "hyperparameters spread around a base, are averaged every --sync steps, and the base moves to where "
        "the "
        "losses were lower. A tenth of the run searches the order of magnitude of lr; what is left starts "
        "anew "
        "with it (--controller paper: follows the schedule instead). Processes share the replicas (--jobs, "
        "or mpirun); the result does not depend on "
        "their "
        "number.\n\n"
        "--checkpoint keeps the run's state and its best weights; --resume brings task, tuner and seed, and "
        "ends with the weights of an unbroken run.\n\n"
        "The figures reported are those of the epoch with the least validation loss; a checkpoint holds "
        "these weights "
        "beside the last ones, and eval takes them.\n\n"
        "search trains the network anew for each trial, with hyperparameters that stay: random, Bayesian "
        "(Gaussian process, expected improvement) or grid search, what tuners are compared with. --halving "
        "gives epochs to promising trials only (successive halving). A trial that diverges counts as failed "
        "and does not end the search. The folder holds trials.csv, best.json, best.safetensors and "
        "best-task.json, the task with the hyperparameters found; a search that was interrupted goes on when "
        "it is called again.\n\n"
        "check compares gradients with differences of losses and, where there is a device, its results with "
        "the CPU's.",
    .examples =
        {{"bitune nn train --task mnist-mlp --data mnist --tuner dstn --epochs 10 --log run.csv",
          "MNIST with three dropout rates tuned by Delta-STN"},
         {"bitune nn train --task tiny-mlp --tuner dstn --schedule found.csv --checkpoint tiny.safetensors",
          "Generated digits, in seconds; the schedule found and the weights are kept"},
         {"bitune nn search --task tiny-mlp --trials 8 --halving 2 -o found",
          "Random search over eight trainings, by successive halving"}},
    .flags = BT_USES_TEAM,
    .items = nn_items,
    .min_operands = 1,
    .max_operands = 2,
    .operands = "files",
    .settings_size = sizeof(BtNn),
    .options = nn_options,
    .check = nn_check,
    .run = nn_run,
};
