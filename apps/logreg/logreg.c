#include "logreg/logreg.h"

#include <string.h>

#include "images/size.h"
#include "learn/learn.h"

static const BtOption options[] = {
    BT_OPT_TEXT("data", 0, BtLogreg, data, NULL, "DIR|FILE",
                "learn: labelled data, a folder with MNIST's idx files, CSV or LIBSVM text, gzipped or not"),
    BT_OPT_TEXT("output", 'o', BtLogreg, output, NULL, "FILE",
                "learn: model file to write; predict: CSV file to write"),
    BT_OPT_TEXT("test", 0, BtLogreg, test, NULL, "FILE",
                "learn: rows to test on, instead of --test-share or an idx folder's own"),
    BT_OPT_CHOICE(
        "format", BtLogreg, format, BT_DATA_AUTO, BT_DATA_CHOICES,
        "of the data; auto: idx for a folder, LIBSVM for text whose first line has INDEX:VALUE, else CSV"),
    BT_OPT_CHOICE("label", BtLogreg, label, BT_LABEL_LAST, BT_LABEL_CHOICES,
                  "column of CSV that holds the label; none: there is none, for predict alone"),
    BT_OPT_TEXT("resize", 0, BtLogreg, resize, NULL, "HxW", "learn: resize images by area averaging"),
    BT_OPT_FLAG("standardise", BtLogreg, standardise,
                "learn: bring each feature to mean 0 and deviation 1 over the training rows"),
    BT_OPT_CHOICE("ridge", BtLogreg, ridge, BT_RIDGE_COEFFICIENT, BT_RIDGE_CHOICES,
                  "learn: ridge weights, one in all, per class, per feature or per coefficient"),
    BT_OPT_CHOICE("lower-loss", BtLogreg, mean, 1, BT_LOWER_LOSS_CHOICES,
                  "learn: cross-entropy of the training rows that the ridge is added to, summed or averaged"),
    BT_OPT_REAL("ridge-floor", BtLogreg, floor, 1e-7, BT_NONNEGATIVE, "F",
                "learn: added to each ridge weight, for the mean loss (times the rows for the sum): keeps bounds provable where "
                "weights fall to nothing"),
    BT_OPT_REAL("start", BtLogreg, start, -3, BT_WITHIN(-BT_RIDGE_BOUND, BT_RIDGE_BOUND), "A",
                "learn: logarithm of all ridge weights at the start"),
    BT_OPT_CHOICE_OF("method", BtLogreg, method, BT_METHOD_AUTO, BT_METHOD_CHOICES, "METHOD",
                     "learn: " BT_METHOD_HELP "; auto: maid; isgd is for images"),
    BT_OPT_INT("train", BtLogreg, train, 0, BT_NONNEGATIVE, "N",
               "learn: rows to train on; 0: all that are neither validation nor test"),
    BT_OPT_REAL("valid-share", BtLogreg, valid_share, 0.2, BT_IN(0, 1), "S",
                "learn: share of the rows that are not test rows to validate on, the upper-level loss"),
    BT_OPT_REAL("test-share", BtLogreg, test_share, 0.2, BT_WITHIN(0, 0.9), "S",
                "learn: share of the rows to test on where data have no test rows of their own"),
    BT_OPT_INT("seed", BtLogreg, seed, 1, BT_NONNEGATIVE, "N", "learn: seed of the division into rows"),
    BT_OPT_END};

static size_t logreg_options(void *settings, BtOptionSet *sets) {
  BtLogreg *set = settings;
  size_t n = 0;
  sets[n++] = (BtOptionSet){options, set, NULL};
  sets[n++] = (BtOptionSet){bt_keeping_options, &set->keeping, "Learning's log, checkpoint and time limit"};
  n += bt_method_option_sets(&set->methods, 0, sets + n);
  sets[n++] = (BtOptionSet){bt_lower_options, &set->lower, "Lower-level solver"};
  return n;
}

BtMethodKind bt_logreg_method(const BtLogreg *set) {
  return set->method == BT_METHOD_AUTO ? BT_METHOD_MAID : (BtMethodKind)set->method;
}

typedef enum { LEARN, PREDICT, EVAL, UNKNOWN } Action;
static const struct {
  const char *name;
  size_t operands;
} actions[] = {{"learn", 1}, {"predict", 3}, {"eval", 3}};

static Action action_of(const BtApp *app) {
  for (int k = 0; k < UNKNOWN; k++)
    if (strcmp(app->operands[0], actions[k].name) == 0) return (Action)k;
  return UNKNOWN;
}

