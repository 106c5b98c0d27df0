/* Word-level text in three files. Words are what blanks separate; every line ends with the word <eos>. The
 * vocabulary is that of the training file; other words of the other files count as <unk>, as the Penn
 * Treebank's files are prepared. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/gzip.h"
#include "nn/data/data_internal.h"

static const size_t largest_file = (size_t)2 << 30;
static const char blanks[] = " \t\r\v\f";

/* ptb.SPLIT.txt or SPLIT.txt, malloc'ed; NULL if there is neither (or out of memory). */
static char *find_file(const char *folder, const char *split) {
  for (int i = 0; i < 4; i++) {
    char name[64];
    snprintf(name, sizeof name, i % 2 ? "%s.txt%s" : "ptb.%s.txt%s", split, i / 2 ? ".gz" : "");
    char *path = bt_path_join(folder, name);
    if (path && access(path, F_OK) == 0) return path;
    free(path);
  }
  return NULL;
}

static size_t count_words(const char *text) {
  size_t count = 0;
  while (*text) {
    text += strspn(text, blanks);
    if (*text == '\n')
      text++;
    else
      text += strcspn(text, " \t\r\v\f\n");
    count++;
  }
  return count + 1; /* a last line without its end */
}

/* The number of a word of line `line`: new ones only from the training file. */
static BtStatus number_of(BtContext *ctx, NnTokens *t, int split, const char *path, size_t line,
                          const char *word, size_t length, int32_t *number) {
  if (split == NN_TRAIN) return nn_vocabulary_add(ctx, &t->vocabulary, word, length, number);
  *number = nn_vocabulary_find(&t->vocabulary, word, length);
  if (*number < 0) *number = nn_vocabulary_find(&t->vocabulary, "<unk>", 5);
  if (*number >= 0) return BT_OK;
  return bt_fail(ctx, BT_ERR_FORMAT,
                 "%s, line %zu: the word \"%.*s\" is not in the training text, which has no <unk> for it",
                 path, line, length < 40 ? (int)length : 40, word);
}

static BtStatus parse(BtContext *ctx, NnTokens *t, int split, const char *path, const char *text) {
  const size_t most = count_words(text);
  int32_t *token = t->token[split] = malloc(most * sizeof *token);
  if (!token) return bt_fail_memory(ctx, path, (double)(most * sizeof *token));
  size_t count = 0;
  for (size_t line = 1; *text; line++) {
    BtStatus st;
    if (bt_stop_requested(ctx)) return BT_STOPPED;
    for (text += strspn(text, blanks); *text && *text != '\n'; text += strspn(text, blanks)) {
      const size_t length = strcspn(text, " \t\r\v\f\n");
      st = number_of(ctx, t, split, path, line, text, length, &token[count++]);
      if (st < 0) return st;
      text += length;
    }
    text += *text == '\n';
    st = number_of(ctx, t, split, path, line, "<eos>", 5, &token[count++]);
    if (st < 0) return st;
  }
  t->count[split] = count;
  return BT_OK;
}

static BtStatus read_split(BtContext *ctx, NnTokens *t, int split, const char *folder) {
  const char *name = nn_split_name((NnSplit)split);
  char *path = find_file(folder, name), *text = NULL;
  size_t size;
  BtStatus st = BT_OK;
  if (!path && split == NN_TEST) {
    bt_warn(ctx, "%s: no test.txt or ptb.test.txt: there is no test text", folder);
    return BT_OK;
  }
  if (!path)
    return bt_fail(ctx, BT_ERR_IO, "%s: no %s.txt or ptb.%s.txt; is it a folder of text in three files?",
                   folder, name, name);
  BT_TRY(bt_gzip_read(ctx, path, largest_file, &text, &size));
  if (strlen(text) != size)
    BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: not a text: byte %zu is zero", path, strlen(text)));
  BT_COMPLETE(parse(ctx, t, split, path, text));
  if (t->count[split] < 2) BT_TRY(bt_fail(ctx, BT_ERR_FORMAT, "%s: no words", path));
done:
  free(text);
  free(path);
  return st;
}

static BtStatus text_open(BtContext *ctx, const NnDataOptions *options, NnData *data) {
  NnTokens *t;
  if (!options->path) return bt_fail(ctx, BT_ERR_ARG, "data: name the folder of train.txt and valid.txt");
  BtStatus st = nn_tokens_create(ctx, options, data, &t);
  for (int split = 0; st == BT_OK && split < NN_SPLITS; split++)
    st = read_split(ctx, t, split, options->path);
  if (st == BT_OK) nn_tokens_finish(options, data);
  return st;
}

const NnDataOps nn_data_text = {text_open, nn_tokens_example, nn_tokens_close};
