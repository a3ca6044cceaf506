/* Datasets of another domain: what is changed and what is kept, what decides the bytes, descriptors that are
 * wrong. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "data/fixture.h"
#include "data/import_check.h"
#include "datasets/import.h"
#include "datasets/layout.h"

enum { TRAIN = 10, TEST = 6 };
static const char *const names[] = {"one", "two", "three"};

static ann_status make(const char *out, const char *descriptor, const char *from) {
    const ann_import_options options = {.out = fixture_path(out)};
    fixture_write(fixture_path("d.yaml"), descriptor, strlen(descriptor));
    return ann_dataset_transform(&options, fixture_path("d.yaml"), fixture_path(from));
}

static void make_images(const char *name) {
    const char *path = fixture_path(name);
    const int32_t numbers[TRAIN] = {5, 4, 3};
    const hsize_t dims[] = {TRAIN};
    unlink(path);
    fixture_images(path, "train", TRAIN, 3);
    fixture_images(path, "test", TEST, 3);
    fixture_put(path, "/train/number", H5T_STD_I32LE, H5T_NATIVE_INT32, FIXTURE_CONTIGUOUS, numbers, 1, dims);
    fixture_attr_strings(path, "/", "classes", names, 3);
    fixture_attr_double(path, "/", "mean", 0.25);
    fixture_attr_double(path, "/", "std", 0.5);
}

/* ---- what is changed, and what is kept ---- */

static void check_inverted(const ann_dataset *d, int samples) {
    assert_int_equal(ann_dataset_samples(d), samples);
    for (int64_t s = 0; s < samples; s++) {
        uint8_t row[FIXTURE_ROW];
        import_row(row, d, "x", s);
        for (int i = 0; i < FIXTURE_ROW; i++) assert_int_equal(row[i], 255 - fixture_pixel(s, i));
        assert_int_equal(ann_dataset_label(d, s), s % 3);
    }
    for (int c = 0; c < 3; c++) assert_string_equal(ann_dataset_class_name(d, c), names[c]);
}

static double mean_of_training(void) {
    double sum = 0;
    for (int s = 0; s < TRAIN; s++)
        for (int i = 0; i < FIXTURE_ROW; i++) sum += 255 - fixture_pixel(s, i);
    return sum / (255.0 * TRAIN * FIXTURE_ROW);
}

static void samples_change_and_labels_stay(void **state) {
    (void)state;
    make_images("plain.h5");
    fixture_put(fixture_path("plain.h5"), "/test/number", H5T_STD_I32LE, H5T_NATIVE_INT32, FIXTURE_CONTIGUOUS,
                (const int32_t[TEST]){7, 8}, 1, (const hsize_t[]){TEST});
    check_ok(make("negative.h5", "name: negative\ntransform: [invert: {}]\n", "plain.h5"));
    for (int split = 0; split < 2; split++) {
        ann_dataset *d = import_open("negative.h5", split ? "test" : "train");
        int32_t number;
        check_inverted(d, split ? TEST : TRAIN);
        import_row(&number, d, "number", 1);
        assert_int_equal(number, split ? 8 : 4);
        const ann_field_info *x = ann_dataset_field(d, ann_dataset_find(d, "x"));
        assert_true(x->channels == 1 && fabs(x->mean[0] - mean_of_training()) < 1e-12);
        ann_dataset_close(d);
    }
    char **found;
    int count;
    ann_arena *arena;
    check_ok(ann_arena_new(&arena));
    check_ok(anni_layout_strings(&found, &count, fixture_path("negative.h5"), "name", arena));
    assert_true(count == 1 && strcmp(found[0], "negative") == 0);
    check_ok(anni_layout_strings(&found, &count, fixture_path("negative.h5"), "source", arena));
    assert_int_equal(count, 2);
    assert_non_null(strstr(found[0], "plain.h5 xxh3:"));
    assert_non_null(strstr(found[1], "d.yaml xxh3:"));
    ann_arena_free(arena);
}

/* ---- what decides the bytes ---- */

static const char noisy[] = "name: n\nseed: 4\ntransform:\n"
                            "  - texture: { level: [0.1, 1], cell: 2, octaves: 2, edge: 1 }\n"
                            "  - rotate: { degrees: [-90, 90], border: edge }\n";
static const char reseeded[] = "seed: 5\ntransform:\n"
                               "  - texture: { level: [0.1, 1], cell: 2, octaves: 2, edge: 1 }\n"
                               "  - rotate: { degrees: [-90, 90], border: edge }\n";

