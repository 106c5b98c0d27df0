/* The program's own option tables, asked what they would say to a command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"

static void forget(BtApp *app) {
  json_decref(app->result);
  free(app->settings);
  free((void *)app->operands);
  free(app->petsc_argument);
  memset(app, 0, sizeof *app);
}

BtStatus bt_compare_probe_open(BtContext *ctx, const char *const *words, BtCompareProbe *probe) {
  char *argv[BT_COMPARE_MOST_WORDS + 2] = {(char *)"bitune"};
  int argc = 1;
  for (size_t i = 0; words[i] && i < BT_COMPARE_MOST_WORDS; i++) argv[argc++] = (char *)words[i];
  bt_app_init(&probe->app);
  /* It may miss options: what counts is that the tables are found. */
  const BtStatus st = bt_app_parse(&probe->app, argc, argv);
  if (probe->app.command && probe->app.set_count) return BT_OK;
  const BtStatus failed = bt_fail(ctx, st == BT_ERR_MEMORY ? st : BT_ERR_FORMAT, "%s", probe->app.ctx.error);
  forget(&probe->app);
  return failed;
}

void bt_compare_probe_close(BtCompareProbe *probe) { forget(&probe->app); }

static const BtOption *find(const BtCompareProbe *probe, const char *name, void **target) {
  for (size_t s = 0; s < probe->app.set_count; s++)
    for (const BtOption *o = probe->app.sets[s].table; o->kind != BT_OPT_KIND_END; o++)
      if (strcmp(o->name, name) == 0) {
        if (target) *target = probe->app.sets[s].target;
        return o;
      }
  return NULL;
}

const BtOption *bt_compare_probe_find(const BtCompareProbe *probe, const char *name) {
  return find(probe, name, NULL);
}

BtStatus bt_compare_probe_set(BtCompareProbe *probe, BtContext *ctx, const char *name, const char *text) {
  void *target = NULL;
  const BtOption *option = find(probe, name, &target);
  if (!option) return bt_fail(ctx, BT_ERR_ARG, "unknown option --%s", name);
  return bt_option_set(ctx, option, target, text);
}

void bt_compare_probe_unknown(BtCompareProbe *probe, const char *name, char *text, size_t size) {
  BtContext ctx;
  size_t count = 0;
  const char *operands[2];
  char word[160];
  snprintf(word, sizeof word, "--%.120s", name);
  char *argv[] = {(char *)"bitune", word, NULL};
  bt_context_init(&ctx);
  (void)bt_options_parse(&ctx, probe->app.sets, probe->app.set_count, 2, argv, operands, &count);
  snprintf(text, size, "%s", *ctx.error ? ctx.error : "unknown option");
}

BtStatus bt_compare_probe_line(BtContext *ctx, char *const *argv, size_t count, const BtCompareForm *form,
                               json_t *known) {
  BtApp app;
  /* Parsing moves words. */
  char **copy = calloc(count + 1, sizeof *copy);
  if (!copy) return bt_fail_memory(ctx, "a command line", (double)count * sizeof *copy);
  memcpy(copy, argv, count * sizeof *copy);
  bt_app_init(&app);
  BtStatus st = bt_app_parse(&app, (int)count, copy);
  if (st < 0) st = bt_fail(ctx, st == BT_ERR_ARG ? BT_ERR_FORMAT : st, "%s", app.ctx.error);
  if (st >= 0 && form->check) st = form->check(ctx, app.settings, known);
  forget(&app);
  free(copy);
  return st;
}
