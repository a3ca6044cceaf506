#include "datasets/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/philox.h"
#include "datasets/sheet.h"

/* ---- choosing ---- */

/* Walks the keyed order and takes samples whose class has room; labels -1 count as class 0. */
static void take_by_class(anni_samples *s, int64_t *room, uint64_t seed, int wanted) {
    const uint64_t n = (uint64_t)ann_dataset_samples(s->dataset);
    for (uint64_t i = 0; i < n && s->count < wanted; i++) {
        const int64_t id = (int64_t)ann_permute_index(seed, ANN_STREAM_SUBSET, 0, n, i);
        const int32_t label = ann_dataset_label(s->dataset, id);
        int64_t *left = &room[label < 0 ? 0 : label];
        if (*left == 0) continue;
        (*left)--;
        s->ids[s->count++] = id;
    }
}

/* How many of each class: as equal as their numbers allow. */
static ann_status share(int64_t *room, const ann_dataset *dataset, int classes, int wanted) {
    int64_t *have = calloc((size_t)classes, sizeof *have);
    if (have == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
    for (int64_t i = 0; i < ann_dataset_samples(dataset); i++) {
        const int32_t label = ann_dataset_label(dataset, i);
        have[label < 0 ? 0 : label]++;
    }
    for (bool more = true; more && wanted > 0;) { /* each class one more, if it has one */
        more = false;
        for (int c = 0; c < classes && wanted > 0; c++) {
            if (room[c] == have[c]) continue;
            room[c]++;
            wanted--;
            more = true;
        }
    }
    free(have);
    return ANN_OK;
}

typedef struct labelled {
    int32_t label;
    int64_t id;
} labelled;

static int by_class(const void *a, const void *b) {
    const labelled *p = a, *q = b;
    if (p->label != q->label) return p->label < q->label ? -1 : 1;
    return p->id < q->id ? -1 : p->id > q->id;
}

static ann_status sort_by_class(anni_samples *s) {
    labelled *keys = malloc(((size_t)s->count + 1) * sizeof *keys);
    if (keys == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
    for (int i = 0; i < s->count; i++)
        keys[i] = (labelled){ann_dataset_label(s->dataset, s->ids[i]), s->ids[i]};
    qsort(keys, (size_t)s->count, sizeof *keys, by_class);
    for (int i = 0; i < s->count; i++) s->ids[i] = keys[i].id;
    free(keys);
    return ANN_OK;
}

static int common_group(const int64_t *room, int classes) {
    int64_t group = 0;
    for (int c = 0; c < classes; c++) {
        if (room[c] != 0 && group != 0 && room[c] != group) return 1;
        if (room[c] != 0) group = room[c];
    }
    return (int)group;
}

static ann_status choose(anni_samples *s, int wanted, uint64_t seed) {
    const int labels = ann_dataset_classes(s->dataset), classes = labels > 0 ? labels : 1;
    int64_t *room = calloc((size_t)classes, sizeof *room);
    if (room == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
    const ann_status status = share(room, s->dataset, classes, wanted);
    s->group = labels > 0 ? common_group(room, classes) : 1;
    if (status == ANN_OK) take_by_class(s, room, seed, wanted);
    free(room);
    ANN_TRY(status);
    return sort_by_class(s);
}

static size_t row_bytes(const anni_samples *s) {
    return (size_t)ann_shape_elems(&s->field->shape) * ann_dtype_bytes(s->field->dtype);
}

ann_status anni_samples_choose(anni_samples *out, const ann_dataset *dataset, int count, uint64_t seed) {
    const int x = ann_dataset_find(dataset, "x");
    *out = (anni_samples){.dataset = dataset};
    if (x < 0) return ann_error(ANN_ERR_FORMAT, "the dataset has no field x");
    out->field = ann_dataset_field(dataset, x);
    if (count > ann_dataset_samples(dataset)) count = (int)ann_dataset_samples(dataset);
    out->ids = calloc((size_t)count + 1, sizeof *out->ids);
    out->values = malloc((size_t)count * row_bytes(out) + 1);
    ann_status status = ANN_OK;
    if (out->ids == NULL || out->values == NULL)
        status = ann_error(ANN_ERR_MEMORY, "%d samples: out of memory", count);
    if (status == ANN_OK) status = choose(out, count, seed);
    if (status == ANN_OK) status = ann_dataset_read(dataset, x, out->ids, out->count, out->values);
    if (status != ANN_OK) anni_samples_fini(out);
    return status;
}

void anni_samples_fini(anni_samples *samples) {
    free(samples->ids);
    free(samples->values);
    *samples = (anni_samples){0};
}

/* ---- showing ---- */

enum { LABEL_BYTES = 64 };

/* The class's name, its number, or "" without labels. */
static void name_class(char out[LABEL_BYTES], const anni_samples *s, int i) {
    const int32_t label = ann_dataset_label(s->dataset, s->ids[i]);
    const char *name = label < 0 ? NULL : ann_dataset_class_name(s->dataset, label);
    out[0] = '\0';
    if (name != NULL) snprintf(out, LABEL_BYTES, "%s", name);
    else if (label >= 0) snprintf(out, LABEL_BYTES, "%" PRId32, label);
}

ann_status anni_samples_draw(const anni_samples *samples, const char *title, const char *path) {
    const int count = samples->count;
    const bool labels = ann_dataset_classes(samples->dataset) > 0;
    char(*names)[LABEL_BYTES] = calloc((size_t)count + 1, sizeof *names);
    const char **captions = calloc((size_t)count + 1, sizeof *captions);
    ann_status status = ANN_OK;
    if (names == NULL || captions == NULL) status = ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
    for (int i = 0; i < count && status == ANN_OK; i++) {
        name_class(names[i], samples, i);
        captions[i] = names[i];
    }
    const anni_tiles tiles = {.x = samples->values,
                              .dtype = samples->field->dtype,
                              .shape = samples->field->shape,
                              .count = count,
                              .group = samples->group,
                              .captions = labels ? captions : NULL,
                              .title = title};
    if (status == ANN_OK) status = anni_sheet_write(&tiles, path);
    free(names);
    free(captions);
    return status;
}

static void print_heading(const anni_samples *s, int i, void (*print)(void *to, const char *line), void *to) {
    char label[LABEL_BYTES], line[128];
    name_class(label, s, i);
    snprintf(line, sizeof line, "sample %" PRId64 "%s%s:", s->ids[i], label[0] != '\0' ? ", " : "", label);
    print(to, line);
}

/* Lines of text end at \n; what a terminal would take as a command is shown as \xNN. */
static void print_lines(const char *text, size_t size, char *line, void (*print)(void *to, const char *line),
                        void *to) {
    size_t used = 0;
    for (size_t i = 0; i <= size; i++) {
        const unsigned char c = i < size ? (unsigned char)text[i] : '\n';
        if (used == 0) used = (size_t)snprintf(line, 8, "    ");
        if (c == '\n') {
            line[used] = '\0';
            print(to, line);
            used = 0;
        } else if (c < ' ' && c != '\t') {
            used += (size_t)snprintf(line + used, 8, "\\x%02x", c);
        } else {
            line[used++] = (char)c;
        }
    }
}

ann_status anni_samples_print_text(const anni_samples *samples, const anni_vocabulary *vocabulary,
                                   void (*print)(void *to, const char *line), void *to) {
    const ann_field_info *field = samples->field;
    if (field->shape.rank != 1 || field->dtype == ANN_F32)
        return ann_error(ANN_ERR_SHAPE, "x is no sequence of tokens: it is not an integer [L]");
    const int64_t length = field->shape.dim[0];
    for (int i = 0; i < samples->count; i++) {
        size_t size = 0, used = 0;
        for (int64_t k = 0; k < length; k++) {
            const int64_t token = (int64_t)ann_elem_get(samples->values, field->dtype, i * length + k);
            size += anni_vocabulary_token(vocabulary, token).size;
        }
        char *text = malloc(size + 1), *line = malloc(4 * size + 16);
        if (text == NULL || line == NULL) {
            free(text);
            free(line);
            return ann_error(ANN_ERR_MEMORY, "out of memory");
        }
        for (int64_t k = 0; k < length; k++) {
            const int64_t token = (int64_t)ann_elem_get(samples->values, field->dtype, i * length + k);
            const anni_bytes bytes = anni_vocabulary_token(vocabulary, token);
            memcpy(text + used, bytes.data, bytes.size);
            used += bytes.size;
        }
        print_heading(samples, i, print, to);
        print_lines(text, size, line, print, to);
        free(text);
        free(line);
    }
    return ANN_OK;
}

void anni_samples_print_table(const anni_samples *samples, void (*print)(void *to, const char *line),
                              void *to) {
    enum { SHOWN = 8 };
    const int64_t elems = ann_shape_elems(&samples->field->shape);
    const int shown = elems < SHOWN ? (int)elems : SHOWN;
    const bool labels = ann_dataset_classes(samples->dataset) > 0;
    char line[512];
    int used = snprintf(line, sizeof line, "%10s%s%s", "sample", labels ? "  " : "",
                        labels ? "class           " : "");
    for (int k = 0; k < shown; k++)
        used += snprintf(line + used, sizeof line - (size_t)used, "  %7sx%d", "", k);
    print(to, line);
    for (int i = 0; i < samples->count; i++) {
        char label[LABEL_BYTES];
        name_class(label, samples, i);
        used = snprintf(line, sizeof line, "%10" PRId64, samples->ids[i]);
        if (labels) used += snprintf(line + used, sizeof line - (size_t)used, "  %-16.16s", label);
        for (int k = 0; k < shown; k++) {
            const double value = ann_elem_get(samples->values, samples->field->dtype, i * elems + k);
            used += snprintf(line + used, sizeof line - (size_t)used, "  %9.4g", value);
        }
        if (elems > shown) snprintf(line + used, sizeof line - (size_t)used, "  ... of %" PRId64, elems);
        print(to, line);
    }
}
