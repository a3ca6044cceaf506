/* The registry: a request that fails leaves no trace, silent jobs are lost and come back, and a writer that
   is killed at any moment leaves whole transactions, with all that was acknowledged. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/philox.h"
#include "coord/methods.h"
#include "coord/names.h"
#include "support/check.h"
#include "support/scratch.h"

static char dir[SCRATCH_PATH_BYTES];
static const anni_caller caller = {"tester (control)"};

static int setup(void **state) {
    (void)state;
    scratch_make(dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    scratch_remove(dir);
    return 0;
}

/* One request as a transaction of its own. The reply's memory is in the arena. */
static ann_status ask(anni_registry *r, ann_arena *arena, ann_coord_method method, const void *request,
                      void **reply) {
    const anni_method *m = &anni_methods[method];
    ProtobufCMessage *answer = ann_arena_alloc(arena, m->reply->sizeof_message);
    assert_non_null(answer);
    protobuf_c_message_init(m->reply, answer);
    if (reply) *reply = answer;
    check_ok(anni_registry_begin(r));
    check_ok(anni_registry_try(r));
    const ann_status status = m->handle(r, &caller, arena, request, answer);
    if (status == ANN_OK) check_ok(anni_registry_keep(r));
    else check_ok(anni_registry_undo(r, 0));
    check_ok(anni_registry_commit(r));
    return status;
}

/* Registers a job for the one phase "p" of this run. */
static int64_t join(anni_registry *r, ann_arena *arena, const char *run, const char *key, int kind) {
    Annulus__V1__RegisterRequest q = ANNULUS__V1__REGISTER_REQUEST__INIT;
    Annulus__V1__PhaseSpec phase = ANNULUS__V1__PHASE_SPEC__INIT, *phases = &phase;
    Annulus__V1__RegisterReply *a;
    void *reply;
    phase.name = "p";
    q.run = (char *)run;
    q.key = (char *)key;
    q.ranks = 1;
    q.phases = &phases;
    q.n_phases = 1;
    check_ok(ask(r, arena, ANN_COORD_REGISTER_JOB, &q, &reply));
    a = reply;
    assert_int_equal(a->assignment->kind, kind);
    return a->job;
}

static int64_t count(anni_registry *r, const char *sql) {
    int64_t n;
    check_ok(anni_db_int(&n, NULL, r->db, sql, ""));
    return n;
}

static void a_failure_leaves_no_trace(void **state) {
    char sub[SCRATCH_PATH_BYTES];
    anni_registry r;
    ann_arena *arena;
    (void)state;
    scratch_make(sub);
    check_ok(anni_registry_open(&r, sub, 30000));
    check_ok(ann_arena_new(&arena));
    const int64_t job = join(&r, arena, "run", "k", ANNULUS__V1__ASSIGNMENT__KIND__PHASE);
    const int64_t records = count(&r, "SELECT count(*) FROM record"),
                  audit = count(&r, "SELECT count(*) FROM audit");

    /* The handler has written an event before it finds out that the phase is held by nobody. */
    Annulus__V1__ControlRequest control = ANNULUS__V1__CONTROL_REQUEST__INIT;
    control.run = "run";
    control.kind = ANNULUS__V1__CONTROL_KIND__PAUSE;
    control.phase = "q";
    assert_int_equal(ask(&r, arena, ANN_COORD_CONTROL, &control, NULL), ANN_ERR_CONFIG);
    assert_int_equal(r.fresh_count, 0);
    assert_int_equal(count(&r, "SELECT count(*) FROM record"), records);
    assert_int_equal(count(&r, "SELECT count(*) FROM audit"), audit);
    assert_int_equal(count(&r, "SELECT count(*) FROM request"), 0);
    assert_int_equal(count(&r, "SELECT sequence FROM run"), records);

    control.phase = "p";
    check_ok(ask(&r, arena, ANN_COORD_CONTROL, &control, NULL));
    assert_int_equal(r.fresh_count, 1);
    assert_int_equal(count(&r, "SELECT job FROM delivery"), job);

    /* Without a commit, nothing is there. */
    check_ok(anni_registry_begin(&r));
    check_ok(anni_audit(&r, "run", "me", "a", "b", "c"));
    anni_registry_abandon(&r);
    assert_int_equal(count(&r, "SELECT count(*) FROM audit"), audit + 1);
    ann_arena_free(arena);
    anni_registry_close(&r);
    scratch_remove(sub);
}

static void lose(anni_registry *r, int expected) {
    int lost;
    check_ok(anni_registry_begin(r));
    check_ok(anni_lose_silent(r, &lost));
    check_ok(anni_registry_commit(r));
    assert_int_equal(lost, expected);
}

