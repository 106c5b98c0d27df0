#include "command.h"

extern const BtCommand bt_cmd_learn, bt_cmd_denoise, bt_cmd_eval, bt_cmd_check;
extern const BtCommand bt_cmd_restore, bt_cmd_blur, bt_cmd_logreg;
extern const BtCommand bt_cmd_synth, bt_cmd_noise, bt_cmd_sigma, bt_cmd_montage;

const BtCommand *const bt_imaging_commands[] = {
    &bt_cmd_learn, &bt_cmd_logreg, &bt_cmd_denoise, &bt_cmd_restore, &bt_cmd_eval,    &bt_cmd_check,
    &bt_cmd_synth, &bt_cmd_noise, &bt_cmd_sigma, &bt_cmd_blur,   &bt_cmd_montage, NULL};
