#include "datasets/import.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "data/data.h"
#include "data/h5.h"

typedef struct description {
    const char *path;
    bool verify;
    void (*print)(void *to, const char *line);
    void *to;
    ann_arena *arena;
    hid_t file;
    char **classes;
    int class_count;
} description;

static void say(const description *d, const char *fmt, ...) ANN_PRINTF(2, 3);
static void say(const description *d, const char *fmt, ...) {
    char line[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    d->print(d->to, line);
}

/* ---- the file as a whole ---- */

static ann_status say_strings(const description *d, const char *title, const char *attribute) {
    char **strings;
    int count;
    ANN_TRY(anni_h5_get_strings(&strings, &count, d->file, attribute, d->path, d->arena));
    for (int i = 0; i < count; i++) say(d, "%-9s %s", i == 0 ? title : "", strings[i]);
    return ANN_OK;
}

static ann_status say_moments(const description *d) {
    double mean = 0, std = 1;
    bool has_mean, has_std;
    ANN_TRY(anni_h5_get_double(&mean, &has_mean, d->file, "mean", d->path));
    ANN_TRY(anni_h5_get_double(&std, &has_std, d->file, "std", d->path));
    if (has_mean || has_std) {
        say(d, "%-9s mean %.6f, std %.6f (training split; u8 as x / 255)", "moments", mean, std);
    } else {
        say(d, "%-9s not given, taken as mean 0, std 1", "moments");
    }
    return ANN_OK;
}

/* ---- one field as it is stored ---- */

static void type_name(char *out, size_t size, hid_t type) {
    const H5T_class_t class = H5Tget_class(type);
    const size_t bits = 8 * H5Tget_size(type);
    const char *kind = class == H5T_FLOAT ? "f" : H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "i";
    const bool big = bits > 8 && H5Tget_order(type) == H5T_ORDER_BE;
    snprintf(out, size, "%s%zu%s", kind, bits, big ? " big-endian" : "");
}

static void storage_name(char *out, size_t size, hid_t dataset) {
    const hid_t plist = H5Dget_create_plist(dataset);
    if (plist < 0) {
        snprintf(out, size, "unknown storage");
        return;
    }
    const H5D_layout_t layout = H5Pget_layout(plist);
    const haddr_t offset = H5Dget_offset(dataset);
    if (layout == H5D_CHUNKED) {
        hsize_t dims[H5S_MAX_RANK];
        ann_shape chunk = {.rank = H5Pget_chunk(plist, H5S_MAX_RANK, dims)};
        char shape[128];
        for (int i = 0; i < chunk.rank && i < ANN_MAX_RANK; i++) chunk.dim[i] = (int64_t)dims[i];
        snprintf(out, size, "chunked %s", ann_shape_str(shape, sizeof shape, &chunk));
        for (int i = 0; i < H5Pget_nfilters(plist); i++) {
            char filter[64] = "";
            unsigned flags, config;
            size_t values = 0;
            H5Pget_filter2(plist, (unsigned)i, &flags, &values, NULL, sizeof filter, filter, &config);
            const size_t used = strlen(out);
            snprintf(out + used, size - used, " %s", filter[0] != '\0' ? filter : "filtered");
        }
    } else if (layout == H5D_CONTIGUOUS && offset != HADDR_UNDEF) {
        snprintf(out, size, "contiguous at %" PRIu64, (uint64_t)offset);
    } else {
        snprintf(out, size, "%s",
                 layout == H5D_CONTIGUOUS ? "contiguous"
                 : layout == H5D_COMPACT  ? "compact"
                                          : "virtual");
    }
    H5Pclose(plist);
}

static ann_status say_field(const description *d, const char *split, const ann_field_info *info,
                            int64_t samples) {
    char name[64], type[32], storage[256], shape[128];
    snprintf(name, sizeof name, "/%s/%s", split, info->name);
    const hid_t dataset = H5Dopen2(d->file, name, H5P_DEFAULT);
    const hid_t stored = dataset < 0 ? H5I_INVALID_HID : H5Dget_type(dataset);
    if (stored < 0) {
        if (dataset >= 0) H5Dclose(dataset);
        return anni_h5_error(ANN_ERR_FORMAT, "%s: %s cannot be opened", d->path, name);
    }
    ann_shape whole = {.rank = info->shape.rank + 1, .dim = {samples}};
    memcpy(whole.dim + 1, info->shape.dim, (size_t)info->shape.rank * sizeof(int64_t));
    type_name(type, sizeof type, stored);
    storage_name(storage, sizeof storage, dataset);
    const int64_t bytes = ann_shape_elems(&whole) * (int64_t)H5Tget_size(stored);
    say(d, "  %-7s %s %s, %s, %" PRId64 " bytes", info->name, type,
        ann_shape_str(shape, sizeof shape, &whole), storage, bytes);
    H5Tclose(stored);
    H5Dclose(dataset);
    return ANN_OK;
}

/* ---- one split ---- */

enum { LABEL_BLOCK = 4096 };

static ann_status count_labels(int64_t *counts, const ann_dataset *dataset, int field) {
    int64_t ids[LABEL_BLOCK];
    int32_t labels[LABEL_BLOCK];
    const int64_t samples = ann_dataset_samples(dataset);
    for (int64_t first = 0; first < samples; first += LABEL_BLOCK) {
        const int64_t n = samples - first < LABEL_BLOCK ? samples - first : LABEL_BLOCK;
        for (int64_t i = 0; i < n; i++) ids[i] = first + i;
        ANN_TRY(ann_dataset_read(dataset, field, ids, n, labels));
        for (int64_t i = 0; i < n; i++) counts[labels[i]]++;
    }
    return ANN_OK;
}

static ann_status say_classes(const description *d, const ann_dataset *dataset) {
    const int field = ann_dataset_find(dataset, "y"), classes = ann_dataset_classes(dataset);
    if (field < 0) {
        say(d, "  unlabelled");
        return ANN_OK;
    }
    int64_t *counts = ann_arena_alloc(d->arena, (size_t)classes * sizeof *counts);
    if (counts == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", d->path);
    ANN_TRY(count_labels(counts, dataset, field));
    for (int c = 0; c < classes; c++) {
        const bool named = c < d->class_count;
        say(d, "  class %-4d %8" PRId64 "%s%s", c, counts[c], named ? "  " : "", named ? d->classes[c] : "");
    }
    return ANN_OK;
}

static ann_status say_checksum(const description *d, const char *split, const ann_dataset *dataset) {
    const uint64_t stated = ann_dataset_checksum(dataset);
    bool found;
    uint64_t value;
    char where[320];
    snprintf(where, sizeof where, "%s: /%s", d->path, split);
    const hid_t group = H5Gopen2(d->file, split, H5P_DEFAULT);
    if (group < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be opened", where);
    const ann_status status = anni_h5_get_u64(&value, &found, group, "checksum", where);
    H5Gclose(group);
    ANN_TRY(status);
    if (!d->verify) {
        say(d, "  xxh3 %016" PRIx64 " (%s)", stated, found ? "not verified" : "computed: the file has none");
        return ANN_OK;
    }
    if (!found) return ann_error(ANN_ERR_NOT_FOUND, "%s: no checksum to verify", where);
    uint64_t computed;
    ANN_TRY(ann_dataset_compute_checksum(&computed, dataset));
    if (computed != stated) {
        return ann_error(ANN_ERR_CORRUPT, "%s: checksum is %016" PRIx64 ", the file says %016" PRIx64, where,
                         computed, stated);
    }
    say(d, "  xxh3 %016" PRIx64 " (verified)", stated);
    return ANN_OK;
}

static ann_status say_open_split(const description *d, const char *split, const ann_dataset *dataset) {
    const int64_t samples = ann_dataset_samples(dataset);
    say(d, "%-9s %" PRId64 " samples", split, samples);
    for (int f = 0; f < ann_dataset_field_count(dataset); f++) {
        ANN_TRY(say_field(d, split, ann_dataset_field(dataset, f), samples));
    }
    ANN_TRY(say_classes(d, dataset));
    return say_checksum(d, split, dataset);
}

static ann_status say_split(const description *d, const char *split) {
    ann_dataset *dataset;
    const ann_data_source source = {.path = d->path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = split};
    ANN_TRY(ann_dataset_open(&dataset, &options));
    const ann_status status = say_open_split(d, split, dataset);
    ann_dataset_close(dataset);
    return status;
}

static ann_status describe_file(description *d) {
    static const char *const splits[] = {"train", "test"};
    int found = 0;
    ANN_TRY(anni_h5_get_strings(&d->classes, &d->class_count, d->file, "classes", d->path, d->arena));
    ANN_TRY(say_strings(d, "name", "name"));
    ANN_TRY(say_strings(d, "source", "source"));
    ANN_TRY(say_moments(d));
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
        if (H5Lexists(d->file, splits[i], H5P_DEFAULT) <= 0) continue;
        ANN_TRY(say_split(d, splits[i]));
        found++;
    }
    if (found == 0) return ann_error(ANN_ERR_FORMAT, "%s: has neither /train nor /test", d->path);
    return ANN_OK;
}

ann_status ann_dataset_describe(const char *path, bool verify, void (*print)(void *to, const char *line),
                                void *to) {
    description d = {.path = path, .verify = verify, .print = print, .to = to, .file = H5I_INVALID_HID};
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
