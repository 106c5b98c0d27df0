/* The report: one page with everything in it, nothing fetched. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compare/compare_page.h"
#include "core/file.h"
#include "program/version.h"

/* Light and dark; a page of paper is light. Attribute selectors recolour what gnuplot has drawn. */
static const char style[] =
    ":root{--fg:#1c1e21;--dim:#5c6168;--bg:#fff;--line:#d9dce0;--soft:#f5f6f8;--grid:#e3e3e3;--accent:#"
    "0b5cad}\n"
    "@media "
    "(prefers-color-scheme:dark){:root{--fg:#e4e6e9;--dim:#9aa1a9;--bg:#16181b;--line:#383c42;--soft:#1f2226;"
    "--grid:#2e3238;--accent:#7db8f0}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:64rem;padding:2.5rem 1.5rem 4rem;background:var(--bg);color:var(--fg);"
    "font:16px/1.55 Charter,'Bitstream Charter','Source Serif "
    "4',Georgia,serif;text-rendering:optimizeLegibility}\n"
    "h1{font-size:1.75rem;line-height:1.2;margin:0 0 .4rem;font-weight:600}\n"
    "h2{font-size:1.2rem;margin:2.6rem 0 .6rem;padding-bottom:.25rem;border-bottom:1px solid "
    "var(--line);font-weight:600}\n"
    "p{margin:.6rem 0}.lead{color:var(--dim);margin-top:0}\n"
    "a{color:var(--accent)}\n"
    "figure{margin:1.6rem 0;break-inside:avoid}\n"
    "figcaption,caption{font-size:14px;line-height:1.45;color:var(--dim);text-align:left}\n"
    "figcaption b,caption "
    "b{color:var(--fg)}figcaption{margin-top:.4rem}caption{margin-bottom:.5rem;padding:0}\n"
    ".table{overflow-x:auto;margin:1.4rem 0}\n"
    "table{border-collapse:collapse;width:100%;font:13px/1.4 system-ui,'Segoe UI',Helvetica,Arial,sans-serif;"
    "font-variant-numeric:tabular-nums}\n"
    "thead th{border-top:1.5px solid var(--fg);border-bottom:1px solid "
    "var(--fg);font-weight:600;vertical-align:bottom}\n"
    "tbody tr:last-child td,tbody tr:last-child th{border-bottom:1.5px solid var(--fg)}\n"
    "th,td{padding:.28rem .55rem;text-align:right;white-space:nowrap}\n"
    "tbody tr:nth-child(even){background:var(--soft)}\n"
    "th:first-child,td:first-child,.t{text-align:left}tbody "
    "th{font-weight:400;white-space:normal;min-width:10rem}\n"
    ".wrap{white-space:normal;min-width:9rem}caption{font-family:Charter,'Bitstream Charter','Source Serif "
    "4',Georgia,serif;"
    "font-size:14px}\n"
    "td.best{font-weight:700}td.best .range{font-weight:400}.no{color:var(--dim)}\n"
    ".range{color:var(--dim);font-size:.85em;display:block}\n"
    ".swatch{width:26px;height:8px;margin-right:.5rem;vertical-align:middle}\n"
    ".failed{border-left:3px solid #d55e00;padding:.1rem 0 .1rem 1rem;margin:1.2rem 0}\n"
    "figure svg{width:100%;height:auto;display:block}\n"
    "figure svg text,figure svg tspan{font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif}\n"
    "figure svg text{fill:var(--fg)}\n"
    "figure svg rect[fill='#ffffff']{fill:none}\n"
    "figure svg g[fill='none'][stroke='black'],figure svg g[stroke='black']{stroke:var(--dim)}\n"
    "figure svg [stroke='rgb( 68,  68,  68)'],figure svg g[style*='68'],figure svg "
    "path[stroke='black']{stroke:var(--dim)}\n"
    "figure svg [stroke='rgb(227, 227, 227)'],figure svg [style*='227']{stroke:var(--grid)}\n"
    ".samples{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:1rem}\n"
    ".samples div{font:13px/1.4 system-ui,'Segoe UI',Helvetica,Arial,sans-serif;color:var(--dim)}\n"
    ".samples img{width:100%;image-rendering:pixelated;display:block;margin-bottom:.35rem;border:1px solid "
    "var(--line)}\n"
    ".samples b{color:var(--fg)}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.4rem;margin:1rem 0;"
    "font:14px/1.5 system-ui,'Segoe UI',Helvetica,Arial,sans-serif}\n"
    "dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}\n"
    "pre,code{font:12px/1.5 ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace}\n"
    "pre{background:var(--soft);padding:.6rem .8rem;margin:.3rem 0 "
    ".9rem;white-space:pre-wrap;overflow-wrap:anywhere;"
    "border-radius:4px}\n"
    "summary{cursor:pointer;font-size:.95rem;margin:.4rem 0}\n"
    "footer{margin-top:3rem;padding-top:.8rem;border-top:1px solid "
    "var(--line);font-size:.85rem;color:var(--dim)}\n"
    "@media print{:root{--fg:#000;--dim:#444;--bg:#fff;--line:#bbb;--soft:#f4f4f4;--grid:#e3e3e3}"
    "body{max-width:none;padding:0;font-size:10.5pt}h2{break-after:avoid}table{font-size:7.5pt}"
    "tr{break-inside:avoid}th,td{padding:.12rem .25rem}tbody th,.wrap{min-width:5.5rem}"
    ".table{overflow:visible}.samples{grid-template-columns:repeat(4,1fr)}"
    "details::details-content{content-visibility:visible}"
    "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n";

