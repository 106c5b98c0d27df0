/* The direct sweep of filter_bank.h for one REAL and one instruction set. Included by filter_bank.c, which
 * defines
 *
 *   REAL, BANK(name)           type and the names' ending
 *   BYTES                      of a vector register
 *   FILTERS, WIDE              forward and tap sums: FILTERS × WIDE accumulators
 *   MOST_ROWS, GROUP(rows)     adjoint: rows × GROUP(rows) accumulators, rows ≤ MOST_ROWS
 *
 * so that the accumulators and their operands fit the registers: 32 of AVX-512, else 16.
 *
 * Images are extended once into planes of `pitch` = width + s − 1 columns, in which each tap is one offset. A
 * batch is a few rows of responses laid out with that pitch, s − 1 zeros after each row: then the adjoint and
 * the tap sums run over the batch as over one long row. */

#define LANES (BYTES / sizeof(REAL))
#define STRETCH (STRETCH_BYTES / sizeof(REAL))

typedef REAL BANK(Vector) __attribute__((vector_size(BYTES)));
typedef REAL BANK(Loose) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
#define VECTOR BANK(Vector)
#define AT(p) (*(BANK(Loose) *)(p))
#define CONST_AT(p) (*(const BANK(Loose) *)(p))
#define BLOCK static inline __attribute__((always_inline)) void
/* A loop of known length, to be unrolled. */
#define EACH(index, count) _Pragma("GCC unroll 32") for (size_t index = 0; index < (count); index++)

/* t[f][0 … wide·LANES) of FILTERS filters, their taps as [s][s][FILTERS]. */
BLOCK BANK(respond_block)(const REAL *x, size_t pitch, size_t s, const REAL *taps, REAL *t, size_t stride,
                          const size_t wide) {
  VECTOR sum[FILTERS][WIDE];
  EACH(f, FILTERS) {
    EACH(v, wide) { sum[f][v] = (VECTOR){0}; }
  }
  for (size_t i = 0; i < s; i++, x += pitch)
    for (size_t j = 0; j < s; j++, taps += FILTERS) {
      VECTOR pixels[WIDE];
      EACH(v, wide) { pixels[v] = CONST_AT(x + j + v * LANES); }
      EACH(f, FILTERS) {
        EACH(v, wide) { sum[f][v] += taps[f] * pixels[v]; }
      }
    }
  EACH(f, FILTERS) {
    EACH(v, wide) { AT(t + f * stride + v * LANES) = sum[f][v]; }
  }
}

/* n columns of a row of responses; writes up to LANES − 1 entries more. */
static void BANK(respond)(const BankPlan *plan, const REAL *x, const REAL *taps, REAL *t, size_t n) {
  const size_t s = plan->size;
  for (size_t k = 0; k < plan->filters; k += FILTERS, taps += FILTERS * s * s, t += FILTERS * plan->stride)
    for (size_t c = 0, wide; c < n; c += wide * LANES) {
      wide = bank_split((n - c + LANES - 1) / LANES, WIDE);
      switch (wide) {
        case 1: BANK(respond_block)(x + c, plan->pitch, s, taps, t + c, plan->stride, 1); break;
        case 2: BANK(respond_block)(x + c, plan->pitch, s, taps, t + c, plan->stride, 2); break;
        default: BANK(respond_block)(x + c, plan->pitch, s, taps, t + c, plan->stride, WIDE); break;
      }
    }
}

/* The whole row, a stretch at a time so that its pixels stay in the first-level cache. */
static void BANK(respond_row)(const BankPlan *plan, const REAL *x, const REAL *taps, REAL *t) {
  for (size_t c = 0; c < plan->columns; c += STRETCH)
    BANK(respond)(plan, x + c, taps, t + c, plan->columns - c < STRETCH ? plan->columns - c : STRETCH);
}

/* Adds what `rows` filter rows give to their rows of the extended plane, taps as [K][s][rows]. */
BLOCK BANK(scatter_block)(const BankPlan *plan, const REAL *g, const REAL *taps, REAL *out, const size_t rows,
                          const size_t group) {
  VECTOR sum[MOST_ROWS][MOST_GROUP];
  EACH(i, rows) {
    EACH(v, group) { sum[i][v] = (VECTOR){0}; }
  }
  for (size_t k = 0; k < plan->filters; k++, g += plan->stride)
    for (size_t j = 0; j < plan->size; j++, taps += rows) {
      VECTOR values[MOST_GROUP];
      EACH(v, group) { values[v] = CONST_AT(g + v * LANES - j); }
      EACH(i, rows) {
        EACH(v, group) { sum[i][v] += taps[i] * values[v]; }
      }
    }
  EACH(i, rows) {
    EACH(v, group) { AT(out + i * plan->pitch + v * LANES) += sum[i][v]; }
  }
}

