/* Tables of a comparison of networks on its page. */
#include <math.h>
#include <stdlib.h>

#include "compare/compare_network.h"
#include "compare/compare_page.h"

static const BtCompareFigure *figures_of(void) { return bt_compare_network.figures; }

static void put_value(FILE *out, double x, int percent, int digits) {
  if (percent && isfinite(x))
    (void)fprintf(out, "%.1f %%", 100 * x);
  else
    bt_page_number(out, x, digits);
}

/* Mean ± deviation over seeds, with the range where there are more than two. */
static void put_spread(FILE *out, BtSpread s, int percent, int range) {
  put_value(out, s.mean, percent, 4);
  if (s.n > 1) {
    (void)fputs("<span class=\"range\">± ", out);
    put_value(out, s.deviation, percent, 2);
    (void)fputs("</span>", out);
  }
  if (s.n > 2 && range) {
    (void)fputs("<span class=\"range\">", out);
    put_value(out, s.least, percent, 3);
    (void)fputs(" … ", out);
    put_value(out, s.median, percent, 3);
    (void)fputs(" … ", out);
    put_value(out, s.greatest, percent, 3);
    (void)fputs("</span>", out);
  }
}

static void put_distance(FILE *out, double distance) {
  if (isfinite(distance))
    (void)fprintf(out, fabs(distance) < BT_NETWORK_FAR ? "%s%.1f %%" : "%s%.1e %%",
                  distance > 0   ? "+"
                  : distance < 0 ? "−"
                                 : "",
                  100 * fabs(distance));
  else
    bt_page_number(out, distance, 2);
}

static void put_name(const BtPage *p, size_t method, const char *place) {
  (void)fputs("<th scope=\"row\" class=\"t\">", p->out);
  bt_page_swatch(p->out, method);
  bt_page_text(p->out, p->all->spec.methods[method].name);
  (void)fputs("<span class=\"range\">", p->out);
  bt_page_text(p->out, place);
  (void)fputs("</span></th>", p->out);
}

static void put_setting(const BtPage *p, const BtCompareSetting *s) {
  FILE *out = p->out;
  const int best = s == p->all->best_setting;
  (void)fputs("<tr>", out);
  put_name(p, s->method, s->place);
  (void)fprintf(out, "<td>%zu", s->finished);
  if (s->diverged) (void)fprintf(out, "<span class=\"range\">%zu diverged</span>", s->diverged);
  (void)fprintf(out, "</td><td%s>", best ? " class=\"best\"" : "");
  put_spread(out, s->loss, 0, 1);
  (void)fputs("</td><td>", out);
  put_distance(out, s->distance);
  (void)fputs("</td>", out);
  for (size_t k = 0; figures_of()[k].name; k++) {
    if (!bt_compare_has_figure(p->all, k)) continue;
    (void)fputs("<td>", out);
    put_spread(out, s->figure[k], figures_of()[k].percent, 0);
    (void)fputs("</td>", out);
  }
  (void)fputs("<td>", out);
  bt_page_number(out, s->rate.median, 3);
  if (s->rate.greatest > s->rate.least) {
    (void)fputs("<span class=\"range\">", out);
    bt_page_number(out, s->rate.least, 2);
    (void)fputs(" …<br>", out);
    bt_page_number(out, s->rate.greatest, 2);
    (void)fputs("</span>", out);
  }
  (void)fputs("</td><td>", out);
  bt_page_number(out, s->work.mean, 4);
  (void)fputs("</td><td>", out);
  bt_page_number(out, s->seconds.mean, 3);
  (void)fputs("</td></tr>\n", out);
}

static void put_figure_heads(const BtPage *p) {
  for (size_t k = 0; figures_of()[k].name; k++)
    if (bt_compare_has_figure(p->all, k)) (void)fprintf(p->out, "<th>%s</th>", figures_of()[k].title);
}

