/* Descriptions in JSON: the built-in tasks are the networks that they say, and what is wrong in a file is
 * named. */
#include "nn/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "nn/task.h"
#include "nn_check.h"

static const double mean[3] = {0.4, 0.5, 0.6}, deviation[3] = {0.2, 0.2, 0.3};

static size_t weights(const NnModel *m) {
  size_t n = 0;
  for (int i = 0; i < nn_graph_nodes(m->graph); i++)
    if (nn_graph_group(m->graph, i) == NN_GENERAL) n += nn_shape_size(nn_graph_shape(m->graph, i));
  return n;
}

/* Hyperparameters and weights of the networks, by hand: a fully connected layer has (in + 1) out, a
 * convolution (in k² + 1) out, an LSTM here 4h(in + h + 1), batch norm 2 for each channel. */
static void published(void) {
  const struct {
    const char *task;
    NnShape x;
    size_t positions, classes, channels, hyper, weights;
  } rows[] = {
      {"mnist-mlp", NN_SHAPE(1, 28, 28), 1, 10, 1, 3, 785 * 1200 + 1201 * 1200 + 1201 * 10},
      {"fmnist-cnn", NN_SHAPE(1, 28, 28), 1, 10, 1, 6, 26 * 16 + 401 * 32 + 1569 * 1568 + 1569 * 10},
      {"cifar-alexnet", NN_SHAPE(3, 32, 32), 1, 10, 3, 18,
       28 * 64 + 577 * 192 + 1729 * 384 + 3457 * 256 + 2305 * 256 + 1025 * 4096 + 4097 * 4096 + 4097 * 10},
      {"cifar-vgg16", NN_SHAPE(3, 32, 32), 1, 10, 3, 26, 14714688 + 513 * 512 + 513 * 10},
      {"cifar-resnet18", NN_SHAPE(3, 32, 32), 1, 10, 3, 19, 11173962},
      {"ptb-lstm", NN_SHAPE(70), 70, 10000, 0, 7, 10000 * 650 + 10000 + 2 * 2600 * 1301},
  };
  BtContext ctx;
  bt_context_init(&ctx);
  NnBackend *backend = nn_test_backend(1);
  BT_NEED(backend);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const NnProblem p = {.x = rows[i].x,
                         .label = NN_SHAPE(rows[i].positions),
                         .classes = rows[i].classes,
                         .tokens = rows[i].positions > 1,
                         .channels = rows[i].channels,
                         .mean = rows[i].channels ? mean : NULL,
                         .deviation = rows[i].channels ? deviation : NULL};
    const NnModelOptions o = {.max_batch = 1};
    NnTask *task = NULL;
    NnModel *m = NULL;
    if (BT_CHECK_STATUS(nn_task_load(&ctx, rows[i].task, &task), BT_OK, &ctx) &&
        BT_CHECK_STATUS(nn_model_create(&ctx, backend, task->file, task->model, &task->hyper, &p, &o, &m),
                        BT_OK, &ctx)) {
      BT_CHECK_ROW(task->hyper.count == rows[i].hyper, "%s: %zu hyperparameters", rows[i].task,
                   task->hyper.count);
      BT_CHECK_ROW(weights(m) == rows[i].weights, "%s: %zu weights, by hand %zu", rows[i].task, weights(m),
                   rows[i].weights);
    }
    nn_model_destroy(m);
    nn_task_free(task);
  }
  nn_backend_close(backend);
}

/* Every built-in task can be read. */
static void built_in(void) {
  BtContext ctx;
  bt_context_init(&ctx);
  size_t n = 0;
  for (const char *name; (name = nn_task_name(n)); n++) {
    NnTask *task = NULL;
    BT_CHECK_STATUS(nn_task_load(&ctx, name, &task), BT_OK, &ctx);
    nn_task_free(task);
  }
  BT_CHECK(n >= 9 && nn_task_text("nothing", &n) == NULL);
}

