/* The formulas of hyperparameter-divergent ensembles against values worked out by hand. */
#include "nn/hdet_rule.h"

#include <math.h>
#include <stdlib.h>

#include "harness.h"

#define N 8

static void multipliers(void) {
  const double alpha = 1.0 / 9;
  double sum = 0;
  BT_CHECK_NEAR(nn_hdet_multiplier(0, N, alpha), 1 - alpha, 1e-15);
  BT_CHECK_NEAR(nn_hdet_multiplier(N - 1, N, alpha), 1 + alpha, 1e-15);
  BT_CHECK_NEAR(nn_hdet_multiplier(5, N, 0.7), 1 + 0.7 * 1.5 / 3.5, 1e-15);
  for (int i = 0; i < N; i++) {
    sum += nn_hdet_multiplier(i, N, alpha);
    BT_CHECK_NEAR(nn_hdet_multiplier(i, N, alpha) - 1, 1 - nn_hdet_multiplier(N - 1 - i, N, alpha), 1e-15);
    BT_CHECK_NEAR(nn_hdet_multiplier(i, N, 0), 1, 0);
  }
  BT_CHECK_NEAR(sum, N, 1e-14);
  BT_CHECK_NEAR(nn_hdet_multiplier(0, 1, alpha), 1, 0);
  BT_CHECK_NEAR(nn_hdet_multiplier(0, 2, alpha), 1 - alpha, 1e-15);
  BT_CHECK_NEAR(nn_hdet_multiplier(1, 2, alpha), 1 + alpha, 1e-15);
}

/* Each a permutation; the same again; all places equally often; two hyperparameters are not correlated. */
static void places(void) {
  enum { SYNCS = 4000 };
  int count[N][N] = {{0}}, a[N], b[N], again[N];
  double product = 0;
  for (int k = 0; k < SYNCS; k++) {
    int seen = 0;
    nn_hdet_places(7, k, 0, N, a);
    nn_hdet_places(7, k, 1, N, b);
    nn_hdet_places(7, k, 0, N, again);
    for (int r = 0; r < N; r++) {
      if (a[r] >= 0 && a[r] < N) {
        seen |= 1 << a[r];
        count[r][a[r]]++;
      }
      product += (a[r] - 3.5) * (b[r] - 3.5);
      BT_CHECK(a[r] == again[r]);
    }
    BT_CHECK_ROW(seen == (1 << N) - 1, "sync %d: no permutation", k);
  }
  /* Binomial: mean 500, deviation 21. */
  for (int r = 0; r < N; r++)
    for (int p = 0; p < N; p++)
      BT_CHECK_ROW(abs(count[r][p] - SYNCS / N) < 110, "replica %d had place %d %d times", r, p, count[r][p]);
  /* Each term has variance 5.25². */
  BT_CHECK_NEAR(product / SYNCS / N, 0, 5 * 5.25 / sqrt(SYNCS * N));
  nn_hdet_places(7, 0, 0, 1, a);
  BT_CHECK(a[0] == 0);
}

static void votes(void) {
  const double loss[4] = {1, 2, 4, 5}, equal[4] = {3, 3, 3, 3};
  const int all[4] = {1, 1, 1, 1}, some[4] = {1, 0, 1, 0}, none[4] = {0};
  double w[4];
  /* Mean 3, deviation sqrt(2.5): scores 2/√2.5, 1/√2.5, … */
  const double d = sqrt(2.5), e[4] = {exp(2 / d), exp(1 / d), exp(-1 / d), exp(-2 / d)};
  BT_CHECK(nn_hdet_vote(4, loss, all, 0, w) == 4);
  for (int i = 0; i < 4; i++) BT_CHECK_NEAR(w[i], e[i] / (e[0] + e[1] + e[2] + e[3]), 1e-15);
  BT_CHECK(nn_hdet_vote(4, loss, all, 0.1, w) == 4);
  BT_CHECK_NEAR(w[1] / w[0], exp(-10), 1e-17);
  BT_CHECK(nn_hdet_vote(4, loss, some, 2, w) == 2);
  BT_CHECK_NEAR(w[2] / w[0], exp(-1.5), 1e-15);
  BT_CHECK_NEAR(w[0] + w[2], 1, 1e-15);
  BT_CHECK(w[1] == 0 && w[3] == 0);
  BT_CHECK(nn_hdet_vote(4, equal, all, 0, w) == 4);
  for (int i = 0; i < 4; i++) BT_CHECK_NEAR(w[i], 0.25, 1e-15);
  BT_CHECK(nn_hdet_vote(4, loss, none, 0, w) == 0);
}

static void decay(void) {
  double rate = 0.3, velocity = 0;
  const double gamma = nn_hdet_decay(0.3, 0.003, 50);
  const NnSteering steering = {0.9, 0.5};
  BT_CHECK(gamma > 0 && gamma < 1);
  for (int k = 0; k < 50; k++) nn_hdet_steer(&steering, NN_SPREAD_MULTIPLE, gamma, 0, &rate, &velocity);
  BT_CHECK_NEAR(rate, 0.003, 1e-15);
  rate = log(0.3);
  for (int k = 0; k < 50; k++) nn_hdet_steer(&steering, NN_SPREAD_LOG, gamma, 0, &rate, &velocity);
  BT_CHECK_NEAR(rate, log(0.003), 1e-12);
  BT_CHECK_NEAR(nn_hdet_decay(1, 1, 5), 0, 0);
  BT_CHECK_NEAR(nn_hdet_decay(1, 0.25, 1), 0.75, 1e-15);
}

