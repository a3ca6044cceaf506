/* Plain files for checkpoints: every failure is an errno with the path in the error's text, and what is
   written is on disk (fsync) before the function returns. Local throughout. */
#ifndef ANN_CKPT_FILES_H
#define ANN_CKPT_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

#define ANNI_PATH_BYTES 4096
#define ANNI_IO_BYTES                                                                                        \
    ((size_t)1 << 20) /* one read or write: long enough to be fast, short enough to stay in cache */

/* The error for errno after `verb` ("write", "open" ...) failed on path. A full disk, a quota and a file-size
   limit are ANN_ERR_NOSPACE, all else is ANN_ERR_IO. */
ann_status anni_file_error(const char *verb, const char *path) ANN_MUST_CHECK;

/* Formats "dir/name" into path[ANNI_PATH_BYTES]. Errors: ANN_ERR_ARG (too long). */
ann_status anni_path_join(char *path, const char *dir, const char *name) ANN_MUST_CHECK;

/* Writes or reads exactly `bytes` at `offset`. A file that ends early is ANN_ERR_CORRUPT. */
ann_status anni_file_write_at(int fd, const void *data, size_t bytes, int64_t offset,
                              const char *path) ANN_MUST_CHECK;
ann_status anni_file_read_at(int fd, void *data, size_t bytes, int64_t offset,
                             const char *path) ANN_MUST_CHECK;

/* Syncs fd's contents (unless `status` is a failure already) and closes it in any case. */
ann_status anni_file_finish(int fd, ann_status status, const char *path) ANN_MUST_CHECK;

/* A whole file: written new, or read into memory with a NUL behind it (owner: the caller, free). */
ann_status anni_file_write(const char *path, const void *data, size_t bytes) ANN_MUST_CHECK;
ann_status anni_file_read(char **out, size_t *bytes, const char *path) ANN_MUST_CHECK;

ann_status anni_dir_sync(const char *path) ANN_MUST_CHECK;
/* mkdir -p. *made says whether the last component is new. */
ann_status anni_dir_make(const char *path, bool *made) ANN_MUST_CHECK;
ann_status anni_rename(const char *from, const char *to) ANN_MUST_CHECK;

/* Removes a directory and the files in it; subdirectories are left, and then so is the directory. Leaves the
   error record alone: 0 or an errno; a directory that is not there is no error. */
int anni_dir_remove(const char *path);

#endif
