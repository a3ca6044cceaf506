/* Trials: what the child returned, crashed on or never finished is told, and nothing of it touches this
 * process. */
#include "support/check.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/trial.h"
#include "support/scratch.h"

static int touched;

static ann_status good(void *context) {
    touched = 1;
    (void)context;
    return ANN_OK;
}
static ann_status bad(void *context) {
    return ann_error(ANN_ERR_NUMERIC, "%s: a NaN", (const char *)context);
}
static ann_status crash(void *context) {
    (void)context;
    (void)raise(SIGSEGV);
    return ANN_OK;
}
static ann_status give_up(void *context) {
    (void)context;
    printf("a last word");
    exit(3);
}
static ann_status spin(void *context) {
    for (volatile int forever = 1; forever;) (void)context;
    return ANN_OK;
}
static ann_status hoard(void *context) {
    (void)context;
    for (char *piece; (piece = malloc(1 << 16));) memset(piece, 1, 1 << 16);
    return ANN_OK;
}
static ann_status write_file(void *context) {
    FILE *file = fopen(context, "wb");
    const bool written = file && fwrite("x", 1, 1, file) == 1 && fclose(file) == 0;
    return written ? ANN_OK : ann_error(ANN_ERR_IO, "cannot write");
}
static ann_status nested(void *context) {
    const anni_trial inner = {.work = bad, .context = context, .what = "inner", .cpu_s = 1};
    return anni_trial_run(&inner);
}

static ann_status try(ann_status (*work)(void *), void *context) {
    const anni_trial trial = {
        .work = work, .context = context, .what = "f.h5: the library", .cpu_s = 1, .memory_bytes = 1 << 26};
    return anni_trial_run(&trial);
}

static void check_failure(ann_status got, ann_status want, const char *text) {
    assert_int_equal(got, want);
    if (strstr(ann_error_text(), text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", ann_error_text(), text);
}

static void test_verdicts(void **state) {
    (void)state;
    check_ok(try(good, NULL));
    assert_int_equal(touched, 0); /* it was the child's */
    check_failure(try(bad, "f.h5"), ANN_ERR_NUMERIC, "f.h5: a NaN");
    check_failure(try(nested, "g.h5"), ANN_ERR_NUMERIC, "g.h5: a NaN");
    check_failure(try(crash, NULL), ANN_ERR_FORMAT, "f.h5: the library crashes on it (");
    check_failure(try(give_up, NULL), ANN_ERR_FORMAT,
                  "f.h5: the library crashes on it (it ended the process)");
    check_failure(try(spin, NULL), ANN_ERR_FORMAT, "f.h5: the library does not end on it");
    check_failure(try(hoard, NULL), ANN_ERR_FORMAT,
                  "f.h5: the library ");              /* a sanitizer ends it before we do */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void test_cannot_write(void **state) {
    (void)state;
    char dir[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    scratch_make(dir);
    scratch_path(path, "%s/file", dir);
    assert_int_equal(try(write_file, path), ANN_ERR_FORMAT); /* killed by SIGXFSZ */
    size_t bytes = 1;
    if (scratch_exists(path)) free(scratch_read(&bytes, path));
    else bytes = 0;
    assert_int_equal(bytes, 0);
    scratch_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts), cmocka_unit_test(test_cannot_write)};
    return cmocka_run_group_tests_name("base/trial", tests, NULL, NULL);
}
