/* Client and server in one process, as a job that holds its own coordinator: calls, reports in a stream,
   deadlines, cancelling, and a watch that goes on where it was when the server comes back. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "coord/coord.h"
#include "support/check.h"
#include "support/scratch.h"

static char dir[SCRATCH_PATH_BYTES];

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

static ann_coord_server *serve(const char *listen) {
    ann_coord_server *server;
    const ann_coord_server_options options = {.listen = listen, .dir = dir, .plain = true};
    check_ok(ann_coord_server_start(&server, &options));
    return server;
}

static ann_coord_client *connect_to(const char *address, int timeout_ms) {
    ann_coord_client *client;
    const ann_coord_client_options options = {
        .address = address, .dir = dir, .plain = true, .timeout_ms = timeout_ms};
    check_ok(ann_coord_client_open(&client, &options));
    return client;
}

static ann_status submit(ann_coord_client *client, const char *run) {
    Annulus__V1__SubmitRequest request = ANNULUS__V1__SUBMIT_REQUEST__INIT;
    request.run = (char *)run;
    return ann_coord_call(client, ANN_COORD_SUBMIT, &request.base, NULL);
}

static void calls(void **state) {
    const Annulus__V1__ListRequest list = ANNULUS__V1__LIST_REQUEST__INIT;
    Annulus__V1__StatusRequest status = ANNULUS__V1__STATUS_REQUEST__INIT;
    ProtobufCMessage *reply;
    (void)state;
    ann_coord_server *server = serve(NULL);
    ann_coord_client *client = connect_to(NULL, 20000);
    check_ok(submit(client, "calls"));
    check_ok(ann_coord_call(client, ANN_COORD_LIST, &list.base, &reply));
    assert_int_equal(((Annulus__V1__ListReply *)reply)->n_runs, 1);
    assert_string_equal(((Annulus__V1__ListReply *)reply)->runs[0]->name, "calls");
    protobuf_c_message_free_unpacked(reply, NULL);
    status.run = "nobody";
    assert_int_equal(ann_coord_call(client, ANN_COORD_STATUS, &status.base, &reply), ANN_ERR_NOT_FOUND);
    assert_null(reply);
    assert_non_null(strstr(ann_error_text(), "nobody"));
    assert_int_equal(submit(client, "a/b"), ANN_ERR_ARG);
    assert_int_equal(ann_coord_call(client, ANN_COORD_STATUS, &list.base, &reply), ANN_ERR_ARG);

    /* One state, one coordinator. */
    ann_coord_server *second;
    const ann_coord_server_options options = {.dir = dir, .plain = true};
    assert_int_equal(ann_coord_server_start(&second, &options), ANN_ERR_CONFIG);
    ann_coord_client_close(client);
    ann_coord_server_stop(server);
}

/* ---- reports, which share a stream ---- */

static int64_t register_job(ann_coord_client *client) {
    Annulus__V1__RegisterRequest request = ANNULUS__V1__REGISTER_REQUEST__INIT;
    ProtobufCMessage *reply;
    request.key = "key";
    request.run = "reports";
    request.ranks = 1;
    check_ok(ann_coord_call(client, ANN_COORD_REGISTER_JOB, &request.base, &reply));
    const int64_t job = ((Annulus__V1__RegisterReply *)reply)->job;
    protobuf_c_message_free_unpacked(reply, NULL);
    return job;
}

static ann_status report(ann_coord_client *client, int64_t job, uint64_t sequence) {
    Annulus__V1__ReportRequest request = ANNULUS__V1__REPORT_REQUEST__INIT;
    Annulus__V1__Metric metric = ANNULUS__V1__METRIC__INIT, *metrics = &metric;
    ProtobufCMessage *reply;
    metric.sequence = sequence;
    request.job = job;
    request.metrics = &metrics;
    request.n_metrics = 1;
    ANN_TRY(ann_coord_call(client, ANN_COORD_REPORT, &request.base, &reply));
    assert_int_equal(((Annulus__V1__ReportReply *)reply)->sequence, sequence);
    protobuf_c_message_free_unpacked(reply, NULL);
    return ANN_OK;
}

static void reports(void **state) {
    char address[300];
    (void)state;
    ann_coord_server *server = serve("127.0.0.1:0");
    snprintf(address, sizeof address, "%s", ann_coord_server_address(server));
    ann_coord_client *client = connect_to(address, 20000);
    const int64_t job = register_job(client);
    for (uint64_t i = 1; i < 4; i++) check_ok(report(client, job, i));
    assert_int_equal(report(client, job, 5), ANN_ERR_CONFIG); /* a gap, which ends the stream */
    assert_non_null(strstr(ann_error_text(), "metric 5 follows, expected is 4"));
    check_ok(report(client, job, 4));
    check_ok(submit(client, "beside"));
    check_ok(report(client, job, 5));
    ann_coord_server_stop(server);
    assert_int_equal(report(client, job, 6), ANN_ERR_COMM);
    assert_non_null(strstr(ann_error_text(), "the coordinator stops"));
    server = serve(address);
    int tries = 0;
    while (report(client, job, 6) != ANN_OK && ++tries < 200) ann_sleep_ns(20000000);
    assert_true(tries < 200);
    ann_coord_client_cancel(client);
    assert_int_equal(report(client, job, 7), ANN_ERR_STOP);
    ann_coord_client_close(client);
    ann_coord_server_stop(server);
}

