#include "core/safetensors.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"

#define LENGTH_BYTES 8
#define ALIGNMENT 8
#define HEADER_LIMIT 100000000 /* as the reference implementation has it */
#define METADATA "__metadata__"

static const struct {
  const char *name;
  size_t size;
} types[] = {[BT_TENSOR_F64] = {"F64", 8}, [BT_TENSOR_F32] = {"F32", 4}, [BT_TENSOR_I64] = {"I64", 8}};
#define TYPES (sizeof types / sizeof *types)

/* The format is little-endian; numbers go to and from memory as they are. */
static int little_endian(void) {
  const uint16_t one = 1;
  unsigned char first;
  memcpy(&first, &one, 1);
  return first == 1;
}

static BtStatus check_host(BtContext *ctx, const char *path) {
  if (little_endian()) return BT_OK;
  return bt_fail(ctx, BT_ERR_UNSUPPORTED, "%s: safetensors files need a little-endian machine", path);
}

/* a·b into *product; 0 if it does not fit an offset of the format. */
static int multiply(uint64_t a, uint64_t b, uint64_t *product) {
  if (b && a > INT64_MAX / b) return 0;
  *product = a * b;
  return 1;
}

struct BtTensorWriter {
  BtAtomicFile file;
  json_t *header;   /* NULL once written                                  */
  uint64_t *counts; /* [tensors] elements                                 */
  size_t *sizes;    /* [tensors] bytes of an element                      */
  size_t tensors;   /* declared                                           */
  size_t appended;
  uint64_t end; /* bytes of data declared                             */
  int failed;   /* what was written is no longer what was declared    */
};

BtStatus bt_tensors_create(BtContext *ctx, const char *path, const json_t *metadata,
                           BtTensorWriter **writer) {
  BtStatus st = BT_OK;
  const char *key;
  json_t *value;
  *writer = NULL;
  BtTensorWriter *w = calloc(1, sizeof *w);
  if (!w) return bt_fail_memory(ctx, path, sizeof *w);
  BT_TRY(check_host(ctx, path));
  w->header = json_object();
  json_t *copy = metadata ? json_deep_copy(metadata) : NULL;
  if (!w->header || (metadata && !copy) || (copy && json_object_set_new(w->header, METADATA, copy) != 0)) {
    st = bt_fail_memory(ctx, path, sizeof *w);
    goto done;
  }
  json_object_foreach(copy, key, value) {
    if (!json_is_string(value)) {
      st = bt_fail(ctx, BT_ERR_ARG, "%s: metadata \"%s\" is not a string", path, key);
      goto done;
    }
  }
  BT_TRY(bt_atomic_open(ctx, path, &w->file));
  *writer = w;
  w = NULL;
done:
  bt_tensors_abandon(w);
  return st;
}

/* Room for one more entry in the writer's lists. */
static BtStatus grow(BtContext *ctx, BtTensorWriter *w) {
  const size_t n = w->tensors + 1;
  uint64_t *counts = realloc(w->counts, n * sizeof *counts);
  if (counts) w->counts = counts;
  size_t *sizes = counts ? realloc(w->sizes, n * sizeof *sizes) : NULL;
  if (sizes) w->sizes = sizes;
  return sizes ? BT_OK : bt_fail_memory(ctx, w->file.path, (double)n * (sizeof *counts + sizeof *sizes));
}

