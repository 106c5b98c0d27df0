/* Sums over rows that are dealt to the ranks of a team, led by rank 0. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lowerlevel/logistic_internal.h"
#include "regularizers/gram.h"

/* A request: what, in which precision, on which slot (or with which weights), whether the probabilities at w are to be computed first; then one
 * or two vectors. It is zero on every other rank, so the team's sum is a broadcast. */
enum { REQUEST_WHAT, REQUEST_SINGLE, REQUEST_SLOT, REQUEST_FRESH, REQUEST_HEAD };
typedef enum {
  RELEASE,
  VALUE_GRAD,
  PREPARE,
  HESS_MULT,
  HESS_DIAGONAL,
  SPREAD,
  PAIRS_TOTAL,
  PAIRS_SAMPLE
} What;
enum { SPREAD_FIELDS = 3 };

static size_t unknowns(const BtLogisticRows *r) { return r->classes * r->features; }

static size_t chunk_start(size_t rows, size_t c) {
  return rows / BT_LOGISTIC_CHUNKS * c + (c < rows % BT_LOGISTIC_CHUNKS ? c : rows % BT_LOGISTIC_CHUNKS);
}

static size_t chunk_rows(size_t rows, size_t c) { return chunk_start(rows, c + 1) - chunk_start(rows, c); }

static BtStatus team_sum(BtLogisticRows *r, double *buffer, size_t n) {
  if (r->failed >= 0 && r->team->size > 1) {
    const BtStatus st = r->team->sum(r->team, &r->ctx, buffer, n);
    if (st < 0) r->failed = st;
  }
  return r->failed;
}

/* Numbers that each chunk contributes. */
static size_t answer_length(const BtLogisticRows *r, What what) {
  switch (what) {
    case VALUE_GRAD: return unknowns(r) + 1;
    case HESS_MULT:
    case HESS_DIAGONAL: return unknowns(r);
    case SPREAD: return SPREAD_FIELDS;
    case PAIRS_TOTAL: return r->features + 1;
    case RELEASE:
    case PAIRS_SAMPLE:
    case PREPARE: break;
  }
  return 0;
}

static size_t part_offset(const BtLogisticRows *r, size_t c) {
  return (size_t)(r->chunk[c].x - r->x) / r->features * r->classes;
}

static void *slot_part(const BtLogisticSlot *slot, const BtLogisticRows *r, size_t c) {
  const size_t offset = part_offset(r, c);
  return slot->single ? (void *)((float *)slot->p + offset) : (void *)((double *)slot->p + offset);
}

static void answer_chunk(BtLogisticRows *r, size_t c, What what, double *out) {
  const double *v = r->request + REQUEST_HEAD;
  const int single = r->request[REQUEST_SINGLE] != 0;
  const BtLogisticSlot *slot = &r->slot[(size_t)r->request[REQUEST_SLOT]];
  double *recent = r->recent + part_offset(r, c);
  BtSoftmaxSpread spread;
  if (r->request[REQUEST_FRESH] != 0) bt_softmax_prepare(&r->chunk[c], v, recent, r->work);
  switch (what) {
    case VALUE_GRAD:
      out[unknowns(r)] = bt_softmax_value_grad(&r->chunk[c], single, v, out, recent, r->work);
      break;
    case PREPARE: bt_softmax_keep(&r->chunk[c], single, recent, slot_part(slot, r, c)); break;
    case HESS_MULT:
      bt_softmax_hess_mult(&r->chunk[c], slot->single, slot_part(slot, r, c), v, out, r->work);
      break;
    case HESS_DIAGONAL:
      bt_softmax_hess_diagonal(&r->chunk[c], slot->single, slot_part(slot, r, c), out, r->work);
      break;
    case SPREAD:
      spread = bt_softmax_spread(&r->chunk[c], v, v + unknowns(r), r->work);
      out[0] = spread.largest, out[1] = spread.square, out[2] = spread.spread;
      break;
    case PAIRS_TOTAL: bt_softmax_pairs_total(&r->chunk[c], recent, out); break;
    case RELEASE:
    case PAIRS_SAMPLE: break;
  }
}

size_t bt_logistic_rows_blocks(const BtLogisticRows *r) {
  return bt_softmax_pairs(r->classes) * r->features * r->features;
}

