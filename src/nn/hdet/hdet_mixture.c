/* Votes of mixtures, in place of replicas.
 *
 * A replica's loss after T steps has in it the noise of its steps, which grows with its rate, and which the
 * average over replicas and the later decay of the rate will remove: on it, low rates win too soon (the
 * short-horizon bias, Wu et al. 2018, arXiv:1803.02021). So what is compared is what will be left after an
 * average. With s_r in [−1, 1] the place of replica r among the values of a hyperparameter, and ψ_r the mean
 * of iterates of the second half of its block, the low and the high mixture are ψ∓ = Σ (1 ∓ s_r) ψ_r / Σ (1 ∓
 * s_r)     over the valid replicas, which have nearly as little noise as the average itself and differ by the
 * hyperparameter alone. Replicas that go into them share their weights in the vote: w_r = Σ_m w_m (1 ±
 * s_r)/Σ(1 ± s), so that steering is the same Σ w_r u_r − u for both kinds of votes. ψ_r and s_r ψ_r travel
 * with the state in the one collective. */
#include <math.h>
#include <string.h>

#include "nn/hdet/hdet_internal.h"

#define SAMPLES 8 /* iterates of a block's second half, at most twice as many */

int nn_hdet_mixes(const NnHdet *h) {
  int any = 0;
  for (int i = 0; i < h->o.hypers; i++) any |= nn_hdet_steers(h, i);
  return h->mixed > 0 && any;
}

static NnReal *iterates(const NnHdet *h, size_t turn) { return nn_hdet_slot(h, turn) + h->state; }

void nn_hdet_mix_start(NnHdet *h) {
  h->body = h->state + (nn_hdet_mixes(h) ? (1 + (size_t)h->mixtures) * h->mixed : 0);
  h->slot = h->body + h->ending;
  for (size_t i = 0; i < h->owned && h->mixed > 0; i++)
    memset(iterates(h, i), 0, (h->body - h->state) * sizeof(NnReal));
}

static int64_t stride(const NnHdet *h) { return h->length < 4 * SAMPLES ? 1 : h->length / (2 * SAMPLES); }

/* Counted from the block's last step, which is one. */
static int64_t samples(const NnHdet *h) { return ((h->length + 1) / 2 - 1) / stride(h) + 1; }

BtStatus nn_hdet_mix_step(BtContext *ctx, NnHdet *h) {
  const int64_t left = h->length - 1 - h->local;
  if (left % stride(h) != 0 || left / stride(h) >= samples(h) || !nn_hdet_mixes(h)) return BT_OK;
  NnReal *sum = iterates(h, h->turn);
  const BtStatus st = nn_hdet_save_parts(ctx, h, h->mixture, 0, h->trained);
  for (size_t i = 0; i < h->mixed && st >= 0; i++) sum[i] += h->mixture[i];
  return st;
}

/* s of a replica. */
static double lean(const NnHdet *h, int hyper, int replica) {
  const int n = h->o.replicas;
  return n > 1 ? (double)(2 * h->place[hyper * n + replica] - (n - 1)) / (n - 1) : 0;
}

void nn_hdet_mix_end(NnHdet *h, size_t turn) {
  const int r = h->team->rank + (int)turn * h->team->size;
  NnReal *mean = iterates(h, turn), *leaning = mean;
  const NnReal share = (NnReal)(1.0 / (double)samples(h));
  for (size_t i = 0; i < h->mixed; i++) mean[i] *= share;
  for (int hyper = 0; hyper < h->o.hypers; hyper++) {
    if (!h->o.hyper[hyper].steered) continue;
    const NnReal s = (NnReal)lean(h, hyper, r);
    leaning += h->mixed;
    for (size_t i = 0; i < h->mixed; i++) leaning[i] = s * mean[i];
  }
}

/* Σ (1 ± s_r) over the valid replicas. */
static double shares(const NnHdet *h, int hyper, int sign) {
  double sum = 0;
  for (int r = 0; r < h->o.replicas; r++) sum += h->kept[r] ? 1 + sign * lean(h, hyper, r) : 0;
  return sum;
}

/* Mixture number m is judged by the rank that has replica m mod N: each entry of the collective is set by
 * one. */
static BtStatus judge(BtContext *ctx, NnHdet *h, int hyper, int sign, size_t m) {
  const size_t n = (size_t)h->o.replicas, owner = m % n, ranks = (size_t)h->team->size;
  const double *mean = h->total + h->state, *leaning = mean + (m / 2 + 1) * h->mixed;
  const double all = shares(h, hyper, sign);
  double loss = (double)NAN;
  if (owner % ranks != (size_t)h->team->rank) return BT_OK;
  for (size_t i = 0; i < h->mixed; i++) h->mixture[i] = (NnReal)((mean[i] + sign * leaning[i]) / all);
  BtStatus st = nn_hdet_load_parts(ctx, h, h->mixture, 0, h->trained);
  if (st >= 0) st = nn_hdet_judge(ctx, h, &loss);
  h->reports[owner / ranks * (2 * (size_t)h->mixtures + 1) + m] = (NnReal)loss;
  return st;
}

/* Weights of the two mixtures of a hyperparameter, and of the replicas in them. */
static void weigh(NnHdet *h, int hyper, const double *loss) {
  const int n = h->o.replicas, sound[2] = {isfinite(loss[0]), isfinite(loss[1])};
  double mixture[2], *weight = h->weight + hyper * n;
  if (nn_hdet_vote(2, loss, sound, h->o.sigma, mixture) == 0) mixture[0] = mixture[1] = 0.5;
  memcpy(h->mixture_loss + 2 * hyper, loss, 2 * sizeof *loss);
  for (int r = 0; r < n; r++) {
    weight[r] = 0;
    for (int k = 0; k < 2 && h->kept[r]; k++)
      weight[r] += mixture[k] * (1 + (2 * k - 1) * lean(h, hyper, r)) / shares(h, hyper, 2 * k - 1);
  }
}

/* After the losses of the mixtures comes whether a rank could not judge its own, which is a stop to the
 * others. */
BtStatus nn_hdet_mix_vote(BtContext *ctx, NnHdet *h) {
  const size_t losses = 2 * (size_t)h->mixtures, entries = losses + 1;
  size_t m = 0;
  BtStatus judged = BT_OK;
  for (size_t i = 0; i < h->owned * entries; i++) h->reports[i] = (NnReal)-0.0;
  for (int hyper = 0; hyper < h->o.hypers; hyper++)
    for (int k = 0; k < 2 && h->o.hyper[hyper].steered && judged >= 0; k++)
      judged = judge(ctx, h, hyper, 2 * k - 1, m++);
  if (judged < 0) h->reports[losses] = 1;
  const BtStatus st = nn_hdet_sum(ctx, h, h->reports, entries);
  if (judged < 0 && st >= 0) h->others = BT_STOPPED;
  if (judged < 0 || st < 0) return judged < 0 ? judged : st;
  if (h->total[losses] > 0) return BT_STOPPED;
  m = 0;
  for (int hyper = 0; hyper < h->o.hypers; hyper++) {
    h->mixture_loss[2 * hyper] = h->mixture_loss[2 * hyper + 1] = (double)NAN;
    if (h->o.hyper[hyper].steered) weigh(h, hyper, h->total + m), m += 2;
  }
  return BT_OK;
}
