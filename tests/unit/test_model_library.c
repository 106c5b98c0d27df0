/* Models by name and level, and models used at other levels than they were learned for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "harness.h"
#include "regularizers/foe.h"
#include "regularizers/model_library.h"
#include "regularizers/tv.h"

static BtContext ctx;

/* Parameters that differ from level to level: log σ plus something by j. */
static void save(const char *path, BtRegularizer reg, double sigma) {
  BtModel model = {.regularizer = reg, .sigma = sigma, .theta = calloc(reg.parameters, sizeof(double))};
  if (!model.theta) abort();
  for (size_t j = 0; j < reg.parameters; j++) model.theta[j] = log(sigma) - 5 + 0.5 * bt_rng_normal(1, 0, j);
  BT_CHECK_STATUS(bt_model_save(&ctx, path, &model, NULL), BT_OK, &ctx);
  bt_model_clear(&model);
}

static const char *folders[3];

static void make_library(void) {
  if (folders[0]) return;
  const BtRegularizer tv = bt_tv(BT_TV_ISOTROPIC), foe = bt_foe(BT_FOE_CONVEX, 3, 3);
  char one[400], two[420], path[600];
  snprintf(one, sizeof one, "%s", bt_test_folder());
  snprintf(two, sizeof two, "%s-other", one);
  BT_CHECK_STATUS(bt_make_folder(&ctx, two), BT_OK, &ctx);
  folders[0] = bt_copy_text(one);
  folders[1] = "/nowhere/at/all";
  folders[2] = bt_copy_text(two);
  static const double levels[] = {5, 15, 50};
  for (size_t i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/tv-%g.json", one, levels[i]);
    save(path, tv, levels[i]);
    snprintf(path, sizeof path, "%s/foe-convex-%g.json", one, levels[i]);
    save(path, foe, levels[i]);
  }
  /* Hidden by the first folder; not a model's name; a level with a fraction; a mixture of kinds; a lie. */
  snprintf(path, sizeof path, "%s/tv-25.json", two);
  save(path, tv, 25);
  snprintf(path, sizeof path, "%s/notes.json", two);
  BT_CHECK_STATUS(bt_file_write(&ctx, path, "{}", 2), BT_OK, &ctx);
  snprintf(path, sizeof path, "%s/half-2.5.json", two);
  save(path, tv, 2.5);
  snprintf(path, sizeof path, "%s/mixed-10.json", two);
  save(path, bt_tv(BT_TV_ISOTROPIC), 10);
  snprintf(path, sizeof path, "%s/mixed-40.json", two);
  save(path, bt_tv(BT_TV_ANISOTROPIC), 40);
  snprintf(path, sizeof path, "%s/liar-10.json", two);
  save(path, tv, 11);
}

static void remove_library(void) {
  static const char *const names[] = {"tv-25", "notes", "half-2.5", "mixed-10", "mixed-40", "liar-10"};
  char path[600];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/%s.json", folders[2], names[i]);
    BT_CHECK(remove(path) == 0);
  }
  BT_CHECK(remove(folders[2]) == 0);
  free((void *)folders[0]);
  free((void *)folders[2]);
}

static BtStatus find(const char *model, BtModelFiles *files) {
  return bt_model_library_find(&ctx, folders, 3, model, files);
}

static void listing(void) {
  BtModelFiles all;
  make_library();
  BT_CHECK_STATUS(bt_model_library_list(&ctx, folders, 3, &all), BT_OK, &ctx);
  static const char *const names[] = {"foe-convex", "foe-convex", "foe-convex", "half", "liar",
                                      "mixed",      "mixed",      "tv",         "tv",   "tv"};
  static const double levels[] = {5, 15, 50, 2.5, 10, 10, 40, 5, 15, 50};
  BT_NEED(all.count == 10);
  for (size_t i = 0; i < 10; i++) {
    BT_CHECK_TEXT(all.files[i].name, names[i]);
    BT_CHECK(all.files[i].sigma == levels[i]);
  }
  bt_model_files_clear(&all);
}

/* What a text stands for: number of files, whether they are levels of a name; 0 files: an error that holds
 * the text. */
static const struct {
  const char *model;
  size_t count;
  int levels;
  const char *error;
} lookups[] = {{"tv", 3, 1, NULL},
               {"tv-15", 1, 0, NULL},
               {"half", 1, 1, NULL},
               {"half-2.5", 1, 0, NULL},
               {"foe-convex", 3, 1, NULL},
               {"tv-25", 0, 0, "tv (5, 15, 50)"},
               {"foe", 0, 0, "foe-convex (5, 15, 50)"},
               {"t", 0, 0, "no model named \"t\""},
               {"", 0, 0, "half (2.5)"},
               {"any.json", 1, 0, NULL},
               {"a/b", 1, 0, NULL}};

