#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/hash.h"
#include "datasets/part.h"
#include "datasets/scan.h"

static bool is_named(const anni_field *field, const char *name) { return strcmp(field->name, name) == 0; }

/* Each field has one but y, which is the last part of the split's: so verify can name the field that is
 * damaged. */
static bool has_checksum(const anni_field *field) { return !is_named(field, "y"); }

static int channel_count(const anni_field *field) {
    const ann_shape *shape = &field->shape;
    if (field->normalised != ANNI_PER_CHANNEL || shape->rank == 0)
        return field->normalised != ANNI_NOT_NORMALISED;
    return (int)shape->dim[shape->rank - 1];
}

/* ---- attributes ---- */

static ann_status put_doubles(hid_t object, const char *name, const double *values, int n,
                              const char *where) {
    const hsize_t dim = (hsize_t)n;
    const hid_t space = H5Screate_simple(1, &dim, NULL);
    const hid_t attribute = H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT)
                                                        : H5Acreate2(object, name, H5T_NATIVE_DOUBLE, space,
                                                                     H5P_DEFAULT, H5P_DEFAULT);
    ann_status status = ANN_OK;
    if (attribute < 0 || H5Awrite(attribute, H5T_NATIVE_DOUBLE, values) < 0)
        status = anni_h5_error(ANN_ERR_IO, "%s: cannot write attribute \"%s\"", where, name);
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    return status;
}

static ann_status put_moments(const anni_part *p, hid_t dataset, int channels, const double *mean,
                              const double *std) {
    ANN_TRY(put_doubles(dataset, "mean", mean, channels, p->part));
    return put_doubles(dataset, "std", std, channels, p->part);
}

