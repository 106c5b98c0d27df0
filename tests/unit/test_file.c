#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "harness.h"

static BtContext ctx;

static void check_content(const char *path, const char *wanted) {
  char *text;
  size_t size;
  BT_CHECK_STATUS(bt_file_read(&ctx, path, 1 << 20, &text, &size), BT_OK, &ctx);
  BT_CHECK_TEXT(text, wanted);
  BT_CHECK(size == strlen(wanted));
  free(text);
}

static BtStatus write_text(const char *path, const char *text) {
  return bt_file_write(&ctx, path, text, strlen(text));
}

/* An empty folder of its own for a test. */
static const char *fresh_folder(const char *name) {
  const char *path = bt_test_path(name);
  BT_CHECK_STATUS(bt_make_folder(&ctx, path), BT_OK, &ctx);
  BT_CHECK(bt_test_entries(path) == 0);
  return path;
}

static void replace(void) {
  const char *dir = fresh_folder("replace"), *path = bt_test_path("replace/a.txt");
  BT_CHECK_STATUS(write_text(path, "old"), BT_OK, &ctx);
  check_content(path, "old");

  /* Who has the old file open keeps the old content; nobody sees a part of the new one. */
  char kept[8] = "";
  FILE *reader = fopen(path, "rb");
  BtAtomicFile file;
  BT_CHECK_STATUS(bt_atomic_open(&ctx, path, &file), BT_OK, &ctx);
  BT_CHECK(fputs("new content", file.stream) >= 0 && fflush(file.stream) == 0);
  check_content(path, "old");
  BT_CHECK(bt_test_entries(dir) == 2);
  BT_CHECK_STATUS(bt_atomic_commit(&ctx, &file), BT_OK, &ctx);
  BT_CHECK(!file.stream && !file.path && !file.temporary);
  check_content(path, "new content");
  BT_NEED(reader);
  BT_CHECK(fread(kept, 1, 7, reader) == 3);
  BT_CHECK_TEXT(kept, "old");
  BT_CHECK(fclose(reader) == 0);
  BT_CHECK(bt_test_entries(dir) == 1);
}

static void abandon(void) {
  const char *dir = fresh_folder("abandon"), *path = bt_test_path("abandon/a.txt");
  BtAtomicFile file;
  BT_CHECK_STATUS(bt_atomic_open(&ctx, path, &file), BT_OK, &ctx);
  BT_CHECK(bt_test_entries(dir) == 1);
  bt_atomic_abort(&file);
  BT_CHECK(bt_test_entries(dir) == 0);
  bt_atomic_abort(&file);
  BT_CHECK_STATUS(bt_atomic_commit(&ctx, &file), BT_ERR_ARG, &ctx);
}

static void two_writers(void) {
  const char *dir = fresh_folder("two"), *path = bt_test_path("two/a.txt");
  BtAtomicFile first, second;
  BT_CHECK_STATUS(bt_atomic_open(&ctx, path, &first), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_atomic_open(&ctx, path, &second), BT_OK, &ctx);
  BT_CHECK(fputs("first", first.stream) >= 0 && fputs("second", second.stream) >= 0);
  BT_CHECK_STATUS(bt_atomic_commit(&ctx, &second), BT_OK, &ctx);
  check_content(path, "second");
  BT_CHECK_STATUS(bt_atomic_commit(&ctx, &first), BT_OK, &ctx);
  check_content(path, "first");
  BT_CHECK(bt_test_entries(dir) == 1);
}

static int mode_of(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? (int)(info.st_mode & 07777) : -1;
}

static void permissions(void) {
  fresh_folder("mode");
  const char *created = bt_test_path("mode/new"), *existing = bt_test_path("mode/old");
  const mode_t before = umask(027);
  BT_CHECK_STATUS(write_text(created, "x"), BT_OK, &ctx);
  BT_CHECK(mode_of(created) == 0640);
  BT_CHECK_STATUS(write_text(existing, "x"), BT_OK, &ctx);
  BT_CHECK(chmod(existing, 0604) == 0);
  BT_CHECK_STATUS(write_text(existing, "y"), BT_OK, &ctx);
  BT_CHECK(mode_of(existing) == 0604);
  (void)umask(before);
}

