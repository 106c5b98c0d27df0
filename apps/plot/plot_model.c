#include "plot/plot_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "images/models.h"
#include "plot/gnuplot.h"
#include "regularizers/catalog.h"
#include "regularizers/foe.h"

#define POINTS 321     /* of a curve                                                     */
#define MOST_CURVES 64 /* potentials drawn, of the strongest filters                       */
#define MOST_TILES 144 /* filters drawn                                                    */
#define GAP 0.35       /* between two tiles, in units of a tile's side; labels stand there */
#define WEAKEST_TAP 1e-300

/* One filter and its potential w φ(t; ν), t the response. */
typedef struct {
  size_t number; /* place in θ, from 1 */
  const double *taps;
  double weight, smoothing, ratio, norm; /* ratio: of the subtracted root's smoothing to ν, 0 without one */
} Expert;

typedef struct {
  FILE *out;
  const BtLevelModel *level;
  Expert *experts; /* [count] by falling strength */
  size_t count, size;
  BtFoePotential potential;
  double reach; /* largest response of a unit filter that is drawn, 0–255 scale */
} Plot;

static double strength(const Expert *e) { return e->weight * e->norm; }

static int by_strength(const void *a, const void *b) {
  const double x = strength(a), y = strength(b);
  return (x < y) - (x > y);
}

