#include "datasets/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/hash.h"
#include "data/data.h"

static ann_status io_error(const char *path) {
    const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return ann_error(full ? ANN_ERR_NOSPACE : ANN_ERR_IO, "%s: %s", path, strerror(errno));
}

/* ---- begin ---- */

/* What HDF5 needs beside the data: headers, attributes, alignment. */
#define EXTRA_BYTES (1 << 18)

/* mode: 0, or FALLOC_FL_KEEP_SIZE. File systems that cannot reserve are taken at their word. */
static ann_status reserve(const anni_writer *w, int fd, int mode, int64_t data_bytes) {
    if (fallocate(fd, mode, 0, (off_t)(data_bytes + EXTRA_BYTES)) == 0 || errno == EOPNOTSUPP) return ANN_OK;
    return io_error(w->path);
}

/* A file of a name that nobody has. */
static ann_status create_part(anni_writer *w, int64_t data_bytes) {
    for (int k = 0; k < 1000; k++) {
        w->part = ann_arena_printf(w->arena, "%s.part-%ld-%d", w->path, (long)getpid(), k);
        if (w->part == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", w->path);
        const int fd = open(w->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            const ann_status status = reserve(w, fd, 0, data_bytes);
            close(fd);
            return status;
        }
        if (errno != EEXIST) break;
    }
    const ann_status status = io_error(w->path);
    w->part = NULL;
    return status;
}

/* Creating the HDF5 file gave back what create_part reserved. */
static ann_status reserve_again(const anni_writer *w, int64_t data_bytes) {
    void *handle = NULL;
    if (H5Fget_vfd_handle(w->file, H5P_DEFAULT, &handle) < 0) return anni_h5_error(ANN_ERR_IO, "%s", w->part);
    return reserve(w, *(const int *)handle, FALLOC_FL_KEEP_SIZE, data_bytes);
}

static ann_status create_file(anni_writer *w, int64_t data_bytes) {
    struct stat info;
    if (stat(w->path, &info) == 0 && S_ISDIR(info.st_mode))
        return ann_error(ANN_ERR_IO, "%s: is a directory", w->path);
    ANN_TRY(create_part(w, data_bytes));
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0) return anni_h5_error(ANN_ERR_MEMORY, "%s", w->part);
    H5Pset_file_locking(access, true, true);
    H5Pset_libver_bounds(access, H5F_LIBVER_V18,
                         H5F_LIBVER_V18);       /* with checksums of HDF5's own structures */
    H5Pset_alignment(access, 1 << 16, 1 << 12); /* large fields begin at a page */
    w->file = H5Fcreate(w->part, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    const ann_status status =
        w->file >= 0 ? ANN_OK : anni_h5_error(ANN_ERR_IO, "%s: cannot be created", w->part);
    H5Pclose(access);
    ANN_TRY(status);
    return reserve_again(w, data_bytes);
}

ann_status anni_writer_begin(anni_writer *writer, const char *path, int64_t data_bytes) {
    *writer = (anni_writer){.path = path, .file = H5I_INVALID_HID};
    ANN_TRY(ann_arena_new(&writer->arena));
    const ann_status status = create_file(writer, data_bytes);
    if (status != ANN_OK) anni_writer_end(writer);
    return status;
}

/* ---- contents ---- */

ann_status anni_writer_group(hid_t *out, const anni_writer *writer, const char *name) {
    *out = H5Gcreate2(writer->file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (*out < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot create /%s", writer->part, name);
    const ann_status status = anni_h5_put_u64(*out, "checksum", 0, writer->part); /* its place in the file */
    if (status != ANN_OK) H5Gclose(*out);
    return status;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

ann_status anni_writer_attributes(const anni_writer *writer, const char *name, const char *const *classes,
                                  int class_count, double mean, double std) {
    const hid_t file = writer->file;
    const char *where = writer->part;
    const char *const format = "annulus-dataset";
    const char *base = base_name(writer->path), *dot = strrchr(base, '.');
    const int base_bytes = dot == NULL || dot == base ? (int)strlen(base) : (int)(dot - base);
    const char *const title = name != NULL ? name : ann_arena_printf(writer->arena, "%.*s", base_bytes, base);
    if (title == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", where);
    ANN_TRY(anni_h5_put_strings(file, "format", &format, 0, where));
    ANN_TRY(anni_h5_put_u64(file, "version", 1, where));
    ANN_TRY(anni_h5_put_strings(file, "name", &title, 0, where));
    if (class_count > 0) ANN_TRY(anni_h5_put_strings(file, "classes", classes, class_count, where));
    ANN_TRY(anni_h5_put_double(file, "mean", mean, where));
    return anni_h5_put_double(file, "std", std, where);
}

static ann_status hash_file(uint64_t *out, const char *path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return io_error(path);
    struct stat info;
    void *map = MAP_FAILED;
    const bool sized = fstat(fd, &info) == 0 && info.st_size > 0;
    if (sized) map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    const ann_status status = map == MAP_FAILED ? io_error(path) : ANN_OK;
    close(fd);
    if (status != ANN_OK) return status;
    *out = ann_hash(map, (size_t)info.st_size, 0);
    munmap(map, (size_t)info.st_size);
    return ANN_OK;
}

ann_status anni_writer_sources(anni_writer *writer, const char *const *paths, int count) {
    const char **notes = ann_arena_alloc(writer->arena, (size_t)count * sizeof *notes);
    int used = 0;
    if (notes == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", writer->part);
    for (int i = 0; i < count; i++) {
        if (paths[i] == NULL) continue;
        uint64_t hash = 0;
        ANN_TRY(hash_file(&hash, paths[i]));
        notes[used] = ann_arena_printf(writer->arena, "%s xxh3:%016" PRIx64, base_name(paths[i]), hash);
        if (notes[used++] == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", writer->part);
    }
    return anni_h5_put_strings(writer->file, "source", notes, used, writer->part);
}

ann_status anni_field_create(anni_field *field, const anni_writer *writer, hid_t group, const char *name,
                             const ann_shape *shape) {
    *field = (anni_field){.writer = writer, .name = name, .shape = *shape, .id = H5I_INVALID_HID};
    hsize_t dims[ANN_MAX_RANK];
    for (int i = 0; i < shape->rank; i++) dims[i] = (hsize_t)shape->dim[i];
    field->space = H5Screate_simple(shape->rank, dims, NULL);
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    if (field->space >= 0 && plist >= 0 && H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER) >= 0) {
        field->id = H5Dcreate2(group, name, H5T_STD_U8LE, field->space, H5P_DEFAULT, plist, H5P_DEFAULT);
    }
    const ann_status status =
        field->id >= 0 ? ANN_OK : anni_h5_error(ANN_ERR_IO, "%s: cannot create %s", writer->part, name);
    if (plist >= 0) H5Pclose(plist);
    if (status != ANN_OK && field->space >= 0) H5Sclose(field->space);
    return status;
}

ann_status anni_field_write(anni_field *field, const void *records, int64_t first, int64_t n) {
    hsize_t start[ANN_MAX_RANK] = {(hsize_t)first}, count[ANN_MAX_RANK];
    for (int i = 0; i < field->shape.rank; i++) count[i] = (hsize_t)(i == 0 ? n : field->shape.dim[i]);
    const hid_t memory = H5Screate_simple(field->shape.rank, count, NULL);
    herr_t failed =
        memory < 0 ? -1 : H5Sselect_hyperslab(field->space, H5S_SELECT_SET, start, NULL, count, NULL);
    if (failed >= 0)
        failed = H5Dwrite(field->id, H5T_NATIVE_UINT8, memory, field->space, H5P_DEFAULT, records);
    const ann_status status =
        failed >= 0 ? ANN_OK
                    : anni_h5_error(ANN_ERR_IO, "%s: cannot write %s", field->writer->part, field->name);
    if (memory >= 0) H5Sclose(memory);
    return status;
}

ann_status anni_field_close(anni_field *field) {
    H5Sclose(field->space);
    if (H5Dclose(field->id) < 0) {
        return anni_h5_error(ANN_ERR_IO, "%s: cannot write %s", field->writer->part, field->name);
    }
    return ANN_OK;
}

/* ---- commit ---- */

static ann_status close_file(anni_writer *w) {
    if (H5Fflush(w->file, H5F_SCOPE_GLOBAL) < 0)
        return anni_h5_error(ANN_ERR_IO, "%s: cannot be written", w->part);
    const herr_t failed = H5Fclose(w->file);
    w->file = H5I_INVALID_HID;
    if (failed < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot be closed", w->part);
    return ANN_OK;
}

/* Opening the split runs every check of the reader on what was written. */
static ann_status put_checksum(anni_writer *w, const char *split) {
    ann_dataset *dataset;
    const ann_data_source source = {.path = w->part};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = split};
    ANN_TRY(ann_dataset_open(&dataset, &options));
    uint64_t checksum;
    const ann_status computed = ann_dataset_compute_checksum(&checksum, dataset);
    ann_dataset_close(dataset);
    ANN_TRY(computed);
    w->file = H5Fopen(w->part, H5F_ACC_RDWR, H5P_DEFAULT);
    if (w->file < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot be opened again", w->part);
    const hid_t group = H5Gopen2(w->file, split, H5P_DEFAULT);
    if (group < 0) return anni_h5_error(ANN_ERR_IO, "%s: /%s cannot be opened again", w->part, split);
    const ann_status status = anni_h5_put_u64(group, "checksum", checksum, w->part);
    H5Gclose(group);
    ANN_TRY(status);
    return close_file(w);
}

static ann_status sync_path(const char *path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return io_error(path);
    const ann_status status = fsync(fd) == 0 ? ANN_OK : io_error(path);
    close(fd);
    return status;
}

static ann_status sync_folder(const anni_writer *w) {
    const char *base = base_name(w->path);
    const char *folder =
        base == w->path ? "." : ann_arena_printf(w->arena, "%.*s", (int)(base - w->path), w->path);
    if (folder == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", w->path);
    return sync_path(folder);
}

ann_status anni_writer_commit(anni_writer *writer) {
    const bool has_test = H5Lexists(writer->file, "test", H5P_DEFAULT) > 0;
    ANN_TRY(close_file(writer));
    ANN_TRY(put_checksum(writer, "train"));
    if (has_test) ANN_TRY(put_checksum(writer, "test"));
    ANN_TRY(sync_path(writer->part));
    if (rename(writer->part, writer->path) != 0) return io_error(writer->path);
    writer->committed = true;
    return sync_folder(writer);
}

/* HDF5 still writes its own pages when it closes the file. Emptied first, the file has room for them whatever
 * the disk. */
void anni_writer_end(anni_writer *writer) {
    if (writer->part != NULL && !writer->committed) {
        const int fd = open(writer->part, O_WRONLY | O_TRUNC | O_CLOEXEC);
        if (fd >= 0) close(fd);
        if (writer->file >= 0) H5Fclose(writer->file);
        unlink(writer->part);
    }
    ann_arena_free(writer->arena);
    *writer = (anni_writer){.file = H5I_INVALID_HID};
}
