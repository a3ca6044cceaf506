#include "agent.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "agent_notes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "train/lineage.h"

enum {
    PERIOD_MS = 250, /* between two heartbeats */
    BACKOFF_MAX_MS = 2000,
    BATCH_MAX = 256, /* metrics of one report */
    REQUESTS_MAX = 64,
    NOTES_MAX = 1000000, /* that are kept for a coordinator which is away */
    PATIENCE_MS = 1000   /* with the answer to what is next */
};

struct agent {
    agent_options options;
    ann_coord_client *client; /* NULL: not yet */
    ann_lead lead;
    pthread_t thread;
    char key[64];
    Annulus__V1__RegisterRequest registration;
    char **hosts;
    Annulus__V1__PhaseSpec *specs, **spec_pointers;
    char **only;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    note *first, *last;
    int64_t n_notes, n_dropped;
    bool urgent;                        /* a note is not to wait for the next heartbeat, as metrics do */
    ann_control requests[REQUESTS_MAX]; /* a ring */
    int n_requests, first_request;
    bool quit;
    bool away; /* the log has been told that the coordinator is */
    int64_t step, steps;
    char phase[128];
    int64_t question, asked_ns; /* the number of the latest; 0: none is open */
    bool answered;
    ann_lead_word word;
    char next[128];

    /* Of the agent's thread alone. */
    int64_t job; /* 0: not registered */
    int64_t last_request;
    uint64_t sent, base; /* metrics that are safe; the coordinator's number is ours less base */
    int backoff_ms;
    bool left; /* the run has been told that the job is over */
};

static const int64_t MS = 1000 * 1000;

/* ---- for the thread that trains ---- */

static void put(agent *a, note *n) {
    pthread_mutex_lock(&a->lock);
    if (n && a->n_notes < NOTES_MAX) {
        if (n->kind != NOTE_METRIC) {
            a->urgent = true;
            pthread_cond_signal(&a->wake);
        }
        if (a->last) a->last->next = n;
        else a->first = n;
        a->last = n;
        a->n_notes++;
        n = NULL;
    } else {
        a->n_dropped++;
    }
    pthread_mutex_unlock(&a->lock);
    note_free(n);
}

/* Without an answer in time, the run goes on by itself. */
static ann_lead_word lead_assign(void *self, const char **phase) {
    agent *a = self;
    const int64_t now_ns = ann_clock_ns();
    ann_lead_word word = ANN_LEAD_WAIT;
    note *n = NULL;
    pthread_mutex_lock(&a->lock);
    if (a->asked_ns == 0) {
        n = note_new(NOTE_NEXT, "", NULL);
        if (n) n->request = ++a->question;
        a->asked_ns = now_ns;
        a->answered = false;
    } else if (a->answered) {
        word = a->word;
        *phase = a->next;
        a->asked_ns = 0;
    } else if (a->away || now_ns - a->asked_ns > PATIENCE_MS * MS) {
        word = ANN_LEAD_FREE;
        a->asked_ns = 0;
    }
    pthread_mutex_unlock(&a->lock);
    if (n) put(a, n);
    return word;
}

static bool lead_next(void *self, ann_control *out) {
    agent *a = self;
    pthread_mutex_lock(&a->lock);
    const bool any = a->n_requests > 0;
    if (any) {
        *out = a->requests[a->first_request];
        a->first_request = (a->first_request + 1) % REQUESTS_MAX;
        a->n_requests--;
    }
    pthread_mutex_unlock(&a->lock);
    return any;
}

static void lead_applied(void *self, const ann_control *control, const char *phase, int64_t step) {
    note *n = note_new(NOTE_APPLIED, phase, NULL);
    if (n) {
        n->request = control->id;
        n->step = step;
    }
    put(self, n);
}

static void lead_line(void *self, const char *json) { put(self, note_new(NOTE_METRIC, json, NULL)); }

static void lead_began(void *self, const char *phase, int64_t step, int64_t steps) {
    agent *a = self;
    note *n = note_new(NOTE_BEGAN, phase, NULL);
    if (n) {
        n->step = step;
        n->steps = steps;
    }
    put(a, n);
}

static void lead_committed(void *self, const char *phase, int64_t step, const char *path) {
    note *n = note_new(NOTE_COMMITTED, phase, path);
    if (n) n->step = step;
    put(self, n);
}

