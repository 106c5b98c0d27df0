#include <math.h>
#include <string.h>

#include "core/option.h"
#include "harness.h"

#define MAX_ARGS 16

typedef struct {
  double sigma, rho, log_weight;
  int64_t max_outer, seed;
  int cuda, verbose, method;
  const char *output, *note;
} Settings;

static const BtOption own[] = {
    BT_OPT_REAL("sigma", Settings, sigma, 0.1, BT_POSITIVE, "S", "noise level"),
    BT_OPT_REAL("log-weight", Settings, log_weight, NAN, BT_ANY, "W", "logarithm of the weight"),
    BT_OPT_INT("seed", Settings, seed, NAN, BT_NONNEGATIVE, "N", "seed of the noise"),
    BT_OPT_FLAG("cuda", Settings, cuda, "use a GPU"),
    {"verbose", 'v', BT_OPT_KIND_FLAG, offsetof(Settings, verbose), 0, NULL, BT_ANY, NULL, "say more"},
    BT_OPT_TEXT("output", 'o', Settings, output, "out.png", "FILE", "image written"),
    BT_OPT_TEXT("note", 0, Settings, note, NULL, NULL, "text kept in the record"),
    BT_OPT_END};

static const BtOption of_method[] = {
    BT_OPT_REAL("rho", Settings, rho, 0.5, BT_IN(0, 1), "R", "backtracking factor"),
    BT_OPT_INT("max-outer", Settings, max_outer, 200, BT_WITHIN(1, 1000), "N", "outer iterations at most"),
    BT_OPT_CHOICE("method", Settings, method, 1, "maid|hoag|fixed", "outer method"), BT_OPT_END};

/* args: separated by blanks, _ is an empty one. want: changes from the defaults as JSON, or the error text.
 */
