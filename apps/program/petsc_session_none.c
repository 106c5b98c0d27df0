#include "program/petsc_session.h"

BtStatus bt_petsc_start(BtApp *app, int launched) {
  (void)launched;
  return bt_fail(&app->ctx, BT_ERR_UNSUPPORTED,
                 "this bitune was built without PETSc and MPI (BITUNE_IMAGING=OFF)");
}

void bt_petsc_stop(BtApp *app) { (void)app; }