void bt_page_text(FILE *out, const char *text) {
  for (; text && *text; text++) switch (*text) {
      case '<': (void)fputs("&lt;", out); break;
      case '>': (void)fputs("&gt;", out); break;
      case '&': (void)fputs("&amp;", out); break;
      case '"': (void)fputs("&quot;", out); break;
      default: (void)fputc((unsigned char)*text < 0x20 && *text != '\n' && *text != '\t' ? ' ' : *text, out);
    }
}

/* 3.2e-06 as 3.2·10⁻⁶, large numbers in groups of three. */
void bt_page_number(FILE *out, double x, int digits) {
  char text[64];
  if (!isfinite(x)) {
    (void)fputs("<span class=\"no\">–</span>", out);
    return;
  }
  if (fabs(x) >= 1000 && fabs(x) < 1e15 && (digits < 5 || x == floor(x))) {
    snprintf(text, sizeof text, "%.0f", fabs(x));
    const size_t n = strlen(text);
    if (x < 0) (void)fputs("−", out);
    for (size_t i = 0; i < n; i++) {
      if (i && (n - i) % 3 == 0) (void)fputs("\u202f", out);
      (void)fputc(text[i], out);
    }
    return;
  }
  snprintf(text, sizeof text, "%.*g", digits, x);
  char *e = strchr(text, 'e');
  if (e) *e = '\0';
  if (*text == '-') (void)fputs("−", out);
  (void)fputs(*text == '-' ? text + 1 : text, out);
  if (e) {
    const int power = atoi(e + 1);
    (void)fprintf(out, "·10<sup>%s%d</sup>", power < 0 ? "−" : "", abs(power));
  }
}

/* A share as a percentage; below a thousandth of a percent nobody asks how much. */
void bt_page_percent(FILE *out, double share) {
  const double size = fabs(share);
  if (!isfinite(share))
    bt_page_number(out, share, 2);
  else if (size < 1e-5)
    (void)fputs(size == 0 ? "0 %" : "&lt; 0.001 %", out);
  else
    (void)fprintf(out, "%.*f %%", size < 1e-3 ? 3 : size < 1 ? 2 : 0, 100 * share);
}

void bt_page_swatch(FILE *out, size_t method) {
  (void)fprintf(out,
                "<svg class=\"swatch\" viewBox=\"0 0 26 8\" aria-hidden=\"true\"><line x1=\"0\" y1=\"4\" "
                "x2=\"26\" y2=\"4\" "
                "stroke=\"%s\" stroke-width=\"2.6\" stroke-dasharray=\"%s\"/></svg>",
                bt_compare_color(method), *bt_compare_dash(method) ? bt_compare_dash(method) : "none");
}

void bt_page_table(BtPage *p, const char *caption) {
  (void)fprintf(p->out, "<div class=\"table\"><table>\n<caption><b>Table %d.</b> %s</caption>\n", ++p->tables,
                caption);
}

