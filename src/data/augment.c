/* The list of ops: checks, keys, and the way of a sample through it. */
#include "data/augment_ops.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

/* What the ops need and do. Ops of geometry have no function here: augment_geometry.c composes them. */
static const struct {
    const char *name;
    bool image, colour; /* needs [H, W, C], and C = 3 */
    anni_augment_fn *apply;
} kinds[ANN_AUGMENT_KIND_COUNT] = {
    [ANN_AUGMENT_FLIP] = {"flip", true, false, NULL},
    [ANN_AUGMENT_SHIFT] = {"shift", true, false, NULL},
    [ANN_AUGMENT_CROP] = {"crop", true, false, NULL},
    [ANN_AUGMENT_RESIZED_CROP] = {"resized_crop", true, false, NULL},
    [ANN_AUGMENT_ROTATE] = {"rotate", true, false, NULL},
    [ANN_AUGMENT_ZOOM] = {"zoom", true, false, NULL},
    [ANN_AUGMENT_BRIGHTNESS] = {"brightness", true, false, anni_brightness},
    [ANN_AUGMENT_CONTRAST] = {"contrast", true, false, anni_contrast},
    [ANN_AUGMENT_JITTER] = {"jitter", true, false, anni_jitter},
    [ANN_AUGMENT_GRAYSCALE] = {"grayscale", true, true, anni_grayscale},
    [ANN_AUGMENT_PCA_COLOUR] = {"pca_colour", true, true, anni_pca_colour},
    [ANN_AUGMENT_GAUSSIAN] = {"gaussian", false, false, anni_gaussian},
    [ANN_AUGMENT_MASK] = {"mask", false, false, anni_mask},
    [ANN_AUGMENT_SALT_PEPPER] = {"salt_pepper", false, false, anni_salt_pepper},
    [ANN_AUGMENT_ERASE] = {"erase", true, false, anni_erase},
    [ANN_AUGMENT_BLUR] = {"blur", true, false, anni_blur},
    [ANN_AUGMENT_MIXUP] = {"mixup", false, false, NULL},
};

const char *ann_augment_kind_name(ann_augment_kind kind) { return kinds[kind].name; }

/* ---- checks ---- */

static bool is_range(const double range[2], double low, double high) {
    return low <= range[0] && range[0] <= range[1] && range[1] <= high;
}
static bool is_share(double v) { return v >= 0 && v <= 1; }

/* What is wrong with the parameters; NULL: nothing. */
static const char *wrong_parameter(const ann_augment_op *op) {
    static const double most = 1e6;
    switch (op->kind) {
    case ANN_AUGMENT_FLIP:
        return is_share(op->horizontal) && is_share(op->vertical) ? NULL : "probabilities are from 0 to 1";
    case ANN_AUGMENT_SHIFT:
    case ANN_AUGMENT_CROP:
        return op->pixels[0] >= 0 && op->pixels[1] >= 0 && op->pixels[0] <= 4096 && op->pixels[1] <= 4096
                   ? NULL
                   : "pixels are from 0 to 4096";
    case ANN_AUGMENT_RESIZED_CROP:
    case ANN_AUGMENT_ERASE:
        if (!is_range(op->scale, 0, 1) || op->scale[1] <= 0) return "scale is a range within 0 to 1";
        return is_range(op->ratio, 1e-3, 1e3) ? NULL : "ratio is a range within 0.001 to 1000";
    case ANN_AUGMENT_ROTATE:
        return op->degrees >= 0 && op->degrees <= 180 ? NULL : "degrees are from 0 to 180";
    case ANN_AUGMENT_ZOOM:
        return is_range(op->scale, 0.01, 100) ? NULL : "scale is a range within 0.01 to 100";
    case ANN_AUGMENT_BRIGHTNESS:
    case ANN_AUGMENT_CONTRAST:
    case ANN_AUGMENT_JITTER:
        if (!(op->brightness >= 0 && op->contrast >= 0 && op->saturation >= 0 && op->brightness <= most &&
              op->contrast <= most && op->saturation <= most))
            return "strengths are from 0 to 1000000";
        return op->hue >= 0 && op->hue <= 0.5 ? NULL : "hue is from 0 to 0.5";
    case ANN_AUGMENT_PCA_COLOUR:
    case ANN_AUGMENT_GAUSSIAN:
        return op->sigma >= 0 && op->sigma <= most ? NULL : "sigma is from 0 to 1000000";
    case ANN_AUGMENT_MASK:
    case ANN_AUGMENT_SALT_PEPPER: return is_share(op->fraction) ? NULL : "the fraction is from 0 to 1";
    case ANN_AUGMENT_BLUR:
        return is_range(op->blur, 0, ANNI_BLUR_MAX) ? NULL : "sigma is a range within 0 to 10";
    case ANN_AUGMENT_MIXUP:
        return op->alpha > 0 && op->alpha <= most ? NULL : "alpha is above 0, at most 1000000";
    default: return NULL;
    }
}

