#include "coord/life.h"

#include <string.h>
#include "coord/records.h"

/* ---- runs ---- */

static Annulus__V1__RunState state_of(int64_t live, int64_t begun, int64_t phases, int64_t done,
                                      int64_t failed, bool stopped) {
    if (live) return ANNULUS__V1__RUN_STATE__RUN_ACTIVE;
    if (phases && done == phases) return ANNULUS__V1__RUN_STATE__RUN_DONE;
    if (stopped) return ANNULUS__V1__RUN_STATE__RUN_STOPPED;
    if (failed) return ANNULUS__V1__RUN_STATE__RUN_FAILED;
    return begun ? ANNULUS__V1__RUN_STATE__RUN_WAITING : ANNULUS__V1__RUN_STATE__RUN_SUBMITTED;
}

ann_status anni_run_settle(anni_registry *r, int64_t run) {
    sqlite3_stmt *rows;
    bool row;
    ANN_TRY(anni_db_query(
        &rows, r->db,
        "SELECT state, stopped, (SELECT count(*) FROM job WHERE run = run.id AND state = 0),"
        " (SELECT count(*) FROM job WHERE run = run.id), (SELECT count(*) FROM phase WHERE run = run.id),"
        " (SELECT count(*) FROM phase WHERE run = run.id AND state = 2),"
        " (SELECT count(*) FROM phase WHERE run = run.id AND state = 3) FROM run WHERE id = ?",
        "i", run));
    ANN_TRY(anni_db_next(&row, r->db, rows));
    if (!row) return ann_error(ANN_ERR_INTERNAL, "run %lld is gone", (long long)run);
    int64_t v[7];
    for (int i = 0; i < 7; i++) v[i] = sqlite3_column_int64(rows, i);
    anni_db_end(rows);
    const Annulus__V1__RunState state = state_of(v[2], v[3], v[4], v[5], v[6], v[1] != 0);
    if ((int64_t)state == v[0]) return ANN_OK;
    ANN_TRY(anni_db_run(r->db, "UPDATE run SET state = ?, changed_ms = ? WHERE id = ?", "iii", (int64_t)state,
                        r->now_ms, run));
    Annulus__V1__Event event = ANNULUS__V1__EVENT__INIT;
    event.step = -1;
    if (state == ANNULUS__V1__RUN_STATE__RUN_DONE) event.kind = "run_done";
    else if (state == ANNULUS__V1__RUN_STATE__RUN_STOPPED) event.kind = "stopped";
    else return ANN_OK;
    return anni_event_add(r, run, &event);
}

/* ---- jobs ---- */

ann_status anni_job_find(anni_registry *r, anni_job *job, int64_t id, ann_arena *arena) {
    sqlite3_stmt *rows;
    bool row;
    ANN_TRY(anni_db_query(
        &rows, r->db,
        "SELECT job.run, job.state, run.name, job.phase, job.wants FROM job JOIN run ON run.id = job.run"
        " WHERE job.id = ?",
        "i", id));
    ANN_TRY(anni_db_next(&row, r->db, rows));
    if (!row) return ann_error(ANN_ERR_NOT_FOUND, "there is no job %lld", (long long)id);
    *job = (anni_job){.id = id,
                      .run = sqlite3_column_int64(rows, 0),
                      .state = sqlite3_column_int64(rows, 1),
                      .run_name = anni_db_text(rows, 2, arena),
                      .phase = anni_db_text(rows, 3, arena),
                      .wants = anni_db_text(rows, 4, arena)};
    anni_db_end(rows);
    if (!job->run_name || !job->phase || !job->wants) return ann_error(ANN_ERR_MEMORY, "no memory for a job");
    return ANN_OK;
}

