/* What is written is read back exactly; what does not fit is refused before anything is changed. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/philox.h"
#include "support/check.h"
#include "support/ckpt_sample.h"
#include "support/stage.h"

static void writes_and_reads(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES], sub[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/a/b", dir);
    check_ok(ann_ckpt_latest(comm, sub, path, sizeof path));
    assert_string_equal(path, "");
    check_ok(ckpt_sample_write(comm, sub, 7, 7, 0));
    check_ok(ann_ckpt_latest(comm, sub, path, sizeof path));
    assert_string_equal(path + strlen(sub), "/step-0000000007");
    assert_int_equal(ckpt_sample_tag(path), 7);
    char *names = scratch_list(path);
    assert_string_equal(names, "manifest.yaml shard-0000.h5 whole.h5 ");
    free(names);
    names = scratch_list(sub);
    assert_string_equal(names, "latest latest.h5 step-0000000007 ");
    free(names);
    char *latest = scratch_read(NULL, scratch_path(path, "%s/latest", sub));
    assert_string_equal(latest, "step-0000000007\n");
    free(latest);
}

static void an_empty_store_and_no_metadata(void **state) {
    (void)state;
    ann_store *store;
    ann_ckpt *ckpt;
    char path[SCRATCH_PATH_BYTES];
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_store_commit(store));
    check_ok(ann_ckpt_write(comm, dir, 0, store, NULL, 0));
    check_ok(ann_ckpt_open(&ckpt, scratch_path(path, "%s/step-0000000000", dir)));
    assert_int_equal(ann_ckpt_tensor_count(ckpt), 0);
    assert_null(ann_ckpt_tensor(ckpt, 0));
    check_ok(ann_ckpt_restore(ckpt, store));
    ann_ckpt_close(ckpt);
    ann_store_free(store);
}

static void replaces_a_checkpoint_of_the_same_step(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES], sub[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/same", dir);
    scratch_path(path, "%s/step-0000000005", sub);
    check_ok(ckpt_sample_write(comm, sub, 5, 1, 1));
    assert_int_equal(ckpt_sample_tag(path), 1);
    check_ok(ckpt_sample_write(comm, sub, 5, 5, 1));
    assert_int_equal(ckpt_sample_tag(path), 5);
    char *names = scratch_list(sub);
    assert_string_equal(names, "latest latest.h5 step-0000000005 ");
    free(names);
}

/* Writes steps in turn and compares what is left. */
static void expect_left(const int64_t *steps, int n, int keep, const char *expected) {
    char sub[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/keep", dir);
    for (int i = 0; i < n; i++) check_ok(ckpt_sample_write(comm, sub, steps[i], steps[i], keep));
    char *names = scratch_list(sub);
    assert_string_equal(names, expected);
    free(names);
    scratch_remove(sub);
}

static void keeps_the_newest(void **state) {
    (void)state;
    expect_left((int64_t[]){1, 2, 3, 4}, 4, 2, "latest latest.h5 step-0000000003 step-0000000004 ");
    expect_left((int64_t[]){1, 2, 3}, 3, 1, "latest latest.h5 step-0000000003 ");
    expect_left((int64_t[]){1, 2, 3}, 3, 0,
                "latest latest.h5 step-0000000001 step-0000000002 step-0000000003 ");
    /* A run that went back to an earlier step: newest is what was made last. */
    expect_left((int64_t[]){10, 20, 30, 15}, 4, 2, "latest latest.h5 step-0000000015 step-0000000030 ");
}

static void the_newest_is_what_was_made_last(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/back", dir);
    check_ok(ckpt_sample_write(comm, sub, 100, 100, 0));
    check_ok(ckpt_sample_write(comm, sub, 50, 50, 0));
    check_ok(ann_ckpt_latest(comm, sub, path, sizeof path));
    assert_int_equal(ckpt_sample_tag(path), 50);
}

static void leaves_foreign_names_alone_and_clears_left_overs(void **state) {
    (void)state;
    static const char *const foreign[] = {"step-1", "step-00000000001", "step-0000000001.bak",
                                          "notes",  "step-x",           "step-0000000001.part2"};
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES], to[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/foreign", dir);
    check_ok(ckpt_sample_write(comm, sub, 1, 1, 1));
    scratch_path(path, "%s/step-0000000001", sub);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        scratch_copy(path, scratch_path(to, "%s/%s", sub, foreign[i]));
    scratch_copy(path, scratch_path(to, "%s/step-0000000009.part", sub));
    scratch_copy(path, scratch_path(to, "%s/step-0000000001.old", sub));
    check_ok(ckpt_sample_write(comm, sub, 2, 2, 1));
    char *names = scratch_list(sub);
    assert_string_equal(names,
                        "latest latest.h5 notes step-00000000001 step-0000000001.bak step-0000000001.part2 "
                        "step-0000000002 step-1 step-x ");
    free(names);
}

/* Killed between the two renames that replace a checkpoint: the old one counts, and is put back in its place.
 */
static void an_old_one_without_successor_counts(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES], from[SCRATCH_PATH_BYTES], to[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/old", dir);
    check_ok(ckpt_sample_write(comm, sub, 3, 3, 0));
    scratch_path(from, "%s/step-0000000003", sub);
    scratch_path(to, "%s/step-0000000003.old", sub);
    assert_int_equal(rename(from, to), 0);
    check_ok(ann_ckpt_latest(comm, sub, path, sizeof path));
    assert_string_equal(path, to);
    assert_int_equal(ckpt_sample_tag(path), 3);
    check_ok(ckpt_sample_write(comm, sub, 4, 4, 0));
    char *names = scratch_list(sub);
    assert_string_equal(names, "latest latest.h5 step-0000000003 step-0000000004 ");
    free(names);
}

static void expect_refused(const ann_ckpt *ckpt, const char *name, ann_dtype dtype, ann_shape shape,
                           ann_status expected, const char *word) {
    ann_store *store;
    ann_tensor tensor, same;
    const ann_shape five = ANN_SHAPE(53);
    const ann_init one = {.kind = ANN_INIT_CONST, .scale = 1};
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_store_declare(&same, store, "encoder/fc1/bias", ANN_F32, &five, ANN_ROLE_PARAM, one));
    check_ok(ann_store_declare(&tensor, store, name, dtype, &shape, ANN_ROLE_PARAM, one));
    assert_int_equal(ann_ckpt_restore(ckpt, store), ANN_ERR_ARG); /* not committed */
    check_ok(ann_store_commit(store));
    assert_int_equal(ann_ckpt_restore(ckpt, store), expected);
    assert_non_null(strstr(ann_error_text(), word));
    for (int64_t i = 0; i < 53; i++) assert_true(ann_elem_get(ann_store_data(store, same), ANN_F32, i) == 1);
    ann_store_free(store);
}