static void put_other_builds(const BtPage *p) {
  const BtCompare *all = p->all;
  size_t other = 0;
  for (size_t i = 0; i < all->run_count; i++) other += (size_t)all->runs[i].other_build;
  if (other)
    (void)fprintf(
        p->out,
        "<p class=\"lead\">%zu %s made by another build of bitune than the one that wrote this page.</p>\n",
        other, other == 1 ? "run was" : "runs were");
}

static void put_elsewhere(const BtPage *p) {
  const size_t count = bt_compare_count(p->all, BT_RUN_ELSEWHERE);
  if (count)
    (void)fprintf(
        p->out,
        "<p class=\"lead\">The comparison is not complete yet: another process was at %zu of its runs when "
        "this page was written.</p>\n",
        count);
}

static void put_failed(const BtPage *p) {
  const size_t failed = bt_compare_count(p->all, BT_RUN_FAILED);
  if (!failed) return;
  (void)fprintf(
      p->out,
      "<div class=\"failed\"><p><b>%zu %s failed.</b> Tables and figures are of the others.</p><ul>\n",
      failed, failed == 1 ? "run" : "runs");
  for (size_t i = 0; i < p->all->run_count; i++) {
    const BtCompareRun *run = &p->all->runs[i];
    if (run->state != BT_RUN_FAILED) continue;
    (void)fputs("<li>", p->out);
    bt_page_text(p->out, run->name);
    (void)fputs(": <code>", p->out);
    bt_page_text(p->out, run->error ? run->error : "no message");
    (void)fputs("</code></li>\n", p->out);
  }
  (void)fputs("</ul></div>\n", p->out);
}

static int begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* The SVG element alone, without declaration, title and description; its ids get the plot's name in front,
 * since all plots of the page share one space of ids. */
static void put_svg(FILE *out, const BtComparePlot *plot, const char *name) {
  static const char *const marks[] = {"id='", "id=\"", "href='#", "href=\"#", "url(#"};
  static const char *const dropped[][2] = {{"<title>", "</title>"}, {"<desc>", "</desc>"}};
  const char *at = strstr(plot->svg, "<svg");
  if (!at) return;
  (void)fprintf(out, "<svg role=\"img\" aria-label=\"%s\"", name);
  at += strlen("<svg");
  while (*at) {
    const char *next = NULL;
    for (size_t i = 0; !next && i < sizeof dropped / sizeof *dropped; i++) {
      const char *end = begins(at, dropped[i][0]) ? strstr(at, dropped[i][1]) : NULL;
      if (end) next = end + strlen(dropped[i][1]);
    }
    for (size_t i = 0; !next && i < sizeof marks / sizeof *marks; i++) {
      if (!begins(at, marks[i])) continue;
      next = at + strlen(marks[i]);
      (void)fprintf(out, "%s%s_", marks[i], name);
    }
    if (!next) (void)fputc(*at, out);
    at = next ? next : at + 1;
  }
}

static void put_figures(BtPage *p, const BtComparePlot *plots) {
  const char *const *captions = p->all->spec.command.form->kind->captions;
  int any_stochastic = 0;
  for (size_t m = 0; m < p->all->spec.method_count; m++) any_stochastic |= bt_compare_stochastic(p->all, m);
  for (int k = 0; k < BT_PLOT_COUNT; k++) {
    if (!plots[k].svg) continue;
    (void)fputs("<figure>\n", p->out);
    put_svg(p->out, &plots[k], bt_compare_plot_name(k));
    (void)fprintf(p->out, "<figcaption><b>Figure %d.</b> %s", ++p->figures, captions[k]);
    if (k <= BT_PLOT_SECONDS && any_stochastic)
      (void)fputs(
          " Losses of stochastic methods are moving averages over their own samples: they show the course, "
          "not when "
          "a loss of the task was reached.",
          p->out);
    if (p->all->floor > 0 && (k <= BT_PLOT_SECONDS || k == BT_PLOT_SPREAD)) {
      (void)fputs(" Distances below ", p->out);
      bt_page_number(p->out, p->all->floor, 1);
      (void)fputs(" are drawn there: nothing smaller can be told apart.", p->out);
    }
    (void)fputs("</figcaption>\n</figure>\n", p->out);
  }
}

