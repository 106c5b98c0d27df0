/* Augmentations: identity without training, without derivatives. */
#include "nn/augment.h"
#include "nn/graph_internal.h"

enum { X, RATES };

static NnImages images(const NnGraph *g, const NnNode *n) {
  return (NnImages){g->run.batch, n->shape.dim[0], n->shape.dim[1], n->shape.dim[2]};
}

static NnStrengths strengths(const NnGraph *g, const NnNode *n) {
  const NnNode *rates = nn_in(g, n, RATES);
  NnStrengths s = {.stride = rates->batched ? nn_shape_size(rates->shape) : 0};
  for (int k = 0; k < NN_MOST_STRENGTHS; k++)
    if (n->strength[k] >= 0) s.column[k] = rates->value + n->strength[k];
  return s;
}

static void copy(NnGraph *g, NnNode *n) {
  g->k->axpby(g->backend, nn_count(g, n), 1, nn_in(g, n, X)->value, 0, n->value);
}

static void flip_forward(NnGraph *g, NnNode *n) {
  const NnImages size = images(g, n);
  if (!g->run.training) {
    copy(g, n);
    return;
  }
  g->k->flip(g->backend, nn_key(g, n->stream), &size, nn_in(g, n, X)->value, n->value);
}

static void crop_forward(NnGraph *g, NnNode *n) {
  const NnImages size = images(g, n);
  if (!g->run.training) {
    copy(g, n);
    return;
  }
  g->k->crop(g->backend, nn_key(g, n->stream), &size, n->offset, nn_in(g, n, X)->value, n->value);
}

typedef void Kernel(NnBackend *b, NnKey key, const NnImages *n, const NnStrengths *s, const NnReal *x,
                    NnReal *y);

static void with_strengths(NnGraph *g, NnNode *n, Kernel *kernel) {
  const NnImages size = images(g, n);
  const NnStrengths s = strengths(g, n);
  if (g->run.training)
    kernel(g->backend, nn_key(g, n->stream), &size, &s, nn_in(g, n, X)->value, n->value);
  else
    copy(g, n);
}

static void cutout_forward(NnGraph *g, NnNode *n) { with_strengths(g, n, g->k->cutout); }
static void jitter_forward(NnGraph *g, NnNode *n) { with_strengths(g, n, g->k->jitter); }
static void affine_forward(NnGraph *g, NnNode *n) { with_strengths(g, n, g->k->affine); }

/* A strength that is not positive gives no noise: its positive part scales. */
static void noise_forward(NnGraph *g, NnNode *n) {
  const size_t size = nn_shape_size(n->shape), count = nn_count(g, n);
  const NnRows rows = {g->run.batch, 1, 1, size};
  const NnStrengths s = strengths(g, n);
  copy(g, n);
  if (!g->run.training || !s.column[0]) return;
  NnReal *scale = g->work, *noise = scale + g->max_batch;
  g->k->copy_rows(g->backend, rows.rows, 1, 1, s.column[0], s.stride, 0, noise, 1);
  g->k->unary(g->backend, NN_RELU, rows.rows, noise, scale);
  g->k->normal(g->backend, nn_key(g, n->stream), count, noise);
  g->k->scale(g->backend, rows, scale, 1, noise, 1, n->value);
}

static void no_derivative(NnGraph *g, NnNode *n) { (void)g, (void)n; }

static const NnOp flip_op = {"flip", flip_forward, no_derivative, no_derivative};
static const NnOp crop_op = {"crop", crop_forward, no_derivative, no_derivative};
static const NnOp cutout_op = {"cutout", cutout_forward, no_derivative, no_derivative};
static const NnOp jitter_op = {"jitter", jitter_forward, no_derivative, no_derivative};
static const NnOp affine_op = {"affine", affine_forward, no_derivative, no_derivative};
static const NnOp noise_op = {"input_noise", noise_forward, no_derivative, no_derivative};

/* Whether the values of a node have a derivative in any parameter. */
static int depends(const NnGraph *g, NnId id) {
  const NnNode *n = nn_node(g, id);
  if (n->group) return n->group != NN_BUFFER;
  for (int i = 0; i < n->inputs; i++)
    if (n->input[i] != NN_NONE && !(n->constants >> i & 1) && depends(g, n->input[i])) return 1;
  return 0;
}