static ann_status check_op(const ann_augment_options *o, int i) {
    const ann_augment_op *op = &o->ops[i];
    if ((int)op->kind < 0 || op->kind >= ANN_AUGMENT_KIND_COUNT)
        return ann_error(ANN_ERR_ARG, "augmentation: there is no op %d", (int)op->kind);
    const char *name = kinds[op->kind].name;
    const char *wrong = is_share(op->p) ? wrong_parameter(op) : "p is from 0 to 1";
    if (wrong) return ann_error(ANN_ERR_ARG, "%s: %s", name, wrong);
    char shape[128];
    ann_shape_str(shape, sizeof shape, &o->shape);
    if (kinds[op->kind].image && (o->shape.rank != 3 || o->shape.dim[2] > ANNI_AUGMENT_MAX_CHANNELS))
        return ann_error(ANN_ERR_ARG, "%s: needs images [H, W, C] of at most %d channels, and x is %s", name,
                         ANNI_AUGMENT_MAX_CHANNELS, shape);
    const bool colour =
        kinds[op->kind].colour || (op->kind == ANN_AUGMENT_JITTER && (op->saturation > 0 || op->hue > 0));
    if (colour && o->shape.dim[2] != 3)
        return ann_error(ANN_ERR_ARG, "%s: needs images of 3 channels, and x is %s", name, shape);
    if (op->kind == ANN_AUGMENT_PCA_COLOUR && !o->pca)
        return ann_error(ANN_ERR_ARG, "%s: needs the principal components of the data", name);
    if (op->kind == ANN_AUGMENT_MIXUP && i != o->op_count - 1)
        return ann_error(ANN_ERR_ARG, "%s: is the last of the list, after what each sample goes through",
                         name);
    return ANN_OK;
}

static ann_status check(const ann_augment_options *o) {
    if (o->dtype != ANN_U8 && o->dtype != ANN_F32)
        return ann_error(ANN_ERR_ARG, "augmentation: x is %s, accepted are u8 and f32",
                         ann_dtype_name(o->dtype));
    if (ann_shape_elems(&o->shape) < 1) return ann_error(ANN_ERR_ARG, "augmentation: x has no elements");
    if (o->op_count < 0 || o->op_count > ANN_AUGMENT_MAX_OPS)
        return ann_error(ANN_ERR_ARG, "augmentation: %d ops, accepted are up to %d", o->op_count,
                         ANN_AUGMENT_MAX_OPS);
    for (int i = 0; i < o->op_count; i++) ANN_TRY(check_op(o, i));
    return ANN_OK;
}

/* ---- making one ---- */

ann_status ann_augment_new(ann_augment **out, const ann_augment_options *o) {
    *out = NULL;
    ANN_TRY(check(o));
    ann_augment *a = calloc(1, sizeof *a + (size_t)o->op_count * sizeof a->ops[0]);
    if (!a) return ann_error(ANN_ERR_MEMORY, "augmentation: out of memory");
    const bool image = o->shape.rank == 3 && o->shape.dim[2] <= ANNI_AUGMENT_MAX_CHANNELS;
    a->seed = o->seed;
    a->dtype = o->dtype;
    a->shape = o->shape;
    a->height = image ? o->shape.dim[0] : 1;
    a->width = image ? o->shape.dim[1] : ann_shape_elems(&o->shape);
    a->channels = image ? o->shape.dim[2] : 1;
    if (o->pca) a->pca = *o->pca;
    for (int i = 0; i < o->op_count; i++) {
        if (o->ops[i].kind == ANN_AUGMENT_MIXUP) {
            a->mixup_p = o->ops[i].p;
            a->mixup_alpha = o->ops[i].alpha;
        } else a->ops[a->op_count++] = o->ops[i];
    }
    *out = a;
    return ANN_OK;
}