static void put_base64(FILE *out, const char *bytes, size_t size) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *b = (const unsigned char *)bytes;
  for (size_t i = 0; i < size; i += 3) {
    const unsigned second = i + 1 < size ? b[i + 1] : 0, third = i + 2 < size ? b[i + 2] : 0;
    const unsigned word = (unsigned)b[i] << 16 | second << 8 | third;
    (void)fputc(digits[word >> 18], out);
    (void)fputc(digits[word >> 12 & 63], out);
    (void)fputc(i + 1 < size ? digits[word >> 6 & 63] : '=', out);
    (void)fputc(i + 2 < size ? digits[word & 63] : '=', out);
  }
}

static void put_samples(BtPage *p, const BtCompareSample *samples, size_t count, const char *why) {
  if (!count && !why) return;
  (void)fputs("<h2>Sample</h2>\n", p->out);
  if (!count) {
    (void)fputs("<p class=\"lead\">No sample images: ", p->out);
    bt_page_text(p->out, why);
    (void)fputs("</p>\n", p->out);
    return;
  }
  (void)fputs("<figure><div class=\"samples\">\n", p->out);
  for (size_t i = 0; i < count; i++) {
    (void)fputs("<div><img alt=\"", p->out);
    bt_page_text(p->out, samples[i].caption);
    (void)fputs("\" src=\"data:image/png;base64,", p->out);
    put_base64(p->out, samples[i].png, samples[i].size);
    (void)fputs("\">", p->out);
    bt_page_text(p->out, samples[i].caption);
    if (isfinite(samples[i].psnr)) (void)fprintf(p->out, "<br><b>%.2f dB</b>", samples[i].psnr);
    (void)fputs("</div>\n", p->out);
  }
  (void)fprintf(p->out,
                "</div><figcaption><b>Figure %d.</b> The first training image under noise of the task's "
                "level, denoised by the "
                "models of the runs with the least and the greatest final loss. PSNR of the unclipped "
                "images.</figcaption></figure>\n",
                ++p->figures);
}

static void put_entry(FILE *out, const char *name, const char *value) {
  (void)fputs("<dt>", out);
  bt_page_text(out, name);
  (void)fputs("</dt><dd>", out);
  bt_page_text(out, value);
  (void)fputs("</dd>\n", out);
}

static void put_options(FILE *out, const char *title, const json_t *options, const BtCompareSpec *spec,
                        long method) {
  const BtCompareMethod *m = method >= 0 ? &spec->methods[method] : NULL;
  const char *key;
  json_t *value;
  (void)fputs("<dt>", out);
  if (m) bt_page_swatch(out, (size_t)method);
  bt_page_text(out, title);
  (void)fputs("</dt><dd>", out);
  if (m && m->own.words) {
    bt_page_text(out, m->own.words);
    (void)fputs(": ", out);
  }
  if (m && m->budget_factor != 1) (void)fprintf(out, "%g times the budget, ", m->budget_factor);
  if (!json_object_size(options)) (void)fputs("<span class=\"no\">defaults</span>", out);
  json_object_foreach((json_t *)options, key, value) {
    char *text = json_is_string(value) || json_is_number(value) || json_is_boolean(value)
                     ? bt_compare_value_text(value)
                     : NULL;
    (void)fputs("<code>", out);
    bt_page_text(out, key);
    (void)fputs("=", out);
    bt_page_text(out, text);
    (void)fputs("</code> ", out);
    free(text);
  }
  (void)fputs("</dd>\n", out);
}

static void put_setting(const BtPage *p) {
  const BtCompareSpec *s = &p->all->spec;
  char text[160] = "none";
  (void)fputs("<h2>Setting</h2>\n<dl>\n", p->out);
  put_entry(p->out, "Command", s->command.words);
  put_options(p->out, "Task", s->options, s, -1);
  for (size_t m = 0; m < s->method_count; m++)
    put_options(p->out, s->methods[m].name, s->methods[m].options, s, (long)m);
  if (s->judge) put_options(p->out, "Judging", s->judge, s, -1);
  const char *unit = s->command.form->kind->work;
  if (s->work && s->seconds > 0)
    snprintf(text, sizeof text, "%" PRId64 " %s, %g seconds a run", s->work, unit, s->seconds);
  else if (s->work)
    snprintf(text, sizeof text, "%" PRId64 " %s a run", s->work, unit);
  else if (s->seconds > 0)
    snprintf(text, sizeof text, "%g seconds a run", s->seconds);
  put_entry(p->out, "Budget", text);
  snprintf(text, sizeof text, "%zu at a time", p->all->jobs);
  put_entry(p->out, "Runs", text);
  (void)fputs("</dl>\n", p->out);
}

