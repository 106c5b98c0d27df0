#include "program/version.h"

void bt_imaging_versions(json_t *libraries) { (void)libraries; }