/* Chunk by chunk, since a chunk's share is as large as the whole; a last entry counts terms. Rank 0 adds them up. */
static void sample_chunks(BtLogisticRows *r) {
  const size_t length = bt_logistic_rows_blocks(r);
  size_t taken = 0;
  if (r->blocks) memset(r->blocks, 0, length * sizeof *r->blocks);
  for (size_t c = 0; c < BT_LOGISTIC_CHUNKS; c++) {
    memset(r->part, 0, (length + 1) * sizeof *r->part);
    if (r->chunk[c].rows > 0)
      r->part[length] = (double)bt_softmax_pairs_sample(&r->chunk[c], r->recent + part_offset(r, c),
                                                        r->request + REQUEST_HEAD,
                                                        (BtPairsWeight)r->request[REQUEST_SLOT],
                                                        chunk_start(r->rows, c), r->part, r->pairs_work);
    if (team_sum(r, r->part, length + 1) < 0) return;
    taken += (size_t)r->part[length];
    for (size_t j = 0; r->blocks && j < length; j++) r->blocks[j] += r->part[j];
  }
  r->sums[0] = (double)taken;
}

/* All ranks' part in a request that is in r->request everywhere; r->sums holds every chunk's numbers
 * afterwards. */
static BtStatus answer(BtLogisticRows *r) {
  const What what = (What)r->request[REQUEST_WHAT];
  const size_t length = answer_length(r, what);
  BtLogisticSlot *slot = &r->slot[(size_t)r->request[REQUEST_SLOT]];
  memset(r->sums, 0, BT_LOGISTIC_CHUNKS * length * sizeof *r->sums);
  if (what == PREPARE) slot->single = r->request[REQUEST_SINGLE] != 0;
  if (what == PAIRS_SAMPLE) sample_chunks(r);
  for (size_t c = 0; c < BT_LOGISTIC_CHUNKS; c++)
    if (r->chunk[c].rows > 0) answer_chunk(r, c, what, r->sums + c * length);
  return length > 0 ? team_sum(r, r->sums, BT_LOGISTIC_CHUNKS * length) : r->failed;
}

static size_t request_length(const BtLogisticRows *r) { return REQUEST_HEAD + 2 * unknowns(r); }

/* Requests that start from the probabilities at w, which may be those of the point last evaluated. */
static int needs_fresh(BtLogisticRows *r, What what, const double *w) {
  const size_t bytes = unknowns(r) * sizeof *w;
  const int wanted = what == PREPARE || what == PAIRS_TOTAL;
  return wanted && !(r->have_recent && memcmp(r->recent_w, w, bytes) == 0);
}

static BtStatus lead(BtLogisticRows *r, What what, int single, size_t slot, const double *v,
                     const double *second) {
  const size_t n = unknowns(r);
  double *q = r->request;
  const int fresh = needs_fresh(r, what, v);
  if (fresh || (what == VALUE_GRAD && !single)) {
    memcpy(r->recent_w, v, n * sizeof *v);
    r->have_recent = 1;
  }
  q[REQUEST_WHAT] = (double)what;
  q[REQUEST_SINGLE] = single;
  q[REQUEST_SLOT] = (double)slot;
  q[REQUEST_FRESH] = fresh;
  if (v) memcpy(q + REQUEST_HEAD, v, n * sizeof *v);
  if (second) memcpy(q + REQUEST_HEAD + n, second, n * sizeof *second);
  const BtStatus st = team_sum(r, q, request_length(r));
  return st < 0 || what == RELEASE ? st : answer(r);
}

BtStatus bt_logistic_rows_join(BtLogisticRows *r, BtContext *ctx) {
  if (r->team->size > 1 && r->team->rank == 0) (void)lead(r, RELEASE, 0, 0, NULL, NULL);
  while (r->team->rank != 0 && r->failed >= 0) {
    memset(r->request, 0, request_length(r) * sizeof *r->request);
    if (team_sum(r, r->request, request_length(r)) < 0 || r->request[REQUEST_WHAT] == RELEASE) break;
    (void)answer(r);
  }
  return r->failed < 0 ? bt_fail(ctx, r->failed, "%s", r->ctx.error) : BT_OK;
}

