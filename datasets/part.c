#include "datasets/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ann_status anni_io_error(const char *path) {
    const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return ann_error(full ? ANN_ERR_NOSPACE : ANN_ERR_IO, "%s: %s", path, strerror(errno));
}

const char *anni_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

size_t anni_type_bytes(anni_type type) {
    static const size_t bytes[] = {[ANNI_U8] = 1, [ANNI_U16] = 2, [ANNI_I32] = 4, [ANNI_F32] = 4};
    return bytes[type];
}

/* Native, so that values written past HDF5 are in the right byte order. */
hid_t anni_type_stored(anni_type type) {
    return type == ANNI_U8    ? H5T_NATIVE_UINT8
           : type == ANNI_U16 ? H5T_NATIVE_UINT16
           : type == ANNI_I32 ? H5T_NATIVE_INT32
                              : H5T_NATIVE_FLOAT;
}

static int64_t row_bytes(const anni_field *field) {
    return ann_shape_elems(&field->shape) * (int64_t)anni_type_bytes(field->type);
}

static bool is_chunked(const anni_part *p) { return p->options->compress > 0; }

void anni_part_init(anni_part *part, const ann_import_options *options, const anni_source *source,
                    ann_arena *arena, const char *path, const char *part_path) {
    *part = (anni_part){.options = options,
                        .source = source,
                        .arena = arena,
                        .path = path,
                        .part = part_path,
                        .fd = -1,
                        .file = H5I_INVALID_HID};
}

/* ---- room ---- */

/* What HDF5 needs beside the data: headers, attributes, alignment, and 64 bytes for each chunk's place. */
static int64_t reserved_bytes(const anni_part *p) {
    const anni_source *s = p->source;
    int64_t bytes = 1 << 18;
    for (int i = 0; i < s->class_count; i++) bytes += 256;
    for (int a = 0; a < s->attribute_count; a++) {
        for (int i = 0; i < s->attributes[a].count; i++) bytes += 256;
    }
    for (int t = 0; t < s->table_count; t++) bytes += 8 * s->tables[t].count + (1 << 13);
    for (int i = 0; i < s->ancestor_count; i++) bytes += 2 * (int64_t)strlen(s->ancestors[i]);
    for (int g = 0; g < p->group_count; g++) {
        for (int f = 0; f < s->field_count; f++) {
            bytes += p->groups[g].capacity * row_bytes(&s->fields[f]) + (1 << 12);
            if (is_chunked(p)) bytes += 64 * p->groups[g].capacity + (1 << 16);
        }
    }
    return bytes;
}

/* mode: 0, or FALLOC_FL_KEEP_SIZE. File systems that cannot reserve are taken at their word. */
static ann_status reserve(const anni_part *p, int fd, int mode, int64_t bytes) {
    if (fallocate(fd, mode, 0, (off_t)bytes) == 0 || errno == EOPNOTSUPP) return ANN_OK;
    return anni_io_error(p->path);
}

