/* make_dataset KIND OUT.h5 [SAMPLES]: a dataset for the tests of the program. KIND is one of
     good      u8 images 8 x 8 x 1 in two classes, dark and bright; a quarter as many test samples
     float     the same as f32
     nan       float, with a NaN in the middle
     rank      x has no extent but the samples
     dtype     x is strings
     unequal   one label too few */
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 64 };

static bool put(hid_t group, const char *name, hid_t stored, hid_t memory, const void *data, int rank,
                const hsize_t *dims) {
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t dataset = H5Dcreate2(group, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const bool good = dataset >= 0 && H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    H5Dclose(dataset);
    H5Sclose(space);
    return good;
}

/* Class 0 is dark, class 1 is bright; the rest is noise of a small generator. */
static void draw(float *x, uint8_t *y, long samples) {
    uint32_t state = 1;
    for (long s = 0; s < samples; s++) {
        y[s] = (uint8_t)(s % 2);
        for (int i = 0; i < PIXELS; i++) {
            state = state * 1664525u + 1013904223u;
            x[s * PIXELS + i] = (float)((state >> 24) % 100 + (y[s] ? 120 : 0));
        }
    }
}

static bool put_split(hid_t file, const char *kind, const char *split, long samples) {
    float *x = calloc((size_t)samples * PIXELS, sizeof *x);
    uint8_t *y = calloc((size_t)samples, sizeof *y);
    const hid_t group = H5Gcreate2(file, split, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool good = x != NULL && y != NULL && group >= 0;
    if (good) {
        draw(x, y, samples);
        const bool has_nan = strcmp(kind, "nan") == 0;
        if (has_nan) x[samples * PIXELS / 2] = NAN;
        const bool is_text = strcmp(kind, "dtype") == 0;
        const hid_t stored = has_nan || strcmp(kind, "float") == 0 ? H5T_IEEE_F32LE
                             : is_text                             ? H5T_C_S1
                                                                   : H5T_STD_U8LE;
        const hsize_t dims[] = {(hsize_t)samples, 8, 8, 1};
        const hsize_t labels = (hsize_t)(samples - (strcmp(kind, "unequal") == 0));
        good = put(group, "x", stored, is_text ? H5T_C_S1 : H5T_NATIVE_FLOAT, x,
                   strcmp(kind, "rank") == 0 ? 1 : 4, dims) &&
               put(group, "y", H5T_STD_U8LE, H5T_NATIVE_UINT8, y, 1, &labels);
    }
    H5Gclose(group);
    free(x);
    free(y);
    return good;
}

int main(int argc, char **argv) {
    const long samples = argc > 3 ? strtol(argv[3], NULL, 10) : 200;
    if (argc < 3 || samples < 2) {
        fputs("usage: make_dataset good|float|nan|rank|dtype|unequal OUT.h5 [SAMPLES, at least 2]\n", stderr);
        return 2;
    }
    const hid_t file = H5Fcreate(argv[2], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    bool good = file >= 0 && put_split(file, argv[1], "train", samples) &&
                put_split(file, argv[1], "test", samples < 4 ? 1 : samples / 4);
    good = H5Fclose(file) >= 0 && good;
    return good ? 0 : 1;
}
