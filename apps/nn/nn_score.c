#include <math.h>
#include <stdio.h>

#include "nn/nn.h"

/* The figure that people read beside the loss; NULL where there is none. */
static const char *figure(const BtNnSession *s, NnScore score, double *value) {
  const NnDataInfo *info = nn_data_info(s->data);
  *value = info->text ? exp(score.loss) : info->classes ? score.accuracy : -10 * log10(score.loss);
  if (info->text) return "perplexity";
  if (info->classes) return "accuracy";
  return s->task->data.kind == NN_DATA_IMAGES ? "psnr" : NULL;
}

void bt_nn_score_put(BtApp *app, const BtNnSession *s, const char *split, NnScore score) {
  char key[40];
  double value;
  const char *name = figure(s, score, &value);
  snprintf(key, sizeof key, "%s_loss", split);
  bt_app_put_real(app, key, score.loss);
  if (!name) return;
  snprintf(key, sizeof key, "%s_%s", split, name);
  bt_app_put_real(app, key, value);
}

void bt_nn_score_print(BtApp *app, const BtNnSession *s, const char *split, NnScore score) {
  const NnDataInfo *info = nn_data_info(s->data);
  double value;
  const char *name = figure(s, score, &value);
  if (isnan(score.loss)) return;
  bt_app_print(app, "%s loss %.6g", split, score.loss);
  if (info->text)
    bt_app_print(app, ", perplexity %.2f\n", value);
  else if (info->classes)
    bt_app_print(app, ", accuracy %.2f %%\n", 100 * value);
  else if (name)
    bt_app_print(app, ", %.2f dB\n", value);
  else
    bt_app_print(app, "\n");
}
