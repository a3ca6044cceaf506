#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "ckpt/attempt.h"
#include "ckpt/meta.h"

#define WAIT_NS                                                                                              \
    ((int64_t)20000000) /* between two looks at the other ranks: far below any communicator's timeout */

/* ---- who writes ---- */

static int writers_wanted(int writers, const int32_t *local_rank, int size) {
    int nodes = 0;
    for (int r = 0; r < size; r++) nodes += local_rank[r] == 0;
    if (writers == ANN_CKPT_EACH_RANK || writers > size) return size;
    return writers == ANN_CKPT_EACH_NODE ? nodes : writers;
}

/* The first ranks of all nodes, then the second ones ... until there are `count`; shards in order of rank. */
static void choose_writers(ann_ckpt_writer *w, const int32_t *local_rank, int count) {
    int left = count, last = -1;
    while (left > 0) { /* last: the highest local rank of which all write */
        int more = 0;
        for (int r = 0; r < w->size; r++) more += local_rank[r] == last + 1;
        if (more == 0 || more > left) break;
        left -= more;
        last++;
    }
    int shard = 0;
    w->shard = -1;
    for (int r = 0; r < w->size && shard < count; r++) {
        const bool some = local_rank[r] == last + 1 && left > 0;
        if (some) left--;
        if (!some && local_rank[r] > last) continue;
        if (r == w->rank) w->shard = shard;
        w->writer_of[shard++] = r;
    }
}