static void symbolic_links(void) {
  fresh_folder("links");
  fresh_folder("links/data");
  const char *link = bt_test_path("links/link"), *target = bt_test_path("links/data/target");
  struct stat info;
  BT_CHECK(symlink("hop", link) == 0);
  BT_CHECK(symlink("data/target", bt_test_path("links/hop")) == 0);
  /* First the chain ends in no file, then in one. */
  for (int round = 0; round < 2; round++) {
    const char *text = round ? "second" : "first";
    BT_CHECK_STATUS(write_text(link, text), BT_OK, &ctx);
    BT_CHECK(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    BT_CHECK(lstat(target, &info) == 0 && S_ISREG(info.st_mode));
    check_content(target, text);
  }
  const char *absolute = bt_test_path("links/absolute");
  BT_CHECK(symlink(target, absolute) == 0);
  BT_CHECK_STATUS(write_text(absolute, "third"), BT_OK, &ctx);
  check_content(target, "third");
  BT_CHECK(bt_test_entries(bt_test_path("links")) == 4);
  BT_CHECK(bt_test_entries(bt_test_path("links/data")) == 1);
}

static void refused(void) {
  const char *dir = fresh_folder("refused"), *plain = bt_test_path("refused/plain");
  BT_CHECK_STATUS(write_text(plain, "old"), BT_OK, &ctx);
  BT_CHECK(symlink("loop", bt_test_path("refused/loop")) == 0);
  static const struct {
    const char *name, *cause;
  } rows[] = {
      {"missing/a", "No such file or directory; create its folder first"},
      {"plain/a", "Not a directory; a part of the path is a file"},
      {"loop", "Too many levels of symbolic links"},
      {".", "it is a folder; name a file"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char path[512], wanted[1024];
    snprintf(path, sizeof path, "%s/%s", dir, rows[i].name);
    snprintf(wanted, sizeof wanted, "%s: cannot write: %s", path, rows[i].cause);
    BT_CHECK_STATUS(write_text(path, "new"), BT_ERR_IO, &ctx);
    BT_CHECK_TEXT(ctx.error, wanted);
  }
  BT_CHECK_STATUS(write_text("", "new"), BT_ERR_IO, &ctx);
  BT_CHECK_TEXT(ctx.error, "\"\": cannot write: the file name is empty");
  check_content(plain, "old");
  BT_CHECK(bt_test_entries(dir) == 2);
}

static void devices(void) {
  BT_CHECK_STATUS(write_text("/dev/null", "x"), BT_OK, &ctx);
  BT_CHECK_STATUS(write_text("/dev/full", "x"), BT_ERR_IO, &ctx);
  BT_CHECK_TEXT(ctx.error, "/dev/full: cannot write: No space left on device");

  char name[32], got[8] = "";
  int ends[2];
  BT_NEED(pipe(ends) == 0);
  snprintf(name, sizeof name, "/dev/fd/%d", ends[1]);
  BT_CHECK_STATUS(write_text(name, "piped"), BT_OK, &ctx);
  BT_CHECK(read(ends[0], got, 7) == 5);
  BT_CHECK_TEXT(got, "piped");
  BT_CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);

  /* As with "command >> log": what is in the file stays. */
  fresh_folder("redirect");
  const char *log = bt_test_path("redirect/log");
  BT_CHECK_STATUS(write_text(log, "before "), BT_OK, &ctx);
  const int fd = open(log, O_WRONLY | O_APPEND);
  snprintf(name, sizeof name, "/dev/fd/%d", fd);
  BT_CHECK_STATUS(write_text(name, "after"), BT_OK, &ctx);
  BT_CHECK(write(fd, ".", 1) == 1);
  BT_CHECK(close(fd) == 0);
  check_content(log, "before after.");
}

/* A limit on the size of files stands for a full disk: large writes fail early, small ones only when flushed.
 */
static void size_limit(void) {
  static const size_t sizes[] = {1000, 4097, 1 << 20};
  static char bytes[1 << 20];
  const char *dir = fresh_folder("limit"), *path = bt_test_path("limit/a.bin");
  struct rlimit before, low;
  struct sigaction ignore = {.sa_handler = SIG_IGN}, handler;
  BT_CHECK_STATUS(write_text(path, "old"), BT_OK, &ctx);
  BT_NEED(getrlimit(RLIMIT_FSIZE, &before) == 0 && sigaction(SIGXFSZ, &ignore, &handler) == 0);
  low = before;
  low.rlim_cur = 500;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    char wanted[512];
    snprintf(wanted, sizeof wanted, "%s: cannot write: File too large", path);
    ctx.error[0] = '\0';
    const int limited = setrlimit(RLIMIT_FSIZE, &low) == 0;
    const BtStatus st = bt_file_write(&ctx, path, bytes, sizes[i]);
    const int released = setrlimit(RLIMIT_FSIZE, &before) == 0;
    BT_CHECK(limited && released);
    BT_CHECK_STATUS(st, BT_ERR_IO, &ctx);
    BT_CHECK_TEXT(ctx.error, wanted);
    check_content(path, "old");
    BT_CHECK(bt_test_entries(dir) == 1);
  }

  /* A caller who overlooks a failed write does not replace the file either. */
  BtAtomicFile file;
  BT_CHECK_STATUS(bt_atomic_open(&ctx, path, &file), BT_OK, &ctx);
  BT_CHECK(setrlimit(RLIMIT_FSIZE, &low) == 0);
  const size_t written = fwrite(bytes, 1, sizeof bytes, file.stream);
  BT_CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
  BT_CHECK(written < sizeof bytes);
  BT_CHECK_STATUS(bt_atomic_commit(&ctx, &file), BT_ERR_IO, &ctx);
  check_content(path, "old");
  BT_CHECK(bt_test_entries(dir) == 1);
  BT_CHECK(sigaction(SIGXFSZ, &handler, NULL) == 0);
}

