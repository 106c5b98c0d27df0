#include "program/petsc_session.h"

#include <petscsys.h>
#include <stdlib.h>
#include <string.h>

#include "lowerlevel/mpi_team.h"
#include "lowerlevel/petsc_status.h"

#define OWN_ARGUMENTS 2

/* argv for PETSc: our own options, then the words of --petsc. The array is freed by the caller, the words by
 * PetscStrToArrayDestroy(). */
static PetscErrorCode make_arguments(const char *options, int *count, char ***words, char ***argv) {
  *count = 0;
  *words = NULL;
  PetscErrorCode code = options ? PetscStrToArray(options, ' ', count, words) : 0;
  if (code) return code;
  *argv = calloc((size_t)*count + OWN_ARGUMENTS + 1, sizeof **argv);
  if (!*argv) return PETSC_ERR_MEM;
  (*argv)[0] = (char *)"bitune";
  (*argv)[1] = (char *)"-no_signal_handler";
  for (int i = 0; i < *count; i++) (*argv)[OWN_ARGUMENTS + i] = (*words)[i];
  return 0;
}

BtStatus bt_petsc_start(BtApp *app, int launched) {
  BtContext *ctx = &app->ctx;
  BtStatus st = BT_OK;
  char **words = NULL, **argv = NULL, **petsc_argv = NULL;
  int count = 0, argc = 0;

  BT_PETSC(PetscPushErrorHandler(bt_petsc_listen, ctx));
  BT_PETSC(make_arguments(app->common.petsc, &count, &words, &argv));
  argc = count + OWN_ARGUMENTS;
  petsc_argv = argv;
  const PetscErrorCode code = PetscInitialize(&argc, &petsc_argv, NULL, NULL);
  if (code) {
    st = bt_petsc_fail(ctx, code, "PetscInitialize");
    goto done;
  }
  app->petsc_running = 1;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
  if (launched) BT_TRY(bt_team_mpi(ctx, MPI_COMM_WORLD, &app->team));

done:
  if (words) PetscStrToArrayDestroy(count, words);
  free(argv);
  return st;
}

/* A misspelt option would otherwise go unnoticed. With -options_left PETSc itself tells, or is told not. */
static void warn_unused(BtApp *app) {
  PetscInt count = 0;
  char **names = NULL, **values = NULL;
  if (!app->common.petsc || strstr(app->common.petsc, "-options_left") || app->team.rank != 0) return;
  if (PetscOptionsLeftGet(NULL, &count, &names, &values)) return;
  for (PetscInt i = 0; i < count; i++)
    if (strstr(app->common.petsc, names[i])) bt_warn(&app->ctx, "PETSc option -%s was not used", names[i]);
  (void)PetscOptionsLeftRestore(NULL, &count, &names, &values);
}

void bt_petsc_stop(BtApp *app) {
  warn_unused(app);
  app->petsc_running = 0;
  /* MPI's communicators must go before MPI. */
  app->team.destroy(&app->team);
  bt_team_self(&app->team);
  (void)PetscFinalize();
}
