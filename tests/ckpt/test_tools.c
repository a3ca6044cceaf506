/* The tools on checkpoints: finding, comparing, cutting into other shards, pruning, and files for others and
   back, with every dtype, scalars, odd shapes and odd names. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "ckpt/foreign.h"
#include "ckpt/tools.h"
#include "support/check.h"
#include "support/ckpt_sample.h"
#include "support/scratch.h"

static ann_comm *comm;
static char dir[SCRATCH_PATH_BYTES];

static int setup(void **state) {
    (void)state;
    scratch_make(dir);
    return ann_comm_self(&comm) == ANN_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    ann_log_setup(ANN_LOG_INFO, 0);
    ann_comm_free(comm);
    scratch_remove(dir);
    return 0;
}

static void flip(const char *path, off_t at) {
    unsigned char byte = 0;
    const int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 16;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* A folder of its own with checkpoints 1..count, of tags 1..count. */
static const char *make_folder(const char *name, int count) {
    static char folder[SCRATCH_PATH_BYTES];
    scratch_path(folder, "%s/%s", dir, name);
    for (int i = 1; i <= count; i++) check_ok(ckpt_sample_write(comm, folder, i, i, 0));
    return folder;
}

static void count_line(void *to, const char *line) {
    (void)line;
    ++*(int *)to;
}

/* ---- finding ---- */

static void checkpoints_are_found(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES], found[ANN_CKPT_PATH_BYTES], **folders;
    int count;
    const char *folder = make_folder("run/phase", 3);
    check_ok(ann_ckpt_resolve(found, folder));
    assert_string_equal(strrchr(found, '/'), "/step-0000000003");
    check_ok(ann_ckpt_resolve(found, scratch_path(path, "%s/step-0000000002//", folder)));
    assert_string_equal(strrchr(found, '/'), "/step-0000000002");
    check_ok(ann_ckpt_resolve(found, scratch_path(path, "%s/run", dir)));
    assert_string_equal(strrchr(found, '/'), "/step-0000000003");
    check_ok(ann_ckpt_folders(&folders, &count, path));
    assert_int_equal(count, 1);
    assert_string_equal(folders[0], folder);
    free(folders[0]);
    free(folders);
    assert_int_equal(ann_ckpt_resolve(found, scratch_path(path, "%s/nothing", dir)), ANN_ERR_NOT_FOUND);
    assert_int_equal(ann_ckpt_folders(&folders, &count, path), ANN_ERR_NOT_FOUND);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_int_equal(ann_ckpt_resolve(found, path), ANN_ERR_NOT_FOUND);
}

static void the_survey_says_what_is_wrong(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    ann_ckpt_summary *list;
    int count;
    const char *folder = make_folder("survey", 3);
    assert_int_equal(mkdir(scratch_path(path, "%s/step-0000000009.part", folder), 0777), 0);
    assert_int_equal(truncate(scratch_path(path, "%s/step-0000000002/shard-0000.h5", folder), 5000), 0);
    check_ok(ann_ckpt_survey(&list, &count, folder));
    assert_int_equal(count, 4);
    assert_int_equal(list[0].state, ANN_CKPT_INTERRUPTED); /* its age is not known */
    assert_int_equal(list[1].state, ANN_CKPT_GOOD);
    assert_true(list[1].latest && !list[2].latest && list[1].bytes > 100000);
    assert_int_equal(list[2].state, ANN_CKPT_DAMAGED);
    assert_non_null(strstr(list[2].problem, "shard-0000.h5: the shard has 5000 bytes, not"));
    assert_int_equal(list[3].state, ANN_CKPT_GOOD);
    assert_int_equal(ann_ckpt_step(list[3].ckpt), 1);
    ann_ckpt_survey_free(list, count);
    assert_int_equal(ann_ckpt_survey(&list, &count, "/nonexistent"), ANN_ERR_NOT_FOUND);
}

static void every_fault_is_reported(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES], found[SCRATCH_PATH_BYTES];
    ann_ckpt_findings findings;
    int lines = 0;
    const char *folder = make_folder("faults", 2);
    scratch_path(found, "%s/step-0000000002", folder);
    check_ok(ann_ckpt_inspect(&findings, found, count_line, &lines));
    assert_true(lines == 0 && findings.bad == 0 && findings.shards == 1 && findings.pieces == 14);
    scratch_path(path, "%s/shard-0000.h5", found);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    flip(path, 40);
    flip(path, st.st_size / 2);
    flip(path, st.st_size - 70000);
    assert_int_equal(unlink(scratch_path(path, "%s/whole.h5", found)), 0);
    assert_int_equal(ann_ckpt_inspect(&findings, found, count_line, &lines), ANN_ERR_CORRUPT);
    assert_true(lines >= 3 && findings.bad == lines);
    assert_string_equal(findings.older, "step-0000000001");
}