static void steering(void) {
  const NnSteering s = {0.9, 0.5};
  double u = 2, v = 0.1;
  nn_hdet_steer(&s, NN_SPREAD_MULTIPLE, 0.01, 0.3, &u, &v);
  BT_CHECK_NEAR(v, 0.9 * 0.1 + 0.1 * 0.3, 1e-16);
  BT_CHECK_NEAR(u, 2 * 0.99 + 0.5 * 0.12, 1e-15);
  u = 0.2, v = -0.9;
  nn_hdet_steer(&s, NN_SPREAD_MULTIPLE, 0, 0, &u, &v);
  BT_CHECK_NEAR(u, 0.1, 1e-16);
  u = -0.2, v = -0.9;
  nn_hdet_steer(&s, NN_SPREAD_FREE, 0, 0, &u, &v);
  BT_CHECK_NEAR(u, -0.2 - 0.5 * 0.81, 1e-15);
}

static void spaces(void) {
  const NnSpreadSpace multiple = {NN_SPREAD_MULTIPLE, 0, 0}, logarithm = {NN_SPREAD_LOG, 0, 0},
                      logit = {NN_SPREAD_LOGIT, 0, 0.95}, plain = {NN_SPREAD_FREE, 0, 0};
  const NnSpreadSpace all[] = {multiple, logarithm, logit, plain};
  for (int i = 0; i < 4; i++) {
    const double base = nn_spread_base(all[i], 0.3);
    BT_CHECK_NEAR(nn_spread_value(all[i], base, 1), 0.3, 1e-15);
    BT_CHECK(nn_spread_value(all[i], base, 1.2) > 0.3 && nn_spread_value(all[i], base, 0.8) < 0.3);
    BT_CHECK_NEAR(nn_spread_coordinate(all[i], base, 1), base, 0);
  }
  BT_CHECK_NEAR(nn_spread_value(multiple, 0.3, 1.1), 0.33, 1e-15);
  BT_CHECK_NEAR(nn_spread_value(logarithm, log(0.3), 1.1), 0.3 * exp(0.1), 1e-15);
  BT_CHECK_NEAR(nn_spread_value(logit, 0, 2), 0.95 / (1 + exp(-1)), 1e-15);
  BT_CHECK_NEAR(nn_spread_value(plain, 0.3, 1.1), 0.4, 1e-15);
}

/* The zero of the line through votes; none that was not visited, and no line where there is none. */
static void zeros(void) {
  static const struct {
    double u[4], slope, offset, zero; /* d = slope·(u − offset) */
    int count;
  } cases[] = {
      {{-1, 0, 1, 2}, -3, 0.7, 0.7, 4}, {{-5, -4.6, -5, -5.4}, -0.01, -4.9, -4.9, 4},
      {{-1, 0, 1, 2}, -3, 2.5, 2, 4},   {{-1, 0, 1, 2}, -3, -7, -1, 4},
      {{-1, 0, 1, 2}, 3, 0.7, 0.5, 4},  {{1, 3}, -3, 1.5, 2, 2},
      {{2, 2, 2, 2}, -3, 0.7, 2, 4},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    NnHdetVotes votes = {0};
    for (int k = 0; k < cases[i].count; k++)
      nn_hdet_votes_add(&votes, cases[i].u[k], cases[i].slope * (cases[i].u[k] - cases[i].offset));
    const double zero = nn_hdet_votes_zero(&votes);
    BT_CHECK_ROW(fabs(zero - cases[i].zero) < 1e-12, "case %zu: %g", i, zero);
  }
}

/* The mean of those that are near the one in the middle. */
static void agrees(void) {
  static const struct {
    double found[4], reach, all;
    int n;
  } cases[] = {
      {{3}, 0, 3, 1},           {{3, 4}, 1, 3.5, 2},          {{3, 9}, 1, 6, 2},
      {{9, 3, 4}, 1, 3.5, 3},   {{2, 3, 4.5}, 2, 9.5 / 3, 3}, {{3, 3, 8}, 1, 3, 3},
      {{-7, 1, 2, 3}, 2, 2, 4}, {{5, 5, 5, 5}, 0, 5, 4},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const double all = nn_hdet_consensus(cases[i].n, cases[i].found, cases[i].reach);
    BT_CHECK_ROW(fabs(all - cases[i].all) < 1e-12, "case %zu: %g", i, all);
  }
}

static const BtTest tests[] = {
    {"multipliers", multipliers}, {"places", places}, {"votes", votes}, {"decay", decay},
    {"steering", steering},       {"spaces", spaces}, {"zeros", zeros}, {"agrees", agrees},
};

int main(void) { return bt_test_main("nn hdet rules", tests, sizeof tests / sizeof *tests); }
