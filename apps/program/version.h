/* apps/program/version.h: what this program was built from. */
#ifndef BITUNE_APPS_VERSION_H
#define BITUNE_APPS_VERSION_H

#include <jansson.h>

/* "0.1.0" */
const char *bt_version_text(void);

/* The commit it was built from, as git describes it; the version where that is unknown. */
const char *bt_version_git(void);

/* Adds {library: version} of the imaging part's libraries; nothing in a build without it. */
void bt_imaging_versions(json_t *libraries);

#endif