/* out[length] ← the chunks' numbers in order. */
static void add_chunks(const BtLogisticRows *r, What what, size_t length, double *out) {
  const size_t stride = answer_length(r, what);
  for (size_t j = 0; j < length; j++) out[j] = r->failed < 0 ? (double)NAN : r->sums[j];
  for (size_t c = 1; c < BT_LOGISTIC_CHUNKS; c++)
    for (size_t j = 0; j < length; j++) out[j] += r->sums[c * stride + j];
}

double bt_logistic_rows_value_grad(BtLogisticRows *r, int single, const double *w, double *gradient) {
  const size_t n = unknowns(r);
  double value = 0;
  (void)lead(r, VALUE_GRAD, single, 0, w, NULL);
  add_chunks(r, VALUE_GRAD, n, gradient);
  for (size_t c = 0; c < BT_LOGISTIC_CHUNKS; c++) value += r->sums[c * (n + 1) + n];
  return r->failed < 0 ? (double)NAN : value;
}

double bt_logistic_rows_prepare(BtLogisticRows *r, int single, const double *w, size_t slot) {
  (void)lead(r, PREPARE, single, slot, w, NULL);
  return r->slot[slot].serial = ++r->serial;
}

void bt_logistic_rows_hess_mult(BtLogisticRows *r, size_t slot, const double *v, double *product) {
  (void)lead(r, HESS_MULT, 0, slot, v, NULL);
  add_chunks(r, HESS_MULT, unknowns(r), product);
}

void bt_logistic_rows_hess_diagonal(BtLogisticRows *r, size_t slot, double *diagonal) {
  (void)lead(r, HESS_DIAGONAL, 0, slot, NULL, NULL);
  add_chunks(r, HESS_DIAGONAL, unknowns(r), diagonal);
}

BtSoftmaxSpread bt_logistic_rows_spread(BtLogisticRows *r, const double *w, const double *q) {
  BtSoftmaxSpread all = {0};
  (void)lead(r, SPREAD, 0, 0, w, q);
  for (size_t c = 0; c < BT_LOGISTIC_CHUNKS; c++) {
    const double *part = r->sums + c * SPREAD_FIELDS;
    all.largest = fmax(all.largest, part[0]);
    all.square += part[1];
    all.spread += part[2];
  }
  if (r->failed < 0) all.largest = all.square = all.spread = (double)INFINITY;
  return all;
}

/* c_j from the totals t: half of the terms are taken by their share of the trace, half by their shares of the features'
 * own sums, which rare and small features have a part in. */
static void choose_rates(size_t d, double terms, const double *t, double *c) {
  double trace = 0;
  for (size_t j = 0; j < d; j++) trace += t[j];
  for (size_t j = 0; j < d; j++)
    c[j] = 0.5 * terms * ((trace > 0 ? 1 / trace : 0) + (t[j] > 0 ? 1 / ((double)d * t[j]) : 0));
}

size_t bt_logistic_rows_sample(BtLogisticRows *r, const double *w, size_t terms, BtPairsWeight weight, double *blocks,
                               double *curvature) {
  static const double all = 1e300;
  const size_t d = r->features;
  double *total = r->work, *c = r->work + unknowns(r); /* a request takes K·d numbers, of which these are the first */
  (void)lead(r, PAIRS_TOTAL, 0, 0, w, NULL);
  add_chunks(r, PAIRS_TOTAL, d + 1, total);
  *curvature = total[d];
  memset(c, 0, unknowns(r) * sizeof *c);
  choose_rates(d, (double)terms, total, c);
  for (size_t j = 0; r->rows * bt_softmax_pairs(r->classes) <= terms && j < d; j++) c[j] = all;
  r->blocks = blocks;
  (void)lead(r, PAIRS_SAMPLE, 0, (size_t)weight, c, NULL);
  r->blocks = NULL;
  return r->failed < 0 ? 0 : (size_t)r->sums[0];
}

/* ‖G‖ ≤ max_i (|G|v)_i / v_i for any v > 0 (Collatz–Wielandt), v nearing |G|'s top vector: tight for rows
 * without negative entries. Each entry of |G|v is within γ_d of its value. */
