/* nn/data/vocabulary_internal.h: words and their numbers 0, 1, … in the order of their first appearance. */
#ifndef BITUNE_NN_VOCABULARY_INTERNAL_H
#define BITUNE_NN_VOCABULARY_INTERNAL_H

#include <stdint.h>

#include "core/context.h"

typedef struct {
  size_t count, capacity;
  char **word;    /* [count], owned                           */
  int32_t *place; /* [places]: a word's number, −1: no word   */
  size_t places;  /* a power of two, at least twice the count */
} NnVocabulary;

/* Numbers are exact in single precision up to here. */
#define NN_MOST_WORDS ((size_t)1 << 24)

/* The word's number, −1 if it is not there. */
int32_t nn_vocabulary_find(const NnVocabulary *v, const char *word, size_t length);
/* The word's number, a new one where it was not there. BT_ERR_MEMORY, BT_ERR_FORMAT beyond NN_MOST_WORDS. */
BtStatus nn_vocabulary_add(BtContext *ctx, NnVocabulary *v, const char *word, size_t length, int32_t *number);
void nn_vocabulary_clear(NnVocabulary *v);

#endif
