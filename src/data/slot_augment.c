/* A batch that has been read is augmented in its slot. */
#include "data/augment_ops.h"
#include "data/slot.h"

#include <string.h>

static size_t x_bytes(const ann_augment *a) {
    return (size_t)(a->channels * a->height * a->width) * ann_dtype_bytes(a->dtype);
}

static void augment_views(anni_slot *s, const ann_loader_options *o, char *x) {
    const size_t bytes = x_bytes(o->augment);
    const int64_t count = s->batch.count;
    if (s->x2 != NULL) memcpy(s->x2, x, (size_t)count * bytes);
    for (int64_t i = 0; i < count; i++) {
        ann_augment_apply(o->augment, x + (size_t)i * bytes, s->epochs[i], s->samples[i], 0, s->scratch);
        if (s->x2 != NULL)
            ann_augment_apply(o->augment, (char *)s->x2 + (size_t)i * bytes, s->epochs[i], s->samples[i], 1,
                              s->scratch);
    }
}

/* The partner may be another rank's, or blended already: it is read and augmented anew. */
static ann_status mix(anni_slot *s, const ann_loader_options *o, int field, char *x) {
    const int lanes = ann_order_options_of(o->order)->lanes;
    const ann_batch *b = &s->batch;
    for (int64_t i = 0; i < b->count; i++) {
        int64_t epoch, sample;
        const int64_t partner = ann_mixup_partner(o->augment, &s->mix[i], b->global_first, b->global_count,
                                                  lanes > 1 ? lanes : 1, b->first + i);
        ann_order_at(o->order, partner, &epoch, &sample);
        s->y2[i] = ann_dataset_label(o->dataset, sample);
        if (s->mix[i] == 1) continue;
        ANN_TRY(ann_dataset_read(o->dataset, field, &sample, 1, s->partner));
        ann_augment_apply(o->augment, s->partner, epoch, sample, 0, s->scratch);
        ann_mixup_blend(o->augment, x + (size_t)i * x_bytes(o->augment), s->partner, s->mix[i]);
    }
    return ANN_OK;
}

ann_status anni_slot_augment(anni_slot *s, const ann_loader_options *o) {
    const int field = ann_dataset_find(o->dataset, "x");
    augment_views(s, o, s->fields[field]);
    return s->mix == NULL ? ANN_OK : mix(s, o, field, s->fields[field]);
}

ann_status anni_slot_check_augment(const ann_loader_options *o) {
    if (o->views < 0 || o->views > 2)
        return ann_error(ANN_ERR_ARG, "loader: %d views, accepted: 1 and 2", o->views);
    if (o->augment == NULL)
        return o->views < 2 ? ANN_OK
                            : ann_error(ANN_ERR_ARG, "loader: two views of a sample need an augmentation");
    if (o->views == 2 && ann_augment_has_mixup(o->augment))
        return ann_error(ANN_ERR_ARG, "loader: mixup is for one view of a sample");
    const ann_field_info *x = ann_dataset_field(o->dataset, ann_dataset_find(o->dataset, "x"));
    if (!anni_augment_fits(o->augment, x->dtype, &x->shape))
        return ann_error(ANN_ERR_ARG, "loader: the augmentation is for another x than the dataset's");
    return ANN_OK;
}
