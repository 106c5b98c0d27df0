/* Courses and final losses of networks. */
#include <math.h>
#include <stdio.h>

#include "compare/compare_network.h"

#define MOST_ROWS 400  /* of a run's curve in a picture                            */
#define LOG_SPAN 20.0  /* greatest / least swept value of a logarithmic axis       */
#define AXIS_ROOM 45.0 /* below a panel, px                                        */
#define WORST 30.0     /* times the best loss: what lies beyond is on the edge     */
#define NEAR 3.0       /* times the worst of the methods' best means, likewise     */

/* The loss compared, or the figure of the same weights on the test data. */
static double final_loss(const BtCompareRun *run, int test) {
  const double loss = test ? run->figure[BT_NETWORK_TEST_LOSS] : run->loss;
  return run->state == BT_RUN_FINISHED && loss > 0 ? loss : (double)NAN;
}

static const BtSpread *spread_of(const BtCompareSetting *s, int test) {
  return test ? &s->figure[BT_NETWORK_TEST_LOSS] : &s->loss;
}

/* The axis of final losses: from the least to the greatest, but not to those of runs that blew up. */
static int final_range(BtDraw *p, int test) {
  p->lo = (double)INFINITY, p->hi = 0;
  for (size_t i = 0; i < p->all->run_count; i++) {
    const double loss = final_loss(&p->all->runs[i], test);
    if (!isfinite(loss)) continue;
    p->lo = fmin(p->lo, loss);
    p->hi = fmax(p->hi, loss);
  }
  p->hi = fmin(p->hi, WORST * p->lo);
  return p->hi > 0;
}

/* The same for a plot of methods: to where their best settings can be told apart. */
static int method_range(BtDraw *p, int test) {
  double worst = 0;
  if (!final_range(p, test)) return 0;
  for (size_t m = 0; m < p->all->spec.method_count; m++) {
    const BtCompareSetting *best = bt_compare_best_of(p->all, m);
    if (best && spread_of(best, test)->n) worst = fmax(worst, spread_of(best, test)->mean);
  }
  if (worst > 0) p->hi = fmin(p->hi, NEAR * worst);
  return 1;
}

static void put_loss_axis(const BtDraw *p, const char *axis, double air) {
  bt_draw_log_axis(p->out, axis, p->lo / air, p->hi * air);
}

static int is_drawn(const BtDraw *p, const BtCompareRun *run) {
  const BtCompareSetting *best = bt_compare_best_of(p->all, run->method);
  return bt_draw_has(run) && best == &p->all->settings[run->setting];
}

static double positive(double x) { return x > 0 ? x : (double)NAN; }

/* Work, seconds, loss. */
static void put_row(const BtDraw *p, const BtRunCourse *c, size_t row) {
  bt_draw_number(p->out, positive(c->work[row]));
  bt_draw_number(p->out, positive(c->seconds[row]));
  bt_draw_number(p->out, positive(c->loss[row]));
  (void)fputc('\n', p->out);
}

/* $runN, and $endN with the last row alone. */
static void put_course(const BtDraw *p, const BtCompareRun *run) {
  const BtRunCourse *c = &run->course;
  const size_t stride = c->rows / MOST_ROWS + 1;
  (void)fprintf(p->out, "$run%zu << END_OF_RUN\n", run->index);
  for (size_t row = 0; row < c->rows; row++)
    if (row % stride == 0 || row + 1 == c->rows) put_row(p, c, row);
  (void)fprintf(p->out, "END_OF_RUN\n$end%zu << END_OF_RUN\n", run->index);
  put_row(p, c, c->rows - 1);
  (void)fputs("END_OF_RUN\n", p->out);
}

/* Of the courses drawn: the range of x, and of the losses in p. */
static int course_range(BtDraw *p, int seconds, double *lo, double *hi) {
  *lo = p->lo = (double)INFINITY;
  *hi = p->hi = 0;
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    for (size_t r = 0; is_drawn(p, run) && r < run->course.rows; r++) {
      const double x = seconds ? run->course.seconds[r] : run->course.work[r], y = run->course.loss[r];
      if (!(x > 0) || !(y > 0) || !isfinite(x) || !isfinite(y)) continue;
      *lo = fmin(*lo, x), *hi = fmax(*hi, x);
      p->lo = fmin(p->lo, y), p->hi = fmax(p->hi, y);
    }
  }
  p->hi = fmin(p->hi, WORST * p->lo);
  return *hi > 0;
}

