#include <inttypes.h>
#include <string.h>
#include "datasets/part.h"

/* "data.h5", "train", 3 -> "data-train-00003.h5". */
char *anni_shard_path(const char *out, const char *split, int64_t shard, ann_arena *arena) {
    const char *base = anni_base_name(out), *dot = strrchr(base, '.');
    const int stem = dot == NULL || dot == base ? (int)strlen(out) : (int)(dot - out);
    return ann_arena_printf(arena, "%.*s-%s-%05" PRId64 "%s", stem, out, split, shard, out + stem);
}

/* HDF5 reads %b in the name of a source file as a block number; %% is a percent sign. */
static char *escape(const char *name, ann_arena *arena) {
    char *out = ann_arena_alloc(arena, 2 * strlen(name) + 1), *to = out;
    for (; out != NULL && *name != '\0'; name++) {
        if (*name == '%') *to++ = '%';
        *to++ = *name;
    }
    return out;
}

static ann_status map_shard(const anni_part *p, const anni_group *group, const anni_field *field,
                            int64_t shard, hid_t plist, hid_t space) {
    const int64_t size = p->options->shard, first = shard * size;
    const int64_t n = group->capacity - first < size ? group->capacity - first : size;
    hsize_t start[ANN_MAX_RANK] = {(hsize_t)first}, count[ANN_MAX_RANK] = {(hsize_t)n};
    for (int i = 0; i < field->shape.rank; i++) count[i + 1] = (hsize_t)field->shape.dim[i];
    const char *path = anni_shard_path(p->path, group->name, shard, p->arena);
    const char *file = path == NULL ? NULL : escape(anni_base_name(path), p->arena);
    const char *dataset = ann_arena_printf(p->arena, "/%s/%s", group->name, field->name);
    if (file == NULL || dataset == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", p->path);
    const hid_t source = H5Screate_simple(field->shape.rank + 1, count, NULL);
    herr_t failed = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    if (failed >= 0) failed = H5Pset_virtual(plist, space, file, dataset, source);
    H5Sclose(source);
    return failed >= 0 ? ANN_OK : anni_h5_error(ANN_ERR_IO, "%s: cannot refer to %s", p->part, path);
}

static ann_status create_virtual(const anni_part *p, const anni_group *group, hid_t parent,
                                 const anni_field *field, hid_t plist, hid_t space) {
    for (int64_t k = 0; k * p->options->shard < group->capacity; k++) {
        ANN_TRY(map_shard(p, group, field, k, plist, space));
    }
    H5Sselect_all(space);
    H5Pset_obj_track_times(plist, false);
    const hid_t id = H5Dcreate2(parent, field->name, anni_type_stored(field->type), space, H5P_DEFAULT, plist,
                                H5P_DEFAULT);
    if (id < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot create %s", p->part, field->name);
    const ann_status status = anni_put_field_attributes(p, field, id);
    H5Dclose(id);
    return status;
}

static ann_status create_field(const anni_part *p, const anni_group *group, hid_t parent,
                               const anni_field *field) {
    hsize_t dims[ANN_MAX_RANK] = {(hsize_t)group->capacity};
    for (int i = 0; i < field->shape.rank; i++) dims[i + 1] = (hsize_t)field->shape.dim[i];
    const hid_t space = H5Screate_simple(field->shape.rank + 1, dims, NULL),
                plist = H5Pcreate(H5P_DATASET_CREATE);
    const ann_status status = space >= 0 && plist >= 0 ? create_virtual(p, group, parent, field, plist, space)
                                                       : anni_h5_error(ANN_ERR_MEMORY, "%s", p->part);
    if (plist >= 0) H5Pclose(plist);
    if (space >= 0) H5Sclose(space);
    return status;
}

static ann_status create_group(const anni_part *p, const anni_group *group) {
    const hid_t id = anni_create_group(p->file, group->name);
    if (id < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot create /%s", p->part, group->name);
    ann_status status = anni_h5_put_u64(id, "checksum", 0, p->part);
    for (int f = 0; f < p->source->field_count && status == ANN_OK; f++) {
        status = create_field(p, group, id, &p->source->fields[f]);
    }
    H5Gclose(id);
    return status;
}

static ann_status write_file(anni_part *p) {
    ANN_TRY(anni_put_attributes(p, p->file));
    for (int g = 0; g < p->group_count; g++) ANN_TRY(create_group(p, &p->groups[g]));
    return ANN_OK;
}

ann_status anni_index_write(anni_part *part, int64_t skipped) {
    part->file = anni_create_h5(part->part, true);
    if (part->file < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot be created", part->part);
    part->is_open = true;
    ann_status status = write_file(part);
    if (H5Fclose(part->file) < 0 && status == ANN_OK)
        status = anni_h5_error(ANN_ERR_IO, "%s: cannot be closed", part->part);
    part->file = H5I_INVALID_HID;
    if (status == ANN_OK) status = anni_finish(part, skipped);
    if (status == ANN_OK) status = anni_rename_into_place(part);
    anni_part_close(part, status != ANN_OK);
    return status;
}