ann_status anni_phase_hold(anni_registry *r, const anni_job *job, bool *mine) {
    int64_t state, holder;
    bool found;
    ANN_TRY(anni_db_int(&holder, &found, r->db, "SELECT job FROM phase WHERE run = ? AND name = ?", "is",
                        job->run, job->phase));
    if (!found) return ann_error(ANN_ERR_NOT_FOUND, "run '%s' has no phase '%s'", job->run_name, job->phase);
    ANN_TRY(anni_db_int(&state, NULL, r->db, "SELECT state FROM phase WHERE run = ? AND name = ?", "is",
                        job->run, job->phase));
    *mine = holder == job->id || state == ANNULUS__V1__PHASE_STATE__PHASE_PENDING ||
            state == ANNULUS__V1__PHASE_STATE__PHASE_FAILED;
    if (!*mine || state == ANNULUS__V1__PHASE_STATE__PHASE_ACTIVE ||
        state == ANNULUS__V1__PHASE_STATE__PHASE_DONE)
        return ANN_OK;
    return anni_db_run(r->db,
                       "UPDATE phase SET state = 1, job = ?, ended_ms = 0, text = '',"
                       " began_ms = CASE began_ms WHEN 0 THEN ? ELSE began_ms END WHERE run = ? AND name = ?",
                       "iiis", job->id, r->now_ms, job->run, job->phase);
}

ann_status anni_phase_enter(anni_registry *r, anni_job *job, char *phase, bool *other) {
    int64_t state, holder;
    bool found;
    *other = false;
    ANN_TRY(anni_db_int(&state, &found, r->db, "SELECT state FROM phase WHERE run = ? AND name = ?", "is",
                        job->run, phase));
    if (!found) return ann_error(ANN_ERR_NOT_FOUND, "run '%s' has no phase '%s'", job->run_name, phase);
    if (state == ANNULUS__V1__PHASE_STATE__PHASE_DONE) return ANN_OK;
    ANN_TRY(anni_db_int(&holder, NULL, r->db, "SELECT job FROM phase WHERE run = ? AND name = ?", "is",
                        job->run, phase));
    *other = state == ANNULUS__V1__PHASE_STATE__PHASE_ACTIVE && holder != job->id;
    if (*other || state == ANNULUS__V1__PHASE_STATE__PHASE_ACTIVE) return ANN_OK;
    bool mine;
    job->phase = phase;
    ANN_TRY(anni_phase_hold(r, job, &mine));
    return anni_db_run(r->db, "UPDATE job SET phase = ? WHERE id = ?", "si", phase, job->id);
}

/* A lost job speaks again. */
static ann_status revive(anni_registry *r, anni_job *job, bool *over) {
    bool mine = true;
    int64_t stopped;
    if (job->phase[0]) ANN_TRY(anni_phase_hold(r, job, &mine));
    ANN_TRY(anni_db_int(&stopped, NULL, r->db, "SELECT stopped FROM run WHERE id = ?", "i", job->run));
    *over = !mine || stopped;
    if (*over) return ANN_OK;
    ANN_TRY(anni_db_run(r->db, "UPDATE job SET state = 0 WHERE id = ?", "i", job->id));
    ANN_TRY(anni_db_run(r->db,
                        "UPDATE OR REPLACE delivery SET job = ? WHERE run = ? AND job = 0 AND state = 0",
                        "ii", job->id, job->run));
    job->state = ANNULUS__V1__JOB_STATE__JOB_LIVE;
    Annulus__V1__Event event = ANNULUS__V1__EVENT__INIT;
    event.kind = "resumed";
    event.job = job->id;
    event.phase = job->phase;
    event.step = -1;
    event.text = "was silent, and is heard of again";
    ANN_TRY(anni_event_add(r, job->run, &event));
    return anni_run_settle(r, job->run);
}

ann_status anni_job_heard(anni_registry *r, anni_job *job, bool *over, int64_t id, ann_arena *arena) {
    ANN_TRY(anni_job_find(r, job, id, arena));
    *over = false;
    if (job->state == ANNULUS__V1__JOB_STATE__JOB_ENDED)
        return ann_error(ANN_ERR_CONFIG, "job %lld has left", (long long)id);
    *over = job->state == ANNULUS__V1__JOB_STATE__JOB_REPLACED;
    if (job->state == ANNULUS__V1__JOB_STATE__JOB_LOST) ANN_TRY(revive(r, job, over));
    return anni_db_run(r->db, "UPDATE job SET seen_ms = ? WHERE id = ?", "ii", r->now_ms, id);
}

