/* Methods by which an operator changes a run. */
#include <math.h>
#include <string.h>
#include "coord/life.h"
#include "coord/names.h"
#include "coord/records.h"

enum { MOST_PENDING = 256 };

/* ---- Submit ---- */

/* A run of this name is there: fine if it is the same one. */
static ann_status compare_run(anni_registry *r, const Annulus__V1__SubmitRequest *q, bool *known) {
    int64_t same;
    ANN_TRY(anni_db_int(&same, known, r->db, "SELECT run_file = ? FROM run WHERE name = ?", "ss", q->run_file,
                        q->run));
    if (*known && !same)
        return ann_error(ANN_ERR_CONFIG, "there is a run '%s' with another run file", q->run);
    return ANN_OK;
}

ann_status anni_answer_submit(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                              const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__SubmitRequest *q = (const Annulus__V1__SubmitRequest *)request;
    Annulus__V1__SubmitReply *a = (Annulus__V1__SubmitReply *)reply;
    int64_t run;
    bool known;
    ANN_TRY(anni_name_check("run", q->run, false));
    ANN_TRY(anni_phases_check(q->n_phases, q->phases));
    ANN_TRY(compare_run(r, q, &known));
    a->known = known;
    if (known) return ANN_OK;
    ANN_TRY(anni_db_run(
        r->db, "INSERT INTO run(name, run_file, state, created_ms, changed_ms) VALUES (?, ?, 0, ?, ?)",
        "ssii", q->run, q->run_file, r->now_ms, r->now_ms));
    ANN_TRY(anni_run_find(r, &run, NULL, q->run));
    ANN_TRY(anni_phases_merge(r, run, q->n_phases, q->phases, arena));
    Annulus__V1__Event event = ANNULUS__V1__EVENT__INIT;
    event.kind = "submitted";
    event.step = -1;
    event.author = (char *)caller->author;
    ANN_TRY(anni_event_add(r, run, &event));
    return anni_audit(r, q->run, caller->author, "Submit", "", "accepted");
}

/* ---- Control ---- */

static const char *kind_name(Annulus__V1__ControlKind kind) {
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&annulus__v1__control_kind__descriptor, (int)kind);
    return value ? value->name : "?";
}

static ann_status check(const Annulus__V1__ControlRequest *q) {
    ANN_TRY(anni_name_check("run", q->run, false));
    ANN_TRY(anni_name_check_optional("phase", q->phase, true));
    ANN_TRY(anni_name_check_optional("key", q->key, true));
    if (!isfinite(q->value)) return ann_error(ANN_ERR_ARG, "the value of a request is %g", q->value);
    switch (q->kind) {
    case ANNULUS__V1__CONTROL_KIND__PAUSE:
    case ANNULUS__V1__CONTROL_KIND__RESUME:
    case ANNULUS__V1__CONTROL_KIND__CHECKPOINT: return ANN_OK;
    case ANNULUS__V1__CONTROL_KIND__STOP:
        if (q->step >= -1) return ANN_OK;
        return ann_error(ANN_ERR_ARG, "step is %lld, accepted is 0 or more, or -1 for now",
                         (long long)q->step);
    case ANNULUS__V1__CONTROL_KIND__SET_LR_FACTOR:
        if (isfinite(q->value) && q->value >= 0 && q->value <= 1e6) return ANN_OK;
        return ann_error(ANN_ERR_ARG, "the learning rate's factor is %g, accepted is 0 to 1e6", q->value);
    case ANNULUS__V1__CONTROL_KIND__SET_LOG_INTERVAL:
        if (q->value >= 1 && q->value <= 1e9 && q->value == floor(q->value)) return ANN_OK;
        return ann_error(ANN_ERR_ARG, "the interval is %g, accepted is an integer from 1 to 1e9", q->value);
    default: return ann_error(ANN_ERR_ARG, "the kind of request is missing or unknown");
    }
}

/* Hands the request to the live jobs that it is for. */
static ann_status deliver(anni_registry *r, int64_t run, int64_t request, const char *phase, int64_t *jobs) {
    ANN_TRY(anni_db_run(
        r->db,
        "INSERT INTO delivery(request, job, run) SELECT ?1, id, run FROM job WHERE run = ?2 AND state = 0"
        " AND (?3 = '' OR phase = ?3)",
        "iis", request, run, phase));
    *jobs = anni_db_changes(r->db);
    return anni_db_run(r->db, "UPDATE request SET jobs = ? WHERE id = ?", "ii", *jobs, request);
}

/* No job works on the run: stopping and taking it up again happen here, anything else waits for the next job.
 */
