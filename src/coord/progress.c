/* Methods by which a job tells what it has measured and done. */
#include <string.h>
#include "coord/life.h"
#include "coord/names.h"
#include "coord/records.h"

/* ---- metrics ---- */

static ann_status check_metric(const Annulus__V1__Metric *m) {
    ANN_TRY(anni_name_check_optional("phase", m->phase, true));
    ANN_TRY(anni_name_check_optional("stage", m->stage, true));
    for (size_t i = 0; i < m->n_values; i++) ANN_TRY(anni_name_check("metric", m->values[i]->name, true));
    return ANN_OK;
}

/* The metrics behind the first `skip` become records. */
static ann_status take(anni_registry *r, const anni_job *job, const Annulus__V1__ReportRequest *q,
                       size_t skip) {
    Annulus__V1__Record record = ANNULUS__V1__RECORD__INIT;
    uint64_t number;
    ANN_TRY(anni_record_numbers(r, job->run, (int)(q->n_metrics - skip), &number));
    for (size_t i = skip; i < q->n_metrics; i++) {
        q->metrics[i]->job = job->id;
        record.sequence = number++;
        record.time_ms = r->now_ms;
        record.what_case = ANNULUS__V1__RECORD__WHAT_METRIC;
        record.metric = q->metrics[i];
        ANN_TRY(anni_record_add(r, job->run, &record));
    }
    return ANN_OK;
}

/* Keeps the last metric of the batch with its phase. */
static ann_status keep_newest(anni_registry *r, const anni_job *job, const Annulus__V1__Metric *m,
                              ann_arena *arena) {
    const size_t bytes = annulus__v1__metric__get_packed_size(m);
    uint8_t *packed = ann_arena_alloc(arena, bytes ? bytes : 1);
    if (!packed) return ann_error(ANN_ERR_MEMORY, "no memory for a metric");
    annulus__v1__metric__pack(m, packed);
    return anni_db_run(r->db, "UPDATE phase SET metric = ? WHERE run = ? AND name = ?", "bis", packed, bytes,
                       job->run, m->phase);
}

ann_status anni_answer_report(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                              const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__ReportRequest *q = (const Annulus__V1__ReportRequest *)request;
    Annulus__V1__ReportReply *a = (Annulus__V1__ReportReply *)reply;
    anni_job job;
    int64_t last;
    size_t skip = 0;
    (void)caller;
    for (size_t i = 0; i < q->n_metrics; i++) ANN_TRY(check_metric(q->metrics[i]));
    ANN_TRY(anni_job_find(r, &job, q->job, arena));
    ANN_TRY(anni_db_int(&last, NULL, r->db, "SELECT sequence FROM job WHERE id = ?", "i", job.id));
    a->sequence = (uint64_t)last;
    while (skip < q->n_metrics && q->metrics[skip]->sequence <= a->sequence) skip++;
    for (size_t i = skip; i < q->n_metrics; i++)
        if (q->metrics[i]->sequence != a->sequence + 1 + (i - skip))
            return ann_error(ANN_ERR_CONFIG, "metric %llu follows, expected is %llu",
                             (unsigned long long)q->metrics[i]->sequence,
                             (unsigned long long)(a->sequence + 1 + (i - skip)));
    if (skip == q->n_metrics) return ANN_OK;
    ANN_TRY(take(r, &job, q, skip));
    ANN_TRY(keep_newest(r, &job, q->metrics[q->n_metrics - 1], arena));
    a->sequence += q->n_metrics - skip;
    return anni_db_run(r->db, "UPDATE job SET sequence = ?, seen_ms = ? WHERE id = ?", "iii",
                       (int64_t)a->sequence, r->now_ms, job.id);
}

/* ---- checkpoints ---- */

/* A job may speak for any phase that no other job holds: it may have gone on by itself while the coordinator
 * was away. */
