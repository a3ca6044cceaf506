/* The list of ops of a transform: checks, and the way of a sample through it. */
#include "data/transform_ops.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

enum { MAX_SIDE = 4096, MAX_OCTAVES = 12 };

struct ann_transform {
    uint64_t seed;
    int64_t height, width, channels;
    size_t lattice_bytes; /* of the largest lattice of any texture */
    int op_count;
    ann_transform_op ops[];
};

static const char *const names[ANN_TRANSFORM_KIND_COUNT] = {
    [ANN_TRANSFORM_INVERT] = "invert",
    [ANN_TRANSFORM_TEXTURE] = "texture",
    [ANN_TRANSFORM_BLUR] = "blur",
    [ANN_TRANSFORM_ROTATE] = "rotate",
    [ANN_TRANSFORM_BRIGHTNESS] = "brightness",
};

const char *ann_transform_kind_name(ann_transform_kind kind) { return names[kind]; }

/* ---- checks ---- */

static bool is_range(const double range[2], double low, double high) {
    return low <= range[0] && range[0] <= range[1] && range[1] <= high;
}
static bool is_share(double v) { return v >= 0 && v <= 1; }

static const char *wrong_texture(const ann_transform_op *op) {
    if (!is_range(op->level, 0, 1)) return "level is a range within 0 to 1";
    if (!is_share(op->background)) return "background is from 0 to 1";
    if (!(op->edge > 0 && op->edge <= 1)) return "edge is above 0, at most 1";
    if (!(op->cell >= 1 && op->cell <= MAX_SIDE)) return "cell is from 1 to 4096 pixels";
    if (op->octaves < 1 || op->octaves > MAX_OCTAVES) return "octaves are 1 to 12";
    return op->cell / (double)(1 << (op->octaves - 1)) >= 1
               ? NULL
               : "the last of the octaves has cells below a pixel";
}

/* What is wrong with the parameters; NULL: nothing. */
static const char *wrong_parameter(const ann_transform_op *op) {
    switch (op->kind) {
    case ANN_TRANSFORM_TEXTURE: return wrong_texture(op);
    case ANN_TRANSFORM_BLUR:
        return is_range(op->sigma, 0, ANNI_BLUR_MAX) ? NULL : "sigma is a range within 0 to 10";
    case ANN_TRANSFORM_BRIGHTNESS:
        return is_range(op->factor, 0, 100) ? NULL : "factor is a range within 0 to 100";
    case ANN_TRANSFORM_ROTATE:
        if (!is_share(op->fill)) return "fill is from 0 to 1";
        return is_range(op->degrees, -180, 180) ? NULL : "degrees are a range within -180 to 180";
    default: return NULL;
    }
}

static ann_status check(const ann_shape *shape, const ann_transform_op *ops, int op_count) {
    char text[128];
    const bool fits = shape->rank == 3 && shape->dim[0] <= MAX_SIDE && shape->dim[1] <= MAX_SIDE &&
                      shape->dim[2] <= ANNI_AUGMENT_MAX_CHANNELS;
    if (!fits || ann_shape_elems(shape) < 1)
        return ann_error(ANN_ERR_ARG,
                         "a transform needs images [H, W, C] of at most %d pixels a side and %d channels, "
                         "and x is %s",
                         MAX_SIDE, ANNI_AUGMENT_MAX_CHANNELS, ann_shape_str(text, sizeof text, shape));
    if (op_count < 1 || op_count > ANN_TRANSFORM_MAX_OPS)
        return ann_error(ANN_ERR_ARG, "a transform of %d ops, accepted are 1 to %d", op_count,
                         ANN_TRANSFORM_MAX_OPS);
    for (int i = 0; i < op_count; i++) {
        if ((int)ops[i].kind < 0 || ops[i].kind >= ANN_TRANSFORM_KIND_COUNT)
            return ann_error(ANN_ERR_ARG, "a transform has no op %d", (int)ops[i].kind);
        const char *wrong = wrong_parameter(&ops[i]);
        if (wrong) return ann_error(ANN_ERR_ARG, "%s: %s", names[ops[i].kind], wrong);
    }
    return ANN_OK;
}

/* ---- making one ---- */

ann_status ann_transform_new(ann_transform **out, uint64_t seed, const ann_shape *shape,
                             const ann_transform_op *ops, int op_count) {
    *out = NULL;
    ANN_TRY(check(shape, ops, op_count));
    ann_transform *t = calloc(1, sizeof *t + (size_t)op_count * sizeof t->ops[0]);
    if (!t) return ann_error(ANN_ERR_MEMORY, "transform: out of memory");
    t->seed = seed;
    t->height = shape->dim[0];
    t->width = shape->dim[1];
    t->channels = shape->dim[2];
    t->op_count = op_count;
    memcpy(t->ops, ops, (size_t)op_count * sizeof *ops);
    for (int i = 0; i < op_count; i++) {
        if (ops[i].kind != ANN_TRANSFORM_TEXTURE) continue;
        const size_t bytes = anni_texture_lattice(&ops[i], t->height, t->width) * sizeof(float);
        if (bytes > t->lattice_bytes) t->lattice_bytes = bytes;
    }
    *out = t;
    return ANN_OK;
}

void ann_transform_free(ann_transform *transform) { free(transform); }

/* ---- a sample's way ---- */

size_t ann_transform_scratch_bytes(const ann_transform *t) {
    return 2 * anni_image_bytes(t->channels, t->height, t->width) + t->lattice_bytes;
}

static void invert(anni_image *image) {
    for (int64_t i = 0; i < image->channels * image->pixels; i++) image->now[i] = 1.0f - image->now[i];
}

static void rotate(anni_image *image, const ann_transform_op *op, const anni_draws *d) {
    const anni_affine map =
        anni_rotation(image, anni_draw_between(d, ANNI_DRAW_FIRST, op->degrees[0], op->degrees[1]));
    anni_resample(image, &map,
                  &(ann_augment_op){.kind = ANN_AUGMENT_ROTATE, .border = op->border, .fill = op->fill});
}

static void apply_op(anni_image *image, const ann_transform_op *op, const anni_draws *d, float *lattice) {
    const unsigned first = ANNI_DRAW_FIRST;
    switch (op->kind) {
    case ANN_TRANSFORM_INVERT: invert(image); break;
    case ANN_TRANSFORM_TEXTURE: anni_texture(image, op, d, lattice); break;
    case ANN_TRANSFORM_BLUR:
        anni_blur_by(image, anni_draw_between(d, first, op->sigma[0], op->sigma[1]));
        break;
    case ANN_TRANSFORM_BRIGHTNESS:
        anni_brighten(image, (float)anni_draw_between(d, first, op->factor[0], op->factor[1]));
        break;
    default: rotate(image, op, d); break;
    }
}

void ann_transform_apply(const ann_transform *t, uint8_t *sample, int64_t sample_id, void *scratch) {
    const size_t planes = 2 * anni_image_bytes(t->channels, t->height, t->width);
    anni_image image = anni_image_in(scratch, t->channels, t->height, t->width);
    anni_image_load_u8(&image, sample);
    for (int i = 0; i < t->op_count; i++) {
        const ann_philox4 key = ann_philox(t->seed, (uint64_t)i, (uint64_t)ANN_STREAM_TRANSFORM << 32);
        const anni_draws d = {(uint64_t)key.v[1] << 32 | key.v[0], (uint64_t)sample_id};
        apply_op(&image, &t->ops[i], &d, (float *)(void *)((char *)scratch + planes));
    }
    anni_image_store_u8(sample, &image);
}
