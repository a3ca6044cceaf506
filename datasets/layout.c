#include "datasets/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static herr_t add_split(hid_t file, const char *name, const H5L_info_t *link, void *to) {
    anni_layout *layout = to;
    char x[ANNI_SPLIT_NAME + 4];
    if (link->type != H5L_TYPE_HARD || strlen(name) >= ANNI_SPLIT_NAME) return 0;
    const hid_t object = H5Oopen(file, name, H5P_DEFAULT);
    if (object < 0) return -1;
    const bool is_group = H5Iget_type(object) == H5I_GROUP;
    H5Oclose(object);
    snprintf(x, sizeof x, "%s/x", name);
    if (!is_group || H5Lexists(file, x, H5P_DEFAULT) <= 0) return 0;
    if (layout->split_count < ANNI_LAYOUT_SPLITS)
        snprintf(layout->splits[layout->split_count++], ANNI_SPLIT_NAME, "%s", name);
    return 0;
}

static int rank_of(const char *name) {
    return strcmp(name, "train") == 0 ? 0 : strcmp(name, "test") == 0 ? 1 : 2;
}

static int compare(const void *a, const void *b) {
    const int difference = rank_of(a) - rank_of(b);
    return difference != 0 ? difference : strcmp(a, b);
}

ann_status anni_layout_of(anni_layout *out, hid_t file, const char *path) {
    *out = (anni_layout){0};
    hsize_t at = 0;
    if (H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, &at, add_split, out) < 0)
        return anni_h5_error(ANN_ERR_FORMAT, "%s: its groups cannot be read", path);
    qsort(out->splits, (size_t)out->split_count, sizeof out->splits[0], compare);
    return ANN_OK;
}

ann_status anni_layout_read(anni_layout *out, const char *path) {
    anni_h5_printing before;
    *out = (anni_layout){0};
    anni_h5_begin(&before);
    hid_t file;
    ann_status status = anni_h5_open(&file, path);
    if (status == ANN_OK) {
        status = anni_layout_of(out, file, path);
        H5Fclose(file);
    }
    anni_h5_end(&before);
    return status;
}

ann_status anni_layout_strings(char ***out, int *count, const char *path, const char *attribute,
                               ann_arena *arena) {
    anni_h5_printing before;
    *count = 0;
    anni_h5_begin(&before);
    hid_t file;
    ann_status status = anni_h5_open(&file, path);
    if (status == ANN_OK) {
        status = anni_h5_get_strings(out, count, file, attribute, path, arena);
        H5Fclose(file);
    }
    anni_h5_end(&before);
    return status;
}
