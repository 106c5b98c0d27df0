/* apps/program/petsc_session.h: PETSc and MPI for the duration of a run. A build without the imaging part has a twin
 * of the implementation that refuses. */
#ifndef BITUNE_APPS_PETSC_SESSION_H
#define BITUNE_APPS_PETSC_SESSION_H

#include "program/app.h"

/* Starts PETSc with the options of --petsc; it leaves signals alone and reports errors by return codes only.
 * With `launched` (by mpirun or its like) app->team becomes the ranks of MPI_COMM_WORLD, otherwise every
 * process of the team is an MPI world of its own. Errors: BT_ERR_LIBRARY, BT_ERR_UNSUPPORTED in a build
 * without MPI. */
BtStatus bt_petsc_start(BtApp *app, int launched);

/* Warns of options that nothing used, destroys the team and ends PETSc. */
void bt_petsc_stop(BtApp *app);

#endif
