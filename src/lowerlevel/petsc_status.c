#include "lowerlevel/petsc_status.h"

#include <stdio.h>
#include <string.h>

PetscErrorCode bt_petsc_listen(MPI_Comm comm, int line, const char *function, const char *file,
                               PetscErrorCode code, PetscErrorType type, const char *text, void *data) {
  BtContext *ctx = data;
  (void)comm, (void)line, (void)function, (void)file;
  if (type != PETSC_ERROR_REPEAT)
    snprintf(ctx->cause, sizeof ctx->cause, "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
  return code;
}

BtStatus bt_petsc_fail(BtContext *ctx, PetscErrorCode code, const char *call) {
  const char *text = ctx->cause;
  char *options = NULL;
  if (!*text && (PetscErrorMessage(code, &text, NULL) || !text)) text = "unknown error";
  /* PETSc complains of a value without saying whose it is. */
  if (strstr(call, "FromOptions") && PetscOptionsGetAll(NULL, &options)) options = NULL;
  const BtStatus st =
      bt_fail(ctx, code == PETSC_ERR_MEM ? BT_ERR_MEMORY : BT_ERR_LIBRARY, "PETSc: %s (error %d in %s%s%s)",
              text, (int)code, call, options ? "; options: " : "", options ? options : "");
  (void)PetscFree(options);
  *ctx->cause = '\0';
  return st;
}