static void put_machine(const BtPage *p) {
  BtMachine machine;
  char text[320];
  bt_machine(&machine);
  (void)fputs("<h2>Machine</h2>\n<dl>\n", p->out);
  put_entry(p->out, "Processor", machine.cpu);
  snprintf(text, sizeof text, "%d", machine.cores);
  put_entry(p->out, "Cores", text);
  put_entry(p->out, "Memory", machine.memory);
  put_entry(p->out, "System", machine.system);
  snprintf(text, sizeof text, "%.60s (%.100s)", bt_version_text(), bt_version_git());
  put_entry(p->out, "bitune", text);
  (void)fputs("</dl>\n", p->out);
}

static void put_line(FILE *out, char **words) {
  char *line = words ? bt_compare_shell_line((const char *const *)words) : NULL;
  (void)fputs("<pre>", out);
  bt_page_text(out, line ? line : "");
  (void)fputs("</pre>\n", out);
  free(line);
  bt_compare_words_free(words);
}

static void put_commands(const BtPage *p) {
  const BtCompare *all = p->all;
  (void)fputs("<h2>Commands</h2>\n<p>Each line repeats one run by itself.</p>\n<details><summary>", p->out);
  (void)fprintf(p->out, "%zu command lines</summary>\n", all->run_count);
  for (size_t i = 0; i < all->run_count; i++) {
    const BtCompareRun *run = &all->runs[i];
    (void)fprintf(p->out, "<div>%zu. ", i + 1);
    bt_page_text(p->out, run->name);
    (void)fputs("</div>\n", p->out);
    put_line(p->out, bt_compare_run_words(all, run));
    if (run->judged) put_line(p->out, bt_compare_judge_words(all, run));
  }
  (void)fputs("</details>\n", p->out);
}

static void put_head(const BtPage *p) {
  const BtCompareSpec *s = &p->all->spec;
  const char *title = s->title ? s->title : "Comparison";
  const size_t finished = bt_compare_count(p->all, BT_RUN_FINISHED);
  (void)fputs(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
      p->out);
  bt_page_text(p->out, title);
  (void)fprintf(p->out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<header><h1>", style);
  bt_page_text(p->out, title);
  (void)fprintf(p->out, "</h1>\n<p class=\"lead\">%zu %s, %zu of %zu runs finished.</p>\n", s->method_count,
                s->method_count == 1 ? "method" : "methods", finished, p->all->run_count);
  if (s->note) {
    (void)fputs("<p>", p->out);
    bt_page_text(p->out, s->note);
    (void)fputs("</p>\n", p->out);
  }
  (void)fputs("</header>\n", p->out);
}

static void put_foot(const BtPage *p) {
  char date[64] = "";
  const time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc)) (void)strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &utc);
  (void)fprintf(
      p->out,
      "<footer>Written by bitune compare, %s. Beside this page: trajectories.csv, summary.csv, methods.csv, "
      "plots and the folder of each run.</footer>\n</body>\n</html>\n",
      date);
}

BtStatus bt_compare_html(BtContext *ctx, const BtCompare *all, const BtComparePlot *plots,
                         const BtCompareSample *samples, size_t sample_count, const char *why) {
  const BtCompareKind *kind = all->spec.command.form->kind;
  BtPage page = {.all = all};
  BtAtomicFile file = {0};
  char *path = bt_path_join(all->output, "report.html");
  BtStatus st = path ? bt_atomic_open(ctx, path, &file) : bt_fail_memory(ctx, "the report", 0);
  free(path);
  if (st < 0) return st;
  page.out = file.stream;
  put_head(&page);
  put_elsewhere(&page);
  put_failed(&page);
  (void)fputs("<h2>Summary</h2>\n", page.out);
  kind->summary(&page);
  put_figures(&page, plots);
  put_samples(&page, samples, sample_count, why);
  (void)fputs("<h2>Runs</h2>\n", page.out);
  kind->runs(&page);
  put_other_builds(&page);
  put_setting(&page);
  put_machine(&page);
  put_commands(&page);
  put_foot(&page);
  return bt_atomic_commit(ctx, &file);
}
