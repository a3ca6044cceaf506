#include "datasets/write.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/philox.h"
#include "datasets/journal.h"
#include "datasets/part.h"

enum { BLOCK_BYTES = 1 << 20, JOURNAL_BYTES = 16 << 20 };

/* Decides which records are the test split's; fixed, so that the choice depends on their number alone. */
#define SPLIT_SEED 0x616E6E756C7573u

typedef struct split {
    const char *name;
    int64_t first, records; /* of the source, among which are this split's */
    int64_t samples;        /* how many of them are its own: all, or a share of them */
} split;

typedef struct import {
    const ann_import_options *options;
    const anni_source *source;
    ann_arena *arena;
    split splits[ANNI_MAX_SPLITS];
    int split_count;
    int64_t test_samples; /* > 0: the splits are a keyed share of the same records */
    int64_t total;        /* records to read */
    anni_part part;
    anni_journal journal;
    anni_progress_state state;
    int64_t row_bytes, block_rows, pending; /* of a sample; samples of a block; those in it */
    void *blocks[ANNI_MAX_FIELDS];
    int64_t bytes, journal_bytes; /* written by this process; at the last write of the journal */
} import;

ann_status anni_bad_record(bool *bad, ann_status status, const char *path, int64_t record, const char *fmt,
                           ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    *bad = true;
    return ann_error(status, "%s: record %" PRId64 ": %s", path, record, text);
}

static void note(const import *im, const char *fmt, ...) ANN_PRINTF(2, 3);
static void note(const import *im, const char *fmt, ...) {
    if (im->options->note == NULL) return;
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    im->options->note(im->options->to, line);
}

static void report(const import *im) {
    if (im->options->progress != NULL)
        im->options->progress(im->options->to, im->state.now.done, im->total, im->bytes);
}

/* ---- splits ---- */

static ann_status set_splits(import *im) {
    const anni_source *s = im->source;
    const double fraction = im->options->test_fraction;
    int64_t first = 0;
    im->split_count = s->split_count;
    for (int i = 0; i < s->split_count; i++) {
        const int64_t n = s->splits[i].count;
        if (n < 1)
            return ann_error(ANN_ERR_FORMAT, "import: there is no record of the split %s", s->splits[i].name);
        im->splits[i] = (split){s->splits[i].name, first, n, n};
        first += n;
    }
    im->total = first;
    if (!(fraction > 0)) return ANN_OK;
    if (s->split_count != 1)
        return ann_error(ANN_ERR_ARG,
                         "import: a test fraction, but the inputs have a test split of their own");
    im->test_samples = llround(fraction * (double)first);
    if (im->test_samples < 1 || im->test_samples >= first) {
        return ann_error(ANN_ERR_ARG,
                         "import: a test fraction of %g of %" PRId64 " records leaves a split empty",
                         fraction, first);
    }
    im->splits[0] = (split){"train", 0, first, first - im->test_samples};
    im->splits[1] = (split){"test", 0, first, im->test_samples};
    im->split_count = 2;
    return ANN_OK;
}

static bool is_of_split(const import *im, int s, int64_t record) {
    if (im->test_samples == 0) return true;
    const uint64_t n = (uint64_t)im->splits[0].records;
    const uint64_t at = ann_permute_index(SPLIT_SEED, ANN_STREAM_SUBSET, 0, n, (uint64_t)record);
    return (at < (uint64_t)im->test_samples) == (s == 1);
}

/* ---- is it the same import? ---- */

static uint64_t hash_text(const char *text, uint64_t seed) {
    return text == NULL ? ann_hash("", 1, ~seed) : ann_hash(text, strlen(text) + 1, seed);
}