ann_status anni_put_field_attributes(const anni_part *part, const anni_field *field, hid_t dataset) {
    const int channels = channel_count(field);
    if (has_checksum(field)) ANN_TRY(anni_h5_put_u64(dataset, "checksum", 0, part->part));
    if (part->is_shard || channels == 0) return ANN_OK;
    const double *zeros = ann_arena_alloc(part->arena, (size_t)channels * sizeof *zeros);
    if (zeros == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", part->part);
    return put_moments(part, dataset, channels, zeros, zeros);
}

ann_status anni_hash_file(uint64_t *out, const char *path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return anni_io_error(path);
    struct stat info;
    void *map = MAP_FAILED;
    const bool sized = fstat(fd, &info) == 0 && info.st_size > 0;
    if (sized) map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    const ann_status status = map == MAP_FAILED ? anni_io_error(path) : ANN_OK;
    close(fd);
    if (status != ANN_OK) return status;
    *out = ann_hash(map, (size_t)info.st_size, 0);
    munmap(map, (size_t)info.st_size);
    return ANN_OK;
}

/* With the inputs' hashes, or with zeros of the same length in their place. */
static ann_status put_sources(const anni_part *p, hid_t file, bool with_hashes) {
    const anni_source *s = p->source;
    const int own = s->input_count + (s->provenance != NULL), count = own + s->ancestor_count;
    const char **notes = ann_arena_alloc(p->arena, (size_t)(count + 1) * sizeof *notes);
    if (notes == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", p->part);
    for (int i = 0; i < s->input_count; i++) {
        uint64_t hash = 0;
        if (with_hashes) ANN_TRY(anni_hash_file(&hash, s->inputs[i]));
        notes[i] = ann_arena_printf(p->arena, "%s xxh3:%016" PRIx64, anni_base_name(s->inputs[i]), hash);
        if (notes[i] == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", p->part);
    }
    if (s->provenance != NULL) notes[own - 1] = s->provenance;
    for (int i = 0; i < s->ancestor_count; i++) notes[own + i] = s->ancestors[i];
    return count == 0 ? ANN_OK : anni_h5_put_strings(file, "source", notes, count, p->part);
}

static ann_status put_classes(const anni_part *p, hid_t file) {
    const ann_import_options *o = p->options;
    if (o->class_count > 0) return anni_h5_put_strings(file, "classes", o->classes, o->class_count, p->part);
    if (p->source->class_count == 0) return ANN_OK;
    return anni_h5_put_strings(file, "classes", p->source->classes, p->source->class_count, p->part);
}

static ann_status put_name(const anni_part *p, hid_t file) {
    const char *base = anni_base_name(p->options->out), *dot = strrchr(base, '.');
    const int bytes = dot == NULL || dot == base ? (int)strlen(base) : (int)(dot - base);
    const char *const name =
        p->options->name != NULL ? p->options->name : ann_arena_printf(p->arena, "%.*s", bytes, base);
    if (name == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", p->part);
    return anni_h5_put_strings(file, "name", &name, 0, p->part);
}

static ann_status put_table(const anni_part *p, hid_t file, const anni_table *table) {
    const hid_t type = table->type == ANNI_TABLE_U8 ? H5T_NATIVE_UINT8 : H5T_NATIVE_INT64;
    const hsize_t size = (hsize_t)table->count;
    const hid_t space = H5Screate_simple(1, &size, NULL), links = H5Pcreate(H5P_LINK_CREATE);
    hid_t id = H5I_INVALID_HID;
    if (space >= 0 && links >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0)
        id = H5Dcreate2(file, table->path, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    ann_status status = ANN_OK;
    if (id < 0 || H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, table->values) < 0)
        status = anni_h5_error(ANN_ERR_IO, "%s: cannot write %s", p->part, table->path);
    if (id >= 0) H5Dclose(id);
    if (links >= 0) H5Pclose(links);
    if (space >= 0) H5Sclose(space);
    return status;
}

ann_status anni_put_attributes(const anni_part *part, hid_t file) {
    const char *const format = "annulus-dataset", *where = part->part;
    ANN_TRY(anni_h5_put_strings(file, "format", &format, 0, where));
    ANN_TRY(anni_h5_put_u64(file, "version", 1, where));
    ANN_TRY(put_name(part, file));
    ANN_TRY(put_classes(part, file));
    for (int a = 0; a < part->source->attribute_count; a++) {
        const anni_attribute *attribute = &part->source->attributes[a];
        ANN_TRY(anni_h5_put_strings(file, attribute->name, attribute->values, attribute->count, where));
    }
    if (part->is_shard) return ANN_OK;
    for (int t = 0; t < part->source->table_count; t++)
        ANN_TRY(put_table(part, file, &part->source->tables[t]));
    ANN_TRY(anni_h5_put_double(file, "mean", 0, where));
    ANN_TRY(anni_h5_put_double(file, "std", 1, where));
    ANN_TRY(anni_h5_put_u64(file, "skipped", 0, where));
    return put_sources(part, file, false);
}

/* ---- what is known at the end ---- */

typedef struct field_end {
    uint64_t hash;
    int channels; /* 0: no moments */
    double *mean, *std, overall[2];
} field_end;

typedef struct ends {
    const anni_part *part;
    uint64_t checksums[ANNI_MAX_SPLITS];
    field_end (*fields)[ANNI_MAX_FIELDS]; /* [split] */
} ends;

/* The split that the normalisation is of: "train", or the first one. */
static int training_group(const anni_part *p) {
    for (int g = 0; g < p->group_count; g++) {
        if (strcmp(p->groups[g].name, "train") == 0) return g;
    }
    return 0;
}

static ann_status end_moments(field_end *end, const anni_moments *moments, ann_arena *arena) {
    end->mean = ann_arena_alloc(arena, (size_t)moments->channels * sizeof *end->mean);
    end->std = ann_arena_alloc(arena, (size_t)moments->channels * sizeof *end->std);
    if (end->mean == NULL || end->std == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
    end->channels = moments->channels;
    anni_moments_end(moments, end->mean, end->std, end->overall);
    return ANN_OK;
}

static ann_status scan_field(ends *e, hid_t file, int g, int f, uint64_t seed) {
    const anni_part *p = e->part;
    const anni_field *field = &p->source->fields[f];
    const int channels = channel_count(field);
    const bool has_moments = !p->is_shard && channels > 0 && g == training_group(p);
    ann_hasher hash;
    anni_moments moments;
    ann_hasher_begin_seeded(&hash, seed);
    if (has_moments) ANN_TRY(anni_moments_new(&moments, field->type, channels, p->arena));
    ANN_TRY(anni_scan(file, p->part, p->groups[g].name, field, p->groups[g].capacity, &hash,
                      has_moments ? &moments : NULL));
    e->fields[g][f].hash = ann_hasher_end(&hash);
    return has_moments ? end_moments(&e->fields[g][f], &moments, p->arena) : ANN_OK;
}

/* The checksum of a split: x, then y with x's hash as its seed. */
static ann_status scan_group(ends *e, hid_t file, int g) {
    const anni_source *s = e->part->source;
    for (int turn = 0; turn < 3; turn++) {
        for (int f = 0; f < s->field_count; f++) {
            const int its = is_named(&s->fields[f], "x") ? 0 : is_named(&s->fields[f], "y") ? 1 : 2;
            if (its != turn) continue;
            ANN_TRY(scan_field(e, file, g, f, turn == 1 ? e->checksums[g] : 0));
            if (turn < 2) e->checksums[g] = e->fields[g][f].hash;
        }
    }
    return ANN_OK;
}

static ann_status scan_file(ends *e) {
    hid_t file;
    ANN_TRY(anni_h5_open(&file, e->part->part));
    ann_status status = ANN_OK;
    for (int g = 0; g < e->part->group_count && status == ANN_OK; g++) status = scan_group(e, file, g);
    H5Fclose(file);
    return status;
}

static ann_status put_field_end(const anni_part *p, hid_t group, const anni_field *field,
                                const field_end *end) {
    const hid_t id = H5Dopen2(group, field->name, H5P_DEFAULT);
    if (id < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot be opened again", p->part);
    ann_status status = ANN_OK;
    if (has_checksum(field)) status = anni_h5_put_u64(id, "checksum", end->hash, p->part);
    if (status == ANN_OK && end->channels > 0)
        status = put_moments(p, id, end->channels, end->mean, end->std);
    H5Dclose(id);
    return status;
}

/* Every split of a file says the same normalisation. */
static ann_status put_group_end(const ends *e, hid_t file, int g) {
    const anni_part *p = e->part;
    const hid_t group = H5Gopen2(file, p->groups[g].name, H5P_DEFAULT);
    if (group < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot be opened again", p->part);
    ann_status status = anni_h5_put_u64(group, "checksum", e->checksums[g], p->part);
    for (int f = 0; f < p->source->field_count && status == ANN_OK; f++) {
        field_end end = e->fields[training_group(p)][f];
        end.hash = e->fields[g][f].hash;
        status = put_field_end(p, group, &p->source->fields[f], &end);
    }
    H5Gclose(group);
    return status;
}

static ann_status put_file_end(const ends *e, hid_t file, int64_t skipped) {
    const anni_part *p = e->part;
    for (int g = 0; g < p->group_count; g++) ANN_TRY(put_group_end(e, file, g));
    if (p->is_shard) return ANN_OK;
    for (int f = 0; f < p->source->field_count; f++) {
        const field_end *end = &e->fields[training_group(p)][f];
        if (!is_named(&p->source->fields[f], "x") || end->channels == 0) continue;
        ANN_TRY(anni_h5_put_double(file, "mean", end->overall[0], p->part));
        ANN_TRY(anni_h5_put_double(file, "std", end->overall[1], p->part));
    }
    ANN_TRY(anni_h5_put_u64(file, "skipped", (uint64_t)skipped, p->part));
    return put_sources(p, file, true);
}

ann_status anni_finish(const anni_part *part, int64_t skipped) {
    ends e = {.part = part};
    e.fields = ann_arena_alloc(part->arena, ANNI_MAX_SPLITS * sizeof *e.fields);
    if (e.fields == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", part->part);
    ANN_TRY(scan_file(&e));
    const hid_t file = H5Fopen(part->part, H5F_ACC_RDWR, H5P_DEFAULT);
    if (file < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot be opened again", part->part);
    ann_status status = put_file_end(&e, file, skipped);
    const herr_t flushed = H5Fflush(file, H5F_SCOPE_GLOBAL), closed = H5Fclose(file);
    if (status == ANN_OK && (flushed < 0 || closed < 0))
        status = anni_h5_error(ANN_ERR_IO, "%s: cannot be closed", part->part);
    return status;
}
