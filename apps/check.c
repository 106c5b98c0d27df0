#include "app.h"
typedef struct {int unused;} Check;
static size_t options(void *settings, BtOptionSet *sets) { (void)settings; (void)sets; return 0; }
static BtStatus run(BtApp *app, void *settings) { (void)settings; return bt_fail(&app->ctx, BT_ERR_UNSUPPORTED, "not built yet"); }
const BtCommand bt_cmd_check = {.name = "check", .group = BT_GROUP_LEARNING, .summary = "x", .usage = "", .help = "", .settings_size = sizeof(Check), .options = options, .run = run};