static void refuses_a_store_that_does_not_fit(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    ann_ckpt *ckpt;
    float value;
    check_ok(ckpt_sample_write(comm, dir, 6, 6, 0));
    check_ok(ann_ckpt_open(&ckpt, scratch_path(path, "%s/step-0000000006", dir)));
    expect_refused(ckpt, "new", ANN_F32, ANN_SHAPE(3), ANN_ERR_NOT_FOUND, "new");
    expect_refused(ckpt, "bn/mean", ANN_F32, ANN_SHAPE(129), ANN_ERR_DTYPE,
                   "bn/mean is f64 there and f32 here");
    expect_refused(ckpt, "bn/mean", ANN_F64, ANN_SHAPE(43, 3), ANN_ERR_SHAPE, "[129] there and [43,3] here");
    assert_int_equal(ann_ckpt_read(ckpt, "none", &value), ANN_ERR_NOT_FOUND);
    assert_int_equal(ann_ckpt_step(ckpt), 6);
    ann_ckpt_close(ckpt);
    ann_ckpt_close(NULL);
}

static void refuses_bad_arguments(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    ann_ckpt *ckpt;
    ann_store *store = ckpt_sample_store(1), *raw;
    ann_tensor tensor;
    check_ok(ann_store_new(&raw, 1));
    check_ok(ann_store_declare(&tensor, raw, "x", ANN_F32, &(ann_shape){.rank = 1, .dim = {2}},
                               ANN_ROLE_PARAM, (ann_init){.kind = ANN_INIT_ZERO}));
    assert_int_equal(ann_ckpt_write(comm, "", 1, store, NULL, 0), ANN_ERR_ARG);
    assert_int_equal(ann_ckpt_write(comm, dir, -1, store, NULL, 0), ANN_ERR_ARG);
    assert_int_equal(ann_ckpt_write(comm, dir, 1, store, NULL, -1), ANN_ERR_ARG);
    assert_int_equal(ann_ckpt_write(comm, dir, 1, raw, NULL, 0), ANN_ERR_ARG);
    assert_int_equal(ann_ckpt_latest(comm, dir, path, 100), ANN_ERR_ARG);
    assert_int_equal(ann_ckpt_open(&ckpt, scratch_path(path, "%s/none", dir)), ANN_ERR_NOT_FOUND);
    assert_null(ckpt);
    scratch_write(scratch_path(path, "%s/file", dir), "x", 1);
    assert_int_equal(ann_ckpt_write(comm, path, 1, store, NULL, 0), ANN_ERR_IO);
    ann_store_free(store);
    ann_store_free(raw);
}

