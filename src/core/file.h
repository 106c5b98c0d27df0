/* core/file.h: paths, and files that are replaced whole or not at all.
 *
 * An atomic file is written under a temporary name in the same folder, flushed to disk (fsync) and renamed over the
 * target, so that a reader or a crash sees the old content or the new, never a part. */
#ifndef BITUNE_CORE_FILE_H
#define BITUNE_CORE_FILE_H

#include <stddef.h>
#include <stdio.h>

#include "core/context.h"

typedef struct {
  FILE *stream;    /* write here; NULL once committed or aborted                    */
  char *path;      /* the target, owned                                             */
  char *temporary; /* the name written under, owned                                 */
  int *claim;      /* NULL, or what a commit makes the claim of the new file, before others can see it */
} BtAtomicFile;

/* Opens a temporary file beside `path`; it takes over the permissions of an existing target. A symbolic link is
 * followed, so that its target is replaced. Devices, pipes and names of open descriptors (/dev/stdout) are written
 * directly and without a temporary file. Errors: BT_ERR_IO, BT_ERR_MEMORY. */
BtStatus bt_atomic_open(BtContext *ctx, const char *path, BtAtomicFile *file);

/* Flushes, syncs and renames; on any error removes the temporary file, leaves the target as it was, BT_ERR_IO.
 * (If only the folder's sync after the rename fails, the text says so and the new content is in place.)
 * `file` is empty afterwards either way. */
BtStatus bt_atomic_commit(BtContext *ctx, BtAtomicFile *file);

/* Removes the temporary file; harmless on an empty or zeroed struct. */
void bt_atomic_abort(BtAtomicFile *file);

/* Whether an atomic file could be begun here, before work whose result it will hold: BT_ERR_IO if not. */
BtStatus bt_file_writable(BtContext *ctx, const char *path);

/* Claims a file for what writes it again and again: while *claim is held, others are refused theirs with
 * BT_ERR_IO. *claim is a descriptor with a lock (flock), −1 at first. The claim is of the file that is there
 * now; no file, no claim. Temporary files beside it that killed runs have left are removed. It ends with
 * close(*claim) or the process. One held of this very file stays. */
BtStatus bt_file_claim(BtContext *ctx, const char *path, int *claim);

/* 1 if both paths name one file, there already or to be made, or are the same text. */
int bt_same_file(const char *a, const char *b);

/* Writes `size` bytes atomically. */
BtStatus bt_file_write(BtContext *ctx, const char *path, const void *bytes, size_t size);

/* Reads a whole file, at most `limit` bytes, into *bytes (owned by the caller, free()); a zero byte is appended but
 * not counted in *size. Errors: BT_ERR_IO, BT_ERR_FORMAT when larger than `limit`, BT_ERR_MEMORY. */
BtStatus bt_file_read(BtContext *ctx, const char *path, size_t limit, char **bytes, size_t *size);

/* Creates a folder and its missing parents; BT_OK if it is there already. */
BtStatus bt_make_folder(BtContext *ctx, const char *path);

/* dir + "/" + name, malloc'ed; NULL if out of memory. */
char *bt_path_join(const char *dir, const char *name);

/* The part after the last slash, inside `path`. */
const char *bt_path_base(const char *path);

/* The extension without its dot ("png"), inside `path`; "" if there is none. */
const char *bt_path_extension(const char *path);

/* A malloc'ed copy; NULL if out of memory (strdup, which C11 lacks). */
char *bt_copy_text(const char *text);

#endif
