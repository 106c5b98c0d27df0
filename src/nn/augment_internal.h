/* nn/augment_internal.h: what an augmentation draws for an example and does to a pixel, for hosts and devices
 * (C and CUDA C++), so that all backends agree.
 *
 * Each example has blocks of its own: block row·NN_…_BLOCKS + i, four 32-bit words each. Strengths that are
 * not positive, or NaN, do nothing. */
#ifndef BITUNE_NN_AUGMENT_INTERNAL_H
#define BITUNE_NN_AUGMENT_INTERNAL_H

#include <math.h>

#include "nn/draw_internal.h"

/* Strength k of row r, 0 where there is no such column. */
NN_BOTH double nn_strength(const NnStrengths *s, int k, size_t row) {
  const double v = s->column[k] ? (double)s->column[k][row * s->stride] : 0;
  return v > 0 ? v : 0;
}

/* 0 … n − 1 */
NN_BOTH size_t nn_word_below(uint32_t word, size_t n) { return (size_t)(((uint64_t)word * n) >> 32); }

/* Uniform on (low, high); `low` itself where both are the same. */
NN_BOTH double nn_word_between(uint32_t word, double low, double high) {
  return low + (high - low) * (((double)word + 0.5) * 0x1p-32);
}

/* Flip: with probability ½ the image is read from right to left. */
NN_BOTH int nn_flip_draw(NnKey key, size_t row) {
  const NnWords u = nn_draw(key, row);
  return u.w[0] >> 31 != 0;
}

/* Crop: where the window begins in the image padded by `pad` on all sides. */
NN_BOTH void nn_crop_draw(NnKey key, size_t row, size_t pad, size_t *down, size_t *right) {
  const NnWords u = nn_draw(key, row);
  *down = nn_word_below(u.w[0], 2 * pad + 1);
  *right = nn_word_below(u.w[1], 2 * pad + 1);
}

/* Cutout (DeVries, Taylor 2017, arXiv:1708.04552): square holes around pixels drawn uniformly. */
#define NN_MOST_HOLES 32
#define NN_CUTOUT_BLOCKS (NN_MOST_HOLES / 2)
typedef struct {
  int holes, length;
  int top[NN_MOST_HOLES], left[NN_MOST_HOLES]; /* first row and column, may be negative */
} NnHoles;

NN_BOTH void nn_cutout_draw(NnKey key, const NnImages *n, const NnStrengths *s, size_t row, NnHoles *h) {
  const double most = (double)(n->height > n->width ? n->height : n->width) * 2;
  const double length = floor(nn_strength(s, NN_CUTOUT_LENGTH, row));
  const double holes = s->column[NN_CUTOUT_HOLES] ? floor(nn_strength(s, NN_CUTOUT_HOLES, row)) : 1;
  h->length = (int)(length < most ? length : most);
  h->holes = h->length > 0 ? (int)(holes < NN_MOST_HOLES ? holes : NN_MOST_HOLES) : 0;
  for (int k = 0; k < h->holes; k += 2) {
    const NnWords u = nn_draw(key, row * NN_CUTOUT_BLOCKS + (size_t)k / 2);
    for (int i = 0; i < 2; i++) {
      h->top[k + i] = (int)nn_word_below(u.w[2 * i], n->height) - h->length / 2;
      h->left[k + i] = (int)nn_word_below(u.w[2 * i + 1], n->width) - h->length / 2;
    }
  }
}

NN_BOTH int nn_in_hole(const NnHoles *h, int i, int j) {
  for (int k = 0; k < h->holes; k++)
    if (i >= h->top[k] && i < h->top[k] + h->length && j >= h->left[k] && j < h->left[k] + h->length)
      return 1;
  return 0;
}

/* Jitter: factors of brightness, contrast and saturation, 1 for none; a turn of the hue, 0 for none. */
typedef struct {
  NnReal brightness, contrast, saturation, turn;
} NnJitter;

NN_BOTH double nn_factor_draw(uint32_t word, double strength) {
  return nn_word_between(word, strength < 1 ? 1 - strength : 0, 1 + strength);
}

NN_BOTH NnJitter nn_jitter_draw(NnKey key, const NnStrengths *s, size_t row) {
  NnJitter j;
  const NnWords u = nn_draw(key, row);
  const double hue = nn_strength(s, NN_JITTER_HUE, row);
  j.brightness = (NnReal)nn_factor_draw(u.w[0], nn_strength(s, NN_JITTER_BRIGHTNESS, row));
  j.contrast = (NnReal)nn_factor_draw(u.w[1], nn_strength(s, NN_JITTER_CONTRAST, row));
  j.saturation = (NnReal)nn_factor_draw(u.w[2], nn_strength(s, NN_JITTER_SATURATION, row));
  j.turn = (NnReal)nn_word_between(u.w[3], hue < 0.5 ? -hue : -0.5, hue < 0.5 ? hue : 0.5);
  return j;
}

NN_BOTH NnReal nn_unit(NnReal x) { return x > 0 ? (x < 1 ? x : 1) : 0; }

/* Luma of ITU-R BT.601. */
NN_BOTH NnReal nn_gray(NnReal r, NnReal g, NnReal b) {
  return (NnReal)0.299 * r + (NnReal)0.587 * g + (NnReal)0.114 * b;
}

/* a + factor·(x − a) in [0, 1]; x itself for the factor 1. */
NN_BOTH NnReal nn_towards(NnReal x, NnReal a, NnReal factor) {
  return factor == 1 ? x : nn_unit(a + factor * (x - a));
}

/* One colour of a pixel of value v and chroma c = max − min from its hue h in sixths of a turn: v − c·f(n +
 * h), f(k) = max(0, min(k, 4 − k, 1)), n = 5 for red, 3 for green, 1 for blue. */