ann_status anni_job_over(anni_registry *r, const anni_job *job, Annulus__V1__JobState state,
                         const char *event_kind, const char *text) {
    ANN_TRY(anni_db_run(r->db, "UPDATE job SET state = ? WHERE id = ?", "ii", (int64_t)state, job->id));
    ANN_TRY(anni_db_run(r->db, "UPDATE phase SET state = 0 WHERE run = ? AND job = ? AND state = 1", "ii",
                        job->run, job->id));
    ANN_TRY(anni_db_run(r->db,
                        "UPDATE OR REPLACE delivery SET job = 0 WHERE run = ? AND job = ? AND state = 0",
                        "ii", job->run, job->id));
    Annulus__V1__Event event = ANNULUS__V1__EVENT__INIT;
    event.kind = (char *)event_kind;
    event.job = job->id;
    event.phase = job->phase;
    event.step = -1;
    event.text = (char *)text;
    ANN_TRY(anni_event_add(r, job->run, &event));
    return anni_run_settle(r, job->run);
}

ann_status anni_lose_silent(anni_registry *r, int *count) {
    *count = 0;
    for (;;) {
        anni_job job;
        int64_t id;
        bool found;
        ann_arena *arena;
        ANN_TRY(anni_db_int(&id, &found, r->db, "SELECT id FROM job WHERE state = 0 AND seen_ms < ? LIMIT 1",
                            "i", r->now_ms - r->lost_after_ms));
        if (!found) return ANN_OK;
        ANN_TRY(ann_arena_new(&arena));
        ann_status status = anni_job_find(r, &job, id, arena);
        if (status == ANN_OK)
            status =
                anni_job_over(r, &job, ANNULUS__V1__JOB_STATE__JOB_LOST, "lost", "was silent for too long");
        ann_arena_free(arena);
        ANN_TRY(status);
        ++*count;
    }
}

/* ---- phases ---- */

/* Names joined by newlines, which no name contains. */
static char *join(ann_arena *arena, size_t count, char *const *names) {
    char *all = ann_arena_strdup(arena, count ? names[0] : "");
    for (size_t i = 1; all && i < count; i++) all = ann_arena_printf(arena, "%s\n%s", all, names[i]);
    return all;
}

ann_status anni_phases_merge(anni_registry *r, int64_t run, size_t count,
                             Annulus__V1__PhaseSpec *const *phases, ann_arena *arena) {
    for (size_t i = 0; i < count; i++) {
        const Annulus__V1__PhaseSpec *p = phases[i];
        const char *after = join(arena, p->n_after, p->after);
        if (!after) return ann_error(ANN_ERR_MEMORY, "no memory for a phase");
        ANN_TRY(anni_db_run(r->db,
                            "DELETE FROM checkpoint WHERE run = ?1 AND phase = ?2 AND EXISTS"
                            " (SELECT 1 FROM phase WHERE run = ?1 AND name = ?2 AND inputs <> ?3)",
                            "iss", run, p->name, p->inputs));
        ANN_TRY(anni_db_run(
            r->db,
            "INSERT INTO phase(run, position, name, kind, after, inputs, steps) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT(run, name) DO UPDATE SET position = excluded.position, kind = excluded.kind,"
            " after = excluded.after, steps = excluded.steps, inputs = excluded.inputs,"
            " state = CASE WHEN state = 3 OR (state = 2 AND inputs <> excluded.inputs) THEN 0 ELSE state END",
            "iissssi", run, (int64_t)i, p->name, p->kind, after, p->inputs, p->steps));
    }
    return ANN_OK;
}

/* Whether a row of phase is one that a job with the wants ?2 is for. */
#define IS_WANTED "(?2 = '' OR instr(?2 || char(10), char(10) || name || char(10)))"