BtStatus bt_tensors_declare(BtContext *ctx, BtTensorWriter *writer, const char *name, BtTensorType type,
                            int dims, const size_t *shape) {
  BtStatus st = BT_OK;
  const char *path = writer->file.path;
  json_t *entry = NULL, *sides = json_array();
  uint64_t count = 1, bytes = 0;
  if (!writer->header) {
    st = bt_fail(ctx, BT_ERR_ARG, "%s: tensor \"%s\" is declared after the first data", path, name);
    goto done;
  }
  if ((size_t)type >= TYPES || dims < 0 || dims > BT_TENSOR_MAX_DIMS) {
    st = bt_fail(ctx, BT_ERR_ARG, "%s: tensor \"%s\" has an unknown type or not 0 to %d dimensions", path,
                 name, BT_TENSOR_MAX_DIMS);
    goto done;
  }
  if (strcmp(name, METADATA) == 0 || json_object_get(writer->header, name)) {
    st = bt_fail(ctx, BT_ERR_ARG, "%s: the tensor name \"%s\" is taken", path, name);
    goto done;
  }
  int fits = 1, stored = sides != NULL;
  for (int d = 0; d < dims; d++) {
    fits = fits && multiply(count, shape[d], &count);
    stored = stored && json_array_append_new(sides, json_integer((json_int_t)shape[d])) == 0;
  }
  fits = fits && multiply(count, types[type].size, &bytes) && bytes <= INT64_MAX - writer->end;
  if (!fits) {
    st = bt_fail(ctx, BT_ERR_ARG, "%s: tensor \"%s\" is larger than a file can be", path, name);
    goto done;
  }
  BT_TRY(grow(ctx, writer));
  if (stored)
    entry = json_pack("{s:s, s:O, s:[I, I]}", "dtype", types[type].name, "shape", sides, "data_offsets",
                      (json_int_t)writer->end, (json_int_t)(writer->end + bytes));
  if (!entry || json_object_set(writer->header, name, entry) != 0) {
    st = bt_fail(ctx, BT_ERR_ARG, "%s: tensor \"%s\" cannot be declared: no memory, or its name is not UTF-8",
                 path, name);
    goto done;
  }
  writer->counts[writer->tensors] = count;
  writer->sizes[writer->tensors++] = types[type].size;
  writer->end += bytes;
done:
  json_decref(entry);
  json_decref(sides);
  if (st < 0) writer->failed = 1;
  return st;
}

static BtStatus put(BtContext *ctx, BtTensorWriter *w, const void *bytes, size_t size) {
  if (size == 0 || fwrite(bytes, 1, size, w->file.stream) == size) return BT_OK;
  return bt_fail(ctx, BT_ERR_IO, "%s: cannot write: %s", w->file.path, strerror(errno));
}

/* Length, JSON and the blanks that align the data; closes the declarations. */
static BtStatus put_header(BtContext *ctx, BtTensorWriter *w) {
  static const char blanks[ALIGNMENT + 1] = "        ";
  BtStatus st = BT_OK;
  unsigned char length[LENGTH_BYTES];
  char *text = json_dumps(w->header, JSON_COMPACT);
  if (!text) {
    st = bt_fail_memory(ctx, w->file.path, 0);
    goto done;
  }
  const size_t size = strlen(text), padding = (ALIGNMENT - size % ALIGNMENT) % ALIGNMENT;
  if (size + padding > HEADER_LIMIT) {
    st = bt_fail(ctx, BT_ERR_ARG, "%s: the header is larger than %d bytes", w->file.path, HEADER_LIMIT);
    goto done;
  }
  for (int i = 0; i < LENGTH_BYTES; i++) length[i] = (unsigned char)((uint64_t)(size + padding) >> 8 * i);
  BT_TRY(put(ctx, w, length, sizeof length));
  BT_TRY(put(ctx, w, text, size));
  BT_TRY(put(ctx, w, blanks, padding));
  json_decref(w->header);
  w->header = NULL;
done:
  free(text);
  return st;
}

BtStatus bt_tensors_append(BtContext *ctx, BtTensorWriter *writer, const void *elements, size_t count) {
  BtStatus st = BT_OK;
  if (writer->appended == writer->tensors || count != writer->counts[writer->appended]) {
    st = bt_fail(ctx, BT_ERR_ARG, "%s: data of %zu elements do not fit the declaration of tensor %zu",
                 writer->file.path, count, writer->appended);
    goto done;
  }
  if (writer->header) BT_TRY(put_header(ctx, writer));
  BT_TRY(put(ctx, writer, elements, count * writer->sizes[writer->appended]));
  writer->appended++;
done:
  if (st < 0) writer->failed = 1;
  return st;
}