/* Blocks of all sizes in no order, one tensor each: HDF5 must place each where we say that it is. */
static void many_blocks(void **state) {
    (void)state;
    enum { BLOCKS = 400 };
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    ann_store *store, *into;
    ann_ckpt *ckpt;
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_store_new(&into, 2)); /* another seed, other values */
    for (int i = 0; i < BLOCKS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "layer%d/part", i);
        const uint32_t draw = ann_random_u32(1, 0, 0, (uint64_t)i);
        const ann_shape shape = ANN_SHAPE(1 + draw % (draw >> 8 & 1 ? 70000 : draw >> 9 & 1 ? 3000 : 40));
        const ann_init init = {.kind = ANN_INIT_UNIFORM, .scale = 100};
        const ann_dtype dtype = draw >> 10 & 1 ? ANN_F32 : ANN_F64;
        ann_tensor tensor;
        check_ok(ann_store_declare(&tensor, store, name, dtype, &shape, ANN_ROLE_PARAM, init));
        check_ok(ann_store_declare(&tensor, into, name, dtype, &shape, ANN_ROLE_PARAM, init));
    }
    check_ok(ann_store_commit(store));
    check_ok(ann_store_commit(into));
    scratch_path(sub, "%s/many", dir);
    check_ok(ann_ckpt_write(comm, sub, 1, store, NULL, 0));
    check_ok(ann_ckpt_open(&ckpt, scratch_path(path, "%s/step-0000000001", sub)));
    check_ok(ann_ckpt_restore(ckpt, into));
    for (int b = 0; b < ann_store_block_count(store); b++)
        assert_memory_equal(ann_store_block_data(store, (ann_block){b}),
                            ann_store_block_data(into, (ann_block){b}),
                            (size_t)ann_store_block_elems(store, (ann_block){b}) *
                                ann_dtype_bytes(ann_store_block_dtype(store, (ann_block){b})));
    ann_ckpt_close(ckpt);
    ann_store_free(store);
    ann_store_free(into);
}

static atomic_bool stop;

static void *scribble(void *data) {
    for (atomic_uint *word = data; !atomic_load(&stop);) atomic_fetch_add(word, 1);
    return NULL;
}

/* A store that changes while it is written: an error, or a checkpoint that is right in itself; nothing
 * between. */
static void a_store_that_changes_meanwhile(void **state) {
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* the race is the test */
#endif
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    ann_store *store;
    ann_tensor tensor;
    pthread_t thread;
    const ann_shape shape = ANN_SHAPE(1 << 18);
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_store_declare(&tensor, store, "x", ANN_I32, &shape, ANN_ROLE_STATE,
                               (ann_init){.kind = ANN_INIT_ZERO}));
    check_ok(ann_store_commit(store));
    scratch_path(sub, "%s/changing", dir);
    check_ok(ann_ckpt_write(comm, sub, 1, store, NULL, 0));
    assert_int_equal(pthread_create(&thread, NULL, scribble, ann_store_data(store, tensor)), 0);
    for (int64_t step = 2; step < 12; step++) {
        ann_ckpt *ckpt;
        const ann_status status = ann_ckpt_write(comm, sub, step, store, NULL, 1);
        assert_true(status == ANN_OK || status == ANN_ERR_CORRUPT);
        check_ok(ann_ckpt_latest(comm, sub, path, sizeof path));
        check_ok(ann_ckpt_open(&ckpt, path));
        assert_true(status != ANN_OK || ann_ckpt_step(ckpt) == step);
        ann_ckpt_close(ckpt);
    }
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    ann_store_free(store);
}

static void metadata(void **state) {
    (void)state;
    ann_meta *meta;
    int64_t i64;
    double f64;
    const char *str;
    check_ok(ann_meta_new(&meta));
    assert_int_equal(ann_meta_get_i64(meta, "a", &i64), ANN_ERR_NOT_FOUND);
    check_ok(ann_meta_set_i64(meta, "a", 1));
    assert_int_equal(ann_meta_get_f64(meta, "a", &f64), ANN_ERR_FORMAT);
    check_ok(ann_meta_set_str(meta, "a", "text"));
    check_ok(ann_meta_set_str(meta, "a", "other"));
    check_ok(ann_meta_get_str(meta, "a", &str));
    assert_string_equal(str, "other");
    check_ok(ann_meta_set_str(meta, "a", str)); /* its own value */
    check_ok(ann_meta_get_str(meta, "a", &str));
    assert_string_equal(str, "other");
    check_ok(ann_meta_set_f64(meta, "a", 0.5));
    check_ok(ann_meta_get_f64(meta, "a", &f64));
    assert_true(f64 == 0.5);
    static const char *const wrong[] = {"\xFF",     "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                        "\xE2\x82", "a\x80"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(ann_meta_set_str(meta, "a", wrong[i]), ANN_ERR_ARG);
        assert_int_equal(ann_meta_set_i64(meta, wrong[i], 1), ANN_ERR_ARG);
    }
    assert_int_equal(ann_meta_set_i64(meta, "", 1), ANN_ERR_ARG);
    ann_meta_free(meta);
    ann_meta_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads),
        cmocka_unit_test(an_empty_store_and_no_metadata),
        cmocka_unit_test(replaces_a_checkpoint_of_the_same_step),
        cmocka_unit_test(keeps_the_newest),
        cmocka_unit_test(the_newest_is_what_was_made_last),
        cmocka_unit_test(leaves_foreign_names_alone_and_clears_left_overs),
        cmocka_unit_test(an_old_one_without_successor_counts),
        cmocka_unit_test(refuses_a_store_that_does_not_fit),
        cmocka_unit_test(refuses_bad_arguments),
        cmocka_unit_test(many_blocks),
        cmocka_unit_test(a_store_that_changes_meanwhile),
        cmocka_unit_test(metadata),
    };
    return cmocka_run_group_tests(tests, stage_of_one, stage_end);
}
