/* A checkpoint made of a file of somebody else's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ckpt/foreign.h"
#include "ckpt/rewrite.h"
#include "ckpt/tools.h"

enum { NAME_BYTES = 512 };

typedef struct import {
    const ann_foreign *file;
    const ann_ckpt_import_options *options;
    ann_store *store;
    ann_tensor *made; /* [count of the file]: what each became; ANN_TENSOR_NONE: it was left out */
    int objections;   /* what was skipped or converted */
    void (*report)(void *to, const char *line);
    void *to;
} import;

static void say(import *in, const char *what, const char *name, const char *why) {
    char line[NAME_BYTES + 256];
    if (strcmp(what, "renamed") != 0) in->objections++;
    (void)snprintf(line, sizeof line, "%-9s %s%s%s", what, name[0] ? name : "(unnamed)", why[0] ? ": " : "",
                   why);
    in->report(in->to, line);
}

/* Declares tensor i under its new name, if it is wanted and can be read. */
static ann_status declare(import *in, int i) {
    const ann_foreign_tensor *t = ann_foreign_tensor_at(in->file, i);
    const ann_ckpt_import_options *o = in->options;
    char name[NAME_BYTES], why[128];
    in->made[i] = ANN_TENSOR_NONE;
    if (!ann_rename_apply(name, sizeof name, o->rename, o->rename_count, t->name)) name[0] = '\0';
    if (!t->name[0] && !name[0]) (void)snprintf(name, sizeof name, "tensor"); /* an npy file has no names */
    if (t->problem) say(in, "skipped", t->name, t->problem);
    else if (!ann_name_matches(o->tensors, name)) say(in, "skipped", t->name, "not asked for");
    else if (!name[0]) say(in, "skipped", t->name, "its new name is too long");
    else if (ann_store_find(in->store, name).id >= 0)
        say(in, "skipped", t->name, "another one has got its new name");
    else {
        ANN_TRY(ann_store_declare(&in->made[i], in->store, name, t->as, &t->shape, ANN_ROLE_PARAM,
                                  (ann_init){.kind = ANN_INIT_ZERO}));
        if (strcmp(t->name, name) != 0) say(in, "renamed", t->name, name);
        (void)snprintf(why, sizeof why, "%s -> %s", t->dtype, ann_dtype_name(t->as));
        if (strcmp(t->dtype, ann_dtype_name(t->as)) != 0) say(in, "converted", name, why);
    }
    return ANN_OK;
}

/* All tensors of one dtype in a block, so that they are cut into shards together. */
static ann_status group(import *in, ann_dtype dtype) {
    const int count = ann_store_count(in->store);
    ann_tensor *members = malloc(((size_t)count + 1) * sizeof *members);
    ann_block block;
    char name[32];
    int n = 0;
    if (!members) return ann_error(ANN_ERR_MEMORY, "no memory to import tensors");
    for (int32_t i = 0; i < count; i++)
        if (ann_store_info(in->store, (ann_tensor){i})->dtype == dtype) members[n++] = (ann_tensor){i};
    (void)snprintf(name, sizeof name, "imported-%s", ann_dtype_name(dtype));
    const ann_status status = n ? ann_store_group(&block, in->store, name, members, n) : ANN_OK;
    free(members);
    return status;
}

static ann_status fill(import *in) {
    const int count = ann_foreign_count(in->file);
    for (int i = 0; i < count; i++) ANN_TRY(declare(in, i));
    if (ann_store_count(in->store) == 0)
        return ann_error(ANN_ERR_NOT_FOUND, "%s: no tensor of it was taken", ann_foreign_path(in->file));
    if (in->options->strict && in->objections > 0)
        return ann_error(ANN_ERR_DTYPE,
                         "%s: %d tensors cannot be taken as they are, and --strict was asked for",
                         ann_foreign_path(in->file), in->objections);
    for (int d = 0; d < ANN_DTYPE_COUNT; d++) ANN_TRY(group(in, (ann_dtype)d));
    ANN_TRY(ann_store_commit(in->store));
    for (int i = 0; i < count; i++)
        if (in->made[i].id >= 0)
            ANN_TRY(ann_foreign_read(in->file, i, ann_foreign_tensor_at(in->file, i)->as,
                                     ann_store_data(in->store, in->made[i])));
    return ANN_OK;
}

static ann_status write_checkpoint(char *out, const import *in, const char *dir) {
    ann_meta *meta;
    ANN_TRY(ann_meta_new(&meta));
    ann_status status = ann_meta_set_str(meta, "imported_from", ann_foreign_path(in->file));
    if (status == ANN_OK) status = ann_meta_set_str(meta, "imported_format", ann_foreign_format(in->file));
    if (status == ANN_OK) status = anni_rewrite(out, dir, in->options->step, in->store, meta, 1);
    ann_meta_free(meta);
    return status;
}

static ann_status import_open(char *out, import *in, const char *dir) {
    in->made = malloc(((size_t)ann_foreign_count(in->file) + 1) * sizeof *in->made);
    ANN_TRY(ann_store_new(&in->store, 0));
    ann_status status = in->made ? fill(in) : ann_error(ANN_ERR_MEMORY, "no memory to import tensors");
    if (status == ANN_OK) status = write_checkpoint(out, in, dir);
    ann_store_free(in->store);
    free(in->made);
    return status;
}

ann_status ann_ckpt_import(char out[ANN_CKPT_PATH_BYTES], const char *file, const char *dir,
                           const ann_ckpt_import_options *options, void (*report)(void *to, const char *line),
                           void *to) {
    ann_foreign *foreign;
    ANN_TRY(ann_foreign_open(&foreign, file));
import in = {.file = foreign, .options = options, .report = report, .to = to };
    ann_status status = ANN_OK;
    if (ann_foreign_meta(foreign))
        status = ann_error(ANN_ERR_ARG, "%s is a checkpoint already; annulus ckpt reshard copies it", file);
    if (status == ANN_OK) status = import_open(out, &in, dir);
    ann_foreign_close(foreign);
    return status;
}