static const struct {
  const char *args, *want, *operands;
} cases[] = {
    {"", "{}", ""},
    {"a.png b.png", "{}", "a.png b.png"},
    {"--sigma 2.5", "{\"sigma\": 2.5}", ""},
    {"--sigma=2.5 x", "{\"sigma\": 2.5}", "x"},
    {"--sigma 1e2", "{\"sigma\": 100.0}", ""},
    {"--sigma 1 --sigma 3", "{\"sigma\": 3.0}", ""},
    {"--log-weight -5", "{\"log-weight\": -5.0}", ""},
    {"--log-weight -.5e3", "{\"log-weight\": -500.0}", ""},
    {"--log-weight=-5", "{\"log-weight\": -5.0}", ""},
    {"--max-outer 7 --seed 0", "{\"max-outer\": 7, \"seed\": 0}", ""},
    {"--max-outer 1", "{\"max-outer\": 1}", ""},
    {"--max-outer 1000", "{\"max-outer\": 1000}", ""},
    {"--max-outer +7", "{\"max-outer\": 7}", ""},
    {"--seed 9007199254740993", "{\"seed\": 9007199254740993}", ""},
    {"--rho 0.25 --method fixed", "{\"rho\": 0.25, \"method\": \"fixed\"}", ""},
    {"--method=maid", "{\"method\": \"maid\"}", ""},
    {"--cuda", "{\"cuda\": true}", ""},
    {"--cuda --no-cuda", "{}", ""},
    {"--cuda=yes --verbose=0", "{\"cuda\": true}", ""},
    {"--cuda file", "{\"cuda\": true}", "file"},
    {"-o x.png y", "{\"output\": \"x.png\"}", "y"},
    {"-ox.png y", "{\"output\": \"x.png\"}", "y"},
    {"-vox.png", "{\"output\": \"x.png\", \"verbose\": true}", ""},
    {"-v", "{\"verbose\": true}", ""},
    {"--output=", "{\"output\": \"\"}", ""},
    {"--output _ z", "{\"output\": \"\"}", "z"},
    {"--output=-x.png", "{\"output\": \"-x.png\"}", ""},
    {"-o -", "{\"output\": \"-\"}", ""},
    {"--note a=b", "{\"note\": \"a=b\"}", ""},
    {"--note=a=b", "{\"note\": \"a=b\"}", ""},
    {"- -5 -.5e3", "{}", "- -5 -.5e3"},
    {"x -- --sigma -o --", "{}", "x --sigma -o --"},
    {"_", "{}", "_"},

    {"--sigma", "option --sigma needs a value (S)", ""},
    {"--sigma --cuda", "option --sigma needs a value (S)", ""},
    {"--sigma -v", "option --sigma needs a value (S)", ""},
    {"--sigma -- 1", "option --sigma needs a value (S)", ""},
    {"-o", "option --output needs a value (FILE)", ""},
    {"-o --cuda", "option --output needs a value (FILE)", ""},
    {"--note", "option --note needs a value (VALUE)", ""},
    {"--method", "option --method needs a value (maid|hoag|fixed)", ""},
    {"--sigma -3", "--sigma must be > 0, got \"-3\"", ""},
    {"--sigma 0", "--sigma must be > 0, got \"0\"", ""},
    {"--sigma 1e-999", "--sigma must be > 0, got \"1e-999\"", ""},
    {"--sigma=", "--sigma must be a number > 0, got \"\"", ""},
    {"--sigma nan", "--sigma must be a number > 0, got \"nan\"", ""},
    {"--sigma inf", "--sigma must be a number > 0, got \"inf\"", ""},
    {"--sigma 1e999", "--sigma must be a number > 0, got \"1e999\"", ""},
    {"--sigma 0x10", "--sigma must be a number > 0, got \"0x10\"", ""},
    {"--sigma 2.5mm", "--sigma must be a number > 0, got \"2.5mm\"", ""},
    {"--sigma 1..2", "--sigma must be a number > 0, got \"1..2\"", ""},
    {"--log-weight e", "--log-weight must be a number, got \"e\"", ""},
    {"--rho 1", "--rho must be in (0, 1), got \"1\"", ""},
    {"--rho x", "--rho must be a number in (0, 1), got \"x\"", ""},
    {"--max-outer 1e2", "--max-outer must be an integer in [1, 1000], got \"1e2\"", ""},
    {"--max-outer 1.0", "--max-outer must be an integer in [1, 1000], got \"1.0\"", ""},
    {"--max-outer 10k", "--max-outer must be an integer in [1, 1000], got \"10k\"", ""},
    {"--max-outer 1-2", "--max-outer must be an integer in [1, 1000], got \"1-2\"", ""},
    {"--max-outer 0", "--max-outer must be in [1, 1000], got \"0\"", ""},
    {"--max-outer 1001", "--max-outer must be in [1, 1000], got \"1001\"", ""},
    {"--seed -1", "--seed must be >= 0, got \"-1\"", ""},
    {"--seed 9223372036854775808", "--seed must be an integer >= 0, got \"9223372036854775808\"", ""},
    {"--method newton", "--method must be one of maid|hoag|fixed, got \"newton\"", ""},
    {"--method mai", "--method must be one of maid|hoag|fixed, got \"mai\"", ""},
    {"--method maid|hoag", "--method must be one of maid|hoag|fixed, got \"maid|hoag\"", ""},
    {"--cuda=maybe", "--cuda must be yes or no, got \"maybe\"", ""},
    {"--no-cuda=1", "option --no-cuda takes no value", ""},
    {"--simga 1", "unknown option --simga; did you mean --sigma?", ""},
    {"--simga=1", "unknown option --simga; did you mean --sigma?", ""},
    {"--sig 1", "unknown option --sig; did you mean --sigma?", ""},
    {"--max 1", "unknown option --max; did you mean --max-outer?", ""},
    {"--no-cdua", "unknown option --no-cdua; did you mean --no-cuda?", ""},
    {"--no-sigma", "unknown option --no-sigma; did you mean --sigma?", ""},
    {"--no-", "unknown option --no-; did you mean --no-cuda?", ""},
    {"--frobnicate", "unknown option --frobnicate", ""},
    {"--=3", "unknown option --", ""},
    {"-z", "unknown option -z", ""},
    {"-vz", "unknown option -z", ""},
    {"-5x", "unknown option -5", ""},
};

/* Splits text in place at blanks into argv[1…]. */
static int split(char *text, char **argv) {
  int argc = 1;
  argv[0] = "test";
  for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
    if (strcmp(word, "_") == 0) *word = '\0';
    argv[argc++] = word;
  }
  return argc;
}

/* Joins operands by blanks, an empty one as _. */
static void join(const char **operands, size_t count, char *text) {
  *text = '\0';
  for (size_t i = 0; i < count; i++) {
    if (i) strcat(text, " ");
    strcat(text, *operands[i] ? operands[i] : "_");
  }
}

static void defaults(Settings *settings) {
  memset(settings, 0, sizeof *settings);
  bt_options_default(own, settings);
  bt_options_default(of_method, settings);
}