static void lead_done(void *self, const char *phase, double test_loss, double test_accuracy) {
    note *n = note_new(NOTE_DONE, phase, NULL);
    if (n) {
        n->test_loss = test_loss;
        n->test_accuracy = test_accuracy;
    }
    put(self, n);
}

/* ---- calls ---- */

/* The coordinator will not take this, however often it is told. */
static bool is_refused(ann_status status) {
    return status == ANN_ERR_ARG || status == ANN_ERR_CONFIG || status == ANN_ERR_FORMAT;
}

static ann_status call(agent *a, ann_coord_method method, const ProtobufCMessage *request) {
    ProtobufCMessage *reply = NULL;
    const ann_status status = ann_coord_call(a->client, method, request, &reply);
    if (status == ANN_OK) protobuf_c_message_free_unpacked(reply, NULL);
    return status;
}

static ann_lead_word word_of(const Annulus__V1__Assignment *assignment) {
    switch (assignment->kind) {
    case ANNULUS__V1__ASSIGNMENT__KIND__WAIT: return ANN_LEAD_WAIT;
    case ANNULUS__V1__ASSIGNMENT__KIND__PHASE: return ANN_LEAD_PHASE;
    case ANNULUS__V1__ASSIGNMENT__KIND__STOPPED: return ANN_LEAD_STOP;
    default: return ANN_LEAD_FREE;
    }
}

static bool is_open(agent *a, int64_t question) {
    pthread_mutex_lock(&a->lock);
    const bool open = a->asked_ns != 0 && a->question == question;
    pthread_mutex_unlock(&a->lock);
    return open;
}

/* To the question that is open, if it is still this one. */
static void answer(agent *a, int64_t question, ann_lead_word word, const char *phase) {
    pthread_mutex_lock(&a->lock);
    if (a->asked_ns != 0 && a->question == question) {
        a->answered = true;
        a->word = word;
        (void)snprintf(a->next, sizeof a->next, "%s", phase);
    }
    pthread_mutex_unlock(&a->lock);
}

/* The run ends where it stands. */
static void leave_run(agent *a) {
    pthread_mutex_lock(&a->lock);
    if (!a->left && a->n_requests < REQUESTS_MAX) {
        a->requests[(a->first_request + a->n_requests++) % REQUESTS_MAX] =
            (ann_control){.kind = ANN_CONTROL_LEAVE};
        a->left = true;
    }
    pthread_mutex_unlock(&a->lock);
}

/* After a Register: what was received before need not be sent again, and what a new registry lacks has
   another number there. */
static void count_from(agent *a, uint64_t received) {
    if (a->base + received >= a->sent) a->sent = a->base + received;
    else a->base = a->sent - received;
}

static ann_status enroll(agent *a) {
    Annulus__V1__RegisterReply *reply = NULL;
    a->registration.at = a->phase;
    ANN_TRY(ann_coord_call(a->client, ANN_COORD_REGISTER_JOB, &a->registration.base,
                           (ProtobufCMessage **)&reply));
    a->job = reply->job;
    if (a->job == 0) { /* the run was stopped */
        leave_run(a);
        answer(a, a->question, ANN_LEAD_STOP, "");
    } else {
        count_from(a, reply->sequence);
    }
    annulus__v1__register_reply__free_unpacked(reply, NULL);
    return ANN_OK;
}

static bool take_item(const Annulus__V1__ControlItem *item, ann_control *out) {
    static const ann_control_kind kinds[] = {[ANNULUS__V1__CONTROL_KIND__PAUSE] = ANN_CONTROL_PAUSE,
                                             [ANNULUS__V1__CONTROL_KIND__RESUME] = ANN_CONTROL_RESUME,
                                             [ANNULUS__V1__CONTROL_KIND__CHECKPOINT] = ANN_CONTROL_CHECKPOINT,
                                             [ANNULUS__V1__CONTROL_KIND__STOP] = ANN_CONTROL_STOP,
                                             [ANNULUS__V1__CONTROL_KIND__SET_LR_FACTOR] = ANN_CONTROL_LR,
                                             [ANNULUS__V1__CONTROL_KIND__SET_LOG_INTERVAL] =
                                                 ANN_CONTROL_LOG_EVERY};
    if ((int)item->kind < 1 || (size_t)item->kind >= sizeof kinds / sizeof kinds[0]) return false;
    *out = (ann_control){
        .id = item->id, .kind = kinds[item->kind], .value = item->value, .asked_ms = item->time_ms};
    if (out->kind == ANN_CONTROL_STOP) out->value = item->step > 0 ? (double)item->step : 0;
    (void)snprintf(out->author, sizeof out->author, "%s", item->author);
    return true;
}

