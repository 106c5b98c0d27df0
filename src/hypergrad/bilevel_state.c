/* Warm starts in a checkpoint, so that a resumed run takes the very steps of an unbroken one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypergrad/bilevel_internal.h"

enum { CERTIFICATE_FIELDS = 4 };

typedef struct {
  const char *name;
  size_t length;
  double *own; /* this image's array on its owner, NULL elsewhere */
} Field;

enum { FIELDS = 4 };

/* The arrays of image i: solution, dual, adjoint, what its preconditioner follows from. */
static int fields_of(BtBilevel *b, size_t i, Field fields[FIELDS]) {
  BtSlot *slot = &b->slots[b->accepted];
  const size_t n = b->problem->ops->dimension(b->problem, i), dual = bt_problem_dual_size(b->problem, i);
  int count = 0;
  fields[count++] = (Field){"x", n, slot->points[i].x};
  fields[count++] = (Field){"adjoint", n, b->adjoints[i]};
  if (dual) fields[count++] = (Field){"dual", dual, slot->points[i].dual};
  if (b->problem->ops->memory) {
    size_t length;
    double *own = b->problem->ops->memory(b->problem, i, &length);
    fields[count++] = (Field){"preconditioner", length, own};
  }
  return count;
}

static size_t longest_field(BtBilevel *b) {
  size_t longest = 0;
  for (size_t i = 0; i < b->problem->count; i++) {
    Field fields[FIELDS];
    const int have = fields_of(b, i, fields);
    for (int k = 0; k < have; k++) longest = fields[k].length > longest ? fields[k].length : longest;
  }
  return longest;
}

static void field_name(char name[64], const Field *field, size_t i) {
  snprintf(name, 64, "warm.%s.%zu", field->name, i);
}

BtStatus bt_bilevel_declare(BtBilevel *b, BtContext *ctx, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  const size_t count = b->problem->count;
  if (!writer) return BT_OK;
  BT_TRY(bt_tensors_declare(ctx, writer, "warm.work", BT_TENSOR_I64, 1, (const size_t[]){4}));
  if (b->draw) goto done;
  BT_TRY(bt_tensors_declare(ctx, writer, "warm.theta", BT_TENSOR_F64, 1, &b->problem->parameters));
  BT_TRY(bt_tensors_declare(ctx, writer, "warm.certificates", BT_TENSOR_F64, 2,
                            (const size_t[]){count, CERTIFICATE_FIELDS}));
  for (size_t i = 0; i < count; i++) {
    Field fields[FIELDS];
    const int have = fields_of(b, i, fields);
    for (int k = 0; k < have; k++) {
      char name[64];
      field_name(name, &fields[k], i);
      BT_TRY(bt_tensors_declare(ctx, writer, name, BT_TENSOR_F64, 1, &fields[k].length));
    }
  }
done:
  return st;
}

/* Brings an array to rank 0 and appends it there; own is NULL on ranks that do not have it. */
static BtStatus send(BtBilevel *b, BtContext *ctx, BtTensorWriter *writer, const double *own, size_t length,
                     double *buffer) {
  BtStatus st = BT_OK;
  memset(buffer, 0, length * sizeof *buffer);
  if (own) memcpy(buffer, own, length * sizeof *buffer);
  BT_TRY(b->team->sum(b->team, ctx, buffer, length));
  if (writer) st = bt_tensors_append(ctx, writer, buffer, length);
  st = bt_team_agree(b->team, ctx, st);
done:
  return st;
}

