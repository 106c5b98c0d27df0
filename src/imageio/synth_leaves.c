/* imageio/synth_leaves.c: dead leaves (Lee, Mumford, Huang 2001), painted front to back. */
#include <math.h>
#include <stdlib.h>

#include "imageio/synth_internal.h"

#define TAU 6.283185307179586
#define SMALLEST_RADIUS 1.0

/* A pixel counts as covered when less of it is open. */
#define COVERED (1.0 / 512.0)

/* What leaves of one image have in common. Two slow fields make it a place: neighbours have similar grays,
 * and busy parts alternate with calm ones, where leaves below a local radius are missing. */
typedef struct {
  double middle, spread; /* of gray levels                                        */
  double shading;        /* largest slope, per radius                             */
  double roughness;      /* largest texture contrast                              */
  double chroma;         /* of colours                                            */
  double calm;           /* octaves of radius that are missing on average         */
  double unit;           /* pixels per cell of `slow`                             */
  double *slow;          /* field of period BT_TEXTURE_SIZE, at the image's scale */
  double *texture;       /* field of period BT_TEXTURE_SIZE, at pixel scale       */
} Scene;

typedef struct {
  BtShape shape;
  double level[3];
  double slope_x, slope_y; /* per pixel                                         */
  double contrast;         /* 0: no texture                                     */
  size_t shift_x, shift_y; /* where its texture begins                          */
} Leaf;

/* Density ∝ r⁻³ on [lo, hi], by inversion. */
static double roll_radius(BtDice *dice, double lo, double hi) {
  const double a = 1.0 / (lo * lo), b = 1.0 / (hi * hi);
  return 1.0 / sqrt(a - (a - b) * bt_roll(dice));
}

static BtShape roll_shape(BtDice *dice, double x, double y, double r) {
  const double kind = bt_roll(dice), angle = bt_roll_between(dice, 0.0, TAU);
  if (kind < 0.4) return bt_shape_ellipse(x, y, r, r, 0.0);
  if (kind < 0.7) return bt_shape_ellipse(x, y, r, r * bt_roll_between(dice, 0.3, 1.0), angle);
  BtShape shape = {.x = x, .y = y, .r = r, .sides = 3 + bt_roll_index(dice, BT_SHAPE_SIDES - 2)};
  for (int i = 0; i < shape.sides; i++) {
    const double turn = angle + TAU * (i + bt_roll_between(dice, -0.15, 0.15)) / shape.sides;
    shape.nx[i] = cos(turn);
    shape.ny[i] = sin(turn);
    shape.h[i] = r * bt_roll_between(dice, 0.4, 0.9);
  }
  return shape;
}

static BtStatus create_scene(BtContext *ctx, BtDice *dice, double size, Scene *scene) {
  *scene = (Scene){.unit = size / BT_TEXTURE_SIZE};
  scene->middle = bt_roll_between(dice, 0.35, 0.6);
  scene->spread = bt_roll_between(dice, 0.6, 1.0);
  scene->shading = bt_roll_between(dice, 0.05, 0.25);
  scene->roughness = bt_roll_between(dice, 0.03, 0.12);
  scene->chroma = bt_roll_between(dice, 0.05, 0.25);
  scene->calm = bt_roll_between(dice, 0.5, 2.0);
  const BtStatus st = bt_texture_create(ctx, dice, 1.6, &scene->slow);
  if (st < 0) return st;
  return bt_texture_create(ctx, dice, bt_roll_between(dice, 0.7, 1.2), &scene->texture);
}

static void clear_scene(Scene *scene) {
  free(scene->slow);
  free(scene->texture);
}

/* The slow field at a place, or, with a shift of half its period, a second one. */
static double slow_at(const Scene *scene, double x, double y, size_t shift) {
  const size_t i = (size_t)(y / scene->unit + 8.0 * BT_TEXTURE_SIZE) + shift;
  const size_t j = (size_t)(x / scene->unit + 8.0 * BT_TEXTURE_SIZE) + shift;
  return scene->slow[i % BT_TEXTURE_SIZE * BT_TEXTURE_SIZE + j % BT_TEXTURE_SIZE];
}

/* Radius below which leaves are missing around a place. */
static double smallest_at(const Scene *scene, double x, double y) {
  return SMALLEST_RADIUS * exp2(scene->calm * (1.0 + slow_at(scene, x, y, BT_TEXTURE_SIZE / 2)));
}

