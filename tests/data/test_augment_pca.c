/* Principal components of colour against numpy's (tests/reference/gen_pca.py). */
#include "data/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "data/data.h"
#include "data/pca_values.h"

enum { SAMPLES = 10007, USED = 10000, PIXELS = 4, ROW = 3 * PIXELS };

static void paint(uint8_t rgb[3], int64_t sample, int64_t pixel) {
    const int64_t light = (sample * 37 + pixel * 101) % 200;
    rgb[0] = (uint8_t)(light + (sample * 7 + pixel) % 40);
    rgb[1] = (uint8_t)(light / 2 + (sample * 13 + pixel * 5) % 60);
    rgb[2] = (uint8_t)(220 - light + (sample * sample + pixel) % 30);
}

/* Samples that do not count are white. */
static uint8_t *make_images(void) {
    uint8_t *images = malloc(SAMPLES * ROW);
    assert_non_null(images);
    memset(images, 255, SAMPLES * ROW);
    for (int64_t i = 0; i < USED; i++) {
        const int64_t sample = i * SAMPLES / USED;
        for (int64_t p = 0; p < PIXELS; p++) paint(images + sample * ROW + 3 * p, sample, p);
    }
    return images;
}

static void check_measured(const char *path, double tolerance) {
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
    ann_dataset *dataset;
    ann_colour_pca got;
    check_ok(ann_dataset_open(&dataset, &options));
    check_ok(ann_colour_pca_measure(&got, dataset));
    ann_dataset_close(dataset);
    for (int i = 0; i < 3; i++) {
        assert_true(fabs(got.deviation[i] - pca_values.deviation[i]) <= tolerance);
        for (int c = 0; c < 3; c++)
            assert_true(fabs(got.component[i][c] - pca_values.component[i][c]) <= tolerance);
    }
}

/* The eigenvalues are 1e-3 and more apart, and sums of 40,000 products of size 1 are good to 40,000 eps. */
static void components_are_numpys(void **state) {
    (void)state;
    uint8_t *images = make_images();
    float *floats = malloc(SAMPLES * ROW * sizeof *floats);
    assert_non_null(floats);
    for (int i = 0; i < SAMPLES * ROW; i++) floats[i] = (float)images[i] / 255.0f;
    const hsize_t dims[] = {SAMPLES, 2, 2, 3};
    fixture_put(fixture_path("u8.h5"), "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, images,
                4, dims);
    fixture_put(fixture_path("f32.h5"), "/train/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_CONTIGUOUS,
                floats, 4, dims);
    check_measured(fixture_path("u8.h5"), 1e-8);
    check_measured(fixture_path("f32.h5"), 1e-4); /* bytes over 255, rounded to float */
    free(images);
    free(floats);
}

/* All pixels of one colour, and grey ones: no deviation, or one along (1, 1, 1). */
static void degenerate_colours(void **state) {
    (void)state;
    static const uint8_t grey[2][3] = {{10, 10, 10}, {110, 110, 110}}, flat[2][3] = {{9, 8, 7}, {9, 8, 7}};
    const hsize_t dims[] = {2, 1, 1, 3};
    for (int k = 0; k < 2; k++) {
        const char *path = fixture_path(k ? "flat.h5" : "grey.h5");
        fixture_put(path, "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, k ? flat : grey, 4,
                    dims);
        const ann_data_source source = {.path = path};
        const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
        ann_dataset *dataset;
        ann_colour_pca pca;
        check_ok(ann_dataset_open(&dataset, &options));
        check_ok(ann_colour_pca_measure(&pca, dataset));
        ann_dataset_close(dataset);
        const double first = k ? 0 : sqrt(3) * 50 / 255;
        assert_true(fabs(pca.deviation[0] - first) < 1e-7);
        assert_true(pca.deviation[1] < 1e-7 && pca.deviation[2] < 1e-7);
        for (int c = 0; !k && c < 3; c++) assert_true(fabs(pca.component[0][c] - sqrt(1.0 / 3)) < 1e-7);
    }
}

static void needs_three_channels(void **state) {
    (void)state;
    ann_dataset *dataset;
    ann_colour_pca pca;
    const char *path = fixture_path("one.h5");
    fixture_images(path, "train", 4, 2);
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
    check_ok(ann_dataset_open(&dataset, &options));
    check_fails(ann_colour_pca_measure(&pca, dataset), ANN_ERR_ARG, "pca_colour: needs images of 3 channels");
    ann_dataset_close(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(components_are_numpys),
        cmocka_unit_test(degenerate_colours),
        cmocka_unit_test(needs_three_channels),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
