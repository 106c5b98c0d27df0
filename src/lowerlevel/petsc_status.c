#include "lowerlevel/petsc_status.h"

BtStatus bt_petsc_fail(BtContext *ctx, PetscErrorCode code, const char *call) {
  const char *text = NULL;
  if (PetscErrorMessage(code, &text, NULL) || !text) text = "unknown error";
  return bt_fail(ctx, code == PETSC_ERR_MEM ? BT_ERR_MEMORY : BT_ERR_LIBRARY, "PETSc error %d (%s) in %s",
                 (int)code, text, call);
}
