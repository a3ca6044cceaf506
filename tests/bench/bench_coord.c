/* What a coordinator takes: streams that watch runs, and jobs that report metrics at a steady rate. Prints
   whether each watcher got each record once and in order, and how long a metric took from the call that
   reports it to the watcher.

   usage: bench_coord STATE STREAMS RUNS METRICS_PER_S SECONDS [METRICS_PER_CALL] (a coordinator with --plain
   serves STATE)

   Each of RUNS jobs has a connection and a thread of its own; they report in turns. Each of the streams
   watches one run. tests/bench/coord_load starts the coordinator, too. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "base/clock.h"
#include "coord/coord.h"

enum { BUCKETS = 4096, MOST_PER_CALL = 1000 };
static const double BUCKET_RATIO = 1.005, FIRST_NS = 1000;

static const char *state_dir;
static int per_call = 50; /* metrics of a report */
static atomic_llong delivered[BUCKETS],
    committed[BUCKETS]; /* latencies, in buckets that grow by BUCKET_RATIO */
static atomic_llong received, faults;

typedef struct watcher {
    pthread_t thread;
    ann_coord_client *client;
    char run[32];
    uint64_t next; /* the record that must come now */
    atomic_bool ready;
} watcher;

typedef struct reporter {
    pthread_t thread;
    ann_coord_client *client;
    int64_t job;
    uint64_t sequence;                /* of the last metric */
    int64_t begin_ns, gap_ns, end_ns; /* of its calls */
} reporter;

static void add(atomic_llong *histogram, int64_t ns) {
    const double bucket = ceil(log((double)ns / FIRST_NS) / log(BUCKET_RATIO));
    atomic_fetch_add(&histogram[bucket > 0 ? (int)fmin(bucket, BUCKETS - 1) : 0], 1);
}

static double quantile_ms(const atomic_llong *histogram, double q) {
    long long total = 0, below = 0;
    double edge = FIRST_NS;
    for (int i = 0; i < BUCKETS; i++) total += histogram[i];
    for (int i = 0; i < BUCKETS && (double)(below + histogram[i]) < q * (double)total;
         i++, edge *= BUCKET_RATIO)
        below += histogram[i];
    return edge * 1e-6;
}

static void die(const char *what) {
    fprintf(stderr, "bench_coord: %s: %s\n", what, ann_error_text());
    exit(1);
}

static ann_coord_client *open_client(void) {
    ann_coord_client *client;
    const ann_coord_client_options options = {.dir = state_dir, .plain = true, .timeout_ms = 30000};
    if (ann_coord_client_open(&client, &options) != ANN_OK) die("client");
    return client;
}

static bool take(void *context, const Annulus__V1__Record *record) {
    watcher *w = context;
    if (record->sequence != w->next) atomic_fetch_add(&faults, 1);
    w->next = record->sequence + 1;
    atomic_store(&w->ready, true);
    if (record->what_case != ANNULUS__V1__RECORD__WHAT_METRIC)
        return strcmp(record->event->kind, "ended") != 0;
    atomic_fetch_add(&received, 1);
    add(delivered, ann_clock_ns() - (int64_t)record->metric->values[0]->value);
    return true;
}

static void *watch(void *arg) {
    watcher *w = arg;
    if (ann_coord_watch(w->client, w->run, 1, 30000, take, w) != ANN_OK) {
        fprintf(stderr, "bench_coord: watch: %s\n", ann_error_text());
        atomic_fetch_add(&faults, 1);
    }
    return NULL;
}

static int64_t register_job(ann_coord_client *client, const char *run, int i) {
    Annulus__V1__RegisterRequest q = ANNULUS__V1__REGISTER_REQUEST__INIT;
    Annulus__V1__PhaseSpec phase = ANNULUS__V1__PHASE_SPEC__INIT, *phases = &phase;
    ProtobufCMessage *reply;
    char key[64];
    snprintf(key, sizeof key, "k%d-%lld", i, (long long)ann_clock_ns());
    phase.name = "p";
    q.run = (char *)run;
    q.key = key;
    q.ranks = 1;
    q.phases = &phases;
    q.n_phases = 1;
    if (ann_coord_call(client, ANN_COORD_REGISTER_JOB, &q.base, &reply) != ANN_OK) die("register");
    const int64_t job = ((const Annulus__V1__RegisterReply *)reply)->job;
    protobuf_c_message_free_unpacked(reply, NULL);
    return job;
}

static void report(reporter *r) {
    Annulus__V1__ReportRequest q = ANNULUS__V1__REPORT_REQUEST__INIT;
    Annulus__V1__Metric metrics[MOST_PER_CALL], *list[MOST_PER_CALL];
    Annulus__V1__Value value = ANNULUS__V1__VALUE__INIT, *values = &value;
    const int64_t now = ann_clock_ns();
    value.name = "sent_ns";
    value.value = (double)now;
    for (int i = 0; i < per_call; i++) {
        annulus__v1__metric__init(&metrics[i]);
        metrics[i].sequence = ++r->sequence;
        metrics[i].phase = "p";
        metrics[i].step = (int64_t)r->sequence;
        metrics[i].values = &values;
        metrics[i].n_values = 1;
        list[i] = &metrics[i];
    }
    q.job = r->job;
    q.metrics = list;
    q.n_metrics = (size_t)per_call;
    if (ann_coord_call(r->client, ANN_COORD_REPORT, &q.base, NULL) != ANN_OK) die("report");
    add(committed, ann_clock_ns() - now);
}