static NnId augment(NnGraph *g, const NnOp *op, NnId x, NnId rates, const int *columns, int count,
                    size_t pad) {
  const NnId ids[] = {x, rates};
  char text[64];
  if (!nn_nodes_valid(g, op->name, count ? 2 : 1, ids)) return NN_NONE;
  const NnNode *u = nn_node(g, x), *r = count ? nn_node(g, rates) : NULL;
  NnNode n = {.op = op,
              .shape = u->shape,
              .batched = 1,
              .inputs = count ? 2 : 1,
              .input = {x, rates},
              .offset = pad,
              .constants = 1u << X | 1u << RATES,
              .strength = {-1, -1, -1, -1}};
  if (!u->batched || (op != &noise_op && u->shape.dims != 3))
    return nn_node_fail(g, BT_ERR_ARG, "%s: x must be a batched image, not %s", op->name,
                        nn_shape_text(u->shape, text));
  if (depends(g, x))
    return nn_node_fail(g, BT_ERR_ARG,
                        "%s: x depends on parameters; augmentations act on data and have no derivative",
                        op->name);
  for (int k = 0; k < count; k++) {
    if (r->shape.dims != 1 || columns[k] >= (int)r->shape.dim[0])
      return nn_node_fail(g, BT_ERR_ARG, "%s: the rates have no column %d", op->name, columns[k]);
    n.strength[k] = columns[k];
  }
  if (op == &noise_op) n.work = g->max_batch * (1 + nn_shape_size(u->shape));
  n.stream = ++g->streams;
  return nn_node_add(g, &n);
}

NnId nn_flip(NnGraph *g, NnId x) { return augment(g, &flip_op, x, NN_NONE, NULL, 0, 0); }

NnId nn_crop(NnGraph *g, NnId x, size_t pad) {
  if (pad > 1 << 16) return nn_node_fail(g, BT_ERR_ARG, "crop: a padding of %zu pixels is too large", pad);
  return augment(g, &crop_op, x, NN_NONE, NULL, 0, pad);
}

NnId nn_cutout(NnGraph *g, NnId x, NnId rates, int length, int holes) {
  if (length < 0) return nn_node_fail(g, BT_ERR_ARG, "cutout: there is no column of lengths");
  const int columns[] = {[NN_CUTOUT_LENGTH] = length, [NN_CUTOUT_HOLES] = holes};
  return augment(g, &cutout_op, x, rates, columns, 2, 0);
}

NnId nn_jitter(NnGraph *g, NnId x, NnId rates, NnJitterColumns c) {
  const int columns[] = {[NN_JITTER_HUE] = c.hue,
                         [NN_JITTER_SATURATION] = c.saturation,
                         [NN_JITTER_BRIGHTNESS] = c.brightness,
                         [NN_JITTER_CONTRAST] = c.contrast};
  const NnId id = augment(g, &jitter_op, x, rates, columns, 4, 0);
  if (id == NN_NONE) return id;
  const size_t channels = nn_node(g, id)->shape.dim[0];
  if (channels != 3 && (channels != 1 || c.hue >= 0 || c.saturation >= 0))
    return nn_node_fail(g, BT_ERR_ARG,
                        "jitter: %zu channels; hue and saturation need 3, brightness and contrast 3 or 1",
                        channels);
  return id;
}

NnId nn_affine(NnGraph *g, NnId x, NnId rates, NnAffineColumns c) {
  const int columns[] = {[NN_AFFINE_ROTATION] = c.rotation,
                         [NN_AFFINE_SHEAR] = c.shear,
                         [NN_AFFINE_TRANSLATION] = c.translation,
                         [NN_AFFINE_SCALE] = c.scale};
  return augment(g, &affine_op, x, rates, columns, 4, 0);
}

NnId nn_input_noise(NnGraph *g, NnId x, NnId rates, int column) {
  return augment(g, &noise_op, x, rates, &column, 1, 0);
}
