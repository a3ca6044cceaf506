/* Dividing the samples of a dataset: which sample goes where depends on the seed, on their number and, where
   they are labelled, on the labels. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/philox.h"
#include "datasets/regroup.h"

typedef struct division {
    const ann_import_options *options;
    const ann_split_options *split;
    anni_part_of from;
    int64_t samples;
    int classes; /* 1 if unlabelled */
    int part_count;
    int64_t *sizes; /* [part_count] */
    int64_t *room;  /* [part_count, classes] */
    int32_t *part;  /* [samples] where each goes; -1: nowhere */
    const char **class_names;
    ann_arena *arena;
} division;

static int class_of(const division *d, int64_t sample) {
    const int32_t label = ann_dataset_label(d->from.dataset, sample);
    return label < 0 ? 0 : label;
}

/* ---- how many of each class ---- */

typedef struct leftover {
    int64_t rest;
    int class;
} leftover;

static int by_rest(const void *a, const void *b) {
    const leftover *p = a, *q = b;
    if (p->rest != q->rest) return p->rest > q->rest ? -1 : 1;
    return p->class - q->class;
}

/* `size` samples in proportion to what is left of the classes: rounded down, and one more for the largest
   remainders. Takes them from `left`. */
static void apportion(int64_t *room, int64_t size, int64_t *left, int classes, leftover *rests) {
    int64_t all = 0, given = 0;
    for (int c = 0; c < classes; c++) all += left[c];
    for (int c = 0; c < classes; c++) {
        room[c] = all > 0 ? size * left[c] / all : 0;
        rests[c] = (leftover){all > 0 ? size * left[c] % all : 0, c};
        given += room[c];
    }
    qsort(rests, (size_t)classes, sizeof *rests, by_rest);
    for (int i = 0; given < size; i++, given++) room[rests[i].class]++;
    for (int c = 0; c < classes; c++) left[c] -= room[c];
}

static ann_status plan_parts(division *d) {
    const size_t classes = (size_t)d->classes;
    int64_t *left = ann_arena_alloc(d->arena, classes * sizeof *left);
    leftover *rests = ann_arena_alloc(d->arena, classes * sizeof *rests);
    d->room = ann_arena_alloc(d->arena, (size_t)d->part_count * classes * sizeof *d->room);
    if (left == NULL || rests == NULL || d->room == NULL)
        return ann_error(ANN_ERR_MEMORY, "%s: out of memory", d->from.path);
    for (int64_t s = 0; s < d->samples; s++) left[class_of(d, s)]++;
    for (int p = 0; p < d->part_count; p++) {
        int64_t *room = d->room + (size_t)p * classes;
        if (d->split->by_class) {
            room[p] = d->sizes[p] = left[p];
        } else {
            apportion(room, d->sizes[p], left, d->classes, rests);
        }
    }
    return ANN_OK;
}

/* In keyed order, each sample goes to the first part with room for its class. */
static void assign(division *d) {
    for (int64_t i = 0; i < d->samples; i++) {
        const int64_t s = (int64_t)ann_permute_index(d->split->seed, ANN_STREAM_SPLIT, 0,
                                                     (uint64_t)d->samples, (uint64_t)i);
        d->part[s] = -1;
        for (int p = 0; p < d->part_count && d->part[s] < 0; p++) {
            int64_t *room = d->room + (size_t)p * (size_t)d->classes + class_of(d, s);
            if (*room == 0) continue;
            (*room)--;
            d->part[s] = p;
        }
    }
}

/* ---- what is wanted ---- */

static ann_status check_sizes(const division *d) {
    int64_t sum = 0;
    for (int p = 0; p < d->part_count; p++) {
        if (d->sizes[p] < 1 || d->sizes[p] > d->samples)
            return ann_error(ANN_ERR_ARG, "%s: a part of %" PRId64 " of %" PRId64 " samples of /%s",
                             d->from.path, d->sizes[p], d->samples, d->from.split);
        sum += d->sizes[p];
    }
    if (sum <= d->samples) return ANN_OK;
    return ann_error(ANN_ERR_ARG, "%s: parts of %" PRId64 " samples together, and /%s has %" PRId64,
                     d->from.path, sum, d->from.split, d->samples);
}

static ann_status choose_sizes(division *d) {
    const ann_split_options *o = d->split;
    if (o->by_class && ann_dataset_classes(d->from.dataset) == 0)
        return ann_error(ANN_ERR_ARG, "%s: /%s has no labels to split by", d->from.path, d->from.split);
    if (d->samples > INT32_MAX)
        return ann_error(ANN_ERR_UNSUPPORTED, "%s: /%s has %" PRId64 " samples, accepted: up to %d",
                         d->from.path, d->from.split, d->samples, INT32_MAX);
    d->part_count = o->by_class ? d->classes : o->size_count > 0 ? o->size_count : 2;
    d->sizes = ann_arena_alloc(d->arena, (size_t)d->part_count * sizeof *d->sizes);
    d->part = ann_arena_alloc(d->arena, (size_t)d->samples * sizeof *d->part);
    if (d->sizes == NULL || d->part == NULL)
        return ann_error(ANN_ERR_MEMORY, "%s: out of memory", d->from.path);
    if (o->by_class) return ANN_OK;
    for (int p = 0; p < o->size_count; p++) d->sizes[p] = o->sizes[p];
    if (o->size_count == 0) {
        d->sizes[1] = llround(o->test_fraction * (double)d->samples);
        d->sizes[0] = d->samples - d->sizes[1];
    }
    return check_sizes(d);
}

