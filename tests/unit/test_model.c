/* Model files: what is written is read, and what is wrong is refused by file and field. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "core/rng.h"
#include "harness.h"
#include "regularizers/foe.h"
#include "regularizers/model.h"
#include "regularizers/tv.h"

static BtContext ctx;

static void make(BtRegularizer reg, BtModel *model) {
  *model = (BtModel){.regularizer = reg, .sigma = 25, .theta = calloc(reg.parameters, sizeof(double))};
  if (!model->theta) abort();
  reg.ops->initial(&reg, 25.0 / 255, model->theta);
  for (size_t j = 0; j < reg.parameters; j++) model->theta[j] += 0.1 * bt_rng_normal(5, 0, j);
}

static size_t file_size(const char *path) {
  char *text = NULL;
  size_t size = 0;
  BT_CHECK_STATUS(bt_file_read(&ctx, path, 1 << 26, &text, &size), BT_OK, &ctx);
  free(text);
  return size;
}

typedef struct {
  const char *name;
  int family; /* -1: TV, else BtFoePotential */
  size_t filters, size, parameters;
  double tolerance; /* relative, of every parameter */
} Kind;

static const Kind kinds[] = {{"tv", -1, 0, 0, 2, 0},
                             {"convex", BT_FOE_CONVEX, 48, 7, 2449, 1e-9},
                             {"log", BT_FOE_LOG, 8, 5, 217, 1e-9},
                             {"weak", BT_FOE_WEAK, 48, 7, 2497, 1e-9},
                             {"small", BT_FOE_CONVEX, 1, 2, 7, 0}};

static void round_trip(void) {
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    const Kind *kind = &kinds[k];
    const char *path = bt_test_path("m.json");
    BtModel model, back;
    make(kind->family < 0 ? bt_tv(BT_TV_ANISOTROPIC)
                          : bt_foe((BtFoePotential)kind->family, kind->filters, kind->size),
         &model);
    json_t *training = json_pack("{s:s, s:{s:f}}", "note", "two\nlines", "inner", "loss", 0.1);
    BT_CHECK_STATUS(bt_model_save(&ctx, path, &model, training), BT_OK, &ctx);
    json_decref(training);
    BT_NEED(bt_model_load(&ctx, path, &back) >= 0);
    BT_CHECK_ROW(back.regularizer.parameters == kind->parameters &&
                     back.regularizer.variant == model.regularizer.variant &&
                     back.regularizer.filters == kind->filters && back.regularizer.size == kind->size &&
                     back.sigma == 25,
                 "%s has changed its kind", kind->name);
    double worst = 0;
    for (size_t j = 0; j < kind->parameters; j++)
      worst = fmax(worst, fabs(back.theta[j] - model.theta[j]) / fabs(model.theta[j]));
    BT_CHECK_ROW(worst <= kind->tolerance, "%s: a parameter moved by %g of itself", kind->name, worst);
    if (kind->parameters > 2000)
      BT_CHECK_ROW(file_size(path) < 42000, "%s: %zu bytes", kind->name, file_size(path));

    json_t *file = NULL;
    BT_NEED(bt_json_load(&ctx, path, 1 << 26, &file) >= 0);
    const json_t *record = json_object_get(file, "training");
    BT_CHECK_TEXT(json_string_value(json_object_get(record, "note")), "two\nlines");
    BT_CHECK(json_real_value(json_object_get(json_object_get(record, "inner"), "loss")) == 0.1);
    json_decref(file);
    bt_model_clear(&model);
    bt_model_clear(&back);
  }
}

static void names_are_run_lengths(void) {
  static const char *const expected[] = {"log_weight", "log_filter_weight*48", "log_smoothing*48",
                                         "log_ratio*48", "filter*2352"};
  BtModel model;
  json_t *file = NULL;
  make(bt_foe(BT_FOE_WEAK, 48, 7), &model);
  BT_CHECK_STATUS(bt_model_save(&ctx, bt_test_path("w.json"), &model, NULL), BT_OK, &ctx);
  BT_NEED(bt_json_load(&ctx, bt_test_path("w.json"), 1 << 26, &file) >= 0);
  const json_t *names = json_object_get(json_object_get(file, "regularizer"), "parameters");
  BT_CHECK(json_array_size(names) == 5);
  for (size_t i = 0; i < 5; i++) BT_CHECK_TEXT(json_string_value(json_array_get(names, i)), expected[i]);
  json_decref(file);
  bt_model_clear(&model);
}

