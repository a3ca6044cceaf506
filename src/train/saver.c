#include "train/saver.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "train/deadline.h"

#define LOOK_NS ((int64_t)1000000000)

static bool is_of_comm(ann_status status) { return status == ANN_ERR_TIMEOUT || status == ANN_ERR_COMM; }
static double now_s(void) { return 1e-9 * (double)ann_clock_ns(); }
static int64_t epoch_of(const anni_phase *phase, const anni_cursor *cursor) {
    return cursor->position / ann_order_length(phase->order);
}

/* ---- the writer ---- */

/* The cursor's metrics under their keys in the metadata. */
static const char *best_key(ann_best best) {
    switch (best) {
    case ANN_BEST_NONE: break;
    case ANN_BEST_TEST_LOSS: return "test_loss";
    case ANN_BEST_TEST_ACCURACY: return "test_accuracy";
    case ANN_BEST_TRAIN_LOSS: return "train_loss";
    }
    return NULL;
}

bool anni_saver_needs_test(const anni_run *run) {
    const ann_best best = run->config->checkpoint.best;
    return best == ANN_BEST_TEST_LOSS || best == ANN_BEST_TEST_ACCURACY;
}

static ann_status sync_metrics(void *to) { return anni_metrics_sync(to); }

static ann_status make_writer(ann_ckpt_writer **out, anni_phase *phase, const ann_store *store) {
    const ann_checkpoint_config *c = &phase->run->config->checkpoint;
    const ann_ckpt_options options = {.dir = phase->dir,
                                      .writers = c->writers,
                                      .keep = {.last = c->keep,
                                               .every = c->keep_every,
                                               .best = best_key(c->best),
                                               .higher_is_better = c->best == ANN_BEST_TEST_ACCURACY},
                                      .finite = true,
                                      .before_commit = sync_metrics,
                                      .to = phase->run};
    return ann_ckpt_writer_new(phase->run->comm, out, store, &options);
}

static ann_status begin_writing(ann_ckpt_writer *writer, const anni_phase *phase, const anni_cursor *cursor) {
    ann_meta *meta = NULL;
    ann_status status = ann_agree(phase->run->comm, anni_cursor_meta(&meta, phase, cursor));
    if (status == ANN_OK) status = ann_ckpt_writer_begin(phase->run->comm, writer, cursor->step, meta);
    ann_meta_free(meta);
    return status;
}

static void tell_committed(const anni_phase *phase, int64_t step) {
    const ann_lead *lead = phase->run->options->lead;
    char path[ANNI_PATH_BYTES + 32];
    if (phase->run->rank != 0 || !lead || !lead->committed) return;
    (void)snprintf(path, sizeof path, "%s/step-%010lld", phase->dir, (long long)step);
    lead->committed(lead->self, phase->config->name, step, path);
}

static void note_time(anni_run *run, double seconds) { run->checkpoint_s = fmax(run->checkpoint_s, seconds); }

ann_status anni_saver_final(anni_phase *phase, const anni_cursor *cursor, const ann_store *store) {
    ann_ckpt_writer *writer;
    ANN_TRY(make_writer(&writer, phase, store));
    const double began_s = now_s();
    ann_status status = begin_writing(writer, phase, cursor);
    if (status == ANN_OK) status = ann_ckpt_writer_wait(phase->run->comm, writer);
    note_time(phase->run, now_s() - began_s);
    ann_ckpt_writer_free(writer);
    if (status == ANN_OK) tell_committed(phase, cursor->step);
    return status;
}

/* ---- telling ---- */

static void say_failure(const anni_saver *saver, int64_t step, const char *text) {
    if (saver->phase->run->rank != 0) return;
    ann_log_line(ANN_LOG_WARN,
                 "phase %s: no checkpoint of step %lld: %s; training goes on, the next one tries again",
                 saver->phase->config->name, (long long)step, text);
}

static void say_interval(anni_saver *saver) {
    const anni_cadence *c = &saver->cadence;
    const double interval_s = anni_cadence_interval_s(c);
    if (c->every.kind != ANN_CADENCE_AUTO || fabs(interval_s - saver->said_interval_s) < 0.25 * interval_s)
        return;
    saver->said_interval_s = interval_s;
    anni_say(saver->phase->run,
             "%s  a checkpoint every %.0f s: one holds training up for %.3f s and takes %.2f s to write, "
             "mean time "
             "between failures %g h",
             saver->phase->config->name, interval_s, c->cost_s, c->write_s, c->mtbf_s / 3600);
}

/* What was being written has come to its end. */
static void settle(anni_saver *saver) {
    const ann_ckpt_report report = ann_ckpt_writer_report(saver->writer);
    if (report.status != ANN_OK) {
        say_failure(saver, report.step, report.text);
        return;
    }
    tell_committed(saver->phase, report.step);
    anni_cadence_measured(&saver->cadence, saver->cost_s, report.write_s);
    note_time(saver->phase->run, saver->cost_s + report.write_s);
    say_interval(saver);
    if (saver->phase->run->rank == 0)
        ann_log_line(ANN_LOG_DEBUG,
                     "phase %s: checkpoint of step %lld: held training up for %.3f s, written in %.3f s",
                     saver->phase->config->name, (long long)report.step, saver->cost_s, report.write_s);
}