static void leave(ann_coord_client *client, int64_t job) {
    Annulus__V1__LeaveRequest q = ANNULUS__V1__LEAVE_REQUEST__INIT;
    q.job = job;
    if (ann_coord_call(client, ANN_COORD_LEAVE, &q.base, NULL) != ANN_OK) die("leave");
}

/* One call each gap_ns; one that comes late makes none of the others fewer. */
static void *report_all(void *arg) {
    reporter *r = arg;
    for (int64_t at = r->begin_ns; at < r->end_ns; at += r->gap_ns) {
        const int64_t wait = at - ann_clock_ns();
        if (wait > 0) ann_sleep_ns(wait);
        report(r);
    }
    return NULL;
}

/* All jobs report `rate` metrics a second. */
static void run_reporters(reporter *reporters, int runs, int rate, int seconds) {
    const int64_t begin = ann_clock_ns(), gap = (int64_t)per_call * 1000000000 / rate;
    int64_t metrics = 0;
    for (int i = 0; i < runs; i++) {
        reporter *r = &reporters[i];
        r->begin_ns = begin + i * gap;
        r->gap_ns = runs * gap;
        r->end_ns = begin + (int64_t)seconds * 1000000000;
        if (pthread_create(&r->thread, NULL, report_all, r) != 0) die("thread");
    }
    for (int i = 0; i < runs; i++) {
        pthread_join(reporters[i].thread, NULL);
        metrics += (int64_t)reporters[i].sequence;
    }
    const double s = (double)(ann_clock_ns() - begin) * 1e-9;
    printf("%lld metrics reported in %.1f s, %.0f calls/s\n", (long long)metrics, s,
           (double)metrics / per_call / s);
}

int main(int argc, char **argv) {
    if (argc != 6 && argc != 7)
        return fprintf(stderr,
                       "usage: bench_coord STATE STREAMS RUNS METRICS_PER_S SECONDS [METRICS_PER_CALL]\n"),
               2;
    state_dir = argv[1];
    const int streams = atoi(argv[2]), runs = atoi(argv[3]), rate = atoi(argv[4]), seconds = atoi(argv[5]);
    if (argc == 7) per_call = atoi(argv[6]);
    if (streams < 0 || runs < 1 || per_call < 1 || per_call > MOST_PER_CALL || rate < per_call || seconds < 1)
        return fprintf(stderr, "bench_coord: wrong numbers\n"), 2;
    /* Each thread waits for its own connection: with epoll, which they share, they would wake one another. */
    (void)setenv("GRPC_POLL_STRATEGY", "poll", 0);
    const struct rlimit files = {65536, 65536};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    watcher *watchers = calloc((size_t)streams + 1, sizeof *watchers);
    reporter *reporters = calloc((size_t)runs, sizeof *reporters);
    int64_t expected = 0;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    for (int i = 0; i < runs; i++) {
        char run[32];
        snprintf(run, sizeof run, "load-%d", i);
        reporters[i].client = open_client();
        reporters[i].job = register_job(reporters[i].client, run, i);
    }
    for (int i = 0; i < streams; i++) {
        snprintf(watchers[i].run, sizeof watchers[i].run, "load-%d", i % runs);
        watchers[i].next = 1;
        watchers[i].client = open_client();
        if (pthread_create(&watchers[i].thread, &small, watch, &watchers[i]) != 0)
            return perror("bench_coord: thread"), 1;
    }
    for (int i = 0; i < streams; i++)
        while (!atomic_load(&watchers[i].ready)) ann_sleep_ns(1000000);
    printf("%d streams watch %d runs\n", streams, runs);
    run_reporters(reporters, runs, rate, seconds);
    for (int i = 0; i < runs; i++) leave(reporters[i].client, reporters[i].job);
    for (int i = 0; i < streams; i++) {
        pthread_join(watchers[i].thread, NULL);
        expected += (int64_t)reporters[i % runs].sequence;
        ann_coord_client_close(watchers[i].client);
    }
    for (int i = 0; i < runs; i++) ann_coord_client_close(reporters[i].client);
    printf("%lld of %lld metrics reached their watchers, %lld faults\n", (long long)received,
           (long long)expected, (long long)faults);
    printf("a report of %d metric%s is committed in %.2f ms (median), %.2f ms (99 %%)\n", per_call,
           per_call == 1 ? "" : "s", quantile_ms(committed, 0.5), quantile_ms(committed, 0.99));
    printf("a metric reaches its watcher in %.2f ms (median), %.2f ms (99 %%)\n", quantile_ms(delivered, 0.5),
           quantile_ms(delivered, 0.99));
    free(watchers);
    free(reporters);
    return received == expected && faults == 0 ? 0 : 1;
}
