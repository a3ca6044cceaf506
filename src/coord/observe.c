/* Methods that only read. */
#include <string.h>
#include "coord/life.h"
#include "coord/names.h"
#include "coord/records.h"

enum { MOST_JOBS = 64, MOST_ENTRIES = 1000 };

static ann_status no_memory(void) { return ann_error(ANN_ERR_MEMORY, "no memory for a reply"); }

/* Room for one more pointer in a list of the reply; the arena keeps the old ones. */
static void *grown(ann_arena *arena, void *list, size_t count) {
    if (count & (count - 1) || count == 1) return list;
    void *more = ann_arena_alloc(arena, (count ? 2 * count : 2) * sizeof(void *));
    if (more && count) memcpy(more, list, count * sizeof(void *));
    return more;
}

/* ---- List ---- */

static const char summary_sql[] =
    "SELECT name, state, paused,"
    " coalesce((SELECT name FROM phase WHERE run = run.id AND state = 1 ORDER BY position LIMIT 1), ''),"
    " coalesce((SELECT step FROM phase WHERE run = run.id AND state = 1 ORDER BY position LIMIT 1), 0),"
    " (SELECT count(*) FROM phase WHERE run = run.id), (SELECT count(*) FROM phase WHERE run = run.id AND "
    "state = 2),"
    " (SELECT count(*) FROM job WHERE run = run.id AND state = 0), created_ms, changed_ms, sequence, "
    "run_file, id"
    " FROM run WHERE ?1 = '' OR name = ?1 ORDER BY changed_ms DESC";

static Annulus__V1__RunSummary *summary(sqlite3_stmt *rows, ann_arena *arena) {
    Annulus__V1__RunSummary *s = ann_arena_alloc(arena, sizeof *s);
    if (!s) return NULL;
    annulus__v1__run_summary__init(s);
    s->name = anni_db_text(rows, 0, arena);
    s->state = (Annulus__V1__RunState)sqlite3_column_int64(rows, 1);
    s->paused = sqlite3_column_int64(rows, 2) != 0;
    s->phase = anni_db_text(rows, 3, arena);
    s->step = sqlite3_column_int64(rows, 4);
    s->phases = (int32_t)sqlite3_column_int64(rows, 5);
    s->phases_done = (int32_t)sqlite3_column_int64(rows, 6);
    s->jobs = (int32_t)sqlite3_column_int64(rows, 7);
    s->created_ms = sqlite3_column_int64(rows, 8);
    s->changed_ms = sqlite3_column_int64(rows, 9);
    return s->name && s->phase ? s : NULL;
}

ann_status anni_answer_list(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                            const ProtobufCMessage *request, ProtobufCMessage *reply) {
    Annulus__V1__ListReply *a = (Annulus__V1__ListReply *)reply;
    sqlite3_stmt *rows;
    bool row;
    (void)caller;
    (void)request;
    ANN_TRY(anni_db_query(&rows, r->db, summary_sql, "s", ""));
    for (;;) {
        ANN_TRY(anni_db_next(&row, r->db, rows));
        if (!row) return ANN_OK;
        a->runs = grown(arena, a->runs, a->n_runs);
        Annulus__V1__RunSummary *s = a->runs ? summary(rows, arena) : NULL;
        if (!s) {
            anni_db_end(rows);
            return no_memory();
        }
        a->runs[a->n_runs++] = s;
    }
}

/* ---- Status ---- */

/* Splits at newlines. */
static char **split(ann_arena *arena, char *text, size_t *count) {
    size_t parts = text[0] != '\0';
    for (const char *p = text; *p; p++) parts += *p == '\n';
    char **list = ann_arena_alloc(arena, (parts + 1) * sizeof *list);
    *count = list ? parts : 0;
    for (size_t i = 0; list && i < parts; i++) {
        list[i] = text;
        text += strcspn(text, "\n");
        if (*text) *text++ = '\0';
    }
    return list;
}

static const char phases_sql[] =
    "SELECT p.name, p.kind, p.state, p.after, p.job, p.stage, p.step, p.steps, p.epoch, p.text, p.began_ms, "
    "p.ended_ms, p.metric,"
    " c.step, c.path, c.hash, c.time_ms FROM phase p LEFT JOIN (SELECT max(id) AS last, phase AS of FROM "
    "checkpoint WHERE run = ?1"
    " GROUP BY phase) ON of = p.name LEFT JOIN checkpoint c ON c.id = last WHERE p.run = ?1 ORDER BY "
    "position, p.id";

static void unpack_metric(Annulus__V1__PhaseStatus *p, sqlite3_stmt *rows, ProtobufCAllocator *allocator) {
    const void *blob = sqlite3_column_blob(rows, 12);
    if (blob)
        p->metric = annulus__v1__metric__unpack(allocator, (size_t)sqlite3_column_bytes(rows, 12), blob);
}

