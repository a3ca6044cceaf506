#include <stdlib.h>
#include "datasets/image.h"

#define ONE 65536 /* the sum of a pixel's weights */

/* The pixels of one direction that an output pixel is made of, and their weights. */
typedef struct taps {
    int first, count;
    uint32_t *weights;
} taps;

/* In units of 1/to of an input pixel, output pixel i covers [i from, (i + 1) from). Weights are differences
 * of rounded sums, so their sum is exact. */
static void cover(taps *t, int i, int from, int to) {
    const int64_t begin = (int64_t)i * from, end = begin + from;
    uint32_t before = 0;
    t->first = (int)(begin / to);
    t->count = (int)((end + to - 1) / to) - t->first;
    for (int k = 0; k < t->count; k++) {
        const int64_t edge = (int64_t)(t->first + k + 1) * to;
        const int64_t covered = (edge < end ? edge : end) - begin;
        const uint32_t sum = (uint32_t)((covered * ONE + from / 2) / from);
        t->weights[k] = sum - before;
        before = sum;
    }
}

/* The centre of output pixel i lies ((2 i + 1) from - to) / (2 to) behind that of the first input pixel. */
static void interpolate(taps *t, int i, int from, int to) {
    int64_t at = (2 * (int64_t)i + 1) * from - to;
    const int64_t last = 2 * (int64_t)to * (from - 1);
    at = at < 0 ? 0 : at > last ? last : at;
    t->first = (int)(at / (2 * (int64_t)to));
    t->count = t->first + 1 < from ? 2 : 1;
    const int64_t rest = at - 2 * (int64_t)to * t->first;
    t->weights[1] = (uint32_t)((rest * ONE + to) / (2 * (int64_t)to));
    t->weights[0] = ONE - t->weights[1];
}

static void find_taps(taps *all, uint32_t *weights, int room, int from, int to) {
    for (int i = 0; i < to; i++) {
        all[i].weights = weights + (size_t)i * (size_t)room;
        if (to < from) cover(&all[i], i, from, to);
        else interpolate(&all[i], i, from, to);
    }
}

/* Input pixels that one output pixel may need. */
static int tap_room(int from, int to) { return from / to + 3; }

/* Every row of the image to `width` pixels, in units of 1/ONE. */
static void resize_rows(uint32_t *out, const taps *columns, int width, const anni_image *image) {
    const int channels = image->channels;
    for (int y = 0; y < image->height; y++) {
        const uint8_t *row = image->pixels + (size_t)y * (size_t)image->width * (size_t)channels;
        for (int x = 0; x < width; x++) {
            const taps *t = &columns[x];
            for (int c = 0; c < channels; c++) {
                uint32_t sum = 0;
                for (int k = 0; k < t->count; k++) sum += t->weights[k] * row[(t->first + k) * channels + c];
                *out++ = sum;
            }
        }
    }
}

static void resize_columns(uint8_t *out, const taps *rows, int height, size_t row_elems,
                           const uint32_t *narrow) {
    for (int y = 0; y < height; y++) {
        const taps *t = &rows[y];
        for (size_t i = 0; i < row_elems; i++) {
            uint64_t sum = (uint64_t)ONE * ONE / 2;
            for (int k = 0; k < t->count; k++)
                sum += (uint64_t)t->weights[k] * narrow[(size_t)(t->first + k) * row_elems + i];
            *out++ = (uint8_t)(sum / ((uint64_t)ONE * ONE));
        }
    }
}

ann_status anni_image_check_size(int height, int width) {
    if (height == 0 && width == 0) return ANN_OK;
    if (height >= 1 && width >= 1 && height <= ANNI_IMAGE_MAX_SIDE && width <= ANNI_IMAGE_MAX_SIDE &&
        (int64_t)height * width <= ANNI_IMAGE_MAX_PIXELS)
        return ANN_OK;
    return ann_error(ANN_ERR_ARG, "import: a size of %d x %d, accepted: 1 to %d a side and %d pixels in all",
                     height, width, ANNI_IMAGE_MAX_SIDE, ANNI_IMAGE_MAX_PIXELS);
}

ann_status anni_image_resize(uint8_t *out, int height, int width, const anni_image *image) {
    const int column_room = tap_room(image->width, width), row_room = tap_room(image->height, height);
    const size_t row_elems = (size_t)width * (size_t)image->channels;
    const size_t weights = (size_t)width * (size_t)column_room + (size_t)height * (size_t)row_room;
    taps *all = malloc((size_t)(height + width) * sizeof *all);
    uint32_t *numbers = calloc(weights + (size_t)image->height * row_elems, sizeof *numbers);
    ann_status status = ANN_OK;
    if (all == NULL || numbers == NULL) {
        status = ann_error(ANN_ERR_MEMORY, "out of memory");
    } else {
        uint32_t *narrow = numbers + weights;
        find_taps(all, numbers, column_room, image->width, width);
        find_taps(all + width, numbers + (size_t)width * (size_t)column_room, row_room, image->height,
                  height);
        resize_rows(narrow, all, width, image);
        resize_columns(out, all + width, height, row_elems, narrow);
    }
    free(numbers);
    free(all);
    return status;
}
