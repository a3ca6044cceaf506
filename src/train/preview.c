/* The samples of a phase as training gets them, for people to look at. */
#include "train/phase.h"

#include <stdlib.h>
#include <string.h>

typedef struct preview {
    ann_train_samples public;
    int wanted, field;
    size_t row_bytes;
    int64_t *samples;
    char *x;
} preview;

static ann_status allocate(preview *p, const ann_dataset *train, int count) {
    p->field = ann_dataset_find(train, "x");
    const ann_field_info *x = ann_dataset_field(train, p->field);
    p->wanted = count;
    p->row_bytes = (size_t)ann_shape_elems(&x->shape) * ann_dtype_bytes(x->dtype);
    p->samples = malloc((size_t)count * sizeof *p->samples);
    p->x = malloc((size_t)count * p->row_bytes);
    if (!p->samples || !p->x) return ann_error(ANN_ERR_MEMORY, "no memory for %d samples", count);
    p->public = (ann_train_samples){.train = train, .samples = p->samples, .x = p->x};
    return ANN_OK;
}

static void take(preview *p, const ann_batch *batch) {
    const int room = p->wanted - p->public.count, n = batch->count < room ? (int)batch->count : room;
    memcpy(p->samples + p->public.count, batch->samples, (size_t)n * sizeof *p->samples);
    memcpy(p->x + (size_t)p->public.count * p->row_bytes, batch->fields[p->field], (size_t)n * p->row_bytes);
    p->public.count += n;
}

/* Whole batches: with which sample another is mixed depends on its batch. */
static ann_status read(preview *p, const anni_phase *phase, int64_t first) {
    const int64_t length = ann_order_length(phase->order);
    const int64_t steps =
        ann_order_steps(phase->order, first, first + (p->wanted < length ? p->wanted : length));
    const ann_loader_options options = {.dataset = phase->train,
                                        .order = phase->order,
                                        .size = 1,
                                        .first_position = first,
                                        .end_position = ann_order_after(phase->order, first, steps),
                                        .augment = phase->augment};
    ann_loader *loader;
    const ann_batch *batch = NULL;
    ANN_TRY(ann_loader_new(&loader, &options));
    ann_status status = ann_loader_next(loader, &batch);
    for (; status == ANN_OK && batch; status = ann_loader_next(loader, &batch)) take(p, batch);
    ann_loader_free(loader);
    return status;
}

static ann_status read_and_show(const anni_phase *phase, int64_t epoch, int count,
                                ann_status (*show)(void *to, const ann_train_samples *samples), void *to) {
    const int64_t length = ann_order_length(phase->order);
    preview p = {.wanted = 0};
    ann_status status = allocate(&p, phase->train, length < count ? (int)length : count);
    if (status == ANN_OK) status = read(&p, phase, epoch * length);
    if (status == ANN_OK) status = show(to, &p.public);
    free(p.samples);
    free(p.x);
    return status;
}

ann_status ann_train_preview(const ann_run_config *config, const char *phase_name, int64_t epoch, int count,
                             ann_status (*show)(void *to, const ann_train_samples *samples), void *to) {
    const ann_train_options options = {0};
    anni_run run = {.config = config, .options = &options, .size = 1};
    anni_phase phase;
    const int index = ann_run_config_find_phase(config, phase_name);
    if (index < 0)
        return ann_error(ANN_ERR_NOT_FOUND, "%s: there is no phase \"%s\"", config->path, phase_name);
    ann_status status = anni_phase_open(&phase, &run, index);
    if (status == ANN_OK) status = read_and_show(&phase, epoch, count, show, to);
    anni_phase_close(&phase);
    return status;
}
