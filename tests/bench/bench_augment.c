/* Samples per second of augmentation on one thread, per op and for common lists:
   bench_augment [seconds per line]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "data/augment.h"

enum { SAMPLES = 64, MAX_OPS = 4 };

#define FLIP                                                                                                 \
    { .kind = ANN_AUGMENT_FLIP, .horizontal = 0.5 }
#define CROP                                                                                                 \
    {                                                                                                        \
        .kind = ANN_AUGMENT_CROP, .p = 1, .pixels = { 4, 4 }                                                 \
    }
#define NOISE                                                                                                \
    { .kind = ANN_AUGMENT_GAUSSIAN, .p = 1, .sigma = 0.1 }
#define JITTER                                                                                               \
    { .kind = ANN_AUGMENT_JITTER, .p = 1, .brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1 }
#define RESIZED_CROP                                                                                         \
    {                                                                                                        \
        .kind = ANN_AUGMENT_RESIZED_CROP, .p = 1, .scale = {0.08, 1}, .ratio = { 0.75, 4.0 / 3 }             \
    }

static const struct {
    const char *name;
    bool colour;
    int op_count;
    ann_augment_op ops[MAX_OPS];
} lists[] = {
    {"flip", false, 1, {FLIP}},
    {"crop", false, 1, {CROP}},
    {"resized_crop", false, 1, {RESIZED_CROP}},
    {"rotate", false, 1, {{.kind = ANN_AUGMENT_ROTATE, .p = 1, .degrees = 15}}},
    {"zoom", false, 1, {{.kind = ANN_AUGMENT_ZOOM, .p = 1, .scale = {0.8, 1.2}}}},
    {"rotate+zoom+crop",
     false,
     3,
     {{.kind = ANN_AUGMENT_ROTATE, .p = 1, .degrees = 15},
      {.kind = ANN_AUGMENT_ZOOM, .p = 1, .scale = {0.8, 1.2}},
      CROP}},
    {"brightness", false, 1, {{.kind = ANN_AUGMENT_BRIGHTNESS, .p = 1, .brightness = 0.4}}},
    {"contrast", false, 1, {{.kind = ANN_AUGMENT_CONTRAST, .p = 1, .contrast = 0.4}}},
    {"jitter", true, 1, {JITTER}},
    {"grayscale", true, 1, {{.kind = ANN_AUGMENT_GRAYSCALE, .p = 1}}},
    {"pca_colour", true, 1, {{.kind = ANN_AUGMENT_PCA_COLOUR, .p = 1, .sigma = 0.1}}},
    {"gaussian", false, 1, {NOISE}},
    {"mask", false, 1, {{.kind = ANN_AUGMENT_MASK, .p = 1, .fraction = 0.3}}},
    {"salt_pepper", false, 1, {{.kind = ANN_AUGMENT_SALT_PEPPER, .p = 1, .fraction = 0.1}}},
    {"erase",
     false,
     1,
     {{.kind = ANN_AUGMENT_ERASE, .p = 1, .scale = {0.02, 0.4}, .ratio = {0.3, 3.3}, .random_fill = true}}},
    {"blur", false, 1, {{.kind = ANN_AUGMENT_BLUR, .p = 1, .blur = {0.1, 2}}}},
    {"flip+crop+gaussian", false, 3, {FLIP, CROP, NOISE}},
    {"SimCLR", true, 4, {RESIZED_CROP, FLIP, JITTER, {.kind = ANN_AUGMENT_GRAYSCALE, .p = 0.2}}},
};

static double samples_per_s(const ann_augment *augment, size_t bytes, double seconds) {
    void *data, *scratch;
    int64_t done = 0;
    if (ann_mem_alloc(&data, SAMPLES * bytes) != ANN_OK) return 0;
    if (ann_mem_alloc(&scratch, ann_augment_scratch_bytes(augment)) != ANN_OK) return 0;
    for (size_t i = 0; i < SAMPLES * bytes; i++) ((uint8_t *)data)[i] = (uint8_t)(i * 2654435761u >> 13);
    const int64_t start = ann_clock_ns(), end = start + (int64_t)(1e9 * seconds);
    while (ann_clock_ns() < end)
        for (int64_t i = 0; i < SAMPLES; i++, done++)
            ann_augment_apply(augment, (char *)data + (size_t)i * bytes, done / SAMPLES, i, 0, scratch);
    const double rate = 1e9 * (double)done / (double)(ann_clock_ns() - start);
    ann_mem_free(data, SAMPLES * bytes);
    ann_mem_free(scratch, ann_augment_scratch_bytes(augment));
    return rate;
}

int main(int argc, char **argv) {
    static const ann_colour_pca pca = {{0.3, 0.05, 0.02},
                                       {{0.58, 0.58, 0.57}, {0.7, 0, -0.7}, {0.4, -0.8, 0.4}}};
    const double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.2;
    printf("%-20s %14s %14s   samples/s on one thread, u8\n", "op", "28x28x1", "32x32x3");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const ann_shape shapes[] = {ANN_SHAPE(28, 28, 1), ANN_SHAPE(32, 32, 3)};
        printf("%-20s", lists[i].name);
        for (int s = lists[i].colour; s < 2; s++) {
            const ann_augment_options options = {.seed = 1,
                                                 .dtype = ANN_U8,
                                                 .shape = shapes[s],
                                                 .ops = lists[i].ops,
                                                 .op_count = lists[i].op_count,
                                                 .pca = &pca};
            ann_augment *augment;
            if (ann_augment_new(&augment, &options) != ANN_OK) {
                fprintf(stderr, "%s\n", ann_error_text());
                return 1;
            }
            printf("%*.0f", s && lists[i].colour ? 30 : 15,
                   samples_per_s(augment, (size_t)ann_shape_elems(&shapes[s]), seconds));
            ann_augment_free(augment);
        }
        printf("\n");
    }
    return 0;
}