#define SCATTER(rows)                                                                                \
  static void BANK(scatter_##rows)(const BankPlan *plan, const REAL *g, const REAL *taps, REAL *out, \
                                   size_t n) {                                                       \
    const size_t wide = GROUP(rows) * LANES;                                                         \
    size_t c = 0;                                                                                    \
    for (; c + wide < n + LANES; c += wide)                                                          \
      BANK(scatter_block)(plan, g + c, taps, out + c, rows, GROUP(rows));                            \
    for (; c < n; c += LANES) BANK(scatter_block)(plan, g + c, taps, out + c, rows, 1);              \
  }
SCATTER(1)
SCATTER(2)
SCATTER(3)
SCATTER(4)
SCATTER(5)
SCATTER(6)
#if MOST_ROWS > 6
SCATTER(7)
SCATTER(8)
SCATTER(9)
#endif

/* Adjoint of a batch of n columns. */
static void BANK(scatter)(const BankPlan *plan, const REAL *g, const REAL *taps, REAL *out, size_t n) {
  for (size_t part = 0, i = 0; part < plan->parts; part++) {
    const size_t rows = bank_part_rows(plan, part);
    REAL *at = out + i * plan->pitch;
    switch (rows) {
      case 1: BANK(scatter_1)(plan, g, taps, at, n); break;
      case 2: BANK(scatter_2)(plan, g, taps, at, n); break;
      case 3: BANK(scatter_3)(plan, g, taps, at, n); break;
      case 4: BANK(scatter_4)(plan, g, taps, at, n); break;
      case 5: BANK(scatter_5)(plan, g, taps, at, n); break;
      case 6: BANK(scatter_6)(plan, g, taps, at, n); break;
#if MOST_ROWS > 6
      case 7: BANK(scatter_7)(plan, g, taps, at, n); break;
      case 8: BANK(scatter_8)(plan, g, taps, at, n); break;
      default: BANK(scatter_9)(plan, g, taps, at, n); break;
#endif
    }
    taps += plan->filters * plan->size * rows;
    i += rows;
  }
}

/* Adds Σ g x over n columns, lane by lane, to totals[FILTERS][s²][LANES]: `wide` taps from the one given. */
BLOCK BANK(correlate_block)(const BankPlan *plan, const REAL *g, const REAL *x, size_t n, size_t tap,
                            REAL *totals, const size_t wide) {
  const size_t next = plan->size * plan->size * LANES;
  VECTOR sum[FILTERS][WIDE];
  const REAL *at[WIDE];
  totals += tap * LANES;
  EACH(v, wide) { at[v] = x + plan->offset[tap + v]; }
  EACH(f, FILTERS) {
    EACH(v, wide) { sum[f][v] = CONST_AT(totals + f * next + v * LANES); }
  }
  for (size_t c = 0; c < n; c += LANES) {
    VECTOR pixels[WIDE];
    EACH(v, wide) { pixels[v] = CONST_AT(at[v] + c); }
    EACH(f, FILTERS) {
      VECTOR values = CONST_AT(g + f * plan->stride + c);
      KEEP(values);
      EACH(v, wide) { sum[f][v] += values * pixels[v]; }
    }
  }
  EACH(f, FILTERS) {
    EACH(v, wide) { AT(totals + f * next + v * LANES) = sum[f][v]; }
  }
}

/* Adds n columns to totals[padded][s²][LANES]. */
static void BANK(correlate)(const BankPlan *plan, const REAL *g, const REAL *x, size_t n, REAL *totals) {
  const size_t taps = plan->size * plan->size;
  for (size_t k = 0; k < plan->filters;
       k += FILTERS, g += FILTERS * plan->stride, totals += FILTERS * taps * LANES)
    for (size_t tap = 0, wide; tap < taps; tap += wide) {
      wide = bank_split(taps - tap, WIDE);
      switch (wide) {
        case 1: BANK(correlate_block)(plan, g, x, n, tap, totals, 1); break;
        case 2: BANK(correlate_block)(plan, g, x, n, tap, totals, 2); break;
        default: BANK(correlate_block)(plan, g, x, n, tap, totals, WIDE); break;
      }
    }
}

/* Moves the totals' lanes to sums[K][s][s]. */
static void BANK(flush)(const BankPlan *plan, REAL *totals, double *sums) {
  const size_t n = plan->filters * plan->size * plan->size;
  for (size_t j = 0; j < n; j++, totals += LANES) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t lane = 0; lane < LANES; lane++) sum += (double)totals[lane];
    sums[j] += sum;
    AT(totals) = (VECTOR){0};
  }
}

