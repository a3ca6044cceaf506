#include "data/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/h5.h"

/* A source that is being opened. */
typedef struct opening {
    anni_data_source *source;
    const ann_data_source *from;
    ann_arena *arena;
    hid_t file, group; /* group: of the split; invalid where fields are named */
} opening;

static ann_status no_memory(const anni_data_source *s) {
    return ann_error(ANN_ERR_MEMORY, "%s: out of memory", s->name);
}

anni_column *anni_data_source_find(const anni_data_source *source, const char *name) {
    for (int i = 0; i < source->column_count; i++)
        if (strcmp(source->columns[i].info.name, name) == 0) return &source->columns[i];
    return NULL;
}

/* ---- one field ---- */

/* x takes the shape that the run file gives it. */
static ann_status reshape(anni_column *c, const ann_shape *shape) {
    char have[128], want[128];
    if (ann_shape_elems(&c->info.shape) != ann_shape_elems(shape))
        return ann_error(ANN_ERR_FORMAT, "%s: a sample is %s, which cannot be taken as %s", c->where,
                         ann_shape_str(have, sizeof have, &c->info.shape),
                         ann_shape_str(want, sizeof want, shape));
    c->info.shape = *shape;
    return ANN_OK;
}

/* The field's own, and for x those of the file. */
static ann_status read_moments(const opening *o, anni_column *c, hid_t id) {
    ANN_TRY(anni_column_moments(c, id, c->where, o->arena));
    if (c->info.channels > 0 || o->group < 0 || strcmp(c->info.name, "x") != 0) return ANN_OK;
    return anni_column_moments(c, o->file, o->from->path, o->arena);
}

static ann_status check_x(const opening *o, anni_column *c) {
    if (strcmp(c->info.name, "x") != 0) return ANN_OK;
    if (o->from->shape.rank > 0) return reshape(c, &o->from->shape);
    if (c->info.shape.rank > 0) return ANN_OK;
    return ann_error(ANN_ERR_FORMAT, "%s: wrong rank 1, accepted: 2 to %d, samples first", c->where,
                     ANN_MAX_RANK);
}

static ann_status add_column(const opening *o, const char **why, hid_t id, const char *name,
                             const char *where) {
    anni_data_source *s = o->source;
    anni_column *c = &s->columns[s->column_count];
    ann_status status = anni_column_open(c, why, id, name, where, o->arena);
    if (*why != NULL || status != ANN_OK) {
        anni_column_close(c);
        return status;
    }
    s->column_count++;
    ANN_TRY(check_x(o, c));
    return read_moments(o, c, id);
}

/* ---- fields that are named ---- */

static ann_status open_named(const opening *o, const ann_field_source *field) {
    const char *where =
        ann_arena_printf(o->arena, "%s: %s%s", o->from->path, field->path[0] == '/' ? "" : "/", field->path);
    if (where == NULL) return no_memory(o->source);
    const char *why = NULL;
    const hid_t id = H5Oopen(o->file, field->path, H5P_DEFAULT);
    ann_status status = ANN_OK;
    if (id < 0) status = anni_h5_error(ANN_ERR_FORMAT, "%s: does not exist", where);
    else if (H5Iget_type(id) != H5I_DATASET) status = ann_error(ANN_ERR_FORMAT, "%s: is no dataset", where);
    else status = add_column(o, &why, id, field->name, where);
    if (id >= 0) H5Oclose(id);
    if (status == ANN_OK && why != NULL) status = ann_error(ANN_ERR_FORMAT, "%s: is %s", where, why);
    return status;
}

/* ---- fields that are found in the split's group ---- */

static ann_status skip(const opening *o, const char *where, const char *why) {
    anni_data_source *s = o->source;
    const char *text = ann_arena_printf(o->arena, "%s: %s", where, why);
    if (text == NULL) return no_memory(s);
    s->skipped[s->skipped_count++] = text;
    return ANN_OK;
}

static ann_status refuse(const char *where, const char *name, const char *why) {
    const bool is_x = strcmp(name, "x") == 0;
    return ann_error(ANN_ERR_FORMAT, "%s: is %s, accepted: u8, f32%s, samples first", where, why,
                     is_x ? " and what converts to them" : " and integers");
}