static BtStatus check_learn(BtApp *app, const BtLogreg *set) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  size_t height, width;
  BT_TRY(bt_app_require(app, set->data != NULL, "data"));
  BT_TRY(bt_app_require(app, set->output != NULL, "output"));
  if (set->resize) BT_TRY(bt_parse_size(ctx, "resize", set->resize, &height, &width));
  if (set->label == BT_LABEL_NONE)
    BT_TRY(bt_fail(ctx, BT_ERR_ARG, "--label none is for predict: learning needs labels"));
  if (set->method == BT_METHOD_ISGD)
    BT_TRY(bt_fail(ctx, BT_ERR_ARG, "--method isgd draws samples of images; use maid here"));
  BT_TRY(bt_method_check(ctx, &set->methods, bt_logreg_method(set), 0));
  st = bt_lower_check(ctx, &set->lower);
done:
  return st;
}

static BtStatus logreg_check(BtApp *app, const void *settings) {
  const BtLogreg *set = settings;
  const Action action = action_of(app);
  if (action == UNKNOWN)
    return bt_fail(&app->ctx, BT_ERR_ARG, "logreg does not know \"%.40s\"; it knows learn, predict and eval",
                   app->operands[0]);
  if (app->operand_count != actions[action].operands)
    return action == LEARN ? bt_fail(&app->ctx, BT_ERR_ARG,
                                     "logreg learn takes options only; \"%.80s\" is too many; give --data",
                                     app->operands[1])
                           : bt_fail(&app->ctx, BT_ERR_ARG,
                                     "logreg %s takes a model and data: bitune logreg %s MODEL.json DATA",
                                     actions[action].name, actions[action].name);
  if (action == LEARN) return check_learn(app, set);
  return action == PREDICT ? bt_app_require(app, set->output != NULL, "output") : BT_OK;
}

static size_t logreg_items(BtApp *app, const void *settings) {
  (void)settings;
  return action_of(app) == LEARN ? BT_LOGISTIC_CHUNKS : 1;
}

static BtStatus logreg_run(BtApp *app, void *settings) {
  const Action action = action_of(app);
  bt_app_put_text(app, "action", actions[action].name);
  if (action == LEARN) return bt_logreg_learn(app, settings);
  /* Short work for one process; under mpirun the others have none. */
  BtStatus st = BT_OK;
  if (app->team.rank == 0)
    st = action == PREDICT ? bt_logreg_predict(app, settings) : bt_logreg_eval(app, settings);
  return bt_team_agree(&app->team, &app->ctx, st);
}

const BtCommand bt_cmd_logreg = {
    .name = "logreg",
    .group = BT_GROUP_LEARNING,
    .summary = "learn ridge weights of multinomial logistic regression, and classify with them",
    .usage =
        "learn --data DIR|FILE -o MODEL.json [options]\npredict MODEL.json DATA -o predictions.csv "
        "[options]\n"
        "eval MODEL.json DATA [options]",
    .help =
        "The lower-level problem is the cross-entropy of the training rows plus half the sum of e^theta w^2 "
        "over all "
        "coefficients w, without an intercept; the upper-level loss is the mean cross-entropy of the "
        "validation rows. "
        "The logarithms theta of the ridge weights, up to one for each coefficient, are learned by the "
        "method that "
        "bitune learn uses for images; bounds are proven, since the ridge makes the problem strongly convex. "
        "Unless "
        "--alpha0 is given (as other than 0.01), method maid's first step changes a parameter by "
        "--max-step.\n\n"
        "Data are a folder with the four files of MNIST (idx, pixels scaled to [0,1]), CSV with an integer "
        "label in "
        "the last or first column, or LIBSVM text; each may be gzipped. An idx folder's own test images are "
        "the test "
        "rows; other data are divided by --seed into training, validation and test rows.\n\n"
        "predict writes the most probable class and the probabilities of all classes of each row; of an idx "
        "folder "
        "it takes the test images. eval gives loss and accuracy: given the data that the model was learned "
        "from, on "
        "its validation and test rows, otherwise on all rows.\n\n"
        "Processes share the rows (--jobs, or mpirun); the result does not depend on their number.",
    .examples =
        {{"bitune logreg learn --data mnist --resize 12x12 -o digits.json --log digits.csv",
          "The 1440 ridge weights of MNIST's digits at 12 x 12 pixels"},
         {"bitune logreg learn --data points.csv --label first --ridge feature --standardise -o points.json",
          "One ridge weight for each column of a table"},
         {"bitune logreg predict digits.json mnist -o predictions.csv",
          "Classes and probabilities of the test images"}},
    .flags = BT_USES_TEAM | BT_USES_PETSC,
    .min_operands = 1,
    .max_operands = 3,
    .operands = "files",
    .settings_size = sizeof(BtLogreg),
    .options = logreg_options,
    .check = logreg_check,
    .items = logreg_items,
    .run = logreg_run,
};
