/* Signals, observers, processes: what a run needs around its command. */
#define _GNU_SOURCE /* CPU_COUNT, MAP_ANONYMOUS */
#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "program/app.h"
#include "program/petsc_session.h"

/* Ctrl-C reaches a process twice when a launcher forwards it; only a later one means "at once". */
#define GRACE_SECONDS 0.5

static volatile sig_atomic_t own_flag;
/* Shared with the processes forked later: a signal that only one of them gets stops all. */
static volatile sig_atomic_t *stop_flag = &own_flag;
static double first_signal; /* of this process, 0: none; touched by the handler alone */

static void on_signal(int number) {
  const double now = bt_app_clock();
  if (number == SIGINT && first_signal > 0 && now - first_signal > GRACE_SECONDS) {
    (void)signal(SIGINT, SIG_DFL);
    (void)raise(SIGINT);
  }
  if (!(first_signal > 0)) first_signal = now;
  *stop_flag = 1;
}

static void catch_signals(BtApp *app) {
  void *page = mmap(NULL, sizeof *stop_flag, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED) stop_flag = page;
  /* A stack of its own: kernels that are generated at run time (oneDNN) use theirs as a buffer, and the frame of a signal
   * would be written into it. */
  static char stack[1 << 16];
  const stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
  (void)sigaltstack(&own, NULL);
  struct sigaction action = {.sa_flags = SA_RESTART | SA_ONSTACK};
  action.sa_handler = on_signal;
  (void)sigemptyset(&action.sa_mask);
  (void)sigaddset(&action.sa_mask, SIGINT);
  (void)sigaddset(&action.sa_mask, SIGTERM);
  (void)sigaddset(&action.sa_mask, SIGHUP);
  (void)sigaction(SIGINT, &action, NULL);
  (void)sigaction(SIGTERM, &action, NULL);
  /* A terminal that is closed stops a run as a signal does, unless nohup keeps it from that. */
  struct sigaction before;
  if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
    (void)sigaction(SIGHUP, &action, NULL);
  action.sa_handler = SIG_IGN;
  (void)sigaction(SIGPIPE, &action, NULL); /* shows as a write error instead */
  app->ctx.stop.flag = stop_flag;
}

/* Warnings that concern the whole run arise on every rank alike; those of one image only on its owner. */
static int show_warning(void *user, const BtEvent *event) {
  BtApp *app = user;
  char text[BT_ERROR_TEXT + 16] = "warning: ";
  if (event->type != BT_EVENT_WARNING || (app->team.rank != 0 && !app->in_item)) return 0;
  strncat(text, event->as.warning, BT_ERROR_TEXT);
  bt_app_complain(app, text);
  return 0;
}

/* Processes carry the parallelism, so BLAS gets one thread unless the user says otherwise. OpenBLAS has read
 * its environment when it was loaded, before main(), and must be told by a call. */
static void limit_blas_threads(void) {
  if (getenv("OPENBLAS_NUM_THREADS") || getenv("OMP_NUM_THREADS")) return;
  (void)setenv("OPENBLAS_NUM_THREADS", "1", 0);
  (void)setenv("OMP_NUM_THREADS", "1", 0);
  void *program = dlopen(NULL, RTLD_LAZY);
  void *symbol = program ? dlsym(program, "openblas_set_num_threads") : NULL;
  if (symbol) {
    void (*set_threads)(int);
    memcpy(&set_threads, &symbol, sizeof set_threads);
    set_threads(1);
  }
}

/* A batch script of Slurm has SLURM_PROCID too; only a step started by srun has several tasks. */
int bt_app_launcher_rank(void) {
  static const char *const ranks[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK"};
  for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
    const char *rank = getenv(ranks[i]);
    if (rank) return atoi(rank);
  }
  const char *tasks = getenv("SLURM_STEP_NUM_TASKS"), *rank = getenv("SLURM_PROCID");
  return tasks && rank && atoi(tasks) > 1 ? atoi(rank) : -1;
}

int bt_app_cores(void) {
  long cores = 0;
#ifdef CPU_COUNT
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
#endif
  if (cores < 1) cores = sysconf(_SC_NPROCESSORS_ONLN);
  return cores < 1 ? 1 : (int)cores;
}

static int process_count(BtApp *app) {
  int count = app->common.jobs > 0 ? (int)app->common.jobs : bt_app_cores();
  const size_t items = app->command->items ? app->command->items(app, app->settings) : 0;
  if (items > 0 && items < (size_t)count) count = (int)items;
  *app->ctx.error = '\0';
  return count;
}

BtStatus bt_app_start(BtApp *app) {
  const unsigned flags = app->command->flags;
  const int rank = bt_app_launcher_rank(), launched = rank >= 0;
  BtStatus st = BT_OK;

  limit_blas_threads();
  catch_signals(app);
  if (bt_context_observe(&app->ctx, show_warning, app) < 0) return BT_ERR_ARG;
  /* A command for one process that was started on many: the first does it. */
  if (launched && !(flags & (BT_USES_TEAM | BT_USES_LAUNCHER)) && rank > 0) exit(0);
  if (!launched) {
    /* Otherwise each process that starts Open MPI by itself would start a daemon besides. */
    (void)setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    /* And all such processes would share one folder in /tmp, which the first to end removes under the others. */
    (void)setenv("OMPI_MCA_orte_create_session_dirs", "0", 0);
    if (flags & BT_USES_TEAM) st = bt_team_fork(&app->ctx, process_count(app), &app->team);
  }
  if (st >= 0 && ((flags & BT_USES_PETSC) || (launched && (flags & BT_USES_TEAM))))
    st = bt_petsc_start(app, launched);
  /* After bt_team_fork() every rank is here; a rank without PETSc must not leave the others waiting. */
  if (!launched && app->team.size > 1) st = bt_team_agree(&app->team, &app->ctx, st);
  if (st == BT_STOPPED) st = BT_OK;
  if (st < 0) return st;

  const int terminal = isatty(STDERR_FILENO) && !app->common.quiet && app->team.rank == 0;
  bt_progress_init(&app->progress, terminal);
  return bt_context_observe(&app->ctx, bt_progress_event, &app->progress);
}