static int course_plot(BtDraw *p, int plot) {
  const BtCompare *all = p->all;
  const int seconds = plot == BT_PLOT_SECONDS, column = seconds ? 2 : 1;
  double lo, hi;
  int count = 0;
  if (!course_range(p, seconds, &lo, &hi)) return 0;
  for (size_t i = 0; i < all->run_count; i++)
    if (is_drawn(p, &all->runs[i])) put_course(p, &all->runs[i]);
  bt_draw_style(p, bt_compare_plot_name(plot), 440);
  bt_draw_panel(p, 0.095, 0.985);
  bt_draw_log_axis(p->out, "x", lo, hi);
  bt_draw_x_label(p->out, seconds ? "seconds" : "work: gradients of examples");
  put_loss_axis(p, "y", 1.05);
  (void)fputs("set ylabel 'validation loss' textcolor rgb '#222222'\n", p->out);
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    if (!is_drawn(p, run)) continue;
    (void)fprintf(p->out, "%s$run%zu using %d:3 with lines ", count++ ? ", " : "plot ", i, column);
    bt_draw_look(p->out, run->method, 1.5);
    (void)fprintf(
        p->out,
        " notitle, $end%zu using %d:3 with points pointtype 7 pointsize 0.5 linecolor rgb '%s' notitle", i,
        column, bt_compare_color(run->method));
  }
  (void)fputc('\n', p->out);
  return 1;
}

/* Whether a run has no loss that the axis has room for. */
static int is_beyond(const BtDraw *p, const BtCompareRun *run, int test) {
  return run->state == BT_RUN_FINISHED && (run->diverged || final_loss(run, test) > p->hi);
}

/* A line a method: runs of its best setting, their mean and range; rings for its other settings; a cross on
 * the edge for runs beyond it. */
static void put_strip(const BtDraw *p, int test) {
  const BtCompare *all = p->all;
  const size_t count = all->spec.method_count;
  const char *const split = test ? "tested" : "judged";
  for (size_t m = 0; m < count; m++) {
    const BtCompareSetting *best = bt_compare_best_of(all, m);
    for (int other = 0; other < 2; other++) {
      (void)fprintf(p->out, "$%s%zu_%d << END_OF_RUN\nNaN NaN\n", split, m, other);
      for (size_t i = 0; i < all->run_count; i++) {
        const BtCompareRun *run = &all->runs[i];
        const double loss = final_loss(run, test);
        if (run->method == m && loss <= p->hi && (best != &all->settings[run->setting]) == other)
          (void)fprintf(p->out, "%.10g %zu\n", loss, count - m);
      }
      (void)fputs("END_OF_RUN\n", p->out);
    }
    (void)fprintf(p->out, "$%s%zu_lost << END_OF_RUN\nNaN NaN\n", split, m);
    for (size_t i = 0; i < all->run_count; i++)
      if (all->runs[i].method == m && is_beyond(p, &all->runs[i], test))
        (void)fprintf(p->out, "%.10g %zu\n", p->hi, count - m);
    (void)fputs("END_OF_RUN\n", p->out);
    (void)fprintf(p->out, "$%s%zu_mean << END_OF_RUN\nNaN NaN NaN NaN\n", split, m);
    const BtSpread *s = best ? spread_of(best, test) : NULL;
    if (s && s->n && s->least <= p->hi) {
      bt_draw_number(p->out, s->mean <= p->hi ? s->mean : (double)NAN);
      (void)fprintf(p->out, " %zu %.10g %.10g\n", count - m, s->least, fmin(s->greatest, p->hi));
    }
    (void)fputs("END_OF_RUN\n", p->out);
  }
  for (size_t m = 0; m < count; m++) {
    const char *color = bt_compare_color(m);
    (void)fprintf(
        p->out,
        "%s$%s%zu_mean using 3:2:($4-$3):(0) with vectors nohead linecolor rgb '%s' linewidth 2 notitle, "
        "$%s%zu_1 using 1:2 with points pointtype 6 pointsize 0.5 linecolor rgb '%s' notitle, "
        "$%s%zu_0 using 1:2 with points pointtype 7 pointsize 0.5 linecolor rgb '%s' notitle, "
        "$%s%zu_mean using 1:2 with points pointtype 7 pointsize 1.15 linecolor rgb '%s' notitle, "
        "$%s%zu_lost using 1:2 with points pointtype 2 pointsize 0.9 linewidth 1.8 linecolor rgb '%s' "
        "notitle",
        m ? ", " : "plot ", split, m, color, split, m, color, split, m, color, split, m, color, split, m,
        color);
  }
  (void)fputc('\n', p->out);
}

static int spread_plot(BtDraw *p) {
  const size_t count = p->all->spec.method_count;
  const int tested = bt_compare_has_figure(p->all, BT_NETWORK_TEST_LOSS);
  if (!method_range(p, 0)) return 0;
  bt_draw_style(p, bt_compare_plot_name(BT_PLOT_SPREAD), (int)(120 + 22 * (count > 6 ? count : 6)));
  /* The lines have names. */
  bt_draw_drop_legend(p);
  p->bottom = AXIS_ROOM / p->height;
  const double right = 0.985, left = fmin(0.4, 0.03 + bt_draw_names_width(p->all) / BT_DRAW_WIDTH);
  const double middle = 0.5 * (left + right);
  (void)fputs("set multiplot\n", p->out);
  bt_draw_names(p);
  for (int test = 0; test <= tested; test++) {
    if (!method_range(p, test)) break;
    bt_draw_panel(p, test ? middle + 0.02 : left, tested && !test ? middle - 0.02 : right);
    if (test) (void)fputs("unset ytics\n", p->out);
    bt_draw_title(p->out, test ? "Test loss" : "Validation loss");
    put_loss_axis(p, "x", 1.05);
    put_strip(p, test);
  }
  (void)fputs("unset multiplot\n", p->out);
  return 1;
}

