#include "plot/plot_model.h"

int bt_plot_is_model(const char *path) {
  (void)path;
  return 0;
}

BtStatus bt_plot_model(BtApp *app, const char *model, const BtModelPlot *plot, BtPictureFormat format,
                       FILE *script, size_t *count) {
  (void)plot, (void)format, (void)script;
  *count = 0;
  return bt_fail(&app->ctx, BT_ERR_UNSUPPORTED, "%s: this bitune was built without models", model);
}
