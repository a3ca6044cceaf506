#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "data/data.h"
#include "datasets/describe.h"
#include "datasets/import.h"
#include "datasets/layout.h"
#include "datasets/storage.h"

typedef struct verification {
    anni_description d;
    int checked, differ;
    char first[512]; /* what differs, in words */
} verification;

static void compare(verification *v, const char *path, const char *split, const char *field,
                    uint64_t computed, uint64_t stated) {
    char where[400];
    snprintf(where, sizeof where, "%.200s: /%.64s/%.64s", path, split, field);
    v->checked++;
    if (computed == stated) {
        anni_describe_line(&v->d, "%s  xxh3 %016" PRIx64 "  verified", where, stated);
        return;
    }
    anni_describe_line(&v->d, "%s  xxh3 %016" PRIx64 "  DAMAGED: the file says %016" PRIx64, where, computed,
                       stated);
    if (v->differ++ == 0)
        snprintf(v->first, sizeof v->first, "%s: checksum is %016" PRIx64 ", the file says %016" PRIx64,
                 where, computed, stated);
}

/* ---- one split ---- */

/* The split's checksum is that of x, continued over y. */
static ann_status continue_over(uint64_t *hash, const ann_dataset *dataset, int field) {
    enum { BLOCK = 1024 };
    const ann_field_info *info = ann_dataset_field(dataset, field);
    const size_t row = (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
    const int64_t samples = ann_dataset_samples(dataset);
    int64_t ids[BLOCK];
    void *rows;
    ann_hasher hasher;
    ANN_TRY(ann_mem_alloc(&rows, BLOCK * row));
    ann_hasher_begin_seeded(&hasher, *hash);
    ann_status status = ANN_OK;
    for (int64_t first = 0; first < samples && status == ANN_OK; first += BLOCK) {
        const int64_t n = samples - first < BLOCK ? samples - first : BLOCK;
        for (int64_t i = 0; i < n; i++) ids[i] = first + i;
        status = ann_dataset_read(dataset, field, ids, n, rows);
        if (status == ANN_OK) ann_hasher_update(&hasher, rows, (size_t)n * row);
    }
    *hash = ann_hasher_end(&hasher);
    ann_mem_free(rows, BLOCK * row);
    return status;
}

/* Where x has a checksum of its own, a damage of x is told from one of y. */
static ann_status verify_open_split(verification *v, const char *path, const char *split,
                                    const ann_dataset *dataset, bool has_checksum) {
    const int x = ann_dataset_find(dataset, "x"), y = ann_dataset_find(dataset, "y");
    uint64_t x_hash = 0, stated = 0;
    bool x_is_known = false;
    for (int f = 0; f < ann_dataset_field_count(dataset); f++) {
        uint64_t computed;
        const bool found = ann_dataset_field_checksum(&stated, dataset, f);
        if (!found && (f != x || !has_checksum)) continue;
        ANN_TRY(ann_dataset_compute_field_checksum(&computed, dataset, f));
        if (f == x) x_hash = found ? stated : computed;
        if (!found) continue;
        compare(v, path, split, ann_dataset_field(dataset, f)->name, computed, stated);
        if (f == x) x_is_known = true;
    }
    if (!has_checksum) return ANN_OK;
    if (y >= 0) ANN_TRY(continue_over(&x_hash, dataset, y));
    if (y >= 0 || !x_is_known)
        compare(v, path, split,
                y < 0        ? "x"
                : x_is_known ? "y"
                             : "x and y",
                x_hash, ann_dataset_checksum(dataset));
    return ANN_OK;
}

static ann_status find_checksum(bool *found, hid_t file, const char *path, const char *split) {
    uint64_t value;
    const hid_t group = H5Gopen2(file, split, H5P_DEFAULT);
    if (group < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: /%s cannot be opened", path, split);
    const ann_status status = anni_h5_get_u64(&value, found, group, "checksum", path);
    H5Gclose(group);
    return status;
}

static ann_status verify_split(verification *v, hid_t file, const char *path, const char *split) {
    ann_dataset *dataset;
    bool found = false;
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = split};
    ANN_TRY(find_checksum(&found, file, path, split));
    ANN_TRY(ann_dataset_open(&dataset, &options));
    const ann_status status = verify_open_split(v, path, split, dataset, found);
    ann_dataset_close(dataset);
    return status;
}

/* ---- files ---- */

static ann_status verify_file(verification *v, const char *path, bool is_shard);

/* The files of an index first: so it is named which of them is damaged. */
static ann_status verify_shards(verification *v, hid_t file, const char *path, const char *split) {
    char x[ANNI_SPLIT_NAME + 4], **files = NULL;
    int count = 0;
    snprintf(x, sizeof x, "%s/x", split);
    const hid_t dataset = H5Dopen2(file, x, H5P_DEFAULT);
    if (dataset < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: /%s cannot be opened", path, x);
    const ann_status status = anni_storage_files(&files, &count, dataset, path, v->d.arena);
    H5Dclose(dataset);
    ANN_TRY(status);
    const char *slash = strrchr(path, '/');
    for (int i = 0; i < count; i++) {
        const bool below = files[i][0] != '/' && slash != NULL;
        const char *shard = files[i];
        if (below) shard = ann_arena_printf(v->d.arena, "%.*s/%s", (int)(slash - path), path, files[i]);
        if (shard == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
        if (strcmp(files[i], ".") != 0) ANN_TRY(verify_file(v, shard, true));
    }
    return ANN_OK;
}

static ann_status verify_open_file(verification *v, hid_t file, const char *path, bool is_shard) {
    anni_layout layout;
    ANN_TRY(anni_layout_of(&layout, file, path));
    for (int s = 0; s < layout.split_count && !is_shard; s++)
        ANN_TRY(verify_shards(v, file, path, layout.splits[s]));
    for (int s = 0; s < layout.split_count; s++) {
        const int before = v->checked;
        ANN_TRY(verify_split(v, file, path, layout.splits[s]));
        if (v->checked == before && !is_shard)
            return ann_error(ANN_ERR_NOT_FOUND, "%s: /%s: no checksum to verify", path, layout.splits[s]);
    }
    if (layout.split_count == 0 && !is_shard)
        return ann_error(ANN_ERR_NOT_FOUND,
                         "%s: no checksum to verify: it has no split, that is, no group with a dataset x",
                         path);
    return ANN_OK;
}

static ann_status verify_file(verification *v, const char *path, bool is_shard) {
    hid_t file;
    ANN_TRY(anni_h5_open(&file, path));
    const ann_status status = verify_open_file(v, file, path, is_shard);
    H5Fclose(file);
    return status;
}

ann_status ann_dataset_verify(const char *path, void (*print)(void *to, const char *line), void *to) {
    verification v = {.d = {.path = path, .print = print, .to = to}};
    anni_h5_printing before;
    ANN_TRY(ann_arena_new(&v.d.arena));
    anni_h5_begin(&before);
    ann_status status = verify_file(&v, path, false);
    anni_h5_end(&before);
    ann_arena_free(v.d.arena);
    ANN_TRY(status);
    if (v.differ == 0) return ANN_OK;
    return ann_error(ANN_ERR_CORRUPT, "%s (%d of %d checksums differ)", v.first, v.differ, v.checked);
}
