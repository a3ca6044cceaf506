/* Which lines of a phase's metrics.jsonl stay when it goes on: those that its checkpoint knows of. */
#include <stdlib.h>
#include <string.h>
#include "support/check.h"
#include "support/scratch.h"
#include "train/internal.h"

static char folder[SCRATCH_PATH_BYTES];

#define A "{\"phase\":\"a\",\"stage\":\"x\",\"step\":1}\n"
#define B "{\"event\":\"skipped\",\"phase\":\"a\",\"step\":2}\n"
#define C "{\"phase\":\"a\",\"step\":3}\n"
#define TORN "{\"phase\":\"a\",\"st"

static const struct {
    const char *before;
    int64_t lines; /* as the phase's checkpoint says */
    const char *after;
    int64_t lines_after;
} cases[] = {
    {"", 0, "", 0},   {A B C, 3, A B C, 3},  {A B C, 1, A, 1},      {A B C, 0, "", 0},
    {A B, 7, A B, 2}, {A B TORN, 2, A B, 2}, {A B TORN, 3, A B, 2}, {TORN, 1, "", 0},
};

static void lines_that_stay(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    const ann_train_options options = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anni_run run = {.options = &options, .metrics_fd = -1, .metrics_lines = cases[i].lines};
        anni_phase phase = {.run = &run};
        (void)scratch_path(phase.dir, "%s/phase", folder);
        check_ok(anni_make_directories(phase.dir));
        scratch_write(scratch_path(path, "%s/metrics.jsonl", phase.dir), cases[i].before,
                      strlen(cases[i].before));
        check_ok(anni_metrics_begin(&phase));
        char *text = scratch_read(NULL, path);
        if (strcmp(text, cases[i].after) != 0) fail_msg("case %zu: %s", i, text);
        assert_true(run.metrics_lines == cases[i].lines_after);
        free(text);
        check_ok(anni_metrics_write(&run, C));
        anni_metrics_end(&run);
        text = scratch_read(NULL, path);
        const size_t kept = strlen(cases[i].after);
        assert_true(strncmp(text, cases[i].after, kept) == 0 && strcmp(text + kept, C) == 0);
        assert_true(run.metrics_lines == cases[i].lines_after + 1);
        free(text);
        scratch_remove(phase.dir);
    }
}

/* Lines of more than one read. */
static void many_lines(void **state) {
    (void)state;
    enum { LINES = 5000, KEPT = 4321 };
    const ann_train_options options = {0};
    anni_run run = {.options = &options, .metrics_fd = -1};
    anni_phase phase = {.run = &run};
    (void)scratch_path(phase.dir, "%s/many", folder);
    check_ok(anni_metrics_begin(&phase));
    for (int i = 0; i < LINES; i++) check_ok(anni_metrics_write(&run, i % 2 ? A : B));
    run.metrics_lines = KEPT;
    check_ok(anni_metrics_begin(&phase));
    char path[SCRATCH_PATH_BYTES];
    size_t bytes;
    free(scratch_read(&bytes, scratch_path(path, "%s/metrics.jsonl", phase.dir)));
    assert_int_equal(bytes, (KEPT + 1) / 2 * strlen(B) + KEPT / 2 * strlen(A));
    anni_metrics_end(&run);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_that_stay), cmocka_unit_test(many_lines)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