static void not_a_number(void) {
  BtModel model;
  make(bt_tv(BT_TV_ISOTROPIC), &model);
  model.theta[1] = NAN;
  BT_CHECK_STATUS(bt_model_save(&ctx, bt_test_path("nan.json"), &model, NULL), BT_ERR_LIBRARY, &ctx);
  FILE *file = fopen(bt_test_path("nan.json"), "rb");
  BT_CHECK(file == NULL);
  if (file) (void)fclose(file);
  bt_model_clear(&model);
}

/* One filter of 2 × 2: log_weight, log_filter_weight, log_smoothing, filter*4. `%s` is the regularizer's
 * object. */
#define HEAD                                                                                   \
  "{\"format\": \"bitune-model\", \"version\": 1, \"problem\": \"denoising\", \"sigma\": 25, " \
  "\"regularizer\": "
#define FOE "\"name\": \"foe\", \"variant\": \"convex\""
#define NAMES "\"parameters\": [\"log_weight\", \"log_filter_weight\", \"log_smoothing\", \"filter*4\"]"
#define THETA "\"theta\": [-5, 0, -4, 1, 0, 0, -1]"

typedef struct {
  const char *name, *text, *field; /* field: what the error must name; NULL: the file is good */
} File;

static const File files[] = {
    {"good", HEAD "{" FOE ", \"filters\": 1, \"size\": 2, " NAMES ", " THETA "}}", NULL},
    {"no-names", HEAD "{" FOE ", \"filters\": 1, \"size\": 2, " THETA "}}", NULL},
    {"old-tv",
     HEAD "{\"name\": \"tv\", \"variant\": \"isotropic\", \"parameters\": [\"log_weight\", "
          "\"log_smoothing\"], \"theta\": [-2.5, -5.0]}}",
     NULL},
    {"no-filters", HEAD "{" FOE ", \"size\": 2, " NAMES ", " THETA "}}", "\"filters\""},
    {"no-size", HEAD "{" FOE ", \"filters\": 1, " NAMES ", " THETA "}}", "\"size\""},
    {"text-filters", HEAD "{" FOE ", \"filters\": \"1\", \"size\": 2, " NAMES ", " THETA "}}", "filters"},
    {"real-size", HEAD "{" FOE ", \"filters\": 1, \"size\": 2.5, " NAMES ", " THETA "}}", "size"},
    {"zero-filters", HEAD "{" FOE ", \"filters\": 0, \"size\": 2, " NAMES ", " THETA "}}", "filters"},
    {"negative-filters", HEAD "{" FOE ", \"filters\": -1, \"size\": 2, " NAMES ", " THETA "}}", "filters"},
    {"many-filters", HEAD "{" FOE ", \"filters\": 1025, \"size\": 2, " NAMES ", " THETA "}}", "filters"},
    {"huge-filters", HEAD "{" FOE ", \"filters\": 9223372036854775807, \"size\": 2, " NAMES ", " THETA "}}",
     "filters"},
    {"size-one", HEAD "{" FOE ", \"filters\": 1, \"size\": 1, " NAMES ", " THETA "}}", "size"},
    {"large-size", HEAD "{" FOE ", \"filters\": 1, \"size\": 64, " NAMES ", " THETA "}}", "size"},
    {"other-filters", HEAD "{" FOE ", \"filters\": 2, \"size\": 2, " NAMES ", " THETA "}}", "parameters[1]"},
    {"other-size", HEAD "{" FOE ", \"filters\": 1, \"size\": 3, " NAMES ", " THETA "}}", "parameters[3]"},
    {"other-theta", HEAD "{" FOE ", \"filters\": 1, \"size\": 3, " THETA "}}", "theta"},
    {"largest", HEAD "{" FOE ", \"filters\": 1024, \"size\": 63, " THETA "}}", "theta"},
    {"long-names",
     HEAD "{" FOE ", \"filters\": 1, \"size\": 2, \"parameters\": [\"log_weight\", \"log_filter_weight\", "
          "\"log_smoothing\", \"filter*4\", \"more\"], " THETA "}}",
     "parameters"},
    {"short-names",
     HEAD "{" FOE ", \"filters\": 1, \"size\": 2, \"parameters\": [\"log_weight\"], " THETA "}}",
     "parameters[1]"},
    {"number-name", HEAD "{" FOE ", \"filters\": 1, \"size\": 2, \"parameters\": [1, 2, 3, 4], " THETA "}}",
     "parameters[0]"},
    {"text-names", HEAD "{" FOE ", \"filters\": 1, \"size\": 2, \"parameters\": \"filter*4\", " THETA "}}",
     "parameters"},
    {"zero-run",
     HEAD "{" FOE ", \"filters\": 1, \"size\": 2, \"parameters\": [\"log_weight\", \"log_filter_weight\", "
          "\"log_smoothing\", \"filter*0\"], " THETA "}}",
     "parameters[3]"},
    {"default-variant",
     HEAD "{\"name\": \"foe\", \"variant\": \"default\", \"filters\": 1, \"size\": 2, " THETA "}}",
     "default"},
    {"empty-variant", HEAD "{\"name\": \"foe\", \"variant\": \"\", \"filters\": 1, \"size\": 2, " THETA "}}",
     "variant"},
    {"tv-variant",
     HEAD "{\"name\": \"foe\", \"variant\": \"isotropic\", \"filters\": 1, \"size\": 2, " THETA "}}",
     "isotropic"},
    {"weak-layout",
     HEAD "{\"name\": \"foe\", \"variant\": \"weak\", \"filters\": 1, \"size\": 2, " NAMES ", " THETA "}}",
     "parameters[3]"},
    {"high-weight", HEAD "{" FOE ", \"filters\": 1, \"size\": 2, \"theta\": [99, 0, -4, 1, 0, 0, -1]}}",
     "theta[0] (log_weight)"},
    {"low-smoothing", HEAD "{" FOE ", \"filters\": 1, \"size\": 2, \"theta\": [-5, 0, -99, 1, 0, 0, -1]}}",
     "theta[2] (log_smoothing)"},
    {"high-tap", HEAD "{" FOE ", \"filters\": 1, \"size\": 2, \"theta\": [-5, 0, -4, 1, 0, 0, -1e9]}}",
     "theta[6] (filter)"},
    {"null-tap", HEAD "{" FOE ", \"filters\": 1, \"size\": 2, \"theta\": [-5, 0, -4, 1, null, 0, -1]}}",
     "theta[4]"},
    {"nested-tap", HEAD "{" FOE ", \"filters\": 1, \"size\": 2, \"theta\": [-5, 0, -4, [1, 0, 0, -1]]}}",
     "theta"},
};

static void bad_files(void) {
  for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
    char name[64];
    BtModel model;
    (void)snprintf(name, sizeof name, "%s.json", files[k].name);
    const char *path = bt_test_path(name);
    BT_CHECK_STATUS(bt_file_write(&ctx, path, files[k].text, strlen(files[k].text)), BT_OK, &ctx);
    const BtStatus st = bt_model_load(&ctx, path, &model);
    BT_CHECK_ROW(st == (files[k].field ? BT_ERR_FORMAT : BT_OK), "%s: status %d, %s", name, (int)st,
                 ctx.error);
    if (files[k].field)
      BT_CHECK_ROW(
          strncmp(ctx.error, path, strlen(path)) == 0 && strstr(ctx.error, files[k].field) && !model.theta,
          "%s lacks %s: %s", name, files[k].field, ctx.error);
    bt_model_clear(&model);
  }
}

int main(void) {
  static const BtTest tests[] = {{"round trip", round_trip},
                                 {"names are run lengths", names_are_run_lengths},
                                 {"not a number", not_a_number},
                                 {"bad files", bad_files}};
  bt_context_init(&ctx);
  return bt_test_main("model", tests, sizeof tests / sizeof *tests);
}