static void reading(void) {
  const char *dir = fresh_folder("reading"), *path = bt_test_path("reading/a.txt");
  char wanted[512], *text = (char *)dir;
  size_t size = 1;
  BT_CHECK_STATUS(write_text(path, "12345"), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_file_read(&ctx, path, 5, &text, &size), BT_OK, &ctx);
  BT_CHECK_TEXT(text, "12345");
  free(text);
  BT_CHECK_STATUS(bt_file_read(&ctx, path, (size_t)-1, &text, &size), BT_OK, &ctx);
  BT_CHECK(size == 5);
  free(text);
  BT_CHECK_STATUS(bt_file_read(&ctx, path, 4, &text, &size), BT_ERR_FORMAT, &ctx);
  BT_CHECK(text == NULL && size == 0);
  snprintf(wanted, sizeof wanted, "%s: larger than 4 bytes, the most such a file may have", path);
  BT_CHECK_TEXT(ctx.error, wanted);
  BT_CHECK_STATUS(bt_file_read(&ctx, dir, 4, &text, &size), BT_ERR_IO, &ctx);
  snprintf(wanted, sizeof wanted, "%s: cannot read: it is a folder; name a file", dir);
  BT_CHECK_TEXT(ctx.error, wanted);
  const char *missing = bt_test_path("reading/none");
  BT_CHECK_STATUS(bt_file_read(&ctx, missing, 4, &text, &size), BT_ERR_IO, &ctx);
  snprintf(wanted, sizeof wanted, "%s: cannot read: No such file or directory", missing);
  BT_CHECK_TEXT(ctx.error, wanted);

  /* Neither an endless file nor one without a size, as a pipe has, is a problem. */
  BT_CHECK_STATUS(bt_file_read(&ctx, "/dev/zero", 100000, &text, &size), BT_ERR_FORMAT, &ctx);
  char name[32];
  int ends[2];
  BT_NEED(pipe(ends) == 0);
  static char block[20000];
  memset(block, 'x', sizeof block);
  BT_CHECK(write(ends[1], block, sizeof block) == sizeof block && close(ends[1]) == 0);
  snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
  BT_CHECK_STATUS(bt_file_read(&ctx, name, sizeof block, &text, &size), BT_OK, &ctx);
  BT_CHECK(size == sizeof block && text && memcmp(text, block, size) == 0);
  free(text);
  BT_CHECK(close(ends[0]) == 0);

  BT_CHECK_STATUS(write_text(path, ""), BT_OK, &ctx);
  check_content(path, "");
}

