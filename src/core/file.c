#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINK_CHAIN 40
#define LINK_TEXT 4096
#define TEMPORARY_NAMES 1000
#define TEMPORARY_HEAD ".bitune-"
#define TEMPORARY_TAIL ".tmp"

static BtStatus fail_write(BtContext *ctx, const char *path, int error) {
  const char *cure = "";
  if (error == ENOENT) cure = "; create its folder first";
  if (error == ENOTDIR) cure = "; a part of the path is a file";
  return bt_fail(ctx, BT_ERR_IO, "%s: cannot write: %s%s", path, strerror(error), cure);
}

static BtStatus fail_read(BtContext *ctx, const char *path, int error) {
  if (!*path) return bt_fail(ctx, BT_ERR_IO, "\"\": cannot read: the file name is empty");
  return bt_fail(ctx, BT_ERR_IO, "%s: cannot read: %s", path, strerror(error));
}

/* The part of `path` before its last component, "." if there is none; malloc'ed. */
static char *folder_of(const char *path) {
  size_t n = (size_t)(bt_path_base(path) - path);
  if (n == 0) return bt_copy_text(".");
  while (n > 1 && path[n - 1] == '/') n--;
  char *folder = malloc(n + 1);
  if (!folder) return NULL;
  memcpy(folder, path, n);
  folder[n] = '\0';
  return folder;
}

/* The name that a chain of symbolic links ends in, whether or not a file is there; *target is malloc'ed. */
static BtStatus follow_links(BtContext *ctx, const char *path, char **target) {
  BtStatus st = BT_OK;
  char text[LINK_TEXT];
  char *folder = NULL;
  char *now = bt_copy_text(path);
  for (int links = 0; now; links++) {
    const ssize_t n = readlink(now, text, sizeof text);
    if (n < 0) break;
    if (links == LINK_CHAIN || n == (ssize_t)sizeof text) {
      st = fail_write(ctx, path, links == LINK_CHAIN ? ELOOP : ENAMETOOLONG);
      goto done;
    }
    text[n] = '\0';
    free(folder);
    folder = folder_of(now);
    free(now);
    now = text[0] == '/' ? bt_copy_text(text) : folder ? bt_path_join(folder, text) : NULL;
  }
  if (!now) st = bt_fail_memory(ctx, "a file name", (double)strlen(path));
done:
  free(folder);
  if (st < 0) {
    free(now);
    now = NULL;
  }
  *target = now;
  return st;
}

/* An open descriptor named as a file: a rename would replace the name, not what the descriptor writes to. */
static int names_descriptor(const char *path) {
  static const char *const names[] = {"/dev/fd/", "/dev/stdout", "/dev/stderr", "/proc/"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strncmp(path, names[i], strlen(names[i])) == 0) return 1;
  return 0;
}

/* A lock on an open file, which lasts as long as the descriptor and its copies. 0: another has it. */
static int lock(int fd) { return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; }

static int is_linked(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && info.st_nlink > 0;
}

/* Creates a new file in `folder` under the caller's umask; its name, malloc'ed, goes to *name. It is
 * locked, by which sweep() knows that somebody writes it. */
static BtStatus create_temporary(BtContext *ctx, const char *path, const char *folder, char **name, int *fd) {
  for (int attempt = 0; attempt < TEMPORARY_NAMES; attempt++) {
    char base[64];
    snprintf(base, sizeof base, TEMPORARY_HEAD "%ld-%d" TEMPORARY_TAIL, (long)getpid(), attempt);
    *name = bt_path_join(folder, base);
    if (!*name) return bt_fail_memory(ctx, "a file name", (double)(strlen(folder) + sizeof base));
    *fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (*fd >= 0 && lock(*fd) && is_linked(*fd)) return BT_OK;
    const int error = *fd >= 0 ? EEXIST : errno; /* swept before it was locked */
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
    free(*name);
    *name = NULL;
    if (error != EEXIST) return fail_write(ctx, path, error);
  }
  return fail_write(ctx, path, EEXIST);
}

BtStatus bt_atomic_open(BtContext *ctx, const char *path, BtAtomicFile *file) {
  BtStatus st = BT_OK;
  char *folder = NULL;
  int fd = -1;
  *file = (BtAtomicFile){0};

  struct stat info;
  if (!*path) return bt_fail(ctx, BT_ERR_IO, "\"\": cannot write: the file name is empty");
  const int exists = stat(path, &info) == 0;
  if (!exists && errno != ENOENT) return fail_write(ctx, path, errno);
  if (exists && S_ISDIR(info.st_mode))
    return bt_fail(ctx, BT_ERR_IO, "%s: cannot write: it is a folder; name a file", path);

  if (exists && (!S_ISREG(info.st_mode) || names_descriptor(path))) {
    /* Appending, because a descriptor's file may hold earlier output; to devices and pipes it is all one. */
    file->path = bt_copy_text(path);
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) {
      st = fail_write(ctx, path, errno);
      goto done;
    }
  } else {
    /* The rename would not ask for permission to write the old file. */
    if (exists && access(path, W_OK) != 0) return fail_write(ctx, path, errno);
    BT_TRY(follow_links(ctx, path, &file->path));
    folder = folder_of(file->path);
    if (folder) BT_TRY(create_temporary(ctx, path, folder, &file->temporary, &fd));
    if (exists && fd >= 0 && fchmod(fd, info.st_mode & 07777) != 0) {
      st = fail_write(ctx, path, errno);
      goto done;
    }
  }
  if (fd < 0 || !file->path) {
    st = bt_fail_memory(ctx, "a file name", (double)strlen(path));
    goto done;
  }
  file->stream = fdopen(fd, "wb");
  if (!file->stream) {
    st = fail_write(ctx, path, errno);
    goto done;
  }
  fd = -1;