void bt_network_summary(BtPage *p) {
  const BtCompare *all = p->all;
  bt_page_table(
      p,
      all->spec.last_weights
          ? "Methods and settings, by the last weights of each run: means over seeds with standard "
            "deviation, below "
            "it least, median and greatest. The distance is that of the mean validation loss to the least "
            "one of "
            "the table (bold)."
          : "Methods and settings, by each run’s epoch (or trial) with the least validation loss: means over "
            "seeds "
            "with standard deviation, below it least, median and greatest. The distance is that of the mean "
            "validation loss to the least one of the table (bold).");
  (void)fputs("<thead><tr><th>Method and setting</th><th>Runs</th><th>Validation loss</th><th>Distance</th>",
              p->out);
  put_figure_heads(p);
  (void)fputs("<th>Rate</th><th>Work</th><th>Seconds</th></tr></thead>\n<tbody>\n", p->out);
  for (size_t k = 0; k < all->setting_count; k++) put_setting(p, &all->settings[k]);
  (void)fputs(
      "</tbody></table></div>\n<p class=\"lead\">Work is the number of gradients of single examples (words "
      "of text) "
      "computed: one of each in a training step, two where a step of the response follows (centred STN and "
      "Δ-STN), "
      "one in a validation step; of an ensemble those of all replicas, of a search those of all trials. "
      "Forward runs "
      "that score epochs or let replicas vote are not counted; the seconds hold them. Rate is the highest "
      "step size "
      "after the first quarter of a run, for ensembles the one that was found.</p>\n",
      p->out);
}

static void put_run(const BtPage *p, const BtCompareRun *run) {
  FILE *out = p->out;
  const json_t *result = run->result;
  char *found = bt_network_found(p->all, run);
  (void)fprintf(out, "<tr><td>%zu</td>", run->index + 1);
  put_name(p, run->method, run->label);
  (void)fputs("<td>", out);
  if (run->diverged)
    (void)fputs("diverged", out);
  else
    bt_page_number(out, run->loss, 6);
  (void)fputs("<span class=\"range\">", out);
  put_distance(out, run->distance);
  (void)fputs("</span></td>", out);
  for (size_t k = 0; figures_of()[k].name; k++) {
    if (!bt_compare_has_figure(p->all, k)) continue;
    (void)fputs("<td>", out);
    put_value(out, run->figure[k], figures_of()[k].percent, 5);
    (void)fputs("</td>", out);
  }
  (void)fputs("<td>", out);
  bt_page_number(out, bt_compare_number(json_object_get(result, "best_epoch")), 6);
  (void)fputs("<br>", out);
  bt_page_number(out, bt_compare_number(json_object_get(result, "epochs")), 6);
  (void)fputs("</td><td>", out);
  bt_page_number(out, run->work, 4);
  (void)fputs("<br>", out);
  bt_page_number(out, run->spent, 3);
  (void)fputs("</td><td class=\"t wrap\">", out);
  if (isfinite(run->rate)) (void)fprintf(out, "rate %.3g%s", run->rate, found && *found ? ", " : "");
  bt_page_text(out, found);
  (void)fputs("<span class=\"range\">", out);
  bt_page_text(out, run->remark ? run->remark : json_string_value(json_object_get(result, "reason")));
  (void)fputs("</span>", out);
  (void)fputs("</td></tr>\n", out);
  free(found);
}

void bt_network_runs(BtPage *p) {
  const BtCompare *all = p->all;
  bt_page_table(
      p,
      "All finished runs, those that diverged among them, with the distance of each loss to the least mean, "
      "and the rate and hyperparameters of the weights compared.");
  (void)fputs("<thead><tr><th>#</th><th class=\"t\">Method and setting</th><th>Validation<br>loss</th>",
              p->out);
  put_figure_heads(p);
  (void)fputs(
      "<th>Best epoch,<br>epochs</th><th>Work,<br>seconds</th><th class=\"t\">Rate and hyperparameters</th>"
      "</tr></thead>\n<tbody>\n",
      p->out);
  for (size_t i = 0; i < all->run_count; i++)
    if (all->runs[i].state == BT_RUN_FINISHED) put_run(p, &all->runs[i]);
  (void)fputs("</tbody></table></div>\n", p->out);
}
