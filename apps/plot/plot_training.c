#include "plot/plot_training.h"

#include <math.h>
#include <string.h>

#include "plot/gnuplot.h"
#include "plot/plot_panel.h"

#define MANY_ROWS 80 /* beyond, curves have no points                          */
#define HUGE_NUMBER 1e120
#define MANY_NAMES 4    /* beyond, a legend stands beside its panel        */
#define RIGHT_MARGIN 14 /* characters, for such a legend                   */
#define NAMES_BESIDE 15 /* names that have room beside a panel of two rows */
#define MOST_BESIDE 60  /* names for which the picture grows               */

typedef enum { EPOCHS, SCHEDULE, TRIALS, KINDS } Kind;
/* The columns that tell a kind; the first is the x axis, hyperparameters follow the last and that of the
 * work. */
static const char *const marks[KINDS][4] = {{"epoch", "train_loss", "valid_loss", "seconds"},
                                            {"step", "tuning_loss", "epoch", "tuning_loss"},
                                            {"trial", "best_loss", "valid_loss", "total_epochs"}};
static const char *const x_labels[KINDS] = {"epoch", "training step", "trial"};

typedef struct {
  FILE *out;
  const BtCsv *log;
  Kind kind;
  long x;       /* column of the x axis                       */
  size_t first; /* columns of hyperparameters and scales: first … columns − 1 */
} Plot;

/* What is drawn together: hyperparameters that stay within ±1, the others, and deviations of perturbations. */
typedef enum { SMALL, LARGE, SCALES, GROUPS } Group;

static int kind_of(const BtCsv *log) {
  for (int k = 0; k < KINDS; k++) {
    int all = 1;
    for (int i = 0; i < 4; i++) all = all && bt_csv_column(log, marks[k][i]) >= 0;
    if (all) return k;
  }
  return -1;
}

int bt_plot_is_training(const BtCsv *log) { return kind_of(log) >= 0; }

/* NAN where there is nothing to draw. */
static double value(const Plot *p, size_t row, size_t column) {
  const double x = bt_csv_cell(p->log, row, (long)column);
  if (!(fabs(x) < HUGE_NUMBER)) return (double)NAN;
  return fabs(x) < 1 / HUGE_NUMBER ? 0 : x;
}

static BtPlotRange range_of(const Plot *p, const long *columns, int count) {
  BtPlotRange all = BT_PLOT_NOTHING, positive = BT_PLOT_NOTHING;
  for (size_t row = 0; row < p->log->rows; row++)
    for (int i = 0; i < count; i++) {
      const double x = columns[i] < 0 ? (double)NAN : value(p, row, (size_t)columns[i]);
      bt_plot_widen(&all, x);
      if (x > 0) bt_plot_widen(&positive, x);
    }
  return bt_plot_choose(all, positive);
}

/* Column k of the data block is column k − 1 of the table. */
static void put_data(const Plot *p) {
  (void)fputs("$run << END_OF_RUN\n", p->out);
  for (size_t row = 0; row < p->log->rows; row++) {
    for (size_t c = 0; c < p->log->columns; c++) bt_plot_number(p->out, value(p, row, c));
    (void)fputc('\n', p->out);
  }
  (void)fputs("END_OF_RUN\n", p->out);
}

typedef struct {
  const char *column, *color, *title;
} Curve;

/* Curves of a panel over the x axis; columns that the table lacks are left out. */
static void curves_panel(const Plot *p, const char *heading, const Curve *curves, int count) {
  long columns[3];
  int drawn = 0;
  for (int i = 0; i < count; i++) columns[i] = bt_csv_column(p->log, curves[i].column);
  const BtPlotRange r = range_of(p, columns, count);
  bt_plot_panel(p->out, heading);
  if (isnan(r.lo)) {
    bt_plot_empty(p->out);
    return;
  }
  bt_plot_axis(p->out, "y", r);
  for (int i = 0; i < count; i++) {
    const BtPlotRange own = range_of(p, &columns[i], 1);
    if (isnan(own.lo)) continue;
    const char *how = p->log->rows > MANY_ROWS ? "lines" : "linespoints pointtype 7 pointsize 0.5";
    (void)fprintf(p->out, "%s$run using %ld:%ld with %s linewidth 2 linecolor rgb '%s' title '%s'",
                  drawn++ ? ", " : "plot ", p->x + 1, columns[i] + 1, how, curves[i].color, curves[i].title);
  }
  (void)fputc('\n', p->out);
}

static const char scale_of[] = "scale("; /* NAME): columns of scales are called so */

