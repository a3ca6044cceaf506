#include "support/tiny_data.h"

#include <stdint.h>
#include <hdf5.h>
#include "base/philox.h"
#include "support/check.h"

enum { PIXELS = TINY_SIDE * TINY_SIDE, SEED = 11 };

/* Class c has a bright bar: rows 0-3, rows 4-7, columns 0-3 or columns 4-7. */
static void draw(uint8_t *image, uint8_t *label, double brightness, uint32_t stream, uint64_t sample) {
    const int class = (int)(sample % TINY_CLASSES);
    for (int i = 0; i < PIXELS; i++) {
        const int along = class < 2 ? i / TINY_SIDE : i % TINY_SIDE;
        const bool bright = (along >= TINY_SIDE / 2) == (class % 2 == 1);
        image[i] = (uint8_t)(255 * brightness * ann_random_uniform(SEED, stream, sample, (uint64_t)i) *
                             (bright ? 1 : 0.7));
    }
    const bool wrong = ann_random_uniform(SEED, stream, sample, PIXELS) < 0.2;
    *label = (uint8_t)(wrong ? (class + 1) % TINY_CLASSES : class);
}

static void put(hid_t group, const char *name, hid_t type, int rank, const hsize_t *dims, const void *data) {
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t set = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

typedef struct look {
    int huge; /* < 0: u8 */
    double brightness;
} look;

static void put_split(hid_t file, const char *name, uint32_t stream, int samples, look of) {
    static uint8_t x[TINY_TRAIN][PIXELS], y[TINY_TRAIN];
    static float real[TINY_TRAIN][PIXELS];
    const hsize_t dims[4] = {(hsize_t)samples, TINY_SIDE, TINY_SIDE, 1};
    const hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    for (int i = 0; i < samples; i++) {
        draw(x[i], &y[i], of.brightness, stream, (uint64_t)i);
        for (int j = 0; j < PIXELS; j++) real[i][j] = (float)x[i][j] / 256;
    }
    if (of.huge >= 0 && of.huge < samples) real[of.huge][0] = 3e38f;
    if (of.huge < 0) put(group, "x", H5T_NATIVE_UINT8, 4, dims, x);
    else put(group, "x", H5T_NATIVE_FLOAT, 4, dims, real);
    put(group, "y", H5T_NATIVE_UINT8, 1, dims, y);
    H5Gclose(group);
}

static void write_file(const char *path, look of) {
    const hid_t file = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    put_split(file, "train", 1, TINY_TRAIN, of);
    if (of.huge >= 0) of.huge = TINY_TRAIN; /* not in the test split */
    put_split(file, "test", 2, TINY_TEST, of);
    assert_true(H5Fclose(file) >= 0);
}

void tiny_data_write(const char *path) { write_file(path, (look){-1, 1}); }
void tiny_data_write_dark(const char *path) { write_file(path, (look){-1, 0.85}); }
void tiny_data_write_f32(const char *path, int huge) { write_file(path, (look){huge, 1}); }