static void silent_jobs_are_lost_and_come_back(void **state) {
    char sub[SCRATCH_PATH_BYTES];
    anni_registry r;
    ann_arena *arena;
    void *reply;
    (void)state;
    scratch_make(sub);
    check_ok(anni_registry_open(&r, sub, 30000));
    check_ok(ann_arena_new(&arena));
    const int64_t first = join(&r, arena, "run", "k1", ANNULUS__V1__ASSIGNMENT__KIND__PHASE);
    lose(&r, 0);
    r.lost_after_ms = -1000; /* everybody has been silent for long */
    lose(&r, 1);
    assert_int_equal(count(&r, "SELECT state FROM phase"), ANNULUS__V1__PHASE_STATE__PHASE_PENDING);
    assert_int_equal(count(&r, "SELECT state FROM run"), ANNULUS__V1__RUN_STATE__RUN_WAITING);

    /* It is heard of again, and nobody has taken its phase. A request that waited meanwhile is handed to it.
     */
    Annulus__V1__ControlRequest control = ANNULUS__V1__CONTROL_REQUEST__INIT;
    control.run = "run";
    control.kind = ANNULUS__V1__CONTROL_KIND__CHECKPOINT;
    check_ok(ask(&r, arena, ANN_COORD_CONTROL, &control, NULL));
    Annulus__V1__HeartbeatRequest beat = ANNULUS__V1__HEARTBEAT_REQUEST__INIT;
    beat.job = first;
    beat.phase = "p";
    check_ok(ask(&r, arena, ANN_COORD_HEARTBEAT, &beat, &reply));
    assert_false(((Annulus__V1__HeartbeatReply *)reply)->over);
    assert_int_equal(((Annulus__V1__HeartbeatReply *)reply)->n_requests, 1);
    assert_int_equal(count(&r, "SELECT state FROM phase"), ANNULUS__V1__PHASE_STATE__PHASE_ACTIVE);

    /* Lost again, and this time another job takes over: the first one may not go on. */
    lose(&r, 1);
    const int64_t second = join(&r, arena, "run", "k2", ANNULUS__V1__ASSIGNMENT__KIND__PHASE);
    check_ok(ask(&r, arena, ANN_COORD_HEARTBEAT, &beat, &reply));
    assert_true(((Annulus__V1__HeartbeatReply *)reply)->over);
    assert_int_equal(count(&r, "SELECT job FROM phase"), second);
    check_ok(ask(&r, arena, ANN_COORD_HEARTBEAT, &beat, &reply));
    assert_true(((Annulus__V1__HeartbeatReply *)reply)->over);
    beat.job = second;
    check_ok(ask(&r, arena, ANN_COORD_HEARTBEAT, &beat, &reply));
    assert_int_equal(((Annulus__V1__HeartbeatReply *)reply)->n_requests,
                     1); /* the request went on to the next job */
    ann_arena_free(arena);
    anni_registry_close(&r);
    scratch_remove(sub);
}

/* ---- killed at random ---- */

enum { BATCH = 3 };

/* Reports metrics, some groups of several requests, and tells the pipe what was committed, until killed. */
static void write_for_ever(int64_t job, uint64_t sequence, int acknowledge) {
    anni_registry r;
    if (anni_registry_open(&r, dir, 30000) != ANN_OK) _exit(1);
    for (uint32_t group = 0;; group++) {
        ann_arena *arena;
        if (ann_arena_new(&arena) != ANN_OK || anni_registry_begin(&r) != ANN_OK) _exit(1);
        for (uint32_t i = 0; i <= group % 4; i++) {
            Annulus__V1__ReportRequest q = ANNULUS__V1__REPORT_REQUEST__INIT;
            Annulus__V1__ReportReply a = ANNULUS__V1__REPORT_REPLY__INIT;
            Annulus__V1__Metric metrics[BATCH], *list[BATCH];
            for (int k = 0; k < BATCH; k++) {
                annulus__v1__metric__init(&metrics[k]);
                metrics[k].sequence = ++sequence;
                metrics[k].phase = "p";
                list[k] = &metrics[k];
            }
            q.job = job;
            q.metrics = list;
            q.n_metrics = BATCH;
            if (anni_registry_try(&r) != ANN_OK ||
                anni_methods[ANN_COORD_REPORT].handle(&r, &caller, arena, &q.base, &a.base) != ANN_OK ||
                a.sequence != sequence || anni_registry_keep(&r) != ANN_OK)
                _exit(1);
        }
        if (anni_registry_commit(&r) != ANN_OK) _exit(1);
        ann_arena_free(arena);
        if (write(acknowledge, &sequence, sizeof sequence) != (ssize_t)sizeof sequence) _exit(1);
    }
}

