#include "command.h"

const BtCommand *const bt_imaging_commands[] = {NULL};
