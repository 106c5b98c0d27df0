#include <fftw3.h>
#include <petscsys.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <tiffio.h>

#include "program/version.h"

/* What stands behind `mark` (from the start without it) in the first line of a library's text. */
static json_t *version_in(const char *text, const char *mark) {
  const char *found = strstr(text, mark);
  if (found) text = found + strlen(mark);
  return json_stringn(text, strcspn(text, "\n,"));
}

void bt_imaging_versions(json_t *libraries) {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  PetscInt major, minor, patch, release;
  if (PetscGetVersionNumber(&major, &minor, &patch, &release) == 0) {
    snprintf(text, sizeof text, "%d.%d.%d", (int)major, (int)minor, (int)patch);
    json_object_set_new(libraries, "petsc", json_string(text));
  }
  if (MPI_Get_library_version(text, &length) == MPI_SUCCESS)
    json_object_set_new(libraries, "mpi", version_in(text, ""));
  json_object_set_new(libraries, "fftw", version_in(fftw_version, "fftw-"));
  json_object_set_new(libraries, "libpng", json_string(png_get_libpng_ver(NULL)));
  json_object_set_new(libraries, "libtiff", version_in(TIFFGetVersion(), "Version "));
}