ann_status anni_phases_renew(anni_registry *r, const anni_job *job) {
    ANN_TRY(anni_db_run(r->db,
                        "DELETE FROM checkpoint WHERE run = ?1 AND phase IN"
                        " (SELECT name FROM phase WHERE run = ?1 AND state <> 1 AND " IS_WANTED ")",
                        "is", job->run, job->wants));
    return anni_db_run(
        r->db,
        "UPDATE phase SET state = 0, step = 0, epoch = 0, stage = '', text = '', began_ms = 0, ended_ms = 0"
        " WHERE run = ?1 AND state <> 1 AND " IS_WANTED,
        "is", job->run, job->wants);
}

static bool is_wanted(const anni_job *job, const char *name, size_t length) {
    const char *list = job->wants;
    if (!*list) return true;
    for (; *list; list += strcspn(list, "\n")) {
        list++;
        if (strcspn(list, "\n") == length && memcmp(list, name, length) == 0) return true;
    }
    return false;
}

/* Are all phases done that this newline-separated list names? One that the job is not about counts as done
   unless another job works on it: whether its result is there only the job can tell. */
static ann_status look_before(anni_registry *r, const anni_job *job, const char *after, bool *done,
                              ann_arena *arena) {
    *done = true;
    while (*after) {
        int64_t state;
        const size_t length = strcspn(after, "\n");
        const char *name = ann_arena_printf(arena, "%.*s", (int)length, after);
        if (!name) return ann_error(ANN_ERR_MEMORY, "no memory for a phase");
        ANN_TRY(anni_db_int(&state, NULL, r->db, "SELECT state FROM phase WHERE run = ? AND name = ?", "is",
                            job->run, name));
        *done =
            *done && (state == ANNULUS__V1__PHASE_STATE__PHASE_DONE ||
                      (state != ANNULUS__V1__PHASE_STATE__PHASE_ACTIVE && !is_wanted(job, after, length)));
        after += length + (after[length] == '\n');
    }
    return ANN_OK;
}

/* The newest checkpoint of a phase, appended to the assignment if there is one. */
static ann_status add_input(anni_registry *r, int64_t run, const char *phase, size_t length,
                            Annulus__V1__Assignment *out, ann_arena *arena) {
    sqlite3_stmt *rows;
    bool row;
    const char *name = ann_arena_printf(arena, "%.*s", (int)length, phase);
    Annulus__V1__Checkpoint *c = ann_arena_alloc(arena, sizeof *c);
    if (!name || !c) return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint");
    ANN_TRY(anni_db_query(&rows, r->db,
                          "SELECT step, path, hash, time_ms FROM checkpoint WHERE run = ? AND phase = ? "
                          "ORDER BY id DESC LIMIT 1",
                          "is", run, name));
    ANN_TRY(anni_db_next(&row, r->db, rows));
    if (!row) return ANN_OK;
    annulus__v1__checkpoint__init(c);
    c->phase = (char *)name;
    c->step = sqlite3_column_int64(rows, 0);
    c->path = anni_db_text(rows, 1, arena);
    c->hash = anni_db_text(rows, 2, arena);
    c->time_ms = sqlite3_column_int64(rows, 3);
    anni_db_end(rows);
    out->inputs[out->n_inputs++] = c;
    return c->path && c->hash ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint");
}

/* What a job needs to know to begin a phase, and an event. */
static ann_status give(anni_registry *r, anni_job *job, const char *after, Annulus__V1__Assignment *out,
                       ann_arena *arena) {
    bool mine;
    size_t names = 2;
    int64_t held_before;
    for (const char *p = after; *p; p++) names += *p == '\n';
    out->kind = ANNULUS__V1__ASSIGNMENT__KIND__PHASE;
    out->phase = job->phase;
    out->inputs = ann_arena_alloc(arena, names * sizeof *out->inputs);
    if (!out->inputs) return ann_error(ANN_ERR_MEMORY, "no memory for an assignment");
    for (const char *p = after; *p;) {
        const size_t length = strcspn(p, "\n");
        ANN_TRY(add_input(r, job->run, p, length, out, arena));
        p += length + (p[length] == '\n');
    }
    ANN_TRY(add_input(r, job->run, job->phase, strlen(job->phase), out, arena));
    ANN_TRY(anni_db_int(&held_before, NULL, r->db,
                        "SELECT count(*) FROM phase WHERE run = ? AND name = ? AND job = ? AND state = 1",
                        "isi", job->run, job->phase, job->id));
    ANN_TRY(anni_phase_hold(r, job, &mine));
    ANN_TRY(anni_db_run(r->db, "UPDATE job SET phase = ? WHERE id = ?", "si", job->phase, job->id));
    if (held_before) return ANN_OK;
    Annulus__V1__Event event = ANNULUS__V1__EVENT__INIT;
    event.kind = "phase_began";
    event.job = job->id;
    event.phase = job->phase;
    event.step = -1;
    return anni_event_add(r, job->run, &event);
}

