// ranks: 2 3
/* One rank does not take part: the others end with ANN_ERR_TIMEOUT and name it, and nobody hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <mpi.h>
#include "comm/comm.h"
#include "support/mpi_verdict.h"

enum { ELEMS = 50000 };
static const double TIMEOUT_S = 1.5;
static double values[ELEMS + 1];

typedef ann_status (*collective)(ann_comm *comm);

static ann_status reduce(ann_comm *comm) { return ann_comm_allreduce(comm, values, ELEMS, ANN_F64); }
static ann_status barrier(ann_comm *comm) { return ann_comm_barrier(comm); }
static ann_status agree(ann_comm *comm) { return ann_agree(comm, ANN_OK); }
static ann_status buckets(ann_comm *comm) {
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    int request[2];
    const ann_message first = {.data = values, .elems = 1000, .dtype = ANN_F64, .label = "the first bucket"},
                      second = {.channel = 1, .data = values + 2000, .elems = 2000, .dtype = ANN_F64};
    ann_outcome all;
    ann_comm_set_context(comm, "phase tune, step 12");
    ANN_TRY(ops->start(ops->self, &first, (ann_outcome){0}, &request[0]));
    ANN_TRY(ops->start(ops->self, &second, (ann_outcome){0}, &request[1]));
    ANN_TRY(ops->wait(ops->self, request[0], &all));
    return ops->wait(ops->self, request[1], &all);
}

/* `silent` stays away from `call` until all others have given up; then it comes, too late. */
static void one_rank_stays_away(collective call, int silent, const char *must_say) {
    ann_comm *comm = NULL;
    assert_all_ranks(ann_comm_world(&comm, TIMEOUT_S) == ANN_OK);
    const bool away = silent == ann_comm_rank(comm);
    ann_status status = ANN_OK;
    if (!away) status = call(comm);
    char name[32], text[1024];
    (void)snprintf(name, sizeof name, "no answer from rank %d (", silent);
    (void)snprintf(text, sizeof text, "%s", ann_error_text());
    assert_all_ranks(away || status == ANN_ERR_TIMEOUT);
    if (!away && !(strstr(text, name) && strstr(text, must_say))) (void)fprintf(stderr, "%s\n", text);
    assert_all_ranks(away || (strstr(text, name) && strstr(text, must_say)));
    if (away) status = call(comm);
    assert_all_ranks(status == ANN_ERR_TIMEOUT);
    assert_all_ranks(call(comm) == ANN_ERR_COMM); /* at once: nobody would answer */
    assert_all_ranks(strstr(ann_error_text(), "communicator unusable after") != NULL);
    ann_comm_free(comm);
}

static void reduction(void **state) {
    (void)state;
    one_rank_stays_away(reduce, 0, "(channel -1, 400000 bytes, ");
    one_rank_stays_away(reduce, 1, "(channel -1, 400000 bytes, ");
}

static void buckets_of_a_plan(void **state) {
    (void)state;
    one_rank_stays_away(buckets, 1, "phase tune, step 12: timeout of 1.5 s");
}

/* Runs the call with stderr in a file, whose text goes to buf. */
static ann_status with_log(collective call, ann_comm *comm, char *buf, size_t bytes) {
    FILE *file = tmpfile();
    const int kept = dup(STDERR_FILENO);
    if (!file || kept < 0 || dup2(fileno(file), STDERR_FILENO) < 0) return ANN_ERR_IO;
    const ann_status status = call(comm);
    (void)dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    buf[fread(buf, 1, bytes - 1, file)] = '\0';
    fclose(file);
    return status;
}

