/* One stage: its store, its plans (of whole batches, and of the smaller ones at ends), its loop. */
#include "train/desync.h"
#include "train/nonfinite.h"
#include "train/saver.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/hash.h"

/* What differs between ranks by right: what compression of gradients has left out, the sums of micro-batches,
   and, where ranks train apart or share them out, moments. */
#define RESIDUALS ANNI_SUMMED_BLOCKS ",sum*"
#define APART RESIDUALS ",m/*,v/*,momentum/*"

typedef struct stage {
    anni_phase *phase;
    const ann_stage_config *config;
    anni_cursor *cursor;
    ann_store *store;
    ann_schedule schedule;
    int64_t first, end; /* positions */
    int64_t total;      /* of the phase */
    int64_t tail;       /* samples of the smaller batches; 0: there are none */
    anni_micro whole[ANN_METHOD_STEPS], cut[ANN_METHOD_STEPS]; /* each kind of step, of these sizes */
    int kinds;
    anni_outer outer;
    anni_scattered scattered;
    void *shared; /* memory of their messages, of which one is under way at a time */
    anni_scalars scalars;
    ann_loader *loader;
    ann_ledger ledger; /* this rank's, since the last one that was summed up */
    anni_progress progress;
    anni_saver saver;
    anni_steer steer;
    bool judge;           /* an evaluation for the stop rule is due */
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

static ann_status restore_store(const stage *s, const char *path) {
    ann_ckpt *ckpt;
    int64_t ranks = 0; /* that wrote it, all with the same values */
    const int size = s->phase->run->size;
    ANN_TRY(ann_ckpt_peek(&ckpt, path));
    ann_status status = ann_meta_get_i64(ann_ckpt_meta(ckpt), "ranks", &ranks);
    if (status == ANN_OK) status = ann_ckpt_restore(ckpt, s->store);
    ann_ckpt_close(ckpt);
    if (status == ANN_OK && ranks != size)
        anni_scale(s->store, ANNI_SUMMED_BLOCKS, (double)ranks / (double)size);
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
    if (!restore) {
        ANN_TRY(ann_agree(comm, take_over(s, before)));
        anni_outer_drop_anchor(s->store);
        if (before) anni_best_map(s->store, before);
        else anni_teacher_start(s->store);
        return ANN_OK;
    }
    const ann_status status = ann_agree(comm, restore_store(s, restore));
    s->phase->bad_checkpoint = anni_checkpoint_is_bad(s->phase, restore, status);
    return status;
}

/* A method may train without blocks that the model has. */
static ann_status declare_model(const stage *s) {
    ann_graph *graph;
    const anni_phase *phase = s->phase;
    if (phase->config->method.kind == ANN_METHOD_NONE || !anni_method_is_tested(phase->config)) return ANN_OK;
    ANN_TRY(anni_eval_graph(&graph, s->store, phase, s->cursor->stage, 1));
    ann_graph_free(graph);
    return ANN_OK;
}

/* Every graph declares tensors, so all of them come before the store's commit. */
static ann_status make_graphs(stage *s, size_t *shared_bytes) {
    const anni_phase *phase = s->phase;
    const int index = s->cursor->stage;
    ANN_TRY(ann_store_new(&s->store, phase->run->config->seed));
    for (int k = 0; k < s->kinds; k++) {
        ANN_TRY(anni_micro_declare(&s->whole[k], s->store, phase, index, phase->config->batch, k));
        if (s->tail > 0) ANN_TRY(anni_micro_declare(&s->cut[k], s->store, phase, index, s->tail, k));
        s->whole[k].scattered = s->cut[k].scattered = &s->scattered;
    }
    ANN_TRY(declare_model(s));
    ANN_TRY(anni_outer_declare(&s->outer, s->store, phase, s->whole[0].graphs[0]));
    ANN_TRY(anni_best_declare(s->store, phase));
    ANN_TRY(anni_table_declare(s->store, phase));
    ANN_TRY(ann_store_commit(s->store));
    for (int k = 0; k < s->kinds; k++) {
        ANN_TRY(anni_micro_lower(&s->whole[k], phase, shared_bytes));
        ANN_TRY(anni_micro_lower(&s->cut[k], phase, shared_bytes));
    }
    if (s->scattered.incomplete) return ann_error(ANN_ERR_MEMORY, "no memory for the list of ranges");
    return anni_outer_lower(&s->outer, phase, shared_bytes);
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
                                        .augment = s->phase->augment,
                                        .views = anni_method_has_two_views(s->phase->config) ? 2 : 1};
    return s->cursor->position < s->end ? ann_loader_new(&s->loader, &options) : ANN_OK;
}

