/* What is learned from. */
#include "images/size.h"
#include "learn/learn.h"

/* Side of the windows unless --crop says otherwise. */
enum { WINDOW = 64 };

BtStatus bt_learn_window(BtContext *ctx, const BtLearn *set, BtShape *window) {
  *window = (BtShape){WINDOW, WINDOW};
  return set->crop ? bt_parse_size(ctx, "crop", set->crop, &window->height, &window->width) : BT_OK;
}

static BtStatus load_windows(BtApp *app, BtLearnRun *run) {
  const BtLearn *set = run->set;
  const int stochastic = bt_method_is_stochastic(bt_learn_method(set));
  const BtTrainingSpec spec = {
      .folder = set->train, .limit = (size_t)set->images, .white = set->white, .seed = set->seed};
  const size_t count = (size_t)(stochastic ? set->batch : set->crops);
  BtShape window;
  BtStatus st = bt_team_agree(&app->team, &app->ctx, bt_learn_window(&app->ctx, set, &window));
  if (st == BT_OK) st = bt_training_set_load(app, &spec, &run->training);
  if (st == BT_OK) st = bt_planes_share(app, &run->training, window, &run->planes);
  if (st == BT_OK) {
    st = bt_windows_create(app, &run->planes, count, window, set->sigma, set->seed, &run->windows);
    if (st >= 0) st = bt_windows_draw(&run->windows, &app->ctx, BT_DRAW_FIXED);
    st = bt_team_agree(&app->team, &app->ctx, st);
  }
  run->images = run->planes.count;
  run->count = count;
  run->noisy = run->windows.noisy;
  run->truth = run->windows.truth;
  return st;
}

static BtStatus load_images(BtApp *app, BtLearnRun *run) {
  const BtLearn *set = run->set;
  BtTrainingSpec spec = {.folder = set->train,
                         .limit = (size_t)set->images,
                         .sigma = set->sigma,
                         .white = set->white,
                         .seed = set->seed};
  BtShape window;
  BtStatus st = bt_team_agree(&app->team, &app->ctx, bt_learn_window(&app->ctx, set, &window));
  if (set->crop) spec.crop_height = window.height, spec.crop_width = window.width;
  if (st == BT_OK) st = bt_training_set_load(app, &spec, &run->training);
  run->images = run->count = run->training.count;
  run->noisy = run->training.noisy;
  run->truth = run->training.truth;
  return st;
}

BtStatus bt_learn_draw(void *data, BtContext *ctx, int64_t k) {
  BtLearnRun *run = data;
  const BtStatus st = bt_windows_draw(&run->windows, ctx, k);
  if (st >= 0 && run->observed.count) bt_observed_apply(&run->observed);
  return st;
}

static BtStatus observe(BtApp *app, BtLearnRun *run) {
  const BtLearn *set = run->set;
  if (!bt_observing(&set->observing)) return BT_OK;
  BtStatus st =
      bt_observed_create(app, &set->observing, set->seed, run->count, run->noisy, run->truth, &run->observed);
  if (st >= 0) bt_observed_apply(&run->observed);
  return bt_team_agree(&app->team, &app->ctx, st);
}

BtStatus bt_learn_data(BtApp *app, BtLearnRun *run) {
  const int windows = run->set->crops > 0 || bt_method_is_stochastic(bt_learn_method(run->set));
  const BtStatus st = windows ? load_windows(app, run) : load_images(app, run);
  return st == BT_OK ? observe(app, run) : st;
}