/* GROUPS where there is nothing to draw. */
static Group group_of(const Plot *p, size_t column) {
  const long at = (long)column;
  const BtPlotRange r = range_of(p, &at, 1);
  if (isnan(r.lo)) return GROUPS;
  if (p->kind == EPOCHS && strncmp(p->log->names[column], scale_of, strlen(scale_of)) == 0) return SCALES;
  return r.hi > 1 || r.lo < -1 ? LARGE : SMALL;
}

static size_t members(const Plot *p, Group group) {
  size_t n = 0;
  for (size_t c = p->first; c < p->log->columns; c++) n += group_of(p, c) == group;
  return n;
}

/* Whose curve it is: of scales the hyperparameter, which the heading does not name. */
static void put_title(const Plot *p, Group group, const char *name) {
  char of[128];
  if (group == SCALES) {
    (void)snprintf(of, sizeof of, "%s", name + strlen(scale_of));
    char *end = strrchr(of, ')');
    if (end) *end = '\0';
    name = of;
  }
  bt_gnuplot_quote(p->out, name);
  (void)fputs(" noenhanced", p->out);
}

/* Over the x axis or, of a search, their values against the loss. */
static void hyper_panel(const Plot *p, Group group) {
  static const char *const headings[GROUPS] = {
      [SMALL] = "Hyperparameters", [LARGE] = "Hyperparameters beyond 1", [SCALES] = "Scales of perturbations"};
  static const char *const colors[] = {BT_BLUE,   BT_ORANGE, BT_GREEN, "#CC79A7",
                                       "#E69F00", "#56B4E9", "#444444"};
  enum { COLORS = sizeof colors / sizeof *colors };
  static const int dashes[] = {1, 3, 4, 2};
  const long loss = bt_csv_column(p->log, "valid_loss");
  BtPlotRange values = BT_PLOT_NOTHING;
  size_t drawn = 0;
  bt_plot_panel(p->out, p->kind == TRIALS ? "Loss over hyperparameters" : headings[group]);
  for (size_t c = p->first; c < p->log->columns; c++)
    if (group_of(p, c) == group)
      for (size_t row = 0; row < p->log->rows; row++) bt_plot_widen(&values, value(p, row, c));
  if (p->kind == TRIALS) {
    bt_plot_axis(p->out, "y", range_of(p, &loss, 1));
    bt_plot_x_axis(p->out, values);
    (void)fputs("set xtics autofreq\nset xlabel 'value'\n", p->out);
  } else {
    bt_plot_axis(p->out, "y", values);
  }
  if (members(p, group) > MANY_NAMES) /* beside the panel */
    (void)fprintf(p->out,
                  "set key at graph 1.01, 1 top left vertical Left reverse maxrows %d samplen 1 spacing 0.9 "
                  "font ',10'\n",
                  MOST_BESIDE);
  for (size_t c = p->first; c < p->log->columns; c++) {
    if (group_of(p, c) != group) continue;
    (void)fprintf(p->out, "%s$run using ", drawn ? ", " : "plot ");
    if (p->kind == TRIALS)
      (void)fprintf(p->out, "%zu:%ld with points pointtype %d pointsize 1", c + 1, loss + 1,
                    7 + 2 * (int)(drawn / COLORS));
    else
      (void)fprintf(p->out, "%ld:%zu with lines linewidth 2 dashtype %d", p->x + 1, c + 1,
                    dashes[drawn / COLORS % (sizeof dashes / sizeof *dashes)]);
    (void)fprintf(p->out, " linecolor rgb '%s' title ", colors[drawn % COLORS]);
    put_title(p, group, p->log->names[c]);
    drawn++;
  }
  (void)fputc('\n', p->out);
}

/* The loss of every trial, those that failed at the top, and the best so far. */
static void trials_panel(const Plot *p) {
  const long columns[] = {bt_csv_column(p->log, "valid_loss"), bt_csv_column(p->log, "best_loss")};
  const long failed = bt_csv_column(p->log, "failed");
  const BtPlotRange r = range_of(p, columns, 2);
  bt_plot_panel(p->out, "Validation loss of the trials");
  if (isnan(r.lo)) {
    bt_plot_empty(p->out);
    return;
  }
  bt_plot_axis(p->out, "y", r);
  (void)fprintf(
      p->out,
      "plot $run using 1:%ld with steps linewidth 2 linecolor rgb '" BT_BLUE
      "' title 'best so far', $run using 1:%ld with points pointtype 7 pointsize 1 linecolor rgb '" BT_ORANGE
      "' title 'trial'",
      columns[1] + 1, columns[0] + 1);
  if (failed >= 0 && range_of(p, &failed, 1).hi > 0)
    (void)fprintf(
        p->out,
        ", $run using 1:($%ld > 0 ? %.12g : NaN) with points pointtype 2 pointsize 1 linecolor rgb '#444444' "
        "title 'failed'",
        failed + 1, r.hi);
  (void)fputc('\n', p->out);
}

