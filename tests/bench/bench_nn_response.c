/* Is a tuner's derivative of the validation loss in its hyperparameters the true one? At hyperparameters that
 * stay, in double precision, bench_nn_response [--task T] [--seed S] [--epochs E] ... NAME=VALUE ... prints
 *
 * - differences: (L_V(λ + h) − L_V(λ − h)) / 2h of complete trainings without tuning, from the same weights;
 * - tuner: what its response says after the same training;
 * - frozen: what it says when W and b then stay and the response alone is trained on, by Adam;
 * - implicit: −∇L_V·(G + d I)⁻¹ M, G the Gauss–Newton matrix of the training loss and M = ∂²L_T/∂w∂λ, both at
 * the tuner's W and b, for several d: the response that an unlimited training on the linearised loss would
 * find.
 *
 * L_T is without penalties: hyperparameters must act by the network alone. Dropout makes it a mean over
 * masks: G and M take the mean over --masks of them for each example, the same ones throughout. Beside each
 * row: what its response Θ has reached of the objective ½⟨Θ, GΘ⟩ + ⟨M, Θ⟩, the loss of y0 + J Θδ to second
 * order without the factor σ², and ‖Θ‖.
 * --draws K also takes the mean gradient of 10 K passes of response steps and compares it with M and G.
 * --adam R trains the response of "tuner" by Adam at the rate R instead of by the task's optimizer. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_response.h"

static int usage(void) {
  fprintf(
      stderr,
      "usage: bench_nn_response [--task T] [--tuner cstn|dstn] [--seed S] [--epochs E] [--frozen E]\n"
      "  [--rate R] [--masks K] [--repeats N] [--step H] [--products N] [--adam R] [--draws K] [--scale S] "
      "[NAME=VALUE ...]\n");
  return 2;
}

/* dL_V/dλ through the response. */
static void hypergradient(Net *t, double *g) {
  const NnRun run = {.response = NN_RESPONSE_FULL};
  memset(g, 0, t->n * sizeof *g);
  (void)pass(t, t->valid, t->rows[NN_VALID], run, t->model->loss, NN_HYPER, gather_lambda, g);
}

static void validation_gradient(Net *t, double *g) {
  const NnRun run = {.response = NN_RESPONSE_OFF};
  memset(g, 0, t->weights * sizeof *g);
  (void)pass(t, t->valid, t->rows[NN_VALID], run, t->model->loss, NN_GENERAL, gather_weights, g);
}

/* The response's part of node i, W or b: U and V, or u and C. */
typedef struct {
  NnId U, V;
} Parts;

static NnId named(const Net *t, const char *layer, const char *part) {
  char name[160];
  snprintf(name, sizeof name, "%s.%s", layer, part);
  return nn_graph_find(t->model->graph, name);
}

static Parts parts_of(const Net *t, int i) {
  char layer[128];
  snprintf(layer, sizeof layer, "%s", nn_graph_name(t->model->graph, t->node[i]));
  char *part = strrchr(layer, '.');
  const int bias = part[1] == 'b';
  *part = '\0';
  return (Parts){named(t, layer, bias ? "u" : "U"), named(t, layer, bias ? "C" : "V")};
}

/* Θ_k [weights]: dW/dλ_k = diag(V e_k) U, db/dλ_k = C e_k ⊙ u, in the order of W and b. */
static void response(Net *t, size_t k, double *theta) {
  NnReal *all = room(t->weights), *scale = room(t->weights * t->n);
  for (int i = 0; i < t->nodes; i++) {
    const NnShape s = nn_graph_shape(t->model->graph, t->node[i]);
    const size_t count = nn_shape_size(s), in = count / s.dim[0];
    const Parts p = parts_of(t, i);
    must(nn_graph_get(&t->ctx, t->model->graph, p.U, all, count), &t->ctx);
    must(nn_graph_get(&t->ctx, t->model->graph, p.V, scale, s.dim[0] * t->n), &t->ctx);
    for (size_t j = 0; j < count; j++) theta[j] = (double)scale[j / in * t->n + k] * (double)all[j];
    theta += count;
  }
  free(all);
  free(scale);
}

