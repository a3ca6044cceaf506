#include "coord/web_json.h"

#include <ctype.h>
#include <string.h>
#include <time.h>
#include "coord/names.h"

static int64_t wall_clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* An enumerator's name without its prefix, in small letters: RUN_ACTIVE is "active". */
static void put_enum(anni_json *j, const char *key, const ProtobufCEnumDescriptor *type, int value,
                     const char *prefix) {
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    char name[32] = "unknown";
    if (found) {
        const char *from =
            found->name + (strncmp(found->name, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0);
        size_t i = 0;
        for (; from[i] && i + 1 < sizeof name; i++) name[i] = (char)tolower((unsigned char)from[i]);
        name[i] = '\0';
    }
    anni_json_text(j, key, name);
}

static void put_texts(anni_json *j, const char *key, char *const *texts, size_t count) {
    anni_json_key(j, key);
    anni_json_open(j, '[');
    for (size_t i = 0; i < count; i++) anni_json_text(j, NULL, texts[i]);
    anni_json_close(j, ']');
}

/* ---- runs ---- */

static void put_summary(anni_json *j, const Annulus__V1__RunSummary *s) {
    anni_json_open(j, '{');
    anni_json_text(j, "name", s->name);
    put_enum(j, "state", &annulus__v1__run_state__descriptor, (int)s->state, "RUN_");
    anni_json_bool(j, "paused", s->paused);
    anni_json_text(j, "phase", s->phase);
    anni_json_int(j, "step", s->step);
    anni_json_int(j, "phases", s->phases);
    anni_json_int(j, "phases_done", s->phases_done);
    anni_json_int(j, "jobs", s->jobs);
    anni_json_int(j, "created_ms", s->created_ms);
    anni_json_int(j, "changed_ms", s->changed_ms);
    anni_json_close(j, '}');
}

static ann_status put_runs(anni_json *j, anni_registry *r, ann_arena *arena) {
    const anni_caller page = {"web page (observe)"};
    const Annulus__V1__ListRequest request = ANNULUS__V1__LIST_REQUEST__INIT;
    Annulus__V1__ListReply reply = ANNULUS__V1__LIST_REPLY__INIT;
    ANN_TRY(anni_answer_list(r, &page, arena, &request.base, &reply.base));
    const size_t shown = reply.n_runs < ANNI_WEB_MOST_RUNS ? reply.n_runs : ANNI_WEB_MOST_RUNS;
    anni_json_open(j, '{');
    anni_json_int(j, "now_ms", wall_clock_ms());
    anni_json_key(j, "runs");
    anni_json_open(j, '[');
    for (size_t i = 0; i < shown; i++) put_summary(j, reply.runs[i]);
    anni_json_close(j, ']');
    anni_json_int(j, "left_out", (int64_t)(reply.n_runs - shown));
    anni_json_close(j, '}');
    return j->status;
}

ann_status anni_web_runs(anni_json *j, anni_registry *r) {
    ann_arena *arena;
    ANN_TRY(ann_arena_new(&arena));
    const ann_status status = put_runs(j, r, arena);
    ann_arena_free(arena);
    return status;
}

/* ---- one run ---- */

static void put_checkpoint(anni_json *j, const char *key, const Annulus__V1__Checkpoint *c) {
    if (!c) {
        anni_json_null(j, key);
        return;
    }
    anni_json_key(j, key);
    anni_json_open(j, '{');
    anni_json_text(j, "phase", c->phase);
    anni_json_int(j, "step", c->step);
    anni_json_text(j, "path", c->path);
    anni_json_text(j, "hash", c->hash);
    anni_json_int(j, "time_ms", c->time_ms);
    anni_json_close(j, '}');
}

static void put_metric(anni_json *j, const char *key, const Annulus__V1__Metric *m) {
    if (!m) {
        anni_json_null(j, key);
        return;
    }
    anni_json_key(j, key);
    anni_json_open(j, '{');
    anni_json_int(j, "time_ms", m->time_ms);
    anni_json_text(j, "phase", m->phase);
    anni_json_text(j, "stage", m->stage);
    anni_json_int(j, "step", m->step);
    anni_json_number(j, "epoch", m->epoch);
    anni_json_int(j, "job", m->job);
    anni_json_key(j, "values");
    anni_json_open(j, '{');
    for (size_t i = 0; i < m->n_values; i++) anni_json_number(j, m->values[i]->name, m->values[i]->value);
    anni_json_close(j, '}');
    anni_json_close(j, '}');
}

static void put_phase(anni_json *j, const Annulus__V1__PhaseStatus *p) {
    anni_json_open(j, '{');
    anni_json_text(j, "name", p->name);
    anni_json_text(j, "kind", p->kind);
    put_enum(j, "state", &annulus__v1__phase_state__descriptor, (int)p->state, "PHASE_");
    put_texts(j, "after", p->after, p->n_after);
    anni_json_int(j, "job", p->job);
    anni_json_text(j, "stage", p->stage);
    anni_json_int(j, "step", p->step);
    anni_json_int(j, "steps", p->steps);
    anni_json_number(j, "epoch", p->epoch);
    put_checkpoint(j, "checkpoint", p->checkpoint);
    put_metric(j, "metric", p->metric);
    anni_json_text(j, "text", p->text);
    anni_json_int(j, "began_ms", p->began_ms);
    anni_json_int(j, "ended_ms", p->ended_ms);
    anni_json_close(j, '}');
}

/* How far each rank is, of a job that is live. */
static void put_ranks(anni_json *j, const Annulus__V1__JobStatus *job) {
    size_t count = job->state == ANNULUS__V1__JOB_STATE__JOB_LIVE ? job->n_rank_states : 0;
    if (count > ANNI_WEB_MOST_RANKS) count = ANNI_WEB_MOST_RANKS;
    anni_json_key(j, "rank_states");
    anni_json_open(j, '[');
    for (size_t i = 0; i < count; i++) {
        const Annulus__V1__RankState *s = job->rank_states[i];
        anni_json_open(j, '{');
        anni_json_int(j, "rank", s->rank);
        anni_json_text(j, "host", s->host);
        anni_json_int(j, "step", s->step);
        anni_json_int(j, "lag_ms", s->lag_ms);
        anni_json_close(j, '}');
    }
    anni_json_close(j, ']');
}

static void put_job(anni_json *j, const Annulus__V1__JobStatus *job) {
    anni_json_open(j, '{');
    anni_json_int(j, "id", job->id);
    put_enum(j, "state", &annulus__v1__job_state__descriptor, (int)job->state, "JOB_");
    put_texts(j, "hosts", job->hosts,
              job->n_hosts < ANNI_WEB_MOST_HOSTS ? job->n_hosts : ANNI_WEB_MOST_HOSTS);
    anni_json_int(j, "host_count", (int64_t)job->n_hosts);
    anni_json_int(j, "ranks", job->ranks);
    anni_json_int(j, "process_id", job->process_id);
    anni_json_text(j, "instance", job->instance);
    anni_json_text(j, "phase", job->phase);
    anni_json_int(j, "step", job->step);
    anni_json_int(j, "began_ms", job->began_ms);
    anni_json_int(j, "seen_ms", job->seen_ms);
    anni_json_text(j, "version", job->version);
    put_ranks(j, job);
    anni_json_close(j, '}');
}

static void put_control(anni_json *j, const char *key, const Annulus__V1__ControlItem *item) {
    if (key) anni_json_key(j, key);
    anni_json_open(j, '{');
    anni_json_int(j, "id", item->id);
    put_enum(j, "kind", &annulus__v1__control_kind__descriptor, (int)item->kind, "CONTROL_");
    anni_json_int(j, "step", item->step);
    anni_json_number(j, "value", item->value);
    anni_json_text(j, "author", item->author);
    anni_json_int(j, "time_ms", item->time_ms);
    anni_json_close(j, '}');
}

static ann_status put_run(anni_json *j, anni_registry *r, ann_arena *arena, const char *run) {
    const anni_caller page = {"web page (observe)"};
    Annulus__V1__StatusRequest request = ANNULUS__V1__STATUS_REQUEST__INIT;
    Annulus__V1__StatusReply reply = ANNULUS__V1__STATUS_REPLY__INIT;
    if (!(request.run = ann_arena_strdup(arena, run)))
        return ann_error(ANN_ERR_MEMORY, "no memory for a name");
    ANN_TRY(anni_answer_status(r, &page, arena, &request.base, &reply.base));
    anni_json_open(j, '{');
    anni_json_int(j, "now_ms", wall_clock_ms());
    anni_json_key(j, "run");
    put_summary(j, reply.summary);
    anni_json_key(j, "phases");
    anni_json_open(j, '[');
    for (size_t i = 0; i < reply.n_phases; i++) put_phase(j, reply.phases[i]);
    anni_json_close(j, ']');
    anni_json_key(j, "jobs");
    anni_json_open(j, '[');
    for (size_t i = 0; i < reply.n_jobs; i++) put_job(j, reply.jobs[i]);
    anni_json_close(j, ']');
    anni_json_key(j, "pending");
    anni_json_open(j, '[');
    for (size_t i = 0; i < reply.n_pending; i++) put_control(j, NULL, reply.pending[i]);
    anni_json_close(j, ']');
    anni_json_int(j, "sequence", (int64_t)reply.sequence);
    anni_json_close(j, '}');
    return j->status;
}

ann_status anni_web_run(anni_json *j, anni_registry *r, const char *run) {
    ann_arena *arena;
    ANN_TRY(ann_arena_new(&arena));
    const ann_status status = put_run(j, r, arena, run);
    ann_arena_free(arena);
    return status;
}

/* ---- records ---- */

static void put_event(anni_json *j, const Annulus__V1__Event *e) {
    anni_json_key(j, "event");
    anni_json_open(j, '{');
    anni_json_text(j, "kind", e->kind);
    anni_json_int(j, "job", e->job);
    anni_json_text(j, "phase", e->phase);
    anni_json_int(j, "step", e->step);
    anni_json_text(j, "author", e->author);
    anni_json_text(j, "text", e->text);
    if (e->control) put_control(j, "control", e->control);
    if (e->checkpoint) put_checkpoint(j, "checkpoint", e->checkpoint);
    anni_json_close(j, '}');
}

static void put_record(anni_json *j, const Annulus__V1__Record *record) {
    anni_json_open(j, '{');
    anni_json_int(j, "sequence", (int64_t)record->sequence);
    anni_json_int(j, "time_ms", record->time_ms);
    if (record->what_case == ANNULUS__V1__RECORD__WHAT_METRIC) put_metric(j, "metric", record->metric);
    if (record->what_case == ANNULUS__V1__RECORD__WHAT_EVENT) put_event(j, record->event);
    anni_json_close(j, '}');
}

typedef struct pages {
    anni_json *j;
    anni_registry *r;
    const anni_web_range *range;
    int put;       /* records so far */
    uint64_t next; /* the number to go on at */
} pages;

enum { ENOUGH_BYTES = 1 << 20 };

/* Nothing more fits into this answer. */
static bool full(const pages *p) { return p->put >= p->range->most || p->j->size > ENOUGH_BYTES; }

/* What anni_records_read has brought. */
static ann_status put_read(pages *p) {
    for (int i = 0; i < p->r->fresh_count && !full(p); i++) {
        const anni_fresh *fresh = &p->r->fresh[i];
        p->next = fresh->sequence + p->range->every;
        Annulus__V1__Record *record = annulus__v1__record__unpack(NULL, fresh->size, fresh->bytes);
        if (!record)
            return ann_error(ANN_ERR_CORRUPT, "record %llu cannot be read",
                             (unsigned long long)fresh->sequence);
        if (!p->range->only_events || record->what_case == ANNULUS__V1__RECORD__WHAT_EVENT) {
            put_record(p->j, record);
            p->put++;
        }
        annulus__v1__record__free_unpacked(record, NULL);
    }
    return p->j->status;
}

static ann_status put_range(pages *p, int64_t run, uint64_t last) {
    enum { AT_ONCE = 500, AT_ONCE_BYTES = 1 << 20 };
    const int read = p->range->every == 1 ? AT_ONCE : 1;
    for (int looked_at = 0; p->next <= last && !full(p) && looked_at < ANNI_WEB_MOST_LOOKED_AT;) {
        const int left = p->range->most - p->put;
        const int most = p->range->only_events || left > read ? read : left;
        ANN_TRY(anni_records_read(p->r, run, p->next, most, AT_ONCE_BYTES));
        if (p->r->fresh_count == 0) break;
        looked_at += p->r->fresh_count;
        ANN_TRY(put_read(p));
    }
    return ANN_OK;
}

ann_status anni_web_records(anni_json *j, anni_registry *r, const char *run, const anni_web_range *range) {
    pages p = {.j = j, .r = r, .range = range, .next = range->from};
    int64_t id;
    uint64_t last;
    ANN_TRY(anni_name_check("run", run, false));
    ANN_TRY(anni_run_find(r, &id, &last, run));
    anni_json_open(j, '{');
    anni_json_int(j, "sequence", (int64_t)last);
    anni_json_key(j, "records");
    anni_json_open(j, '[');
    const ann_status status = put_range(&p, id, last);
    anni_fresh_clear(r, 0);
    ANN_TRY(status);
    anni_json_close(j, ']');
    anni_json_int(j, "next", (int64_t)p.next);
    anni_json_close(j, '}');
    return j->status;
}