static void budget_panel(const Plot *p) {
  const long columns[] = {bt_csv_column(p->log, "total_epochs"), bt_csv_column(p->log, "best_loss")};
  const BtPlotRange r = range_of(p, &columns[1], 1), epochs = range_of(p, &columns[0], 1);
  bt_plot_panel(p->out, "Best loss over the epochs spent");
  if (isnan(r.lo) || isnan(epochs.lo)) {
    bt_plot_empty(p->out);
    return;
  }
  bt_plot_axis(p->out, "y", r);
  (void)fprintf(p->out,
                "set xrange [0:%.12g]\nset xtics autofreq\nset xlabel 'training epochs of all trials'\n",
                fmax(1, 1.015 * epochs.hi));
  (void)fprintf(p->out,
                "plot $run using %ld:%ld with steps linewidth 2 linecolor rgb '" BT_BLUE "' notitle\n",
                columns[0] + 1, columns[1] + 1);
}

static void first_panels(const Plot *p) {
  static const Curve losses[] = {
      {"train_loss", "#888888", "train"}, {"valid_loss", BT_BLUE, "valid"}, {"test_loss", BT_ORANGE, "test"}};
  static const Curve accuracies[] = {{"valid_accuracy", BT_BLUE, "valid"},
                                     {"test_accuracy", BT_ORANGE, "test"}};
  static const Curve perplexities[] = {{"valid_perplexity", BT_BLUE, "valid"},
                                       {"test_perplexity", BT_ORANGE, "test"}};
  static const Curve tuning[] = {{"tuning_loss", BT_BLUE, "batches of validation data"}};
  if (p->kind == TRIALS) {
    trials_panel(p);
    (void)fputs("unset label 100\n", p->out);
    budget_panel(p);
  } else if (p->kind == SCHEDULE) {
    curves_panel(p, "Loss of the validation steps", tuning, 1);
    (void)fputs("unset label 100\n", p->out);
  } else {
    const int text = bt_csv_column(p->log, "valid_perplexity") >= 0;
    curves_panel(p, "Loss", losses, 3);
    (void)fputs("unset label 100\n", p->out);
    curves_panel(p, text ? "Perplexity" : "Accuracy", text ? perplexities : accuracies, 2);
  }
}

/* Of the picture, so that panels of more than two rows, and names beside them, have room. */
static double height_of(int rows, size_t names) {
  const double panel = 16, between = 7, ends = 7.5; /* characters, see bt_plot_begin */
  const double grown = panel * fmax(1, fmin((double)names, MOST_BESIDE) / NAMES_BESIDE);
  return fmax(1, (ends + (rows - 1) * between + rows * grown) / (ends + between + 2 * panel));
}

int bt_plot_training(FILE *script, const BtCsv *log, BtPictureFormat format, const char *title) {
  static const Curve rates[] = {{"rate", BT_GREEN, "rate"}};
  const int kind = kind_of(log);
  if (kind < 0 || log->rows == 0) return 0;
  Plot plot = {.out = script, .log = log, .kind = (Kind)kind, .x = bt_csv_column(log, marks[kind][0])};
  plot.first = (size_t)bt_csv_column(log, marks[kind][3]) + 1;
  if (bt_csv_column(log, "work") == (long)plot.first) plot.first++;
  const BtPlotRange x = range_of(&plot, &plot.x, 1);
  if (isnan(x.lo)) return 0;
  int panels = kind == SCHEDULE ? 1 : 2;
  size_t most = 0;
  for (Group g = 0; g < GROUPS; g++) {
    const size_t n = members(&plot, g);
    panels += n > 0;
    if (n > most) most = n;
  }
  const int rate = kind == EPOCHS && panels % 2; /* fills the last row */
  const int rows = panels > 2 ? (panels + 1) / 2 : panels;

  bt_plot_style(script, format, height_of(rows, most));
  (void)fprintf(script, "set xlabel '%s'\n", x_labels[kind]);
  put_data(&plot);
  bt_plot_x_axis(script, (BtPlotRange){x.lo, x.hi, 0});
  bt_plot_begin(script, rows, panels > 2 ? 2 : 1, most > MANY_NAMES ? RIGHT_MARGIN : 8, title);
  first_panels(&plot);
  for (Group g = 0; g < GROUPS; g++)
    if (members(&plot, g) > 0) hyper_panel(&plot, g);
  if (rate) curves_panel(&plot, "Step size of the weights", rates, 1);
  bt_plot_end(script);
  return 1;
}
