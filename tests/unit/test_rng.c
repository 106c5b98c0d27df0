#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "harness.h"

#define MANY 1000000

/* Known answers of Random123 1.14, kat_vectors, philox4x32 10. */
static const struct {
  uint32_t counter[4], key[2], out[4];
} answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void known_answers(void) {
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    uint32_t out[4];
    bt_philox(answers[i].counter, answers[i].key, out);
    BT_CHECK_ROW(memcmp(out, answers[i].out, sizeof out) == 0, "vector %zu: %08x %08x %08x %08x", i, out[0],
                 out[1], out[2], out[3]);
  }
}

/* Tolerances are five standard deviations of each estimate at MANY samples. */
static void normal_moments(void) {
  static double x[MANY];
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lag = 0, cross = 0;
  size_t tail = 0;
  bt_rng_fill_normal(7, 3, 0, MANY, x);
  for (size_t i = 0; i < MANY; i++) {
    const double y = x[i] * x[i];
    m1 += x[i], m2 += y, m3 += x[i] * y, m4 += y * y;
    lag += x[i] * x[(i + 1) % MANY];
    cross += x[i] * bt_rng_normal(7, 4, i);
    tail += fabs(x[i]) > 1.959963984540054;
  }
  const double n = MANY, five = 5 / sqrt(n);
  BT_CHECK_NEAR(m1 / n, 0, five);
  BT_CHECK_NEAR(m2 / n, 1, five * sqrt(2));
  BT_CHECK_NEAR(m3 / n, 0, five * sqrt(15));
  BT_CHECK_NEAR(m4 / n, 3, five * sqrt(96));
  BT_CHECK_NEAR(lag / n, 0, five);
  BT_CHECK_NEAR(cross / n, 0, five);
  BT_CHECK_NEAR((double)tail / n, 0.05, five * sqrt(0.05 * 0.95));
}

static void uniform_moments(void) {
  double m1 = 0, m2 = 0, least = 1, most = 0;
  for (size_t i = 0; i < MANY; i++) {
    const double u = bt_rng_uniform(11, 0, i);
    m1 += u, m2 += u * u;
    least = fmin(least, u), most = fmax(most, u);
  }
  BT_CHECK_NEAR(m1 / MANY, 0.5, 5 * sqrt(1.0 / 12 / MANY));
  BT_CHECK_NEAR(m2 / MANY, 1.0 / 3, 5 * sqrt(4.0 / 45 / MANY));
  BT_CHECK(least > 0 && least < 2e-5);
  BT_CHECK(most < 1 && most > 1 - 2e-5);
}

static void counter_based(void) {
  double part[5];
  bt_rng_fill_normal(1, 2, 1000, 5, part);
  for (size_t i = 0; i < 5; i++) BT_CHECK(part[i] == bt_rng_normal(1, 2, 1000 + i));
  const double x = bt_rng_normal(1, 2, 3);
  BT_CHECK(x != bt_rng_normal(2, 2, 3));
  BT_CHECK(x != bt_rng_normal(1, 3, 3));
  BT_CHECK(x != bt_rng_normal(1, 2, 4));
  /* The upper halves of seed, stream and index count too. */
  BT_CHECK(x != bt_rng_normal(1 + (1ull << 32), 2, 3));
  BT_CHECK(x != bt_rng_normal(1, 2 + (1ull << 32), 3));
  BT_CHECK(x != bt_rng_normal(1, 2, 3 + (1ull << 32)));
  BT_CHECK(x == bt_rng_normal(1, 2, 3));
}

static const BtTest tests[] = {
    {"Philox known answers", known_answers},
    {"normal moments", normal_moments},
    {"uniform moments", uniform_moments},
    {"a number depends on seed, stream and index alone", counter_based},
};

int main(void) { return bt_test_main("rng", tests, sizeof tests / sizeof *tests); }
