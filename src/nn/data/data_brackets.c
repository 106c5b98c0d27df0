/* A language whose next token depends on tokens far back: sentences of nested brackets of several types;
 * which words are likely depends on the innermost bracket that is open, and only its own type may close it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/data/data_internal.h"

enum {
  KIND = NN_DATA_TOKENS,
  TYPES = 6,
  WORDS = 18,
  DEEPEST = 8,
  END = 0,
  OPEN = 1,
  CLOSE = OPEN + TYPES,
  WORD = CLOSE + TYPES,
  TOKENS = WORD + WORDS
};

typedef struct {
  NnDice dice;
  int open[DEEPEST], depth, last; /* types of the open brackets; last word */
} Speaker;

/* Words follow a geometric law whose order is turned by the innermost bracket and by the word before. */
static int word(Speaker *s) {
  int rank = 0;
  while (rank < WORDS - 1 && nn_dice_uniform(&s->dice, 0, 1) > 0.4) rank++;
  const int context = s->depth ? 3 * s->open[s->depth - 1] + 1 : 0;
  return s->last = (rank + context + 7 * (s->last % 2)) % WORDS;
}

static int32_t speak(Speaker *s) {
  const double u = nn_dice_uniform(&s->dice, 0, 1);
  if (u < 0.3 && s->depth < DEEPEST) {
    const int type = s->open[s->depth++] = (int)nn_dice_below(&s->dice, TYPES);
    return OPEN + type;
  }
  if (u > 0.7) return s->depth ? CLOSE + s->open[--s->depth] : END;
  return WORD + word(s);
}

static BtStatus name_tokens(BtContext *ctx, NnVocabulary *v) {
  BtStatus st = BT_OK;
  for (int i = 0; st >= 0 && i < TOKENS; i++) {
    char name[16] = "<eos>";
    int32_t number;
    if (i >= WORD)
      snprintf(name, sizeof name, "word%d", i - WORD);
    else if (i >= OPEN)
      snprintf(name, sizeof name, "%s%d", i < CLOSE ? "open" : "close", (i - OPEN) % TYPES);
    st = nn_vocabulary_add(ctx, v, name, strlen(name), &number);
  }
  return st;
}

static BtStatus brackets_open(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  NnTokens *t;
  BtStatus st = nn_tokens_create(ctx, options, data, &t);
  if (st >= 0) st = name_tokens(ctx, &t->vocabulary);
  if (st < 0) return st;
  const size_t trained = (size_t)options->count, held = nn_tokens_held(options);
  const size_t count[NN_SPLITS] = {trained - held, held, (size_t)options->test_count};
  for (int split = 0; split < NN_SPLITS; split++) {
    Speaker s = {.dice = nn_dice(options->seed, KIND, (size_t)split)};
    int32_t *token = t->token[split] = malloc((count[split] + 1) * sizeof *token);
    if (!token) return bt_fail_memory(ctx, "tokens", (double)(count[split] * sizeof *token));
    for (size_t i = 0; i < count[split]; i++) {
      if (bt_stop_requested(ctx)) return BT_STOPPED;
      token[i] = speak(&s);
    }
    t->count[split] = count[split];
  }
  nn_tokens_finish(options, data);
  return BT_OK;
}

const NnDataOps nn_data_tokens = {brackets_open, nn_tokens_example, nn_tokens_close};
