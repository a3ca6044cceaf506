/* Values from one store to another: from stage to stage, and from a checkpoint or a file at a phase's start.
   What was taken and what was not is said tensor by tensor. */
#include "train/internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "ckpt/foreign.h"
#include "ckpt/tools.h"

static bool is_model_tensor(const ann_tensor_info *info) {
    return info->role == ANN_ROLE_PARAM || info->role == ANN_ROLE_STATE;
}

static size_t tensor_bytes(const ann_tensor_info *info) {
    return (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
}

ann_status anni_map_stage(ann_store *to, const ann_store *from) {
    for (int32_t i = 0; i < ann_store_count(to); i++) {
        const ann_tensor_info *info = ann_store_info(to, (ann_tensor){i});
        if (!is_model_tensor(info)) continue;
        const ann_tensor source = ann_store_find(from, info->name);
        if (source.id < 0) return ann_error(ANN_ERR_INTERNAL, "%s: not in the stage before", info->name);
        memcpy(ann_store_data(to, (ann_tensor){i}), ann_store_data(from, source), tensor_bytes(info));
    }
    return ANN_OK;
}

/* ---- loading ---- */

enum { NAME_BYTES = 512, SAID_MAX = 100 };

typedef struct loading {
    const anni_phase *phase;
    const ann_phase_config *config;
    ann_store *to;
    ann_foreign *from;
    char (*names)[NAME_BYTES]; /* of the file's tensors, as they are called here */
    bool *used;
    bool strict;
    int taken, fresh, objections, said;
    char fresh_names[ANNI_LINE_BYTES / 2];
    char objection[ANNI_LINE_BYTES]; /* the first one */
} loading;

/* A line of the report; `objection`: strict does not accept it. */
static void say(loading *l, bool objection, const char *what, const char *fmt, ...) ANN_PRINTF(4, 5);
static void say(loading *l, bool objection, const char *what, const char *fmt, ...) {
    char line[ANNI_LINE_BYTES / 2];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (objection && l->objections++ == 0) snprintf(l->objection, sizeof l->objection, "%s %s", what, line);
    if (l->said < SAID_MAX) anni_say(l->phase->run, "%s:   %-11s %s", l->config->name, what, line);
    if (l->said++ == SAID_MAX) anni_say(l->phase->run, "%s:   ... and more", l->config->name);
}

/* ---- one tensor ---- */

typedef enum fit { FIT_SAME, FIT_RESHAPED, FIT_TRANSPOSED, FIT_NOT } fit;

/* The extents other than 1. */
static int real_extents(int64_t out[ANN_MAX_RANK], const ann_shape *shape) {
    int n = 0;
    for (int d = 0; d < shape->rank; d++)
        if (shape->dim[d] != 1) out[n++] = shape->dim[d];
    return n;
}

static int compare_extents(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Whether b has a's extents in another order: the same number of elements, but a reshape would mix them up.
 */
static bool is_permuted(const ann_shape *a, const ann_shape *b) {
    int64_t x[ANN_MAX_RANK], y[ANN_MAX_RANK];
    const int n = real_extents(x, a);
    if (real_extents(y, b) != n || memcmp(x, y, (size_t)n * sizeof *x) == 0) return false;
    qsort(x, (size_t)n, sizeof *x, compare_extents);
    qsort(y, (size_t)n, sizeof *y, compare_extents);
    return memcmp(x, y, (size_t)n * sizeof *x) == 0;
}

/* The shape after a transpose: a matrix's extents swapped, [O, I, H, W] as [O, H, W, I]. */
static bool transposed_shape(ann_shape *out, const ann_shape *shape) {
    if (shape->rank == 2) *out = ANN_SHAPE(shape->dim[1], shape->dim[0]);
    else if (shape->rank == 4) *out = ANN_SHAPE(shape->dim[0], shape->dim[2], shape->dim[3], shape->dim[1]);
    return shape->rank == 2 || shape->rank == 4;
}

static fit find_fit(const loading *l, const ann_tensor_info *here, const ann_shape *there) {
    ann_shape turned;
    const char *pattern = l->config->load_transpose;
    if (pattern && ann_name_matches(pattern, here->name) && transposed_shape(&turned, there))
        return ann_shape_equal(&turned, &here->shape) ? FIT_TRANSPOSED : FIT_NOT;
    if (ann_shape_equal(there, &here->shape)) return FIT_SAME;
    if (ann_shape_elems(there) != ann_shape_elems(&here->shape) || is_permuted(there, &here->shape))
        return FIT_NOT;
    return FIT_RESHAPED;
}

/* from has `shape`; to gets it in the other order. Both transposes move the second axis to the end. */
static void transpose(char *to, const char *from, const ann_shape *shape, size_t width) {
    const bool matrix = shape->rank == 2;
    const int64_t outer = matrix ? 1 : shape->dim[0], rows = matrix ? shape->dim[0] : shape->dim[1];
    const int64_t columns = matrix ? shape->dim[1] : shape->dim[2] * shape->dim[3];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t c = 0; c < columns; c++)
            for (int64_t r = 0; r < rows; r++) {
                memcpy(to, from + (size_t)((o * rows + r) * columns + c) * width, width);
                to += width;
            }
}

static ann_status read_transposed(const loading *l, int source, const ann_tensor_info *here, void *data) {
    void *values;
    ANN_TRY(ann_mem_alloc(&values, tensor_bytes(here)));
    const ann_status status = ann_foreign_read(l->from, source, here->dtype, values);
    if (status == ANN_OK)
        transpose(data, values, &ann_foreign_tensor_at(l->from, source)->shape, ann_dtype_bytes(here->dtype));
    ann_mem_free(values, tensor_bytes(here));
    return status;
}

/* Of an earlier phase, which is of the same run, another shape is a mistake. */
static ann_status refuse(const loading *l, const ann_tensor_info *here, const ann_foreign_tensor *there) {
    char a[128], b[128];
    if (!l->config->load_from) return ANN_OK;
    return ann_error(ANN_ERR_CONFIG, "phase %s: %s is %s here and %s in phase %s", l->config->name,
                     here->name, ann_shape_str(a, sizeof a, &here->shape),
                     ann_shape_str(b, sizeof b, &there->shape), l->config->load_from);
}

/* *taken: its values are those of the file now. */
static ann_status load_tensor(loading *l, ann_tensor tensor, int source, bool *taken) {
    const ann_tensor_info *here = ann_store_info(l->to, tensor);
    const ann_foreign_tensor *there = ann_foreign_tensor_at(l->from, source);
    char a[128], b[128];
    *taken = false;
    ann_shape_str(a, sizeof a, &there->shape);
    ann_shape_str(b, sizeof b, &here->shape);
    if (there->problem) {
        say(l, true, "skipped", "%s: %s", here->name, there->problem);
        return ANN_OK;
    }
    const fit how = find_fit(l, here, &there->shape);
    if (how == FIT_NOT) {
        ANN_TRY(refuse(l, here, there));
        say(l, true, "skipped", "%s: %s there, %s here%s", here->name, a, b,
            is_permuted(&there->shape, &here->shape) ? " (load.transpose?)" : "");
        return ANN_OK;
    }
    if (!ann_foreign_converts(l->from, source, here->dtype)) {
        say(l, true, "skipped", "%s: %s there, %s here", here->name, there->dtype,
            ann_dtype_name(here->dtype));
        return ANN_OK;
    }
    if (how == FIT_RESHAPED) say(l, true, "reshaped", "%s: %s -> %s", here->name, a, b);
    if (how == FIT_TRANSPOSED) say(l, false, "transposed", "%s: %s -> %s", here->name, a, b);
    if (strcmp(there->dtype, ann_dtype_name(here->dtype)) != 0)
        say(l, there->as != here->dtype, "converted", "%s: %s -> %s", here->name, there->dtype,
            ann_dtype_name(here->dtype));
    *taken = true;
    if (how == FIT_TRANSPOSED) return read_transposed(l, source, here, ann_store_data(l->to, tensor));
    return ann_foreign_read(l->from, source, here->dtype, ann_store_data(l->to, tensor));
}

/* ---- all of them ---- */

static int find_source(const loading *l, const char *name) {
    for (int i = 0; i < ann_foreign_count(l->from); i++)
        if (strcmp(l->names[i], name) == 0) return i;
    return -1;
}

static void add_fresh(loading *l, const char *name) {
    const size_t used = strlen(l->fresh_names);
    snprintf(l->fresh_names + used, sizeof l->fresh_names - used, "%s%s", l->fresh++ ? ", " : ": ", name);
}

static ann_status load_matching(loading *l) {
    for (int32_t i = 0; i < ann_store_count(l->to); i++) {
        const ann_tensor_info *info = ann_store_info(l->to, (ann_tensor){i});
        if (!is_model_tensor(info) || anni_is_teacher(info)) continue;
        const bool wanted = ann_name_matches(l->config->load_tensors, info->name);
        const int source = wanted ? find_source(l, info->name) : -1;
        bool taken = false;
        if (source >= 0) {
            l->used[source] = true;
            ANN_TRY(load_tensor(l, (ann_tensor){i}, source, &taken));
        } else if (wanted && !l->config->load_from)
            say(l, true, "missing", "%s: the file has no such tensor", info->name);
        if (taken) l->taken++;
        else add_fresh(l, info->name);
    }
    return ANN_OK;
}

static bool is_of_training(const char *name) {
    static const char patterns[] = "m/*,v/*,momentum/*,count/*,error/*,powersgd_q/*,anchor/*,outer/*,best/*,"
                                   "table/*," ANN_METHOD_TEACHER "/*";
    return ann_name_matches(patterns, name);
}

/* What is there and was not asked for by any tensor here; moments and teachers of our own are none of it. */
static void say_unused(loading *l) {
    for (int i = 0; i < ann_foreign_count(l->from) && !l->config->load_from; i++) {
        const char *name = ann_foreign_tensor_at(l->from, i)->name;
        if (l->used[i] || is_of_training(name) || !ann_name_matches(l->config->load_tensors, l->names[i]))
            continue;
        if (strcmp(name, l->names[i]) == 0) say(l, true, "skipped", "%s: no tensor here is called so", name);
        else say(l, true, "skipped", "%s: no tensor here is called %s", name, l->names[i]);
    }
}

static ann_status rename_all(loading *l) {
    for (int i = 0; i < ann_foreign_count(l->from); i++) {
        const char *name = ann_foreign_tensor_at(l->from, i)->name;
        if (!ann_rename_apply(l->names[i], NAME_BYTES, l->config->load_rename, l->config->load_rename_count,
                              name))
            l->names[i][0] = '\0';
    }
    return ANN_OK;
}

static ann_status load_all(loading *l) {
    const ann_phase_config *config = l->config;
    ANN_TRY(rename_all(l));
    ANN_TRY(load_matching(l));
    say_unused(l);
    if (config->load_from)
        anni_say(l->phase->run, "%s: loaded %d tensors from %s (%s), initialised %d%s", config->name,
                 l->taken, config->load_from, config->load_tensors, l->fresh, l->fresh_names);
    else
        anni_say(l->phase->run, "%s: loaded %d tensors from %s (%s; %s), initialised %d%s", config->name,
                 l->taken, ann_foreign_path(l->from), ann_foreign_format(l->from), config->load_tensors,
                 l->fresh, l->fresh_names);
    if (config->load_strict && l->objections > 0)
        return ann_error(ANN_ERR_CONFIG,
                         "phase %s: load is strict, and %d tensors do not fit as they are: %s", config->name,
                         l->objections, l->objection);
    if (config->kind == ANN_PHASE_EVALUATE && l->fresh > 0)
        return ann_error(ANN_ERR_CONFIG,
                         "phase %s: kind evaluate needs all tensors of its model, and %d were not loaded%s",
                         config->name, l->fresh, l->fresh_names);
    if (l->taken > 0) return ANN_OK;
    return ann_error(ANN_ERR_CONFIG, "phase %s: no tensor was loaded from %s%s%s", config->name,
                     ann_foreign_path(l->from), l->objections ? ": " : "", l->objections ? l->objection : "");
}

ann_status anni_load_path(char out[ANNI_PATH_BYTES], const anni_phase *phase) {
    const ann_phase_config *config = phase->config;
    const ann_run_config *run = phase->run->config;
    const int from = config->load_from ? ann_run_config_find_phase(run, config->load_from) : -1;
    if (from >= 0 && config->load_checkpoint == ANN_LOAD_BEST) {
        char best[ANNI_PATH_BYTES];
        snprintf(best, sizeof best, "%s/%s/best", run->output, config->load_from);
        return ann_ckpt_resolve(out, best);
    }
    snprintf(out, ANNI_PATH_BYTES, "%s",
             from >= 0 ? phase->run->results[from].checkpoint : config->load_file);
    return ANN_OK;
}

ann_status anni_map_load(ann_store *to, const anni_phase *phase) {
    const ann_phase_config *config = phase->config;
    char path[ANNI_PATH_BYTES];
    loading l = {.phase = phase, .config = config, .to = to};
    ANN_TRY(anni_load_path(path, phase));
    ANN_TRY(ann_foreign_open(&l.from, path));
    const size_t count = (size_t)ann_foreign_count(l.from) + 1;
    l.names = calloc(count, sizeof *l.names);
    l.used = calloc(count, sizeof *l.used);
    const ann_status status =
        l.names && l.used ? load_all(&l)
                          : ann_error(ANN_ERR_MEMORY, "phase %s: no memory to load tensors", config->name);
    free(l.names);
    free(l.used);
    ann_foreign_close(l.from);
    return status;
}