done:
  free(folder);
  if (fd >= 0) (void)close(fd);
  if (st < 0) bt_atomic_abort(file);
  return st;
}

/* Makes a rename in the folder of `path` survive a crash, where folders can be opened and synced at all. */
static BtStatus sync_folder(BtContext *ctx, const char *path) {
  BtStatus st = BT_OK;
  char *folder = folder_of(path);
  if (!folder) return bt_fail_memory(ctx, "a file name", (double)strlen(path));
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != ENOSYS)
    st = bt_fail(ctx, BT_ERR_IO, "%s: written, but the folder cannot be synced: %s", path, strerror(errno));
  if (fd >= 0) (void)close(fd);
  free(folder);
  return st;
}

BtStatus bt_atomic_commit(BtContext *ctx, BtAtomicFile *file) {
  BtStatus st = BT_OK;
  if (!file->stream) return bt_fail(ctx, BT_ERR_ARG, "no file is open for writing");

  int error = 0;
  const int failed_before = ferror(file->stream);
  /* Keeps the lock beyond fclose: what has its temporary name must not be swept. */
  int held = file->temporary ? fcntl(fileno(file->stream), F_DUPFD_CLOEXEC, 0) : -1;
  if (fflush(file->stream) != 0)
    error = errno;
  else if (file->temporary && fsync(fileno(file->stream)) != 0 && errno != EINVAL && errno != ENOSYS)
    error = errno;
  if (fclose(file->stream) != 0 && !error) error = errno;
  file->stream = NULL;
  if (!error && failed_before) {
    st = bt_fail(ctx, BT_ERR_IO, "%s: cannot write: an earlier write failed", file->path);
    goto done;
  }
  if (!error && file->temporary && rename(file->temporary, file->path) != 0) error = errno;
  if (error) {
    st = fail_write(ctx, file->path, error);
    goto done;
  }
  if (file->temporary) {
    free(file->temporary);
    file->temporary = NULL;
    if (file->claim && held >= 0) {
      if (*file->claim >= 0) (void)close(*file->claim);
      *file->claim = held;
      held = -1;
    }
    st = sync_folder(ctx, file->path);
  }

done:
  bt_atomic_abort(file);
  if (held >= 0) (void)close(held);
  return st;
}

void bt_atomic_abort(BtAtomicFile *file) {
  if (file->temporary) (void)unlink(file->temporary);
  if (file->stream) (void)fclose(file->stream);
  free(file->temporary);
  free(file->path);
  *file = (BtAtomicFile){0};
}

BtStatus bt_file_writable(BtContext *ctx, const char *path) {
  BtAtomicFile file;
  const BtStatus st = bt_atomic_open(ctx, path, &file);
  if (st >= 0) bt_atomic_abort(&file);
  return st;
}

static int is_same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int is_temporary(const char *name) {
  static const char head[] = TEMPORARY_HEAD, tail[] = TEMPORARY_TAIL;
  const size_t n = strlen(name), around = sizeof head + sizeof tail - 2;
  return n > around && strncmp(name, head, sizeof head - 1) == 0 &&
         strcmp(name + n - (sizeof tail - 1), tail) == 0;
}

