/* nn/task_texts_internal.h: the files of src/nn/tasks, embedded when the library is built. */
#ifndef BITUNE_NN_TASK_TEXTS_INTERNAL_H
#define BITUNE_NN_TASK_TEXTS_INTERNAL_H

#include <stddef.h>

typedef struct {
  const char *name;
  const unsigned char *text;
  size_t size;
} NnTaskText;

extern const NnTaskText nn_task_texts[];
extern const size_t nn_task_text_count;

#endif