/* ---- comparing ---- */

typedef struct tally {
    int of[ANN_CKPT_META_OTHER + 1];
    ann_ckpt_difference last;
} tally;

static void take_difference(void *to, const ann_ckpt_difference *d) {
    tally *t = to;
    t->of[d->kind]++;
    if (d->kind == ANN_CKPT_OTHER_VALUES) t->last = *d;
}

static bool compare(tally *t, const char *a, const char *b, const char *pattern, double tolerance) {
    ann_ckpt *ckpts[2];
    bool equal;
    *t = (tally){{0}, {0}};
    check_ok(ann_ckpt_peek(&ckpts[0], a));
    check_ok(ann_ckpt_peek(&ckpts[1], b));
    check_ok(ann_ckpt_compare(&equal, ckpts[0], ckpts[1], pattern, tolerance, take_difference, t));
    ann_ckpt_close(ckpts[0]);
    ann_ckpt_close(ckpts[1]);
    return equal;
}

/* Writes a store of one tensor "x" and returns the checkpoint's path. */
static const char *write_floats(char *path, const char *name, const float *values, int64_t count) {
    ann_store *store;
    ann_tensor x;
    char folder[SCRATCH_PATH_BYTES];
    const ann_shape shape = ANN_SHAPE(count);
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_store_declare(&x, store, "x", ANN_F32, &shape, ANN_ROLE_PARAM,
                               (ann_init){.kind = ANN_INIT_ZERO}));
    check_ok(ann_store_commit(store));
    memcpy(ann_store_data(store, x), values, (size_t)count * sizeof *values);
    check_ok(ann_ckpt_write(comm, scratch_path(folder, "%s/%s", dir, name), 1, store, NULL, 0));
    ann_store_free(store);
    return scratch_path(path, "%s/step-0000000001", folder);
}

static void differences_are_measured(void **state) {
    (void)state;
    char a[SCRATCH_PATH_BYTES], b[SCRATCH_PATH_BYTES];
    tally t;
    static float x[300000], y[300000]; /* more than one chunk */
    for (int i = 0; i < 300000; i++) x[i] = y[i] = 3;
    y[7] = 3.5F;
    y[299999] = 1;
    write_floats(a, "x", x, 300000);
    write_floats(b, "y", y, 300000);
    assert_true(compare(&t, a, a, "*", 0));
    assert_false(compare(&t, a, b, "*", 0));
    assert_int_equal(t.of[ANN_CKPT_OTHER_VALUES], 1);
    assert_true(t.last.max_abs == 2 && t.last.first == 7 && t.last.count == 2);
    const double norm = sqrt(4.25 / (9.0 * 300000)); /* (0.5^2 + 2^2) / sum of 3^2 */
    assert_true(fabs(t.last.relative_l2 / norm - 1) < 1e-12);
    assert_false(compare(&t, a, b, "*", 1));
    assert_true(t.last.first == 299999 && t.last.count == 1);
    assert_true(compare(&t, a, b, "*", 2));
    assert_true(compare(&t, a, b, "y*", 0));
}

static void bits_decide_without_a_tolerance(void **state) {
    (void)state;
    char a[SCRATCH_PATH_BYTES], b[SCRATCH_PATH_BYTES];
    tally t;
    write_floats(a, "p", (float[]){0.0F, NAN, 1, INFINITY}, 4);
    write_floats(b, "q", (float[]){-0.0F, NAN, 1, INFINITY}, 4);
    assert_false(compare(&t, a, b, "*", 0));
    assert_true(t.last.first == 0 && t.last.count == 1 && t.last.max_abs == 0);
    assert_true(compare(&t, a, b, "*", 1e-30));
    write_floats(b, "r", (float[]){0.0F, 1, 1, INFINITY}, 4);
    assert_false(compare(&t, a, b, "*", 1e30));
    assert_true(isnan(t.last.max_abs) && t.last.first == 1);
    write_floats(b, "s", (float[]){0.0F, NAN, 1}, 3);
    assert_false(compare(&t, a, b, "*", 0));
    assert_int_equal(t.of[ANN_CKPT_OTHER_SHAPE], 1);
}