void bt_tensors_claim(BtTensorWriter *writer, int *claim) { writer->file.claim = claim; }

BtStatus bt_tensors_commit(BtContext *ctx, BtTensorWriter *writer) {
  BtStatus st = BT_OK;
  if (writer->failed) {
    st = bt_fail(ctx, BT_ERR_ARG, "%s: not replaced, because an earlier declaration or write failed",
                 writer->file.path);
    goto done;
  }
  if (writer->appended < writer->tensors) {
    st = bt_fail(ctx, BT_ERR_ARG, "%s: data of %zu of %zu tensors are missing", writer->file.path,
                 writer->tensors - writer->appended, writer->tensors);
    goto done;
  }
  if (writer->header) BT_TRY(put_header(ctx, writer));
  st = bt_atomic_commit(ctx, &writer->file);
done:
  bt_tensors_abandon(writer);
  return st;
}

void bt_tensors_abandon(BtTensorWriter *writer) {
  if (!writer) return;
  bt_atomic_abort(&writer->file);
  json_decref(writer->header);
  free(writer->counts);
  free(writer->sizes);
  free(writer);
}

typedef struct {
  const char *name; /* borrowed from the header */
  BtTensorType type;
  uint64_t count;
  uint64_t begin, end; /* bytes, from the start of the data */
} Entry;

struct BtTensorReader {
  FILE *stream;
  char *path;
  json_t *header;
  Entry *entries; /* [tensors] in the order of their data */
  size_t tensors;
  uint64_t data; /* where the data start in the file */
};

BtStatus bt_tensors_fail(BtContext *ctx, const BtTensorReader *r, const char *name, const char *text) {
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: tensor \"%.100s\" %s", r->path, name, text);
}

static int find_type(const char *name, BtTensorType *type) {
  for (size_t i = 0; name && i < TYPES; i++) {
    if (strcmp(name, types[i].name) != 0) continue;
    *type = (BtTensorType)i;
    return 1;
  }
  return 0;
}

/* A whole number >= 0. */
static int get_size(const json_t *value, uint64_t *size) {
  if (!json_is_integer(value) || json_integer_value(value) < 0) return 0;
  *size = (uint64_t)json_integer_value(value);
  return 1;
}

static BtStatus parse_entry(BtContext *ctx, const BtTensorReader *r, const char *name, const json_t *value,
                            Entry *entry) {
  const json_t *shape = json_object_get(value, "shape"), *offsets = json_object_get(value, "data_offsets");
  uint64_t bytes;
  *entry = (Entry){.name = name, .count = 1};
  if (!find_type(json_string_value(json_object_get(value, "dtype")), &entry->type))
    return bt_tensors_fail(ctx, r, name, "has none of the types F64, F32, I64");
  if (!json_is_array(shape)) return bt_tensors_fail(ctx, r, name, "has no shape");
  for (size_t i = 0; i < json_array_size(shape); i++) {
    uint64_t side;
    if (!get_size(json_array_get(shape, i), &side) || !multiply(entry->count, side, &entry->count))
      return bt_tensors_fail(ctx, r, name, "has an impossible shape");
  }
  if (json_array_size(offsets) != 2 || !get_size(json_array_get(offsets, 0), &entry->begin) ||
      !get_size(json_array_get(offsets, 1), &entry->end) || entry->begin > entry->end)
    return bt_tensors_fail(ctx, r, name, "has no valid data_offsets");
  if (!multiply(entry->count, types[entry->type].size, &bytes) || bytes != entry->end - entry->begin)
    return bt_tensors_fail(ctx, r, name, "has a shape that does not match its data_offsets");
  return BT_OK;
}

