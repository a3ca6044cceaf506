/* The weights of the best evaluation (phases[].stop.early, or phases[].choice): the tensors "best/NAME" of
   the store, one for each parameter and running statistic. As part of the store they are in every checkpoint,
   so they outlive a kill, and the number of ranks may change. */
#include "train/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "best/"

static bool keeps(const anni_phase *phase) {
    const ann_phase_config *config = phase->config;
    return (config->stop.early.on && config->stop.early.restore_best) || config->choice.restore;
}

static bool is_model_tensor(const ann_tensor_info *info) {
    return info->role == ANN_ROLE_PARAM || info->role == ANN_ROLE_STATE;
}

static ann_status declare_twin(ann_tensor *out, ann_store *store, const ann_tensor_info *info) {
    char name[512];
    if (snprintf(name, sizeof name, PREFIX "%s", info->name) >= (int)sizeof name)
        return ann_error(ANN_ERR_ARG, "%.64s... is too long a name", info->name);
    return ann_store_declare(out, store, name, info->dtype, &info->shape, ANN_ROLE_MOMENT,
                             (ann_init){ANN_INIT_ZERO, 0});
}

/* Twins of one dtype into one block. */
static ann_status declare_block(ann_store *store, int count, ann_dtype dtype) {
    char name[32];
    ann_block block;
    int n = 0;
    ann_status status = ANN_OK;
    ann_tensor *twins = calloc((size_t)count + 1, sizeof *twins);
    if (!twins) return ann_error(ANN_ERR_MEMORY, "no memory for a list of tensors");
    for (int32_t i = 0; i < count && status == ANN_OK; i++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){i});
        if (is_model_tensor(info) && info->dtype == dtype) status = declare_twin(&twins[n++], store, info);
    }
    (void)snprintf(name, sizeof name, PREFIX "%s", ann_dtype_name(dtype));
    if (status == ANN_OK && n > 0) status = ann_store_group(&block, store, name, twins, n);
    free(twins);
    return status;
}

ann_status anni_best_declare(ann_store *store, const anni_phase *phase) {
    const int count = ann_store_count(store);
    for (int dtype = 0; dtype < ANN_DTYPE_COUNT && keeps(phase); dtype++)
        ANN_TRY(declare_block(store, count, (ann_dtype)dtype));
    return ANN_OK;
}

/* For each twin in `to` or in `from`, its values or those of the tensor that it is of. */
static void copy_twins(ann_store *to, const ann_store *from, bool to_twin, bool from_twin) {
    const size_t prefix = strlen(PREFIX);
    for (int32_t i = 0; i < ann_store_count(from); i++) {
        const ann_tensor_info *info = ann_store_info(from, (ann_tensor){i});
        if (info->role != ANN_ROLE_MOMENT || strncmp(info->name, PREFIX, prefix) != 0) continue;
        const char *name = info->name + prefix;
        const ann_tensor source = from_twin ? (ann_tensor){i} : ann_store_find(from, name);
        const ann_tensor target = ann_store_find(to, to_twin ? info->name : name);
        memcpy(ann_store_data(to, target), ann_store_data(from, source),
               (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype));
    }
}

void anni_best_keep(ann_store *store) { copy_twins(store, store, true, false); }
void anni_best_restore(ann_store *store) { copy_twins(store, store, false, true); }
void anni_best_map(ann_store *to, const ann_store *from) { copy_twins(to, from, true, true); }
