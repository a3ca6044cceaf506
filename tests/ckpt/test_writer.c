/* The writer beside training: what it writes is the snapshot; what stays of older checkpoints; threads that
 * fail. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "support/check.h"
#include "support/ckpt_sample.h"
#include "support/stage.h"

static void expect_names(const char *sub, const char *expected) {
    char *names = scratch_list(sub);
    assert_string_equal(names, expected);
    free(names);
}

static void the_store_changes_at_once(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    const ann_ckpt_options options = {.dir = scratch_path(sub, "%s/changes", dir)};
    for (int64_t step = 1; step <= 5; step++) {
        check_ok(ckpt_sample_write_beside(comm, &options, step, 10 * step));
        assert_int_equal(ckpt_sample_tag(scratch_path(path, "%s/step-%010d", sub, (int)step)), 10 * step);
    }
}

/* One writer, many checkpoints: nothing of one shows in the next. */
static ann_ckpt_writer *writer;
static ann_store *store;

static void open_writer(const ann_ckpt_options *options) {
    store = ckpt_sample_store(1);
    assert_non_null(store);
    check_ok(ann_ckpt_writer_new(comm, &writer, store, options));
}

static void close_writer(void) {
    ann_ckpt_writer_free(writer);
    ann_store_free(store);
    writer = NULL;
    store = NULL;
}

static ann_status write_with(int64_t step, int64_t tag) {
    ann_meta *meta = ckpt_sample_meta(tag);
    assert_non_null(meta);
    ckpt_sample_fill(store, tag);
    ann_status status = ann_ckpt_writer_begin(comm, writer, step, meta);
    ann_meta_free(meta);
    ckpt_sample_fill(store, 0);
    if (status == ANN_OK) status = ann_ckpt_writer_wait(comm, writer);
    return status;
}

static void one_writer_many_checkpoints(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    open_writer(&(ann_ckpt_options){.dir = scratch_path(sub, "%s/many", dir), .keep = {.last = 2}});
    assert_false(ann_ckpt_writer_busy(writer));
    for (int64_t step = 1; step <= 6; step++) {
        check_ok(write_with(step, 3 * step));
        const ann_ckpt_report report = ann_ckpt_writer_report(writer);
        assert_int_equal(report.step, step);
        assert_true(report.stall_s > 0 && report.commit_s > 0 && report.write_s >= report.commit_s);
        assert_int_equal(ckpt_sample_tag(scratch_path(path, "%s/step-%010d", sub, (int)step)), 3 * step);
    }
    expect_names(sub, "latest latest.h5 step-0000000005 step-0000000006 ");
    close_writer();
}

/* ---- what stays ---- */

static ann_status write_scored(int64_t step, double score) {
    ann_meta *meta;
    check_ok(ann_meta_new(&meta));
    check_ok(ann_meta_set_f64(meta, "score", score));
    ann_status status = ann_ckpt_writer_begin(comm, writer, step, meta);
    ann_meta_free(meta);
    return status == ANN_OK ? ann_ckpt_writer_wait(comm, writer) : status;
}

static void expect_best(const char *sub, const char *expected) {
    char path[SCRATCH_PATH_BYTES];
    char *best = scratch_read(NULL, scratch_path(path, "%s/best", sub));
    assert_string_equal(best, expected);
    free(best);
}

static void the_best_stays(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES];
    open_writer(
        &(ann_ckpt_options){.dir = scratch_path(sub, "%s/best", dir), .keep = {.last = 1, .best = "score"}});
    check_ok(write_scored(1, NAN)); /* not a score */
    expect_names(sub, "latest latest.h5 step-0000000001 ");
    check_ok(write_scored(2, 5));
    expect_best(sub, "step-0000000002\n");
    check_ok(write_scored(3, 6));
    check_ok(write_scored(4, NAN));
    expect_best(sub, "step-0000000002\n");
    expect_names(sub, "best latest latest.h5 step-0000000002 step-0000000004 ");
    check_ok(write_scored(5, 5)); /* of equal ones the newer */
    expect_best(sub, "step-0000000005\n");
    expect_names(sub, "best latest latest.h5 step-0000000005 ");
    check_ok(write_scored(6, 4));
    check_ok(write_scored(7, 4.5));
    expect_names(sub, "best latest latest.h5 step-0000000006 step-0000000007 ");
    close_writer();
    /* The best one is damaged: it is no rival any more, but nobody is asked to remove the evidence before. */
    char path[SCRATCH_PATH_BYTES];
    scratch_write(scratch_path(path, "%s/step-0000000006/manifest.yaml", sub), "x", 1);
    open_writer(&(ann_ckpt_options){
        .dir = sub, .keep = {.last = 1, .every = 10, .best = "score", .higher_is_better = true}});
    check_ok(write_scored(8, 1)); /* serial 8 */
    expect_best(sub, "step-0000000008\n");
    check_ok(write_scored(9, 2));
    check_ok(write_scored(10, 0));
    expect_best(sub, "step-0000000009\n");
    check_ok(write_scored(11, 0));
    expect_names(sub, "best latest latest.h5 step-0000000009 step-0000000010 step-0000000011 ");
    close_writer();
}

static void each_nth_stays(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES];
    open_writer(
        &(ann_ckpt_options){.dir = scratch_path(sub, "%s/nth", dir), .keep = {.last = 2, .every = 3}});
    for (int64_t step = 10; step <= 80; step += 10) check_ok(write_scored(step, 0));
    expect_names(sub, "latest latest.h5 step-0000000030 step-0000000060 step-0000000070 step-0000000080 ");
    close_writer();
}

