#include "plot/gnuplot.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_FOUND 127

/* The child: script on stdin, picture on stdout, messages to a file. -d keeps the user's own settings out. */
static void become_gnuplot(int script, int picture, int messages) {
  (void)signal(SIGPIPE, SIG_DFL);
  if (dup2(script, STDIN_FILENO) < 0 || dup2(picture, STDOUT_FILENO) < 0 || dup2(messages, STDERR_FILENO) < 0)
    _exit(1);
  (void)execlp("gnuplot", "gnuplot", "-d", "-", (char *)NULL);
  _exit(NOT_FOUND);
}

/* The first line of gnuplot's messages that tells something: its echo of the line and the caret do not. */
static void first_message(FILE *messages, char *text, size_t size) {
  rewind(messages);
  snprintf(text, size, "no message");
  char line[256];
  while (fgets(line, sizeof line, messages)) {
    const char *tell = strstr(line, "line ");
    if (!tell || !strchr(tell, ':')) continue;
    snprintf(text, size, "%.*s", (int)strcspn(tell, "\n"), tell);
    return;
  }
}

static BtStatus wait_for(BtContext *ctx, pid_t pid, FILE *messages, const char *path) {
  int how = 0;
  char text[256];
  while (waitpid(pid, &how, 0) < 0)
    if (errno != EINTR) return bt_fail(ctx, BT_ERR_LIBRARY, "gnuplot was lost: %s", strerror(errno));
  if (WIFEXITED(how) && WEXITSTATUS(how) == 0) return BT_OK;
  if (WIFEXITED(how) && WEXITSTATUS(how) == NOT_FOUND)
    return bt_fail(ctx, BT_ERR_LIBRARY,
                   "gnuplot was not found; install it (on Debian or Ubuntu: apt install gnuplot-nox)");
  if (WIFSIGNALED(how))
    return bt_fail(ctx, BT_ERR_LIBRARY, "%s: gnuplot died of signal %d", path, WTERMSIG(how));
  first_message(messages, text, sizeof text);
  return bt_fail(ctx, BT_ERR_LIBRARY, "%s: gnuplot failed: %s", path, text);
}

/* Everything from the pipe to the picture; gnuplot itself does not notice a full disk. 0 or an errno. */
static int copy_picture(int from, FILE *picture) {
  char bytes[4096];
  int error = 0;
  for (;;) {
    const ssize_t n = read(from, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && !error) error = errno;
    if (n <= 0) break;
    /* After a failure the rest is read all the same, so that gnuplot can end. */
    if (!error && fwrite(bytes, 1, (size_t)n, picture) != (size_t)n) error = errno;
  }
  if (!error && fflush(picture) != 0) error = errno;
  return error;
}

BtStatus bt_gnuplot(BtContext *ctx, const char *script, size_t length, FILE *picture, const char *path) {
  BtStatus st = BT_OK;
  int ends[2] = {-1, -1};
  /* A file rather than a pipe: gnuplot may end before it has read everything. */
  FILE *input = tmpfile(), *messages = tmpfile();
  if (!input || !messages) {
    st = bt_fail(ctx, BT_ERR_IO, "no temporary file for gnuplot: %s", strerror(errno));
    goto done;
  }
  if (fwrite(script, 1, length, input) != length || fflush(input) != 0) {
    st = bt_fail(ctx, BT_ERR_IO, "no room for gnuplot's script: %s", strerror(errno));
    goto done;
  }
  rewind(input);
  (void)fflush(stdout);
  const pid_t pid = pipe(ends) == 0 ? fork() : -1;
  if (pid == 0) become_gnuplot(fileno(input), ends[1], fileno(messages));
  if (pid < 0) {
    st = bt_fail(ctx, BT_ERR_LIBRARY, "gnuplot could not be started: %s", strerror(errno));
    goto done;
  }
  (void)close(ends[1]);
  ends[1] = -1;
  const int error = copy_picture(ends[0], picture);
  st = wait_for(ctx, pid, messages, path);
  if (st >= 0 && error) st = bt_fail(ctx, BT_ERR_IO, "%s: cannot write: %s", path, strerror(error));
done:
  for (int i = 0; i < 2; i++)
    if (ends[i] >= 0) (void)close(ends[i]);
  if (input) (void)fclose(input);
  if (messages) (void)fclose(messages);
  return st;
}

void bt_gnuplot_quote(FILE *script, const char *text) {
  (void)fputc('\'', script);
  for (; *text; text++) {
    if (*text == '\'') (void)fputc('\'', script);
    (void)fputc((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text, script);
  }
  (void)fputc('\'', script);
}