static json_t *record(const Settings *settings) {
  json_t *all = bt_options_json(own, settings), *method = bt_options_json(of_method, settings);
  BT_CHECK(json_object_update(all, method) == 0);
  json_decref(method);
  return all;
}

static void parse_table(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[256], *argv[MAX_ARGS], left[256];
    const char *operands[MAX_ARGS];
    size_t count;
    Settings settings;
    BtContext ctx;
    bt_context_init(&ctx);
    defaults(&settings);
    json_t *wanted = record(&settings);

    strcpy(text, cases[i].args);
    const BtOptionSet sets[] = {{own, &settings, NULL}, {of_method, &settings, "Method"}};
    const int argc = split(text, argv);
    const BtStatus st = bt_options_parse(&ctx, sets, 2, argc, argv, operands, &count);

    if (cases[i].want[0] != '{') {
      BT_CHECK_STATUS(st, BT_ERR_ARG, &ctx);
      BT_CHECK_TEXT(ctx.error, cases[i].want);
    } else {
      json_t *changes = json_loads(cases[i].want, 0, NULL), *got = record(&settings);
      BT_CHECK_STATUS(st, BT_OK, &ctx);
      BT_CHECK(changes && json_object_update(wanted, changes) == 0);
      BT_CHECK_ROW(json_equal(got, wanted), "settings after \"%s\"", cases[i].args);
      join(operands, count, left);
      BT_CHECK_TEXT(left, cases[i].operands);
      json_decref(changes);
      json_decref(got);
    }
    json_decref(wanted);
  }
}

static void defaults_and_unset(void) {
  Settings settings;
  defaults(&settings);
  BT_CHECK(settings.sigma == 0.1 && settings.rho == 0.5 && settings.max_outer == 200);
  BT_CHECK(isnan(settings.log_weight));
  BT_CHECK(settings.seed == INT64_MIN);
  BT_CHECK(settings.cuda == 0 && settings.method == 1 && settings.note == NULL);
  BT_CHECK_TEXT(settings.output, "out.png");
  json_t *all = record(&settings);
  BT_CHECK(json_is_null(json_object_get(all, "log-weight")));
  BT_CHECK(json_is_null(json_object_get(all, "seed")));
  BT_CHECK(json_is_null(json_object_get(all, "note")));
  BT_CHECK(json_is_false(json_object_get(all, "cuda")));
  BT_CHECK_TEXT(json_string_value(json_object_get(all, "method")), "hoag");
  json_decref(all);

  settings.note = "caf\xe9";
  all = record(&settings);
  BT_CHECK_TEXT(json_string_value(json_object_get(all, "note")), "caf?");
  json_decref(all);
}

static void failed_set_keeps_value(void) {
  Settings settings;
  defaults(&settings);
  BT_CHECK_STATUS(bt_option_set(NULL, &own[0], &settings, "-1"), BT_ERR_ARG, NULL);
  BT_CHECK(settings.sigma == 0.1);
  BT_CHECK_STATUS(bt_option_set(NULL, &of_method[2], &settings, "newton"), BT_ERR_ARG, NULL);
  BT_CHECK(settings.method == 1);
}

static void choices(void) {
  char name[8];
  BT_CHECK(bt_choice_index("a|bc|d", "bc", 2) == 1);
  BT_CHECK(bt_choice_index("a|bc|d", "bcd", 2) == 1);
  BT_CHECK(bt_choice_index("a|bc|d", "d", 1) == 2);
  BT_CHECK(bt_choice_index("a|bc|d", "b", 1) == -1);
  BT_CHECK(bt_choice_index("a|bc|d", "", 0) == -1);
  BT_CHECK_TEXT(bt_choice_name("a|bc|d", 0, name, sizeof name), "a");
  BT_CHECK_TEXT(bt_choice_name("a|bc|d", 1, name, sizeof name), "bc");
  BT_CHECK_TEXT(bt_choice_name("a|bc|d", 2, name, sizeof name), "d");
  BT_CHECK_TEXT(bt_choice_name("a|bc|d", 3, name, sizeof name), "");
  BT_CHECK_TEXT(bt_choice_name("a|bc|d", -1, name, sizeof name), "");
  BT_CHECK_TEXT(bt_choice_name("a|bc|d", 1, name, 2), "b");
}

static const BtTest tests[] = {
    {"command lines", parse_table},
    {"defaults and unset values", defaults_and_unset},
    {"a refused value changes nothing", failed_set_keeps_value},
    {"choices", choices},
};

int main(void) { return bt_test_main("option", tests, sizeof tests / sizeof *tests); }