static bool fill_checkpoint(Annulus__V1__PhaseStatus *p, sqlite3_stmt *rows, ann_arena *arena) {
    if (sqlite3_column_type(rows, 14) == SQLITE_NULL) return true;
    Annulus__V1__Checkpoint *c = p->checkpoint = ann_arena_alloc(arena, sizeof *c);
    if (!c) return false;
    annulus__v1__checkpoint__init(c);
    c->phase = p->name;
    c->step = sqlite3_column_int64(rows, 13);
    c->path = anni_db_text(rows, 14, arena);
    c->hash = anni_db_text(rows, 15, arena);
    c->time_ms = sqlite3_column_int64(rows, 16);
    return c->path && c->hash;
}

static Annulus__V1__PhaseStatus *phase_status(sqlite3_stmt *rows, ann_arena *arena,
                                              ProtobufCAllocator *allocator) {
    Annulus__V1__PhaseStatus *p = ann_arena_alloc(arena, sizeof *p);
    if (!p) return NULL;
    annulus__v1__phase_status__init(p);
    p->name = anni_db_text(rows, 0, arena);
    p->kind = anni_db_text(rows, 1, arena);
    p->state = (Annulus__V1__PhaseState)sqlite3_column_int64(rows, 2);
    char *after = anni_db_text(rows, 3, arena);
    p->job = sqlite3_column_int64(rows, 4);
    p->stage = anni_db_text(rows, 5, arena);
    p->step = sqlite3_column_int64(rows, 6);
    p->steps = sqlite3_column_int64(rows, 7);
    p->epoch = sqlite3_column_double(rows, 8);
    p->text = anni_db_text(rows, 9, arena);
    p->began_ms = sqlite3_column_int64(rows, 10);
    p->ended_ms = sqlite3_column_int64(rows, 11);
    unpack_metric(p, rows, allocator);
    if (!p->name || !p->kind || !after || !p->stage || !p->text || !fill_checkpoint(p, rows, arena))
        return NULL;
    p->after = split(arena, after, &p->n_after);
    return p->after ? p : NULL;
}

static ann_status add_phases(anni_registry *r, int64_t run, Annulus__V1__StatusReply *a, ann_arena *arena,
                             ProtobufCAllocator *allocator) {
    sqlite3_stmt *rows;
    bool row;
    ANN_TRY(anni_db_query(&rows, r->db, phases_sql, "i", run));
    for (;;) {
        ANN_TRY(anni_db_next(&row, r->db, rows));
        if (!row) return ANN_OK;
        a->phases = grown(arena, a->phases, a->n_phases);
        Annulus__V1__PhaseStatus *p = a->phases ? phase_status(rows, arena, allocator) : NULL;
        if (!p) {
            anni_db_end(rows);
            return no_memory();
        }
        a->phases[a->n_phases++] = p;
    }
}

static Annulus__V1__JobStatus *job_status(sqlite3_stmt *rows, ann_arena *arena,
                                          ProtobufCAllocator *allocator) {
    Annulus__V1__JobStatus *j = ann_arena_alloc(arena, sizeof *j);
    if (!j) return NULL;
    annulus__v1__job_status__init(j);
    j->id = sqlite3_column_int64(rows, 0);
    j->state = (Annulus__V1__JobState)sqlite3_column_int64(rows, 1);
    char *hosts = anni_db_text(rows, 2, arena);
    j->ranks = (int32_t)sqlite3_column_int64(rows, 3);
    j->process_id = sqlite3_column_int64(rows, 4);
    j->instance = anni_db_text(rows, 5, arena);
    j->phase = anni_db_text(rows, 6, arena);
    j->step = sqlite3_column_int64(rows, 7);
    j->began_ms = sqlite3_column_int64(rows, 8);
    j->seen_ms = sqlite3_column_int64(rows, 9);
    j->version = anni_db_text(rows, 10, arena);
    const void *beat = sqlite3_column_blob(rows, 11);
    Annulus__V1__HeartbeatRequest *h =
        beat ? annulus__v1__heartbeat_request__unpack(allocator, (size_t)sqlite3_column_bytes(rows, 11), beat)
             : NULL;
    if (h) {
        j->rank_states = h->ranks;
        j->n_rank_states = h->n_ranks;
    }
    if (!hosts || !j->instance || !j->phase || !j->version) return NULL;
    j->hosts = split(arena, hosts, &j->n_hosts);
    return j->hosts ? j : NULL;
}

static ann_status add_jobs(anni_registry *r, int64_t run, Annulus__V1__StatusReply *a, ann_arena *arena,
                           ProtobufCAllocator *allocator) {
    sqlite3_stmt *rows;
    bool row;
    a->jobs = ann_arena_alloc(arena, MOST_JOBS * sizeof *a->jobs);
    if (!a->jobs) return no_memory();
    ANN_TRY(anni_db_query(&rows, r->db,
                          "SELECT id, state, hosts, ranks, process_id, instance, phase, step, began_ms, "
                          "seen_ms, version, beat FROM job"
                          " WHERE run = ? ORDER BY id DESC LIMIT ?",
                          "ii", run, (int64_t)MOST_JOBS));
    for (;;) {
        ANN_TRY(anni_db_next(&row, r->db, rows));
        if (!row) return ANN_OK;
        Annulus__V1__JobStatus *j = job_status(rows, arena, allocator);
        if (!j) {
            anni_db_end(rows);
            return no_memory();
        }
        a->jobs[a->n_jobs++] = j;
    }
}

