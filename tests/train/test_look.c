/* What train/look.h shows of a phase, against the phase's own results and against what is stored. */
#include "train/look.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/philox.h"
#include "train/run.h"

enum { SIDE = 4, CHANNELS = 3, ELEMS = SIDE * SIDE * CHANNELS, TRAIN = 40, TEST = 23, CODE = 5, SHOWN = 4 };

/* Numbers near 1 that are sums over ELEMS elements: c eps sqrt(K). */
#define TOLERANCE (8 * 1.2e-7 * 7)

static const double means[CHANNELS] = {0.5, 0.4, 0.2}, deviations[CHANNELS] = {0.25, 0.5, 0.125};

static const char run_file[] =
    "name: look\n"
    "seed: 5\n"
    "output: %s/look\n"
    "data: { path: %s/colour.h5 }\n"
    "models:\n"
    "  body: [flatten: {}, dense: { name: fc, units: 12, activation: tanh }]\n"
    "  mean_and_variance: [dense: { name: fc, units: 10 }]\n"
    "  decoder: [dense: { name: fc, units: 48 }]\n"
    "  head: [dense: { name: fc, units: 2 }]\n"
    "phases:\n"
    "  - { name: vae, kind: pretrain, model: [body, mean_and_variance, decoder], loss: bce, batch: 8,\n"
    "      method: { variational: { features: mean_and_variance } }, program: [{ steps: 9, lr: 0.01 }] }\n"
    "  - { name: scaled, kind: pretrain, model: [body, decoder], loss: mse, input: standardize, batch: 8,\n"
    "      program: [{ steps: 9, lr: 0.01 }] }\n"
    "  - { name: views, kind: pretrain, model: [body], input: standardize, augment: [flip: {}], batch: 8,\n"
    "      method: { simclr: { projector: head } }, program: [{ steps: 9, lr: 0.01 }] }\n"
    "  - { name: class, kind: supervised, model: [body, head], loss: cross_entropy, batch: 8,\n"
    "      program: [{ steps: 60, lr: 0.01 }] }\n";

static ann_run_config *config;

/* ---- the run ---- */