/* The same for a batch, a stretch at a time so that it stays in the first-level cache; `terms` counts what a
 * lane holds. */
static void BANK(correlate_batch)(const BankPlan *plan, const REAL *g, const REAL *x, size_t n, REAL *totals,
                                  size_t *terms, double *sums) {
  for (size_t c = 0; c < n; c += STRETCH) {
    const size_t part = n - c < STRETCH ? n - c : STRETCH, more = (part + LANES - 1) / LANES;
    if (sizeof(REAL) < sizeof(double) && *terms + more > MOST_TERMS) {
      BANK(flush)(plan, totals, sums);
      *terms = 0;
    }
    BANK(correlate)(plan, g + c, x + c, part, totals);
    *terms += more;
  }
}

static void BANK(extend)(const BankPlan *plan, BtShape shape, const double *image, REAL *x) {
  for (size_t r = 0; r < shape.height + plan->size - 1; r++, x += plan->pitch) {
    const double *from = image + plan->reflected_row[r] * shape.width;
    for (size_t c = 0; c < plan->before; c++) x[c] = (REAL)from[plan->reflected_column[c]];
    for (size_t c = 0; c < shape.width; c++) x[plan->before + c] = (REAL)from[c];
    for (size_t c = plan->before + shape.width; c < plan->pitch; c++)
      x[c] = (REAL)from[plan->reflected_column[c]];
  }
}

/* Adjoint of extend(). */
static void BANK(fold)(const BankPlan *plan, BtShape shape, const REAL *x, double *image) {
  memset(image, 0, bt_shape_size(shape) * sizeof *image);
  for (size_t r = 0; r < shape.height + plan->size - 1; r++, x += plan->pitch) {
    double *to = image + plan->reflected_row[r] * shape.width;
    for (size_t c = 0; c < plan->before; c++) to[plan->reflected_column[c]] += (double)x[c];
    for (size_t c = 0; c < shape.width; c++) to[c] += (double)x[plan->before + c];
    for (size_t c = plan->before + shape.width; c < plan->pitch; c++)
      to[plan->reflected_column[c]] += (double)x[c];
  }
}

static void BANK(pack_forward)(const BankPlan *plan, const double *taps, REAL *packed) {
  const size_t n = plan->size * plan->size;
  for (size_t k = 0; k < plan->padded; k++)
    for (size_t tap = 0; tap < n; tap++)
      packed[(k / FILTERS * n + tap) * FILTERS + k % FILTERS] =
          k < plan->filters ? (REAL)taps[k * n + tap] : 0;
}

static void BANK(pack_adjoint)(const BankPlan *plan, const double *taps, REAL *packed) {
  const size_t s = plan->size;
  for (size_t part = 0, i = 0; part < plan->parts; i += bank_part_rows(plan, part++))
    for (size_t k = 0; k < plan->filters; k++)
      for (size_t j = 0; j < s; j++)
        for (size_t row = 0; row < bank_part_rows(plan, part); row++)
          *packed++ = (REAL)taps[(k * s + i + row) * s + j];
}

/* Zeros after the rows of a batch, over what respond() and act() wrote too much. */
static void BANK(clear_gaps)(const BankPlan *plan, size_t rows, REAL *t) {
  for (size_t k = 0; k < plan->padded; k++, t += plan->stride) {
    for (size_t r = 0; r < rows; r++)
      memset(t + r * plan->pitch + plan->columns, 0, (plan->size - 1) * sizeof *t);
    memset(t + rows * plan->pitch, 0, BT_BANK_SPARE * sizeof *t);
  }
}

/* What a sweep works in: all of one allocation, whose size is returned; `base` NULL: only that. */
typedef struct {
  REAL *x[2], *t[2], *forward[2], *adjoint[2], *out, *totals;
} BANK(Memory);

static size_t BANK(lay_out)(BankPlan *plan, const BtBankSweep *w, BtShape shape, char *base,
                            BANK(Memory) * m) {
  const size_t s = plan->size, taps = s * s, extended = shape.height + s - 1;
  const size_t plane = extended * plan->pitch + MOST_GROUP * LANES + s;
  size_t used = 0;
  plan->reflected_row = bt_bank_take(base, &used, extended, sizeof(size_t));
  plan->reflected_column = bt_bank_take(base, &used, plan->pitch, sizeof(size_t));
  plan->offset = bt_bank_take(base, &used, taps, sizeof(size_t));
  for (int l = 0; l < w->inputs; l++) {
    m->x[l] = l == 1 && w->image[1] == w->image[0] ? m->x[0] : bt_bank_take(base, &used, plane, sizeof(REAL));
    m->forward[l] = bt_bank_take(base, &used, plan->padded * taps, sizeof(REAL));
  }
  for (int l = 0; l < w->outputs; l++)
    m->adjoint[l] = bt_bank_take(base, &used, plan->filters * taps, sizeof(REAL));
  if (w->outputs > 0) m->out = bt_bank_take(base, &used, plane, sizeof(REAL));
  for (int l = 0; l < w->inputs || l < w->outputs; l++)
    m->t[l] = bt_bank_take(base, &used, plan->padded * plan->stride + plan->lead, sizeof(REAL));
  if (w->tap_sums) m->totals = bt_bank_take(base, &used, plan->padded * taps * LANES, sizeof(REAL));
  return used;
}