/* Requests come with every heartbeat until they are applied. */
static void take_items(agent *a, const Annulus__V1__HeartbeatReply *reply) {
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < reply->n_requests && a->n_requests < REQUESTS_MAX; i++) {
        if (reply->requests[i]->id <= a->last_request) continue;
        ann_control *to = &a->requests[(a->first_request + a->n_requests) % REQUESTS_MAX];
        if (take_item(reply->requests[i], to)) a->n_requests++;
        a->last_request = reply->requests[i]->id;
    }
    pthread_mutex_unlock(&a->lock);
}

static ann_status heartbeat(agent *a) {
    Annulus__V1__HeartbeatRequest request = ANNULUS__V1__HEARTBEAT_REQUEST__INIT;
    Annulus__V1__HeartbeatReply *reply = NULL;
    request.job = a->job;
    request.phase = a->phase;
    request.step = a->step;
    request.steps = a->steps;
    ANN_TRY(ann_coord_call(a->client, ANN_COORD_HEARTBEAT, &request.base, (ProtobufCMessage **)&reply));
    if (reply->over) leave_run(a);
    take_items(a, reply);
    annulus__v1__heartbeat_reply__free_unpacked(reply, NULL);
    return ANN_OK;
}

/* ---- notes ---- */

static note *head(agent *a) {
    pthread_mutex_lock(&a->lock);
    note *n = a->first;
    pthread_mutex_unlock(&a->lock);
    return n;
}

static void drop(agent *a, int count) {
    for (int i = 0; i < count; i++) {
        pthread_mutex_lock(&a->lock);
        note *n = a->first;
        a->first = n->next;
        if (!a->first) a->last = NULL;
        a->n_notes--;
        pthread_mutex_unlock(&a->lock);
        note_free(n);
    }
}

/* The metrics at the head of the queue, as one report. Lines that are none go with them. */
static ann_status report(agent *a, note *n) {
    Annulus__V1__ReportRequest request = ANNULUS__V1__REPORT_REQUEST__INIT;
    Annulus__V1__Metric *metrics[BATCH_MAX];
    note_metric *all = calloc(BATCH_MAX, sizeof *all);
    int taken = 0;
    if (!all) return ann_error(ANN_ERR_MEMORY, "no memory for a report");
    for (; n && n->kind == NOTE_METRIC && request.n_metrics < BATCH_MAX; n = n->next, taken++) {
        note_metric *m = &all[request.n_metrics];
        if (!note_metric_of(m, n)) continue;
        m->message.sequence = a->sent - a->base + request.n_metrics + 1;
        a->step = m->message.step;
        metrics[request.n_metrics++] = &m->message;
    }
    request.job = a->job;
    request.metrics = metrics;
    const ann_status status = request.n_metrics > 0 ? call(a, ANN_COORD_REPORT, &request.base) : ANN_OK;
    free(all);
    if (is_refused(status)) a->job = 0; /* numbers do not agree: a Register tells what is there */
    ANN_TRY(status);
    a->sent += request.n_metrics;
    drop(a, taken);
    return ANN_OK;
}

static ann_status tell_committed(agent *a, const note *n) {
    Annulus__V1__CommittedRequest request = ANNULUS__V1__COMMITTED_REQUEST__INIT;
    Annulus__V1__Checkpoint checkpoint = ANNULUS__V1__CHECKPOINT__INIT;
    checkpoint.phase = n->text;
    checkpoint.path = n->path;
    checkpoint.step = n->step;
    checkpoint.time_ms = n->time_ms;
    request.job = a->job;
    request.checkpoint = &checkpoint;
    return call(a, ANN_COORD_COMMITTED, &request.base);
}

static ann_status tell_applied(agent *a, const note *n) {
    Annulus__V1__AppliedRequest request = ANNULUS__V1__APPLIED_REQUEST__INIT;
    request.job = a->job;
    request.request = n->request;
    request.step = n->step + 1;
    if (n->step < 0) request.refused = "its value cannot be used, or it could not be written down";
    return call(a, ANN_COORD_APPLIED, &request.base);
}