/* Every record up to the run's last is there, and the metrics among them are 1, 2, 3 ... up to the job's
 * last. */
static uint64_t check_whole(anni_registry *r, int64_t run) {
    const uint64_t last = (uint64_t)count(r, "SELECT sequence FROM run");
    uint64_t at = 1, metric = 0;
    while (at <= last) {
        check_ok(anni_records_read(r, run, at, 1000, 1 << 20));
        assert_true(r->fresh_count > 0);
        for (int i = 0; i < r->fresh_count; i++, at++) {
            Annulus__V1__Record *record =
                annulus__v1__record__unpack(NULL, r->fresh[i].size, r->fresh[i].bytes);
            assert_non_null(record);
            assert_int_equal(record->sequence, at);
            if (record->what_case == ANNULUS__V1__RECORD__WHAT_METRIC)
                assert_int_equal(record->metric->sequence, ++metric);
            annulus__v1__record__free_unpacked(record, NULL);
        }
    }
    check_ok(anni_records_read(r, run, at, 1000, 1 << 20));
    assert_int_equal(r->fresh_count, 0);
    assert_int_equal(count(r, "SELECT sequence FROM job"), metric);
    assert_int_equal(metric % BATCH, 0);
    return metric;
}

static void killed_at_random(void **state) {
    anni_registry r;
    ann_arena *arena;
    int64_t run;
    uint64_t sequence = 0, groups = 0;
    (void)state;
    check_ok(anni_registry_open(&r, dir, 30000));
    check_ok(ann_arena_new(&arena));
    const int64_t job = join(&r, arena, "run", "k", ANNULUS__V1__ASSIGNMENT__KIND__PHASE);
    check_ok(anni_run_find(&r, &run, NULL, "run"));
    ann_arena_free(arena);
    anni_registry_close(&r);
    for (uint32_t round = 0; round < 60; round++) {
        int ends[2], status;
        uint64_t acknowledged = sequence, told;
        assert_int_equal(pipe(ends), 0);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) write_for_ever(job, sequence, ends[1]);
        close(ends[1]);
        ann_sleep_ns((int64_t)(ann_random_u32(1, 0, round, 0) % 40000000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(ends[0], &told, sizeof told) == (ssize_t)sizeof told) {
            acknowledged = told;
            groups++;
        }
        close(ends[0]);
        check_ok(anni_registry_open(&r, dir, 30000));
        sequence = check_whole(&r, run);
        assert_true(sequence >= acknowledged);
        anni_registry_close(&r);
    }
    print_message("%llu metrics in %llu acknowledged groups and 60 kills\n", (unsigned long long)sequence,
                  (unsigned long long)groups);
    assert_true(groups > 60);
}

/* ---- names ---- */

static void names(void **state) {
    (void)state;
    check_ok(anni_name_check("run", "Fashion-2.a_b", false));
    check_ok(anni_name_check("phase", "a/b", true));
    check_ok(anni_name_check_optional("phase", "", true));
    static const char *const bad[] = {"",    "a/b", "/a",   "..",  "-a",       "_a",  "a b",
                                      "a\n", "a'b", "a\"b", "a;b", "\xc3\xa9", "a\\b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(anni_name_check("run", bad[i], false), ANN_ERR_ARG);

    Annulus__V1__LeaveRequest q = ANNULUS__V1__LEAVE_REQUEST__INIT;
    q.text = "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80";
    check_ok(anni_message_check(&q.base));
    static const char *const no_utf8[] = {"\xff",         "\xc3",
                                          "\xc0\xaf",     "\xe0\x80\xaf",
                                          "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                          "\x80",         "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof no_utf8 / sizeof no_utf8[0]; i++) {
        q.text = (char *)no_utf8[i];
        assert_int_equal(anni_message_check(&q.base), ANN_ERR_ARG);
    }

    static const char *const near[] = {"localhost", "127.0.0.1", "127.9.8.7", "[::1]"};
    static const char *const far[] = {"0.0.0.0", "127.0.0.1.example.org", "localhost.example.org", "[::]", "",
                                      "10.0.0.1"};
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) assert_true(anni_is_loopback(near[i]));
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) assert_false(anni_is_loopback(far[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(a_failure_leaves_no_trace),
        cmocka_unit_test(silent_jobs_are_lost_and_come_back),
        cmocka_unit_test(killed_at_random),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