static BankPlan BANK(plan)(const BtBankSweep *w, BtShape shape) {
  BankPlan plan = {.filters = w->bank[0]->filters, .size = w->bank[0]->size, .columns = shape.width};
  const size_t line = 64 / sizeof(REAL), rows = BATCH_BYTES / sizeof(REAL) / (shape.width + plan.size - 1);
  plan.before = (plan.size - 1) / 2;
  plan.pitch = shape.width + plan.size - 1;
  plan.padded = (plan.filters + FILTERS - 1) / FILTERS * FILTERS;
  plan.parts = (plan.size + MOST_ROWS - 1) / MOST_ROWS;
  plan.rows = rows < 1 ? 1 : rows > shape.height ? shape.height : rows;
  plan.lead = (plan.size - 1 + line - 1) / line * line;
  plan.stride = (plan.rows * plan.pitch + BT_BANK_SPARE + line - 1) / line * line;
  /* An odd number of cache lines: the same column of different filters does not share a set of the cache. */
  if (plan.stride / line % 2 == 0) plan.stride += line;
  return plan;
}

static BtStatus BANK(sweep)(const BtBankSweep *w, BtShape shape) {
  BankPlan plan = BANK(plan)(w, shape);
  BANK(Memory) m = {0};
  const size_t bytes = BANK(lay_out)(&plan, w, shape, NULL, &m), height = shape.height, pitch = plan.pitch;
  const int tracks = w->inputs > w->outputs ? w->inputs : w->outputs;
  char *memory = aligned_alloc(BT_BANK_ALIGNMENT, bytes);
  if (!memory) return BT_ERR_MEMORY;
  memset(memory, 0, bytes);
  (void)BANK(lay_out)(&plan, w, shape, memory, &m);
  bt_bank_reflect(height, plan.size, plan.reflected_row);
  bt_bank_reflect(shape.width, plan.size, plan.reflected_column);
  for (size_t tap = 0; tap < plan.size * plan.size; tap++)
    plan.offset[tap] = tap / plan.size * pitch + tap % plan.size;
  for (int l = 0; l < w->inputs; l++) {
    if (l == 0 || m.x[1] != m.x[0]) BANK(extend)(&plan, shape, w->image[l], m.x[l]);
    BANK(pack_forward)(&plan, w->bank[l]->taps, m.forward[l]);
  }
  for (int l = 0; l < w->outputs; l++) BANK(pack_adjoint)(&plan, w->bank[l]->taps, m.adjoint[l]);
  if (w->tap_sums) memset(w->tap_sums, 0, plan.filters * plan.size * plan.size * sizeof *w->tap_sums);

  size_t terms = 0;
  for (size_t first = 0, rows; first < height; first += rows) {
    rows = height - first < plan.rows ? height - first : plan.rows;
    for (size_t r = 0; r < rows; r++) {
      BtBankRow row = {.row = first + r, .columns = shape.width, .stride = plan.stride};
      for (int l = 0; l < tracks; l++) {
        REAL *t = m.t[l] + plan.lead + r * pitch;
        row.t[l] = t;
        if (l < w->inputs) BANK(respond_row)(&plan, m.x[l] + row.row * pitch, m.forward[l], t);
      }
      w->act(w->user, &row);
    }
    for (int l = 0; l < tracks; l++) {
      REAL *g = m.t[l] + plan.lead;
      BANK(clear_gaps)(&plan, rows, g);
      if (l < w->outputs) BANK(scatter)(&plan, g, m.adjoint[l], m.out + first * pitch, rows * pitch);
      if (w->tap_sums && l < w->inputs)
        BANK(correlate_batch)(&plan, g, m.x[l] + first * pitch, rows * pitch, m.totals, &terms, w->tap_sums);
    }
  }
  if (w->tap_sums) BANK(flush)(&plan, m.totals, w->tap_sums);
  if (w->outputs > 0) BANK(fold)(&plan, shape, m.out, w->out);
  free(memory);
  return BT_OK;
}

#undef LANES
#undef STRETCH
#undef VECTOR
#undef AT
#undef CONST_AT
#undef BLOCK
#undef EACH
#undef SCATTER
