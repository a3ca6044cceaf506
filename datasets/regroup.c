#include "datasets/regroup.h"

#include <string.h>
#include "base/hash.h"
#include "datasets/layout.h"
#include "datasets/vocabulary.h"
#include "datasets/write.h"

typedef struct copy {
    const anni_regroup *regroup;
    const ann_field_info *fields[ANNI_MAX_FIELDS]; /* of the first part */
    int field_count, x_field, label_field;         /* -1: unlabelled */
    anni_type label_type;
    ann_arena *arena;
} copy;

/* ---- records ---- */

static ann_status copy_label(const copy *c, const anni_part_of *part, int64_t sample, void *out) {
    const int32_t label = ann_dataset_label(part->dataset, sample);
    const int32_t now = part->labels != NULL ? part->labels[label] : label;
    if (c->label_type == ANNI_U8) *(uint8_t *)out = (uint8_t)now;
    else *(int32_t *)out = now;
    return ANN_OK;
}

static ann_status read_record(void *self, int64_t record, void *const *fields, bool *bad) {
    const copy *c = self;
    const anni_pick *pick = &c->regroup->picks[record];
    const anni_part_of *part = &c->regroup->parts[pick->part];
    *bad = false;
    for (int f = 0; f < c->field_count; f++) {
        const int from = ann_dataset_find(part->dataset, c->fields[f]->name);
        if (f == c->label_field) ANN_TRY(copy_label(c, part, pick->sample, fields[f]));
        else ANN_TRY(ann_dataset_read(part->dataset, from, &pick->sample, 1, fields[f]));
        if (f == c->x_field && c->regroup->change != NULL)
            c->regroup->change(c->regroup->change_self, pick->part, pick->sample, fields[f]);
    }
    return ANN_OK;
}

/* ---- fields ---- */

static ann_status check_part(const copy *c, const anni_part_of *part) {
    const anni_part_of *model = &c->regroup->parts[0];
    if (ann_dataset_field_count(part->dataset) != c->field_count)
        return ann_error(ANN_ERR_FORMAT, "%s: /%s has %d fields, that of %s has %d", part->path, part->split,
                         ann_dataset_field_count(part->dataset), model->path, c->field_count);
    for (int f = 0; f < c->field_count; f++) {
        const ann_field_info *want = c->fields[f], *have;
        const int at = ann_dataset_find(part->dataset, want->name);
        if (at < 0)
            return ann_error(ANN_ERR_FORMAT, "%s: /%s has no %s, and %s has", part->path, part->split,
                             want->name, model->path);
        have = ann_dataset_field(part->dataset, at);
        char a[128], b[128];
        if (have->dtype != want->dtype || !ann_shape_equal(&have->shape, &want->shape))
            return ann_error(ANN_ERR_FORMAT, "%s: /%s/%s is %s %s a sample, that of %s is %s %s", part->path,
                             part->split, want->name, ann_dtype_name(have->dtype),
                             ann_shape_str(a, sizeof a, &have->shape), model->path,
                             ann_dtype_name(want->dtype), ann_shape_str(b, sizeof b, &want->shape));
    }
    return ANN_OK;
}

static ann_status find_fields(copy *c) {
    const ann_dataset *first = c->regroup->parts[0].dataset;
    c->field_count = ann_dataset_field_count(first);
    if (c->field_count > ANNI_MAX_FIELDS)
        return ann_error(ANN_ERR_UNSUPPORTED, "%s: %d fields, accepted: up to %d", c->regroup->parts[0].path,
                         c->field_count, ANNI_MAX_FIELDS);
    for (int f = 0; f < c->field_count; f++) c->fields[f] = ann_dataset_field(first, f);
    c->x_field = ann_dataset_find(first, "x");
    c->label_field = ann_dataset_classes(first) > 0 ? ann_dataset_find(first, "y") : -1;
    c->label_type = c->regroup->label_count <= 256 ? ANNI_U8 : ANNI_I32;
    for (int p = 1; p < c->regroup->part_count; p++) ANN_TRY(check_part(c, &c->regroup->parts[p]));
    return ANN_OK;
}

static void describe_fields(const copy *c, anni_field *out) {
    for (int f = 0; f < c->field_count; f++) {
        const ann_field_info *info = c->fields[f];
        out[f] = (anni_field){.name = info->name,
                              .type = f == c->label_field      ? c->label_type
                                      : info->dtype == ANN_U8  ? ANNI_U8
                                      : info->dtype == ANN_I32 ? ANNI_I32
                                                               : ANNI_F32,
                              .shape = info->shape,
                              .normalised = info->channels == 0   ? ANNI_NOT_NORMALISED
                                            : info->channels == 1 ? ANNI_OVERALL
                                                                  : ANNI_PER_CHANNEL};
    }
}