static void plain_text_stays_here(void **state) {
    ann_coord_client *client;
    ann_coord_client_options options = {.address = "192.0.2.1:1", .dir = dir, .plain = true};
    (void)state;
    assert_int_equal(ann_coord_client_open(&client, &options), ANN_ERR_CONFIG);
    options = (ann_coord_client_options){.address = "localhost:1", .dir = dir, .plain = false};
    assert_int_equal(ann_coord_client_open(&client, &options), ANN_ERR_NOT_FOUND); /* no ca.crt */
    options = (ann_coord_client_options){.dir = dir, .plain = true};
    assert_int_equal(ann_coord_client_open(&client, &options), ANN_ERR_NOT_FOUND); /* no server, no address */
    options = (ann_coord_client_options){.address = "localhost:1", .dir = dir, .plain = true, .name = "../x"};
    assert_int_equal(ann_coord_client_open(&client, &options), ANN_ERR_ARG);
}

/* A port of which nobody takes the connections. */
static int listen_only(char *address, size_t size) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof here;
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, length), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &length), 0);
    snprintf(address, size, "127.0.0.1:%d", ntohs(here.sin_port));
    return fd;
}

static void nobody_answers(void **state) {
    char address[64];
    (void)state;
    const int fd = listen_only(address, sizeof address);
    ann_coord_client *client = connect_to(address, 300);
    const ann_status silent = submit(client, "x");
    assert_true(silent == ANN_ERR_TIMEOUT || silent == ANN_ERR_COMM);
    ann_coord_client_close(client);
    close(fd);
    client = connect_to(address, 20000); /* now the connection is refused, which is known at once */
    assert_int_equal(submit(client, "x"), ANN_ERR_COMM);
    ann_coord_client_close(client);
}

static void *cancel_soon(void *client) {
    ann_sleep_ns(100000000);
    ann_coord_client_cancel(client);
    return NULL;
}

static bool take_all(void *context, const Annulus__V1__Record *record) {
    atomic_ullong *last = context;
    assert_int_equal(record->sequence, atomic_load(last) + 1);
    atomic_store(last, record->sequence);
    return true;
}

static void cancelled_from_elsewhere(void **state) {
    char address[64];
    pthread_t thread;
    atomic_ullong last = 0;
    (void)state;
    const int fd = listen_only(address, sizeof address);
    ann_coord_client *client = connect_to(address, 60000);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, client), 0);
    assert_int_equal(submit(client, "x"), ANN_ERR_STOP);
    assert_int_equal(submit(client, "x"), ANN_ERR_STOP); /* and so does every later call */
    pthread_join(thread, NULL);
    ann_coord_client_close(client);
    close(fd);

    ann_coord_server *server = serve(NULL);
    client = connect_to(NULL, 20000);
    check_ok(submit(client, "quiet"));
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, client), 0);
    assert_int_equal(ann_coord_watch(client, "quiet", 1, 60000, take_all, &last), ANN_ERR_STOP);
    assert_int_equal(last, 1);
    pthread_join(thread, NULL);
    ann_coord_client_close(client);
    ann_coord_server_stop(server);
}

/* ---- a watch over restarts ---- */

typedef struct watching {
    ann_coord_client *client;
    atomic_ullong last;
    ann_status status;
} watching;

static void *watch(void *arg) {
    watching *w = arg;
    w->status = ann_coord_watch(w->client, "long", 1, 60000, take_all, &w->last);
    return NULL;
}

static void wait_for(watching *w, uint64_t sequence) {
    for (int i = 0; i < 3000 && atomic_load(&w->last) < sequence; i++) ann_sleep_ns(10000000);
    assert_int_equal(atomic_load(&w->last), sequence);
}

static void a_watch_goes_on_after_a_restart(void **state) {
    Annulus__V1__ControlRequest request = ANNULUS__V1__CONTROL_REQUEST__INIT;
    watching w = {0};
    pthread_t thread;
    char address[300];
    (void)state;
    ann_coord_server *server = serve("127.0.0.1:0");
    snprintf(address, sizeof address, "%s", ann_coord_server_address(server));
    ann_coord_client *operator= connect_to(address, 20000);
    w.client = connect_to(address, 20000);
    check_ok(submit(operator, "long"));
    assert_int_equal(pthread_create(&thread, NULL, watch, &w), 0);
    wait_for(&w, 1);
    request.run = "long";
    request.kind = ANNULUS__V1__CONTROL_KIND__CHECKPOINT;
    for (uint64_t round = 0; round < 4; round++) {
        ann_coord_server_stop(server); /* the watcher is told, and tries again */
        server = serve(address);
        ann_status status = ANN_ERR_COMM;
        for (int i = 0; i < 200 && status == ANN_ERR_COMM; i++) {
            status = ann_coord_call(operator, ANN_COORD_CONTROL, &request.base, NULL);
            if (status == ANN_ERR_COMM) ann_sleep_ns(20000000);
        }
        check_ok(status);
        wait_for(&w, round + 2);
    }
    ann_coord_client_cancel(w.client);
    pthread_join(thread, NULL);
    assert_int_equal(w.status, ANN_ERR_STOP);
    ann_coord_client_close(w.client);
    ann_coord_client_close(operator);
    ann_coord_server_stop(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls),
        cmocka_unit_test(reports),
        cmocka_unit_test(plain_text_stays_here),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(cancelled_from_elsewhere),
        cmocka_unit_test(a_watch_goes_on_after_a_restart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
