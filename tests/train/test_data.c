/* Where samples come from makes no difference to the results, and what is trained besides classes. */
#include "train/run.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/philox.h"
#include "support/tiny_data.h"

/* ---- the same samples from somewhere else ---- */

/* tiny.h5 as others would have laid it out, and as two files. */
static void copy(hid_t from, const char *object, hid_t to, const char *name) {
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    assert_true(H5Ocopy(from, object, to, name, H5P_DEFAULT, links) >= 0);
    H5Pclose(links);
}

static void make_foreign(void) {
    char path[SCRATCH_PATH_BYTES];
    const hid_t from = H5Fopen(scratch_path(path, "%s/tiny.h5", run_dir), H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t to =
        H5Fcreate(scratch_path(path, "%s/foreign.h5", run_dir), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(from >= 0 && to >= 0);
    copy(from, "/train/x", to, "/images/for training");
    copy(from, "/train/y", to, "/labels");
    copy(from, "/test/x", to, "/images/other");
    copy(from, "/test/y", to, "/other");
    assert_true(H5Fclose(to) >= 0 && H5Fclose(from) >= 0);
}

static void check_same(const char *a, const char *b, const char *key) {
    const int n = run_metric_count(a, key);
    assert_int_equal(run_metric_count(b, key), n);
    for (int i = 0; i < n; i++) {
        const double have = run_metric(b, key, i), want = run_metric(a, key, i);
        if (memcmp(&have, &want, sizeof have) != 0) fail_msg("%s %d: %.17g, %.17g", key, i, have, want);
    }
}

static void other_places_same_results(void **state) {
    (void)state;
    char foreign[3 * SCRATCH_PATH_BYTES];
    make_foreign();
    check_ok(run_train(&(run_options){.name = "own"}));
    snprintf(foreign, sizeof foreign,
             "data={path: %s/foreign.h5, train: {y: labels, x: images/for training}, "
             "test: {x: images/other, y: other}, shape: [8, 8, 1]}",
             run_dir);
    const run_options others[] = {{.name = "foreign", .sets = {foreign}},
                                  {.name = "held", .sets = {"data.memory=hold"}},
                                  {.name = "small-cache", .sets = {"data.cache_mb=1"}},
                                  {.name = "phase", .sets = {foreign, "data.memory=hold"}}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        check_ok(run_train(&others[i]));
        check_same("own", others[i].name, "loss");
        check_same("own", others[i].name, "test_loss");
        check_same("own", others[i].name, "test_accuracy");
    }
}

/* Half of the classes each: the second phase of two alone sees all of the first's samples. */
static void several_sources(void **state) {
    (void)state;
    char sources[3 * SCRATCH_PATH_BYTES];
    snprintf(sources, sizeof sources, "data={sources: [%s/tiny.h5, {path: %s/tiny.h5}]}", run_dir, run_dir);
    check_ok(run_train(&(run_options){.name = "twice", .sets = {sources}}));
    assert_non_null(strstr(run_printed(), "pre  ledger ok: 500 samples x 2 epochs each used exactly once"));
}

/* ---- a target without labels ---- */

/* tiny.h5 whose training labels are all `label`. */
static void make_target(const char *name, uint8_t label) {
    char path[SCRATCH_PATH_BYTES];
    static uint8_t y[TINY_TRAIN];
    memset(y, label, sizeof y);
    const hid_t from = H5Fopen(scratch_path(path, "%s/tiny.h5", run_dir), H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t to =
        H5Fcreate(scratch_path(path, "%s/%s", run_dir, name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(from >= 0 && to >= 0);
    copy(from, "/train", to, "/train");
    copy(from, "/test", to, "/test");
    const hid_t id = H5Dopen2(to, "/train/y", H5P_DEFAULT);
    assert_true(H5Dwrite(id, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, y) >= 0);
    assert_true(H5Dclose(id) >= 0 && H5Fclose(to) >= 0 && H5Fclose(from) >= 0);
}

/* A labelled source that is not tested, and `limit` samples of a target. */
static ann_status train_adapted(const char *name, const char *target, int limit, const char *labels,
                                const char *set) {
    char data[3 * SCRATCH_PATH_BYTES];
    snprintf(data, sizeof data,
             "data={sources: [{path: %s/tiny.h5, test: none}, {path: %s/%s, limit: %d, labels: %s}]}",
             run_dir, run_dir, target, limit, labels);
    return run_train(&(run_options){
        .name = name,
        .resume = true,
        .sets = {data, "phases.fine.labels=0", "phases.fine.sampling={balance: source}", set}});
}

/* Whatever the target's labels say, the same bits come out; it alone is tested. */
static void hidden_labels_touch_nothing(void **state) {
    (void)state;
    make_target("zeros.h5", 0);
    make_target("nonsense.h5", 200);
    check_ok(train_adapted("hidden", "zeros.h5", 60, "hide", NULL));
    check_ok(train_adapted("nonsense", "nonsense.h5", 60, "hide", NULL));
    check_same("hidden", "nonsense", "loss");
    check_same("hidden", "nonsense", "test_loss");
    check_same("hidden", "nonsense", "test_accuracy");
    check_ok(train_adapted("seen", "zeros.h5", 60, "keep", NULL));
    assert_true(run_metric("seen", "test_loss", 1) != run_metric("hidden", "test_loss", 1));
}

/* Another limit is another run; and what limits and hidden labels make impossible is said. */
static void parts_are_facts(void **state) {
    (void)state;
    make_target("part.h5", 1);
    check_ok(train_adapted("facts", "part.h5", 60, "hide", NULL));
    assert_int_equal(train_adapted("facts", "part.h5", 61, "hide", NULL), ANN_OK);
    assert_non_null(strstr(run_printed(), "limit 61 labels hidden"));
    assert_non_null(strstr(run_printed(), "limit 60 labels hidden"));
    char tested[3 * SCRATCH_PATH_BYTES];
    snprintf(tested, sizeof tested, "data={sources: [%s/tiny.h5, %s/part.h5]}", run_dir, run_dir);
    check_ok(
        run_train(&(run_options){.name = "facts", .resume = true, .sets = {tested, "phases.fine.labels=0"}}));
    assert_non_null(strstr(run_printed(), "shape as stored\", the checkpoint was made with"));
    assert_non_null(strstr(run_printed(), "shape as stored test none\""));
    assert_int_equal(train_adapted("no", "part.h5", 60, "hide", "phases.fine.sampling={balance: class}"),
                     ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "balance: class needs the labels of all samples, and those of a "
                                             "source are hidden; accepted are none, source, weight"));
    assert_int_equal(train_adapted("no", "part.h5", 251, "hide", NULL), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "phase pre: data: "));
    assert_non_null(strstr(ann_error_text(), "part.h5: /train: limit 251, accepted: 1 to 250"));
    assert_int_equal(train_adapted("no", "part.h5", 0, "hide", "phases.fine.labels=40"), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "phase fine: labels: "));
    assert_non_null(strstr(ann_error_text(), "a balanced limit needs labels, and they are hidden"));
}

/* ---- regression ---- */

enum { N = 400, COLUMNS = 3 };
static const double means[COLUMNS] = {1000, -20, 0.5}, deviations[COLUMNS] = {50, 3, 0.01};

static void put_doubles(hid_t object, const char *name, const double *values) {
    const hsize_t dim = COLUMNS;
    const hid_t space = H5Screate_simple(1, &dim, NULL);
    const hid_t attribute = H5Acreate2(object, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, H5T_NATIVE_DOUBLE, values) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
}

static hid_t put(hid_t group, const char *name, int rank, const double *values) {
    const hsize_t dims[] = {N, COLUMNS};
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t id = H5Dcreate2(group, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(id >= 0 && H5Dwrite(id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    return id;
}

/* y = 2 a - b + 0.5 c + 3, of columns a, b, c once they are standardized. */
static void make_table(const char *path, bool with_moments) {
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    for (int split = 0; split < 2; split++) {
        static double x[N][COLUMNS], y[N];
        for (uint64_t i = 0; i < N; i++) {
            double z[COLUMNS];
            for (uint64_t c = 0; c < COLUMNS; c++) {
                z[c] = ann_random_normal(5, (uint32_t)split, i, c);
                x[i][c] = means[c] + deviations[c] * z[c];
            }
            y[i] = 2 * z[0] - z[1] + 0.5 * z[2] + 3;
        }
        const hid_t group = H5Gcreate2(file, split ? "test" : "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        const hid_t id = put(group, "x", 2, &x[0][0]);
        if (with_moments) put_doubles(id, "mean", means);
        if (with_moments) put_doubles(id, "std", deviations);
        H5Dclose(id);
        H5Dclose(put(group, "y", 1, y));
        H5Gclose(group);
    }
    assert_true(H5Fclose(file) >= 0);
}

static ann_status train_table(const char *name, bool with_moments, const char *set) {
    char path[SCRATCH_PATH_BYTES], data[SCRATCH_PATH_BYTES + 64];
    make_table(scratch_path(path, "%s/table.h5", run_dir), with_moments);
    snprintf(data, sizeof data, "data.path=%s", path);
    return run_train(&(run_options){
        .name = name,
        .sets = {data, "models={line: [{dense: {name: fc, units: 1}}]}",
                 "phases=[{name: fit, kind: supervised, model: [line], loss: mse, target: y, input: "
                 "standardize, batch: 20, optimizer: {kind: sgd}, program: [{epochs: 12, lr: 0.05}]}]",
                 set}});
}

/* The rate is right for columns of deviation 1 and mean 0 alone. y is exact in f32 to about 1e-4 of what is
 * left of x / deviation: 1000 * 2^-24 / 50. */
static void regression_on_columns(void **state) {
    (void)state;
    check_ok(train_table("regression", true, NULL));
    assert_true(run_metric("regression", "loss", 0) > 1);
    assert_true(run_metric("regression", "test_loss", 0) < 1e-6);
}

static void what_regression_needs(void **state) {
    (void)state;
    assert_int_equal(train_table("none", false, NULL), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "phase fit: input: standardize needs mean and std, and "));
    assert_int_equal(train_table("classes", true,
                                 "phases.fit={name: fit, kind: supervised, model: [line], loss: "
                                 "cross_entropy, batch: 20, program: [{epochs: 1, lr: 1}]}"),
                     ANN_ERR_CONFIG);
    assert_non_null(
        strstr(ann_error_text(), "cross_entropy needs labels (a field y of one integer a sample)"));
    assert_int_equal(train_table("wide", true, "models={line: [{dense: {name: fc, units: 2}}]}"),
                     ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "to give y it must have 1 elements per sample"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_places_same_results),   cmocka_unit_test(several_sources),
        cmocka_unit_test(hidden_labels_touch_nothing), cmocka_unit_test(parts_are_facts),
        cmocka_unit_test(regression_on_columns),       cmocka_unit_test(what_regression_needs),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