/* ---- what comes with the data ---- */

static bool stands_in(const char *const *lines, int count, const char *line) {
    for (int i = 0; i < count; i++)
        if (strcmp(lines[i], line) == 0) return true;
    return false;
}

static ann_status gather_ancestors(const copy *c, anni_source *source) {
    const anni_regroup *r = c->regroup;
    const char **all = NULL;
    int count = 0;
    for (int i = 0; i < r->input_count; i++) {
        char **lines;
        int found;
        ANN_TRY(anni_layout_strings(&lines, &found, r->inputs[i], "source", c->arena));
        const char **more = ann_arena_alloc(c->arena, (size_t)(count + found + 1) * sizeof *more);
        if (more == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
        if (count > 0) memcpy(more, all, (size_t)count * sizeof *more);
        for (int k = 0; k < found; k++)
            if (!stands_in(more, count, lines[k])) more[count++] = lines[k];
        all = more;
    }
    source->ancestors = all;
    source->ancestor_count = count;
    return ANN_OK;
}

static bool same_vocabulary(const anni_vocabulary *a, const anni_vocabulary *b) {
    if (a->count != b->count) return false;
    if (a->count == 0) return true;
    return memcmp(a->offsets, b->offsets, ((size_t)a->count + 1) * sizeof *a->offsets) == 0 &&
           memcmp(a->bytes, b->bytes, (size_t)a->offsets[a->count]) == 0;
}

static ann_status read_vocabularies(anni_vocabulary *out, const anni_regroup *r) {
    ANN_TRY(anni_vocabulary_read(out, r->inputs[0]));
    for (int i = 1; i < r->input_count; i++) {
        anni_vocabulary other;
        ANN_TRY(anni_vocabulary_read(&other, r->inputs[i]));
        const bool same = same_vocabulary(out, &other);
        anni_vocabulary_fini(&other);
        if (!same)
            return ann_error(ANN_ERR_FORMAT, "%s: its vocabulary is not that of %s", r->inputs[i],
                             r->inputs[0]);
    }
    return ANN_OK;
}

/* Of everything that decides the result but the files themselves. */
static uint64_t identity(const anni_regroup *r) {
    int64_t picks = 0;
    uint64_t hash = ann_hash(&r->change_hash, sizeof r->change_hash, ann_hash_str(r->tool));
    for (int s = 0; s < r->split_count; s++) {
        hash = ann_hash(r->splits[s].name, strlen(r->splits[s].name), hash);
        picks += r->splits[s].count;
    }
    for (int64_t i = 0; i < picks; i++) {
        hash = ann_hash(&r->picks[i].part, sizeof r->picks[i].part, hash);
        hash = ann_hash(&r->picks[i].sample, sizeof r->picks[i].sample, hash);
    }
    return hash;
}

static ann_status write_copy(copy *c, const ann_import_options *options, const anni_vocabulary *v) {
    const anni_regroup *r = c->regroup;
    anni_field fields[ANNI_MAX_FIELDS];
    describe_fields(c, fields);
    const anni_table tables[] = {
        {"/vocabulary/bytes", ANNI_TABLE_U8, v->bytes, v->count > 0 ? v->offsets[v->count] : 0},
        {"/vocabulary/offsets", ANNI_TABLE_I64, v->offsets, v->count + 1}};
    anni_source source = {.format = r->tool,
                          .inputs = r->inputs,
                          .input_count = r->input_count,
                          .provenance = r->provenance,
                          .identity = identity(r),
                          .fields = fields,
                          .field_count = c->field_count,
                          .classes = r->classes,
                          .class_count = r->class_count,
                          .tables = tables,
                          .table_count = v->count > 0 ? 2 : 0,
                          .split_count = r->split_count,
                          .read = read_record,
                          .self = c};
    for (int s = 0; s < r->split_count; s++) {
        source.splits[s].name = r->splits[s].name;
        source.splits[s].count = r->splits[s].count;
    }
    ANN_TRY(gather_ancestors(c, &source));
    return anni_import(options, &source);
}

ann_status anni_regroup_write(const ann_import_options *options, const anni_regroup *regroup) {
    copy c = {.regroup = regroup};
    anni_vocabulary vocabulary = {0};
    ANN_TRY(ann_arena_new(&c.arena));
    ann_status status = find_fields(&c);
    if (status == ANN_OK) status = read_vocabularies(&vocabulary, regroup);
    if (status == ANN_OK) status = write_copy(&c, options, &vocabulary);
    anni_vocabulary_fini(&vocabulary);
    ann_arena_free(c.arena);
    return status;
}
