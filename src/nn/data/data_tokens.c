/* Streams of tokens, read in windows. */
#include <stdlib.h>

#include "nn/data/data_internal.h"

BtStatus nn_tokens_create(BtContext *ctx, const NnDataOptions *options, NnData *data, NnTokens **tokens) {
  NnTokens *t = *tokens = data->store = calloc(1, sizeof *t);
  if (!t) return bt_fail_memory(ctx, "text", sizeof *t);
  data->info.text = 1;
  data->info.x = data->info.label = NN_SHAPE((size_t)options->length);
  return BT_OK;
}

size_t nn_tokens_held(const NnDataOptions *options) {
  return (size_t)(options->valid_share * (double)options->count);
}

void nn_tokens_finish(const NnDataOptions *options, NnData *data) {
  const NnTokens *t = data->store;
  data->info.classes = t->vocabulary.count;
  for (int s = 0; s < NN_SPLITS; s++) data->info.rows[s] = nn_data_limited(options, s, t->count[s]);
}

void nn_tokens_example(const NnData *data, const NnExample *e, NnReal *x, NnReal *label) {
  const NnTokens *t = data->store;
  const size_t length = data->info.x.dim[0], stream = data->info.rows[e->split] / e->batch;
  const size_t first = e->index * length, left = stream - 1 - first, steps = left < length ? left : length;
  const int32_t *token = t->token[e->split] + e->row * stream + first;
  for (size_t i = 0; i < length; i++) {
    x[i] = i < steps ? (NnReal)token[i] : 0;
    label[i] = i < steps ? (NnReal)token[i + 1] : 0;
  }
}

void nn_tokens_close(NnData *data) {
  NnTokens *t = data->store;
  for (int s = 0; s < NN_SPLITS; s++) free(t->token[s]);
  nn_vocabulary_clear(&t->vocabulary);
  free(t);
}

const char *nn_data_word(const NnData *data, size_t token) {
  const NnTokens *t = data->info.text ? data->store : NULL;
  return t && token < t->vocabulary.count ? t->vocabulary.word[token] : NULL;
}