/* ---- the stage's life ---- */

ann_status anni_saver_begin(anni_saver *saver, anni_phase *phase, const anni_cursor *cursor,
                            const ann_store *store) {
    const ann_checkpoint_config *c = &phase->run->config->checkpoint;
    const double wall_time_s = phase->config->stop.wall_time_s;
    const bool timed = wall_time_s > 0; /* then the first step tells how often to look at the clock */
    *saver = (anni_saver){.phase = phase,
                          .store = store,
                          .next_poll = cursor->step + (timed ? 1 : anni_cadence_poll_steps(0)),
                          .over_s = timed ? now_s() + wall_time_s - cursor->elapsed_s : INFINITY,
                          .polled_step = cursor->step,
                          .said_skip_step = -1,
                          .polled_ns = ann_clock_ns()};
    anni_cadence_begin(&saver->cadence, &c->every, 3600 * c->mtbf_hours, epoch_of(phase, cursor), now_s());
    return c->every.kind == ANN_CADENCE_NEVER ? ANN_OK : make_writer(&saver->writer, phase, store);
}

static bool is_busy(const anni_saver *saver) { return saver->writer && ann_ckpt_writer_busy(saver->writer); }

static ann_status move_on(anni_saver *saver) {
    bool busy;
    if (!is_busy(saver)) return ANN_OK;
    ANN_TRY(ann_ckpt_writer_poll(saver->phase->run->comm, saver->writer, &busy));
    if (!busy) settle(saver);
    return ANN_OK;
}

static ann_status wait_for(anni_saver *saver) {
    if (!is_busy(saver)) return ANN_OK;
    const ann_status status = ann_ckpt_writer_wait(saver->phase->run->comm, saver->writer);
    if (is_of_comm(status) || status == ANN_ERR_NUMERIC) return status;
    settle(saver);
    return ANN_OK;
}

/* ---- what is wanted ---- */

enum { WORD_STOP, WORD_DEADLINE, WORD_SAVE, WORD_DUE, WORD_OVER, WORD_STEPS, WORD_CONTROLS, WORDS };
static const int64_t PAUSE_NS = 50 * 1000 * 1000;

/* What a checkpoint holds of it. */
static size_t bytes_of(const ann_store *store) {
    size_t bytes = 0;
    for (ann_block b = {0}; b.id < ann_store_block_count(store); b.id++)
        if (!ann_store_block_is_scratch(store, b))
            bytes +=
                (size_t)ann_store_block_elems(store, b) * ann_dtype_bytes(ann_store_block_dtype(store, b));
    return bytes;
}

/* Whether this poll is the last one from which a checkpoint is there before the job is ended. */
static bool is_last_chance(const anni_saver *saver, int64_t now_ns, double step_s) {
    const anni_run *run = saver->phase->run;
    const int64_t deadline_ns = run->options->deadline_ns;
    const anni_deadline_cost cost = {.measured_s = run->checkpoint_s, .bytes = bytes_of(saver->store)};
    const double poll_s =
        fmax(1e-9 * (double)(now_ns - saver->polled_ns), step_s * anni_cadence_poll_steps(step_s));
    return deadline_ns != 0 && anni_deadline_is_near(1e-9 * (double)(deadline_ns - now_ns), poll_s, &cost);
}

/* This rank's part, into words that are 0; only rank 0 looks at the clock and at files. */
static void collect(anni_saver *saver, double words[WORDS], anni_steer *steer, const anni_cursor *cursor) {
    const anni_run *run = saver->phase->run;
    const ann_train_options *o = run->options;
    const int64_t now = ann_clock_ns(), steps = cursor->step - saver->polled_step;
    words[WORD_STOP] = o->stop_requested && o->stop_requested();
    words[WORD_SAVE] = o->checkpoint_requested && o->checkpoint_requested();
    if (run->rank == 0) {
        words[WORD_CONTROLS] = anni_steer_ask(steer);
        if (saver->looked_ns == 0 || now - saver->looked_ns >= LOOK_NS) {
            saver->looked_ns = now;
            words[WORD_STOP] += anni_control_take(run, "stop.now");
            words[WORD_SAVE] += anni_control_take(run, "checkpoint.now");
        }
        words[WORD_OVER] = 1e-9 * (double)now >= saver->over_s;
        words[WORD_DUE] = anni_cadence_due_now(&saver->cadence, 1e-9 * (double)now);
        const double step_s = 1e-9 * (double)(now - saver->polled_ns) / (double)(steps > 0 ? steps : 1);
        words[WORD_DEADLINE] = is_last_chance(saver, now, step_s);
        words[WORD_STEPS] = steps > 0 ? anni_cadence_poll_steps(step_s) : 1;
    }
    saver->polled_step = cursor->step;
    saver->polled_ns = now;
}