static double quotient_bound(size_t d, const double *g, double *v, double *next) {
  enum { ITERATIONS = 30 };
  double bound = (double)INFINITY;
  for (size_t j = 0; j < d; j++) v[j] = 1;
  for (int k = 0; k < ITERATIONS; k++) {
    double largest = 0, top = 0;
    for (size_t j = 0; j < d; j++) {
      double sum = 0;
      for (size_t i = 0; i < d; i++) sum += fabs(g[j * d + i]) * v[i];
      next[j] = sum;
      if (!(sum / v[j] <= largest)) largest = sum / v[j];
      top = fmax(top, sum);
    }
    if (!(largest >= bound)) bound = largest;
    if (!(top > 0)) break;
    /* A floor keeps v positive where a feature is always zero. */
    for (size_t j = 0; j < d; j++) v[j] = fmax(next[j] / top, 1e-12);
  }
  return bound * (1 + 1e-15 * (double)(d + 8));
}

/* Adds chunk c's Gram matrix, its largest row and its sum of squares to gram[d² + 2]; part is as long.
 * Collective. */
/* The Gram matrix of very many features is not formed; its trace bounds its norm then. */
static size_t gram_entries(size_t d) { return d <= 2048 ? d * d : 0; }

static BtStatus add_gram(BtLogisticRows *r, size_t c, double *part, double *gram) {
  const size_t d = r->features, entries = gram_entries(d);
  const BtSoftmaxRows *rows = &r->chunk[c];
  memset(part, 0, (entries + 2) * sizeof *part);
  if (rows->rows > 0 && entries > 0)
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)d, (int)rows->rows, 1, rows->x, (int)d, 0, part,
                (int)d);
  for (size_t i = 0; i < rows->rows; i++) {
    const double square = bt_dot(rows->x + i * d, rows->x + i * d, d);
    part[entries] = fmax(part[entries], sqrt(square));
    part[entries + 1] += square;
  }
  if (team_sum(r, part, entries + 2) < 0) return r->failed;
  for (size_t j = 0; j < entries; j++) gram[j] += part[j];
  gram[entries] = fmax(gram[entries], part[entries]);
  gram[entries + 1] += part[entries + 1];
  return BT_OK;
}

/* Entries of the Gram matrix are sums of all rows' products, each within γ of the sum of absolute values: the
 * matrix is within γ Σ‖x_i‖² of the exact one. */
static BtStatus measure(BtContext *ctx, BtLogisticRows *r) {
  const size_t d = r->features, entries = gram_entries(d);
  BtStatus st = BT_OK;
  double *gram = calloc(entries + 2, sizeof *gram), *part = calloc(entries + 2, sizeof *part),
         *v = calloc(2 * d, sizeof *v);
  st = gram && part && v ? BT_OK : bt_fail_memory(ctx, "norms of the data", 16.0 * (double)(entries + d));
  st = bt_team_agree(r->team, ctx, st);
  for (size_t c = 0; st >= 0 && c < BT_LOGISTIC_CHUNKS; c++) st = add_gram(r, c, part, gram);
  if (st < 0) goto done;
  for (size_t j = 0; entries > 0 && j < d; j++)
    for (size_t i = 0; i < j; i++) gram[j * d + i] = gram[i * d + j];
  const double gamma = bt_sum_rounding(d + chunk_rows(r->rows, 0) + BT_LOGISTIC_CHUNKS);
  r->norms.row = gram[entries] * (1 + bt_sum_rounding(d));
  r->norms.square = gram[entries + 1] * (1 + 2 * gamma);
  r->norms.gram = r->norms.square;
  if (entries > 0) {
    const double quotient = quotient_bound(d, gram, v, v + d);
    const double norm = fmin(quotient, bt_gram_norm(d, gram, part));
    r->norms.gram = fmin(r->norms.square, norm + 2 * gamma * r->norms.square);
  }
  r->norms.terms =
      bt_softmax_block(d) + chunk_rows(r->rows, 0) / bt_softmax_block(d) + BT_LOGISTIC_CHUNKS + 2;
done:
  free(gram);
  free(part);
  free(v);
  return st;
}

