/* One stage: its store, its two plans (whole batches, and the smaller ones at ends), its loop. */
#include "train/desync.h"
#include "train/nonfinite.h"
#include "train/saver.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

typedef struct stage {
    anni_phase *phase;
    const ann_stage_config *config;
    anni_cursor *cursor;
    ann_store *store;
    ann_schedule schedule;
    int64_t first, end; /* positions */
    int64_t tail;       /* samples of the smaller batches; 0: there are none */
    anni_step main_step, tail_step;
    anni_scalars scalars;
    ann_loader *loader;
    ann_ledger ledger; /* this rank's, since the last one that was summed up */
    anni_progress progress;
    anni_saver saver;
    int64_t checked_step; /* all ranks were found to hold the same; -1: not yet */
    ann_status pending;   /* a failure of this rank that the others do not know of yet */
} stage;

void anni_stage_range(const anni_phase *phase, int index, int64_t *first, int64_t *end) {
    *end = 0;
    for (int i = 0; i <= index; i++) {
        const ann_stage_config *config = &phase->config->program[i];
        *first = *end;
        *end = config->epochs > 0 ? *first + config->epochs * ann_order_length(phase->order)
                                  : ann_order_after(phase->order, *first, config->steps);
    }
}

/* ---- before the loop ---- */

/* What this rank runs for a global batch of n: one stand-in if its share is empty, which counts for nothing.
 */
static anni_extent extent_of(const anni_run *run, int64_t n, double *scale) {
    int64_t first, count;
    ann_data_shard(&first, &count, 0, n, run->rank, run->size);
    *scale = count > 0 ? 1.0 / (double)n : 0;
    return (anni_extent){count > 0 ? count : 1, n};
}

static ann_status restore_store(const stage *s, const char *path) {
    ann_ckpt *ckpt;
    ANN_TRY(ann_ckpt_peek(&ckpt, path));
    const ann_status status = ann_ckpt_restore(ckpt, s->store);
    ann_ckpt_close(ckpt);
    return status;
}

static ann_status take_over(const stage *s, const ann_store *before) {
    const anni_phase *phase = s->phase;
    if (before) return anni_map_stage(s->store, before);
    return phase->config->load_from || phase->config->load_file ? anni_map_load(s->store, phase) : ANN_OK;
}

/* The values that training starts with. A checkpoint that turns out to be damaged ends the stage on all
   ranks, before any of them has trained from it. Collective. */
static ann_status fill_store(const stage *s, const ann_store *before, const char *restore) {
    ann_comm *comm = s->phase->run->comm;
    if (!restore) return ann_agree(comm, take_over(s, before));
    const ann_status status = ann_agree(comm, restore_store(s, restore));
    s->phase->bad_checkpoint = anni_checkpoint_is_bad(s->phase, restore, status);
    return status;
}

static ann_status bind_scalars(anni_step *step, const anni_scalars *scalars, const double *scale) {
    const struct {
        const char *input;
        const double *data;
    } inputs[] = {{"lr", &scalars->lr},
                  {"step", &scalars->step},
                  {"batch_scale", scale},
                  {"loss_scale", &scalars->loss_scale},
                  {"loss_unscale", &scalars->loss_unscale}};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        if (ann_plan_has_input(step->plan, inputs[i].input))
            ANN_TRY(ann_plan_bind(step->plan, inputs[i].input, inputs[i].data));
    return anni_step_bind(step, NULL);
}

/* Both graphs declare tensors, so both come before the store's commit, and the plans after it. */
static ann_status build_plans(stage *s, ann_graph *graphs[2]) {
    const anni_phase *phase = s->phase;
    const int index = s->cursor->stage;
    const anni_extent whole = extent_of(phase->run, phase->config->batch, &s->scalars.main_scale);
    ANN_TRY(anni_train_graph(&graphs[0], s->store, phase, index, whole));
    if (s->tail > 0) {
        const anni_extent cut = extent_of(phase->run, s->tail, &s->scalars.tail_scale);
        ANN_TRY(anni_train_graph(&graphs[1], s->store, phase, index, cut));
    }
    ANN_TRY(ann_store_commit(s->store));
    ANN_TRY(anni_step_new(&s->main_step, phase, graphs[0], true));
    ANN_TRY(bind_scalars(&s->main_step, &s->scalars, &s->scalars.main_scale));
    if (s->tail == 0) return ANN_OK;
    ANN_TRY(anni_step_new(&s->tail_step, phase, graphs[1], true));
    return bind_scalars(&s->tail_step, &s->scalars, &s->scalars.tail_scale);
}