/* What is wrong in the layers. */
static void layer_faults(void) {
  static const struct {
    const char *layers, *text;
  } rows[] = {
      {"[]", "must be an array that is not empty"},
      {"[{\"out\": 3}]", "layer 1: needs a \"type\""},
      {"[{\"type\": \"lineal\", \"out\": 3}]", "layer 1 (lineal): there is no such layer"},
      {"[{\"type\": \"flatten\"}, {\"type\": \"linear\"}]", "layer 2 (linear): \"out\" must be"},
      {"[{\"type\": \"linear\", \"out\": 10}]", "layer 1 (linear): takes vectors"},
      {"[{\"type\": \"flatten\"}, {\"type\": \"conv2d\", \"out\": 4}]", "layer 2 (conv2d): takes images"},
      {"[{\"type\": \"conv2d\", \"out\": 4, \"kernel\": 9}]", "layer 1 (conv2d): conv2d: filters"},
      {"[{\"type\": \"conv2d\", \"out\": 4, \"kernal\": 3}]", "there is no field \"kernal\""},
      {"[{\"type\": \"dropout\"}]", "needs a \"rate\""},
      {"[{\"type\": \"dropout\", \"rate\": \"p\"}]", "there is no hyperparameter \"p\""},
      {"[{\"type\": \"dropout\", \"rate\": 0.1, \"of\": \"channels\"}]", "drops whole images"},
      {"[{\"type\": \"dropout\", \"rate\": -0.1}]", "must not be negative"},
      {"[{\"type\": \"dropout\", \"rate\": 1.5}]", "\"rate\" must be below 1"},
      {"[{\"type\": \"dropout\", \"rate\": \"free\"}]", "the range of \"free\" must end at 1 or below"},
      {"[{\"type\": \"flatten\"}, {\"type\": \"linear\", \"out\": 3}]",
       "its result has 3 values, the data have 4 classes"},
      {"[{\"type\": \"residual\", \"layers\": [{\"type\": \"conv2d\", \"out\": 1, \"pad\": 1}]}, {\"type\": "
       "\"x\"}]",
       "layer 2 (x)"},
      {"[{\"type\": \"residual\", \"layers\": [{\"type\": \"relu\"}, {\"type\": \"y\"}]}]", "layer 1.2 (y)"},
      {"[{\"type\": \"residual\", \"layers\": [{\"type\": \"conv2d\", \"out\": 2}]}]",
       "layer 1 (residual): add"},
      {"[{\"type\": \"cutout\", \"length\": 3, \"holes\": \"rate\"}]", "must all be numbers, or all names"},
      {"[{\"type\": \"embedding\", \"out\": 4}]", "must be the first layer, of data that are text"},
      {"[{\"type\": \"decoder\"}]", "there is none before it"},
      {"[{\"type\": \"flatten\"}, {\"type\": \"relu\", \"out\": 1}]", "there is no field \"out\""},
      {"[{\"type\": \"max-pool\"}]", "model: its result does not fit the data"},
  };
  static const char hyper[] = "[{\"name\": \"rate\", \"low\": 0, \"high\": 1, \"initial\": 0.5},"
                              " {\"name\": \"free\", \"low\": 0, \"initial\": 0.5}]";
  const NnProblem p = {.x = NN_SHAPE(1, 6, 6), .label = NN_SHAPE(1), .classes = 4, .channels = 1};
  const NnModelOptions o = {.max_batch = 2, .responds = 1, .centred = 1};
  BtContext ctx;
  NnHyperSet set;
  bt_context_init(&ctx);
  NnBackend *backend = nn_test_backend(1);
  BT_NEED(backend);
  json_t *array = json_loads(hyper, 0, NULL);
  BT_CHECK_STATUS(nn_hyper_parse(&ctx, "m.json", array, &set), BT_OK, &ctx);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    NnModel *m = NULL;
    json_t *description = json_object();
    json_object_set_new(description, "layers", json_loads(rows[i].layers, 0, NULL));
    const BtStatus st = nn_model_create(&ctx, backend, "m.json", description, &set, &p, &o, &m);
    BT_CHECK_ROW(st == BT_ERR_FORMAT && !m, "%s: status %d", rows[i].layers, (int)st);
    BT_CHECK_ROW(strncmp(ctx.error, "m.json: ", 8) == 0 && strstr(ctx.error, rows[i].text), "%s: %s",
                 rows[i].layers, ctx.error);
    nn_model_destroy(m);
    json_decref(description);
  }
  nn_hyper_clear(&set);
  json_decref(array);
  nn_backend_close(backend);
}

/* And in the rest of a task. Each row replaces one field of a good one. */
static void task_faults(void) {
  static const struct {
    const char *key, *value, *text;
  } rows[] = {
      {"model", NULL, "needs a \"model\""},
      {"optimizer", NULL, "needs an \"optimizer\""},
      {"epoch", "3", "there is no field \"epoch\""},
      {"batch", "0", "\"batch\" must be a whole number"},
      {"data", "{\"kind\": \"mnits\"}", "t.json: data: "},
      {"data", "{\"kind\": \"digits\", \"valid_share\": 2}", "t.json: data: "},
      {"optimizer", "{\"kind\": \"sgd\"}", "needs a \"rate\""},
      {"optimizer", "{\"kind\": \"sgb\", \"rate\": 1}", "must be one of sgd|adam|adamw|rmsprop"},
      {"optimizer",
       "{\"kind\": \"sgd\", \"rate\": 1, \"schedule\": {\"kind\": \"step\", \"milestones\": [3, 2]}}",
       "milestones must ascend"},
      {"tuning", "{\"optimizer\": {\"kind\": \"adam\"}}", "tuning: optimizer: needs a \"rate\""},
      {"hyperparameters", "3", "must be an array"},
      {"hyperparameters", "[{\"name\": \"a\", \"low\": 0, \"high\": 1, \"initial\": 1.5}]",
       "outside its range (0, 1)"},
      {"hyperparameters", "[{\"name\": \"a\", \"low\": 0, \"high\": 1, \"initial\": 0}]",
       "outside its range (0, 1)"},
      {"hyperparameters", "[{\"name\": \"a\", \"low\": 1, \"high\": 0, \"initial\": 0.5}]", "is empty"},
      {"hyperparameters", "[{\"name\": \"a\", \"initial\": 1, \"unti\": \"x\"}]",
       "there is no field \"unti\""},
      {"hyperparameters", "[{\"name\": \"a\", \"initial\": 1}, {\"name\": \"a\", \"initial\": 1}]",
       "there is another \"a\""},
  };
  BtContext ctx;
  bt_context_init(&ctx);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    size_t size;
    NnTask *task = NULL;
    const char *text = nn_task_text("tiny-mlp", &size);
    json_t *json = json_loadb(text, size, 0, NULL);
    json_t *value = rows[i].value ? json_loads(rows[i].value, JSON_DECODE_ANY, NULL) : NULL;
    if (value)
      json_object_set_new(json, rows[i].key, value);
    else
      json_object_del(json, rows[i].key);
    BT_CHECK_ROW(nn_task_parse(&ctx, "t.json", json, &task) == BT_ERR_FORMAT && !task, "%s: %s", rows[i].key,
                 rows[i].value ? rows[i].value : "missing");
    BT_CHECK_ROW(strncmp(ctx.error, "t.json: ", 8) == 0 && strstr(ctx.error, rows[i].text), "%s: %s",
                 rows[i].key, ctx.error);
    nn_task_free(task);
    json_decref(json);
  }
}