static ann_status find_writers(ann_comm *comm, ann_ckpt_writer *w, int *count) {
    const int32_t mine = ann_comm_local_rank(comm);
    int32_t *all = calloc((size_t)w->size, sizeof *all);
    w->writer_of = calloc((size_t)w->size, sizeof *w->writer_of);
    const bool room = all && w->writer_of;
    ann_status status =
        ann_agree(comm, room ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's writers"));
    if (status == ANN_OK) status = ann_comm_allgather(comm, all, &mine, sizeof mine);
    if (status == ANN_OK && room) {
        *count = writers_wanted(w->options.writers, all, w->size);
        choose_writers(w, all, *count);
    }
    free(all);
    return status;
}

/* ---- making a writer ---- */

static ann_status check_options(const ann_ckpt_options *o, const ann_store *store) {
    if (!o->dir || !o->dir[0]) return ann_error(ANN_ERR_ARG, "the directory of a checkpoint has no name");
    if (o->keep.last < 0) return ann_error(ANN_ERR_ARG, "%s: %d checkpoints to keep", o->dir, o->keep.last);
    if (o->keep.every < 0)
        return ann_error(ANN_ERR_ARG, "%s: every %dth checkpoint to keep", o->dir, o->keep.every);
    if (o->writers < ANN_CKPT_EACH_NODE) return ann_error(ANN_ERR_ARG, "%s: %d writers", o->dir, o->writers);
    if (ann_store_count(store) > 0 && !ann_store_data(store, (ann_tensor){0}))
        return ann_error(ANN_ERR_ARG, "%s: a checkpoint of a store before its commit", o->dir);
    return ANN_OK;
}

static uint64_t layout_hash(const anni_manifest *m) {
    uint64_t hash = ann_hash(&m->shard_count, sizeof m->shard_count, 0);
    for (int i = 0; i < m->block_count; i++) hash = ann_hash(&m->blocks[i].elems, sizeof(int64_t), hash);
    for (int i = 0; i < m->tensor_count; i++) {
        const ann_tensor_info *t = &m->tensors[i];
        const int64_t numbers[] = {t->dtype, t->role, t->block.id, t->offset_elems, t->shape.rank};
        hash = ann_hash(numbers, sizeof numbers, hash);
        hash = ann_hash(t->shape.dim, sizeof t->shape.dim, hash);
        hash = ann_hash(t->name, strlen(t->name), hash);
    }
    return hash;
}

static ann_status plan(ann_ckpt_writer *w, int shards) {
    ANN_TRY(anni_manifest_plan(&w->manifest, w->store, NULL, 0, shards));
    anni_manifest *m = w->manifest;
    w->layout = layout_hash(m);
    w->word_count = 2 + 2 * (size_t)m->tensor_count;
    w->words = ann_arena_alloc(m->arena, w->word_count * ((size_t)w->size + 1) * sizeof *w->words);
    w->scalars = ann_arena_alloc(m->arena, (size_t)(m->tensor_count + 1) * sizeof *w->scalars);
    if (!w->words || !w->scalars)
        return ann_error(ANN_ERR_MEMORY, "%s: no memory for checksums", w->options.dir);
    return w->shard >= 0 ? anni_snapshot_init(&w->snapshot, m, w->shard) : ANN_OK;
}

static ann_status init(ann_ckpt_writer *w, const ann_store *store, const ann_ckpt_options *options) {
    ANN_TRY(check_options(options, store));
    w->store = store;
    w->options.dir = strdup(options->dir);
    w->options.keep.best = options->keep.best ? strdup(options->keep.best) : NULL;
    if (!w->options.dir || (options->keep.best && !w->options.keep.best))
        return ann_error(ANN_ERR_MEMORY, "%s: no memory to write checkpoints", options->dir);
    return ANN_OK;
}

static ann_status make(ann_comm *comm, ann_ckpt_writer *w, const ann_store *store,
                       const ann_ckpt_options *options) {
    int shards = 0;
    ANN_TRY(ann_agree(comm, init(w, store, options)));
    ANN_TRY(find_writers(comm, w, &shards));
    return ann_agree(comm, plan(w, shards));
}

ann_status ann_ckpt_writer_new(ann_comm *comm, ann_ckpt_writer **out, const ann_store *store,
                               const ann_ckpt_options *options) {
    *out = NULL;
    ann_ckpt_writer *w = calloc(1, sizeof *w);
    ann_status status = w ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory to write checkpoints");
    if (w) {
        w->options = *options;
        w->options.dir = w->options.keep.best = NULL;
        w->rank = ann_comm_rank(comm);
        w->size = ann_comm_size(comm);
        w->shard = -1;
        status = anni_worker_init(&w->worker);
    }
    status = ann_agree(comm, status);
    if (status == ANN_OK && w) status = make(comm, w, store, options);
    if (status != ANN_OK) {
        ann_ckpt_writer_free(w);
        return status;
    }
    *out = w;
    return ANN_OK;
}

void ann_ckpt_writer_free(ann_ckpt_writer *writer) {
    if (!writer) return;
    anni_worker_fini(&writer->worker);
    if (writer->manifest) {
        ann_meta_free(writer->manifest->meta);
        writer->manifest->meta = NULL;
    }
    anni_snapshot_fini(&writer->snapshot);
    anni_manifest_free(writer->manifest);
    free(writer->writer_of);
    free((char *)(uintptr_t)writer->options.dir);
    free((char *)(uintptr_t)writer->options.keep.best);
    free(writer);
}

/* ---- one attempt ---- */

static void enter(ann_ckpt_writer *w, anni_stage stage) {
    w->stage = stage;
    anni_worker_start(&w->worker, anni_attempt_work(w, stage), w);
}

/* Everything of this rank that can fail before the snapshot. */
static ann_status set_up(ann_ckpt_writer *w, int64_t step, const ann_meta *meta) {
    if (w->stage != ANNI_STAGE_IDLE)
        return ann_error(ANN_ERR_ARG, "%s: the checkpoint of step %lld is still being written",
                         w->options.dir, (long long)w->report.step);
    ANN_TRY(anni_commit_init(&w->commit, w->options.dir, step));
    ann_meta_free(w->manifest->meta);
    w->manifest->meta = NULL;
    w->manifest->step = step;
    return meta && w->rank == 0 ? anni_meta_copy(&w->manifest->meta, meta) : ANN_OK;
}

static ann_status check_same(ann_comm *comm, const ann_ckpt_writer *w) {
    const uint64_t mine = ann_hash(&w->manifest->step, sizeof w->manifest->step, w->layout);
    uint64_t first = mine;
    ANN_TRY(ann_comm_broadcast(comm, &first, sizeof first, 0));
    return ann_agree(comm, first == mine ? ANN_OK
                                         : ann_error(ANN_ERR_ARG, "%s: another step or store than on rank 0",
                                                     w->commit.part));
}

static void take_scalars(ann_ckpt_writer *w) {
    for (int i = 0; i < w->manifest->tensor_count; i++) {
        const ann_tensor_info *t = &w->manifest->tensors[i];
        if (t->shape.rank == 0)
            memcpy(&w->scalars[i], ann_store_data(w->store, ann_store_find(w->store, t->name)),
                   ann_dtype_bytes(t->dtype));
    }
}

ann_status ann_ckpt_writer_begin(ann_comm *comm, ann_ckpt_writer *writer, int64_t step,
                                 const ann_meta *meta) {
    const int64_t start = ann_clock_ns();
    ANN_TRY(ann_agree(comm, set_up(writer, step, meta)));
    ANN_TRY(check_same(comm, writer));
    if (writer->shard >= 0) anni_snapshot_take(&writer->snapshot, writer->manifest, writer->store);
    if (writer->rank == 0) take_scalars(writer);
    writer->text[0] = '\0';
    writer->begun_ns = ann_clock_ns();
    writer->report = (ann_ckpt_report){.step = step,
                                       .status = ANN_OK,
                                       .text = writer->text,
                                       .stall_s = 1e-9 * (double)(writer->begun_ns - start)};
    enter(writer, ANNI_STAGE_PREPARE);
    return ANN_OK;
}

/* What a rank tells the others about its shard: size, rest hash, then offset and hash of its piece of each
 * tensor. */
static void pack(uint64_t *words, const anni_shard *shard) {
    words[0] = (uint64_t)shard->file_bytes;
    words[1] = shard->rest_hash;
    for (int i = 0; i < shard->piece_count; i++) {
        words[2 + 2 * i] = (uint64_t)shard->pieces[i].offset_bytes;
        words[3 + 2 * i] = shard->pieces[i].hash;
    }
}

static void unpack(anni_shard *shard, const uint64_t *words) {
    shard->file_bytes = (int64_t)words[0];
    shard->rest_hash = words[1];
    for (int i = 0; i < shard->piece_count; i++) {
        shard->pieces[i].offset_bytes = (int64_t)words[2 + 2 * i];
        shard->pieces[i].hash = words[3 + 2 * i];
    }
}

static ann_status exchange(ann_comm *comm, ann_ckpt_writer *w) {
    uint64_t *all = w->words + w->word_count;
    if (w->shard >= 0) pack(w->words, &w->manifest->shards[w->shard]);
    ANN_TRY(ann_comm_allgather(comm, all, w->words, w->word_count * sizeof *all));
    for (int i = 0; i < w->manifest->shard_count; i++)
        unpack(&w->manifest->shards[i], all + (size_t)w->writer_of[i] * w->word_count);
    return ANN_OK;
}

/* The stage that follows once all ranks have done theirs. */
static anni_stage next_stage(anni_stage stage, ann_status status) {
    const bool good = status == ANN_OK;
    switch (stage) {
    case ANNI_STAGE_PREPARE: return good ? ANNI_STAGE_SHARDS : ANNI_STAGE_ABANDON;
    case ANNI_STAGE_SHARDS: return good ? ANNI_STAGE_COMMIT : ANNI_STAGE_ABANDON;
    case ANNI_STAGE_COMMIT: return good ? ANNI_STAGE_VERIFY : ANNI_STAGE_ABANDON;
    case ANNI_STAGE_VERIFY: return good ? ANNI_STAGE_RETAIN : ANNI_STAGE_WITHDRAW;
    case ANNI_STAGE_WITHDRAW: return ANNI_STAGE_ABANDON;
    case ANNI_STAGE_RETAIN:
    case ANNI_STAGE_ABANDON:
    case ANNI_STAGE_IDLE: break;
    }
    return ANNI_STAGE_IDLE;
}

static bool is_of_comm(ann_status status) { return status == ANN_ERR_TIMEOUT || status == ANN_ERR_COMM; }

/* All threads are done: their outcome, and the next stage. */
static ann_status advance(ann_comm *comm, ann_ckpt_writer *w) {
    const ann_status status = ann_agree(comm, anni_worker_join(&w->worker));
    if (is_of_comm(status)) return status;
    if (status != ANN_OK && w->report.status == ANN_OK) {
        w->report.status = status;
        (void)snprintf(w->text, sizeof w->text, "%s", ann_error_text());
    }
    if (w->stage == ANNI_STAGE_SHARDS && status == ANN_OK) ANN_TRY(exchange(comm, w));
    const double since_s = 1e-9 * (double)(ann_clock_ns() - w->begun_ns);
    if (w->stage == ANNI_STAGE_COMMIT && status == ANN_OK) w->report.commit_s = since_s;
    enter(w, next_stage(w->stage, status));
    if (w->stage == ANNI_STAGE_IDLE) w->report.write_s = since_s;
    return ANN_OK;
}

ann_status ann_ckpt_writer_poll(ann_comm *comm, ann_ckpt_writer *writer, bool *busy) {
    *busy = writer->stage != ANNI_STAGE_IDLE;
    if (!*busy) return ANN_OK;
    int64_t working = !anni_worker_done(&writer->worker);
    ANN_TRY(ann_comm_allreduce(comm, &working, 1, ANN_I64));
    if (working > 0) return ANN_OK;
    ANN_TRY(advance(comm, writer));
    *busy = writer->stage != ANNI_STAGE_IDLE;
    if (*busy || writer->report.status != ANN_ERR_NUMERIC) return ANN_OK;
    return ann_error(ANN_ERR_NUMERIC, "%s", writer->text);
}

bool ann_ckpt_writer_busy(const ann_ckpt_writer *writer) { return writer->stage != ANNI_STAGE_IDLE; }

ann_status ann_ckpt_writer_wait(ann_comm *comm, ann_ckpt_writer *writer) {
    for (bool busy = true; busy;) {
        anni_worker_wait(&writer->worker, WAIT_NS);
        ANN_TRY(ann_ckpt_writer_poll(comm, writer, &busy));
    }
    return writer->report.status == ANN_OK ? ANN_OK : ann_error(writer->report.status, "%s", writer->text);
}

ann_ckpt_report ann_ckpt_writer_report(const ann_ckpt_writer *writer) { return writer->report; }

/* ---- begin and wait ---- */

ann_status ann_ckpt_write(ann_comm *comm, const char *dir, int64_t step, const ann_store *store,
                          const ann_meta *meta, int keep) {
    const ann_ckpt_options options = {.dir = dir, .keep = {.last = keep}};
    ann_ckpt_writer *writer;
    ANN_TRY(ann_ckpt_writer_new(comm, &writer, store, &options));
    ann_status status = ann_ckpt_writer_begin(comm, writer, step, meta);
    if (status == ANN_OK) status = ann_ckpt_writer_wait(comm, writer);
    ann_ckpt_writer_free(writer);
    return status;
}