/* As another process sees it: 1 if its claim is refused. */
static int refused_elsewhere(const char *path) {
  int status = 0;
  const pid_t child = fork();
  if (child == 0) {
    int claim = -1;
    _exit(bt_file_claim(&ctx, path, &claim) == BT_ERR_IO);
  }
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status);
}

static void claims(void) {
  const char *path = bt_test_path("claimed");
  int claim = -1;
  BT_CHECK_STATUS(bt_file_claim(&ctx, path, &claim), BT_OK, &ctx);
  BT_CHECK(claim == -1); /* there is no file yet */
  for (int time = 0; time < 2; time++) {
    BT_CHECK_STATUS(write_text(path, "x"), BT_OK, &ctx);
    BT_CHECK(!refused_elsewhere(path));
    BT_CHECK_STATUS(bt_file_claim(&ctx, path, &claim), BT_OK, &ctx);
    BT_CHECK(claim >= 0 && refused_elsewhere(path));
    BT_CHECK_STATUS(bt_file_claim(&ctx, path, &claim), BT_OK, &ctx);
    BT_CHECK(refused_elsewhere(path));
    /* Replaced by who has the claim, the file is not free at any moment. */
    BtAtomicFile file;
    BT_CHECK_STATUS(bt_atomic_open(&ctx, path, &file), BT_OK, &ctx);
    file.claim = &claim;
    BT_CHECK_STATUS(bt_atomic_commit(&ctx, &file), BT_OK, &ctx);
    BT_CHECK(claim >= 0 && refused_elsewhere(path));
  }
  (void)close(claim);
  BT_CHECK(!refused_elsewhere(path));
  claim = -1;
  BT_CHECK_STATUS(bt_file_claim(&ctx, "/dev/null", &claim), BT_OK, &ctx);
  BT_CHECK(claim == -1);
}

/* A claim clears its folder of what killed writers have left, but of nothing else. */
static void leftovers(void) {
  const char *folder = fresh_folder("leftovers"), *path = bt_test_path("leftovers/claimed"),
             *stale = bt_test_path("leftovers/.bitune-1-0.tmp");
  static const char *const others[] = {"leftovers/.bitune-.tmp", "leftovers/bitune-1-0.tmp",
                                       "leftovers/.bitune-1-0.tmp2"};
  int claim = -1;
  BtAtomicFile busy;
  BT_CHECK_STATUS(write_text(path, "x"), BT_OK, &ctx);
  BT_CHECK_STATUS(write_text(stale, "a part"), BT_OK, &ctx);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    BT_CHECK_STATUS(write_text(bt_test_path(others[i]), "x"), BT_OK, &ctx);
  BT_NEED(symlink(path, bt_test_path("leftovers/.bitune-2-0.tmp")) == 0);
  BT_CHECK_STATUS(bt_atomic_open(&ctx, bt_test_path("leftovers/new"), &busy), BT_OK, &ctx);
  BT_CHECK(bt_test_entries(folder) == 7);
  BT_CHECK_STATUS(bt_file_claim(&ctx, path, &claim), BT_OK, &ctx);
  BT_CHECK(claim >= 0 && bt_test_entries(folder) == 6 && access(stale, F_OK) != 0);
  BT_CHECK_STATUS(bt_atomic_commit(&ctx, &busy), BT_OK, &ctx);
  BT_CHECK(bt_test_entries(folder) == 6);
  (void)close(claim);
}

/* Files are written while another process claims, and so clears, their folder again and again. */
static void written_while_swept(void) {
  enum { FILES = 200 };
  const char *folder = fresh_folder("swept"), *claimed = bt_test_path("swept/claimed"),
             *path = bt_test_path("swept/written");
  int status = 0, lost = 0;
  BT_CHECK_STATUS(write_text(claimed, "x"), BT_OK, &ctx);
  const pid_t child = fork();
  while (child == 0) {
    int claim = -1;
    (void)bt_file_claim(&ctx, claimed, &claim);
    (void)close(claim);
    if (getppid() == 1) _exit(1);
  }
  for (int i = 0; i < FILES; i++) lost += write_text(path, "y") < 0;
  BT_CHECK(lost == 0);
  BT_CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
  BT_CHECK(bt_test_entries(folder) == 2);
}