/* A checkpoint that is due while another is being written. */
static ann_status decide_busy(anni_saver *saver, bool *save, bool asked, const anni_cursor *cursor) {
    const anni_run *run = saver->phase->run;
    if (asked || run->config->checkpoint.when_busy == ANN_WHEN_BUSY_WAIT) return wait_for(saver);
    *save = false;
    anni_cadence_restart(&saver->cadence, epoch_of(saver->phase, cursor), now_s());
    if (run->rank == 0)
        ann_log_line(
            ANN_LOG_INFO,
            "phase %s: the checkpoint due at step %lld is skipped, that of step %lld is still being written",
            saver->phase->config->name, (long long)cursor->step,
            (long long)ann_ckpt_writer_report(saver->writer).step);
    return ANN_OK;
}

static bool is_due(const anni_saver *saver, const anni_cursor *cursor) {
    return saver->missed ||
           anni_cadence_due_at(&saver->cadence, cursor->step, epoch_of(saver->phase, cursor));
}

void anni_saver_pass(anni_saver *saver, const anni_cursor *cursor) { saver->missed = is_due(saver, cursor); }

/* Asks all ranks, and applies what was asked of rank 0. Nothing is due by itself in a pause. */
static ann_status ask(anni_saver *saver, double words[WORDS], anni_steer *steer, anni_cursor *cursor) {
    bool save = false;
    if (steer->paused) ann_sleep_ns(PAUSE_NS);
    collect(saver, words, steer, cursor);
    if (steer->paused) words[WORD_DUE] = 0;
    steer->unasked = false;
    ANN_TRY(ann_comm_allreduce(saver->phase->run->comm, words, WORDS, ANN_F64));
    saver->next_poll = cursor->step + (int64_t)words[WORD_STEPS];
    if (words[WORD_CONTROLS] > 0) ANN_TRY(anni_steer_apply(steer, cursor, &save));
    words[WORD_SAVE] += save;
    return move_on(saver);
}

ann_status anni_saver_poll(anni_saver *saver, anni_want *want, anni_steer *steer, anni_cursor *cursor) {
    bool save = !steer->paused && is_due(saver, cursor);
    double words[WORDS] = {0};
    *want = ANNI_WANT_NOTHING;
    saver->missed = false;
    if (cursor->step >= saver->next_poll || steer->paused || steer->unasked)
        ANN_TRY(ask(saver, words, steer, cursor));
    else if (save) ANN_TRY(move_on(saver));
    words[WORD_STOP] += steer->stop_after > 0 && cursor->step >= steer->stop_after;
    if (words[WORD_STOP] + words[WORD_DEADLINE] > 0) {
        saver->at_deadline = words[WORD_STOP] == 0;
        *want = ANNI_WANT_STOP;
        return ANN_OK;
    }
    if (words[WORD_OVER] > 0) {
        *want = ANNI_WANT_END;
        return ANN_OK;
    }
    const bool asked = words[WORD_SAVE] > 0;
    save = save || asked || words[WORD_DUE] > 0;
    if (save && is_busy(saver)) ANN_TRY(decide_busy(saver, &save, asked, cursor));
    if (save) *want = ANNI_WANT_SAVE;
    return ANN_OK;
}

/* ---- writing ---- */

static ann_status begin(anni_saver *saver, const anni_cursor *cursor) {
    if (!saver->writer) ANN_TRY(make_writer(&saver->writer, saver->phase, saver->store));
    ANN_TRY(wait_for(saver));
    return begin_writing(saver->writer, saver->phase, cursor);
}

static ann_status wait_to_stop(anni_saver *saver) {
    ANN_TRY(ann_ckpt_writer_wait(saver->phase->run->comm, saver->writer));
    tell_committed(saver->phase, ann_ckpt_writer_report(saver->writer).step);
    return ANN_OK;
}

ann_status anni_saver_save(anni_saver *saver, anni_want want, const anni_cursor *cursor, int64_t since_ns) {
    const ann_status status = begin(saver, cursor);
    anni_cadence_restart(&saver->cadence, epoch_of(saver->phase, cursor), now_s());
    if (is_of_comm(status) || status == ANN_ERR_NUMERIC) return status;
    if (want == ANNI_WANT_STOP) return status == ANN_OK ? wait_to_stop(saver) : status;
    saver->cost_s = 1e-9 * (double)(ann_clock_ns() - since_ns);
    if (status != ANN_OK) say_failure(saver, cursor->step, ann_error_text());
    return ANN_OK;
}

ann_status anni_saver_end(anni_saver *saver, ann_status status) {
    char text[1024];
    if (is_of_comm(status) || !is_busy(saver)) return status;
    (void)snprintf(text, sizeof text, "%s", ann_error_text());
    const ann_status waited = wait_for(saver);
    return status == ANN_OK ? waited : ann_error(status, "%s", text);
}

void anni_saver_fini(anni_saver *saver) {
    ann_ckpt_writer_free(saver->writer);
    saver->writer = NULL;
}