/* Both splits of the fixture begin with the same samples; they are drawn for apart. */
static void seed_split_and_sample_decide(void **state) {
    (void)state;
    fixture_images(fixture_path("two.h5"), "train", TEST, 3);
    fixture_images(fixture_path("two.h5"), "test", TEST, 3);
    check_ok(make("a.h5", noisy, "two.h5"));
    check_ok(make("b.h5", noisy, "two.h5"));
    check_ok(make("c.h5", reseeded, "two.h5"));
    size_t a_bytes, b_bytes;
    uint8_t *a = fixture_bytes(fixture_path("a.h5"), &a_bytes),
            *b = fixture_bytes(fixture_path("b.h5"), &b_bytes);
    const uint64_t train = import_checksum("a.h5", "train");
    assert_int_equal(a_bytes, b_bytes);
    assert_memory_equal(a, b, a_bytes);
    assert_true(import_checksum("b.h5", "train") == train);
    assert_true(import_checksum("c.h5", "train") != train);
    assert_true(import_checksum("a.h5", "test") != train);
    free(a);
    free(b);

    const ann_import_options shards = {.out = fixture_path("s.h5"), .shard = 4};
    fixture_write(fixture_path("d.yaml"), noisy, strlen(noisy));
    check_ok(ann_dataset_transform(&shards, fixture_path("d.yaml"), fixture_path("two.h5")));
    assert_true(import_checksum("s.h5", "train") == train);
}

/* ---- mistakes ---- */

static void wrong_descriptors(void **state) {
    (void)state;
    make_images("good.h5");
    unlink(fixture_path("good.h5"));
    fixture_images(fixture_path("good.h5"), "train", 4, 2);
    const struct {
        const char *text, *words;
    } cases[] = {
        {"name: n\n", "the key 'transform' is missing, accepted is a list of ops"},
        {"transform: []\n", "d.yaml:1:12: transform: has 0 ops, accepted are 1 to 64"},
        {"transform: {}\n", "d.yaml:1:12: transform: "},
        {"sead: 3\ntransform: [invert: {}]\n", "d.yaml:1:1: sead: unknown key, did you mean 'seed'?"},
        {"seed: -3\ntransform: [invert: {}]\n",
         "d.yaml:1:7: seed: is negative, accepted is an integer from 0 on"},
        {"transform: [invert: {}, invert: {strength: 1}]\n",
         "transform[1].invert.strength: unknown key, accepted are: none"},
        {"transform: [swirl: {}]\n",
         "transform[0].swirl: unknown op, accepted are: invert, texture, blur, brightness, rotate"},
        {"transform: [{invert: {}, blur: {sigma: 1}}]\n",
         "an op is a map of one kind, such as blur: {sigma: 1}"},
        {"transform: [blur: {}]\n",
         "transform[0].blur: the key 'sigma' is missing, accepted is a number, or two [low, high]"},
        {"transform: [blur: {sigma: [1, 2, 3]}]\n", "accepted is a number, or two [low, high]"},
        {"transform: [blur: {sigma: [2, 1]}]\n", "2 is above 1, accepted is [low, high]"},
        {"transform: [blur: {sigma: soft}]\n", "transform[0].blur.sigma: "},
        {"transform: [rotate: {degrees: 3, border: round}]\n",
         "transform[0].rotate.border: found 'round', accepted are fill, edge, reflect"},
        {"transform: [texture: {level: 1, octaves: 2.5}]\n", "transform[0].texture.octaves: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_fails(make("no.h5", cases[i].text, "good.h5"), ANN_ERR_CONFIG, cases[i].words);
    check_fails(make("no.h5", "transform: [blur: {sigma: 99}]\n", "good.h5"), ANN_ERR_ARG,
                "d.yaml: blur: sigma is a range within 0 to 10");
    assert_int_equal(fixture_count("no.h5"), 0);
}

static void wrong_data(void **state) {
    (void)state;
    const float zeros[24] = {0};
    const hsize_t dims[] = {4, 2, 3, 1}, flat[] = {4, 6};
    const uint8_t bytes[24] = {0};
    const char invert[] = "transform: [invert: {}]\n";
    fixture_put(fixture_path("f32.h5"), "/train/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_CONTIGUOUS,
                zeros, 4, dims);
    check_fails(make("no.h5", invert, "f32.h5"), ANN_ERR_ARG,
                "f32.h5: /train/x is f32, and only u8 is transformed");
    fixture_put(fixture_path("flat.h5"), "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS,
                bytes, 2, flat);
    check_fails(make("no.h5", invert, "flat.h5"), ANN_ERR_ARG, "a transform needs images [H, W, C]");
    fixture_put(fixture_path("none.h5"), "/data", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, bytes,
                2, flat);
    check_fails(make("no.h5", invert, "none.h5"), ANN_ERR_FORMAT, "none.h5: has no split");
    check_fails(make("no.h5", invert, "missing.h5"), ANN_ERR_NOT_FOUND, "missing.h5: No such file");
    make_images("uneven.h5"); /* a field of the training split alone */
    check_fails(make("no.h5", invert, "uneven.h5"), ANN_ERR_FORMAT,
                "uneven.h5: /test has 2 fields, that of ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_change_and_labels_stay),
        cmocka_unit_test(seed_split_and_sample_decide),
        cmocka_unit_test(wrong_descriptors),
        cmocka_unit_test(wrong_data),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
