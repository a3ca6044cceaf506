/* A directory for what a test writes, and the handling of files in it. All paths are whole ones. What fails
   here fails the test that called it. */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

#define SCRATCH_PATH_BYTES 4096

/* Makes an empty directory below TMPDIR (or /tmp). */
void scratch_make(char dir[SCRATCH_PATH_BYTES]);
/* rm -rf, cp -r (to must not exist), and whether there is anything of that name. */
void scratch_remove(const char *path);
void scratch_copy(const char *from, const char *to);
bool scratch_exists(const char *path);

/* Formats a path; returns buf. */
char *scratch_path(char buf[SCRATCH_PATH_BYTES], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A whole file in memory with a NUL behind it; free it. */
char *scratch_read(size_t *bytes, const char *path);
/* All files of these names, braces allowed, one behind the other; the empty text if there is none. Free it.
 */
char *scratch_read_all(const char *pattern);
void scratch_write(const char *path, const void *data, size_t bytes);

/* The names in a directory but . and .., sorted, each followed by a space; free it. */
char *scratch_list(const char *dir);

#endif