bool anni_augment_fits(const ann_augment *a, ann_dtype dtype, const ann_shape *shape) {
    return a->dtype == dtype && ann_shape_equal(&a->shape, shape);
}

void ann_augment_free(ann_augment *augment) { free(augment); }

/* ---- a sample's way ---- */

size_t anni_image_bytes(int64_t channels, int64_t height, int64_t width) {
    return ann_align_up((size_t)(channels * height * width) * sizeof(float), ANN_ALIGN_BYTES);
}

anni_image anni_image_in(void *planes, int64_t channels, int64_t height, int64_t width) {
    char *spare = (char *)planes + anni_image_bytes(channels, height, width);
    return (anni_image){.channels = channels,
                        .height = height,
                        .width = width,
                        .pixels = height * width,
                        .now = planes,
                        .spare = (float *)(void *)spare};
}

size_t ann_augment_scratch_bytes(const ann_augment *a) {
    return 2 * anni_image_bytes(a->channels, a->height, a->width);
}

void anni_image_load_u8(anni_image *image, const uint8_t *in) {
    for (int64_t c = 0; c < image->channels; c++)
        for (int64_t i = 0; i < image->pixels; i++)
            image->now[c * image->pixels + i] = (float)in[i * image->channels + c] * (1.0f / 255.0f);
}

static void load_f32(anni_image *image, const float *in) {
    for (int64_t c = 0; c < image->channels; c++)
        for (int64_t i = 0; i < image->pixels; i++)
            image->now[c * image->pixels + i] = in[i * image->channels + c];
}

void anni_image_store_u8(uint8_t *out, const anni_image *image) {
    for (int64_t c = 0; c < image->channels; c++)
        for (int64_t i = 0; i < image->pixels; i++)
            out[i * image->channels + c] =
                (uint8_t)(int32_t)(anni_clamp01(image->now[c * image->pixels + i]) * 255.0f + 0.5f);
}

static void store_f32(float *out, const anni_image *image) {
    for (int64_t c = 0; c < image->channels; c++)
        for (int64_t i = 0; i < image->pixels; i++)
            out[i * image->channels + c] = image->now[c * image->pixels + i];
}

typedef struct version {
    int64_t epoch, sample;
    int view;
} version;

static anni_draws draws_of(const ann_augment *a, const version *v, int op) {
    const uint64_t place = (uint64_t)ANN_STREAM_AUGMENT << 32 | (uint32_t)v->view << 16 | (uint32_t)op;
    const ann_philox4 key = ann_philox(a->seed, (uint64_t)v->epoch, place);
    return (anni_draws){(uint64_t)key.v[1] << 32 | key.v[0], (uint64_t)v->sample};
}

/* Resamples for op i and all that can be composed with it. Returns the op behind them. */
static int apply_geometry(const ann_augment *a, anni_image *image, const version *v, int i) {
    const ann_augment_op *group = &a->ops[i];
    anni_affine map = ANNI_AFFINE_IDENTITY;
    for (; i < a->op_count && anni_joins(group, &a->ops[i]); i++) {
        const anni_draws d = draws_of(a, v, i);
        if (group->kind == ANN_AUGMENT_FLIP) group = &a->ops[i];
        anni_geometry_draw(&map, &a->ops[i], image, &d);
    }
    anni_resample(image, &map, group);
    return i;
}

static void apply_ops(const ann_augment *a, anni_image *image, const version *v) {
    for (int i = 0; i < a->op_count;) {
        const ann_augment_op *op = &a->ops[i];
        if (anni_is_geometry(op->kind)) {
            i = apply_geometry(a, image, v, i);
            continue;
        }
        const anni_draws d = draws_of(a, v, i++);
        if (anni_draw(&d, ANNI_DRAW_APPLY) < op->p) kinds[op->kind].apply(image, op, &a->pca, &d);
    }
}

void ann_augment_apply(const ann_augment *a, void *sample, int64_t epoch, int64_t sample_id, int view,
                       void *scratch) {
    const version v = {epoch, sample_id, view};
    anni_image image = anni_image_in(scratch, a->channels, a->height, a->width);
    if (a->op_count == 0) return;
    if (a->dtype == ANN_U8) anni_image_load_u8(&image, sample);
    else load_f32(&image, sample);
    apply_ops(a, &image, &v);
    if (a->dtype == ANN_U8) anni_image_store_u8(sample, &image);
    else store_f32(sample, &image);
}