static void put(hid_t group, const char *name, int rank, const hsize_t *dims, const void *data) {
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t set = H5Dcreate2(group, name, H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    const hsize_t channels = CHANNELS;
    const hid_t row = H5Screate_simple(1, &channels, NULL);
    for (int i = 0; i < 2 && rank > 1; i++) {
        const hid_t attribute =
            H5Acreate2(set, i ? "std" : "mean", H5T_NATIVE_DOUBLE, row, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(H5Awrite(attribute, H5T_NATIVE_DOUBLE, i ? deviations : means) >= 0);
        H5Aclose(attribute);
    }
    H5Sclose(row);
    H5Dclose(set);
    H5Sclose(space);
}

static void put_split(hid_t file, const char *name, uint32_t stream, int samples) {
    static uint8_t x[TRAIN][ELEMS], y[TRAIN];
    const hsize_t dims[4] = {(hsize_t)samples, SIDE, SIDE, CHANNELS};
    const hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    for (int i = 0; i < samples; i++) {
        y[i] = (uint8_t)(i % 2);
        for (int j = 0; j < ELEMS; j++)
            x[i][j] = (uint8_t)(200 * ann_random_uniform(1, stream, (uint64_t)i, (uint64_t)j) + 40 * y[i]);
    }
    put(group, "x", 4, dims, x);
    put(group, "y", 1, dims, y);
    H5Gclose(group);
}

static int setup(void **state) {
    static char text[sizeof run_file + 2 * SCRATCH_PATH_BYTES];
    char path[SCRATCH_PATH_BYTES];
    const ann_train_options options = {.threads = 1};
    ann_comm *comm;
    (void)state;
    scratch_make(run_dir);
    const hid_t file =
        H5Fcreate(scratch_path(path, "%s/colour.h5", run_dir), H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    put_split(file, "train", 1, TRAIN);
    put_split(file, "test", 2, TEST);
    H5Fclose(file);
    snprintf(text, sizeof text, run_file, run_dir, run_dir);
    check_ok(ann_run_config_parse(&config, "look.yaml", text, NULL, 0));
    check_ok(ann_comm_self(&comm));
    check_ok(ann_train(comm, config, &options));
    ann_comm_free(comm);
    return 0;
}

static int teardown(void **state) {
    ann_run_config_free(config);
    return run_teardown(state);
}

static ann_look *open_phase(const char *phase, bool before) {
    const ann_look_options options = {.config = config, .phase = phase, .before = before, .threads = 1};
    ann_look *look;
    check_ok(ann_look_open(&look, &options));
    return look;
}

/* Of the phase, as it was written down behind its last step. */
static double metric(const char *phase, const char *key) {
    char path[SCRATCH_PATH_BYTES];
    char *text = scratch_read_all(scratch_path(path, "%s/look/%s/metrics.jsonl", run_dir, phase));
    const char *at = strstr(text, key);
    assert_non_null(at);
    const double value = strtod(at + strlen(key), NULL);
    free(text);
    return value;
}

/* ---- reconstructions ---- */

typedef struct pictures {
    float error[TEST], made[TEST][ELEMS];
    double x[TEST][ELEMS]; /* bytes as 0 to 1 */
} pictures;

static void reconstruct(pictures *p, ann_look *look) {
    int64_t ids[TEST];
    const ann_dataset *test = ann_look_facts_of(look)->test;
    for (int64_t i = 0; i < TEST; i++) {
        uint8_t bytes[ELEMS];
        ids[i] = i;
        check_ok(ann_dataset_read(test, ann_dataset_find(test, "x"), &i, 1, bytes));
        for (int j = 0; j < ELEMS; j++) p->x[i][j] = bytes[j] / 255.0;
    }
    check_ok(ann_look_reconstruct(look, p->error, ids, TEST, p->made[0]));
}

static void errors_are_of_the_pictures(void **state) {
    (void)state;
    static const char *const phases[] = {"vae", "scaled"};
    for (int k = 0; k < 2; k++) {
        static pictures p;
        ann_look *look = open_phase(phases[k], false);
        assert_true(ann_look_facts_of(look)->reconstructs && !ann_look_facts_of(look)->classifies);
        reconstruct(&p, look);
        for (int i = 0; i < TEST; i++) {
            double sum = 0;
            for (int j = 0; j < ELEMS; j++) {
                sum += pow((double)p.made[i][j] - p.x[i][j], 2);
                if (k == 0) assert_true(p.made[i][j] > 0 && p.made[i][j] < 1); /* no logits */
            }
            assert_true(fabs(sum / ELEMS - (double)p.error[i]) < TOLERANCE);
        }
        ann_look_close(look);
    }
}

/* The phase's loss is of standardized numbers, the pictures are not. */
static void pictures_have_the_datas_units(void **state) {
    (void)state;
    static pictures p;
    double sum = 0;
    ann_look *look = open_phase("scaled", false);
    reconstruct(&p, look);
    for (int i = 0; i < TEST; i++)
        for (int j = 0; j < ELEMS; j++)
            sum += pow(((double)p.made[i][j] - p.x[i][j]) / deviations[j % CHANNELS], 2);
    const double loss = sum / (TEST * ELEMS), stated = metric("scaled", "\"test_loss\":");
    assert_true(fabs(loss - stated) < TOLERANCE * stated);
    ann_look_close(look);
}

static void only_those_that_are_asked_for(void **state) {
    (void)state;
    static pictures p;
    const int64_t ids[SHOWN] = {22, 0, 7, 7};
    float error[TEST], made[SHOWN][ELEMS];
    ann_look *look = open_phase("scaled", false);
    reconstruct(&p, look);
    check_ok(ann_look_reconstruct(look, error, ids, SHOWN, made[0]));
    assert_memory_equal(error, p.error, sizeof error);
    for (int i = 0; i < SHOWN; i++) assert_memory_equal(made[i], p.made[ids[i]], sizeof made[i]);
    ann_look_close(look);
}

/* ---- codes ---- */

static void decoded_features_are_reconstructions(void **state) {
    (void)state;
    static pictures p;
    ann_look_view view;
    float made[TEST][ELEMS];
    ann_look *look = open_phase("vae", false);
    const ann_look_facts *facts = ann_look_facts_of(look);
    assert_true(facts->generates && facts->width == CODE);
    reconstruct(&p, look);
    check_ok(ann_look_see(&view, look, facts->test));
    assert_true(view.seen.samples == TEST && view.seen.width == CODE && view.seen.classes == 0);
    check_ok(ann_look_decode(look, made[0], view.seen.features, TEST));
    for (int i = 0; i < TEST; i++)
        for (int j = 0; j < ELEMS; j++)
            assert_true(fabs((double)made[i][j] - (double)p.made[i][j]) < TOLERANCE);
    ann_look_view_free(&view);
    ann_look_close(look);
}

/* ---- classes ---- */

static double accuracy(ann_look *look) {
    ann_look_view view;
    int right = 0;
    check_ok(ann_look_see(&view, look, ann_look_facts_of(look)->test));
    assert_true(view.seen.classes == 2 && view.seen.width == 12);
    for (int64_t i = 0; i < TEST; i++) {
        assert_int_equal(view.seen.labels[i], i % 2);
        right += (view.seen.logits[2 * i + 1] > view.seen.logits[2 * i]) == (i % 2 == 1);
    }
    ann_look_view_free(&view);
    return (double)right / TEST;
}

static void weights(void **state) {
    (void)state;
    ann_look *before = open_phase("class", true), *after = open_phase("class", false);
    const ann_look_facts *facts = ann_look_facts_of(after);
    assert_true(facts->classifies && !facts->reconstructs && !facts->generates);
    assert_true(facts->tested_first == 0 && facts->tested == TEST);
    assert_string_equal(ann_look_facts_of(before)->weights, "initial values");
    assert_non_null(strstr(facts->weights, "/look/class/step-0000000060"));
    assert_true(fabs(accuracy(after) - metric("class", "\"test_accuracy\":")) < 1e-8);
    assert_true(accuracy(after) > accuracy(before));
    ann_look_close(before);
    ann_look_close(after);
}

/* Nothing but features: no classes, no reconstruction. */
static void features_alone(void **state) {
    (void)state;
    ann_look_view view;
    ann_look *look = open_phase("views", false);
    const ann_look_facts *facts = ann_look_facts_of(look);
    assert_true(!facts->classifies && !facts->reconstructs && !facts->generates && facts->width == 12);
    check_ok(ann_look_see(&view, look, facts->train));
    assert_true(view.seen.samples == TRAIN && view.seen.width == 12 && view.seen.classes == 0);
    for (int i = 0; i < TRAIN * 12; i++) assert_true(fabs((double)view.seen.features[i]) <= 1); /* tanh */
    ann_look_view_free(&view);
    ann_look_close(look);
}

static void mistakes(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    ann_look *look;
    ann_look_options options = {.config = config, .phase = "none"};
    assert_int_equal(ann_look_open(&look, &options), ANN_ERR_NOT_FOUND);
    assert_string_equal(ann_error_text(), "look.yaml: there is no phase \"none\"");
    options = (ann_look_options){
        .config = config, .phase = "class", .checkpoint = scratch_path(path, "%s/look/vae", run_dir)};
    assert_int_equal(ann_look_open(&look, &options), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "phase class: head/fc/weight is not in "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_of_the_pictures),
        cmocka_unit_test(pictures_have_the_datas_units),
        cmocka_unit_test(only_those_that_are_asked_for),
        cmocka_unit_test(decoded_features_are_reconstructions),
        cmocka_unit_test(weights),
        cmocka_unit_test(features_alone),
        cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