static ann_status start_loader(stage *s) {
    const anni_run *run = s->phase->run;
    const ann_loader_options options = {.dataset = s->phase->train,
                                        .order = s->phase->order,
                                        .rank = run->rank,
                                        .size = run->size,
                                        .first_position = s->cursor->position,
                                        .end_position = s->end,
                                        .max_threads = run->threads,
                                        .augment = s->phase->augment};
    return s->cursor->position < s->end ? ann_loader_new(&s->loader, &options) : ANN_OK;
}

static ann_status prepare(stage *s) {
    ann_graph *graphs[2] = {NULL, NULL};
    ANN_TRY(ann_store_new(&s->store, s->phase->run->config->seed));
    ann_status status = build_plans(s, graphs);
    ann_graph_free(graphs[0]);
    ann_graph_free(graphs[1]);
    if (status == ANN_OK) status = start_loader(s);
    return status;
}

enum { SAME_WORDS = 5 };

static ann_status compare_ranks(const anni_phase *phase, const uint64_t (*words)[SAME_WORDS]) {
    static const char *const what[SAME_WORDS] = {"plan", "plan of the last batch", "dataset", "configuration",
                                                 "position"};
    for (int r = 1; r < phase->run->size; r++)
        for (int i = 0; i < SAME_WORDS; i++)
            if (words[r][i] != words[0][i])
                return ann_error(ANN_ERR_CONFIG, "phase %s: rank %d has another %s than rank 0",
                                 phase->config->name, r, what[i]);
    return ANN_OK;
}

/* The ranks must be about to do the same: the same collectives, over the same data, under the same
 * configuration. */