static Leaf roll_leaf(BtDice *dice, const Scene *scene, int colors, double x, double y, double r) {
  Leaf leaf = {.shape = roll_shape(dice, x, y, r)};
  const double own = bt_roll(dice) - 0.5, around = 0.3 * slow_at(scene, x, y, 0);
  /* The larger a leaf, the more it is a thing of its own. */
  const double apart = 0.35 + 0.65 * fmin(r / (48.0 * scene->unit), 1.0);
  const double gray = scene->middle + scene->spread * (apart * own + (1.0 - apart) * around);
  /* Red against blue, and green against both, which leaves the luminance nearly as it is. */
  const double red = scene->chroma * (bt_roll(dice) + bt_roll(dice) - 1.0);
  const double green = 0.5 * scene->chroma * (bt_roll(dice) + bt_roll(dice) - 1.0);
  leaf.level[0] = colors == 1 ? gray : gray + red - green;
  leaf.level[1] = gray + green;
  leaf.level[2] = gray - red - green;
  const double slope = scene->shading * bt_roll(dice) / fmax(r, 4.0),
               toward = bt_roll_between(dice, 0.0, TAU);
  leaf.slope_x = slope * cos(toward);
  leaf.slope_y = slope * sin(toward);
  const double rough = bt_roll_between(dice, -0.3, 1.0);
  leaf.contrast = rough > 0.0 ? scene->roughness * (0.2 + 0.8 * rough * rough) : 0.0;
  leaf.shift_x = (size_t)bt_roll_index(dice, BT_TEXTURE_SIZE);
  leaf.shift_y = (size_t)bt_roll_index(dice, BT_TEXTURE_SIZE);
  return leaf;
}

/* Adds the leaf to what is open[height·width] of each pixel; returns how many pixels it has completed. */
static size_t paint(const Leaf *leaf, const double *texture, double *open, BtImage *image) {
  size_t top, bottom, left, right, completed = 0;
  bt_shape_box_in(&leaf->shape, image->height, image->width, &top, &bottom, &left, &right);
  for (size_t i = top; i < bottom; i++)
    for (size_t j = left; j < right; j++) {
      const size_t p = i * image->width + j;
      if (open[p] < COVERED) continue;
      const double cover = bt_shape_cover(&leaf->shape, (double)j, (double)i);
      if (cover <= 0.0) continue;
      const size_t u = (j + leaf->shift_x) % BT_TEXTURE_SIZE, v = (i + leaf->shift_y) % BT_TEXTURE_SIZE;
      const double shade = leaf->slope_x * ((double)j - leaf->shape.x) +
                           leaf->slope_y * ((double)i - leaf->shape.y) +
                           leaf->contrast * texture[v * BT_TEXTURE_SIZE + u];
      const double part = open[p] * cover;
      for (int c = 0; c < image->colors; c++) bt_image_plane(image, c)[p] += part * (leaf->level[c] + shade);
      open[p] -= part;
      completed += open[p] < COVERED;
    }
  return completed;
}

BtStatus bt_synth_leaves(BtContext *ctx, BtDice *dice, BtImage *image) {
  const size_t n = bt_image_plane_size(image);
  const double width = (double)image->width, height = (double)image->height;
  const double largest = fmax(fmax(width, height), 2.0 * SMALLEST_RADIUS);
  double *open = NULL;
  Scene scene;
  BtStatus st = BT_OK;
  BT_TRY(create_scene(ctx, dice, largest, &scene));
  open = malloc(n * sizeof *open);
  if (!open) {
    st = bt_fail_memory(ctx, "dead leaves", (double)(n * sizeof *open));
    goto done;
  }
  for (size_t p = 0; p < n; p++) open[p] = 1.0;

  for (size_t left = n; left > 0;) {
    const double r = roll_radius(dice, SMALLEST_RADIUS, largest);
    /* Leaves fall on the whole plane; those that cannot touch the image are skipped. */
    const double reach = (width + 2.0 * r) * (height + 2.0 * r);
    if (bt_roll(dice) * (width + 2.0 * largest) * (height + 2.0 * largest) > reach) continue;
    const double x = bt_roll_between(dice, -r, width + r), y = bt_roll_between(dice, -r, height + r);
    if (r < smallest_at(&scene, x, y)) continue;
    const Leaf leaf = roll_leaf(dice, &scene, image->colors, x, y, r);
    left -= paint(&leaf, scene.texture, open, image);
  }
  for (size_t p = 0; p < n; p++)
    for (int c = 0; c < image->colors; c++) bt_image_plane(image, c)[p] /= 1.0 - open[p];

done:
  free(open);
  clear_scene(&scene);
  return st;
}