static BtStatus check_metadata(BtContext *ctx, const BtTensorReader *r) {
  json_t *metadata = json_object_get(r->header, METADATA), *value;
  const char *key;
  if (metadata && !json_is_object(metadata))
    return bt_fail(ctx, BT_ERR_FORMAT, "%s: " METADATA " is not an object", r->path);
  json_object_foreach(metadata, key, value) {
    if (!json_is_string(value))
      return bt_fail(ctx, BT_ERR_FORMAT, "%s: metadata \"%.100s\" is not a string", r->path, key);
  }
  return BT_OK;
}

static int by_offset(const void *a, const void *b) {
  const Entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

/* Fills the list of entries; they must cover the `size` bytes of data one after the other. */
static BtStatus parse_entries(BtContext *ctx, BtTensorReader *r, uint64_t size) {
  BtStatus st = check_metadata(ctx, r);
  if (st < 0) return st;
  const char *key;
  json_t *value;
  const size_t room = json_object_size(r->header);
  r->entries = calloc(room ? room : 1, sizeof *r->entries);
  if (!r->entries) return bt_fail_memory(ctx, r->path, (double)room * sizeof *r->entries);
  json_object_foreach(r->header, key, value) {
    if (strcmp(key, METADATA) == 0) continue;
    st = parse_entry(ctx, r, key, value, &r->entries[r->tensors]);
    if (st < 0) return st;
    r->tensors++;
  }
  qsort(r->entries, r->tensors, sizeof *r->entries, by_offset);
  uint64_t at = 0;
  for (size_t i = 0; i < r->tensors; i++) {
    const Entry *e = &r->entries[i];
    if (e->begin < at) return bt_tensors_fail(ctx, r, e->name, "overlaps another");
    if (e->begin > at) return bt_tensors_fail(ctx, r, e->name, "leaves a gap before its data");
    if (e->end > size) return bt_tensors_fail(ctx, r, e->name, "ends after the file; the file is truncated");
    at = e->end;
  }
  if (at != size) return bt_fail(ctx, BT_ERR_FORMAT, "%s: data that belong to no tensor", r->path);
  return BT_OK;
}

/* Reads exactly `size` bytes. */
static BtStatus get(BtContext *ctx, BtTensorReader *r, void *bytes, size_t size) {
  errno = 0;
  if (size == 0 || fread(bytes, 1, size, r->stream) == size) return BT_OK;
  if (ferror(r->stream)) return bt_fail(ctx, BT_ERR_IO, "%s: cannot read: %s", r->path, strerror(errno));
  return bt_fail(ctx, BT_ERR_FORMAT, "%s: the file is truncated", r->path);
}

static BtStatus read_header(BtContext *ctx, BtTensorReader *r, uint64_t file_size) {
  BtStatus st = BT_OK;
  unsigned char bytes[LENGTH_BYTES];
  uint64_t length = 0;
  char *text = NULL;
  json_error_t error;
  BT_TRY(get(ctx, r, bytes, sizeof bytes));
  for (int i = 0; i < LENGTH_BYTES; i++) length |= (uint64_t)bytes[i] << 8 * i;
  if (file_size < LENGTH_BYTES || length > HEADER_LIMIT || length > file_size - LENGTH_BYTES) {
    st = bt_fail(ctx, BT_ERR_FORMAT,
                 "%s: not a safetensors file, or truncated: its header would have %llu bytes", r->path,
                 (unsigned long long)length);
    goto done;
  }
  text = malloc((size_t)length + 1);
  if (!text) {
    st = bt_fail_memory(ctx, r->path, (double)length);
    goto done;
  }
  BT_TRY(get(ctx, r, text, (size_t)length));
  if (length == 0 || text[0] != '{') {
    st = bt_fail(ctx, BT_ERR_FORMAT, "%s: not a safetensors file: its header is no JSON object", r->path);
    goto done;
  }
  r->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
  if (!r->header) {
    const int memory = json_error_code(&error) == json_error_out_of_memory;
    st = memory ? bt_fail_memory(ctx, r->path, (double)length)
                : bt_fail(ctx, BT_ERR_FORMAT, "%s: header, column %d: %s", r->path, error.column, error.text);
    goto done;
  }
  r->data = LENGTH_BYTES + length;
  st = parse_entries(ctx, r, file_size - r->data);
done:
  free(text);
  return st;
}

BtStatus bt_tensors_open(BtContext *ctx, const char *path, BtTensorReader **reader) {
  BtStatus st = BT_OK;
  struct stat info;
  *reader = NULL;
  BtTensorReader *r = calloc(1, sizeof *r);
  if (r) r->path = bt_copy_text(path);
  if (!r || !r->path) {
    st = bt_fail_memory(ctx, path, sizeof *r);
    goto done;
  }
  BT_TRY(check_host(ctx, path));
  r->stream = fopen(path, "rb");
  if (!r->stream || fstat(fileno(r->stream), &info) != 0) {
    st = bt_fail(ctx, BT_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
    goto done;
  }
  if (!S_ISREG(info.st_mode)) {
    st = bt_fail(ctx, BT_ERR_IO, "%s: cannot read: it is not a regular file", path);
    goto done;
  }
  BT_TRY(read_header(ctx, r, (uint64_t)info.st_size));
  *reader = r;
  r = NULL;
done:
  bt_tensors_close(r);
  return st;
}

const char *bt_tensors_metadata(const BtTensorReader *reader, const char *key) {
  return json_string_value(json_object_get(json_object_get(reader->header, METADATA), key));
}

static const Entry *find_entry(const BtTensorReader *r, const char *name) {
  for (size_t i = 0; i < r->tensors; i++)
    if (strcmp(r->entries[i].name, name) == 0) return &r->entries[i];
  return NULL;
}

BtStatus bt_tensors_read(BtContext *ctx, BtTensorReader *reader, const char *name, BtTensorType type,
                         size_t count, void *elements) {
  const Entry *e = find_entry(reader, name);
  if (!e) return bt_tensors_fail(ctx, reader, name, "is missing");
  if (e->type != type || e->count != count)
    return bt_fail(ctx, BT_ERR_FORMAT,
                   "%s: tensor \"%s\" has %llu elements of type %s instead of %zu of type %s", reader->path,
                   name, (unsigned long long)e->count, types[e->type].name, count, types[type].name);
  if (fseeko(reader->stream, (off_t)(reader->data + e->begin), SEEK_SET) != 0)
    return bt_fail(ctx, BT_ERR_IO, "%s: cannot read: %s", reader->path, strerror(errno));
  return get(ctx, reader, elements, count * types[type].size);
}

static int all_finite(BtTensorType type, size_t count, const void *elements) {
  const double *wide = elements;
  const float *narrow = elements;
  for (size_t i = 0; i < count && type != BT_TENSOR_I64; i++)
    if (!(type == BT_TENSOR_F64 ? isfinite(wide[i]) : isfinite(narrow[i]))) return 0;
  return 1;
}

BtStatus bt_tensors_read_finite(BtContext *ctx, BtTensorReader *reader, const char *name, BtTensorType type,
                                size_t count, void *elements) {
  const BtStatus st = bt_tensors_read(ctx, reader, name, type, count, elements);
  if (st < 0 || all_finite(type, count, elements)) return st;
  return bt_tensors_fail(ctx, reader, name, "holds what is no finite number");
}

int bt_tensors_has(const BtTensorReader *reader, const char *name) {
  return find_entry(reader, name) != NULL;
}

void bt_tensors_close(BtTensorReader *reader) {
  if (!reader) return;
  if (reader->stream) (void)fclose(reader->stream);
  json_decref(reader->header);
  free(reader->entries);
  free(reader->path);
  free(reader);
}