/* One rank says it for all: phase, step, bucket, bytes, who is late, on which host, who waits for whom. */
static void one_verdict(void **state) {
    (void)state;
    ann_comm *comm = NULL;
    char log[4096] = "", name[64], waits[160];
    assert_all_ranks(ann_comm_world(&comm, TIMEOUT_S) == ANN_OK);
    const int size = ann_comm_size(comm), late = size - 1;
    const bool away = ann_comm_rank(comm) == late;
    int64_t steps_done = 119;
    ann_status status = ANN_ERR_TIMEOUT;
    ann_comm_watch(comm, "cnn", &steps_done);
    if (!away) status = with_log(buckets, comm, log, sizeof log);
    int spoke = strstr(log, "verdict: ") != NULL, speakers = 0;
    MPI_Allreduce(&spoke, &speakers, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    assert_all_ranks(status == ANN_ERR_TIMEOUT && speakers == 1);
    (void)snprintf(name, sizeof name, "verdict: phase cnn, step 120: late: rank %d (host ", late);
    (void)snprintf(
        waits, sizeof waits,
        ") waits for the first bucket: message 1 (channel 0, 8016 bytes, shared%s), step 1 of 1, from "
        "rank %d, for ",
        size > 2 ? ", direct" : "", late);
    if (spoke) (void)fputs(log, stderr);
    assert_all_ranks(!spoke || (strstr(log, name) && strstr(log, waits)));
    if (away) status = buckets(comm); /* comes when all is said */
    assert_all_ranks(status == (away ? ANN_ERR_TIMEOUT : status));
    ann_comm_free(comm);
}

static void a_barrier(void **state) {
    (void)state;
    one_rank_stays_away(barrier, 1, "a barrier");
}

static void an_agreement(void **state) {
    (void)state;
    one_rank_stays_away(agree, 0, "an agreement");
}

static void a_local_failure_survives_a_broken_communicator(void **state) {
    (void)state;
    ann_comm *comm = NULL;
    assert_all_ranks(ann_comm_world(&comm, TIMEOUT_S) == ANN_OK);
    const bool away = ann_comm_rank(comm) == 0;
    ann_status status = ANN_ERR_IO;
    if (!away) status = ann_agree(comm, ann_error(ANN_ERR_IO, "disk gone"));
    assert_all_ranks(status == ANN_ERR_IO);
    assert_all_ranks(away || strstr(ann_error_text(), "disk gone"));
    ann_comm_free(comm);
}

/* Ranks that wait for different things are told so, instead of blaming one of them. */
static void ranks_in_different_collectives(void **state) {
    (void)state;
    ann_comm *comm = NULL;
    assert_all_ranks(ann_comm_world(&comm, TIMEOUT_S) == ANN_OK);
    const ann_status status = ann_comm_rank(comm) == 0 ? reduce(comm) : barrier(comm);
    assert_all_ranks(status == ANN_ERR_TIMEOUT);
    assert_all_ranks(strstr(ann_error_text(), "no answer") == NULL);
    ann_comm_free(comm);
}

/* The ranks that see a message of the wrong size say so; the others hear of it long before the deadline. */
static void ranks_that_disagree_about_the_size(void **state) {
    (void)state;
    ann_comm *comm = NULL;
    assert_all_ranks(ann_comm_world(&comm, 3600.0) == ANN_OK);
    const ann_status status =
        ann_comm_allreduce(comm, values, ann_comm_rank(comm) == 0 ? 1000 : 2000, ANN_F64);
    int mine = status == ANN_ERR_COMM, any = 0;
    MPI_Allreduce(&mine, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    assert_all_ranks(status == ANN_ERR_COMM || status == ANN_ERR_TIMEOUT);
    assert_true(any); /* the same on all ranks */
    ann_comm_free(comm);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reduction),
        cmocka_unit_test(buckets_of_a_plan),
        cmocka_unit_test(one_verdict),
        cmocka_unit_test(a_barrier),
        cmocka_unit_test(an_agreement),
        cmocka_unit_test(a_local_failure_survives_a_broken_communicator),
        cmocka_unit_test(ranks_in_different_collectives),
        cmocka_unit_test(ranks_that_disagree_about_the_size),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