static void one_file_or_two(void) {
  const char *folder = fresh_folder("same"), *a = bt_test_path("same/a"), *b = bt_test_path("same/./a"),
             *c = bt_test_path("same/c");
  BT_CHECK(bt_same_file(a, a) && bt_same_file(a, b) && !bt_same_file(a, c));
  BT_CHECK_STATUS(write_text(a, "x"), BT_OK, &ctx);
  BT_CHECK(bt_same_file(a, b) && !bt_same_file(a, c) && !bt_same_file(a, folder));
  BT_NEED(symlink(a, c) == 0);
  BT_CHECK(bt_same_file(a, c));
  BT_CHECK_STATUS(bt_file_writable(&ctx, a), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_file_writable(&ctx, bt_test_path("same/d")), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_file_writable(&ctx, bt_test_path("same/e/f")), BT_ERR_IO, &ctx);
  BT_CHECK_STATUS(bt_file_writable(&ctx, folder), BT_ERR_IO, &ctx);
  BT_CHECK(bt_test_entries(folder) == 2);
}

static void folders(void) {
  const char *deep = bt_test_path("folders/a//b/c/"), *plain = bt_test_path("folders/plain");
  BT_CHECK_STATUS(bt_make_folder(&ctx, deep), BT_OK, &ctx);
  BT_CHECK(bt_test_entries(bt_test_path("folders/a/b/c")) == 0);
  BT_CHECK_STATUS(bt_make_folder(&ctx, deep), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_make_folder(&ctx, "/"), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_make_folder(&ctx, ""), BT_ERR_IO, &ctx);
  BT_CHECK_STATUS(write_text(plain, "x"), BT_OK, &ctx);
  BT_CHECK_STATUS(bt_make_folder(&ctx, plain), BT_ERR_IO, &ctx);
  char wanted[512];
  snprintf(wanted, sizeof wanted, "%s: cannot create the folder: File exists", plain);
  BT_CHECK_STATUS(bt_make_folder(&ctx, bt_test_path("folders/plain/x")), BT_ERR_IO, &ctx);
  BT_CHECK_TEXT(ctx.error, wanted);
}

static void names(void) {
  static const struct {
    const char *path, *base, *extension;
  } rows[] = {
      {"a/b.png", "b.png", "png"},
      {"b.tar.gz", "b.tar.gz", "gz"},
      {"a.d/b", "b", ""},
      {".hidden", ".hidden", ""},
      {"a/.x.c", ".x.c", "c"},
      {"a/", "", ""},
      {"b.", "b.", ""},
      {"", "", ""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    BT_CHECK_TEXT(bt_path_base(rows[i].path), rows[i].base);
    BT_CHECK_TEXT(bt_path_extension(rows[i].path), rows[i].extension);
  }
  static const struct {
    const char *dir, *name, *path;
  } joins[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "b"}, {"a", "", "a/"}};
  for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
    char *path = bt_path_join(joins[i].dir, joins[i].name);
    BT_CHECK_TEXT(path, joins[i].path);
    free(path);
  }
}

static const BtTest tests[] = {
    {"a file is replaced whole", replace},
    {"an aborted file leaves nothing", abandon},
    {"two writers of one file", two_writers},
    {"permissions", permissions},
    {"symbolic links are followed", symbolic_links},
    {"targets that cannot be written", refused},
    {"devices, pipes and descriptors", devices},
    {"no room: the old content survives", size_limit},
    {"reading", reading},
    {"claims", claims},
    {"leftovers", leftovers},
    {"written while swept", written_while_swept},
    {"one file or two", one_file_or_two},
    {"folders", folders},
    {"parts of a path", names},
};

int main(void) { return bt_test_main("file", tests, sizeof tests / sizeof *tests); }