static void damage_is_no_difference(void **state) {
    (void)state;
    char a[SCRATCH_PATH_BYTES], b[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    ann_ckpt *ckpts[2];
    tally t;
    bool equal;
    static float x[100000];
    struct stat st;
    write_floats(a, "da", x, 100000);
    write_floats(b, "db", x, 100000);
    assert_int_equal(stat(scratch_path(path, "%s/shard-0000.h5", b), &st), 0);
    flip(path, st.st_size - 8);
    check_ok(ann_ckpt_peek(&ckpts[0], a));
    check_ok(ann_ckpt_peek(&ckpts[1], b));
    assert_int_equal(ann_ckpt_compare(&equal, ckpts[0], ckpts[1], "*", 0, take_difference, &t),
                     ANN_ERR_CORRUPT);
    assert_non_null(strstr(ann_error_text(), "wrong checksum of tensor x"));
    ann_ckpt_close(ckpts[0]);
    ann_ckpt_close(ckpts[1]);
}

/* ---- other shards ---- */

static void shards_do_not_matter(void **state) {
    (void)state;
    char path[ANN_CKPT_PATH_BYTES], first[SCRATCH_PATH_BYTES], to[SCRATCH_PATH_BYTES];
    static const int shards[] = {1, 3, 2, 40};
    tally t;
    const char *folder = make_folder("shards", 1);
    scratch_path(first, "%s/step-0000000001", folder);
    snprintf(path, sizeof path, "%s", first);
    for (size_t i = 0; i < sizeof shards / sizeof shards[0]; i++) {
        ann_ckpt *ckpt;
        check_ok(ann_ckpt_peek(&ckpt, path));
        check_ok(ann_ckpt_reshard(path, ckpt, scratch_path(to, "%s/to-%zu", dir, i), shards[i]));
        assert_int_equal(ann_ckpt_reshard(path, ckpt, to, shards[i]), ANN_ERR_ARG); /* it is there */
        ann_ckpt_close(ckpt);
        check_ok(ann_ckpt_peek(&ckpt, path));
        assert_int_equal(ann_ckpt_shard_count(ckpt), shards[i]);
        ann_ckpt_close(ckpt);
        assert_int_equal(ckpt_sample_tag(path), 1);
        assert_true(compare(&t, first, path, "*", 0));
    }
}

/* ---- pruning ---- */

static void note_kept(void *to, const ann_ckpt_summary *item, bool removed) {
    char *kept = to;
    if (!removed) sprintf(kept + strlen(kept), "%lld ", (long long)item->step);
}

static void what_is_needed_stays(void **state) {
    (void)state;
    char kept[256] = "", path[SCRATCH_PATH_BYTES];
    const char *folder = make_folder("prune", 9);
    check_ok(ann_ckpt_prune(folder, 2, 4, true, note_kept, kept));
    assert_string_equal(kept, "9 8 4 ");
    scratch_write(scratch_path(path, "%s/best", folder), "step-0000000003\n", 16);
    kept[0] = '\0';
    check_ok(ann_ckpt_prune(folder, 2, 4, false, note_kept, kept));
    assert_string_equal(kept, "9 8 4 3 ");
    kept[0] = '\0';
    flip(scratch_path(path, "%s/step-0000000009/shard-0000.h5", folder), 100);
    flip(scratch_path(path, "%s/step-0000000008/shard-0000.h5", folder), 100);
    check_ok(ann_ckpt_prune(folder, 1, 0, false, note_kept, kept));
    assert_string_equal(kept, "9 4 3 "); /* 4 is the newest that is really good */
    assert_int_equal(ann_ckpt_prune(folder, 0, 0, false, note_kept, kept), ANN_ERR_ARG);
    flip(scratch_path(path, "%s/step-0000000004/shard-0000.h5", folder), 100);
    flip(scratch_path(path, "%s/step-0000000003/shard-0000.h5", folder), 100);
    assert_int_equal(ann_ckpt_prune(folder, 1, 0, false, note_kept, kept), ANN_ERR_CORRUPT);
}

/* ---- files ---- */

static void nothing(void *to, const char *line) {
    (void)to;
    (void)line;
}

static void files_go_out_and_come_back(void **state) {
    (void)state;
    static const char *const suffix[] = {"h5", "safetensors", "npz"};
    char path[ANN_CKPT_PATH_BYTES], file[SCRATCH_PATH_BYTES], back[SCRATCH_PATH_BYTES];
    ann_ckpt *ckpt;
    tally t;
    scratch_path(path, "%s/step-0000000001", make_folder("out", 1));
    check_ok(ann_ckpt_peek(&ckpt, path));
    for (int f = 0; f < 3; f++) {
        char made[ANN_CKPT_PATH_BYTES];
        int tensors;
        int64_t bytes;
        struct stat st;
        const ann_ckpt_export_options options = {(ann_ckpt_file_format)f, "*", ANN_CKPT_ROLES_ALL};
        scratch_path(file, "%s/all.%s", dir, suffix[f]);
        check_ok(ann_ckpt_export(&tensors, &bytes, ckpt, file, &options));
        assert_true(tensors == 14 && stat(file, &st) == 0 && st.st_size == bytes);
        const ann_ckpt_import_options import = {.tensors = "*", .step = 1};
        check_ok(ann_ckpt_import(made, file, scratch_path(back, "%s/back.%s", dir, suffix[f]), &import,
                                 nothing, NULL));
        compare(&t, path, made, "*", 0);
        for (int kind = 0; kind <= ANN_CKPT_OTHER_VALUES; kind++)
            if (t.of[kind]) fail_msg("%s: %d differences of kind %d", suffix[f], t.of[kind], kind);
    }
    const ann_ckpt_export_options none = {ANN_CKPT_NPZ, "no such tensor", ANN_CKPT_ROLES_ALL};
    int tensors;
    int64_t bytes;
    assert_int_equal(ann_ckpt_export(&tensors, &bytes, ckpt, file, &none), ANN_ERR_NOT_FOUND);
    const ann_ckpt_export_options nowhere = {ANN_CKPT_NPZ, "*", ANN_CKPT_ROLES_ALL};
    assert_int_equal(ann_ckpt_export(&tensors, &bytes, ckpt, "/nonexistent/x.npz", &nowhere), ANN_ERR_IO);
    ann_ckpt_close(ckpt);
}

static void roles_are_told_apart(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES], file[SCRATCH_PATH_BYTES];
    static const int expected[] = {10, 5, 14}; /* of 14 in turn: param, state, moment */
    ann_ckpt *ckpt;
    scratch_path(path, "%s/step-0000000001", make_folder("roles", 1));
    check_ok(ann_ckpt_peek(&ckpt, path));
    for (int r = 0; r < 3; r++) {
        const ann_ckpt_export_options options = {ANN_CKPT_SAFETENSORS, "*", (ann_ckpt_roles)r};
        int tensors;
        int64_t bytes;
        check_ok(
            ann_ckpt_export(&tensors, &bytes, ckpt, scratch_path(file, "%s/r.safetensors", dir), &options));
        assert_int_equal(tensors, expected[r]);
    }
    ann_ckpt_close(ckpt);
}

