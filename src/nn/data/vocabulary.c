/* A hash table with linear probing. */
#include <stdlib.h>
#include <string.h>

#include "nn/data/vocabulary_internal.h"

/* FNV-1a */
static uint64_t hash(const char *word, size_t length) {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)word[i]) * 0x100000001b3u;
  return h ^ h >> 32;
}

/* Where the word is, or where it would go. */
static size_t probe(const NnVocabulary *v, const char *word, size_t length) {
  size_t i = (size_t)hash(word, length) & (v->places - 1);
  for (; v->place[i] >= 0; i = (i + 1) & (v->places - 1)) {
    const char *other = v->word[v->place[i]];
    if (strlen(other) == length && memcmp(other, word, length) == 0) break;
  }
  return i;
}

int32_t nn_vocabulary_find(const NnVocabulary *v, const char *word, size_t length) {
  return v->places ? v->place[probe(v, word, length)] : -1;
}

static BtStatus grow(BtContext *ctx, NnVocabulary *v) {
  const size_t capacity = v->capacity ? 2 * v->capacity : 256;
  char **word = realloc(v->word, capacity * sizeof *word);
  if (!word) return bt_fail_memory(ctx, "vocabulary", (double)(capacity * sizeof *word));
  v->word = word;
  int32_t *place = malloc(2 * capacity * sizeof *place);
  if (!place) return bt_fail_memory(ctx, "vocabulary", (double)(2 * capacity * sizeof *place));
  free(v->place);
  v->place = place;
  v->capacity = capacity;
  v->places = 2 * capacity;
  memset(place, 0xff, v->places * sizeof *place);
  for (size_t i = 0; i < v->count; i++) place[probe(v, v->word[i], strlen(v->word[i]))] = (int32_t)i;
  return BT_OK;
}

BtStatus nn_vocabulary_add(BtContext *ctx, NnVocabulary *v, const char *word, size_t length,
                           int32_t *number) {
  *number = nn_vocabulary_find(v, word, length);
  if (*number >= 0) return BT_OK;
  if (v->count >= NN_MOST_WORDS)
    return bt_fail(ctx, BT_ERR_FORMAT, "more than %zu different words", NN_MOST_WORDS);
  if (v->count == v->capacity) {
    const BtStatus st = grow(ctx, v);
    if (st < 0) return st;
  }
  char *copy = malloc(length + 1);
  if (!copy) return bt_fail_memory(ctx, "vocabulary", (double)length);
  memcpy(copy, word, length);
  copy[length] = '\0';
  v->place[probe(v, word, length)] = *number = (int32_t)v->count;
  v->word[v->count++] = copy;
  return BT_OK;
}

void nn_vocabulary_clear(NnVocabulary *v) {
  for (size_t i = 0; i < v->count; i++) free(v->word[i]);
  free(v->word);
  free(v->place);
  *v = (NnVocabulary){0};
}
