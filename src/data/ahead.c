#include "data/ahead.h"

#include <stdlib.h>

static const int64_t first_bytes = (int64_t)64 << 20; /* of the first window: reading waits for them */
static const int64_t stretch_bytes = (int64_t)8 << 20;

static int64_t sample_bytes(const ann_dataset *dataset) {
    int64_t bytes = 1;
    for (int f = 0; f < ann_dataset_field_count(dataset); f++) {
        const ann_field_info *info = ann_dataset_field(dataset, f);
        bytes += ann_shape_elems(&info->shape) * (int64_t)ann_dtype_bytes(info->dtype);
    }
    return bytes;
}

ann_status anni_ahead_init(anni_ahead *a, const ann_loader_options *options) {
    const ann_order_options *o = ann_order_options_of(options->order);
    const int64_t bytes = sample_bytes(options->dataset);
    *a = (anni_ahead){.options = options, .window = -1, .pace = 1, .first_pace = 1};
    if (o->kind == ANN_ORDER_WINDOW) {
        const int64_t blocks = o->window * o->lanes, affordable = first_bytes / (bytes * o->block) + 1;
        if (blocks > INT32_MAX)
            return ann_error(ANN_ERR_ARG, "loader: %lld blocks in a window", (long long)blocks);
        a->capacity = (int)blocks;
        a->first_pace = (int)(affordable < blocks ? affordable : blocks);
        a->pace = (int)(o->batch / o->block < blocks ? o->batch / o->block + 1 : blocks);
    } else if (o->kind == ANN_ORDER_SEQUENTIAL) {
        a->capacity = 1;
        a->stretch = stretch_bytes / bytes > o->batch ? stretch_bytes / bytes : o->batch;
    } else {
        return ANN_OK;
    }
    a->ranges = calloc((size_t)a->capacity, sizeof *a->ranges);
    return a->ranges != NULL ? ANN_OK : ann_error(ANN_ERR_MEMORY, "loader: out of memory");
}

void anni_ahead_fini(anni_ahead *a) {
    free(a->ranges);
    *a = (anni_ahead){0};
}

/* Of several lanes, this rank's alone. */
static bool is_mine(const anni_ahead *a, int64_t sample) {
    const ann_loader_options *o = a->options;
    const int64_t samples = ann_order_samples(o->order);
    int64_t first, count;
    if (ann_order_options_of(o->order)->lanes % o->size != 0) return true;
    ann_data_shard(&first, &count, 0, samples, o->rank, o->size);
    return sample >= first && sample < first + count;
}

static void load(anni_ahead *a, int64_t window) {
    const ann_order *order = a->options->order;
    const int64_t samples = ann_order_samples(order);
    a->asked = a->count = 0;
    if (a->stretch > 0) {
        const int64_t first = window * a->stretch % samples, left = samples - first;
        a->ranges[a->count][0] = first;
        a->ranges[a->count++][1] = left < a->stretch ? left : a->stretch;
        return;
    }
    const int blocks = ann_order_window_blocks(order, window, a->ranges, a->capacity);
    for (int i = 0; i < blocks; i++) {
        if (!is_mine(a, a->ranges[i][0])) continue;
        a->ranges[a->count][0] = a->ranges[i][0];
        a->ranges[a->count++][1] = a->ranges[i][1];
    }
}

static void ask(anni_ahead *a, int n) {
    for (; n > 0 && a->asked < a->count; n--, a->asked++)
        ann_dataset_prefetch(a->options->dataset, a->ranges[a->asked][0], a->ranges[a->asked][1]);
}

void anni_ahead_reach(anni_ahead *a, int64_t position) {
    if (a->capacity == 0) return;
    const int64_t window =
        a->stretch > 0 ? position / a->stretch : ann_order_window(a->options->order, position);
    if (window > a->window) {
        ask(a, a->count); /* what is left of the window that starts now */
        if (a->window < 0) {
            load(a, window);
            ask(a, a->first_pace);
        }
        load(a, window + 1);
        a->window = window;
    }
    ask(a, a->pace);
}