static ann_status add_pending(anni_registry *r, int64_t run, Annulus__V1__StatusReply *a, ann_arena *arena) {
    sqlite3_stmt *rows;
    bool row;
    ANN_TRY(anni_db_query(
        &rows, r->db,
        "SELECT DISTINCT q.id, q.kind, q.step, q.value, q.author, q.time_ms FROM delivery d JOIN request q"
        " ON q.id = d.request WHERE d.run = ? AND d.state = 0 ORDER BY q.id",
        "i", run));
    for (;;) {
        ANN_TRY(anni_db_next(&row, r->db, rows));
        if (!row) return ANN_OK;
        a->pending = grown(arena, a->pending, a->n_pending);
        Annulus__V1__ControlItem *item = a->pending ? anni_control_item(rows, arena) : NULL;
        if (!item) {
            anni_db_end(rows);
            return no_memory();
        }
        a->pending[a->n_pending++] = item;
    }
}

static void *arena_alloc(void *arena, size_t bytes) { return ann_arena_alloc(arena, bytes); }
static void arena_keep(void *arena, void *p) {
    (void)arena;
    (void)p;
}

ann_status anni_answer_status(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                              const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__StatusRequest *q = (const Annulus__V1__StatusRequest *)request;
    Annulus__V1__StatusReply *a = (Annulus__V1__StatusReply *)reply;
    ProtobufCAllocator allocator = {arena_alloc, arena_keep, arena};
    sqlite3_stmt *rows;
    bool row;
    (void)caller;
    ANN_TRY(anni_name_check("run", q->run, false));
    ANN_TRY(anni_db_query(&rows, r->db, summary_sql, "s", q->run));
    ANN_TRY(anni_db_next(&row, r->db, rows));
    if (!row) return ann_error(ANN_ERR_NOT_FOUND, "there is no run '%s'", q->run);
    a->summary = summary(rows, arena);
    a->sequence = (uint64_t)sqlite3_column_int64(rows, 10);
    if (q->run_file) a->run_file = anni_db_text(rows, 11, arena);
    const int64_t run = sqlite3_column_int64(rows, 12);
    anni_db_end(rows);
    if (!a->summary || !a->run_file) return no_memory();
    ANN_TRY(add_phases(r, run, a, arena, &allocator));
    ANN_TRY(add_jobs(r, run, a, arena, &allocator));
    return add_pending(r, run, a, arena);
}

/* ---- Log ---- */

static Annulus__V1__LogEntry *entry(sqlite3_stmt *rows, ann_arena *arena) {
    Annulus__V1__LogEntry *e = ann_arena_alloc(arena, sizeof *e);
    if (!e) return NULL;
    annulus__v1__log_entry__init(e);
    e->id = sqlite3_column_int64(rows, 0);
    e->time_ms = sqlite3_column_int64(rows, 1);
    e->run = anni_db_text(rows, 2, arena);
    e->author = anni_db_text(rows, 3, arena);
    e->action = anni_db_text(rows, 4, arena);
    e->text = anni_db_text(rows, 5, arena);
    e->result = anni_db_text(rows, 6, arena);
    return e->run && e->author && e->action && e->text && e->result ? e : NULL;
}

ann_status anni_answer_log(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                           const ProtobufCMessage *request, ProtobufCMessage *reply) {
    const Annulus__V1__LogRequest *q = (const Annulus__V1__LogRequest *)request;
    Annulus__V1__LogReply *a = (Annulus__V1__LogReply *)reply;
    const int64_t limit = q->limit > 0 && q->limit < MOST_ENTRIES ? q->limit : MOST_ENTRIES;
    sqlite3_stmt *rows;
    bool row;
    (void)caller;
    ANN_TRY(anni_name_check_optional("run", q->run, false));
    ANN_TRY(anni_db_query(&rows, r->db,
                          "SELECT id, time_ms, run, author, action, text, result FROM audit WHERE id > ?1 "
                          "AND (?2 = '' OR run = ?2)"
                          " ORDER BY id LIMIT ?3",
                          "isi", q->after, q->run, limit));
    for (;;) {
        ANN_TRY(anni_db_next(&row, r->db, rows));
        if (!row) return ANN_OK;
        a->entries = grown(arena, a->entries, a->n_entries);
        Annulus__V1__LogEntry *e = a->entries ? entry(rows, arena) : NULL;
        if (!e) {
            anni_db_end(rows);
            return no_memory();
        }
        a->entries[a->n_entries++] = e;
    }
}