static ann_status check_same(const stage *s) {
    const anni_phase *phase = s->phase;
    ann_comm *comm = phase->run->comm;
    const uint64_t mine[SAME_WORDS] = {s->main_step.comm_hash, s->tail_step.comm_hash,
                                       ann_dataset_checksum(phase->train), ann_hash_str(phase->facts),
                                       (uint64_t)s->cursor->position};
    uint64_t(*all)[SAME_WORDS] = calloc((size_t)phase->run->size, sizeof *all);
    ann_status status =
        ann_agree(comm, all ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory to compare ranks"));
    if (status == ANN_OK) status = ann_comm_allgather(comm, all, mine, sizeof mine);
    if (status == ANN_OK && all) status = compare_ranks(phase, (const uint64_t(*)[SAME_WORDS])all);
    free(all);
    return status;
}

/* ---- the loop ---- */

static void move_on(stage *s, const ann_batch *batch, int64_t n) {
    if (batch) ann_ledger_add_batch(&s->ledger, batch);
    s->cursor->position += n;
    s->cursor->step++;
    s->cursor->stage_step++;
}

/* The batch counts as used, and nothing is learnt from it. Collective. */
static ann_status pass_over(stage *s, const ann_batch *batch, int64_t n) {
    move_on(s, batch, n);
    return anni_nonfinite_tell(s->phase, s->cursor);
}

/* Ends training where ranks hold different values. Collective. */
static ann_status check_ranks(stage *s) {
    const anni_phase *phase = s->phase;
    const anni_desync at = {.phase = phase->config->name,
                            .step = s->cursor->step,
                            .last_good = s->checked_step,
                            .differs = "error/*", /* what compression of this rank's gradients has left out */
                            .scratch = phase->run->hashes};
    if (phase->run->config->comm_check_every == 0 || s->checked_step == s->cursor->step) return ANN_OK;
    ANN_TRY(anni_desync_check(phase->run->comm, s->store, &at));
    s->checked_step = s->cursor->step;
    return ANN_OK;
}

/* One step of all ranks. A rank that has failed takes part as failed, so that all return an error together.
 */
static ann_status run_step(stage *s, anni_step *step, int64_t n) {
    anni_cursor *cursor = s->cursor;
    const ann_batch *batch = NULL;
    if (s->pending == ANN_OK) s->pending = ann_loader_next(s->loader, &batch);
    if (s->pending == ANN_OK && (!batch || batch->global_count != n))
        s->pending =
            ann_error(ANN_ERR_INTERNAL, "the loader is not at position %lld", (long long)cursor->position);
    if (s->pending == ANN_OK) s->pending = anni_step_bind(step, batch);
    cursor->lr = ann_schedule_lr(&s->schedule, cursor->stage_step);
    s->scalars.lr = cursor->lr;
    s->scalars.step = (double)(cursor->stage_step + 1 - cursor->skips);
    s->scalars.loss_scale = cursor->loss_scale;
    s->scalars.loss_unscale = 1 / cursor->loss_scale;
    if (anni_nonfinite_passes_over(s->phase, cursor)) return pass_over(s, batch, n);
    const ann_status status = ann_plan_run(step->plan, s->pending);
    if (status != ANN_OK || !batch) {
        const ann_status all = ann_agree(s->phase->run->comm, status == ANN_ERR_PEER ? ANN_OK : status);
        if (all != ANN_ERR_NUMERIC || !anni_nonfinite_is_handled(s->phase))
            return all != ANN_OK ? all : status;
        ANN_TRY(anni_nonfinite_failed(s->phase, cursor));
        return pass_over(s, batch, n);
    }
    move_on(s, batch, n);
    anni_nonfinite_good(s->phase, cursor);
    const bool finite = batch->count == 0 || isfinite(*step->loss_sum);
    if (finite || !anni_nonfinite_is_handled(s->phase)) anni_step_add(&s->progress.sums, step, batch->count);
    if (!finite && anni_nonfinite_is_handled(s->phase))
        ann_log_line(ANN_LOG_WARN,
                     "phase %s, step %lld: the loss is %g and does not count, the gradient is finite",
                     s->phase->config->name, (long long)cursor->step, (double)*step->loss_sum);
    if (!finite && !anni_nonfinite_is_handled(s->phase))
        s->pending = ann_error(ANN_ERR_NUMERIC, "phase %s, step %lld: the loss is %g", s->phase->config->name,
                               (long long)cursor->step, (double)*step->loss_sum);
    return ANN_OK;
}

/* Sums over ranks what was used since the last time; it must be just the positions in between. Collective. */
static ann_status settle_ledger(stage *s) {
    anni_cursor *cursor = s->cursor;
    const int64_t first = (int64_t)cursor->ledger.count;
    const anni_run *run = s->phase->run;
    int64_t share, count; /* of what is expected: each rank recomputes a part */
    ann_data_shard(&share, &count, first, cursor->position - first, run->rank, run->size);
    const ann_ledger part = ann_ledger_expected(s->phase->order, share, share + count);
    int64_t words[4] = {(int64_t)s->ledger.sum, (int64_t)s->ledger.count, (int64_t)part.sum,
                        (int64_t)part.count};
    ANN_TRY(ann_comm_allreduce(run->comm, words, 4, ANN_I64));
    s->ledger = (ann_ledger){0, 0};
    if (words[0] != words[2] || words[1] != words[3])
        return ann_error(
            ANN_ERR_CORRUPT, "phase %s: of positions %lld to %lld, %lld samples were used and not each once",
            s->phase->config->name, (long long)first, (long long)cursor->position, (long long)words[1]);
    cursor->ledger.sum += (uint64_t)words[2];
    cursor->ledger.count += (uint64_t)words[3];
    return ANN_OK;
}

static ann_status checkpoint(stage *s, anni_want want) {
    const anni_phase *phase = s->phase;
    const int64_t start = ann_clock_ns();
    ANN_TRY(ann_agree(phase->run->comm, s->pending));
    ANN_TRY(settle_ledger(s));
    ANN_TRY(check_ranks(s));
    if (anni_saver_needs_test(phase->run)) ANN_TRY(anni_evaluate_and_say(s->phase, s->cursor, s->store));
    s->cursor->elapsed_s = anni_progress_elapsed_s(&s->progress);
    ANN_TRY(anni_saver_save(&s->saver, want, s->cursor, start));
    if (want != ANNI_WANT_STOP) return ANN_OK;
    return ann_error(ANN_ERR_STOP, "stopped on request in phase %s at step %lld; a checkpoint was written",
                     phase->config->name, (long long)s->cursor->step);
}

static ann_status after_step(stage *s) {
    const anni_cursor *cursor = s->cursor;
    const bool last = cursor->position == s->end;
    anni_want want;
    const int64_t check_every = s->phase->run->config->comm_check_every;
    if (check_every > 0 && (last || cursor->step % check_every == 0)) ANN_TRY(check_ranks(s));
    s->progress.wait_ns = ann_loader_wait_ns(s->loader);
    if (last || cursor->step % s->phase->run->config->log_every_steps == 0) {
        ANN_TRY(ann_agree(s->phase->run->comm, s->pending));
        ANN_TRY(anni_progress_line(&s->progress, s->cursor));
    }
    if (last && cursor->stage == s->phase->config->stage_count - 1)
        return ANN_OK; /* the final one comes soon */
    ANN_TRY(anni_saver_poll(&s->saver, &want, cursor));
    return want == ANNI_WANT_NOTHING ? ANN_OK : checkpoint(s, want);
}

static ann_status loop(stage *s) {
    anni_cursor *cursor = s->cursor;
    while (cursor->position < s->end) {
        const int64_t n = ann_order_batch(s->phase->order, cursor->position, s->end);
        ANN_TRY(run_step(s, n == s->phase->config->batch ? &s->main_step : &s->tail_step, n));
        ANN_TRY(after_step(s));
    }
    ANN_TRY(settle_ledger(s));
    cursor->elapsed_s = anni_progress_elapsed_s(&s->progress);
    return ANN_OK;
}

static ann_status tell_rollback(anni_phase *phase, const anni_cursor *cursor) {
    if (!phase->tells_rollback) return ANN_OK;
    phase->tells_rollback = false;
    return ann_agree(phase->run->comm,
                     anni_metrics_event(phase->run, phase, cursor, "rollback", "a gradient is not finite"));
}

ann_status anni_stage_run(anni_phase *phase, anni_cursor *cursor, ann_store **store, const char *restore) {
    stage s = {.phase = phase,
               .cursor = cursor,
               .config = &phase->config->program[cursor->stage],
               .checked_step = -1};
    if (cursor->stage_step == 0) cursor->skips = 0;
    anni_stage_range(phase, cursor->stage, &s.first, &s.end);
    s.tail = ann_order_small_batch(phase->order, s.first, s.end);
    s.schedule = s.config->schedule;
    s.schedule.total_steps = ann_order_steps(phase->order, s.first, s.end);
    ann_status status = ann_agree(phase->run->comm, prepare(&s));
    if (status == ANN_OK) status = fill_store(&s, *store, restore);
    if (status == ANN_OK) status = check_same(&s);
    if (status == ANN_OK) status = ann_agree(phase->run->comm, anni_metrics_cut(phase->run));
    if (status == ANN_OK) status = tell_rollback(phase, cursor);
    anni_progress_begin(&s.progress, phase, cursor);
    if (status == ANN_OK) status = anni_saver_begin(&s.saver, phase, cursor, s.store);
    ann_comm_watch(phase->run->comm, phase->config->name, &cursor->step);
    if (status == ANN_OK) status = loop(&s);
    status = anni_saver_end(&s.saver, status);
    ann_comm_watch(phase->run->comm, NULL, NULL);
    anni_saver_fini(&s.saver);
    ann_loader_free(s.loader);
    anni_step_free(&s.main_step);
    anni_step_free(&s.tail_step);
    ann_store_free(*store);
    *store = s.store;
    return status;
}
