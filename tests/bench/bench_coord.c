/* What a coordinator takes: streams that watch runs, and jobs that report metrics at a steady rate. Prints
   whether each watcher got each record once and in order, and how long a metric took from the call that
   reports it to the watcher.

   usage: bench_coord STATE STREAMS RUNS REPORTS_PER_S SECONDS (a coordinator with --plain serves STATE)

   RUNS jobs report in turns; each of the streams watches one run. tests/bench/coord_load starts the
   coordinator, too. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "base/clock.h"
#include "coord/coord.h"

enum { BUCKETS = 4096, CALL_METRICS = 50 };
static const double BUCKET_RATIO = 1.005, FIRST_NS = 1000;

static const char *state_dir;
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

static void add(atomic_llong *histogram, int64_t ns) {
    int bucket = 0;
    for (double edge = FIRST_NS; bucket < BUCKETS - 1 && (double)ns > edge; edge *= BUCKET_RATIO) bucket++;
    atomic_fetch_add(&histogram[bucket], 1);
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

static void report(ann_coord_client *client, int64_t job, uint64_t *sequence) {
    Annulus__V1__ReportRequest q = ANNULUS__V1__REPORT_REQUEST__INIT;
    Annulus__V1__Metric metrics[CALL_METRICS], *list[CALL_METRICS];
    Annulus__V1__Value value = ANNULUS__V1__VALUE__INIT, *values = &value;
    const int64_t now = ann_clock_ns();
    value.name = "sent_ns";
    value.value = (double)now;
    for (int i = 0; i < CALL_METRICS; i++) {
        annulus__v1__metric__init(&metrics[i]);
        metrics[i].sequence = ++*sequence;
        metrics[i].phase = "p";
        metrics[i].step = (int64_t)*sequence;
        metrics[i].values = &values;
        metrics[i].n_values = 1;
        list[i] = &metrics[i];
    }
    q.job = job;
    q.metrics = list;
    q.n_metrics = CALL_METRICS;
    if (ann_coord_call(client, ANN_COORD_REPORT, &q.base, NULL) != ANN_OK) die("report");
    add(committed, ann_clock_ns() - now);
}

static void leave(ann_coord_client *client, int64_t job) {
    Annulus__V1__LeaveRequest q = ANNULUS__V1__LEAVE_REQUEST__INIT;
    q.job = job;
    if (ann_coord_call(client, ANN_COORD_LEAVE, &q.base, NULL) != ANN_OK) die("leave");
}

/* Reports at `rate` metrics a second in all, run after run. Returns how many. */
static int64_t report_all(ann_coord_client *client, const int64_t *jobs, uint64_t *sequences, int runs,
                          int rate, int seconds) {
    const int64_t begin = ann_clock_ns(), gap_ns = (int64_t)CALL_METRICS * 1000000000 / rate;
    int64_t calls = 0;
    for (; calls * gap_ns < (int64_t)seconds * 1000000000; calls++) {
        const int64_t wait = begin + calls * gap_ns - ann_clock_ns();
        if (wait > 0) ann_sleep_ns(wait);
        report(client, jobs[calls % runs], &sequences[calls % runs]);
    }
    printf("%lld metrics reported in %.1f s\n", (long long)calls * CALL_METRICS,
           (double)(ann_clock_ns() - begin) * 1e-9);
    return calls * CALL_METRICS;
}

int main(int argc, char **argv) {
    if (argc != 6) return fprintf(stderr, "usage: bench_coord STATE STREAMS RUNS REPORTS_PER_S SECONDS\n"), 2;
    state_dir = argv[1];
    const int streams = atoi(argv[2]), runs = atoi(argv[3]), rate = atoi(argv[4]), seconds = atoi(argv[5]);
    if (streams < 0 || runs < 1 || rate < CALL_METRICS || seconds < 1)
        return fprintf(stderr, "bench_coord: wrong numbers\n"), 2;
    const struct rlimit files = {65536, 65536};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    watcher *watchers = calloc((size_t)streams + 1, sizeof *watchers);
    int64_t *jobs = calloc((size_t)runs, sizeof *jobs), expected = 0;
    uint64_t *sequences = calloc((size_t)runs, sizeof *sequences);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    ann_coord_client *client = open_client();
    for (int i = 0; i < runs; i++) {
        char run[32];
        snprintf(run, sizeof run, "load-%d", i);
        jobs[i] = register_job(client, run, i);
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
    (void)report_all(client, jobs, sequences, runs, rate, seconds);
    for (int i = 0; i < runs; i++) leave(client, jobs[i]);
    for (int i = 0; i < streams; i++) {
        pthread_join(watchers[i].thread, NULL);
        expected += (int64_t)sequences[i % runs];
        ann_coord_client_close(watchers[i].client);
    }
    ann_coord_client_close(client);
    printf("%lld of %lld metrics reached their watchers, %lld faults\n", (long long)received,
           (long long)expected, (long long)faults);
    printf("a report of %d metrics is committed in %.2f ms (median), %.2f ms (99 %%)\n", CALL_METRICS,
           quantile_ms(committed, 0.5), quantile_ms(committed, 0.99));
    printf("a metric reaches its watcher in %.2f ms (median), %.2f ms (99 %%)\n", quantile_ms(delivered, 0.5),
           quantile_ms(delivered, 0.99));
    free(watchers);
    free(jobs);
    free(sequences);
    return received == expected && faults == 0 ? 0 : 1;
}
