/* lowerlevel/petsc_status.h: PETSc's error codes as bitune's. */
#ifndef BITUNE_LOWERLEVEL_PETSC_STATUS_H
#define BITUNE_LOWERLEVEL_PETSC_STATUS_H

#include <petscsys.h>

#include "core/context.h"

/* For PetscPushErrorHandler(), with a BtContext as its context: keeps in ctx->cause what PETSc says of an error where it
 * arises, and returns the code as PetscReturnErrorHandler() does. */
PetscErrorCode bt_petsc_listen(MPI_Comm comm, int line, const char *function, const char *file, PetscErrorCode code,
                               PetscErrorType type, const char *text, void *ctx);

/* BT_ERR_LIBRARY (BT_ERR_MEMORY for PETSC_ERR_MEM) with what PETSc said, or else its text for the code, and the call
 * that failed. */
BtStatus bt_petsc_fail(BtContext *ctx, PetscErrorCode code, const char *call);

/* Leaves a function through `done` if a PETSc call fails. Needs `BtStatus st` and `BtContext *ctx`. */
#define BT_PETSC(call)                                   \
  do {                                                   \
    const PetscErrorCode petsc_code_ = (call);           \
    if (petsc_code_) {                                   \
      st = bt_petsc_fail(ctx, petsc_code_, #call);       \
      goto done;                                         \
    }                                                    \
  } while (0)

#endif
