/* Which lines of metrics.jsonl stay when a phase goes on, begins anew, or follows another: its own up to the
   point from which it goes on, and all of others. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "support/check.h"
#include "support/scratch.h"
#include "train/internal.h"

static char folder[SCRATCH_PATH_BYTES];

#define A1 "{\"phase\":\"a\",\"stage\":\"x\",\"step\":1}\n"
#define A2 "{\"event\":\"skipped\",\"phase\":\"a\",\"step\":2}\n"
#define A3 "{\"phase\":\"a\",\"step\":3}\n"
#define B1 "{\"phase\":\"ab\",\"stage\":\"a\",\"step\":1}\n"
#define B2 "{\"phase\":\"ab\",\"step\":2}\n"
#define TORN "{\"phase\":\"ab\",\"st"

static const struct {
    const char *before;
    int64_t lines, offset; /* as the phase's checkpoint says */
    const char *phase, *after;
    int64_t lines_after;
    bool same_file; /* only its end was cut off */
} cases[] = {
    {"", 0, 0, "a", "", 0, true},
    {A1 A2 A3, 3, 0, "a", A1 A2 A3, 3, true},
    {A1 A2 A3, 1, 0, "a", A1, 1, true},
    {A1 A2 A3, 0, 0, "a", "", 0, true},
    {A1 A2 B1, 2, 0, "a", A1 A2 B1, 2, true},
    {A1 A2 A3 B1, 2, 0, "a", A1 A2 B1, 2, false},
    {A1 A2 B1 A3 B2, 0, 0, "a", B1 B2, 0, false},
    {A1 A2 B1 A3 B2, 1, 0, "ab", A1 A2 B1 A3, 1, true},
    {A1 B1 A2, 7, 0, "ab", A1 B1 A2, 1, true},
    {A1 B1 TORN, 1, 0, "ab", A1 B1, 1, true},
    {A1 TORN, 1, 0, "a", A1, 1, true},
    /* checkpoints of before say how many bytes there were */
    {A1 A2 A3, -1, sizeof(A1 A2) - 1, "a", A1 A2, 2, true},
    {A1 B1 A2 B2, -1, sizeof(A1 B1) - 1, "a", A1 B1 B2, 1, false},
};

static void lines_that_stay(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    const ann_run_config config = {.output = folder};
    scratch_path(path, "%s/metrics.jsonl", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stat was, is;
        size_t bytes;
        scratch_write(path, cases[i].before, strlen(cases[i].before));
        anni_run run = {.config = &config,
                        .metrics_fd = open(path, O_RDWR),
                        .metrics_lines = cases[i].lines,
                        .metrics_offset = cases[i].offset};
        assert_true(run.metrics_fd >= 0 && fstat(run.metrics_fd, &was) == 0);
        check_ok(anni_metrics_cut(&run, cases[i].phase));
        char *text = scratch_read(&bytes, path);
        if (strcmp(text, cases[i].after) != 0) fail_msg("case %zu: %s", i, text);
        assert_true(run.metrics_lines == cases[i].lines_after);
        assert_true(run.metrics_offset == (int64_t)strlen(cases[i].after));
        /* what is open is what is there */
        assert_true(fstat(run.metrics_fd, &is) == 0 && is.st_size == run.metrics_offset);
        assert_int_equal(is.st_ino == was.st_ino, cases[i].same_file);
        free(text);
        close(run.metrics_fd);
        assert_true(unlink(path) == 0);
    }
}

static int setup(void **state) {
    (void)state;
    scratch_make(folder);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    scratch_remove(folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_that_stay)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