static void copy_rows(const BtLogisticSpec *spec, BtLogisticRows *r) {
  const size_t d = r->features;
  size_t at = 0;
  for (size_t c = 0; c < BT_LOGISTIC_CHUNKS; c++) {
    const size_t start = chunk_start(r->rows, c);
    r->chunk[c] = (BtSoftmaxRows){.features = d,
                                  .classes = r->classes,
                                  .x = r->x + at * d,
                                  .x_single = r->x_single + at * d,
                                  .label = r->label + at};
    if (!bt_team_owns(r->team, c)) continue;
    r->chunk[c].rows = chunk_rows(r->rows, c);
    for (size_t i = start; i < start + r->chunk[c].rows; i++, at++) {
      const size_t from = spec->index ? spec->index[i] : i;
      memcpy(r->x + at * d, spec->x + from * d, d * sizeof *r->x);
      r->label[at] = spec->label[from];
    }
  }
  for (size_t j = 0; j < at * d; j++) r->x_single[j] = (float)r->x[j];
}

static BtStatus allocate(BtContext *ctx, BtLogisticRows *r) {
  const size_t n = unknowns(r);
  size_t own = 0;
  for (size_t c = 0; c < BT_LOGISTIC_CHUNKS; c++)
    own += bt_team_owns(r->team, c) ? chunk_rows(r->rows, c) : 0;
  r->x = malloc((own * r->features + 1) * sizeof *r->x);
  r->x_single = malloc((own * r->features + 1) * sizeof *r->x_single);
  r->label = malloc((own + 1) * sizeof *r->label);
  r->request = calloc(request_length(r), sizeof *r->request);
  r->sums = malloc(BT_LOGISTIC_CHUNKS * (n + 1 + SPREAD_FIELDS) * sizeof *r->sums);
  r->work = malloc(bt_softmax_work(r->features, r->classes) * sizeof *r->work);
  r->recent = malloc((bt_softmax_probabilities_size(own, r->classes) + 1) * sizeof *r->recent);
  r->recent_w = malloc(n * sizeof *r->recent_w);
  int all = r->x && r->x_single && r->label && r->request && r->sums && r->work && r->recent && r->recent_w;
  if (n <= BT_LOGISTIC_DENSE_MOST) {
    r->part = malloc((bt_logistic_rows_blocks(r) + 1) * sizeof *r->part);
    r->pairs_work = malloc(bt_softmax_pairs_work(chunk_rows(r->rows, 0), r->features) * sizeof *r->pairs_work);
    all = all && r->part && r->pairs_work;
  }
  for (size_t k = 0; k < BT_LOGISTIC_SLOTS; k++) {
    r->slot[k].p = malloc((bt_softmax_probabilities_size(own, r->classes) + 1) * sizeof(double));
    all = all && r->slot[k].p;
  }
  return all ? BT_OK
             : bt_fail_memory(ctx, "training rows",
                              (double)own * (12.0 * (double)r->features + 32.0 * (double)r->classes));
}

BtStatus bt_logistic_rows_create(BtContext *ctx, const BtLogisticSpec *spec, BtTeam *team,
                                 BtLogisticRows *r) {
  BtStatus st = BT_OK;
  *r = (BtLogisticRows){
      .team = team, .rows = spec->rows, .features = spec->features, .classes = spec->classes};
  bt_context_init(&r->ctx);
  if (spec->rows < 1 || spec->features < 1 || spec->classes < 2)
    st = bt_fail(ctx, BT_ERR_ARG,
                 "logistic regression needs rows, features and two classes; there are %zu, %zu and %zu",
                 spec->rows, spec->features, spec->classes);
  if (st >= 0) st = allocate(ctx, r);
  st = bt_team_agree(team, ctx, st);
  if (st < 0) goto done;
  copy_rows(spec, r);
  st = measure(ctx, r);
  if (r->failed < 0) st = bt_fail(ctx, r->failed, "%s", r->ctx.error);
done:
  if (st < 0) bt_logistic_rows_clear(r);
  return st;
}

void bt_logistic_rows_clear(BtLogisticRows *r) {
  free(r->x);
  free(r->x_single);
  free(r->label);
  free(r->request);
  free(r->sums);
  free(r->work);
  free(r->recent);
  free(r->recent_w);
  free(r->part);
  free(r->pairs_work);
  for (size_t k = 0; k < BT_LOGISTIC_SLOTS; k++) free(r->slot[k].p);
  *r = (BtLogisticRows){0};
}
