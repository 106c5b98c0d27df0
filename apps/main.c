/* bitune: bilevel tuning. Parse, start, run, finish; a command is one file beside this one. */
#include "program/app.h"

int main(int argc, char **argv) {
  BtApp app;
  bt_app_init(&app);
  BtStatus st = bt_app_parse(&app, argc, argv);
  if (st >= 0) st = bt_app_start(&app);
  if (st >= 0) st = app.command->run(&app, app.settings);
  return bt_app_finish(&app, st);
}
