/* Methods by which a job comes, asks, is heard of, and goes. */
#include <math.h>
#include <string.h>
#include "coord/life.h"
#include "coord/names.h"
#include "coord/records.h"

enum { MOST_PHASES = 1000, MOST_RANKS = 1 << 20 };

ann_status anni_phases_check(size_t count, Annulus__V1__PhaseSpec *const *phases) {
    if (count > MOST_PHASES)
        return ann_error(ANN_ERR_ARG, "a run has %zu phases, accepted are %d", count, MOST_PHASES);
    for (size_t i = 0; i < count; i++) {
        ANN_TRY(anni_name_check("phase", phases[i]->name, true));
        ANN_TRY(anni_name_check_optional("kind of phase", phases[i]->kind, true));
        for (size_t k = 0; k < phases[i]->n_after; k++) {
            bool earlier = false;
            ANN_TRY(anni_name_check("phase", phases[i]->after[k], true));
            for (size_t j = 0; j < i; j++)
                earlier = earlier || strcmp(phases[j]->name, phases[i]->after[k]) == 0;
            if (!earlier)
                return ann_error(ANN_ERR_ARG, "phase '%s' is after '%s', which is not among those before it",
                                 phases[i]->name, phases[i]->after[k]);
        }
        for (size_t j = 0; j < i; j++)
            if (strcmp(phases[j]->name, phases[i]->name) == 0)
                return ann_error(ANN_ERR_ARG, "there are two phases of the name '%s'", phases[i]->name);
    }
    return ANN_OK;
}

static ann_status check(const Annulus__V1__RegisterRequest *q) {
    ANN_TRY(anni_name_check("run", q->run, false));
    ANN_TRY(anni_name_check("key", q->key, true));
    ANN_TRY(anni_name_check_optional("instance", q->instance, true));
    ANN_TRY(anni_name_check_optional("phase", q->at, true));
    if (q->n_only > MOST_PHASES)
        return ann_error(ANN_ERR_ARG, "a job is for %zu phases, accepted are %d", q->n_only, MOST_PHASES);
    for (size_t i = 0; i < q->n_only; i++) ANN_TRY(anni_name_check("phase", q->only[i], true));
    if (q->ranks < 1 || q->ranks > MOST_RANKS)
        return ann_error(ANN_ERR_ARG, "ranks is %d, accepted is 1 to %d", (int)q->ranks, MOST_RANKS);
    if (q->n_hosts > (size_t)q->ranks) return ann_error(ANN_ERR_ARG, "there are more hosts than ranks");
    for (size_t i = 0; i < q->n_hosts; i++) ANN_TRY(anni_name_check("host", q->hosts[i], false));
    return anni_phases_check(q->n_phases, q->phases);
}

/* Finds or makes the run; the newest run file is kept. */
static ann_status open_run(anni_registry *r, int64_t *run, const Annulus__V1__RegisterRequest *q) {
    ANN_TRY(
        anni_db_run(r->db,
                    "INSERT INTO run(name, run_file, state, created_ms, changed_ms) VALUES (?, ?, 0, ?, ?)"
                    " ON CONFLICT(name) DO UPDATE SET run_file ="
                    " CASE excluded.run_file WHEN '' THEN run_file ELSE excluded.run_file END",
                    "ssii", q->run, q->run_file, r->now_ms, r->now_ms));
    ANN_TRY(anni_run_find(r, run, NULL, q->run));
    return q->resume || q->anew ? anni_db_run(r->db, "UPDATE run SET stopped = 0 WHERE id = ?", "i", *run)
                                : ANN_OK;
}

/* Earlier jobs of the same instance are over. */
static ann_status replace_earlier(anni_registry *r, int64_t run, const char *instance, ann_arena *arena) {
    for (bool found = instance[0] != '\0'; found;) {
        int64_t id;
        anni_job job;
        ANN_TRY(anni_db_int(&id, &found, r->db,
                            "SELECT id FROM job WHERE run = ? AND instance = ? AND state IN (0, 1) LIMIT 1",
                            "is", run, instance));
        if (!found) break;
        ANN_TRY(anni_job_find(r, &job, id, arena));
        ANN_TRY(anni_job_over(r, &job, ANNULUS__V1__JOB_STATE__JOB_REPLACED, "replaced",
                              "a later job of its instance has registered"));
    }
    return ANN_OK;
}

/* Each name behind a newline. */
static char *list_of(char *const *names, size_t count, ann_arena *arena) {
    size_t bytes = 1;
    for (size_t i = 0; i < count; i++) bytes += strlen(names[i]) + 1;
    char *list = ann_arena_alloc(arena, bytes), *end = list;
    if (list) *list = '\0';
    for (size_t i = 0; list && i < count; i++) {
        *end++ = '\n';
        end = stpcpy(end, names[i]);
    }
    return list;
}