static ann_status open_object(const opening *o, hid_t id, const char *name, const char *where) {
    const bool needed = strcmp(name, "x") == 0 || strcmp(name, "y") == 0;
    const char *why = NULL;
    if (id < 0 || H5Iget_type(id) != H5I_DATASET) {
        H5Eclear2(H5E_DEFAULT);
        if (needed) return ann_error(ANN_ERR_FORMAT, "%s: cannot be opened as a dataset", where);
        return skip(o, where, "no dataset");
    }
    ANN_TRY(add_column(o, &why, id, name, where));
    if (why == NULL) return ANN_OK;
    return needed ? refuse(where, name, why) : skip(o, where, why);
}

static ann_status open_link(const opening *o, const char *name) {
    const char *where = ann_arena_printf(o->arena, "%s/%s", o->source->name, name);
    if (where == NULL) return no_memory(o->source);
    const hid_t id = H5Oopen(o->group, name, H5P_DEFAULT);
    const ann_status status = open_object(o, id, name, where);
    if (id >= 0) H5Oclose(id);
    return status;
}

static ann_status link_name(char **out, const opening *o, hsize_t i) {
    const ssize_t length =
        H5Lget_name_by_idx(o->group, ".", H5_INDEX_NAME, H5_ITER_INC, i, NULL, 0, H5P_DEFAULT);
    if (length < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be read", o->source->name);
    *out = ann_arena_alloc(o->arena, (size_t)length + 1);
    if (*out == NULL) return no_memory(o->source);
    if (H5Lget_name_by_idx(o->group, ".", H5_INDEX_NAME, H5_ITER_INC, i, *out, (size_t)length + 1,
                           H5P_DEFAULT) < 0)
        return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be read", o->source->name);
    return ANN_OK;
}

static bool has_link(const opening *o, const char *name) {
    return H5Lexists(o->group, name, H5P_DEFAULT) > 0;
}

/* x and y, and the others by name. */
static ann_status open_group(const opening *o) {
    H5G_info_t info;
    if (H5Gget_info(o->group, &info) < 0)
        return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be read", o->source->name);
    if (!has_link(o, "x")) return ann_error(ANN_ERR_FORMAT, "%s/x: does not exist", o->source->name);
    ANN_TRY(open_link(o, "x"));
    if (has_link(o, "y")) ANN_TRY(open_link(o, "y"));
    for (hsize_t i = 0; i < info.nlinks; i++) {
        char *name = NULL;
        ANN_TRY(link_name(&name, o, i));
        const bool is_open = name == NULL || strcmp(name, "x") == 0 || strcmp(name, "y") == 0;
        if (!is_open) ANN_TRY(open_link(o, name));
    }
    return ANN_OK;
}

/* ---- the whole ---- */

/* The fields have as many samples as x. */
static ann_status check_samples(const opening *o) {
    anni_data_source *s = o->source;
    const anni_column *x = anni_data_source_find(s, "x");
    if (x == NULL) return ann_error(ANN_ERR_FORMAT, "%s: no field is called x", s->name);
    s->samples = x->samples;
    for (int i = 0; i < s->column_count; i++) {
        anni_column *c = &s->columns[i];
        if (c->samples == s->samples) continue;
        if (o->group < 0 || strcmp(c->info.name, "y") == 0)
            return ann_error(ANN_ERR_FORMAT, "%s: %" PRId64 " %s for %" PRId64 " samples of x", c->where,
                             c->samples, c->is_label ? "labels" : "values", s->samples);
        ANN_TRY(skip(o, c->where, "another number of samples than x"));
        anni_column_close(c);
        memmove(c, c + 1, (size_t)(s->column_count - i - 1) * sizeof *c);
        s->column_count--;
        i--;
    }
    return ANN_OK;
}

static ann_status make_room(const opening *o, hsize_t fields) {
    anni_data_source *s = o->source;
    if (fields > 1 << 16) return ann_error(ANN_ERR_FORMAT, "%s: has too many objects", s->name);
    s->column_room = (int)fields + 2; /* the field being opened, and one that is added */
    s->skipped_room = s->column_room;
    s->columns = ann_arena_alloc(o->arena, (size_t)s->column_room * sizeof *s->columns);
    s->skipped = ann_arena_alloc(o->arena, (size_t)s->skipped_room * sizeof *s->skipped);
    return s->columns != NULL && s->skipped != NULL ? ANN_OK : no_memory(s);
}

static ann_status read_group(opening *o) {
    anni_data_source *s = o->source;
    H5G_info_t info;
    if (H5Gget_info(o->group, &info) < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be read", s->name);
    ANN_TRY(make_room(o, info.nlinks));
    ANN_TRY(anni_h5_get_u64(&s->checksum, &s->has_checksum, o->group, "checksum", s->name));
    ANN_TRY(anni_h5_get_strings(&s->classes, &s->class_count, o->file, "classes", o->from->path, o->arena));
    ANN_TRY(open_group(o));
    return check_samples(o);
}

static ann_status read_split(opening *o, const char *split) {
    const htri_t exists = H5Lexists(o->file, split, H5P_DEFAULT);
    if (exists == 0) return ann_error(ANN_ERR_FORMAT, "%s: does not exist", o->source->name);
    o->group = exists < 0 ? H5I_INVALID_HID : H5Gopen2(o->file, split, H5P_DEFAULT);
    if (o->group < 0)
        return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be opened as a group", o->source->name);
    const ann_status status = read_group(o);
    H5Gclose(o->group);
    return status;
}

static ann_status read_named(const opening *o) {
    ANN_TRY(make_room(o, (hsize_t)o->from->field_count));
    static const char *const first[] = {"x", "y"};
    for (int k = 0; k < 3; k++) { /* x, y, the others */
        for (int i = 0; i < o->from->field_count; i++) {
            const char *name = o->from->fields[i].name;
            const int place = strcmp(name, first[0]) == 0 ? 0 : strcmp(name, first[1]) == 0 ? 1 : 2;
            if (place == k) ANN_TRY(open_named(o, &o->from->fields[i]));
        }
    }
    return check_samples(o);
}

ann_status anni_data_source_open(anni_data_source *source, const ann_data_source *from, const char *split,
                                 ann_arena *arena) {
    *source = (anni_data_source){.name = ann_arena_printf(arena, "%s: /%s", from->path, split)};
    if (source->name == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", from->path);
    opening o = {.source = source, .from = from, .arena = arena, .group = H5I_INVALID_HID};
    ANN_TRY(anni_h5_open(&o.file, from->path));
    const ann_status status = from->field_count > 0 ? read_named(&o) : read_split(&o, split);
    H5Fclose(o.file);
    return status;
}

void anni_data_source_close(anni_data_source *source) {
    for (int i = 0; i < source->column_count; i++) anni_column_close(&source->columns[i]);
    source->column_count = 0;
}

ann_status anni_data_source_add_constant(anni_data_source *source, const char *name, int32_t value,
                                         ann_arena *arena) {
    anni_column *c = &source->columns[source->column_count];
    *c = (anni_column){.info = {.name = name, .dtype = ANN_I32},
                       .format = {.dtype = ANN_I32, .memory = H5T_NATIVE_INT32},
                       .row_bytes = sizeof value,
                       .samples = source->samples,
                       .rows = ann_arena_alloc(arena, sizeof *c->rows),
                       .where = source->name};
    if (c->rows == NULL) return no_memory(source);
    *c->rows = (anni_rows){.format = c->format,
                           .row_bytes = c->row_bytes,
                           .count = c->samples,
                           .where = source->name,
                           .id = H5I_INVALID_HID,
                           .checked = true};
    source->column_count++;
    c->rows_count = 1;
    ANN_TRY(ann_mem_alloc(&c->rows->decoded, anni_rows_bytes(c->rows)));
    int32_t *values = c->rows->decoded;
    for (int64_t i = 0; i < c->samples; i++) values[i] = value;
    c->rows->data = c->rows->decoded;
    return ANN_OK;
}
