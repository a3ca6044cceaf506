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

/* ---- limits of sources ---- */

static bool has_limits(const ann_dataset_options *options) {
    for (int i = 0; i < options->source_count; i++)
        if (options->sources[i].limit != 0 || options->sources[i].left_out) return true;
    return false;
}

/* How many samples of a source are used. */
static ann_status count_used(int64_t *used, const ann_dataset *d, const ann_data_source *source, int index) {
    const int64_t all = anni_dataset_source_samples(d, index);
    *used = source->left_out ? 0 : source->limit > 0 ? source->limit : all;
    if (source->limit >= 0 && *used <= all) return ANN_OK;
    return ann_error(ANN_ERR_ARG, "%s: limit %" PRId64 ", accepted: 1 to %" PRId64 " (0: all)",
                     d->sources[index].name, source->limit, all);
}

/* The order does not depend on where the source stands among the others. */
static void choose_of_source(ann_dataset *d, int source, bool keyed, uint64_t seed) {
    const uint64_t all = (uint64_t)anni_dataset_source_samples(d, source);
    int64_t *to = d->subset + d->used_first[source];
    const int64_t used = d->used_first[source + 1] - d->used_first[source];
    for (int64_t i = 0; i < used; i++) {
        const int64_t at =
            keyed ? (int64_t)ann_permute_index(seed, ANN_STREAM_SUBSET, 0, all, (uint64_t)i) : i;
        to[i] = d->source_first[source] + at;
    }
}

/* One source after the other. */
static ann_status choose_of_sources(ann_dataset *d, const ann_dataset_options *options) {
    const size_t n = (size_t)d->source_count;
    d->used_first = ann_arena_alloc(d->arena, (n + 1) * sizeof *d->used_first);
    if (d->used_first == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", d->name);
    for (int s = 0; s < d->source_count; s++) {
        int64_t used;
        ANN_TRY(count_used(&used, d, &options->sources[s], s));
        d->used_first[s + 1] = d->used_first[s] + used;
    }
    void *subset = NULL;
    const int64_t samples = d->used_first[n];
    if (samples == 0) return ann_error(ANN_ERR_ARG, "%s: all sources are left out", d->name);
    ANN_TRY(ann_mem_alloc(&subset, (size_t)samples * sizeof *d->subset));
    d->samples = samples;
    d->subset = subset;
    for (int s = 0; s < d->source_count; s++)
        choose_of_source(d, s, options->sources[s].limit > 0, options->subset_seed);
    return ANN_OK;
}

/* ---- all ---- */

/* From here on nobody can tell them. */
static ann_status hide_labels(ann_dataset *d, const ann_dataset_options *options) {
    for (int s = 0; s < d->source_count; s++) {
        if (!options->sources[s].hides_labels || ann_dataset_find(d, "y") < 0) continue;
        if (d->labels == NULL)
            return ann_error(ANN_ERR_FORMAT, "%s: y is no class label, and only those can be hidden",
                             d->sources[s].name);
        d->hidden = d->sources[s].name;
        for (int64_t i = d->source_first[s]; i < d->source_first[s + 1]; i++) d->labels[i] = -1;
    }
    return ANN_OK;
}

static ann_status choose_of_all(ann_dataset *d, const ann_dataset_options *options) {
    if (options->limit < 0 || options->limit > d->all)
        return ann_error(ANN_ERR_ARG, "%s: limit %" PRId64 ", accepted: 1 to %" PRId64 " (0: all)", d->name,
                         options->limit, d->all);
    if (options->balanced && d->hidden != NULL)
        return ann_error(ANN_ERR_ARG, "%s: a balanced limit needs labels, and they are hidden", d->hidden);
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

ann_status anni_dataset_choose(ann_dataset *d, const ann_dataset_options *options) {
    const bool limits = has_limits(options);
    if (limits && options->limit != 0)
        return ann_error(ANN_ERR_ARG, "%s: a limit of all sources, and limits of some; accepted is one kind",
                         d->name);
    ANN_TRY(hide_labels(d, options));
    if (limits) return choose_of_sources(d, options);
    return options->limit != 0 ? choose_of_all(d, options) : ANN_OK;
}