/* Values of hyperparameters by column, their derivatives' kinds aside: each range, discrete or not, shared or
 * not. */
static void ranges(void) {
  static const char text[] =
      "[{\"name\": \"both\", \"low\": 1, \"high\": 3, \"initial\": 1.5}, {\"name\": \"low\", \"low\": -1, "
      "\"initial\": 2},"
      " {\"name\": \"high\", \"high\": 4, \"initial\": 3}, {\"name\": \"free\", \"initial\": -7},"
      " {\"name\": \"log\", \"low\": 0, \"log\": true, \"initial\": 1e-4},"
      " {\"name\": \"whole\", \"low\": 0, \"high\": 9, \"discrete\": true, \"initial\": 4},"
      " {\"name\": \"batch\", \"low\": 0, \"high\": 1, \"initial\": 0.25, \"per_batch\": true}]";
  enum { COUNT = 7, ROWS = 5 };
  NnReal rates[ROWS * COUNT], first[COUNT], delta[ROWS * COUNT];
  BtContext ctx;
  NnHyperSet set;
  NnGraph *g;
  bt_context_init(&ctx);
  NnBackend *backend = nn_test_backend(1);
  json_t *array = json_loads(text, 0, NULL);
  BT_NEED(backend && array);
  BT_CHECK_STATUS(nn_hyper_parse(&ctx, "h.json", array, &set), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_graph_create(&ctx, backend, ROWS, &g), BT_OK, &ctx);
  const NnHyperNodes n = nn_hyper_nodes(g, &set, 1);
  BT_CHECK_STATUS(nn_graph_close(&ctx, g), BT_OK, &ctx);
  BT_CHECK_STATUS(nn_hyper_initial(&ctx, g, &set, &n, NULL), BT_OK, &ctx);
  for (int perturbed = 0; perturbed < 2; perturbed++) {
    const NnRun run = {.batch = ROWS, .perturbed = perturbed, .seed = 1};
    BT_CHECK_STATUS(nn_graph_forward(&ctx, g, &run), BT_OK, &ctx);
    BT_CHECK_STATUS(nn_graph_get(&ctx, g, n.rates, rates, ROWS * COUNT), BT_OK, &ctx);
    BT_CHECK_STATUS(nn_graph_get(&ctx, g, n.delta, delta, ROWS * COUNT), BT_OK, &ctx);
    if (perturbed == 0) memcpy(first, rates, sizeof first);
    for (int r = 0; r < ROWS; r++)
      for (int i = 0; i < COUNT; i++) {
        const NnHyper *h = &set.item[i];
        const NnReal x = rates[r * COUNT + i];
        if (!perturbed) BT_CHECK_NEAR((double)x, h->initial, 1e-6 * (1 + 7 * (h->initial < 0)));
        BT_CHECK_ROW((double)x >= h->range.low && (double)x <= h->range.high, "%s: %g", h->name, (double)x);
        if (h->range.discrete) BT_CHECK(x == (NnReal)(int)x);
        if (!perturbed) BT_CHECK(delta[r * COUNT + i] == 0);
        const int same = x == rates[i] && delta[r * COUNT + i] == delta[i];
        if (perturbed && r > 0 && !h->range.discrete)
          BT_CHECK_ROW(same == h->per_batch, "%s: row %d", h->name, r);
      }
  }
  nn_graph_destroy(g);
  nn_hyper_clear(&set);
  json_decref(array);
  nn_backend_close(backend);
}

static const BtTest tests[] = {{"built-in tasks", built_in},
                               {"networks as published", published},
                               {"faults in layers", layer_faults},
                               {"faults in tasks", task_faults},
                               {"ranges", ranges}};

int main(void) { return bt_test_main("models", tests, sizeof tests / sizeof *tests); }