/* ---- failures ---- */

static void a_number_that_is_not_finite(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES];
    open_writer(&(ann_ckpt_options){.dir = scratch_path(sub, "%s/finite", dir), .finite = true});
    check_ok(write_with(1, 1));
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        bool busy = true;
        ann_status status = ANN_OK;
        ckpt_sample_fill(store, 1);
        ((float *)ann_store_data(store, ann_store_find(store, "encoder/conv/weight")))[17] = bad[i];
        check_ok(ann_ckpt_writer_begin(comm, writer, 2, NULL));
        while (busy && status == ANN_OK) status = ann_ckpt_writer_poll(comm, writer, &busy);
        assert_int_equal(status, ANN_ERR_NUMERIC);
        assert_non_null(strstr(ann_error_text(), "encoder/conv/weight holds a number that is not finite"));
        expect_names(sub, "latest latest.h5 step-0000000001 ");
    }
    check_ok(write_with(2, 2));
    close_writer();
}

static bool refuse;
static ann_status before_commit(void *to) {
    ++*(int *)to;
    return refuse ? ann_error(ANN_ERR_IO, "refused") : ANN_OK;
}

static void a_commit_is_refused(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES];
    int calls = 0;
    open_writer(&(ann_ckpt_options){
        .dir = scratch_path(sub, "%s/refused", dir), .before_commit = before_commit, .to = &calls});
    check_ok(write_with(1, 1));
    refuse = true;
    assert_int_equal(write_with(2, 2), ANN_ERR_IO);
    assert_string_equal(ann_error_text(), "refused");
    expect_names(sub, "latest latest.h5 step-0000000001 ");
    refuse = false;
    check_ok(write_with(2, 2));
    assert_int_equal(calls, 3);
    close_writer();
}

/* What the disk gives back is not what it was given. */
static ann_status damage(void *to) {
    char path[SCRATCH_PATH_BYTES];
    FILE *file = refuse ? fopen(scratch_path(path, "%s/shard-0000.h5", (const char *)to), "r+b") : NULL;
    if (!file) return ANN_OK;
    (void)fseek(file, 60000, SEEK_SET);
    (void)fputc(fgetc(file) ^ 1, file);
    (void)fclose(file);
    return ANN_OK;
}

/* The checkpoint has been committed when that shows: it is taken back, and what it replaced is there again.
 */
static void verification_fails(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES], part[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/verify", dir);
    scratch_path(part, "%s/step-0000000002.part", sub);
    open_writer(&(ann_ckpt_options){.dir = sub, .keep = {.last = 2}, .before_commit = damage, .to = part});
    check_ok(write_with(1, 1));
    for (int64_t replaced = 0; replaced < 2; replaced++) {
        refuse = true;
        assert_int_equal(write_with(2, 9), ANN_ERR_CORRUPT);
        assert_non_null(strstr(ann_error_text(), "shard-0000.h5: wrong checksum of "));
        expect_names(sub, replaced ? "latest latest.h5 step-0000000001 step-0000000002 "
                                   : "latest latest.h5 step-0000000001 ");
        char *latest = scratch_read(NULL, scratch_path(path, "%s/latest", sub));
        assert_string_equal(latest, replaced ? "step-0000000002\n" : "step-0000000001\n");
        free(latest);
        check_ok(ann_ckpt_latest(comm, sub, path, sizeof path));
        assert_int_equal(ckpt_sample_tag(path), replaced ? 2 : 1);
        refuse = false;
        check_ok(write_with(2, 2));
    }
    close_writer();
}

/* In a child, because the limit stays: no memory for a thread's stack. */
static int without_threads(const char *sub) {
    struct rlimit low;
    store = ckpt_sample_store(1);
    const ann_ckpt_options options = {.dir = sub};
    if (!store || ann_ckpt_writer_new(comm, &writer, store, &options) != ANN_OK) return 1;
    getrlimit(RLIMIT_AS, &low);
    const rlim_t before = low.rlim_cur;
    low.rlim_cur = 1 << 20;
    setrlimit(RLIMIT_AS, &low);
    ann_status status = ann_ckpt_writer_begin(comm, writer, 1, NULL);
    if (status == ANN_OK) status = ann_ckpt_writer_wait(comm, writer);
    const bool told = strstr(ann_error_text(), "no thread can be started") != NULL;
    low.rlim_cur = before;
    setrlimit(RLIMIT_AS, &low);
    if (status != ANN_ERR_MEMORY || !told) return 2;
    if (write_with(2, 2) != ANN_OK) return 3;
    close_writer();
    return 0;
}

static void no_thread_can_be_had(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    int status;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("skipped: a sanitizer needs more address space than the limit leaves\n");
    skip();
#endif
    scratch_path(sub, "%s/threads", dir);
    const pid_t child = fork();
    if (child == 0) _exit(without_threads(sub));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
    assert_int_equal(ckpt_sample_tag(scratch_path(path, "%s/step-0000000002", sub)), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_thread_can_be_had), /* before any thread has left its stack for another one */
        cmocka_unit_test(the_store_changes_at_once),
        cmocka_unit_test(one_writer_many_checkpoints),
        cmocka_unit_test(the_best_stays),
        cmocka_unit_test(each_nth_stays),
        cmocka_unit_test(a_number_that_is_not_finite),
        cmocka_unit_test(a_commit_is_refused),
        cmocka_unit_test(verification_fails),
    };
    return cmocka_run_group_tests(tests, stage_of_one, stage_end);
}