static void lookup(void) {
  make_library();
  for (size_t i = 0; i < sizeof lookups / sizeof *lookups; i++) {
    BtModelFiles files;
    const BtStatus st = find(lookups[i].model, &files);
    BT_CHECK_ROW(st == (lookups[i].error ? BT_ERR_IO : BT_OK), "\"%s\": %s", lookups[i].model, ctx.error);
    BT_CHECK_ROW(files.count == lookups[i].count && files.levels == lookups[i].levels, "\"%s\": %zu files",
                 lookups[i].model, files.count);
    if (lookups[i].error)
      BT_CHECK_ROW(strstr(ctx.error, lookups[i].error) != NULL, "\"%s\": %s", lookups[i].model, ctx.error);
    bt_model_files_clear(&files);
  }
  BtModelFiles none;
  BT_CHECK_STATUS(bt_model_library_find(&ctx, NULL, 0, "tv", &none), BT_ERR_IO, &ctx);
  BT_CHECK(strstr(ctx.error, "no models are installed") != NULL);
}

typedef struct {
  const char *model;
  double sigma;
  BtAdaptation rule, how;
  double learned, weight, smoothing; /* the last two: shifts of theta[0] and of the first log_smoothing */
} Level;

#define LOG3 1.0986122886681098
#define LOG2 0.6931471805599453

static const Level used[] = {
    {"tv", 15, BT_ADAPT_AUTO, BT_ADAPT_NONE, 15, 0, 0},
    {"tv", 5 * 1.7320508075688772, BT_ADAPT_AUTO, BT_ADAPT_INTERPOLATE, 5, LOG3 / 2, LOG3 / 2},
    {"tv", 100, BT_ADAPT_INTERPOLATE, BT_ADAPT_CONTRAST, 50, LOG2, LOG2},
    {"tv", 2.5, BT_ADAPT_AUTO, BT_ADAPT_CONTRAST, 5, -LOG2, -LOG2},
    {"tv", 100, BT_ADAPT_WEIGHT, BT_ADAPT_WEIGHT, 50, 2 * LOG2, 0},
    {"tv", 30, BT_ADAPT_NONE, BT_ADAPT_NONE, 50, 0, 0},
    {"tv-15", NAN, BT_ADAPT_AUTO, BT_ADAPT_NONE, 15, 0, 0},
    {"tv-15", 30, BT_ADAPT_AUTO, BT_ADAPT_CONTRAST, 15, LOG2, LOG2},
    {"mixed", 20, BT_ADAPT_INTERPOLATE, BT_ADAPT_CONTRAST, 10, LOG2, LOG2},
    {"foe-convex", 7.5, BT_ADAPT_AUTO, BT_ADAPT_CONTRAST, 5, LOG3 - LOG2, LOG3 - LOG2},
    {"foe-convex", 30, BT_ADAPT_WEIGHT, BT_ADAPT_WEIGHT, 50,
     2 * (LOG3 + 2.302585092994046 - LOG2 - 3.2188758248682006), 0},
    {"foe-convex", 5 * 1.7320508075688772, BT_ADAPT_INTERPOLATE, BT_ADAPT_INTERPOLATE, 5, LOG3 / 2, LOG3 / 2},
};

static size_t smoothing_of(const BtRegularizer *reg) { return reg->filters ? 1 + reg->filters : 1; }

static void levels(void) {
  make_library();
  for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
    const Level *u = &used[i];
    BtModelFiles files;
    BtLevelModel level;
    BtModel file;
    BT_NEED(find(u->model, &files) >= 0);
    BT_NEED(bt_model_library_load(&ctx, &files, u->sigma, u->rule, &level) >= 0);
    BT_NEED(bt_model_load(&ctx, files.files[level.file[0]].path, &file) >= 0);
    const size_t s = smoothing_of(&file.regularizer);
    BT_CHECK_ROW(level.how == u->how && fabs(level.learned - u->learned) < 1e-9, "row %zu: rule %d from %g",
                 i, (int)level.how, level.learned);
    BT_CHECK_ROW(fabs(level.model.sigma - (isnan(u->sigma) ? u->learned : u->sigma)) < 1e-9,
                 "row %zu: sigma %g", i, level.model.sigma);
    BT_CHECK_ROW(fabs(level.model.theta[0] - file.theta[0] - u->weight) < 1e-9 &&
                     fabs(level.model.theta[s] - file.theta[s] - u->smoothing) < 1e-9,
                 "row %zu: shifts %g, %g", i, level.model.theta[0] - file.theta[0],
                 level.model.theta[s] - file.theta[s]);
    BT_CHECK_ROW((level.file[0] != level.file[1]) == (u->how == BT_ADAPT_INTERPOLATE), "row %zu: files", i);
    bt_model_clear(&file);
    bt_level_model_clear(&level);
    bt_model_files_clear(&files);
  }
}