NN_BOTH NnReal nn_from_hue(NnReal v, NnReal c, NnReal h, int n) {
  NnReal k = h + (NnReal)n;
  k = k >= 6 ? k - 6 : k;
  k = k < 4 - k ? k : 4 - k;
  return v - c * nn_unit(k);
}

/* Turns the hue by `turn` of a full turn; value and saturation stay (of hue, saturation, value). */
NN_BOTH void nn_turn_hue(NnReal turn, NnReal rgb[3]) {
  const NnReal r = rgb[0], g = rgb[1], b = rgb[2];
  const NnReal v = r > g ? (r > b ? r : b) : (g > b ? g : b), low = r < g ? (r < b ? r : b) : (g < b ? g : b);
  const NnReal c = v - low;
  if (turn == 0 || !(c > 0)) return;
  NnReal h = v == r ? (g - b) / c : v == g ? 2 + (b - r) / c : 4 + (r - g) / c;
  h += 6 * turn;
  h = h < 0 ? h + 6 : h >= 6 ? h - 6 : h;
  rgb[0] = nn_from_hue(v, c, h, 5);
  rgb[1] = nn_from_hue(v, c, h, 3);
  rgb[2] = nn_from_hue(v, c, h, 1);
}

/* Affine map: pixel (x, y) of the result comes from (a[0]·x + a[1]·y + a[2], a[3]·x + a[4]·y + a[5]), x to
 * the right, y downwards, in pixels from the centre of the first. */
typedef struct {
  NnReal a[6];
} NnAffine;

#define NN_AFFINE_BLOCKS 2
#define NN_MOST_SHEAR 80.0 /* degrees */
#define NN_LEAST_SCALE 0.05

/* Forward: p ↦ centre + translation + scale·R(rotation)·S(shear)·(p − centre), S = (1, −tan; 0, 1). */
NN_BOTH NnAffine nn_affine_draw(NnKey key, const NnImages *n, const NnStrengths *s, size_t row) {
  const double degree = 3.14159265358979323846 / 180;
  const double rotation = nn_strength(s, NN_AFFINE_ROTATION, row),
               shear = nn_strength(s, NN_AFFINE_SHEAR, row);
  const double move = nn_strength(s, NN_AFFINE_TRANSLATION, row), zoom = nn_strength(s, NN_AFFINE_SCALE, row);
  const double slant = shear < NN_MOST_SHEAR ? shear : NN_MOST_SHEAR;
  const NnWords u = nn_draw(key, row * NN_AFFINE_BLOCKS), v = nn_draw(key, row * NN_AFFINE_BLOCKS + 1);
  const double angle = degree * nn_word_between(u.w[0], -rotation, rotation);
  const double lean = tan(degree * nn_word_between(u.w[1], -slant, slant));
  const double right = nn_word_between(u.w[2], -move, move) * (double)n->width;
  const double down = nn_word_between(u.w[3], -move, move) * (double)n->height;
  const double size =
      nn_word_between(v.w[0], zoom < 1 - NN_LEAST_SCALE ? 1 - zoom : NN_LEAST_SCALE, 1 + zoom);
  /* (R S)⁻¹ = S⁻¹ Rᵀ */
  const double c = cos(angle) / size, d = sin(angle) / size;
  const double m[4] = {c - lean * d, d + lean * c, -d, c};
  const double x = ((double)n->width - 1) / 2, y = ((double)n->height - 1) / 2;
  NnAffine f;
  f.a[0] = (NnReal)m[0], f.a[1] = (NnReal)m[1], f.a[2] = (NnReal)(x - m[0] * (x + right) - m[1] * (y + down));
  f.a[3] = (NnReal)m[2], f.a[4] = (NnReal)m[3], f.a[5] = (NnReal)(y - m[2] * (x + right) - m[3] * (y + down));
  return f;
}

/* Where the pixel (column j, row i) of the result comes from: place of the upper left of four neighbours, and
 * the weights of the right and the lower ones. */
typedef struct {
  int left, top;
  NnReal right, lower;
} NnSample;

NN_BOTH NnSample nn_affine_sample(const NnAffine *f, const NnImages *n, size_t i, size_t j) {
  const NnReal x = f->a[0] * (NnReal)j + f->a[1] * (NnReal)i + f->a[2];
  const NnReal y = f->a[3] * (NnReal)j + f->a[4] * (NnReal)i + f->a[5];
  NnSample s = {-2, -2, 0, 0}; /* beyond the border: zero */
  if (x > -1 && y > -1 && x < (NnReal)n->width && y < (NnReal)n->height) {
    s.left = (int)(x + 1) - 1;
    s.top = (int)(y + 1) - 1;
    s.right = x - (NnReal)s.left;
    s.lower = y - (NnReal)s.top;
  }
  return s;
}

NN_BOTH NnReal nn_pixel_at(const NnReal *plane, const NnImages *n, int i, int j) {
  return i >= 0 && j >= 0 && i < (int)n->height && j < (int)n->width ? plane[(size_t)i * n->width + (size_t)j]
                                                                     : 0;
}

NN_BOTH NnReal nn_interpolate(const NnReal *plane, const NnImages *n, NnSample s) {
  const NnReal a = nn_pixel_at(plane, n, s.top, s.left), b = nn_pixel_at(plane, n, s.top, s.left + 1);
  const NnReal c = nn_pixel_at(plane, n, s.top + 1, s.left), d = nn_pixel_at(plane, n, s.top + 1, s.left + 1);
  const NnReal upper = a + s.right * (b - a), lower = c + s.right * (d - c);
  return upper + s.lower * (lower - upper);
}

#endif
