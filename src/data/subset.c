/* Which samples a limited dataset has. */
#include "data/internal.h"

#include <inttypes.h>
#include "base/philox.h"

/* The first `limit` samples of the keyed order. */
static void choose_first(ann_dataset *d, uint64_t seed) {
    for (int64_t i = 0; i < d->samples; i++)
        d->subset[i] = (int64_t)ann_permute_index(seed, ANN_STREAM_SUBSET, 0, (uint64_t)d->all, (uint64_t)i);
}

/* The first samples of the keyed order that have room in their class. room: [classes] scratch. */
static ann_status choose_balanced(ann_dataset *d, uint64_t seed, int64_t *room) {
    for (int32_t c = 0; c < d->classes; c++)
        room[c] = d->samples / d->classes + (c < d->samples % d->classes);
    int64_t chosen = 0;
    for (int64_t i = 0; i < d->all && chosen < d->samples; i++) {
        const int64_t s =
            (int64_t)ann_permute_index(seed, ANN_STREAM_SUBSET, 0, (uint64_t)d->all, (uint64_t)i);
        if (room[d->labels[s]] > 0) {
            room[d->labels[s]]--;
            d->subset[chosen++] = s;
        }
    }
    for (int32_t c = 0; c < d->classes; c++) {
        if (room[c] > 0)
            return ann_error(ANN_ERR_ARG,
                             "%s: class %" PRId32 " has %" PRId64
                             " samples too few for a balanced limit of %" PRId64,
                             d->name, c, room[c], d->samples);
    }
    return ANN_OK;
}

ann_status anni_dataset_choose(ann_dataset *d, const ann_dataset_options *options) {
    if (options->limit == 0) return ANN_OK;
    if (options->limit < 0 || options->limit > d->all)
        return ann_error(ANN_ERR_ARG, "%s: limit %" PRId64 ", accepted: 1 to %" PRId64 " (0: all)", d->name,
                         options->limit, d->all);
    if (options->balanced && d->labels == NULL)
        return ann_error(ANN_ERR_ARG, "%s: a balanced limit needs labels, and there are none", d->name);
    void *subset = NULL;
    ANN_TRY(ann_mem_alloc(&subset, (size_t)options->limit * sizeof *d->subset));
    d->samples = options->limit;
    d->subset = subset;
    if (!options->balanced) {
        choose_first(d, options->subset_seed);
        return ANN_OK;
    }
    void *room = NULL;
    const size_t room_bytes = (size_t)d->classes * sizeof(int64_t);
    ANN_TRY(ann_mem_alloc(&room, room_bytes));
    const ann_status status = choose_balanced(d, options->subset_seed, room);
    ann_mem_free(room, room_bytes);
    return status;
}