/* ---- writing ---- */

static void note(const division *d, const char *out, int part, int64_t count) {
    char line[512], class[160] = "";
    const char *name = d->split->by_class ? ann_dataset_class_name(d->from.dataset, part) : NULL;
    if (d->split->by_class)
        snprintf(class, sizeof class, ", class %d%s%.128s", part, name ? " " : "", name ? name : "");
    snprintf(line, sizeof line, "%.256s: %" PRId64 " samples%s", out, count, class);
    if (d->options->note != NULL) d->options->note(d->options->to, line);
}

/* Parts [first, first + count) become the splits "train" and "test" of one file. */
static ann_status write_parts(const division *d, const char *out, int first, int count) {
    static const char *const names[] = {"train", "test"};
    anni_pick *picks = malloc(((size_t)d->samples + 1) * sizeof *picks);
    if (picks == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", out);
    anni_regroup r = {.tool = "split",
                      .inputs = &d->from.path,
                      .input_count = 1,
                      .parts = &d->from,
                      .part_count = 1,
                      .picks = picks,
                      .classes = d->class_names,
                      .class_count = d->class_names != NULL ? d->classes : 0,
                      .label_count = d->classes};
    int64_t used = 0;
    for (int p = first; p < first + count; p++) {
        r.splits[r.split_count].name = names[r.split_count];
        r.splits[r.split_count++].count = d->sizes[p];
        for (int64_t s = 0; s < d->samples; s++)
            if (d->part[s] == p) picks[used++] = (anni_pick){0, s};
    }
    ann_import_options options = *d->options;
    options.out = out;
    options.test_fraction = 0;
    const ann_status status = anni_regroup_write(&options, &r);
    free(picks);
    return status;
}

/* OUT-3.h5 for OUT.h5. */
static char *part_path(const division *d, int part) {
    const char *out = d->options->out, *slash = strrchr(out, '/'), *base = slash == NULL ? out : slash + 1;
    const char *dot = strrchr(base, '.');
    const int stem = dot == NULL || dot == base ? (int)strlen(out) : (int)(dot - out);
    return ann_arena_printf(d->arena, "%.*s-%d%s", stem, out, part, out + stem);
}

static ann_status write_all(const division *d) {
    if (!d->split->by_class && d->split->size_count == 0) return write_parts(d, d->options->out, 0, 2);
    for (int p = 0; p < d->part_count; p++) {
        const char *path = part_path(d, p);
        if (path == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
        if (d->sizes[p] > 0) ANN_TRY(write_parts(d, path, p, 1));
        note(d, path, p, d->sizes[p]);
    }
    return ANN_OK;
}

static ann_status name_classes(division *d) {
    if (ann_dataset_classes(d->from.dataset) == 0 || ann_dataset_class_name(d->from.dataset, 0) == NULL)
        return ANN_OK;
    d->class_names = ann_arena_alloc(d->arena, (size_t)d->classes * sizeof *d->class_names);
    if (d->class_names == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
    for (int c = 0; c < d->classes; c++) d->class_names[c] = ann_dataset_class_name(d->from.dataset, c);
    return ANN_OK;
}

static ann_status divide(division *d) {
    const int labels = ann_dataset_classes(d->from.dataset);
    d->samples = ann_dataset_samples(d->from.dataset);
    d->classes = labels > 0 ? labels : 1;
    ANN_TRY(choose_sizes(d));
    ANN_TRY(name_classes(d));
    ANN_TRY(plan_parts(d));
    assign(d);
    return write_all(d);
}

ann_status ann_dataset_split(const ann_import_options *options, const ann_split_options *split) {
    const int ways = (split->test_fraction > 0) + (split->size_count > 0) + split->by_class;
    if (ways != 1 || !(split->test_fraction >= 0 && split->test_fraction < 1))
        return ann_error(ANN_ERR_ARG, "split: one of a test fraction below 1, sizes, and by class is needed");
    division d = {.options = options, .split = split, .from = {.path = split->path, .split = split->split}};
    const ann_data_source source = {.path = split->path};
    const ann_dataset_options from = {.sources = &source, .source_count = 1, .split = split->split};
    ANN_TRY(ann_arena_new(&d.arena));
    ann_status status = ann_dataset_open(&d.from.dataset, &from);
    if (status == ANN_OK) {
        status = divide(&d);
        ann_dataset_close(d.from.dataset);
    }
    ann_arena_free(d.arena);
    return status;
}
