/* core/safetensors.h: named arrays in the safetensors format (8-byte little-endian header length, JSON header, data).
 *
 * Checkpoints are such files: other programs can open them, and one atomic rename replaces all of a run's state. */
#ifndef BITUNE_CORE_SAFETENSORS_H
#define BITUNE_CORE_SAFETENSORS_H

#include <jansson.h>
#include <stdint.h>

#include "core/context.h"

#define BT_TENSOR_MAX_DIMS 8

typedef enum { BT_TENSOR_F64, BT_TENSOR_F32, BT_TENSOR_I64 } BtTensorType;

/* Writes tensors one after the other, so that a large state never needs to be in memory twice. The tensors' names,
 * types and shapes are declared first; their data must then be appended in the same order. */
typedef struct BtTensorWriter BtTensorWriter;

/* `metadata` (borrowed) is an object of strings that the header carries as __metadata__; NULL for none. */
BtStatus bt_tensors_create(BtContext *ctx, const char *path, const json_t *metadata, BtTensorWriter **writer);
BtStatus bt_tensors_declare(BtContext *ctx, BtTensorWriter *writer, const char *name, BtTensorType type, int dims,
                            const size_t *shape);
/* The first call closes the declarations. `count` elements of the declared type; one tensor per call. */
BtStatus bt_tensors_append(BtContext *ctx, BtTensorWriter *writer, const void *elements, size_t count);
/* The commit makes *claim the claim of the new file, see bt_file_claim. */
void bt_tensors_claim(BtTensorWriter *writer, int *claim);
/* Replaces the target atomically and frees the writer, whatever happens. BT_ERR_ARG if declared data is missing. */
BtStatus bt_tensors_commit(BtContext *ctx, BtTensorWriter *writer);
void bt_tensors_abandon(BtTensorWriter *writer);

typedef struct BtTensorReader BtTensorReader;

/* Opens and checks the header against the file: offsets in order, without gaps, inside the file, sizes matching
 * shapes, no name twice. Errors: BT_ERR_IO, BT_ERR_FORMAT. */
BtStatus bt_tensors_open(BtContext *ctx, const char *path, BtTensorReader **reader);
/* A string of __metadata__, borrowed; NULL if absent. */
const char *bt_tensors_metadata(const BtTensorReader *reader, const char *key);
/* Reads a tensor that must have the given type and exactly `count` elements. BT_ERR_FORMAT naming file and tensor. */
BtStatus bt_tensors_read(BtContext *ctx, BtTensorReader *reader, const char *name, BtTensorType type, size_t count,
                         void *elements);
/* The same of numbers that must all be finite. */
BtStatus bt_tensors_read_finite(BtContext *ctx, BtTensorReader *reader, const char *name, BtTensorType type,
                                size_t count, void *elements);
/* BT_ERR_FORMAT: "FILE: tensor "NAME" TEXT", for who finds what it holds to be wrong. */
BtStatus bt_tensors_fail(BtContext *ctx, const BtTensorReader *reader, const char *name, const char *text);
/* True if there is a tensor of that name. */
int bt_tensors_has(const BtTensorReader *reader, const char *name);
void bt_tensors_close(BtTensorReader *reader);

#endif