/* Removes temporary files beside `path` that nobody writes any more: those of runs that were killed. */
static void sweep(const char *path) {
  char *folder = folder_of(path);
  DIR *dir = folder ? opendir(folder) : NULL;
  for (const struct dirent *entry; dir && (entry = readdir(dir));) {
    struct stat info, named;
    if (!is_temporary(entry->d_name)) continue;
    const int fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    /* A file system without locks tells nothing. By the time of the lock the name may be another file's. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
        fstatat(dirfd(dir), entry->d_name, &named, AT_SYMLINK_NOFOLLOW) == 0 && is_same(&info, &named))
      (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)close(fd);
  }
  if (dir) (void)closedir(dir);
  free(folder);
}

BtStatus bt_file_claim(BtContext *ctx, const char *path, int *claim) {
  struct stat held, now;
  const int there = stat(path, &now) == 0 && S_ISREG(now.st_mode);
  if (*claim >= 0 && there && fstat(*claim, &held) == 0 && is_same(&held, &now)) return BT_OK;
  if (*claim >= 0) (void)close(*claim);
  *claim = -1;
  if (!there) return BT_OK;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? BT_OK : fail_write(ctx, path, errno);
  if (!lock(fd)) {
    (void)close(fd);
    return bt_fail(ctx, BT_ERR_IO, "%s: another run is writing it; name another file", path);
  }
  *claim = fd;
  sweep(path);
  return BT_OK;
}

int bt_same_file(const char *a, const char *b) {
  struct stat x, y;
  if (strcmp(a, b) == 0) return 1;
  const int has_a = stat(a, &x) == 0, has_b = stat(b, &y) == 0;
  if (has_a || has_b) return has_a && has_b && S_ISREG(x.st_mode) && is_same(&x, &y);
  if (strcmp(bt_path_base(a), bt_path_base(b)) != 0) return 0;
  char *folder_a = folder_of(a), *folder_b = folder_of(b);
  const int same =
      folder_a && folder_b && stat(folder_a, &x) == 0 && stat(folder_b, &y) == 0 && is_same(&x, &y);
  free(folder_a);
  free(folder_b);
  return same;
}

BtStatus bt_file_write(BtContext *ctx, const char *path, const void *bytes, size_t size) {
  BtAtomicFile file;
  const BtStatus st = bt_atomic_open(ctx, path, &file);
  if (st < 0) return st;
  if (size > 0 && fwrite(bytes, 1, size, file.stream) != size) {
    const int error = errno;
    bt_atomic_abort(&file);
    return fail_write(ctx, path, error);
  }
  return bt_atomic_commit(ctx, &file);
}

/* read() that goes on after a signal. */
static ssize_t read_some(int fd, char *bytes, size_t size) {
  ssize_t n;
  do n = read(fd, bytes, size);
  while (n < 0 && errno == EINTR);
  return n;
}

BtStatus bt_file_read(BtContext *ctx, const char *path, size_t limit, char **bytes, size_t *size) {
  BtStatus st = BT_OK;
  char *text = NULL;
  size_t used = 0;
  struct stat info;
  *bytes = NULL;
  *size = 0;
  if (limit > SIZE_MAX - 2) limit = SIZE_MAX - 2;

  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_read(ctx, path, errno);
  if (fstat(fd, &info) != 0) {
    st = fail_read(ctx, path, errno);
    goto done;
  }
  if (S_ISDIR(info.st_mode)) {
    st = bt_fail(ctx, BT_ERR_IO, "%s: cannot read: it is a folder; name a file", path);
    goto done;
  }

  /* One byte more than the file has, so that its end is seen without a second allocation. */
  const int sized = S_ISREG(info.st_mode) && (uintmax_t)info.st_size <= limit;
  size_t room = sized ? (size_t)info.st_size + 1 : 4096;
  for (;;) {
    if (room > limit + 1) room = limit + 1;
    char *larger = realloc(text, room + 1);
    if (!larger) {
      st = bt_fail_memory(ctx, path, (double)room);
      goto done;
    }
    text = larger;
    const ssize_t n = read_some(fd, text + used, room - used);
    if (n < 0) {
      st = fail_read(ctx, path, errno);
      goto done;
    }
    if (n == 0) break;
    used += (size_t)n;
    if (used > limit) {
      st = bt_fail(ctx, BT_ERR_FORMAT, "%s: larger than %zu bytes, the most such a file may have", path,
                   limit);
      goto done;
    }
    if (used == room) room = room > SIZE_MAX / 2 ? SIZE_MAX - 1 : 2 * room;
  }
  text[used] = '\0';
  *bytes = text;
  *size = used;
  text = NULL;

done:
  free(text);
  (void)close(fd);
  return st;
}

static int is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

BtStatus bt_make_folder(BtContext *ctx, const char *path) {
  BtStatus st = BT_OK;
  if (!*path) return bt_fail(ctx, BT_ERR_IO, "\"\": cannot create the folder: its name is empty");
  char *part = bt_copy_text(path);
  if (!part) return bt_fail_memory(ctx, "a folder name", (double)strlen(path));
  for (char *end = part + 1;; end++) {
    if (*end != '/' && *end != '\0') continue;
    const char kept = *end;
    *end = '\0';
    /* Some file systems refuse to make a folder that exists with another error than EEXIST. */
    const int error = mkdir(part, 0777) != 0 ? errno : 0;
    if (error && !is_folder(part)) {
      st = bt_fail(ctx, BT_ERR_IO, "%s: cannot create the folder: %s", part, strerror(error));
      break;
    }
    *end = kept;
    if (!kept) break;
  }
  free(part);
  return st;
}

char *bt_path_join(const char *dir, const char *name) {
  const size_t m = strlen(dir), n = strlen(name);
  const size_t slash = m > 0 && dir[m - 1] != '/';
  char *path = malloc(m + slash + n + 1);
  if (!path) return NULL;
  memcpy(path, dir, m);
  if (slash) path[m] = '/';
  memcpy(path + m + slash, name, n + 1);
  return path;
}

const char *bt_path_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

const char *bt_path_extension(const char *path) {
  const char *base = bt_path_base(path);
  const char *dot = strrchr(base, '.');
  return dot && dot != base ? dot + 1 : base + strlen(base);
}

char *bt_copy_text(const char *text) {
  const size_t n = strlen(text) + 1;
  char *copy = malloc(n);
  if (copy) memcpy(copy, text, n);
  return copy;
}
