/* Courses of bilevel learning: distance to the best loss, accuracies. */
#include <math.h>
#include <stdio.h>

#include "compare/compare_bilevel.h"

#define MOST_ROWS 300 /* of a run's curve in a picture                    */
#define FIRST_ROWS 60 /* of these, at the beginning, where most happens   */

/* NaN where a logarithmic axis has no place. */
static double positive(double x) { return x > 0 ? x : (double)NAN; }

/* Columns of $runN, and of $endN with the last row alone: iteration, work, seconds, distance, ε, δ. */
static void put_row(const BtDraw *p, const BtCompareRun *run, size_t row) {
  const BtRunCourse *c = &run->course;
  bt_draw_number(p->out, c->iteration[row]);
  bt_draw_number(p->out, positive(c->work[row]));
  bt_draw_number(p->out, positive(c->seconds[row]));
  bt_draw_number(p->out, bt_draw_distance(p, run, row));
  bt_draw_number(p->out, positive(c->eps[row]));
  bt_draw_number(p->out, positive(c->delta[row]));
  (void)fputc('\n', p->out);
}

static void put_run(const BtDraw *p, const BtCompareRun *run) {
  const size_t rows = run->course.rows;
  const size_t stride = rows > MOST_ROWS ? rows / (MOST_ROWS - FIRST_ROWS) + 1 : 1;
  (void)fprintf(p->out, "$run%zu << END_OF_RUN\n", run->index);
  for (size_t row = 0; row < rows; row++)
    if (row < FIRST_ROWS || row % stride == 0 || row + 1 == rows) put_row(p, run, row);
  (void)fprintf(p->out, "END_OF_RUN\n$end%zu << END_OF_RUN\n", run->index);
  put_row(p, run, rows - 1);
  (void)fputs("END_OF_RUN\n", p->out);
}

/* All runs' column y over column x; the runs of one method alike, a dot where each ends. */
static void put_curves(const BtDraw *p, int x, int y) {
  int first = 1;
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    if (!bt_draw_has(run)) continue;
    (void)fprintf(p->out, "%s$run%zu using %d:%d with lines ", first ? "plot " : ", ", run->index, x, y);
    bt_draw_look(p->out, run->method, p->crowded ? 1.2 : 1.9);
    (void)fputs(" notitle", p->out);
    first = 0;
  }
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    if (!bt_draw_has(run)) continue;
    (void)fprintf(p->out,
                  ", $end%zu using %d:%d with points pointtype 7 pointsize 0.5 linecolor rgb '%s' notitle",
                  run->index, x, y, bt_compare_color(run->method));
  }
  (void)fputc('\n', p->out);
}

static int loss_plot(BtDraw *p, int plot) {
  const int seconds = plot == BT_PLOT_SECONDS;
  double lo, hi;
  if (!bt_draw_range(p, seconds ? BT_AT_SECONDS : BT_AT_WORK, &lo, &hi)) return 0;
  bt_draw_style(p, bt_compare_plot_name(plot), 440);
  bt_draw_panel(p, 0.095, 0.985);
  bt_draw_log_axis(p->out, "x", lo, hi);
  bt_draw_x_label(p->out, seconds ? "seconds" : "work: lower-level gradients and Hessian products");
  bt_draw_distance_axis(p);
  put_curves(p, seconds ? 3 : 2, 4);
  return 1;
}

static int accuracy_plot(BtDraw *p) {
  double lo[2], hi[2];
  const int has_eps = bt_draw_range(p, BT_AT_EPS, &lo[0], &hi[0]),
            has_delta = bt_draw_range(p, BT_AT_DELTA, &lo[1], &hi[1]);
  if (!has_eps && !has_delta) return 0;
  bt_draw_style(p, bt_compare_plot_name(BT_PLOT_ACCURACIES), 360);
  bt_draw_x_label(p->out, "outer iteration");
  (void)fputs("set multiplot\n", p->out);
  if (has_eps) {
    bt_draw_panel(p, 0.075, has_delta ? 0.49 : 0.985);
    bt_draw_title(p->out, "Lower-level accuracy ε");
    bt_draw_log_axis(p->out, "y", lo[0], hi[0]);
    put_curves(p, 1, 5);
    bt_draw_drop_legend(p);
  }
  if (has_delta) {
    bt_draw_panel(p, has_eps ? 0.57 : 0.075, 0.985);
    bt_draw_title(p->out, "Adjoint accuracy δ");
    bt_draw_log_axis(p->out, "y", lo[1], hi[1]);
    put_curves(p, 1, 6);
  }
  (void)fputs("unset multiplot\n", p->out);
  return 1;
}

static void find_range(BtDraw *p) {
  size_t runs = 0;
  p->lo = p->hi = p->all->floor;
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    if (!bt_draw_has(run)) continue;
    runs++;
    for (size_t r = 0; r < run->course.rows; r++) {
      const double d = bt_draw_distance(p, run, r);
      if (d > p->hi) p->hi = d;
    }
  }
  if (p->hi <= 10 * p->lo) p->hi = 10 * p->lo;
  p->crowded = runs > 2 * p->all->spec.method_count;
}

int bt_bilevel_draw(BtDraw *p, int plot) {
  find_range(p);
  for (size_t i = 0; i < p->all->run_count; i++)
    if (bt_draw_has(&p->all->runs[i])) put_run(p, &p->all->runs[i]);
  switch (plot) {
    case BT_PLOT_WORK:
    case BT_PLOT_SECONDS: return loss_plot(p, plot);
    case BT_PLOT_ACCURACIES: return accuracy_plot(p);
    case BT_PLOT_SPREAD: return bt_draw_spread(p);
    default: return bt_draw_sweep(p);
  }
}
