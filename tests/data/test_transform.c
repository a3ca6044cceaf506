/* Every op of a transform against numpy (tests/reference/gen_transform.py), and what decides the result. */
#include "data/transform.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "data/transform_values.h"
#include "support/check.h"

enum { SEED = 21, MAX_ELEMS = 9 * 11, MAX_OPS = 5 };
static const int64_t samples[] = {0, 1000003};
static const ann_shape grey = {.rank = 3, .dim = {9, 11, 1}}, colour = {.rank = 3, .dim = {8, 6, 3}};

/* A third of the pixels is background, and some are close to it. */
static void paint(uint8_t *out, const ann_shape *shape, int64_t sample) {
    const int64_t c = shape->dim[2], pixels = shape->dim[0] * shape->dim[1];
    for (int64_t at = 0; at < pixels; at++)
        for (int64_t k = 0; k < c; k++) {
            const int64_t v = (sample % 256 * 31 + (at * c + k) * 37) % 256;
            out[at * c + k] = (uint8_t)(at % 3 == 0 ? 0 : at % 5 == 0 ? v % 40 : v);
        }
}

static void transform(uint8_t *x, uint64_t seed, const ann_shape *shape, const ann_transform_op *ops,
                      int count, int64_t sample) {
    ann_transform *t;
    void *scratch;
    check_ok(ann_transform_new(&t, seed, shape, ops, count));
    check_ok(ann_mem_alloc(&scratch, ann_transform_scratch_bytes(t)));
    ann_transform_apply(t, x, sample, scratch);
    ann_mem_free(scratch, ann_transform_scratch_bytes(t));
    ann_transform_free(t);
}

/* ---- values ---- */

static const ann_transform_op shift[] = {
    {.kind = ANN_TRANSFORM_INVERT},
    {.kind = ANN_TRANSFORM_TEXTURE, .level = {0, 0.2}, .background = 1, .edge = 0.3, .cell = 8, .octaves = 3},
    {.kind = ANN_TRANSFORM_BLUR, .sigma = {0.6, 0.6}},
    {.kind = ANN_TRANSFORM_BRIGHTNESS, .factor = {0.6, 0.9}},
    {.kind = ANN_TRANSFORM_ROTATE, .degrees = {-15, 15}, .border = ANN_BORDER_REFLECT}};
enum { SHIFT = sizeof shift / sizeof shift[0] };

/* f32 arithmetic of a few dozen operations on numbers of size 1, divided by an edge of 0.3 or more. */
static void check_values(const ann_transform_op *ops, int count, const ann_shape *shape, const double *want) {
    const double tolerance = 255 * 128 * (double)FLT_EPSILON;
    for (int s = 0; s < 2; s++) {
        uint8_t x[8 * 6 * 3];
        const int64_t n = ann_shape_elems(shape);
        paint(x, shape, samples[s]);
        transform(x, SEED, shape, ops, count, samples[s]);
        for (int64_t i = 0; i < n; i++)
            if (!(fabs(x[i] - want[s * n + i]) <= 0.5 + tolerance))
                fail_msg("sample %d, element %d: %d, not %g", s, (int)i, x[i], want[s * n + i]);
    }
}

static void values_of_numpy(void **state) {
    (void)state;
    check_values(&(ann_transform_op){.kind = ANN_TRANSFORM_INVERT}, 1, &grey, values_invert[0]);
    check_values(
        &(ann_transform_op){
            .kind = ANN_TRANSFORM_TEXTURE, .level = {0.2, 0.9}, .edge = 0.3, .cell = 5, .octaves = 3},
        1, &grey, values_texture[0]);
    check_values(&(ann_transform_op){.kind = ANN_TRANSFORM_TEXTURE,
                                     .level = {0.5, 0.6},
                                     .background = 1,
                                     .edge = 1,
                                     .cell = 2.5,
                                     .octaves = 1},
                 1, &colour, values_texture_colour[0]);
    check_values(&(ann_transform_op){.kind = ANN_TRANSFORM_BLUR, .sigma = {0.5, 1.5}}, 1, &colour,
                 values_blur[0]);
    check_values(&(ann_transform_op){.kind = ANN_TRANSFORM_BRIGHTNESS, .factor = {0.4, 1.8}}, 1, &colour,
                 values_brightness[0]);
    check_values(&(ann_transform_op){.kind = ANN_TRANSFORM_ROTATE, .degrees = {-40, 170}, .fill = 0.25}, 1,
                 &grey, values_rotate_fill[0]);
    check_values(
        &(ann_transform_op){.kind = ANN_TRANSFORM_ROTATE, .degrees = {30, 30}, .border = ANN_BORDER_EDGE}, 1,
        &colour, values_rotate_edge[0]);
    check_values(&shift[SHIFT - 1], 1, &grey, values_rotate_reflect[0]);
    check_values(shift, SHIFT, &grey, values_shift[0]);
}

