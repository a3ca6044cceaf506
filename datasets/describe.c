#include "datasets/describe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "data/data.h"
#include "datasets/import.h"
#include "datasets/layout.h"
#include "datasets/storage.h"
#include "datasets/vocabulary.h"

void anni_describe_line(const anni_description *d, const char *fmt, ...) {
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    d->print(d->to, line);
}

/* ---- the file as a whole ---- */

static ann_status say_strings(const anni_description *d, const char *title, const char *attribute) {
    char **strings;
    int count;
    ANN_TRY(anni_h5_get_strings(&strings, &count, d->file, attribute, d->path, d->arena));
    for (int i = 0; i < count; i++) anni_describe_line(d, "%-9s %s", i == 0 ? title : "", strings[i]);
    return ANN_OK;
}

static ann_status say_skipped(const anni_description *d) {
    uint64_t skipped = 0;
    bool found;
    ANN_TRY(anni_h5_get_u64(&skipped, &found, d->file, "skipped", d->path));
    if (skipped > 0) anni_describe_line(d, "%-9s %" PRIu64 " bad records were left out", "skipped", skipped);
    return ANN_OK;
}

static ann_status say_vocabulary(const anni_description *d) {
    anni_vocabulary vocabulary;
    ANN_TRY(anni_vocabulary_read(&vocabulary, d->path));
    if (vocabulary.count > 0) {
        anni_describe_line(d, "%-9s %" PRId64 " of %" PRId64 " bytes together", "tokens", vocabulary.count,
                           vocabulary.offsets[vocabulary.count]);
    }
    anni_vocabulary_fini(&vocabulary);
    return ANN_OK;
}

/* ---- fields ---- */

static void add_numbers(char *line, size_t size, const char *title, const double *values, int n) {
    enum { SHOWN = 4 };
    size_t used = strlen(line);
    used += (size_t)snprintf(line + used, size - used, ", %s", title);
    for (int i = 0; i < n && i < SHOWN; i++)
        used += (size_t)snprintf(line + used, size - used, " %.6f", values[i]);
    if (n > SHOWN) snprintf(line + used, size - used, " ... (%d)", n);
}

/* 0 and 1 stand for "not normalised". */
static bool is_normalised(const ann_field_info *info) {
    for (int c = 0; c < info->channels; c++)
        if (info->mean[c] != 0 || info->std[c] != 1) return true;
    return false;
}

static ann_status say_field(const anni_description *d, const char *split, const ann_field_info *info) {
    char name[256], shape[128], moments[256] = "";
    anni_storage stored;
    snprintf(name, sizeof name, "/%s/%s", split, info->name);
    const hid_t dataset = H5Dopen2(d->file, name, H5P_DEFAULT);
    if (dataset < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: %s cannot be opened", d->path, name);
    anni_storage_of(&stored, dataset);
    H5Dclose(dataset);
    if (is_normalised(info)) {
        add_numbers(moments, sizeof moments, "mean", info->mean, info->channels);
        add_numbers(moments, sizeof moments, "std", info->std, info->channels);
    }
    anni_describe_line(d, "  %-7s %s %s, %s%s", info->name, stored.type,
                       ann_shape_str(shape, sizeof shape, &stored.shape), stored.text, moments);
    return ANN_OK;
}

/* ---- one split ---- */

static ann_status say_classes(const anni_description *d, const ann_dataset *dataset) {
    const int classes = ann_dataset_classes(dataset);
    if (classes == 0) {
        anni_describe_line(d, "  unlabelled");
        return ANN_OK;
    }
    int64_t *counts = ann_arena_alloc(d->arena, (size_t)classes * sizeof *counts);
    if (counts == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", d->path);
    for (int64_t i = 0; i < ann_dataset_samples(dataset); i++) counts[ann_dataset_label(dataset, i)]++;
    for (int c = 0; c < classes; c++) {
        const char *name = ann_dataset_class_name(dataset, c);
        anni_describe_line(d, "  class %-4d %8" PRId64 "%s%s", c, counts[c], name != NULL ? "  " : "",
                           name != NULL ? name : "");
    }
    return ANN_OK;
}

static ann_status say_checksum(const anni_description *d, const char *split, const ann_dataset *dataset) {
    bool found;
    uint64_t value;
    char where[320];
    snprintf(where, sizeof where, "%s: /%s", d->path, split);
    const hid_t group = H5Gopen2(d->file, split, H5P_DEFAULT);
    if (group < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be opened", where);
    const ann_status status = anni_h5_get_u64(&value, &found, group, "checksum", where);
    H5Gclose(group);
    ANN_TRY(status);
    anni_describe_line(d, "  xxh3 %016" PRIx64 " (%s)", ann_dataset_checksum(dataset),
                       found ? "not verified" : "computed: the file has none");
    return ANN_OK;
}

static ann_status say_open_split(const anni_description *d, const char *split, const ann_dataset *dataset) {
    anni_describe_line(d, "%-9s %" PRId64 " samples", split, ann_dataset_samples(dataset));
    for (int f = 0; f < ann_dataset_field_count(dataset); f++)
        ANN_TRY(say_field(d, split, ann_dataset_field(dataset, f)));
    const char *skipped;
    for (int i = 0; (skipped = ann_dataset_skipped(dataset, i)) != NULL; i++)
        anni_describe_line(d, "  no field: %s", skipped);
    ANN_TRY(say_classes(d, dataset));
    return say_checksum(d, split, dataset);
}

static ann_status say_split(const anni_description *d, const char *split) {
    ann_dataset *dataset;
    const ann_data_source source = {.path = d->path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = split};
    ANN_TRY(ann_dataset_open(&dataset, &options));
    const ann_status status = say_open_split(d, split, dataset);
    ann_dataset_close(dataset);
    return status;
}

static ann_status describe_file(anni_description *d) {
    anni_layout layout;
    ANN_TRY(anni_layout_of(&layout, d->file, d->path));
    if (layout.split_count == 0) return anni_describe_foreign(d);
    ANN_TRY(say_strings(d, "name", "name"));
    ANN_TRY(say_strings(d, "source", "source"));
    ANN_TRY(say_skipped(d));
    ANN_TRY(say_strings(d, "level", "level"));
    ANN_TRY(say_vocabulary(d));
    for (int s = 0; s < layout.split_count; s++) ANN_TRY(say_split(d, layout.splits[s]));
    return ANN_OK;
}

ann_status ann_dataset_describe(const char *path, void (*print)(void *to, const char *line), void *to) {
    anni_description d = {.path = path, .print = print, .to = to, .file = H5I_INVALID_HID};
    anni_h5_printing before;
    ANN_TRY(ann_arena_new(&d.arena));
    anni_h5_begin(&before);
    ann_status status = anni_h5_open(&d.file, path);
    if (status == ANN_OK) {
        status = describe_file(&d);
        H5Fclose(d.file);
    }
    anni_h5_end(&before);
    ann_arena_free(d.arena);
    return status;
}