/* ½⟨Θ, GΘ⟩ + ⟨M, Θ⟩, summed over the hyperparameters. */
static double objective(Net *t, const Options *o, NnLoader *l, const double *M, const double *theta) {
  double *Gx = room(t->weights), sum = 0;
  for (size_t k = 0; k < t->n; k++) {
    const double *x = theta + k * t->weights;
    gauss_newton(t, o, l, x, Gx);
    sum += 0.5 * dot(t->weights, x, Gx) + dot(t->weights, M + k * t->weights, x);
  }
  free(Gx);
  return sum;
}

static void print_row(const Net *t, const char *name, const double *g) {
  printf("%-34s", name);
  for (size_t k = 0; k < t->n; k++) printf(" %10.5f", g[k]);
}

static double norm(size_t n, const double *x) { return sqrt(dot(n, x, x)); }

static void print_response(Net *t, const Options *o, NnLoader *l, const char *name, const double *M) {
  double g[MOST_HYPER], *theta = room(t->weights * t->n);
  hypergradient(t, g);
  for (size_t k = 0; k < t->n; k++) response(t, k, theta + k * t->weights);
  print_row(t, name, g);
  printf("  objective %.4f, norm %.2f\n", objective(t, o, l, M, theta), norm(t->weights * t->n, theta));
  (void)fflush(stdout);
  free(theta);
}

static void implicit(Net *t, const Options *o, NnLoader *l, const double *M) {
  const size_t n = t->weights;
  double *x = room(n * t->n), *down = room(n), *b = room(n), g[MOST_HYPER];
  char name[64];
  validation_gradient(t, down);
  for (double d = 1e-1; d > 0.9e-4; d /= 10) {
    int products = 0;
    for (size_t k = 0; k < t->n; k++) {
      for (size_t i = 0; i < n; i++) b[i] = -M[k * n + i];
      products += solve(t, o, l, d, b, x + k * n);
      g[k] = dot(n, down, x + k * n);
    }
    snprintf(name, sizeof name, "implicit, d = %g", d);
    print_row(t, name, g);
    printf("  objective %.4f, norm %.2f, %d products\n", objective(t, o, l, M, x), norm(n * t->n, x),
           products);
    (void)fflush(stdout);
  }
  free(x);
  free(down);
  free(b);
}

/* U ← theta (0 if NULL) and u, with V = C = 1 for hyperparameter k and 0 for the others: the response Θ_k =
 * theta. */
static void set_response(Net *t, size_t k, const double *theta) {
  NnReal *all = room(t->weights), *scale = room(t->weights * t->n);
  for (int i = 0; i < t->nodes; i++) {
    const NnShape s = nn_graph_shape(t->model->graph, t->node[i]);
    const size_t count = nn_shape_size(s);
    for (size_t j = 0; j < count; j++) all[j] = theta ? (NnReal)theta[j] : 0;
    for (size_t j = 0; j < s.dim[0] * t->n; j++) scale[j] = j % t->n == k;
    const Parts p = parts_of(t, i);
    must(nn_graph_set(&t->ctx, t->model->graph, p.U, all, count), &t->ctx);
    must(nn_graph_set(&t->ctx, t->model->graph, p.V, scale, s.dim[0] * t->n), &t->ctx);
    if (theta) theta += count;
  }
  free(all);
  free(scale);
}

static void gather_response(Net *t, double weight, double *sum) {
  NnReal *x = room(t->weights);
  for (int i = 0; i < t->nodes; i++) {
    const size_t count = nn_shape_size(nn_graph_shape(t->model->graph, t->node[i]));
    must(nn_graph_get_adjoint(&t->ctx, t->model->graph, parts_of(t, i).U, x, count), &t->ctx);
    for (size_t j = 0; j < count; j++) sum[j] += weight * (double)x[j];
    sum += count;
  }
  free(x);
}

/* Along v: the mean gradient in Θ_k of the response steps at Θ_k = theta, over σ². To first order in σ it is
 * ⟨v, M_k + G theta⟩. error: its standard error, of ten parts of the draws. */