static ann_status create_empty(const anni_part *p) {
    struct stat info;
    if (stat(p->path, &info) == 0 && S_ISDIR(info.st_mode)) {
        return ann_error(ANN_ERR_IO, "%s: is a directory", p->path);
    }
    const int fd = open(p->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return anni_io_error(p->path);
    const ann_status status = reserve(p, fd, 0, reserved_bytes(p));
    close(fd);
    return status;
}

/* Creating the HDF5 file gave back what create_empty reserved. */
static ann_status reserve_again(const anni_part *p, hid_t file) {
    void *handle = NULL;
    if (H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0) return anni_h5_error(ANN_ERR_IO, "%s", p->part);
    return reserve(p, *(const int *)handle, FALLOC_FL_KEEP_SIZE, reserved_bytes(p));
}

/* ---- fields ---- */

/* Records of a chunk: 256 KiB of this field unless the options say otherwise. */
static hsize_t chunk_rows(const anni_part *p, const anni_field *field, int64_t capacity) {
    const int64_t bytes = row_bytes(field);
    int64_t rows = p->options->chunk > 0 ? p->options->chunk : (1 << 18) / (bytes > 0 ? bytes : 1);
    if (rows > capacity) rows = capacity;
    while (rows > 1 && rows > INT32_MAX / (bytes > 0 ? bytes : 1))
        rows /= 2; /* HDF5: a chunk is below 4 GiB */
    return (hsize_t)(rows > 0 ? rows : 1);
}

static herr_t set_storage(const anni_part *p, const anni_field *field, int64_t capacity, hid_t plist) {
    /* No times: the same import gives the same bytes. */
    if (H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER) < 0 || H5Pset_obj_track_times(plist, false) < 0)
        return -1;
    if (!is_chunked(p)) return H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY);
    hsize_t chunk[ANN_MAX_RANK] = {chunk_rows(p, field, capacity)};
    for (int i = 0; i < field->shape.rank; i++) chunk[i + 1] = (hsize_t)field->shape.dim[i];
    if (H5Pset_chunk(plist, field->shape.rank + 1, chunk) < 0 || H5Pset_shuffle(plist) < 0) return -1;
    return H5Pset_deflate(plist, (unsigned)p->options->compress);
}

static hid_t new_dataset(const anni_part *p, hid_t group, const anni_field *field, int64_t capacity) {
    hsize_t dims[ANN_MAX_RANK] = {(hsize_t)capacity};
    for (int i = 0; i < field->shape.rank; i++) dims[i + 1] = (hsize_t)field->shape.dim[i];
    const hid_t space = H5Screate_simple(field->shape.rank + 1, dims, NULL),
                plist = H5Pcreate(H5P_DATASET_CREATE);
    hid_t id = H5I_INVALID_HID;
    if (space >= 0 && plist >= 0 && set_storage(p, field, capacity, plist) >= 0) {
        id = H5Dcreate2(group, field->name, anni_type_stored(field->type), space, H5P_DEFAULT, plist,
                        H5P_DEFAULT);
    }
    if (plist >= 0) H5Pclose(plist);
    if (space >= 0) H5Sclose(space);
    return id;
}

/* Where the values of a contiguous dataset begin. */
static ann_status find_offset(const anni_part *p, anni_group *group, int f, hid_t dataset) {
    const haddr_t offset = H5Dget_offset(dataset);
    if (offset == HADDR_UNDEF) return anni_h5_error(ANN_ERR_IO, "%s: no room for %s", p->part, group->name);
    group->offsets[f] = (int64_t)offset;
    return ANN_OK;
}

