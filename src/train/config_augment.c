/* phases[].augment: reading and checks. */
#include "train/config_schema.h"

#include <string.h>

/* The sections stand in the order of the kinds. */
static section_id section_of(ann_augment_kind kind) { return (section_id)(SECTION_AUGMENT_FLIP + (int)kind); }

static ann_status find_kind(ann_augment_kind *out, const ann_yaml_node *node) {
    const char *names[ANN_AUGMENT_KIND_COUNT];
    for (int k = 0; k < ANN_AUGMENT_KIND_COUNT; k++) {
        *out = (ann_augment_kind)k;
        names[k] = ann_augment_kind_name(*out);
        if (strcmp(names[k], node->key) == 0) return ANN_OK;
    }
    const char *nearest = ann_nearest_word(node->key, names, ANN_AUGMENT_KIND_COUNT);
    if (nearest) return ann_yaml_key_error(node, "unknown op, did you mean '%s'?", nearest);
    return ann_yaml_key_error(node,
                              "unknown op, accepted are: flip, shift, crop, resized_crop, rotate, zoom, "
                              "brightness, contrast, jitter, grayscale, pca_colour, gaussian, mask, "
                              "salt_pepper, erase, blur, mixup");
}

static ann_status read_op(ann_augment_config *out, const ann_yaml_node *item) {
    ANN_TRY(ann_yaml_expect(item, ANN_YAML_MAP));
    if (item->count != 1)
        return ann_yaml_error(item, "an op is a map of one kind, such as flip: {horizontal: 0.5}");
    out->node = item->items[0];
    ANN_TRY(find_kind(&out->op.kind, out->node));
    return anni_config_section(section_of(out->op.kind), out->node, out);
}

ann_status anni_config_augment(ann_phase_config *phase, const ann_run_config *config,
                               const ann_yaml_node *map) {
    const ann_yaml_node *list = ann_yaml_find(map, "augment");
    if (!list) return ANN_OK;
    ANN_TRY(ann_yaml_expect(list, ANN_YAML_LIST));
    if (list->count > ANN_AUGMENT_MAX_OPS)
        return ann_yaml_error(list, "has %d ops, accepted are up to %d", list->count, ANN_AUGMENT_MAX_OPS);
    ann_augment_config *ops = ann_arena_alloc(config->memory->arena, (size_t)(list->count + 1) * sizeof *ops);
    if (!ops) return ann_error(ANN_ERR_MEMORY, "out of memory while reading a run file");
    for (int i = 0; i < list->count; i++) ANN_TRY(read_op(&ops[i], list->items[i]));
    phase->augment = ops;
    phase->augment_count = list->count;
    return ANN_OK;
}

ann_status anni_config_check_augment(const ann_phase_config *phase) {
    for (int i = 0; i < phase->augment_count; i++) {
        const ann_augment_config *a = &phase->augment[i];
        if (a->op.kind != ANN_AUGMENT_MIXUP) continue;
        if (i + 1 < phase->augment_count)
            return ann_yaml_key_error(a->node,
                                      "is not the last op; each sample is augmented before it is mixed");
        if (phase->loss != ANN_LOSS_CROSS_ENTROPY)
            return ann_yaml_key_error(a->node, "mixes labels, and the loss %s uses none",
                                      ann_loss_kind_name(phase->loss));
    }
    return ANN_OK;
}