static ann_status tell_done(agent *a, const note *n) {
    Annulus__V1__PhaseDoneRequest request = ANNULUS__V1__PHASE_DONE_REQUEST__INIT;
    char text[128] = "";
    if (n->test_accuracy >= 0) /* NAN: without labels */
        (void)snprintf(text, sizeof text, "test loss %.5g, accuracy %.2f %%", n->test_loss,
                       100 * n->test_accuracy);
    else if (n->test_loss == n->test_loss) (void)snprintf(text, sizeof text, "test loss %.5g", n->test_loss);
    request.job = a->job;
    request.phase = n->text;
    request.text = text;
    return call(a, ANN_COORD_PHASE_DONE, &request.base);
}

static ann_status tell_began(agent *a, const note *n) {
    pthread_mutex_lock(&a->lock);
    (void)snprintf(a->phase, sizeof a->phase, "%s", n->text);
    pthread_mutex_unlock(&a->lock);
    a->step = n->step;
    a->steps = n->steps;
    return heartbeat(a);
}

/* A question that nobody waits for any more is not asked: the coordinator would hold the phase of its answer
 * for this job. */
static ann_status ask_next(agent *a, const note *n) {
    Annulus__V1__NextRequest request = ANNULUS__V1__NEXT_REQUEST__INIT;
    Annulus__V1__Assignment *reply = NULL;
    if (!is_open(a, n->request)) return ANN_OK;
    request.job = a->job;
    ANN_TRY(ann_coord_call(a->client, ANN_COORD_NEXT, &request.base, (ProtobufCMessage **)&reply));
    answer(a, n->request, word_of(reply), reply->phase);
    annulus__v1__assignment__free_unpacked(reply, NULL);
    return ANN_OK;
}

static ann_status tell(agent *a, note *n) {
    ann_status status = ANN_OK;
    switch (n->kind) {
    case NOTE_NEXT: status = ask_next(a, n); break;
    case NOTE_METRIC: return report(a, n);
    case NOTE_BEGAN: status = tell_began(a, n); break;
    case NOTE_COMMITTED: status = tell_committed(a, n); break;
    case NOTE_APPLIED: status = tell_applied(a, n); break;
    case NOTE_DONE: status = tell_done(a, n); break;
    }
    if (is_refused(status)) {
        ann_log_line(ANN_LOG_WARN, "coordinator: %s", ann_error_text());
        status = ANN_OK;
    }
    if (status == ANN_OK) drop(a, 1);
    return status;
}

/* ---- the agent's thread ---- */

static ann_status tell_all(agent *a) {
    if (!a->client) ANN_TRY(a->options.connect(a->options.context, &a->client));
    if (a->job == 0) ANN_TRY(enroll(a));
    if (a->job == 0) return ANN_OK;
    ANN_TRY(heartbeat(a));
    for (note *n = head(a); n; n = head(a)) ANN_TRY(tell(a, n));
    return ANN_OK;
}

/* After a failure the next attempt has a channel of its own: gRPC works on a connection only while a call
   waits for it, and calls on a channel that has failed do not wait. */
static ann_status talk(agent *a) {
    const ann_status status = tell_all(a);
    if (status != ANN_OK && a->client) {
        ann_coord_client_close(a->client);
        a->client = NULL;
    }
    return status;
}

static void judge(agent *a, ann_status status) {
    pthread_mutex_lock(&a->lock);
    const bool was_away = a->away;
    a->away = status != ANN_OK;
    pthread_mutex_unlock(&a->lock);
    if (status == ANN_OK) {
        if (was_away) ann_log_line(ANN_LOG_INFO, "coordinator: back");
        a->backoff_ms = 0;
        return;
    }
    if (status == ANN_ERR_NOT_FOUND) a->job = 0; /* a coordinator with another registry */
    if (!was_away) ann_log_line(ANN_LOG_WARN, "coordinator: %s; training goes on", ann_error_text());
    a->backoff_ms = a->backoff_ms == 0 ? PERIOD_MS : 2 * a->backoff_ms;
    if (a->backoff_ms > BACKOFF_MAX_MS) a->backoff_ms = BACKOFF_MAX_MS;
}

