#include <fftw3.h>
#include <petscsys.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <tiffio.h>

#include "version.h"

/* The first line and nothing behind a comma. */
static json_t *first_words(const char *text) { return json_stringn(text, strcspn(text, "\n,")); }

void bt_imaging_versions(json_t *libraries) {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  PetscInt major, minor, patch, release;
  if (PetscGetVersionNumber(&major, &minor, &patch, &release) == 0) {
    snprintf(text, sizeof text, "%d.%d.%d", (int)major, (int)minor, (int)patch);
    json_object_set_new(libraries, "petsc", json_string(text));
  }
  if (MPI_Get_library_version(text, &length) == MPI_SUCCESS)
    json_object_set_new(libraries, "mpi", first_words(text));
  json_object_set_new(libraries, "fftw", first_words(fftw_version));
  json_object_set_new(libraries, "libpng", json_string(png_get_libpng_ver(NULL)));
  json_object_set_new(libraries, "libtiff", first_words(TIFFGetVersion()));
}