/* w (φ(s) − φ(0)) and its derivative at the response s of the filter brought to unit norm. */
static void potential_at(const Plot *p, const Expert *e, double s, double *value, double *slope) {
  const double t = e->norm * s, nu = e->smoothing, root = hypot(t, nu);
  if (p->potential == BT_FOE_LOG) {
    *value = e->weight * log1p(t / nu * (t / nu));
    *slope = e->weight * e->norm * 2 * t / (t * t + nu * nu);
    return;
  }
  *value = e->weight * (root - nu);
  *slope = e->weight * e->norm * t / root;
  if (p->potential == BT_FOE_WEAK) {
    const double tau = nu * e->ratio, subtracted = hypot(t, tau);
    *value -= e->weight * (subtracted - tau);
    *slope -= e->weight * e->norm * t / subtracted;
  }
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Eight times the median width ν/‖c‖ shows where potentials turn, twice the noise what responses they meet. */
static BtStatus choose_reach(BtContext *ctx, Plot *p, double sigma) {
  double *widths = malloc(p->count * sizeof *widths);
  size_t n = 0;
  if (!widths) return bt_fail_memory(ctx, "a plot", (double)p->count * sizeof *widths);
  for (size_t k = 0; k < p->count; k++)
    if (p->experts[k].norm > 0) widths[n++] = p->experts[k].smoothing / p->experts[k].norm;
  qsort(widths, n, sizeof *widths, by_value);
  p->reach = fmax(2 * sigma, n ? 8 * 255 * widths[n / 2] : 1);
  free(widths);
  return BT_OK;
}

/* The range of a curve's panel is that of the strongest filters, so all of it is seen. */
static void put_curves(const Plot *p) {
  const size_t curves = p->count < MOST_CURVES ? p->count : MOST_CURVES;
  for (size_t k = curves; k-- > 0;) {
    (void)fprintf(p->out, "$potential%zu << END_OF_CURVE\n", k);
    for (int i = 0; i < POINTS; i++) {
      /* Denser around 0, where potentials turn. */
      const double u = 2.0 * i / (POINTS - 1) - 1, s = p->reach * u * u * u;
      double value, slope;
      potential_at(p, &p->experts[k], s / 255, &value, &slope);
      (void)fprintf(p->out, "%.6g %.6g %.6g\n", s, value * 255 * 255, slope * 255);
    }
    (void)fputs("END_OF_CURVE\n", p->out);
  }
}

/* From blue, the strongest, over gray to light gray. */
static void put_curve_panel(const Plot *p, const char *heading, const char *margins, int column) {
  const size_t curves = p->count < MOST_CURVES ? p->count : MOST_CURVES;
  (void)fprintf(p->out,
                "set label 1 '{/:Bold %s}' at graph 0, 1.07 left\n%s\nset xrange [%.6g:%.6g]\n"
                "set xlabel '%s, gray levels'\nplot ",
                heading, margins, -p->reach, p->reach,
                p->size ? "response of the filter at unit norm" : "difference of neighbouring pixels");
  for (size_t k = curves; k-- > 0;) {
    const double at = curves > 1 ? (double)k / (double)(curves - 1) : 0;
    (void)fprintf(
        p->out, "$potential%zu using 1:%d with lines linewidth %.2g linecolor rgb '#%02X%02X%02X'%s", k,
        column, 1.8 - 0.9 * at, (unsigned)lround(0 + 205 * at), (unsigned)lround(0x72 + (205 - 0x72) * at),
        (unsigned)lround(0xB2 + (215 - 0xB2) * at), k ? ", " : "\n");
  }
}

static size_t columns_of(size_t count) {
  const size_t columns = (size_t)ceil(sqrt((double)count * 1.15));
  return columns ? columns : 1;
}

/* Every tap is a square of its own, so that vector formats stay sharp. A tile is 1 wide, rows go down. */
static void put_tiles(const Plot *p, const char *margins, int font) {
  const size_t tiles = p->count < MOST_TILES ? p->count : MOST_TILES, columns = columns_of(tiles);
  const size_t rows = (tiles + columns - 1) / columns, s = p->size;
  const double pitch_x = 1 + GAP / 2, pitch_y = 1 + GAP, half = 0.5 / (double)s;
  (void)fputs("$taps << END_OF_TAPS\n", p->out);
  for (size_t k = 0; k < tiles; k++) {
    double most = WEAKEST_TAP;
    for (size_t j = 0; j < s * s; j++) most = fmax(most, fabs(p->experts[k].taps[j]));
    for (size_t j = 0; j < s * s; j++)
      (void)fprintf(
          p->out, "%.5f %.5f %.4f\n", (double)(k % columns) * pitch_x + (double)(j % s) / (double)s + half,
          (double)(k / columns) * pitch_y + (double)(j / s) / (double)s + half, p->experts[k].taps[j] / most);
  }
  (void)fputs("END_OF_TAPS\n", p->out);
  /* ½(x − y)² + w φ on the 0–255 scale: roots are lengths, logarithms numbers. */
  const double unit = p->potential == BT_FOE_LOG ? 255 * 255 : 255;
  for (size_t k = 0; k < tiles; k++)
    (void)fprintf(p->out,
                  "set label %zu '{/:Bold %zu}  w %.2g  ν %.2g' at %.4f, %.4f center font ',%d' textcolor "
                  "rgb '#333333'\n",
                  100 + k, p->experts[k].number, p->experts[k].weight * unit, p->experts[k].smoothing * 255,
                  (double)(k % columns) * pitch_x + 0.5, (double)(k / columns) * pitch_y + 1.14, font);
  (void)fprintf(
      p->out,
      "set label 1 '{/:Bold Filters by strength}' at graph 0, 1.03 left\n%s\nunset tics\nunset border\n"
      "unset grid\nunset colorbox\nset palette defined (-1 '#B2182B', -0.5 '#F4A582', 0 '#F7F7F7', 0.5 "
      "'#92C5DE', "
      "1 '#2166AC')\nset cbrange [-1:1]\nset xrange [%.4f:%.4f]\nset yrange [%.4f:%.4f]\n"
      "plot $taps using 1:2:(%.6f):(%.6f):3 with boxxyerror fillstyle solid 1 noborder linecolor palette\n",
      margins, -0.05, (double)columns * pitch_x - GAP / 2 + 0.05, (double)rows * pitch_y, -0.05, half * 1.02,
      half * 1.02);
  for (size_t k = 0; k < tiles; k++) (void)fprintf(p->out, "unset label %zu\n", 100 + k);
}

static void put_start(const Plot *p, BtPictureFormat format, const char *title) {
  static const char *const terminals[] = {
      "pngcairo size 2000,1150 font 'sans,15' linewidth 1.6",
      "svg size 1400,805 dynamic font 'DejaVu Sans,Helvetica,Arial,sans-serif,12' background rgb 'white'",
      "pdfcairo size 30cm,17.25cm font 'sans,12' linewidth 1.4"};
  (void)fprintf(p->out,
                "set encoding utf8\nset terminal %s\nset termoption enhanced\nunset key\n"
                "set style line 9 linecolor rgb '#E3E3E3' linewidth 0.6\nset multiplot\nset label 2 ",
                terminals[format]);
  bt_gnuplot_quote(p->out, title);
  (void)fputs(" at screen 0.5, 0.975 center front noenhanced font ',17'\n", p->out);
}

static void put_script(const Plot *p, BtPictureFormat format, const char *title) {
  static const int label_fonts[] = {10, 8, 8};
  put_start(p, format, title);
  const int tiles = p->size > 0;
  const char *left = tiles ? "0.67" : "0.1";
  char upper[160], lower[160];
  snprintf(upper, sizeof upper,
           "set lmargin at screen %s\nset rmargin at screen 0.98\nset tmargin at screen 0.88\nset bmargin at "
           "screen 0.57",
           left);
  snprintf(lower, sizeof lower,
           "set lmargin at screen %s\nset rmargin at screen 0.98\nset tmargin at screen 0.43\nset bmargin at "
           "screen 0.1",
           left);
  if (tiles) {
    put_tiles(p,
              "set lmargin at screen 0.02\nset rmargin at screen 0.6\nset tmargin at screen 0.9\nset bmargin "
              "at screen 0.02",
              label_fonts[format]);
    (void)fputs("unset label 2\n", p->out);
  }
  put_curves(p);
  (void)fputs(
      "set autoscale y\nset yrange [*:*] noreverse\nset grid linestyle 9\n"
      "set border 3 linecolor rgb '#444444'\nset tics nomirror out scale 0.6 textcolor rgb '#222222'\n"
      "set format y '%.3g'\n",
      p->out);
  put_curve_panel(p, "Potentials w (φ(t) − φ(0)), squared gray levels", upper, 2);
  (void)fputs("unset label 2\n", p->out);
  put_curve_panel(p, "Influence w φ''(t), gray levels", lower, 3);
  (void)fputs("unset multiplot\n", p->out);
}

/* The experts of a model: its filters, or the difference of neighbours for TV. `taps` and the rest of `room`
 * are theirs. */
static void collect(Plot *p, double *room) {
  const BtModel *model = &p->level->model;
  const BtRegularizer *reg = &model->regularizer;
  const size_t area = reg->size * reg->size, count = reg->filters;
  if (count == 0) {
    p->experts[0] =
        (Expert){.number = 1, .weight = exp(model->theta[0]), .smoothing = exp(model->theta[1]), .norm = 1};
    return;
  }
  double *weights = room + count * area, *smoothings = weights + count;
  p->size = reg->size;
  p->potential = (BtFoePotential)reg->variant;
  bt_foe_filters(reg, model->theta, room, weights, smoothings);
  for (size_t k = 0; k < count; k++) {
    Expert *e = &p->experts[k];
    double squares = 0;
    for (size_t j = 0; j < area; j++) squares += room[k * area + j] * room[k * area + j];
    *e = (Expert){.number = k + 1,
                  .taps = room + k * area,
                  .weight = weights[k],
                  .smoothing = smoothings[k],
                  .norm = sqrt(squares)};
    if (p->potential == BT_FOE_WEAK) e->ratio = 1 + exp(model->theta[1 + 2 * count + k]);
  }
  qsort(p->experts, count, sizeof *p->experts, by_strength);
}

int bt_plot_is_model(const char *path) {
  const char *extension = bt_path_extension(path);
  if (strcmp(extension, "json") == 0) return 1;
  struct stat info;
  const int is_file = stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
  return !is_file && strcmp(extension, "csv") != 0 && !strchr(path, '/');
}

BtStatus bt_plot_model(BtApp *app, const char *model, const BtModelPlot *plot, BtPictureFormat format,
                       FILE *script, size_t *count) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  BtModelFiles files = {0};
  BtLevelModel level = {0};
  double *room = NULL;
  Plot p = {.out = script, .level = &level, .potential = BT_FOE_CONVEX};
  char title[600];
  *count = 0;
  BT_TRY(bt_models_find(ctx, model, &files));
  BT_TRY(bt_model_library_load(ctx, &files, plot->sigma, (BtAdaptation)plot->adapt, &level));
  const BtRegularizer *reg = &level.model.regularizer;
  p.count = reg->filters ? reg->filters : 1;
  room = malloc((reg->filters * (reg->size * reg->size + 2) + 1) * sizeof *room);
  p.experts = calloc(p.count, sizeof *p.experts);
  if (!room || !p.experts)
    BT_TRY(bt_fail_memory(ctx, "a plot", (double)level.model.regularizer.parameters * 8));
  collect(&p, room);
  BT_TRY(choose_reach(ctx, &p, level.model.sigma));
  (void)snprintf(title, sizeof title, "%s (%s %s), sigma %g", bt_path_base(files.files[level.file[0]].path),
                 reg->ops->name, bt_regularizer_variant_name(reg), level.model.sigma);
  put_script(&p, format, plot->title ? plot->title : title);
  bt_app_put(app, "model", bt_models_json(&files, &level));
  *count = reg->filters;
done:
  free(room);
  free(p.experts);
  bt_level_model_clear(&level);
  bt_model_files_clear(&files);
  return st;
}
