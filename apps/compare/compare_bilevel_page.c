/* Tables of a comparison of bilevel learning on its page. */
#include <math.h>
#include <string.h>

#include "compare/compare_bilevel.h"
#include "compare/compare_page.h"

static void put_spread(FILE *out, BtSpread s, size_t of, int best, int stochastic) {
  (void)fprintf(out, "<td%s>", best ? " class=\"best\"" : "");
  if (s.n == 0) {
    (void)fprintf(out, "<span class=\"no\">%s</span></td>", stochastic ? "unknown" : "not reached");
    return;
  }
  bt_page_number(out, s.median, 4);
  if (s.greatest > s.least) {
    (void)fputs("<span class=\"range\">", out);
    bt_page_number(out, s.least, 3);
    (void)fputs(" … ", out);
    bt_page_number(out, s.greatest, 3);
    (void)fputs("</span>", out);
  }
  if (s.n < of) (void)fprintf(out, "<span class=\"range\">%zu of %zu runs</span>", s.n, of);
  (void)fputs("</td>", out);
}

/* The method that reached in all its runs with the least median; -1 if none did. */
static long winner(const BtCompare *all, double (*value)(const BtCompareRun *run)) {
  long best = -1;
  double least = (double)INFINITY;
  for (size_t m = 0; m < all->spec.method_count; m++) {
    const BtSpread s = bt_compare_spread(all, m, value),
                   d = bt_compare_spread(all, m, bt_compare_distance_of);
    if (s.n == 0 || s.n < d.n || !(s.median < least)) continue;
    least = s.median;
    best = (long)m;
  }
  return best;
}

void bt_bilevel_summary(BtPage *p) {
  const BtCompare *all = p->all;
  const long best1 = winner(all, bt_compare_reach_1_of), best01 = winner(all, bt_compare_reach_01_of);
  const long best_s = winner(all, bt_compare_reach_1_seconds_of);
  bt_page_table(
      p,
      "Methods: median over the finished runs of each, and its range. Distances are relative to the best "
      "final "
      "loss of all runs with the same seed; a run has reached 1 % where from then on all its logged losses "
      "and the "
      "final one are within 1 % of it. Bold: the least median among methods whose runs all got there.");
  (void)fputs(
      "<thead><tr><th>Method</th><th>Runs</th><th>Distance of<br>the final loss</th><th>Work to 1 "
      "%</th><th>Work to 0.1 %</th>"
      "<th>Seconds to 1 %</th></tr></thead>\n<tbody>\n",
      p->out);
  for (size_t m = 0; m < all->spec.method_count; m++) {
    const BtSpread d = bt_compare_spread(all, m, bt_compare_distance_of);
    const int stochastic = bt_compare_stochastic(all, m);
    (void)fputs("<tr><th scope=\"row\" class=\"t\">", p->out);
    bt_page_swatch(p->out, m);
    bt_page_text(p->out, all->spec.methods[m].name);
    (void)fprintf(p->out, "</th><td>%zu</td><td>", d.n);
    bt_page_percent(p->out, d.median);
    if (d.greatest > d.least) {
      (void)fputs("<span class=\"range\">", p->out);
      bt_page_percent(p->out, d.least);
      (void)fputs(" … ", p->out);
      bt_page_percent(p->out, d.greatest);
      (void)fputs("</span>", p->out);
    }
    (void)fputs("</td>", p->out);
    put_spread(p->out, bt_compare_spread(all, m, bt_compare_reach_1_of), d.n, best1 == (long)m, stochastic);
    put_spread(p->out, bt_compare_spread(all, m, bt_compare_reach_01_of), d.n, best01 == (long)m, stochastic);
    put_spread(p->out, bt_compare_spread(all, m, bt_compare_reach_1_seconds_of), d.n, best_s == (long)m,
               stochastic);
    (void)fputs("</tr>\n", p->out);
  }
  (void)fputs("</tbody></table></div>\n", p->out);
}

/* Two numbers one over the other. */
static void put_pair(FILE *out, const double *x, int digits) {
  (void)fputs("<td>", out);
  bt_page_number(out, x[0], digits);
  (void)fputs("<br>", out);
  bt_page_number(out, x[1], digits);
  (void)fputs("</td>", out);
}

static void put_run_row(const BtPage *p, const BtCompareRun *run) {
  FILE *out = p->out;
  (void)fprintf(out, "<tr><td>%zu</td><th scope=\"row\" class=\"t\">", run->index + 1);
  bt_page_swatch(out, run->method);
  bt_page_text(out, p->all->spec.methods[run->method].name);
  (void)fputs("<span class=\"range\">", out);
  bt_page_text(out, run->label);
  (void)fputs("</span></th><td>", out);
  bt_page_number(out, run->loss, 8);
  (void)fputs("<span class=\"range\">", out);
  if (isfinite(run->lower) && isfinite(run->upper)) {
    (void)fputs("[", out);
    bt_page_number(out, run->lower, 8);
    (void)fputs(", ", out);
    bt_page_number(out, run->upper, 8);
    (void)fputs("]<br>", out);
  }
  (void)fprintf(out, "%s</span></td><td>",
                strcmp(run->certificate, "none") == 0 ? "no certificate" : run->certificate);
  bt_page_percent(out, run->distance);
  (void)fputs("</td>", out);
  put_pair(out, run->reach_work, 4);
  put_pair(out, run->reach_seconds, 3);
  put_pair(out, (const double[]){run->work, run->spent}, 3);
  (void)fputs("<td class=\"t wrap\">", out);
  bt_page_text(out, json_string_value(json_object_get(run->result, "reason")));
  if (run->remark) {
    (void)fputs("<span class=\"range\">", out);
    bt_page_text(out, run->remark);
    (void)fputs("</span>", out);
  }
  (void)fputs("</td></tr>\n", out);
}

void bt_bilevel_runs(BtPage *p) {
  const BtCompare *all = p->all;
  bt_page_table(p, all->judged
                       ? "All finished runs. The final loss is that of the learned parameters, judged "
                         "by one tight evaluation "
                         "that is the same for all runs, with its bounds and their kind of certificate."
                       : "All finished runs. The final loss is the run's own, with its bounds and "
                         "their kind of certificate.");
  (void)fputs(
      "<thead><tr><th>#</th><th class=\"t\">Method and setting</th><th>Final loss</th><th>Distance</th>"
      "<th>Work to<br>1 %, 0.1 %</th><th>Seconds to<br>1 %, 0.1 %</th><th>Work and<br>seconds in all</th>"
      "<th class=\"t\">Ended</th></tr></thead>\n<tbody>\n",
      p->out);
  for (size_t i = 0; i < all->run_count; i++)
    if (all->runs[i].state == BT_RUN_FINISHED) put_run_row(p, &all->runs[i]);
  (void)fputs("</tbody></table></div>\n", p->out);
}
