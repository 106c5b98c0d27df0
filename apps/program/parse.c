#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/app.h"

/* PETSc's options begin with dashes themselves: the word after --petsc is its value whatever it looks like.
 * The pair becomes one word. */
static BtStatus join_petsc(BtApp *app, int *argc, char **argv) {
  for (int i = 2; i + 1 < *argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--petsc") != 0) continue;
    const size_t size = strlen("--petsc=") + strlen(argv[i + 1]) + 1;
    free(app->petsc_argument);
    app->petsc_argument = malloc(size);
    if (!app->petsc_argument) return bt_fail_memory(&app->ctx, "the command line", (double)size);
    snprintf(app->petsc_argument, size, "--petsc=%s", argv[i + 1]);
    argv[i] = app->petsc_argument;
    memmove(argv + i + 1, argv + i + 2, (size_t)(*argc - i - 1) * sizeof *argv);
    --*argc;
  }
  return BT_OK;
}

/* Points `app` at a command and reads argv[1..argc) with its tables; argv[0] is not looked at. */
static BtStatus read_arguments(BtApp *app, const BtCommand *command, int argc, char *const *argv) {
  free(app->settings);
  free((void *)app->operands);
  const char **operands = calloc((size_t)argc + 1, sizeof *operands);
  app->operands = operands;
  app->command = command;
  app->set_count = bt_command_settings(command, &app->common, &app->settings, app->sets);
  if (!operands || app->set_count == 0)
    return bt_fail_memory(&app->ctx, "the command line", (double)argc * 8);
  return bt_options_parse(&app->ctx, app->sets, app->set_count, argc, argv, operands, &app->operand_count);
}

/* `bitune --version`, `bitune --help` and `bitune COMMAND --help` are other words for these. */
static BtStatus become(BtApp *app, const char *name, const char *argument) {
  char *argv[] = {(char *)name, (char *)argument, NULL};
  return read_arguments(app, bt_command_find(name), argument ? 2 : 1, argv);
}

static BtStatus check_operands(BtApp *app) {
  const BtCommand *c = app->command;
  if (app->operand_count < c->min_operands)
    return bt_fail(&app->ctx, BT_ERR_ARG, "%s needs %s: bitune %s %.*s", c->name,
                   app->operand_count    ? "more operands"
                   : c->max_operands > 1 ? "one or more operands"
                                         : "an operand",
                   c->name, (int)strcspn(c->usage, "\n"), c->usage);
  if (app->operand_count > c->max_operands)
    return bt_fail(&app->ctx, BT_ERR_ARG, "%s takes %s; \"%s\" is too many", c->name,
                   c->max_operands == 0   ? "no operands"
                   : c->max_operands == 1 ? "one operand"
                                          : "fewer operands",
                   app->operands[c->max_operands]);
  return BT_OK;
}

static BtStatus fail_command(BtApp *app, const char *name) {
  const char *near = bt_command_nearest(name);
  if (name[0] == '-')
    return bt_fail(&app->ctx, BT_ERR_ARG,
                   "%s stands before the command; options follow it: bitune COMMAND [options]", name);
  if (near) return bt_fail(&app->ctx, BT_ERR_ARG, "unknown command \"%s\"; did you mean %s?", name, near);
  return bt_fail(&app->ctx, BT_ERR_ARG, "unknown command \"%s\"; \"bitune help\" lists them", name);
}

static BtStatus parse(BtApp *app, int argc, char **argv) {
  if (argc < 2) return bt_fail(&app->ctx, BT_ERR_ARG, "no command given; \"bitune help\" lists them");
  const char *name = argv[1];
  if (strcmp(name, "--version") == 0) return become(app, "version", "--short");
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return become(app, "help", NULL);

  const BtCommand *command = bt_command_find(name);
  if (!command) return fail_command(app, name);
  BtStatus st = join_petsc(app, &argc, argv);
  if (st >= 0) st = read_arguments(app, command, argc - 1, argv + 1);
  if (st >= 0 && app->common.help) return become(app, "help", command->name);
  if (st >= 0) st = check_operands(app);
  if (st >= 0 && command->check) st = command->check(app, app->settings);
  return st;
}

BtStatus bt_app_parse(BtApp *app, int argc, char **argv) {
  const BtStatus st = parse(app, argc, argv);
  app->usage_error = st == BT_ERR_ARG;
  return st;
}