BtStatus bt_bilevel_save(BtBilevel *b, BtContext *ctx, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  BtSlot *slot = &b->slots[b->accepted];
  const size_t count = b->problem->count, longest = longest_field(b);
  const int64_t work[4] = {b->total.gradients, b->total.hessian_products, b->total.solves,
                           b->total.hypergradients};
  if (b->draw) {
    if (writer) st = bt_tensors_append(ctx, writer, work, 4);
    return bt_team_agree(b->team, ctx, st);
  }
  double *buffer = malloc((longest + count * CERTIFICATE_FIELDS) * sizeof *buffer);
  st = bt_team_agree(b->team, ctx, buffer ? BT_OK : bt_fail_memory(ctx, "a checkpoint", (double)longest * 8));
  if (st < 0) goto done;
  if (writer) st = bt_tensors_append(ctx, writer, work, 4);
  if (writer && st >= 0) st = bt_tensors_append(ctx, writer, slot->theta, b->problem->parameters);
  st = bt_team_agree(b->team, ctx, st);
  if (st < 0) goto done;

  double *certificates = buffer + longest;
  memset(certificates, 0, count * CERTIFICATE_FIELDS * sizeof *certificates);
  for (size_t i = 0; i < count; i++) {
    const BtCertificate *c = &slot->certificates[i];
    const double values[CERTIFICATE_FIELDS] = {c->bound, c->grad_norm, c->mu, (double)c->proof};
    if (bt_team_owns(b->team, i)) memcpy(certificates + i * CERTIFICATE_FIELDS, values, sizeof values);
  }
  BT_TRY(b->team->sum(b->team, ctx, certificates, count * CERTIFICATE_FIELDS));
  if (writer) st = bt_tensors_append(ctx, writer, certificates, count * CERTIFICATE_FIELDS);
  st = bt_team_agree(b->team, ctx, st);
  for (size_t i = 0; i < count && st >= 0; i++) {
    Field fields[FIELDS];
    const int have = fields_of(b, i, fields);
    for (int k = 0; k < have && st >= 0; k++)
      st = send(b, ctx, writer, fields[k].own, fields[k].length, buffer);
  }
done:
  free(buffer);
  return st;
}

/* Stored certificates are believed only if the stored solutions bear them out; not counted as work. */
static BtStatus verify(BtBilevel *b, BtContext *ctx) {
  BtStatus st = BT_OK;
  BtSlot *slot = &b->slots[b->accepted];
  const BtWork before = bt_lower_work(b->lower);
  for (size_t i = 0; i < b->problem->count; i++) {
    BtCertificate cert;
    if (!bt_team_owns(b->team, i) || !isfinite(slot->certificates[i].bound)) continue;
    const double claimed = slot->certificates[i].bound * (1 + 1e-9);
    BT_TRY(bt_lower_certify(b->lower, ctx, i, slot->theta, claimed, slot->points[i].x, &cert));
    const int steeper = !(cert.grad_norm <= slot->certificates[i].grad_norm * (1 + 1e-9));
    if (!(cert.bound <= claimed) || steeper || cert.proof < slot->certificates[i].proof)
      BT_TRY(bt_fail(ctx, BT_ERR_FORMAT,
                     "the checkpoint is damaged: image %zu is not as well solved as it says", i));
  }
  const BtWork after = bt_lower_work(b->lower);
  b->uncounted += bt_work_total(&after) - bt_work_total(&before);
done:
  return st;
}

static BtStatus load(BtBilevel *b, BtContext *ctx, BtTensorReader *reader) {
  BtStatus st = BT_OK;
  BtSlot *slot = &b->slots[b->accepted];
  const size_t count = b->problem->count;
  int64_t work[4];
  double *certificates = malloc(count * CERTIFICATE_FIELDS * sizeof *certificates);
  if (!certificates) return bt_fail_memory(ctx, "a checkpoint", (double)count * 8 * CERTIFICATE_FIELDS);
  BT_TRY(bt_tensors_read(ctx, reader, "warm.work", BT_TENSOR_I64, 4, work));
  if (b->draw) goto counted;
  BT_TRY(bt_tensors_read(ctx, reader, "warm.theta", BT_TENSOR_F64, b->problem->parameters, slot->theta));
  BT_TRY(bt_tensors_read(ctx, reader, "warm.certificates", BT_TENSOR_F64, count * CERTIFICATE_FIELDS,
                         certificates));
  for (size_t i = 0; i < count; i++) {
    Field fields[FIELDS];
    const int have = fields_of(b, i, fields);
    const double *c = certificates + i * CERTIFICATE_FIELDS;
    slot->certificates[i] = (BtCertificate){c[0], c[1], c[2], (BtProof)c[3]};
    slot->along[i] = bt_interval_all();
    for (int k = 0; k < have && bt_team_owns(b->team, i); k++) {
      char name[64];
      field_name(name, &fields[k], i);
      BT_TRY(bt_tensors_read(ctx, reader, name, BT_TENSOR_F64, fields[k].length, fields[k].own));
    }
  }
  BT_TRY(verify(b, ctx));
  slot->used = 1;
counted:
  b->earlier = b->total = (BtWork){work[0], work[1], work[2], 0};
  b->hypergradients = work[3];
  b->total.hypergradients = work[3];
done:
  free(certificates);
  return st;
}

BtStatus bt_bilevel_load(BtBilevel *b, BtContext *ctx, BtTensorReader *reader) {
  const BtStatus st = load(b, ctx, reader), joined = bt_bilevel_join(b, ctx);
  return st < 0 ? st : joined;
}
