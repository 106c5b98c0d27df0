/* Child processes, each this program with another command. */
#define _GNU_SOURCE /* environ */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "compare/compare.h"
#include "core/file.h"

#define NOT_STARTED 127
#define MESSAGES ((size_t)1 << 20)

void bt_compare_nap(double seconds) {
  const struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
  (void)nanosleep(&t, NULL);
}

/* The environment without what a launcher tells a rank: a child is no rank of the launcher's job. */
static char **child_environment(void) {
  static const char *const prefixes[] = {"OMPI_", "PMIX_", "PMI_", "PRTE_", "MV2_", "HYDRA_", "SLURM_"};
  const int launched = bt_app_launcher_rank() >= 0;
  size_t count = 0, n = 0;
  while (environ[count]) count++;
  char **list = calloc(count + 1, sizeof *list);
  for (size_t i = 0; list && i < count; i++) {
    int drop = 0;
    for (size_t k = 0; launched && k < sizeof prefixes / sizeof *prefixes; k++)
      drop |= strncmp(environ[i], prefixes[k], strlen(prefixes[k])) == 0;
    if (!drop) list[n++] = environ[i];
  }
  return list;
}

/* What stops a run. */
static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOPS = sizeof stops / sizeof *stops };

static void become(char *const *argv, char **environment, const int *files, int keep, pid_t parent,
                   const sigset_t *mask) {
  /* Ctrl-C reaches the pool alone, which then asks its children to stop. */
  (void)setpgid(0, 0);
  /* The pool's handler would swallow a stop that comes before the child is another program. What was to be
   * ignored stays so. */
  for (int i = 0; i < STOPS; i++) {
    struct sigaction before;
    if (sigaction(stops[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
      (void)signal(stops[i], SIG_DFL);
  }
  (void)sigprocmask(SIG_SETMASK, mask, NULL);
#ifdef __linux__
  (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
  if (getppid() != parent) _exit(NOT_STARTED);
  (void)signal(SIGPIPE, SIG_DFL);
  for (int i = 0; i < 3; i++)
    if (dup2(files[i], i) < 0) _exit(NOT_STARTED);
  if (keep >= 0) (void)fcntl(keep, F_SETFD, 0);
  (void)execve(argv[0], argv, environment);
  _exit(NOT_STARTED);
}

BtStatus bt_compare_spawn(BtContext *ctx, char *const *argv, const char *out, const char *err, int keep,
                          pid_t *pid) {
  BtStatus st = BT_OK;
  const pid_t parent = getpid();
  char **environment = child_environment();
  const int files[3] = {open("/dev/null", O_RDONLY | O_CLOEXEC),
                        open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666),
                        open(err, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
  if (!environment) BT_TRY(bt_fail_memory(ctx, "an environment", 0));
  for (int i = 0; i < 3; i++)
    if (files[i] < 0)
      BT_TRY(bt_fail(ctx, BT_ERR_IO, "%s: cannot be written: %s",
                     i == 0   ? "/dev/null"
                     : i == 1 ? out
                              : err,
                     strerror(errno)));
  (void)fflush(stdout);
  sigset_t held, mask;
  (void)sigemptyset(&held);
  for (int i = 0; i < STOPS; i++) (void)sigaddset(&held, stops[i]);
  (void)sigprocmask(SIG_BLOCK, &held, &mask);
  *pid = fork();
  if (*pid == 0) become(argv, environment, files, keep, parent, &mask);
  if (*pid < 0) {
    *pid = 0;
    st = bt_fail(ctx, BT_ERR_LIBRARY, "a process could not be started: %s", strerror(errno));
  }
  (void)sigprocmask(SIG_SETMASK, &mask, NULL);
done:
  for (int i = 0; i < 3; i++)
    if (files[i] >= 0) (void)close(files[i]);
  free(environment);
  return st;
}

BtStatus bt_compare_call(BtContext *ctx, char *const *argv, const char *out, const char *err, int *code) {
  pid_t pid;
  int how = 0, asked = 0;
  const BtStatus st = bt_compare_spawn(ctx, argv, out, err, -1, &pid);
  *code = NOT_STARTED;
  if (st < 0) return st;
  for (;;) {
    const pid_t ended = waitpid(pid, &how, WNOHANG);
    if (ended == pid || (ended < 0 && errno != EINTR)) break;
    if (bt_stop_requested(ctx) && !asked++) (void)kill(pid, SIGTERM);
    bt_compare_nap(BT_COMPARE_TICK);
  }
  *code = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
  return asked ? BT_STOPPED : BT_OK;
}

char *bt_compare_last_error(const char *err) {
  static const char mark[] = "bitune: ", letters[] = "abcdefghijklmnopqrstuvwxyz";
  char *text = NULL, *found = NULL;
  size_t size = 0;
  BtContext ctx;
  bt_context_init(&ctx);
  if (bt_file_read(&ctx, err, MESSAGES, &text, &size) < 0) return NULL;
  for (char *line = text; line && *line;) {
    char *end = strchr(line, '\n');
    if (end) *end = '\0';
    const int ours = strncmp(line, mark, sizeof mark - 1) == 0;
    const char *said = ours ? line + sizeof mark - 1 : line;
    /* What is not ours (a library's, a sanitizer's) counts only where nothing of ours follows. */
    if (*said && strncmp(said, "warning: ", 9) != 0 && (ours || (!found && strpbrk(said, letters)))) {
      free(found);
      found = bt_copy_text(said);
    }
    line = end ? end + 1 : NULL;
  }
  free(text);
  return found;
}
