/* A good run file, and bad ones: it with one text replaced, so that line and column of the error are known.
 */
#ifndef TESTS_TRAIN_GOOD_FILE_H
#define TESTS_TRAIN_GOOD_FILE_H

#include <stddef.h>

extern const char *const good_file;

/* The good file with `to` in place of `from`, which must be there. Owner: the caller, free(). */
char *good_file_with(const char *from, const char *to);

typedef struct bad_file {
    const char *from, *to, *error;
} bad_file;

/* Fails unless each is refused with exactly this error, as run.yaml. */
void check_bad_files(const bad_file *files, size_t count);

#endif