static double step_gradient(Net *t, const Options *o, NnLoader *l, size_t k, const double *theta,
                            const double *v, double *error) {
  enum { PARTS = 10 };
  double mean = 0, square = 0, *sum = room(t->weights);
  const double sigma = t->task->hyper.item[k].scale;
  set_response(t, k, theta);
  for (int part = 0; part < PARTS; part++) {
    memset(sum, 0, t->weights * sizeof *sum);
    for (int m = 0; m < o->draws; m++) {
      const NnRun run = {.training = 1,
                         .perturbed = 1,
                         .response = NN_RESPONSE_LINEARISED,
                         .keep_statistics = 1,
                         .seed = 7,
                         .step = (uint64_t)(part * o->draws + m) + 1};
      (void)pass(t, l, t->rows[NN_TRAIN], run, t->model->loss, NN_RESPONSE, gather_response, sum);
    }
    const double along = dot(t->weights, v, sum) / (sigma * sigma * o->draws);
    mean += along / PARTS;
    square += along * along / PARTS;
  }
  *error = sqrt(fmax(square - mean * mean, 0) / (PARTS - 1));
  free(sum);
  return mean;
}

/* What the response steps descend, against M and G: the derivative that follows from their mean gradient at Θ
 * = 0, and ⟨Θ, GΘ⟩ from its change to the implicit Θ, both at damping d. */
static void steps(Net *t, const Options *o, NnLoader *l, const double *M, double d) {
  const size_t n = t->weights;
  double *down = room(n), *q = room(n), *x = room(n), *b = room(n), *Gx = room(n), g[MOST_HYPER],
         wide[MOST_HYPER];
  double curved[MOST_HYPER], wanted[MOST_HYPER], error;
  validation_gradient(t, down);
  (void)solve(t, o, l, d, down, q);
  for (size_t k = 0; k < t->n; k++) {
    g[k] = -step_gradient(t, o, l, k, NULL, q, &wide[k]);
    for (size_t i = 0; i < n; i++) b[i] = -M[k * n + i];
    memset(x, 0, n * sizeof *x);
    (void)solve(t, o, l, d, b, x);
    gauss_newton(t, o, l, x, Gx);
    wanted[k] = dot(n, x, Gx);
    curved[k] = step_gradient(t, o, l, k, x, x, &error) - step_gradient(t, o, l, k, NULL, x, &error);
  }
  print_row(t, "M from response steps, d = 0.01", g);
  printf("  standard errors:");
  for (size_t k = 0; k < t->n; k++) printf(" %.5f", wide[k]);
  printf("\n");
  print_row(t, "<T, GT> from response steps", curved);
  printf("  from G:");
  for (size_t k = 0; k < t->n; k++) printf(" %.5f", wanted[k]);
  printf("\n");
  (void)fflush(stdout);
  free(down), free(q), free(x), free(b), free(Gx);
}

/* Values of λ + shift in place k. */
static void shifted(const Net *t, const Options *o, size_t k, double shift, double *values) {
  for (size_t i = 0; i < t->n; i++) {
    const NnRange r = t->task->hyper.item[i].range;
    values[i] = nn_range_value(r, nn_range_inverse(r, o->values[i]) + (i == k ? shift : 0));
  }
}

static void differences(const Net *t, const Options *o) {
  double mean[MOST_HYPER] = {0}, square[MOST_HYPER] = {0};
  for (int s = 0; s < o->repeats; s++)
    for (size_t k = 0; k < t->n; k++) {
      double values[MOST_HYPER], loss[2];
      for (int side = 0; side < 2; side++) {
        Net u;
        Options p = *o;
        p.seed += (uint64_t)s;
        shifted(t, o, k, side ? -o->h : o->h, values);
        open_net(&u, &p, NN_TUNER_NONE, values);
        train(&u, 0, o->epochs, u.task->weights.rule.schedule.rate, 0);
        loss[side] = valid_loss(&u, NN_TUNER_NONE);
        close_net(&u);
      }
      const double slope = (loss[0] - loss[1]) / (2 * o->h);
      mean[k] += slope / o->repeats;
      square[k] += slope * slope / o->repeats;
    }
  print_row(t, "differences of trainings", mean);
  printf("  deviation of one:");
  for (size_t k = 0; k < t->n; k++) printf(" %.3f", sqrt(fmax(square[k] - mean[k] * mean[k], 0)));
  printf(", %d seeds\n", o->repeats);
  (void)fflush(stdout);
}