static ann_status speaks_for(anni_registry *r, anni_job *job, char *phase) {
    bool other;
    ANN_TRY(anni_phase_enter(r, job, phase, &other));
    if (other)
        return ann_error(ANN_ERR_CONFIG, "phase '%s' is held by another job than %lld", phase,
                         (long long)job->id);
    return ANN_OK;
}

static ann_status keep_checkpoint(anni_registry *r, const anni_job *job, Annulus__V1__Checkpoint *c) {
    ANN_TRY(anni_db_run(
        r->db,
        "INSERT INTO checkpoint(run, phase, step, path, hash, time_ms, job) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        "isissii", job->run, c->phase, c->step, c->path, c->hash, c->time_ms ? c->time_ms : r->now_ms,
        job->id));
    if (anni_db_changes(r->db) == 0) return ANN_OK; /* told again */
    Annulus__V1__Event event = ANNULUS__V1__EVENT__INIT;
    event.kind = "checkpoint";
    event.job = job->id;
    event.phase = c->phase;
    event.step = c->step;
    event.checkpoint = c;
    return anni_event_add(r, job->run, &event);
}

ann_status anni_answer_committed(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                                 const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__CommittedRequest *q = (const Annulus__V1__CommittedRequest *)request;
    anni_job job;
    bool over;
    (void)caller;
    (void)reply;
    if (!q->checkpoint) return ann_error(ANN_ERR_ARG, "the checkpoint is missing");
    ANN_TRY(anni_name_check("phase", q->checkpoint->phase, true));
    ANN_TRY(anni_job_heard(r, &job, &over, q->job, arena));
    ANN_TRY(speaks_for(r, &job, q->checkpoint->phase));
    return keep_checkpoint(r, &job, q->checkpoint);
}

/* ---- requests ---- */

Annulus__V1__ControlItem *anni_control_item(sqlite3_stmt *rows, ann_arena *arena) {
    Annulus__V1__ControlItem *item = ann_arena_alloc(arena, sizeof *item);
    if (!item) return NULL;
    annulus__v1__control_item__init(item);
    item->id = sqlite3_column_int64(rows, 0);
    item->kind = (Annulus__V1__ControlKind)sqlite3_column_int64(rows, 1);
    item->step = sqlite3_column_int64(rows, 2);
    item->value = sqlite3_column_double(rows, 3);
    item->author = anni_db_text(rows, 4, arena);
    item->time_ms = sqlite3_column_int64(rows, 5);
    return item->author ? item : NULL;
}

/* What an applied request changes in the run itself: whether it is paused or stopped. */
static ann_status take_effect(anni_registry *r, const anni_job *job, int64_t request) {
    int64_t kind;
    ANN_TRY(anni_db_int(&kind, NULL, r->db, "SELECT kind FROM request WHERE id = ? AND phase = ''", "i",
                        request));
    if (kind == ANNULUS__V1__CONTROL_KIND__PAUSE || kind == ANNULUS__V1__CONTROL_KIND__RESUME)
        return anni_db_run(r->db, "UPDATE run SET paused = ? WHERE id = ?", "ii",
                           (int64_t)(kind == ANNULUS__V1__CONTROL_KIND__PAUSE), job->run);
    if (kind == ANNULUS__V1__CONTROL_KIND__STOP)
        return anni_db_run(r->db, "UPDATE run SET stopped = 1 WHERE id = ?", "i", job->run);
    return ANN_OK;
}