static void errors(void) {
  BtModelFiles files;
  BtLevelModel level;
  make_library();
  BT_NEED(find("tv", &files) >= 0);
  BT_CHECK_STATUS(bt_model_library_load(&ctx, &files, NAN, BT_ADAPT_AUTO, &level), BT_ERR_ARG, &ctx);
  BT_CHECK(strstr(ctx.error, "--sigma") != NULL);
  bt_model_files_clear(&files);
  BT_NEED(find("liar", &files) >= 0);
  BT_CHECK_STATUS(bt_model_library_load(&ctx, &files, 10, BT_ADAPT_AUTO, &level), BT_ERR_FORMAT, &ctx);
  BT_CHECK(strstr(ctx.error, "sigma is 11") != NULL);
  bt_model_files_clear(&files);
}

/* contrast: ∇R_s(x) = s ∇R(x/s) for every family, and the same modulus. */
static void contrast_is_a_change_of_scale(void) {
  const BtRegularizer families[] = {bt_tv(BT_TV_ISOTROPIC), bt_tv(BT_TV_ANISOTROPIC),
                                    bt_foe(BT_FOE_CONVEX, 4, 3), bt_foe(BT_FOE_LOG, 4, 3),
                                    bt_foe(BT_FOE_WEAK, 4, 3)};
  enum { N = 12 * 10 };
  const BtShape shape = {12, 10};
  const double s = 1.7;
  for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
    const BtRegularizer *reg = &families[f];
    BtModel model = {.regularizer = *reg, .sigma = 20, .theta = calloc(reg->parameters, sizeof(double))};
    double x[N], scaled[N], g[N], h[N], worst = 0, size = 0;
    BtRegularizerConstants before, after;
    if (!model.theta) abort();
    reg->ops->initial(reg, 20.0 / 255, model.theta);
    for (size_t i = 0; i < N; i++) {
      x[i] = bt_rng_normal(9, 0, i);
      scaled[i] = s * x[i];
    }
    (void)reg->ops->value_grad(reg, shape, model.theta, x, g);
    reg->ops->constants(reg, shape, model.theta, &before);
    BT_CHECK(bt_model_adapt(&model, 20 * s, BT_ADAPT_AUTO) == BT_ADAPT_CONTRAST);
    (void)reg->ops->value_grad(reg, shape, model.theta, scaled, h);
    reg->ops->constants(reg, shape, model.theta, &after);
    for (size_t i = 0; i < N; i++) {
      worst = fmax(worst, fabs(h[i] - s * g[i]));
      size = fmax(size, fabs(h[i]));
    }
    BT_CHECK_ROW(size > 0 && worst <= 1e-9 * size, "family %zu: off by %g of %g", f, worst, size);
    BT_CHECK_NEAR(after.convexity, before.convexity, 1e-9);
    BT_CHECK_NEAR(after.lipschitz, before.lipschitz, 1e-9 * before.lipschitz);
    bt_model_clear(&model);
  }
}

/* A weakly convex model whose weight grows keeps its certificate. */
static void weak_stays_certified(void) {
  const BtRegularizer reg = bt_foe(BT_FOE_WEAK, 8, 5);
  BtModel model = {.regularizer = reg, .sigma = 20, .theta = calloc(reg.parameters, sizeof(double))};
  BtRegularizerConstants k;
  if (!model.theta) abort();
  reg.ops->initial(&reg, 20.0 / 255, model.theta);
  model.theta[0] -= 5;
  const double start = model.theta[0];
  reg.ops->constants(&reg, (BtShape){64, 64}, model.theta, &k);
  BT_CHECK(k.convexity > -BT_FOE_MODULUS && k.convexity < 0);
  BT_CHECK(bt_model_adapt(&model, 2000, BT_ADAPT_WEIGHT) == BT_ADAPT_WEIGHT);
  reg.ops->constants(&reg, (BtShape){64, 64}, model.theta, &k);
  BT_CHECK(model.theta[0] > start);
  BT_CHECK_NEAR(k.convexity, -BT_FOE_MODULUS, 1e-6);
  bt_model_clear(&model);
}

static void clean(void) { remove_library(); }

int main(void) {
  static const BtTest tests[] = {{"listing", listing},
                                 {"lookup", lookup},
                                 {"levels", levels},
                                 {"errors", errors},
                                 {"contrast is a change of scale", contrast_is_a_change_of_scale},
                                 {"weak stays certified", weak_stays_certified},
                                 {"clean", clean}};
  bt_context_init(&ctx);
  return bt_test_main("model_library", tests, sizeof tests / sizeof *tests);
}