static ann_status create_fields(anni_part *p, anni_group *group, hid_t parent) {
    for (int f = 0; f < p->source->field_count; f++) {
        const anni_field *field = &p->source->fields[f];
        const hid_t id = new_dataset(p, parent, field, group->capacity);
        if (id < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot create %s", p->part, field->name);
        ann_status status = anni_put_field_attributes(p, field, id);
        group->fields[f] = is_chunked(p) ? id : H5I_INVALID_HID;
        if (!is_chunked(p)) {
            if (status == ANN_OK) status = find_offset(p, group, f, id);
            H5Dclose(id);
        }
        ANN_TRY(status);
    }
    return ANN_OK;
}

hid_t anni_create_group(hid_t file, const char *name) {
    const hid_t plist = H5Pcreate(H5P_GROUP_CREATE);
    if (plist < 0) return plist;
    H5Pset_obj_track_times(plist, false);
    const hid_t id = H5Gcreate2(file, name, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Pclose(plist);
    return id;
}

static ann_status create_group(anni_part *p, anni_group *group) {
    const hid_t id = anni_create_group(p->file, group->name);
    if (id < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot create /%s", p->part, group->name);
    ann_status status = anni_h5_put_u64(id, "checksum", 0, p->part); /* its place in the file */
    if (status == ANN_OK) status = create_fields(p, group, id);
    H5Gclose(id);
    return status;
}

/* ---- create, reopen, close ---- */

static ann_status close_file(anni_part *p) {
    ann_status status = ANN_OK;
    if (H5Fflush(p->file, H5F_SCOPE_GLOBAL) < 0)
        status = anni_h5_error(ANN_ERR_IO, "%s: cannot be written", p->part);
    for (int g = 0; g < p->group_count; g++) {
        for (int f = 0; f < p->source->field_count; f++) {
            if (p->groups[g].fields[f] > 0) H5Dclose(p->groups[g].fields[f]);
            p->groups[g].fields[f] = H5I_INVALID_HID;
        }
    }
    const herr_t failed = H5Fclose(p->file);
    p->file = H5I_INVALID_HID;
    if (status == ANN_OK && failed < 0) status = anni_h5_error(ANN_ERR_IO, "%s: cannot be closed", p->part);
    return status;
}

hid_t anni_create_h5(const char *path, bool is_index) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    if (access < 0 || creation < 0) return H5I_INVALID_HID;
    H5Pset_obj_track_times(creation, false);
    H5Pset_file_locking(access, true, true);
    /* With checksums of HDF5's own structures; virtual datasets are of 1.10. */
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, is_index ? H5F_LIBVER_V110 : H5F_LIBVER_V18);
    H5Pset_alignment(access, 1 << 16, 1 << 12); /* large fields begin at a page */
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    H5Pclose(creation);
    H5Pclose(access);
    return file;
}

/* The values of contiguous fields are written past HDF5; the room must be there, too. */
static ann_status open_values(anni_part *p) {
    struct stat info;
    p->fd = open(p->part, O_RDWR | O_CLOEXEC);
    if (p->fd < 0 || fstat(p->fd, &info) != 0) return anni_io_error(p->part);
    int64_t end = info.st_size;
    for (int g = 0; g < p->group_count; g++) {
        for (int f = 0; f < p->source->field_count; f++) {
            const int64_t bytes = p->groups[g].capacity * row_bytes(&p->source->fields[f]);
            if (p->groups[g].offsets[f] + bytes > end) end = p->groups[g].offsets[f] + bytes;
        }
    }
    return reserve(p, p->fd, 0, end);
}

static ann_status create_file(anni_part *p) {
    ANN_TRY(create_empty(p));
    p->file = anni_create_h5(p->part, false);
    if (p->file < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot be created", p->part);
    ANN_TRY(reserve_again(p, p->file));
    ANN_TRY(anni_put_attributes(p, p->file));
    for (int g = 0; g < p->group_count; g++) ANN_TRY(create_group(p, &p->groups[g]));
    if (is_chunked(p)) return ANN_OK;
    ANN_TRY(close_file(p));
    return open_values(p);
}

ann_status anni_part_create(anni_part *part) {
    part->is_open = true;
    for (int g = 0; g < part->group_count; g++) {
        for (int f = 0; f < ANNI_MAX_FIELDS; f++) part->groups[g].fields[f] = H5I_INVALID_HID;
    }
    const ann_status status = create_file(part);
    if (status != ANN_OK) anni_part_close(part, true);
    return status;
}

static bool is_dataset_of(const anni_part *p, const anni_field *field, int64_t capacity, hid_t dataset) {
    hsize_t dims[H5S_MAX_RANK];
    const hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    const int rank = H5Sget_simple_extent_ndims(space);
    bool same = rank == field->shape.rank + 1 && H5Tequal(type, anni_type_stored(field->type)) > 0 &&
                H5Sget_simple_extent_dims(space, dims, NULL) == rank && dims[0] == (hsize_t)capacity;
    for (int i = 0; same && i < field->shape.rank; i++) same = dims[i + 1] == (hsize_t)field->shape.dim[i];
    H5Sclose(space);
    H5Tclose(type);
    (void)p;
    return same;
}

static bool find_fields(anni_part *p, hid_t file) {
    for (int g = 0; g < p->group_count; g++) {
        anni_group *group = &p->groups[g];
        for (int f = 0; f < p->source->field_count; f++) {
            char name[256];
            snprintf(name, sizeof name, "/%s/%s", group->name, p->source->fields[f].name);
            const hid_t id = H5Dopen2(file, name, H5P_DEFAULT);
            if (id < 0) return false;
            const bool good = is_dataset_of(p, &p->source->fields[f], group->capacity, id) &&
                              find_offset(p, group, f, id) == ANN_OK;
            H5Dclose(id);
            if (!good) return false;
        }
    }
    return true;
}

ann_status anni_part_reopen(anni_part *part, bool *found) {
    *found = false;
    if (is_chunked(part) || access(part->part, F_OK) != 0) return ANN_OK;
    hid_t file;
    if (anni_h5_open(&file, part->part) != ANN_OK) return ANN_OK;
    *found = find_fields(part, file);
    H5Fclose(file);
    H5Eclear2(H5E_DEFAULT);
    ann_error_clear();
    if (!*found) return ANN_OK;
    part->is_open = true;
    return open_values(part);
}

/* HDF5 still writes its own pages when it closes the file. Emptied first, the file has room for them whatever
 * the disk. */
void anni_part_close(anni_part *part, bool remove) {
    if (!part->is_open) return;
    part->is_open = false;
    if (remove) {
        const int fd = open(part->part, O_WRONLY | O_TRUNC | O_CLOEXEC);
        if (fd >= 0) close(fd);
    }
    if (part->file >= 0) (void)!close_file(part);
    if (part->fd >= 0) close(part->fd);
    part->fd = -1;
    if (remove) unlink(part->part);
}

/* ---- values ---- */

static ann_status write_at(const anni_part *p, const void *bytes, int64_t n, int64_t offset) {
    while (n > 0) {
        const ssize_t put = pwrite(p->fd, bytes, (size_t)n, (off_t)offset);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return anni_io_error(p->part);
        bytes = (const char *)bytes + put;
        offset += put;
        n -= put;
    }
    return ANN_OK;
}

static ann_status write_chunks(const anni_part *p, const anni_field *field, hid_t dataset, int64_t first,
                               int64_t n, const void *values) {
    hsize_t start[ANN_MAX_RANK] = {(hsize_t)first}, count[ANN_MAX_RANK] = {(hsize_t)n};
    for (int i = 0; i < field->shape.rank; i++) count[i + 1] = (hsize_t)field->shape.dim[i];
    const hid_t memory = H5Screate_simple(field->shape.rank + 1, count, NULL), space = H5Dget_space(dataset);
    herr_t failed = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    if (failed >= 0)
        failed = H5Dwrite(dataset, anni_type_stored(field->type), memory, space, H5P_DEFAULT, values);
    const ann_status status =
        failed >= 0 ? ANN_OK : anni_h5_error(ANN_ERR_IO, "%s: cannot write %s", p->part, field->name);
    H5Sclose(memory);
    H5Sclose(space);
    return status;
}

ann_status anni_part_write(anni_part *part, int group, int64_t first, int64_t n, void *const *values) {
    const anni_group *g = &part->groups[group];
    for (int f = 0; f < part->source->field_count; f++) {
        const anni_field *field = &part->source->fields[f];
        const int64_t bytes = row_bytes(field);
        if (is_chunked(part)) ANN_TRY(write_chunks(part, field, g->fields[f], first, n, values[f]));
        else ANN_TRY(write_at(part, values[f], n * bytes, g->offsets[f] + first * bytes));
    }
    return ANN_OK;
}

ann_status anni_part_sync(anni_part *part) {
    return part->fd < 0 || fdatasync(part->fd) == 0 ? ANN_OK : anni_io_error(part->part);
}

/* ---- commit ---- */

static ann_status copy_values(const anni_part *from, const anni_part *to, int64_t at, int64_t into,
                              int64_t n) {
    enum { BLOCK = 1 << 20 };
    void *block;
    ANN_TRY(ann_mem_alloc(&block, BLOCK));
    ann_status status = ANN_OK;
    while (n > 0 && status == ANN_OK) {
        const ssize_t got = pread(from->fd, block, n < BLOCK ? (size_t)n : BLOCK, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        status = got > 0 ? write_at(to, block, got, into) : anni_io_error(from->part);
        at += got;
        into += got;
        n -= got;
    }
    ann_mem_free(block, BLOCK);
    return status;
}

static ann_status copy_groups(const anni_part *from, const anni_part *to) {
    for (int g = 0; g < to->group_count; g++) {
        for (int f = 0; f < to->source->field_count; f++) {
            ANN_TRY(copy_values(from, to, from->groups[g].offsets[f], to->groups[g].offsets[f],
                                to->groups[g].capacity * row_bytes(&to->source->fields[f])));
        }
    }
    return ANN_OK;
}

/* Bad records were left out: contiguous fields get a new file of the right length. */
static ann_status shorten(anni_part *p, const int64_t *rows) {
    anni_part shorter = *p;
    shorter.part = ann_arena_printf(p->arena, "%s.short", p->part);
    if (shorter.part == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", p->path);
    shorter.fd = -1;
    for (int g = 0; g < p->group_count; g++) shorter.groups[g].capacity = rows[g];
    ANN_TRY(anni_part_create(&shorter));
    ann_status status = copy_groups(p, &shorter);
    if (status == ANN_OK) status = anni_part_sync(&shorter);
    anni_part_close(&shorter, status != ANN_OK);
    ANN_TRY(status);
    close(p->fd);
    p->fd = -1;
    if (rename(shorter.part, p->part) != 0) return anni_io_error(p->part);
    for (int g = 0; g < p->group_count; g++) p->groups[g].capacity = rows[g];
    return ANN_OK;
}

static ann_status shrink_chunked(anni_part *p, const int64_t *rows) {
    for (int g = 0; g < p->group_count; g++) {
        for (int f = 0; f < p->source->field_count; f++) {
            const anni_field *field = &p->source->fields[f];
            hsize_t dims[ANN_MAX_RANK] = {(hsize_t)rows[g]};
            for (int i = 0; i < field->shape.rank; i++) dims[i + 1] = (hsize_t)field->shape.dim[i];
            if (H5Dset_extent(p->groups[g].fields[f], dims) < 0)
                return anni_h5_error(ANN_ERR_IO, "%s: cannot write %s", p->part, field->name);
        }
        p->groups[g].capacity = rows[g];
    }
    return ANN_OK;
}

static ann_status close_values(anni_part *p, const int64_t *rows) {
    bool full = true;
    for (int g = 0; g < p->group_count; g++) full = full && rows[g] == p->groups[g].capacity;
    if (!full) ANN_TRY(is_chunked(p) ? shrink_chunked(p, rows) : shorten(p, rows));
    if (is_chunked(p)) return close_file(p);
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
    return ANN_OK;
}

static ann_status sync_path(const char *path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return anni_io_error(path);
    const ann_status status = fsync(fd) == 0 ? ANN_OK : anni_io_error(path);
    close(fd);
    return status;
}

ann_status anni_rename_into_place(const anni_part *part) {
    ANN_TRY(sync_path(part->part));
    if (rename(part->part, part->path) != 0) return anni_io_error(part->path);
    const char *base = anni_base_name(part->path);
    const char *folder = base == part->path
                             ? "."
                             : ann_arena_printf(part->arena, "%.*s", (int)(base - part->path), part->path);
    if (folder == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", part->path);
    return sync_path(folder);
}

ann_status anni_part_commit(anni_part *part, const int64_t *rows, int64_t skipped) {
    ANN_TRY(close_values(part, rows));
    ANN_TRY(anni_finish(part, skipped));
    ANN_TRY(anni_rename_into_place(part));
    part->is_open = false;
    return ANN_OK;
}
