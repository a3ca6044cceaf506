#include <stdlib.h>
#include <string.h>
#include "base/philox.h"
#include "look.h"

int64_t look_choose(int64_t n, int64_t i) {
    return (int64_t)ann_permute_index(0, ANN_STREAM_SUBSET, 0, (uint64_t)n, (uint64_t)i);
}

look_which look_whole(const ann_look_view *view) {
    return (look_which){.count = view->seen.samples, .most = view->seen.samples};
}

static ann_status make_room(look_rows *rows, int64_t more) {
    const size_t n = (size_t)(rows->n + more + 1);
    float *x = realloc(rows->x, n * (size_t)rows->d * sizeof *x);
    if (x) rows->x = x;
    int32_t *label = realloc(rows->label, n * sizeof *label);
    if (label) rows->label = label;
    uint8_t *domain = realloc(rows->domain, n * sizeof *domain);
    if (domain) rows->domain = domain;
    return x && label && domain ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for %zu samples", n);
}

static bool is_wanted(const ann_method_sight *seen, const look_which *which, int64_t row) {
    const bool target = seen->domain[row] == seen->domains - 1;
    if (which->labelled && seen->labels[row] < 0) return false;
    return which->domain == LOOK_ALL || target == (which->domain == LOOK_TARGET);
}

ann_status look_rows_add(look_rows *rows, const ann_look_view *view, const look_which *which) {
    const ann_method_sight *seen = &view->seen;
    const int64_t most = which->most < which->count ? which->most : which->count, end = rows->n + most;
    const size_t width = (size_t)seen->width;
    rows->d = seen->width;
    ANN_TRY(make_room(rows, most));
    for (int64_t i = 0; i < which->count && rows->n < end; i++) {
        const int64_t row = which->first + look_choose(which->count, i);
        if (!is_wanted(seen, which, row)) continue;
        memcpy(rows->x + (size_t)rows->n * width, seen->features + (size_t)row * width,
               width * sizeof *rows->x);
        rows->label[rows->n] = seen->labels[row];
        rows->domain[rows->n++] = seen->domain[row] == seen->domains - 1;
    }
    return ANN_OK;
}

void look_rows_free(look_rows *rows) {
    free(rows->x);
    free(rows->label);
    free(rows->domain);
    *rows = (look_rows){.x = NULL};
}

ann_features look_features(const look_rows *rows) {
    return (ann_features){.x = rows->x, .label = rows->label, .n = rows->n, .d = rows->d};
}
