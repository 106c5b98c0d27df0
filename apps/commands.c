#include <stdlib.h>
#include <string.h>

#include "command.h"

#define MAX_COMMANDS 32

extern const BtCommand bt_cmd_nn, bt_cmd_compare, bt_cmd_plot, bt_cmd_version, bt_cmd_help, bt_cmd_completion;

static const BtCommand *const plain_commands[] = {&bt_cmd_nn,      &bt_cmd_compare, &bt_cmd_plot,
                                                  &bt_cmd_version, &bt_cmd_help,    &bt_cmd_completion,
                                                  NULL};

/* Groups in the order in which they are listed. */
static const char *const groups[] = {BT_GROUP_LEARNING, BT_GROUP_IMAGES, BT_GROUP_PROGRAM};

const BtCommand *const *bt_commands(void) {
  static const BtCommand *list[MAX_COMMANDS + 1];
  const BtCommand *const *const sources[] = {bt_imaging_commands, plain_commands};
  if (list[0]) return list;
  size_t n = 0;
  for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
    for (size_t s = 0; s < sizeof sources / sizeof *sources; s++)
      for (const BtCommand *const *c = sources[s]; *c && n < MAX_COMMANDS; c++)
        if (strcmp((*c)->group, groups[g]) == 0) list[n++] = *c;
  return list;
}

const BtCommand *bt_command_find(const char *name) {
  for (const BtCommand *const *c = bt_commands(); *c; c++)
    if (strcmp((*c)->name, name) == 0) return *c;
  return NULL;
}

const char *bt_command_nearest(const char *name) {
  const char *nearest = NULL;
  size_t best = strlen(name) / 2 + 1;
  for (const BtCommand *const *c = bt_commands(); *c; c++) {
    const size_t distance = bt_edit_distance(name, strlen(name), (*c)->name, strlen((*c)->name));
    if (distance >= best) continue;
    best = distance;
    nearest = (*c)->name;
  }
  return nearest;
}

static const BtOption common_options[] = {
    BT_OPT_FLAG("json", BtCommon, json, "print one JSON object on stdout at the end instead of text"),
    BT_OPT_FLAG("quiet", BtCommon, quiet, "print nothing but errors and warnings"),
    BT_OPT_INT(
        "jobs", BtCommon, jobs, 0, BT_WITHIN(0, 4096), "N",
        "processes to share the images, 0 for all cores available; under mpirun its ranks are used instead"),
    BT_OPT_TEXT("petsc", 0, BtCommon, petsc, NULL, "OPTIONS", "options for PETSc, as one argument"),
    {"help", 'h', BT_OPT_KIND_FLAG, offsetof(BtCommon, help), 0, NULL, BT_ANY, NULL, "print this help"},
    BT_OPT_END};

size_t bt_command_settings(const BtCommand *command, BtCommon *common, void **settings, BtOptionSet *sets) {
  size_t count = 0;
  *settings = NULL;
  if (command->options) {
    *settings = calloc(1, command->settings_size ? command->settings_size : 1);
    if (!*settings) return 0;
    count = command->options(*settings, sets);
  }
  sets[count++] = (BtOptionSet){common_options, common, "Common options"};
  for (size_t s = 0; s < count; s++) bt_options_default(sets[s].table, sets[s].target);
  return count;
}