/* $sweepM: swept value, mean, least, greatest of the settings; $lostM: swept values of those with runs that
 * diverged or lie beyond the axis; $flatM: the best of a method without the option. */
static void put_sweep_data(const BtDraw *p, size_t method, int test, double lo, double hi) {
  const BtCompare *all = p->all;
  const BtCompareSetting *best = bt_compare_best_of(all, method);
  (void)fprintf(p->out, "$sweep%d_%zu << END_OF_RUN\nNaN NaN NaN NaN\n", test, method);
  for (size_t k = 0; k < all->setting_count; k++) {
    const BtCompareSetting *s = &all->settings[k];
    const BtSpread *loss = spread_of(s, test);
    if (s->method != method || !isfinite(s->swept) || loss->n == 0 || loss->mean > p->hi * WORST) continue;
    (void)fprintf(p->out, "%.10g %.10g %.10g %.10g\n", s->swept, loss->mean, loss->least, loss->greatest);
  }
  (void)fprintf(p->out, "END_OF_RUN\n$lost%d_%zu << END_OF_RUN\nNaN NaN\n", test, method);
  for (size_t k = 0; k < all->setting_count; k++) {
    const BtCompareSetting *s = &all->settings[k];
    if (s->method == method && isfinite(s->swept) && (s->diverged || spread_of(s, test)->mean > p->hi))
      (void)fprintf(p->out, "%.10g 1\n", s->swept);
  }
  (void)fprintf(p->out, "END_OF_RUN\n$flat%d_%zu << END_OF_RUN\nNaN NaN\n", test, method);
  if (best && !isfinite(best->swept) && spread_of(best, test)->n)
    (void)fprintf(p->out, "%.10g %.10g\n%.10g %.10g\n", lo, spread_of(best, test)->mean, hi,
                  spread_of(best, test)->mean);
  (void)fputs("END_OF_RUN\n", p->out);
}

static void put_sweep_curves(const BtDraw *p, int test) {
  for (size_t m = 0; m < p->all->spec.method_count; m++) {
    const char *color = bt_compare_color(m);
    (void)fprintf(p->out,
                  "%s$sweep%d_%zu using 1:2:3:4 with yerrorbars pointtype 7 pointsize 0.6 linecolor rgb '%s' "
                  "linewidth 1 notitle, $sweep%d_%zu using 1:2 with lines ",
                  m ? ", " : "plot ", test, m, color, test, m);
    bt_draw_look(p->out, m, 1.9);
    (void)fprintf(p->out, " notitle, $flat%d_%zu using 1:2 with lines ", test, m);
    bt_draw_look(p->out, m, 1.9);
    (void)fprintf(p->out,
                  " notitle, $lost%d_%zu using 1:(%.10g) with points pointtype 2 pointsize 0.9 linewidth 1.8 "
                  "linecolor rgb '%s' notitle",
                  test, m, p->hi, color);
  }
  (void)fputc('\n', p->out);
}

static int sweep_plot(BtDraw *p) {
  const BtCompare *all = p->all;
  const int tested = bt_compare_has_figure(all, BT_NETWORK_TEST_LOSS);
  double lo = (double)INFINITY, hi = -lo;
  if (!all->spec.axis || !final_range(p, 0)) return 0;
  for (size_t k = 0; k < all->setting_count; k++) {
    if (!isfinite(all->settings[k].swept)) continue;
    lo = fmin(lo, all->settings[k].swept);
    hi = fmax(hi, all->settings[k].swept);
  }
  if (!(hi > lo)) return 0;
  bt_draw_style(p, bt_compare_plot_name(BT_PLOT_SWEEP), 400);
  if (lo > 0 && hi > LOG_SPAN * lo)
    bt_draw_log_axis(p->out, "x", lo, hi);
  else
    (void)fprintf(p->out, "set xrange [%.6g:%.6g]\n", lo - 0.04 * (hi - lo), hi + 0.04 * (hi - lo));
  bt_draw_x_label(p->out, all->spec.axis);
  (void)fputs("set multiplot\n", p->out);
  for (int test = 0; test <= tested; test++) {
    if (!final_range(p, test)) break;
    for (size_t m = 0; m < all->spec.method_count; m++) put_sweep_data(p, m, test, lo, hi);
    bt_draw_panel(p, test ? 0.585 : 0.085, tested && !test ? 0.485 : 0.985);
    bt_draw_title(p->out, test ? "Test loss" : "Validation loss");
    put_loss_axis(p, "y", 1.05);
    put_sweep_curves(p, test);
    if (!test) bt_draw_drop_legend(p);
  }
  (void)fputs("unset multiplot\n", p->out);
  return 1;
}

int bt_network_draw(BtDraw *p, int plot) {
  switch (plot) {
    case BT_PLOT_WORK:
    case BT_PLOT_SECONDS: return course_plot(p, plot);
    case BT_PLOT_SPREAD: return spread_plot(p);
    case BT_PLOT_SWEEP: return sweep_plot(p);
    default: return 0;
  }
}