ann_status anni_answer_applied(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                               const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__AppliedRequest *q = (const Annulus__V1__AppliedRequest *)request;
    const bool refused = q->refused[0] != '\0';
    sqlite3_stmt *rows;
    anni_job job;
    bool row;
    (void)reply;
    ANN_TRY(anni_job_find(r, &job, q->job, arena));
    ANN_TRY(anni_db_query(
        &rows, r->db,
        "SELECT q.id, q.kind, q.step, q.value, q.author, q.time_ms, d.state FROM delivery d JOIN request q"
        " ON q.id = d.request WHERE d.request = ? AND d.job = ?",
        "ii", q->request, q->job));
    ANN_TRY(anni_db_next(&row, r->db, rows));
    if (!row)
        return ann_error(ANN_ERR_NOT_FOUND, "job %lld has no request %lld", (long long)q->job,
                         (long long)q->request);
    const bool again = sqlite3_column_int64(rows, 6) != 0;
    Annulus__V1__ControlItem *item = anni_control_item(rows, arena);
    anni_db_end(rows);
    if (!item) return ann_error(ANN_ERR_MEMORY, "no memory for a request");
    if (again) return ANN_OK;
    ANN_TRY(anni_db_run(r->db, "UPDATE delivery SET state = ?, step = ? WHERE request = ? AND job = ?",
                        "iiii", (int64_t)(refused ? 2 : 1), q->step, q->request, q->job));
    if (!refused) ANN_TRY(take_effect(r, &job, q->request));
    Annulus__V1__Event event = ANNULUS__V1__EVENT__INIT;
    event.kind = refused ? "refused" : "applied";
    event.job = job.id;
    event.phase = job.phase;
    event.step = q->step;
    event.author = item->author;
    event.text = q->refused;
    event.control = item;
    ANN_TRY(anni_event_add(r, job.run, &event));
    const char *text = ann_arena_printf(arena, "request %lld of %s, by job %lld at step %lld%s%s",
                                        (long long)item->id, item->author, (long long)job.id,
                                        (long long)q->step, refused ? ": " : "", q->refused);
    if (!text) return ann_error(ANN_ERR_MEMORY, "no memory for a request");
    return anni_audit(r, job.run_name, caller->author, "Applied", text, refused ? "refused" : "applied");
}

/* ---- the end of a phase ---- */

static ann_status end_phase(anni_registry *r, const anni_job *job, const Annulus__V1__PhaseDoneRequest *q) {
    const Annulus__V1__PhaseState state =
        q->failed ? ANNULUS__V1__PHASE_STATE__PHASE_FAILED : ANNULUS__V1__PHASE_STATE__PHASE_DONE;
    int64_t old;
    ANN_TRY(anni_db_int(&old, NULL, r->db, "SELECT state FROM phase WHERE run = ? AND name = ?", "is",
                        job->run, q->phase));
    if (old == (int64_t)state) return ANN_OK; /* told again */
    ANN_TRY(anni_db_run(r->db,
                        "UPDATE phase SET state = ?, text = ?, ended_ms = ? WHERE run = ? AND name = ?",
                        "isiis", (int64_t)state, q->text, r->now_ms, job->run, q->phase));
    Annulus__V1__Event event = ANNULUS__V1__EVENT__INIT;
    event.kind = q->failed ? "phase_failed" : "phase_done";
    event.job = job->id;
    event.phase = q->phase;
    event.step = q->checkpoint ? q->checkpoint->step : -1;
    event.text = q->text;
    return anni_event_add(r, job->run, &event);
}

ann_status anni_answer_phase_done(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                                  const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__PhaseDoneRequest *q = (const Annulus__V1__PhaseDoneRequest *)request;
    anni_job job;
    bool over;
    (void)caller;
    ANN_TRY(anni_name_check("phase", q->phase, true));
    ANN_TRY(anni_job_heard(r, &job, &over, q->job, arena));
    ANN_TRY(speaks_for(r, &job, q->phase));
    if (q->checkpoint) {
        if (strcmp(q->checkpoint->phase, q->phase) != 0)
            return ann_error(ANN_ERR_ARG, "the checkpoint is of another phase");
        ANN_TRY(keep_checkpoint(r, &job, q->checkpoint));
    }
    ANN_TRY(end_phase(r, &job, q));
    ANN_TRY(
        anni_db_run(r->db, "UPDATE job SET phase = '' WHERE id = ? AND phase = ?", "is", job.id, q->phase));
    ANN_TRY(anni_run_settle(r, job.run));
    return anni_assign(r, &job, (Annulus__V1__Assignment *)reply, arena);
}
