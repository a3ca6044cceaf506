/* Values from one store to another: from stage to stage, and from an earlier phase's checkpoint. */
#include "train/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_model_tensor(const ann_tensor_info *info) { return info->role != ANN_ROLE_MOMENT; }

static size_t tensor_bytes(const ann_tensor_info *info) {
    return (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
}

ann_status anni_map_stage(ann_store *to, const ann_store *from) {
    for (int32_t i = 0; i < ann_store_count(to); i++) {
        const ann_tensor_info *info = ann_store_info(to, (ann_tensor){i});
        if (!is_model_tensor(info)) continue;
        const ann_tensor source = ann_store_find(from, info->name);
        if (source.id < 0) return ann_error(ANN_ERR_INTERNAL, "%s: not in the stage before", info->name);
        memcpy(ann_store_data(to, (ann_tensor){i}), ann_store_data(from, source), tensor_bytes(info));
    }
    return ANN_OK;
}

static const ann_tensor_info *find_in(const ann_ckpt *ckpt, const char *name) {
    for (int i = 0; i < ann_ckpt_tensor_count(ckpt); i++) {
        const ann_tensor_info *info = ann_ckpt_tensor(ckpt, i);
        if (strcmp(info->name, name) == 0) return info;
    }
    return NULL;
}

static ann_status load_tensor(ann_store *to, ann_tensor tensor, const ann_ckpt *ckpt,
                              const ann_tensor_info *source, const ann_phase_config *config) {
    const ann_tensor_info *info = ann_store_info(to, tensor);
    if (!ann_shape_equal(&info->shape, &source->shape) || info->dtype != source->dtype) {
        char here[128], there[128];
        return ann_error(ANN_ERR_CONFIG, "phase %s: %s is %s here and %s in phase %s", config->name,
                         info->name, ann_shape_str(here, sizeof here, &info->shape),
                         ann_shape_str(there, sizeof there, &source->shape), config->load_from);
    }
    return ann_ckpt_read(ckpt, info->name, ann_store_data(to, tensor));
}

static ann_status load_matching(ann_store *to, const ann_ckpt *ckpt, const ann_phase_config *config,
                                char *line, size_t size) {
    int taken = 0, fresh = 0;
    char names[ANNI_LINE_BYTES / 2] = "";
    for (int32_t i = 0; i < ann_store_count(to); i++) {
        const ann_tensor tensor = {i};
        const ann_tensor_info *info = ann_store_info(to, tensor);
        if (!is_model_tensor(info)) continue;
        const ann_tensor_info *source =
            ann_name_matches(config->load_tensors, info->name) ? find_in(ckpt, info->name) : NULL;
        if (source) {
            ANN_TRY(load_tensor(to, tensor, ckpt, source, config));
            taken++;
        } else {
            const size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, "%s%s", fresh++ ? ", " : ": ", info->name);
        }
    }
    snprintf(line, size, "%s: loaded %d tensors from %s (%s), initialised %d%s", config->name, taken,
             config->load_from, config->load_tensors, fresh, names);
    return ANN_OK;
}

ann_status anni_map_load(ann_store *to, const char *checkpoint, const ann_phase_config *config, char *line,
                         size_t size) {
    ann_ckpt *ckpt;
    ANN_TRY(ann_ckpt_peek(&ckpt, checkpoint)); /* checksums are compared while reading */
    const ann_status status = load_matching(to, ckpt, config, line, size);
    ann_ckpt_close(ckpt);
    return status;
}

ann_status anni_check_finite(const ann_store *store) {
    for (int32_t i = 0; i < ann_store_count(store); i++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){i});
        const float *values = ann_store_data(store, (ann_tensor){i});
        const int64_t elems = ann_shape_elems(&info->shape);
        if (info->dtype != ANN_F32) continue;
        float sum = 0; /* of zeros: x - x is 0 or NaN */
        for (int64_t j = 0; j < elems; j++) sum += values[j] - values[j];
        if (!(sum == 0))
            return ann_error(ANN_ERR_NUMERIC, "%s holds a number that is not finite", info->name);
    }
    return ANN_OK;
}
