#include "data/slot.h"

#include "base/mem.h"

/* Places one array after the other; with base NULL it only measures. */
static void *place(char *base, size_t *used_bytes, size_t bytes) {
    void *at = base == NULL ? NULL : base + *used_bytes;
    *used_bytes += ann_align_up(bytes, ANN_ALIGN_BYTES);
    return at;
}

static size_t row_bytes(const ann_loader_options *o, int field) {
    const ann_field_info *info = ann_dataset_field(o->dataset, field);
    return (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
}

static void place_augmented(anni_slot *s, const ann_loader_options *o, size_t rows, char *base,
                            size_t *used_bytes) {
    if (o->augment == NULL) return;
    const size_t x_bytes = row_bytes(o, ann_dataset_find(o->dataset, "x"));
    s->scratch = place(base, used_bytes, ann_augment_scratch_bytes(o->augment));
    if (o->views == 2) s->x2 = place(base, used_bytes, rows * x_bytes);
    if (!ann_augment_has_mixup(o->augment)) return;
    s->y2 = place(base, used_bytes, rows * sizeof(int32_t));
    s->mix = place(base, used_bytes, rows * sizeof(float));
    s->partner = place(base, used_bytes, x_bytes);
}

static size_t place_slot(anni_slot *s, const ann_loader_options *o, char *base) {
    const int64_t whole = ann_order_after(o->order, 0, 1), positions = o->end_position - o->first_position;
    const int64_t largest = whole < positions ? whole : positions;
    const size_t rows = (size_t)(largest / o->size + 1);
    const int fields = ann_dataset_field_count(o->dataset);
    size_t used_bytes = 0;
    s->positions = place(base, &used_bytes, rows * sizeof(int64_t));
    s->samples = place(base, &used_bytes, rows * sizeof(int64_t));
    s->epochs = place(base, &used_bytes, rows * sizeof(int64_t));
    s->fields = place(base, &used_bytes, (size_t)fields * sizeof(void *));
    for (int f = 0; f < fields; f++) {
        void *at = place(base, &used_bytes, rows * row_bytes(o, f));
        if (base != NULL) s->fields[f] = at;
    }
    place_augmented(s, o, rows, base, &used_bytes);
    return used_bytes;
}

size_t anni_slot_bytes(const ann_loader_options *options) {
    anni_slot slot;
    return place_slot(&slot, options, NULL);
}

ann_status anni_slot_init(anni_slot *slot, const ann_loader_options *options) {
    const size_t bytes = anni_slot_bytes(options);
    *slot = (anni_slot){0};
    ANN_TRY(ann_mem_alloc(&slot->memory, bytes));
    slot->memory_bytes = bytes;
    place_slot(slot, options, slot->memory);
    return ANN_OK;
}

void anni_slot_fini(anni_slot *slot) {
    ann_mem_free(slot->memory, slot->memory_bytes);
    *slot = (anni_slot){0};
}

ann_status anni_slot_fill(anni_slot *s, const ann_loader_options *o, int64_t first, bool ask) {
    ann_batch *b = &s->batch;
    b->global_first = first;
    b->global_count = ann_order_batch(o->order, first, o->end_position);
    ann_data_shard(&b->first, &b->count, first, b->global_count, o->rank, o->size);
    for (int64_t i = 0; i < b->count; i++) {
        s->positions[i] = b->first + i;
        ann_order_at(o->order, b->first + i, &s->epochs[i], &s->samples[i]);
    }
    for (int64_t i = 0; ask && i < b->count; i++) ann_dataset_prefetch(o->dataset, s->samples[i], 1);
    b->positions = s->positions;
    b->samples = s->samples;
    b->epochs = s->epochs;
    b->fields = (const void *const *)s->fields;
    for (int f = 0; f < ann_dataset_field_count(o->dataset); f++) {
        ANN_TRY(ann_dataset_read(o->dataset, f, s->samples, b->count, s->fields[f]));
    }
    b->x2 = s->x2;
    b->y2 = s->y2;
    b->mix = s->mix;
    return o->augment == NULL ? ANN_OK : anni_slot_augment(s, o);
}