static ann_status insert_job(anni_registry *r, const anni_caller *caller, int64_t run,
                             const Annulus__V1__RegisterRequest *q, anni_job *job, ann_arena *arena) {
    char *hosts = list_of(q->hosts, q->n_hosts, arena), *wants = list_of(q->only, q->n_only, arena);
    const char *text =
        ann_arena_printf(arena, "%d ranks on %zu hosts, %s", (int)q->ranks, q->n_hosts, q->version);
    if (!hosts || !wants || !text) return ann_error(ANN_ERR_MEMORY, "no memory for a job");
    ANN_TRY(anni_db_run(r->db,
                        "INSERT INTO job(run, key, instance, state, hosts, ranks, process_id, wants, "
                        "began_ms, seen_ms, version)"
                        " VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)",
                        "isssiisiis", run, q->key, q->instance, hosts + (*hosts == '\n'), (int64_t)q->ranks,
                        q->process_id, wants, r->now_ms, r->now_ms, q->version));
    ANN_TRY(anni_job_find(r, job, anni_db_insert_id(r->db), arena));
    ANN_TRY(anni_db_run(r->db, "UPDATE delivery SET job = ? WHERE run = ? AND job = 0 AND state = 0", "ii",
                        job->id, run));
    Annulus__V1__Event event = ANNULUS__V1__EVENT__INIT;
    event.kind = "registered";
    event.job = job->id;
    event.step = -1;
    event.author = (char *)caller->author;
    event.text = (char *)text;
    ANN_TRY(anni_event_add(r, run, &event));
    return anni_audit(r, q->run, caller->author, "RegisterJob", text, "accepted");
}

/* A job that is at a phase already, in a registry that does not know of it. */
static ann_status take_at(anni_registry *r, anni_job *job, char *at) {
    bool mine;
    job->phase = at;
    ANN_TRY(anni_phase_hold(r, job, &mine));
    if (!mine) return ann_error(ANN_ERR_CONFIG, "phase '%s' is done, or another job holds it", at);
    return anni_db_run(r->db, "UPDATE job SET phase = ? WHERE id = ?", "si", at, job->id);
}

ann_status anni_answer_register(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                                const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__RegisterRequest *q = (const Annulus__V1__RegisterRequest *)request;
    Annulus__V1__RegisterReply *a = (Annulus__V1__RegisterReply *)reply;
    anni_job job = {0};
    int64_t run, id, sequence, stopped;
    bool known;
    ANN_TRY(check(q));
    a->assignment = ann_arena_alloc(arena, sizeof *a->assignment);
    if (!a->assignment) return ann_error(ANN_ERR_MEMORY, "no memory for a reply");
    annulus__v1__assignment__init(a->assignment);
    ANN_TRY(anni_db_int(&id, &known, r->db, "SELECT id FROM job WHERE key = ?", "s", q->key));
    if (known) {
        bool over;
        ANN_TRY(anni_job_heard(r, &job, &over, id, arena));
        if (strcmp(job.run_name, q->run) != 0)
            return ann_error(ANN_ERR_ARG, "this key belongs to another run");
    } else {
        ANN_TRY(open_run(r, &run, q));
        ANN_TRY(anni_db_int(&stopped, NULL, r->db, "SELECT stopped FROM run WHERE id = ?", "i", run));
        if (stopped) {
            a->assignment->kind = ANNULUS__V1__ASSIGNMENT__KIND__STOPPED;
            return anni_audit(r, q->run, caller->author, "RegisterJob", "the run was stopped", "refused");
        }
        ANN_TRY(replace_earlier(r, run, q->instance, arena));
        ANN_TRY(anni_phases_merge(r, run, q->n_phases, q->phases, arena));
        ANN_TRY(insert_job(r, caller, run, q, &job, arena));
        if (q->anew && !q->at[0]) ANN_TRY(anni_phases_renew(r, &job));
        if (q->at[0]) ANN_TRY(take_at(r, &job, q->at));
        ANN_TRY(anni_run_settle(r, run));
    }
    ANN_TRY(anni_db_int(&sequence, NULL, r->db, "SELECT sequence FROM job WHERE id = ?", "i", job.id));
    a->job = job.id;
    a->sequence = (uint64_t)sequence;
    return anni_assign(r, &job, a->assignment, arena);
}

ann_status anni_answer_next(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                            const ProtobufCMessage *request, ProtobufCMessage *reply) {
    anni_job job;
    bool over;
    (void)caller;
    ANN_TRY(anni_job_heard(r, &job, &over, ((const Annulus__V1__NextRequest *)request)->job, arena));
    return anni_assign(r, &job, (Annulus__V1__Assignment *)reply, arena);
}

