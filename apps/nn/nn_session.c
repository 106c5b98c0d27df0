#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/nn.h"
#include "nn/nn_pictures.h"

int bt_nn_threads(const BtNn *set) { return set->threads > 0 ? (int)set->threads : bt_app_cores(); }

/* Sets that are read from files; others are generated. */
static int needs_path(const NnDataOptions *o) { return o->kind <= NN_DATA_CLASSES; }

/* Images are read here: networks build without the libraries that read them. */
static BtStatus open_data(BtContext *ctx, const NnDataOptions *options, NnData **data) {
  NnDataOptions o = *options;
  BtNnPictures images = {0}, tests = {0};
  BtStatus st = BT_OK;
  if (o.kind == NN_DATA_IMAGES) {
    BT_COMPLETE(bt_nn_pictures_read(ctx, o.path, NULL, &images));
    if (o.test_path) BT_COMPLETE(bt_nn_pictures_read(ctx, o.test_path, &images, &tests));
    o.images = images.picture, o.image_count = images.count;
    o.test_images = tests.picture, o.test_image_count = tests.count;
  }
  BT_COMPLETE(nn_data_open(ctx, &o, data));
done:
  bt_nn_pictures_clear(&images);
  bt_nn_pictures_clear(&tests);
  return st;
}

static BtStatus choose_data(BtContext *ctx, const BtNn *set, const NnTask *task, NnDataOptions *o) {
  *o = task->data;
  if (set->data) o->path = set->data;
  if (!needs_path(o) || o->path) return BT_OK;
  return bt_fail(ctx, BT_ERR_ARG, "--data is required: the folder of the data of %s", task->file);
}

BtStatus bt_nn_session_foresee(BtContext *ctx, const BtNn *set, const NnTask *task, NnDataInfo *info) {
  NnDataOptions o;
  NnData *data = NULL;
  BtStatus st = choose_data(ctx, set, task, &o);
  if (st < 0 || nn_data_foresee(&o, info)) return st;
  BT_COMPLETE(open_data(ctx, &o, &data));
  *info = *nn_data_info(data);
  info->mean = info->deviation = NULL;
done:
  nn_data_close(data);
  return st;
}

BtStatus bt_nn_session_open(BtApp *app, const BtNn *set, NnTask *task, BtNnSession *s) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  *s = (BtNnSession){.task = task};
  NnDataOptions o;
  st = choose_data(ctx, set, task, &o);
  if (st < 0) return st;
  const int threads = bt_nn_threads(set) / app->team.size;
  /* Ranks that are to use "cuda" have a device each. */
  char device[32];
  const int each = app->team.size > 1 && strncmp(set->device, "cuda", 4) == 0 && !strchr(set->device, ':');
  if (each) snprintf(device, sizeof device, "cuda:%d%.20s", app->team.rank, set->device + 4);
  BT_TRY(nn_backend_open(ctx, each ? device : set->device, threads > 0 ? threads : 1, &s->backend));
  BT_COMPLETE(open_data(ctx, &o, &s->data));
done:
  return st;
}

void bt_nn_session_clear(BtNnSession *s) {
  nn_data_close(s->data);
  nn_backend_close(s->backend);
  nn_task_free(s->task);
  *s = (BtNnSession){0};
}

json_t *bt_nn_hyper_json(const NnHyperSet *hyper, const double *values) {
  json_t *object = json_object();
  for (size_t i = 0; object && i < hyper->count; i++)
    (void)json_object_set_new(object, hyper->item[i].name,
                              json_real(hyper->item[i].range.discrete ? floor(values[i]) : values[i]));
  return object;
}