static void renaming(void **state) {
    (void)state;
    static const ann_rename rules[] = {{"model.*.weight", "net/*/w"}, {"*.*", "*/b/*"}, {"x", "y"}};
    static const struct {
        const char *from, *to;
    } cases[] = {{"model.fc1.weight", "net/fc1/w"},
                 {"model.a.weight.weight", "net/a.weight/w"},
                 {"a.b.c", "a/b/b.c"},
                 {"x", "y"},
                 {"xx", "xx"},
                 {"model.weight", "model/b/weight"},
                 {".", "/b/"}};
    char out[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(ann_rename_apply(out, sizeof out, rules, 3, cases[i].from));
        assert_string_equal(out, cases[i].to);
    }
    assert_false(ann_rename_apply(out, 4, rules, 3, "a.b.c"));
    assert_true(ann_rename_is_good(&rules[0]));
    assert_false(ann_rename_is_good(&(ann_rename){"a", "*"}));
    assert_false(ann_rename_is_good(&(ann_rename){"a", ""}));
    assert_false(ann_rename_is_good(&(ann_rename){"*********", "a"}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoints_are_found),
        cmocka_unit_test(the_survey_says_what_is_wrong),
        cmocka_unit_test(every_fault_is_reported),
        cmocka_unit_test(differences_are_measured),
        cmocka_unit_test(bits_decide_without_a_tolerance),
        cmocka_unit_test(damage_is_no_difference),
        cmocka_unit_test(shards_do_not_matter),
        cmocka_unit_test(what_is_needed_stays),
        cmocka_unit_test(files_go_out_and_come_back),
        cmocka_unit_test(roles_are_told_apart),
        cmocka_unit_test(renaming),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
