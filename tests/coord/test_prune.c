/* Old metrics go, a little at a time, and only of runs that are over; what else is known of a run stays, and
   whoever watches it gets what is left. */
#include <stdlib.h>
#include <string.h>
#include "coord/coord.h"
#include "coord/methods.h"
#include "support/check.h"
#include "support/scratch.h"

enum { METRICS = 5000 };

static char dir[SCRATCH_PATH_BYTES];
static const anni_caller caller = {"tester (control)"};
static anni_registry r;
static ann_arena *arena;

static int setup(void **state) {
    (void)state;
    scratch_make(dir);
    check_ok(anni_registry_open(&r, dir, 30000));
    check_ok(ann_arena_new(&arena));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    ann_arena_free(arena);
    scratch_remove(dir);
    return 0;
}

/* One request as a transaction of its own. The reply's memory is in the arena. */
static void *ask(ann_coord_method method, const void *request) {
    const anni_method *m = &anni_methods[method];
    ProtobufCMessage *reply = ann_arena_alloc(arena, m->reply->sizeof_message);
    assert_non_null(reply);
    protobuf_c_message_init(m->reply, reply);
    check_ok(anni_registry_begin(&r));
    check_ok(m->handle(&r, &caller, arena, request, reply));
    check_ok(anni_registry_commit(&r));
    return reply;
}

static int64_t count(const char *sql) {
    int64_t n;
    check_ok(anni_db_int(&n, NULL, r.db, sql, ""));
    return n;
}

static int64_t join(const char *key) {
    Annulus__V1__RegisterRequest q = ANNULUS__V1__REGISTER_REQUEST__INIT;
    Annulus__V1__PhaseSpec phase = ANNULUS__V1__PHASE_SPEC__INIT, *phases = &phase;
    phase.name = "p";
    q.run = "run";
    q.key = (char *)key;
    q.ranks = 1;
    q.phases = &phases;
    q.n_phases = 1;
    return ((Annulus__V1__RegisterReply *)ask(ANN_COORD_REGISTER_JOB, &q))->job;
}

static void report(int64_t job, uint64_t first, int n) {
    Annulus__V1__ReportRequest q = ANNULUS__V1__REPORT_REQUEST__INIT;
    Annulus__V1__Metric *metrics = calloc((size_t)n, sizeof *metrics),
                        **list = calloc((size_t)n, sizeof *list);
    assert_true(metrics && list);
    for (int i = 0; i < n; i++) {
        annulus__v1__metric__init(&metrics[i]);
        metrics[i].sequence = first + (uint64_t)i;
        metrics[i].phase = "p";
        list[i] = &metrics[i];
    }
    q.job = job;
    q.metrics = list;
    q.n_metrics = (size_t)n;
    ask(ANN_COORD_REPORT, &q);
    free(metrics);
    free(list);
}

static void leave(int64_t job) {
    Annulus__V1__LeaveRequest q = ANNULUS__V1__LEAVE_REQUEST__INIT;
    q.job = job;
    ask(ANN_COORD_LEAVE, &q);
}

/* As once a second in the server. */
static void prune(int times, int64_t keep_ms) {
    r.keep_ms = keep_ms;
    for (int i = 0; i < times; i++) {
        check_ok(anni_registry_begin(&r));
        check_ok(anni_prune(&r));
        check_ok(anni_registry_commit(&r));
    }
}

enum { FUTURE_MS = -1000, HOUR_MS = 3600000 }; /* everything is older than FUTURE_MS */

static void metrics_of_old_runs_go(void **state) {
    (void)state;
    const int64_t job = join("k1");
    report(job, 1, METRICS);
    const int64_t records = count("SELECT count(*) FROM record");
    prune(10, FUTURE_MS); /* a job works on it */
    assert_int_equal(count("SELECT count(*) FROM record"), records);
    leave(job);
    const int64_t events = count("SELECT count(*) FROM record") - METRICS;
    prune(10, HOUR_MS); /* it is not old */
    prune(10, 0);       /* nothing ever goes */
    assert_int_equal(count("SELECT count(*) FROM record"), events + METRICS);

    const int64_t sequence = count("SELECT sequence FROM run");
    prune(1, FUTURE_MS);
    const int64_t left = count("SELECT count(*) FROM record");
    assert_true(left > events && left < events + METRICS); /* a little at a time */
    prune(10, FUTURE_MS);
    assert_int_equal(count("SELECT count(*) FROM record"), events);
    assert_int_equal(count("SELECT max(sequence) FROM record"), sequence);
    assert_int_equal(count("SELECT sequence FROM run"), sequence);
    assert_int_equal(count("SELECT metric IS NOT NULL FROM phase"), 1); /* the newest one */
}

/* The run goes on: its numbers do, too, and once it is over again its metrics go as well. */
static void a_run_that_goes_on(void **state) {
    (void)state;
    const int64_t hidden = count("SELECT sequence FROM run") - count("SELECT count(*) FROM record");
    assert_int_equal(hidden, METRICS);
    const int64_t job = join("k2");
    report(job, 1, 3);
    assert_int_equal(count("SELECT sequence FROM run") - count("SELECT count(*) FROM record"), hidden);
    leave(job);
    const int64_t events = count("SELECT count(*) FROM record") - 3;
    prune(2, FUTURE_MS);
    assert_int_equal(count("SELECT count(*) FROM record"), events);
}

static void the_audit_log_stays_longer(void **state) {
    (void)state;
    check_ok(anni_registry_begin(&r));
    check_ok(anni_audit(&r, "run", "me", "a", "b", "c"));
    check_ok(anni_registry_commit(&r));
    check_ok(anni_db_run(r.db, "UPDATE audit SET time_ms = time_ms - ?", "i", (int64_t)3 * HOUR_MS));
    prune(1, HOUR_MS);
    assert_int_equal(count("SELECT count(*) FROM audit"), 1);
    prune(1, HOUR_MS / 2);
    assert_int_equal(count("SELECT count(*) FROM audit"), 0);
}

typedef struct seen {
    uint64_t last;
    int records, metrics, gaps;
    int64_t wanted;
} seen;

static bool see(void *context, const Annulus__V1__Record *record) {
    seen *s = context;
    s->gaps += record->sequence != s->last + 1;
    s->metrics += record->what_case == ANNULUS__V1__RECORD__WHAT_METRIC;
    assert_true(record->sequence > s->last);
    s->last = record->sequence;
    return ++s->records < s->wanted;
}

/* Over a gap, and then what is new. */
static void watchers_get_what_is_left(void **state) {
    (void)state;
    ann_coord_server *server;
    ann_coord_client *client;
    seen all = {.wanted = count("SELECT count(*) FROM record")};
    const uint64_t last = (uint64_t)count("SELECT max(sequence) FROM record");
    anni_registry_close(&r);
    const ann_coord_server_options serving = {.dir = dir, .plain = true};
    const ann_coord_client_options calling = {.dir = dir, .plain = true, .timeout_ms = 20000};
    check_ok(ann_coord_server_start(&server, &serving));
    check_ok(ann_coord_client_open(&client, &calling));
    check_ok(ann_coord_watch(client, "run", 1, 5000, see, &all));
    assert_int_equal(all.records, all.wanted);
    assert_int_equal(all.metrics, 0);
    assert_int_equal(all.last, last);
    assert_true(all.gaps >= 2);
    ann_coord_client_close(client);
    ann_coord_server_stop(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_of_old_runs_go),
        cmocka_unit_test(a_run_that_goes_on),
        cmocka_unit_test(the_audit_log_stays_longer),
        cmocka_unit_test(watchers_get_what_is_left),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
