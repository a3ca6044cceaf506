/* The augmentation of a phase's training samples, from the run file. */
#include "train/internal.h"

#include <stdio.h>
#include <string.h>

bool anni_has_mixup(const ann_phase_config *config) {
    return config->augment_count > 0 &&
           config->augment[config->augment_count - 1].op.kind == ANN_AUGMENT_MIXUP;
}

/* An op that does not fit the data is a mistake in the run file. */
static ann_status as_config_error(const ann_augment_config *a, ann_status status) {
    if (status != ANN_ERR_ARG) return status;
    char text[512];
    const size_t name = strlen(ann_augment_kind_name(a->op.kind)) + strlen(": ");
    snprintf(text, sizeof text, "%s", ann_error_text());
    return ann_yaml_key_error(a->node, "%s", strlen(text) > name ? text + name : text);
}

static ann_status check_op(const ann_augment_config *a, const ann_augment_options *all) {
    ann_augment_options one = *all;
    ann_augment *augment;
    one.ops = &a->op;
    one.op_count = 1;
    ANN_TRY(as_config_error(a, ann_augment_new(&augment, &one)));
    ann_augment_free(augment);
    return ANN_OK;
}

/* A target that is an image would have to move with x. */
static ann_status check_target(const ann_augment_config *a, const ann_phase_config *config,
                               const ann_dataset *train) {
    const int field = ann_dataset_find(train, "y");
    char shape[128];
    if (config->target != ANN_TARGET_Y || field < 0 || a->op.kind > ANN_AUGMENT_ZOOM) return ANN_OK;
    const ann_field_info *y = ann_dataset_field(train, field);
    if (y->shape.rank < 2) return ANN_OK;
    return ann_yaml_key_error(a->node,
                              "moves x and not its target y, which is %s; accepted are ops that move nothing",
                              ann_shape_str(shape, sizeof shape, &y->shape));
}

ann_status anni_augment_new(ann_augment **out, const ann_phase_config *config, uint64_t phase_seed,
                            const ann_dataset *train) {
    ann_augment_op ops[ANN_AUGMENT_MAX_OPS];
    ann_colour_pca pca;
    const ann_field_info *x = ann_dataset_field(train, ann_dataset_find(train, "x"));
    ann_augment_options options = {.seed = phase_seed,
                                   .dtype = x->dtype,
                                   .shape = x->shape,
                                   .ops = ops,
                                   .op_count = config->augment_count};
    *out = NULL;
    if (config->augment_count == 0) return ANN_OK;
    for (int i = 0; i < config->augment_count; i++) {
        const ann_augment_config *a = &config->augment[i];
        ops[i] = a->op;
        if (a->op.kind == ANN_AUGMENT_PCA_COLOUR && !options.pca) {
            ANN_TRY(as_config_error(a, ann_colour_pca_measure(&pca, train)));
            options.pca = &pca;
        }
        ANN_TRY(check_op(a, &options));
        ANN_TRY(check_target(a, config, train));
    }
    return ann_augment_new(out, &options);
}