static ann_status without_job(anni_registry *r, int64_t run, int64_t request,
                              const Annulus__V1__ControlRequest *q) {
    if (q->phase[0]) return ann_error(ANN_ERR_CONFIG, "no job is at phase '%s'", q->phase);
    if (q->kind == ANNULUS__V1__CONTROL_KIND__STOP) {
        ANN_TRY(anni_db_run(r->db, "UPDATE run SET stopped = 1 WHERE id = ?", "i", run));
        return anni_run_settle(r, run);
    }
    if (q->kind == ANNULUS__V1__CONTROL_KIND__RESUME) {
        ANN_TRY(anni_db_run(r->db, "UPDATE run SET paused = 0 WHERE id = ?", "i", run));
        return anni_run_settle(r, run);
    }
    return anni_db_run(r->db, "INSERT INTO delivery(request, job, run) VALUES (?, 0, ?)", "ii", request, run);
}

static ann_status tell(anni_registry *r, const anni_caller *caller, int64_t run, int64_t id,
                       const Annulus__V1__ControlRequest *q, ann_arena *arena) {
    Annulus__V1__ControlItem item = ANNULUS__V1__CONTROL_ITEM__INIT;
    Annulus__V1__Event event = ANNULUS__V1__EVENT__INIT;
    item.id = id;
    item.kind = q->kind;
    item.step = q->step;
    item.value = q->value;
    item.author = (char *)caller->author;
    item.time_ms = r->now_ms;
    event.kind = "control";
    event.phase = q->phase;
    event.step = -1;
    event.author = (char *)caller->author;
    event.control = &item;
    ANN_TRY(anni_event_add(r, run, &event));
    const char *text =
        ann_arena_printf(arena, "request %lld: step %lld, value %g%s%s", (long long)id, (long long)q->step,
                         q->value, q->phase[0] ? ", phase " : "", q->phase);
    if (!text) return ann_error(ANN_ERR_MEMORY, "no memory for a request");
    return anni_audit(r, q->run, caller->author, kind_name(q->kind), text, "accepted");
}

/* Refuses what a run in this state cannot do. */
static ann_status check_run(anni_registry *r, int64_t run, const Annulus__V1__ControlRequest *q) {
    int64_t state, waiting;
    ANN_TRY(anni_db_int(&state, NULL, r->db, "SELECT state FROM run WHERE id = ?", "i", run));
    if (state == ANNULUS__V1__RUN_STATE__RUN_DONE)
        return ann_error(ANN_ERR_CONFIG, "run '%s' is done", q->run);
    ANN_TRY(anni_db_int(&waiting, NULL, r->db,
                        "SELECT count(DISTINCT request) FROM delivery WHERE run = ? AND job IN (SELECT id "
                        "FROM job WHERE run = ?"
                        " AND state = 0 UNION SELECT 0) AND state = 0",
                        "ii", run, run));
    if (waiting >= MOST_PENDING)
        return ann_error(ANN_ERR_MEMORY, "%d requests of run '%s' are waiting", MOST_PENDING, q->run);
    return ANN_OK;
}

ann_status anni_answer_control(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                               const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__ControlRequest *q = (const Annulus__V1__ControlRequest *)request;
    Annulus__V1__ControlReply *a = (Annulus__V1__ControlReply *)reply;
    const char *key = q->key[0] ? q->key : NULL;
    int64_t run, known = 0, jobs = 0;
    ANN_TRY(check(q));
    ANN_TRY(anni_run_find(r, &run, NULL, q->run));
    if (key)
        ANN_TRY(anni_db_int(&known, NULL, r->db, "SELECT id FROM request WHERE run = ? AND key = ?", "is",
                            run, key));
    if (known) { /* asked again */
        ANN_TRY(anni_db_int(&jobs, NULL, r->db, "SELECT jobs FROM request WHERE id = ?", "i", known));
        a->id = known;
        a->jobs = (int32_t)jobs;
        return ANN_OK;
    }
    ANN_TRY(check_run(r, run, q));
    ANN_TRY(anni_db_run(r->db,
                        "INSERT INTO request(run, kind, step, value, phase, author, time_ms, key) VALUES (?, "
                        "?, ?, ?, ?, ?, ?, ?)",
                        "iiidssis", run, (int64_t)q->kind, q->step, q->value, q->phase, caller->author,
                        r->now_ms, key));
    a->id = anni_db_insert_id(r->db);
    ANN_TRY(tell(r, caller, run, a->id, q, arena));
    ANN_TRY(deliver(r, run, a->id, q->phase, &jobs));
    a->jobs = (int32_t)jobs;
    if (q->kind == ANNULUS__V1__CONTROL_KIND__RESUME)
        ANN_TRY(anni_db_run(r->db, "UPDATE run SET stopped = 0 WHERE id = ?", "i", run));
    return jobs ? ANN_OK : without_job(r, run, a->id, q);
}