typedef struct candidate {
    char *name, *after;
    int64_t state, job;
} candidate;

/* The phases that the job may take, in order. */
static ann_status candidates(anni_registry *r, const anni_job *job, candidate **out, int *count,
                             ann_arena *arena) {
    sqlite3_stmt *rows;
    int64_t phases;
    bool row = true;
    *count = 0;
    ANN_TRY(anni_db_int(&phases, NULL, r->db, "SELECT count(*) FROM phase WHERE run = ?", "i", job->run));
    candidate *list = *out = ann_arena_alloc(arena, (size_t)(phases + 1) * sizeof *list);
    if (!list) return ann_error(ANN_ERR_MEMORY, "no memory for phases");
    ANN_TRY(anni_db_query(&rows, r->db,
                          "SELECT name, after, state, job FROM phase WHERE run = ?1 AND " IS_WANTED
                          " ORDER BY position, id",
                          "is", job->run, job->wants));
    for (;;) {
        ANN_TRY(anni_db_next(&row, r->db, rows));
        if (!row) return ANN_OK;
        list[*count] = (candidate){anni_db_text(rows, 0, arena), anni_db_text(rows, 1, arena),
                                   sqlite3_column_int64(rows, 2), sqlite3_column_int64(rows, 3)};
        if (!list[*count].name || !list[*count].after) {
            anni_db_end(rows);
            return ann_error(ANN_ERR_MEMORY, "no memory for phases");
        }
        ++*count;
    }
}

static ann_status is_any_active(anni_registry *r, int64_t run, bool *active) {
    int64_t count;
    ANN_TRY(
        anni_db_int(&count, NULL, r->db, "SELECT count(*) FROM phase WHERE run = ? AND state = 1", "i", run));
    *active = count > 0;
    return ANN_OK;
}

ann_status anni_assign(anni_registry *r, anni_job *job, Annulus__V1__Assignment *out, ann_arena *arena) {
    candidate *list;
    int count;
    int64_t stopped;
    bool active = false, pending = false;
    ANN_TRY(anni_db_int(&stopped, NULL, r->db, "SELECT stopped FROM run WHERE id = ?", "i", job->run));
    out->kind = ANNULUS__V1__ASSIGNMENT__KIND__STOPPED;
    if (stopped || job->state != ANNULUS__V1__JOB_STATE__JOB_LIVE) return ANN_OK;
    ANN_TRY(candidates(r, job, &list, &count, arena));
    for (int i = 0; i < count; i++) {
        bool ready = list[i].state == ANNULUS__V1__PHASE_STATE__PHASE_ACTIVE && list[i].job == job->id;
        if (list[i].state == ANNULUS__V1__PHASE_STATE__PHASE_PENDING) {
            ANN_TRY(look_before(r, job, list[i].after, &ready, arena));
            pending = true;
        }
        if (ready) {
            job->phase = list[i].name;
            return give(r, job, list[i].after, out, arena);
        }
        active = active || list[i].state == ANNULUS__V1__PHASE_STATE__PHASE_ACTIVE;
    }
    if (pending && !active) ANN_TRY(is_any_active(r, job->run, &active));
    const bool wait = active; /* what is pending begins after what others work on */
    out->kind = wait ? ANNULUS__V1__ASSIGNMENT__KIND__WAIT : ANNULUS__V1__ASSIGNMENT__KIND__DONE;
    out->retry_ms = wait ? 1000 : 0;
    return ANN_OK;
}