/* An input is known by name, length and time: hashing all of them would take as long as importing them. */
static ann_status hash_inputs(const import *im, uint64_t *key) {
    for (int i = 0; i < im->source->input_count; i++) {
        const char *path = im->source->inputs[i];
        struct stat info;
        if (stat(path, &info) != 0) return anni_io_error(path);
        const int64_t what[] = {info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
        *key = ann_hash(what, sizeof what, hash_text(path, *key));
    }
    return ANN_OK;
}

static uint64_t hash_fields(const anni_source *s, uint64_t key) {
    for (int f = 0; f < s->field_count; f++) {
        const anni_field *field = &s->fields[f];
        const int64_t what[] = {(int64_t)field->type, (int64_t)field->normalised, field->shape.rank};
        key = ann_hash(what, sizeof what, hash_text(field->name, key));
        key = ann_hash(field->shape.dim, sizeof field->shape.dim, key);
    }
    return key;
}

/* Whether bad records are skipped does not matter: an import that one of them ended goes on with --skip-bad.
 */
static ann_status make_key(const import *im, uint64_t *key) {
    const ann_import_options *o = im->options;
    const anni_source *s = im->source;
    const int64_t what[] = {1,           im->total, im->test_samples, o->shard,
                            o->compress, o->chunk,  s->split_count,   o->class_count};
    *key = ann_hash(what, sizeof what, s->identity);
    *key = hash_text(s->format, hash_text(o->name, *key));
    for (int i = 0; i < o->class_count; i++) *key = hash_text(o->classes[i], *key);
    for (int i = 0; i < s->split_count; i++) {
        *key = ann_hash(&s->splits[i].count, sizeof(int64_t), hash_text(s->splits[i].name, *key));
    }
    *key = hash_fields(s, *key);
    return hash_inputs(im, key);
}

/* ---- files ---- */

static bool is_sharded(const import *im) { return im->options->shard > 0; }

static int64_t shard_capacity(const import *im, int s, int64_t shard) {
    const int64_t left = im->splits[s].samples - shard * im->options->shard;
    return left < im->options->shard ? left : im->options->shard;
}

/* The file that the place `now` writes to: the whole dataset, or a shard. */
static ann_status name_part(import *im) {
    const anni_place *now = &im->state.now;
    char *path = ann_arena_strdup(im->arena, im->options->out);
    if (path != NULL && is_sharded(im)) {
        path = anni_shard_path(im->options->out, im->splits[now->split].name, now->rows / im->options->shard,
                               im->arena);
    }
    char *part = path == NULL ? NULL : ann_arena_printf(im->arena, "%s.part", path);
    if (part == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", im->options->out);
    anni_part_init(&im->part, im->options, im->source, im->arena, path, part);
    im->part.is_shard = is_sharded(im);
    im->part.group_count = is_sharded(im) ? 1 : im->split_count;
    for (int g = 0; g < im->part.group_count; g++) {
        const int s = is_sharded(im) ? (int)now->split : g;
        im->part.groups[g].name = im->splits[s].name;
        im->part.groups[g].capacity =
            is_sharded(im) ? shard_capacity(im, s, now->rows / im->options->shard) : im->splits[s].samples;
    }
    return ANN_OK;
}

static ann_status open_new_part(import *im) {
    ANN_TRY(name_part(im));
    im->state.file = im->state.now;
    return anni_part_create(&im->part);
}

/* An interrupted import's file, or, if that is of no use, the place where it began. */
static ann_status take_up(import *im) {
    bool found = false;
    ANN_TRY(name_part(im));
    const bool in_file = memcmp(&im->state.now, &im->state.file, sizeof im->state.now) != 0;
    if (in_file) ANN_TRY(anni_part_reopen(&im->part, &found));
    if (!found) im->state.now = im->state.file;
    if (im->state.now.done > 0)
        note(im, "%s: going on after %" PRId64 " of %" PRId64 " records", im->options->out,
             im->state.now.done, im->total);
    return ANN_OK;
}

static ann_status write_journal(import *im) {
    im->journal_bytes = im->bytes;
    return anni_journal_write(&im->journal, &im->state);
}

static ann_status commit_shard(import *im) {
    const int64_t rows = im->state.now.rows - im->state.file.rows;
    if (rows == 0) { /* all its records were bad */
        anni_part_close(&im->part, true);
        return ANN_OK;
    }
    ANN_TRY(anni_part_commit(&im->part, &rows, 0));
    im->state.file = im->state.now;
    return write_journal(im);
}

/* ---- records ---- */

static ann_status flush_block(import *im) {
    if (im->pending == 0) return ANN_OK;
    const anni_place *now = &im->state.now;
    const int group = is_sharded(im) ? 0 : (int)now->split;
    const int64_t base = is_sharded(im) ? im->state.file.rows : 0;
    ANN_TRY(anni_part_write(&im->part, group, now->rows - im->pending - base, im->pending, im->blocks));
    im->bytes += im->pending * im->row_bytes;
    im->pending = 0;
    report(im);
    if (im->options->compress > 0 || im->bytes - im->journal_bytes < JOURNAL_BYTES) return ANN_OK;
    ANN_TRY(anni_part_sync(&im->part));
    return write_journal(im);
}

/* Reads the next record into the block. */
static ann_status read_record(import *im) {
    anni_place *now = &im->state.now;
    void *fields[ANNI_MAX_FIELDS];
    bool bad = false;
    for (int f = 0; f < im->source->field_count; f++) {
        const anni_field *field = &im->source->fields[f];
        const int64_t bytes = ann_shape_elems(&field->shape) * (int64_t)anni_type_bytes(field->type);
        fields[f] = (char *)im->blocks[f] + im->pending * bytes;
    }
    const ann_status status =
        im->source->read(im->source->self, im->splits[now->split].first + now->record, fields, &bad);
    if (status != ANN_OK && !(bad && im->options->skip_bad)) return status;
    now->record++;
    now->done++;
    if (status == ANN_OK) {
        now->rows++;
        im->pending++;
        return ANN_OK;
    }
    now->skipped++;
    note(im, "skipped: %s", ann_error_text());
    ann_error_clear();
    return ANN_OK;
}

static ann_status import_records(import *im) {
    anni_place *now = &im->state.now;
    const split *s = &im->splits[now->split];
    for (; now->record < s->records;) {
        if (!is_of_split(im, (int)now->split, now->record)) {
            now->record++;
            continue;
        }
        if (!im->part.is_open) ANN_TRY(open_new_part(im));
        ANN_TRY(read_record(im));
        const bool full = is_sharded(im) && now->rows - im->state.file.rows == im->part.groups[0].capacity;
        if (full || im->pending == im->block_rows) ANN_TRY(flush_block(im));
        if (full) ANN_TRY(commit_shard(im));
    }
    ANN_TRY(flush_block(im));
    if (now->rows == 0)
        return ann_error(ANN_ERR_CORRUPT, "import: all records of the split %s are bad", s->name);
    return is_sharded(im) && im->part.is_open ? commit_shard(im) : ANN_OK;
}

static ann_status commit_dataset(import *im) {
    const anni_place *now = &im->state.now;
    if (!is_sharded(im)) return anni_part_commit(&im->part, now->written, now->skipped);
    char *path = ann_arena_strdup(im->arena, im->options->out);
    char *part = path == NULL ? NULL : ann_arena_printf(im->arena, "%s.part", path);
    if (part == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", im->options->out);
    anni_part_init(&im->part, im->options, im->source, im->arena, path, part);
    im->part.group_count = im->split_count;
    for (int g = 0; g < im->split_count; g++) {
        im->part.groups[g].name = im->splits[g].name;
        im->part.groups[g].capacity = now->written[g];
    }
    return anni_index_write(&im->part, now->skipped);
}

static ann_status import_splits(import *im) {
    anni_place *now = &im->state.now;
    while (now->split < im->split_count) {
        ANN_TRY(import_records(im));
        now->written[now->split++] = now->rows;
        now->record = now->rows = 0;
    }
    ANN_TRY(commit_dataset(im));
    if (now->skipped > 0) note(im, "%s: bad records left out: %" PRId64, im->options->out, now->skipped);
    return ANN_OK;
}

/* ---- the whole ---- */

static ann_status allocate_blocks(import *im) {
    for (int f = 0; f < im->source->field_count; f++) {
        const anni_field *field = &im->source->fields[f];
        im->row_bytes += ann_shape_elems(&field->shape) * (int64_t)anni_type_bytes(field->type);
    }
    im->block_rows = im->row_bytes < BLOCK_BYTES ? BLOCK_BYTES / im->row_bytes : 1;
    for (int f = 0; f < im->source->field_count; f++) {
        const anni_field *field = &im->source->fields[f];
        const int64_t bytes = ann_shape_elems(&field->shape) * (int64_t)anni_type_bytes(field->type);
        ANN_TRY(ann_mem_alloc(&im->blocks[f], (size_t)(bytes * im->block_rows)));
    }
    return ANN_OK;
}

static void free_blocks(import *im) {
    for (int f = 0; f < im->source->field_count; f++) {
        const anni_field *field = &im->source->fields[f];
        const int64_t bytes = ann_shape_elems(&field->shape) * (int64_t)anni_type_bytes(field->type);
        ann_mem_free(im->blocks[f], (size_t)(bytes * im->block_rows));
    }
}

/* Shards are not replaced one by one while an index refers to them. */
static ann_status check_out(const import *im) {
    if (!is_sharded(im) || access(im->options->out, F_OK) != 0) return ANN_OK;
    return ann_error(ANN_ERR_ARG,
                     "%s: exists; a dataset in shards is not written over another one: remove it first",
                     im->options->out);
}

static ann_status run(import *im, bool *keep) {
    uint64_t key = 0;
    bool found = false;
    ANN_TRY(check_out(im));
    ANN_TRY(set_splits(im));
    ANN_TRY(make_key(im, &key));
    ANN_TRY(anni_journal_open(&im->journal, im->options->out, key, im->arena, &found, &im->state));
    ann_status status = allocate_blocks(im);
    if (status == ANN_OK && found) status = take_up(im);
    if (status == ANN_OK) status = import_splits(im);
    /* What the journal speaks of is kept for the next try; before its first entry that is nothing. */
    *keep = status != ANN_OK && im->journal.sequence > 0;
    return status;
}

static ann_status check_options(const ann_import_options *o) {
    if (o->out == NULL || o->out[0] == '\0')
        return ann_error(ANN_ERR_ARG, "import: no name for the file to write");
    if (o->class_count < 0 || o->class_count > 65536 || (o->class_count > 0 && o->classes == NULL))
        return ann_error(ANN_ERR_ARG, "import: %d class names, accepted: 0 to 65536", o->class_count);
    if (!(o->test_fraction >= 0 && o->test_fraction < 1))
        return ann_error(ANN_ERR_ARG, "import: test fraction %g, accepted: 0 to below 1", o->test_fraction);
    if (o->shard < 0) return ann_error(ANN_ERR_ARG, "import: shards of %" PRId64 " records", o->shard);
    if (o->compress < 0 || o->compress > 9)
        return ann_error(ANN_ERR_ARG, "import: compression level %d, accepted: 0 to 9", o->compress);
    if (o->chunk < 0 || (o->chunk > 0 && o->compress == 0))
        return ann_error(ANN_ERR_ARG, "import: chunks of %" PRId64 " records without compression", o->chunk);
    return ANN_OK;
}

ann_status anni_import(const ann_import_options *options, const anni_source *source) {
    struct import im = {.options = options, .source = source, .journal = {.fd = -1}};
    anni_h5_printing before;
    bool keep = false;
    ANN_TRY(check_options(options));
    ANN_TRY(ann_arena_new(&im.arena));
    anni_h5_begin(&before);
    const ann_status status = run(&im, &keep);
    anni_part_close(&im.part, status != ANN_OK && !keep);
    anni_h5_end(&before);
    anni_journal_close(&im.journal, !keep);
    free_blocks(&im);
    ann_arena_free(im.arena);
    return status;
}