/* The response alone goes on. */
static void frozen(Net *t, const Options *o, NnLoader *l, const double *M) {
  char name[64];
  nn_tuner_destroy(t->tuner);
  open_tuner(t, o, o->kind, 1);
  for (int64_t done = 0, next = 30; done < o->frozen; done = next, next *= 2) {
    if (next > o->frozen) next = o->frozen;
    train(t, o->epochs + done, o->epochs + next, 0, o->rate);
    snprintf(name, sizeof name, "frozen, Adam, %lld epochs", (long long)next);
    print_response(t, o, l, name, M);
  }
}

int main(int argc, char **argv) {
  static const struct option names[] = {
      {"task", 1, NULL, 't'},   {"tuner", 1, NULL, 'u'},    {"seed", 1, NULL, 's'},
      {"epochs", 1, NULL, 'e'}, {"frozen", 1, NULL, 'f'},   {"rate", 1, NULL, 'r'},
      {"masks", 1, NULL, 'm'},  {"repeats", 1, NULL, 'n'},  {"step", 1, NULL, 'h'},
      {"adam", 1, NULL, 'a'},   {"products", 1, NULL, 'p'}, {"draws", 1, NULL, 'd'},
      {"scale", 1, NULL, 'g'},  {NULL, 0, NULL, 0}};
  Options o = {.task = "tiny-mlp",
               .kind = NN_TUNER_DSTN,
               .seed = 1,
               .epochs = 60,
               .frozen = 480,
               .masks = 20,
               .repeats = 5,
               .cg = 200,
               .h = 0.5,
               .rate = 1e-3};
  for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) switch (c) {
      case 't': o.task = optarg; break;
      case 'u': o.kind = strcmp(optarg, "cstn") == 0 ? NN_TUNER_CSTN : NN_TUNER_DSTN; break;
      case 's': o.seed = strtoull(optarg, NULL, 10); break;
      case 'e': o.epochs = atoll(optarg); break;
      case 'f': o.frozen = atoll(optarg); break;
      case 'r': o.rate = atof(optarg); break;
      case 'm': o.masks = atoi(optarg); break;
      case 'n': o.repeats = atoi(optarg); break;
      case 'g': o.scale = atof(optarg); break;
      case 'd': o.draws = atoi(optarg); break;
      case 'a': o.adam = atof(optarg); break;
      case 'h': o.h = atof(optarg); break;
      case 'p': o.cg = atoi(optarg); break;
      default: return usage();
    }
  Net t;
  open_net(&t, &o, o.kind, NULL);
  for (size_t k = 0; k < t.n; k++) o.values[k] = t.task->hyper.item[k].initial;
  for (int i = optind; i < argc; i++) {
    char *is = strchr(argv[i], '=');
    if (!is) return usage();
    *is = '\0';
    const long k = nn_hyper_find(&t.task->hyper, argv[i]);
    if (k < 0) return usage();
    o.values[k] = atof(is + 1);
  }
  must(nn_hyper_set(&t.ctx, t.model->graph, &t.task->hyper, &t.model->nodes, o.values), &t.ctx);

  printf("%-34s", "");
  for (size_t k = 0; k < t.n; k++) printf(" %s=%g", t.task->hyper.item[k].name, o.values[k]);
  printf("\n");
  if (o.repeats > 0) differences(&t, &o);
  const double rate = t.task->weights.rule.schedule.rate,
               response_rate = o.adam > 0 ? o.adam : t.task->response.rule.schedule.rate;
  train(&t, 0, o.epochs, rate, response_rate);
  NnLoader *l = ordered(&t);
  double *M = room(t.weights * t.n);
  mixed_derivative(&t, &o, M);
  implicit(&t, &o, l, M);
  print_response(&t, &o, l, "tuner, as trained", M);
  frozen(&t, &o, l, M);
  if (o.draws > 0) steps(&t, &o, l, M, 0.01);
  free(M);
  nn_loader_destroy(l);
  close_net(&t);
  return 0;
}