/* Until something must be told at once, or it is time for a heartbeat; after a failure, for the back-off. */
static void rest(agent *a) {
    struct timespec until;
    const int64_t ns = MS * (a->backoff_ms > 0 ? a->backoff_ms : PERIOD_MS);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (until.tv_nsec + ns) / (1000 * MS);
    until.tv_nsec = (until.tv_nsec + ns) % (1000 * MS);
    pthread_mutex_lock(&a->lock);
    while (!a->quit && (!a->urgent || a->backoff_ms > 0))
        if (pthread_cond_timedwait(&a->wake, &a->lock, &until) != 0) break;
    a->urgent = false;
    pthread_mutex_unlock(&a->lock);
}

static bool must_quit(agent *a) {
    pthread_mutex_lock(&a->lock);
    const bool quit = a->quit;
    pthread_mutex_unlock(&a->lock);
    return quit;
}

static void *work(void *self) {
    agent *a = self;
    while (!head(a) && !must_quit(a)) rest(a);
    while (!must_quit(a)) {
        judge(a, talk(a));
        rest(a);
    }
    return NULL;
}

/* ---- beginning and end ---- */

static bool fill_hosts(agent *a, ann_comm *comm) {
    const int n = ann_comm_size(comm);
    a->hosts = calloc((size_t)n, sizeof *a->hosts);
    for (int r = 0; a->hosts && r < n; r++) {
        const char *host = ann_comm_host(comm, r);
        size_t i = 0;
        while (i < a->registration.n_hosts && a->hosts[i] && strcmp(a->hosts[i], host) != 0) i++;
        if (i == a->registration.n_hosts) a->hosts[a->registration.n_hosts++] = (char *)(uintptr_t)host;
    }
    a->registration.hosts = a->hosts;
    return a->hosts != NULL;
}

/* Of all in the configuration that decides a phase's results: its key, and the inputs of what it loads from.
 */
static ann_status inputs_of(uint64_t *out, const ann_run_graph *graph, const ann_run_config *config, int at) {
    ANN_TRY(ann_lineage_key(out, config, at));
    for (int from = 0; from < graph->count; from++) {
        uint64_t parent;
        if (ann_run_graph_edge(graph, from, at) != ANN_RUN_EDGE_LOAD) continue;
        ANN_TRY(inputs_of(&parent, graph, config, from));
        *out = ann_hash(&parent, sizeof parent, *out);
    }
    return ANN_OK;
}

/* The phase at index `at` and what it comes after. */
static ann_status fill_phase(Annulus__V1__PhaseSpec *spec, const ann_run_graph *graph,
                             const ann_run_config *config, int at) {
    uint64_t inputs;
    annulus__v1__phase_spec__init(spec);
    ANN_TRY(inputs_of(&inputs, graph, config, at));
    spec->name = (char *)(uintptr_t)config->phases[at].name;
    spec->kind = strdup(ann_phase_kind_name(config->phases[at].kind));
    spec->after = calloc((size_t)graph->count, sizeof *spec->after);
    if (asprintf(&spec->inputs, "%016" PRIx64, inputs) < 0) spec->inputs = NULL;
    for (int from = 0; spec->after && from < graph->count; from++)
        if (ann_run_graph_edge(graph, from, at) != ANN_RUN_EDGE_NONE)
            spec->after[spec->n_after++] = (char *)(uintptr_t)config->phases[from].name;
    return spec->kind && spec->after && spec->inputs ? ANN_OK
                                                     : ann_error(ANN_ERR_MEMORY, "no memory for a phase");
}

static ann_status fill_phases(agent *a, const ann_run_graph *graph) {
    const ann_run_config *config = a->options.config;
    a->specs = calloc((size_t)graph->count, sizeof *a->specs);
    a->spec_pointers = calloc((size_t)graph->count, sizeof *a->spec_pointers);
    if (!a->specs || !a->spec_pointers) return ann_error(ANN_ERR_MEMORY, "no memory for phases");
    a->registration.phases = a->spec_pointers;
    for (int i = 0; i < graph->count; i++) {
        a->spec_pointers[i] = &a->specs[i];
        a->registration.n_phases++;
        ANN_TRY(fill_phase(&a->specs[i], graph, config, graph->order[i]));
    }
    return ANN_OK;
}

