/* The table of a method: the tensor "table/samples" of the store, so that it is in every checkpoint. */
#include "train/internal.h"

#define NAME "table/samples"

ann_status anni_table_declare(ann_store *store, const anni_phase *phase) {
    ann_tensor tensor;
    const ann_shape shape = ANN_SHAPE(ann_dataset_samples(phase->train));
    if (!anni_method_table(phase->config)) return ANN_OK;
    return ann_store_declare(&tensor, store, NAME, ANN_F32, &shape, ANN_ROLE_MOMENT,
                             (ann_init){ANN_INIT_ZERO, 0});
}

static float *values_of(const ann_store *store) {
    const ann_tensor tensor = ann_store_find(store, NAME);
    return tensor.id < 0 ? NULL : ann_store_data(store, tensor);
}
const float *anni_table_of(const ann_store *store) { return values_of(store); }

/* At the start of the stage, and with the first batch that ends in another epoch than the one before it did.
 */
static bool is_due(const ann_method_table *table, const anni_phase *phase, const anni_cursor *cursor) {
    const int64_t length = ann_order_length(phase->order), batch = phase->config->batch;
    if (cursor->stage_step == 0) return true;
    return table->each_epoch && cursor->position / length > (cursor->position - batch) / length;
}

ann_status anni_table_refresh(ann_store *store, const anni_phase *phase, const anni_cursor *cursor) {
    const ann_method_table *table = anni_method_table(phase->config);
    anni_sight sight;
    if (!table || !is_due(table, phase, cursor)) return ANN_OK;
    ann_status status = anni_sight_new(&sight, phase, phase->train, store);
    if (status == ANN_OK)
        status =
            ann_agree(phase->run->comm, table->fill(values_of(store), &phase->config->method, &sight.view));
    anni_sight_free(&sight);
    return status;
}