/* ---- heartbeat ---- */

/* What the job has not yet applied, oldest first. */
static ann_status pending(anni_registry *r, const anni_job *job, Annulus__V1__HeartbeatReply *a,
                          ann_arena *arena) {
    sqlite3_stmt *rows;
    int64_t count;
    bool row;
    ANN_TRY(anni_db_int(&count, NULL, r->db,
                        "SELECT count(*) FROM delivery WHERE run = ? AND job = ? AND state = 0", "ii",
                        job->run, job->id));
    if (count == 0) return ANN_OK;
    a->requests = ann_arena_alloc(arena, (size_t)count * sizeof *a->requests);
    if (!a->requests) return ann_error(ANN_ERR_MEMORY, "no memory for requests");
    ANN_TRY(anni_db_query(
        &rows, r->db,
        "SELECT q.id, q.kind, q.step, q.value, q.author, q.time_ms FROM delivery d JOIN request q"
        " ON q.id = d.request WHERE d.run = ? AND d.job = ? AND d.state = 0 ORDER BY q.id",
        "ii", job->run, job->id));
    for (;;) {
        ANN_TRY(anni_db_next(&row, r->db, rows));
        if (!row) return ANN_OK;
        Annulus__V1__ControlItem *item = anni_control_item(rows, arena);
        if (!item) {
            anni_db_end(rows);
            return ann_error(ANN_ERR_MEMORY, "no memory for requests");
        }
        a->requests[a->n_requests++] = item;
    }
}

/* The ranks' states are kept as the serialised heartbeat. */
static ann_status keep_beat(anni_registry *r, const Annulus__V1__HeartbeatRequest *q, ann_arena *arena) {
    if (q->n_ranks == 0)
        return anni_db_run(r->db, "UPDATE job SET step = ? WHERE id = ?", "ii", q->step, q->job);
    if (q->n_ranks > MOST_RANKS) return ann_error(ANN_ERR_ARG, "too many ranks");
    const size_t bytes = annulus__v1__heartbeat_request__get_packed_size(q);
    uint8_t *beat = ann_arena_alloc(arena, bytes);
    if (!beat) return ann_error(ANN_ERR_MEMORY, "no memory for a heartbeat");
    annulus__v1__heartbeat_request__pack(q, beat);
    return anni_db_run(r->db, "UPDATE job SET step = ?, beat = ? WHERE id = ?", "ibi", q->step, beat, bytes,
                       q->job);
}

ann_status anni_answer_heartbeat(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                                 const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__HeartbeatRequest *q = (const Annulus__V1__HeartbeatRequest *)request;
    Annulus__V1__HeartbeatReply *a = (Annulus__V1__HeartbeatReply *)reply;
    anni_job job;
    bool over;
    (void)caller;
    ANN_TRY(anni_name_check_optional("phase", q->phase, true));
    ANN_TRY(anni_name_check_optional("stage", q->stage, true));
    if (!isfinite(q->epoch)) return ann_error(ANN_ERR_ARG, "the epoch of a heartbeat is %g", q->epoch);
    ANN_TRY(anni_job_heard(r, &job, &over, q->job, arena));
    if (!over && q->phase[0]) ANN_TRY(anni_phase_enter(r, &job, q->phase, &over));
    a->over = over;
    if (over) return ANN_OK;
    ANN_TRY(keep_beat(r, q, arena));
    ANN_TRY(anni_db_run(
        r->db,
        "UPDATE phase SET stage = ?, step = ?, epoch = ?, steps = CASE ?4 WHEN 0 THEN steps ELSE ?4 END"
        " WHERE run = ?5 AND name = ?6 AND job = ?7 AND state = 1",
        "sidiisi", q->stage, q->step, q->epoch, q->steps, job.run, q->phase, q->job));
    return pending(r, &job, a, arena);
}

ann_status anni_answer_leave(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                             const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__LeaveRequest *q = (const Annulus__V1__LeaveRequest *)request;
    anni_job job;
    (void)reply;
    ANN_TRY(anni_job_find(r, &job, q->job, arena));
    if (job.state != ANNULUS__V1__JOB_STATE__JOB_LIVE && job.state != ANNULUS__V1__JOB_STATE__JOB_LOST)
        return ANN_OK;
    const char *text =
        ann_arena_printf(arena, "exit code %d%s%s", (int)q->exit_code, q->text[0] ? ": " : "", q->text);
    if (!text) return ann_error(ANN_ERR_MEMORY, "no memory for a job");
    ANN_TRY(anni_job_over(r, &job, ANNULUS__V1__JOB_STATE__JOB_ENDED, "ended", text));
    return anni_audit(r, job.run_name, caller->author, "Leave", text, "accepted");
}