/* ---- what decides the result ---- */

static void what_decides(void **state) {
    (void)state;
    uint8_t first[MAX_ELEMS], other[MAX_ELEMS];
    for (int what = 0; what < 3; what++) { /* nothing, seed, sample */
        paint(first, &grey, 0);
        paint(other, &grey, 0);
        transform(first, SEED, &grey, shift, SHIFT, 4);
        transform(other, SEED + (what == 1), &grey, shift, SHIFT, 4 + (what == 2));
        assert_int_equal(memcmp(first, other, MAX_ELEMS) != 0, what > 0);
    }
}

/* A texture of one level changes nothing where there is no background, and is that level where there is. */
static void texture_keeps_the_picture(void **state) {
    (void)state;
    const ann_transform_op flat = {
        .kind = ANN_TRANSFORM_TEXTURE, .level = {0.4, 0.4}, .edge = 0.1, .cell = 4, .octaves = 2};
    uint8_t x[MAX_ELEMS], was[MAX_ELEMS];
    paint(x, &grey, 0);
    memcpy(was, x, sizeof was);
    transform(x, SEED, &grey, &flat, 1, 0);
    int grounds = 0;
    for (int i = 0; i < MAX_ELEMS; i++) {
        if (was[i] >= 26) assert_int_equal(x[i], was[i]);
        if (was[i] == 0) assert_int_equal(x[i], 102);
        grounds += was[i] == 0;
    }
    assert_true(grounds > 10);
}

/* ---- mistakes ---- */

static void refuse(const ann_shape *shape, ann_transform_op op, int count, const char *words) {
    ann_transform *t;
    assert_int_equal(ann_transform_new(&t, 0, shape, &op, count), ANN_ERR_ARG);
    assert_null(t);
    if (strstr(ann_error_text(), words) == NULL) fail_msg("'%s' lacks '%s'", ann_error_text(), words);
}

static void mistakes(void **state) {
    (void)state;
    const ann_transform_op good = {
        .kind = ANN_TRANSFORM_TEXTURE, .level = {0, 1}, .edge = 0.1, .cell = 4, .octaves = 3};
    refuse(&ANN_SHAPE(28, 28), good, 1, "needs images [H, W, C] of at most 4096 pixels a side");
    refuse(&ANN_SHAPE(4097, 2, 1), good, 1, "and x is [4097,2,1]");
    refuse(&ANN_SHAPE(2, 2, 65), good, 1, "64 channels");
    refuse(&grey, good, 0, "a transform of 0 ops, accepted are 1 to 64");
    refuse(&grey, (ann_transform_op){.kind = ANN_TRANSFORM_KIND_COUNT}, 1, "has no op");
    ann_transform_op op = good;
    op.octaves = 4;
    refuse(&grey, op, 1, "texture: the last of the octaves has cells below a pixel");
    op.octaves = 0;
    refuse(&grey, op, 1, "texture: octaves are 1 to 12");
    op = good, op.edge = 0;
    refuse(&grey, op, 1, "texture: edge is above 0, at most 1");
    op = good, op.level[1] = 1.5;
    refuse(&grey, op, 1, "texture: level is a range within 0 to 1");
    op = good, op.background = NAN;
    refuse(&grey, op, 1, "texture: background is from 0 to 1");
    op = good, op.cell = 0.5;
    refuse(&grey, op, 1, "texture: cell is from 1 to 4096 pixels");
    refuse(&grey, (ann_transform_op){.kind = ANN_TRANSFORM_BLUR, .sigma = {0, 11}}, 1,
           "blur: sigma is a range within 0 to 10");
    refuse(&grey, (ann_transform_op){.kind = ANN_TRANSFORM_BRIGHTNESS, .factor = {-1, 1}}, 1,
           "brightness: factor is a range within 0 to 100");
    refuse(&grey, (ann_transform_op){.kind = ANN_TRANSFORM_ROTATE, .degrees = {-181, 0}}, 1,
           "rotate: degrees are a range within -180 to 180");
    refuse(&grey, (ann_transform_op){.kind = ANN_TRANSFORM_ROTATE, .fill = 2}, 1,
           "rotate: fill is from 0 to 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_numpy),
        cmocka_unit_test(what_decides),
        cmocka_unit_test(texture_keeps_the_picture),
        cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