static ann_status make_plans(stage *s) {
    const anni_use use = {.training = true, .shared = s->shared};
    for (int k = 0; k < s->kinds; k++) {
        ANN_TRY(anni_micro_plan(&s->whole[k], s->phase, &s->scalars, use));
        ANN_TRY(anni_micro_plan(&s->cut[k], s->phase, &s->scalars, use));
    }
    ANN_TRY(anni_outer_plan(&s->outer, s->phase, s->shared));
    return start_loader(s);
}

/* Collective. */
static ann_status prepare(stage *s) {
    const anni_run *run = s->phase->run;
    size_t shared_bytes = 0;
    ANN_TRY(ann_agree(run->comm, make_graphs(s, &shared_bytes)));
    if (run->size > 1) ANN_TRY(ann_comm_alloc(run->comm, &s->shared, shared_bytes));
    if (s->phase->config->reduction.order == ANN_REDUCTION_INVARIANT)
        ANN_TRY(ann_comm_set_sum_order(run->comm, ANN_SUM_ORDER_TREE));
    return ann_agree(run->comm, make_plans(s));
}

/* Collective. */
static void finish(stage *s) {
    ann_comm *comm = s->phase->run->comm;
    ann_loader_free(s->loader);
    for (int k = 0; k < s->kinds; k++) {
        anni_micro_free(&s->whole[k]);
        anni_micro_free(&s->cut[k]);
    }
    anni_outer_free(&s->outer);
    anni_scattered_fini(&s->scattered);
    if (s->shared) ann_comm_release(comm, s->shared);
    const ann_status restored = ann_comm_set_sum_order(comm, ANN_SUM_ORDER_ANY);
    (void)restored; /* any number of ranks can sum in any order */
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

static uint64_t comm_hash(const anni_micro *micro, int kinds) {
    uint64_t hash = micro[0].comm_hash;
    for (int k = 1; k < kinds; k++) hash = ann_hash(&micro[k].comm_hash, sizeof micro[k].comm_hash, hash);
    return hash;
}

/* The ranks must be about to do the same: the same collectives, over the same data, under the same
 * configuration. */
static ann_status check_same(const stage *s) {
    const anni_phase *phase = s->phase;
    ann_comm *comm = phase->run->comm;
    const uint64_t mine[SAME_WORDS] = {comm_hash(s->whole, s->kinds), comm_hash(s->cut, s->kinds),
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

static void move_on(anni_cursor *cursor, int64_t n) {
    cursor->position += n;
    cursor->step++;
    cursor->stage_step++;
}

/* The batch counts as used, and nothing is learnt from it. Collective. */
static ann_status pass_over(stage *s, int64_t n) {
    move_on(s->cursor, n);
    return anni_nonfinite_tell(s->phase, s->cursor);
}

/* Ends training where ranks hold different values. Parameters whose update is shared out have one owner each
   and are gathered first: of them, what is found is damage on the way. Collective. */
static ann_status check_ranks(stage *s) {
    const anni_phase *phase = s->phase;
    const bool moments = phase->config->sync.every > 0 || phase->run->config->comm_zero;
    const anni_desync at = {.phase = phase->config->name,
                            .step = s->cursor->step,
                            .last_good = s->checked_step,
                            .differs = moments ? APART : RESIDUALS,
                            .scratch = phase->run->hashes};
    if (phase->run->config->comm_check_every == 0 || s->checked_step == s->cursor->step) return ANN_OK;
    ANN_TRY(anni_gather_params(phase->run->comm, s->store, &s->scattered));
    ANN_TRY(anni_desync_check(phase->run->comm, s->store, &at));
    s->checked_step = s->cursor->step;
    return ANN_OK;
}

/* What becomes of a step that failed here or elsewhere: every rank returns an error, with a failing rank's
 * text. */
static ann_status failed(const stage *s, ann_status status) {
    ANN_TRY(ann_agree(s->phase->run->comm, status == ANN_ERR_PEER ? ANN_OK : status));
    return status;
}

/* Every kind of step, repeated as the method wants it. What the first one computed counts. */
static ann_status run_kinds(stage *s, anni_micro *micro, const ann_batch *batch, anni_sums *first) {
    anni_sums others = {0};
    const double before = s->scalars.step - 1;
    for (int k = 0; k < s->kinds; k++) {
        const int repeats = anni_method_repeats(s->phase->config, k);
        for (int i = 0; i < repeats; i++) {
            s->scalars.step = before * repeats + i + 1;
            ANN_TRY(anni_micro_run(&micro[k], batch, s->pending, k + i == 0 ? first : &others));
        }
    }
    return ANN_OK;
}

/* This rank's part of a step, as far as it can; ranks that train apart learn of a failure when they meet. */
static ann_status run_part(stage *s, anni_micro *micro, const ann_batch *batch) {
    const anni_cursor *cursor = s->cursor;
    anni_sums sums = {0};
    const ann_status status = run_kinds(s, micro, batch, &sums);
    if (status != ANN_OK || !batch) return status;
    const bool finite = isfinite(sums.loss), handled = anni_nonfinite_is_handled(s->phase);
    if (finite || !handled) {
        s->progress.sums.loss += sums.loss;
        s->progress.sums.count += sums.count;
        s->progress.sums.correct += sums.correct;
        s->progress.sums.labelled += sums.labelled;
    }
    if (!finite && !handled)
        s->pending = ann_error(ANN_ERR_NUMERIC, "phase %s, step %lld: the loss is %g", s->phase->config->name,
                               (long long)cursor->step + 1, sums.loss);
    return ANN_OK;
}

static const ann_batch *next_batch(stage *s, int64_t n) {
    const ann_batch *batch = NULL;
    if (s->pending == ANN_OK) s->pending = ann_loader_next(s->loader, &batch);
    if (s->pending == ANN_OK && (!batch || batch->global_count != n))
        s->pending =
            ann_error(ANN_ERR_INTERNAL, "the loader is not at position %lld", (long long)s->cursor->position);
    if (batch) ann_ledger_add_batch(&s->ledger, batch);
    return batch;
}

static void set_scalars(stage *s) {
    anni_cursor *cursor = s->cursor;
    cursor->lr = cursor->lr_factor * ann_schedule_lr(&s->schedule, cursor->stage_step);
    s->scalars.lr = cursor->lr;
    s->scalars.step = (double)(cursor->stage_step + 1 - cursor->skips);
    s->scalars.loss_scale = cursor->loss_scale;
    s->scalars.loss_unscale = 1 / cursor->loss_scale;
    s->scalars.progress = (double)cursor->position / (double)s->total;
    s->scalars.cosine = cos(acos(-1) * s->scalars.progress);
}

/* A step in which all ranks have failed together. */
static ann_status fail_together(stage *s, ann_status status, int64_t n) {
    const ann_status all = failed(s, status);
    if (all != ANN_ERR_NUMERIC || !anni_nonfinite_is_handled(s->phase)) return all;
    ANN_TRY(anni_nonfinite_failed(s->phase, s->cursor));
    return pass_over(s, n);
}

/* One step of all ranks. A rank that has failed takes part as failed, so that all return an error together.
 */
static ann_status run_step(stage *s, anni_micro *micro, int64_t n) {
    const ann_batch *batch = next_batch(s, n);
    set_scalars(s);
    if (anni_nonfinite_passes_over(s->phase, s->cursor)) return pass_over(s, n);
    const ann_status status = run_part(s, micro, batch);
    if (status != ANN_OK && !s->outer.plan) return fail_together(s, status, n);
    if (s->pending == ANN_OK) s->pending = status;
    anni_nonfinite_good(s->phase, s->cursor);
    move_on(s->cursor, n);
    return ANN_OK;
}

/* Ranks that train apart meet every so many steps, and at the end. *met: this was such a step, or they are
   never apart. */
static ann_status meet(stage *s, bool *met) {
    const anni_cursor *cursor = s->cursor;
    *met = true;
    if (!s->outer.plan) return ANN_OK;
    *met = cursor->position == s->end || cursor->stage_step % s->phase->config->sync.every == 0;
    const ann_status status = *met ? ann_plan_run(s->outer.plan, s->pending) : ANN_OK;
    return status == ANN_OK ? ANN_OK : failed(s, status);
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
    if (s->outer.plan) ANN_TRY(anni_outer_fold(phase->run->comm, s->store));
    ANN_TRY(anni_gather(phase->run->comm, s->store, &s->scattered));
    ANN_TRY(settle_ledger(s));
    ANN_TRY(anni_fold(phase->run->comm, s->store, ANNI_SUMMED_BLOCKS));
    ANN_TRY(check_ranks(s));
    if (anni_saver_needs_test(phase->run) && s->cursor->stop.evaluated != s->cursor->step)
        ANN_TRY(anni_evaluate_and_say(s->phase, s->cursor, s->store));
    s->cursor->elapsed_s = anni_progress_elapsed_s(&s->progress);
    ANN_TRY(anni_saver_save(&s->saver, want, s->cursor, start));
    anni_forget(phase->run->comm, s->store, &s->scattered);
    if (want != ANNI_WANT_STOP) return ANN_OK;
    return ann_error(ANN_ERR_STOP, "stopped %s phase %s at step %lld; a checkpoint was written",
                     s->saver.at_deadline ? "because the job ends soon, in" : "on request in",
                     phase->config->name, (long long)s->cursor->step);
}

static int64_t log_every(const stage *s) {
    return s->cursor->log_every > 0 ? s->cursor->log_every : s->phase->run->config->log_every_steps;
}

/* What is due or asked for; a pause lasts until something else is. Collective. */
static ann_status heed(stage *s) {
    do {
        anni_want want;
        ANN_TRY(anni_saver_poll(&s->saver, &want, &s->steer, s->cursor));
        if (want == ANNI_WANT_END) s->cursor->stop.reason = ANNI_STOP_WALL_TIME;
        else if (want != ANNI_WANT_NOTHING) ANN_TRY(checkpoint(s, want));
    } while (s->steer.paused && s->cursor->stop.reason == ANNI_STOP_NOT_YET);
    return ANN_OK;
}

/* The evaluation that the stop rule asks for: the one at the end of the stage is the phase's. Collective. */
static ann_status judge(stage *s) {
    const anni_phase *phase = s->phase;
    if (!s->judge || s->cursor->position == s->end) return ANN_OK;
    s->judge = false;
    ANN_TRY(ann_agree(phase->run->comm, s->pending));
    ANN_TRY(anni_gather_params(phase->run->comm, s->store, &s->scattered));
    return anni_evaluate_for_stop(s->phase, s->cursor, s->store);
}

/* The progress line. Collective. */
static ann_status tell(stage *s) {
    ANN_TRY(ann_agree(s->phase->run->comm, s->pending));
    return anni_progress_line(&s->progress, s->cursor);
}

static ann_status after_step(stage *s) {
    anni_cursor *cursor = s->cursor;
    const bool last = cursor->position == s->end;
    bool met;
    const int64_t check_every = s->phase->run->config->comm_check_every;
    ANN_TRY(meet(s, &met));
    if (check_every > 0 && met && (last || cursor->step - s->checked_step >= check_every))
        ANN_TRY(check_ranks(s));
    if (met) ANN_TRY(judge(s));
    s->progress.wait_ns = ann_loader_wait_ns(s->loader);
    if (last || cursor->step % log_every(s) == 0) ANN_TRY(tell(s));
    if (cursor->stop.reason != ANNI_STOP_NOT_YET ||
        (last && cursor->stage == s->phase->config->stage_count - 1))
        return ANN_OK; /* the final one comes soon */
    anni_steer_repeat(&s->steer, s->cursor);
    if (met) return heed(s);
    anni_saver_pass(&s->saver, cursor);
    return ANN_OK;
}

static ann_status loop(stage *s) {
    anni_cursor *cursor = s->cursor;
    const ann_stop_config *rule = &s->phase->config->stop;
    const int64_t epoch = ann_order_length(s->phase->order);
    while (cursor->position < s->end && cursor->stop.reason == ANNI_STOP_NOT_YET) {
        const int64_t before = cursor->position;
        const int64_t n = ann_order_batch(s->phase->order, cursor->position, s->end);
        ANN_TRY(anni_table_refresh(s->store, s->phase, cursor));
        ANN_TRY(run_step(s, n == s->phase->config->batch ? s->whole : s->cut, n));
        if (anni_stop_due(rule, cursor->step, before, cursor->position, epoch)) s->judge = true;
        ANN_TRY(after_step(s));
    }
    if (cursor->step > s->progress.last_step) ANN_TRY(tell(s));
    ANN_TRY(settle_ledger(s));
    if (s->outer.plan) ANN_TRY(anni_outer_fold(s->phase->run->comm, s->store));
    ANN_TRY(anni_gather(s->phase->run->comm, s->store, &s->scattered));
    ANN_TRY(anni_fold(s->phase->run->comm, s->store, ANNI_SUMMED_BLOCKS)); /* for the final checkpoint */
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
               .kinds = anni_method_steps(phase->config),
               .checked_step = -1};
    if (cursor->stage_step == 0) cursor->skips = 0;
    anni_stage_range(phase, phase->config->stage_count - 1, &s.first, &s.total);
    anni_stage_range(phase, cursor->stage, &s.first, &s.end);
    s.tail = ann_order_small_batch(phase->order, s.first, s.end);
    s.schedule = s.config->schedule;
    s.schedule.total_steps = ann_order_steps(phase->order, s.first, s.end);
    ann_status status = prepare(&s);
    if (status == ANN_OK) status = fill_store(&s, *store, restore);
    if (status == ANN_OK) status = check_same(&s);
    if (status == ANN_OK) anni_forget(phase->run->comm, s.store, &s.scattered);
    if (status == ANN_OK) status = ann_agree(phase->run->comm, anni_metrics_begin(phase));
    if (status == ANN_OK) status = tell_rollback(phase, cursor);
    if (status == ANN_OK && !restore)
        anni_tuning_say(phase, cursor->stage, s.outer.plan ? s.outer.plan : s.whole[0].steps[0].plan);
    anni_progress_begin(&s.progress, phase, cursor);
    if (status == ANN_OK) status = anni_saver_begin(&s.saver, phase, cursor, s.store);
    if (status == ANN_OK) status = anni_steer_begin(&s.steer, phase, cursor);
    ann_comm_watch(phase->run->comm, phase->config->name, &cursor->step);
    if (status == ANN_OK) status = loop(&s);
    status = anni_saver_end(&s.saver, status);
    ann_comm_watch(phase->run->comm, NULL, NULL);
    anni_saver_fini(&s.saver);
    anni_steer_fini(&s.steer);
    finish(&s);
    ann_store_free(*store);
    *store = s.store;
    return status;
}
