#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "plot/gnuplot.h"
#include "plot/plot_ensemble.h"
#include "plot/plot_model.h"
#include "plot/plot_script.h"
#include "plot/plot_training.h"
#include "program/app.h"
#include "program/csv.h"

typedef struct {
  const char *output, *title;
  double sigma;
} Plot;

static const BtOption options[] = {
    BT_OPT_TEXT("output", 'o', Plot, output, NULL, "FILE", "picture to write: .png, .svg or .pdf"),
    BT_OPT_TEXT("title", 0, Plot, title, NULL, "TEXT", "line above the panels"),
    BT_OPT_REAL("sigma", Plot, sigma, NAN, BT_WITHIN(1e-6, 1e6), "S",
                "noise level at which a model is drawn; by default the level it was learned for"),
    BT_OPT_END};

static size_t plot_options(void *settings, BtOptionSet *sets) {
  sets[0] = (BtOptionSet){options, settings, NULL};
  return 1;
}

/* Index as in BtPictureFormat, -1 if unknown. */
static int picture_format(const char *path) {
  const char *extension = bt_path_extension(path);
  return bt_choice_index("png|svg|pdf", extension, strlen(extension));
}

static BtStatus plot_check(BtApp *app, const void *settings) {
  const Plot *plot = settings;
  const BtStatus st = bt_app_require(app, plot->output != NULL, "output");
  if (st < 0 || picture_format(plot->output) >= 0) return st;
  return bt_fail(&app->ctx, BT_ERR_ARG, "--output must end in .png, .svg or .pdf, got \"%s\"", plot->output);
}

static BtStatus draw(BtApp *app, const Plot *plot, const char *script, size_t size) {
  BtContext *ctx = &app->ctx;
  BtAtomicFile picture = {0};
  BtStatus st = bt_atomic_open(ctx, plot->output, &picture);
  if (st >= 0) st = bt_gnuplot(ctx, script, size, picture.stream, plot->output);
  if (st >= 0) return bt_atomic_commit(ctx, &picture);
  bt_atomic_abort(&picture);
  return st;
}

static BtStatus write_log_script(BtApp *app, const Plot *plot, FILE *out) {
  const char *path = app->operands[0];
  BtCsv log;
  BtStatus st = bt_csv_read(&app->ctx, path, &log);
  if (st < 0) return st;
  const BtPictureFormat format = (BtPictureFormat)picture_format(plot->output);
  const int drawn = bt_plot_is_ensemble(&log)   ? bt_plot_ensemble(out, &log, format, plot->title)
                    : bt_plot_is_training(&log) ? bt_plot_training(out, &log, format, plot->title)
                                              : bt_plot_script(out, &log, format, plot->title);
  if (!drawn)
    st = bt_fail(&app->ctx, BT_ERR_FORMAT,
                 "%s: has no rows of a log to plot; --log of learn, logreg and nn train writes one", path);
  bt_app_put_int(app, "rows", (int64_t)log.rows);
  bt_csv_clear(&log);
  return st;
}

static BtStatus write_model_script(BtApp *app, const Plot *plot, FILE *out) {
  const BtModelPlot model = {.title = plot->title, .sigma = plot->sigma};
  size_t filters;
  const BtStatus st = bt_plot_model(app, app->operands[0], &model,
                                    (BtPictureFormat)picture_format(plot->output), out, &filters);
  if (st >= 0) bt_app_put_int(app, "filters", (int64_t)filters);
  return st;
}

static BtStatus plot_run(BtApp *app, void *settings) {
  const Plot *plot = settings;
  char *script = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&script, &size);
  if (!out) return bt_fail_memory(&app->ctx, "the plot", 0);
  BtStatus st = bt_plot_is_model(app->operands[0]) ? write_model_script(app, plot, out)
                                                   : write_log_script(app, plot, out);
  if (fclose(out) != 0 && st >= 0) st = bt_fail_memory(&app->ctx, "the plot", (double)size);
  if (st >= 0) st = draw(app, plot, script, size);
  if (st >= 0) {
    bt_app_print(app, "%s\n", plot->output);
    bt_app_put_text(app, "output", plot->output);
  }
  free(script);
  return st;
}

const BtCommand bt_cmd_plot = {
    .name = "plot",
    .group = BT_GROUP_IMAGES,
    .summary = "draw the log of a run or a search, or a model",
    .usage = "-o FILE [--title TEXT] RUN.csv\n-o FILE [--title TEXT] [--sigma S] MODEL",
    .help =
        "Of a log four panels over the outer iterations: the loss with its certified bounds, or of random "
        "samples its moving average, the accuracies "
        "of the "
        "lower-level and adjoint solves, the gradient norm with its error bound and the step size, and the "
        "cumulative work. Axes are logarithmic where the values span more than a decade.\n\n"
        "Of an ensemble's replica log (bitune nn train --hdet … --replica-log) the training losses of the "
        "replicas and, for each hyperparameter, the band they explored and the base that was chosen.\n\n"
        "Of a network's log (nn train --log) the losses and accuracies over the epochs and the hyperparameters; "
        "of a schedule (--schedule) the loss of the validation steps and the hyperparameters over the steps; of "
        "a search (trials.csv of nn search) every trial's loss with the best so far, the best over the epochs "
        "spent, and the losses over the values of the hyperparameters.\n\n"
        "Of a model (a file ending in .json, or the name of one that comes with bitune) the filters, "
        "strongest first, each "
        "in its own range with its number, weight w and smoothing on the 0..255 scale, and the potentials "
        "and their derivatives "
        "over the response of the filter scaled to unit norm, strongest in blue.\n\n"
        "The log may still be growing. Drawing needs gnuplot (on Debian or Ubuntu: gnuplot-nox).",
    .examples = {{"bitune plot run.csv -o run.png", "A picture of a run"},
                 {"bitune plot foe --sigma 25 -o filters.png", "The filters and potentials of a model"},
                 {"bitune plot run.csv -o run.svg --title \"TV, sigma 25\"",
                  "The same as vector graphics, with a title"}},
    .min_operands = 1,
    .max_operands = 1,
    .operands = "files",
    .settings_size = sizeof(Plot),
    .options = plot_options,
    .check = plot_check,
    .run = plot_run,
};