/* The names of those that the job is about, if it is not about all. */
static ann_status fill_only(agent *a, const ann_run_graph *graph) {
    const agent_options *o = &a->options;
    if (!o->from && o->only_count == 0) return ANN_OK;
    bool *selected = calloc((size_t)graph->count, sizeof *selected);
    a->only = calloc((size_t)graph->count, sizeof *a->only);
    ann_status status = selected && a->only ? ann_run_graph_select(selected, graph, o->config, o->from,
                                                                   o->only, o->only_count)
                                            : ann_error(ANN_ERR_MEMORY, "no memory for phases");
    for (int i = 0; status == ANN_OK && i < graph->count; i++)
        if (selected[i]) a->only[a->registration.n_only++] = (char *)(uintptr_t)o->config->phases[i].name;
    a->registration.only = a->only;
    free(selected);
    return status;
}

static ann_status fill_graph(agent *a) {
    ann_run_graph *graph;
    ann_status status = ann_run_graph_new(&graph, a->options.config);
    if (status == ANN_OK) status = fill_phases(a, graph);
    if (status == ANN_OK) status = fill_only(a, graph);
    ann_run_graph_free(graph);
    return status;
}

static ann_status fill_registration(agent *a) {
    const agent_options *o = &a->options;
    Annulus__V1__RegisterRequest *r = &a->registration;
    annulus__v1__register_request__init(r);
    (void)snprintf(a->key, sizeof a->key, "%ld-%llx", (long)getpid(), (unsigned long long)ann_clock_ns());
    r->key = a->key;
    r->run = (char *)(uintptr_t)o->config->name;
    r->run_file = (char *)(uintptr_t)o->config->text;
    r->ranks = ann_comm_size(o->comm);
    r->process_id = getpid();
    r->instance = (char *)(uintptr_t)o->instance;
    r->version = (char *)(uintptr_t)o->version;
    r->resume = o->resume && !o->unattended;
    r->anew = !o->resume;
    if (!fill_hosts(a, o->comm)) return ann_error(ANN_ERR_MEMORY, "no memory for the names of hosts");
    return fill_graph(a);
}

static void release(agent *a) {
    while (a->first) drop(a, 1);
    if (a->client) ann_coord_client_close(a->client);
    free(a->hosts);
    for (size_t i = 0; i < a->registration.n_phases; i++) {
        free(a->specs[i].kind);
        free(a->specs[i].after);
        free(a->specs[i].inputs);
    }
    free(a->specs);
    free(a->spec_pointers);
    free(a->only);
    free(a);
}

/* Signals are for the thread that trains. */
static ann_status start_thread(agent *a) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&a->thread, NULL, work, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no thread for the coordinator's agent");
}

ann_status agent_start(agent **out, const agent_options *options) {
    agent *a = calloc(1, sizeof *a);
    if (!a) return ann_error(ANN_ERR_MEMORY, "no memory for the coordinator's agent");
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->wake, NULL);
    a->lead =
        (ann_lead){a, lead_assign, lead_next, lead_applied, lead_line, lead_began, lead_committed, lead_done};
    a->options = *options;
    ann_status status = fill_registration(a);
    if (status == ANN_OK) status = start_thread(a);
    if (status == ANN_OK) *out = a;
    else release(a);
    return status;
}

const ann_lead *agent_lead(agent *a) { return &a->lead; }

static ann_status leave(agent *a, int exit_code, const char *text) {
    Annulus__V1__LeaveRequest request = ANNULUS__V1__LEAVE_REQUEST__INIT;
    if (a->job == 0) return ANN_OK;
    request.job = a->job;
    request.exit_code = exit_code;
    request.text = (char *)(uintptr_t)text;
    return call(a, ANN_COORD_LEAVE, &request.base);
}

void agent_end(agent *a, int exit_code, const char *text, double wait_s) {
    if (!a) return;
    pthread_mutex_lock(&a->lock);
    a->quit = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    const int64_t end_ns = ann_clock_ns() + (int64_t)(wait_s * 1e9);
    ann_status status = a->job != 0 || head(a) ? talk(a) : ANN_OK;
    while (status != ANN_OK && ann_clock_ns() < end_ns) {
        judge(a, status);
        ann_sleep_ns(100 * MS);
        status = talk(a);
    }
    if (status == ANN_OK) status = leave(a, exit_code, text);
    if (status != ANN_OK) ann_log_line(ANN_LOG_WARN, "coordinator: %s", ann_error_text());
    const int64_t untold = a->n_notes + a->n_dropped;
    if (untold > 0)
        ann_log_line(ANN_LOG_WARN,
                     "coordinator: %lld things were not told; the metrics.jsonl of each phase has them",
                     (long long)untold);
    release(a);
}
