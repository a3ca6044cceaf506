// ranks: 3
/* A kernel fails on one rank just before each bucket in turn: all ranks leave the step with the same status
   and text, nothing has changed, and the next step is that of a twin that never failed, bit by bit, on all
   ranks. */
#include <stdio.h>
#include <string.h>
#include <mpi.h>
#include "exec/plan.h"
#include "pass/pass.h"
#include "support/check.h"
#include "support/model.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "train/desync.h"

enum { MOST_BUCKETS = 16, ELEMS = 4096 };
static ann_status failing;
static uint64_t hashes[16];

static int setup(void **state) { return stage_of_all_ranks(state); }

static ann_status run_failing(const ann_kernel_call *call) {
    (void)call;
    return ann_error(failing, "injected into a kernel");
}
static const ann_kernel fails = {.name = "fails", .run = run_failing};

typedef struct trainee {
    model m;
    ann_plan *plan;
} trainee;

/* The kernels just before each reduction; returns how many reductions there are. */
static int kernels_of(ann_plan *plan, anni_instr *before[MOST_BUCKETS]) {
    anni_instr *last = NULL;
    int n = 0;
    for (int i = 0; i < plan->n_instrs && n < MOST_BUCKETS; i++) {
        if (plan->instrs[i].kind == ANNI_KERNEL && !plan->instrs[i].writes) last = &plan->instrs[i];
        if (plan->instrs[i].kind == ANNI_REDUCE && last) before[n++] = last;
    }
    return n;
}

static size_t keep(const model *m, char *to) {
    size_t used = 0;
    for (int32_t i = 0; i < ann_store_count(m->store); i++) {
        const ann_tensor_info *info = ann_store_info(m->store, (ann_tensor){i});
        const size_t bytes = (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
        memcpy(to + used, ann_store_data(m->store, (ann_tensor){i}), bytes);
        used += bytes;
    }
    return used;
}

/* The status of the step on all ranks; `text` is the same on all. */
static ann_status step(ann_plan *plan, ann_status inject, char text[1024]) {
    const ann_status mine = ann_plan_run(plan, inject);
    const ann_status all = ann_agree(comm, mine == ANN_ERR_PEER ? ANN_OK : mine);
    (void)snprintf(text, 1024, "%s", all == ANN_OK ? "" : ann_error_text());
    return all;
}

/* A step without a fault. */
static void good_step(ann_plan *plan) {
    char text[1024];
    assert_all_ranks(step(plan, ANN_OK, text) == ANN_OK);
}

static void one(trainee *t, const trainee *twin, anni_instr *at, int failing_rank) {
    static char before[ELEMS * 4], after[ELEMS * 4], text[1024], want[64];
    ann_plan *plan = t->plan;
    const model *m = &t->m;
    const ann_kernel *kernel = at ? at->kernel : NULL;
    const size_t bytes = keep(m, before);
    (void)snprintf(want, sizeof want, "rank %d: injected into a kernel", failing_rank);
    if (rank == failing_rank && at) at->kernel = &fails;
    const bool early = rank == failing_rank && !at;
    const ann_status status = step(plan, early ? ann_error(failing, "injected into a kernel") : ANN_OK, text);
    if (at) at->kernel = kernel;
    if (status != failing || strcmp(text, want) != 0) fprintf(stderr, "%d: %s\n", (int)status, text);
    assert_all_ranks(status == failing && strcmp(text, want) == 0);
    assert_all_ranks(keep(m, after) == bytes && memcmp(before, after, bytes) == 0);
    assert_all_ranks(!ann_plan_torn(plan));
    good_step(plan);
    assert_all_ranks(memcmp(before, after, keep(m, after)) != 0);
    good_step(twin->plan);
    assert_all_ranks(memcmp(before, after, keep(&twin->m, before)) == 0);
    const anni_desync same = {.phase = "", .differs = "running/*", .scratch = hashes};
    assert_all_ranks(anni_desync_check(comm, m->store, &same) == ANN_OK);
}

static void trainee_new(trainee *t, const float *x, const int32_t *y, const int64_t *ids, const double *lr) {
    ann_graph *g;
    model_new(&t->m, ANN_F32);
    check_ok(ann_pass_standard(&g, t->m.graph, &(ann_pass_options){.bucket = {64, 64}, .fuse = true}));
    check_ok(
        ann_plan_new(&t->plan, g, &(ann_plan_options){.threads = 1, .channels = ann_comm_channel_ops(comm)}));
    ann_graph_free(g);
    check_ok(ann_plan_bind(t->plan, "x", x));
    check_ok(ann_plan_bind(t->plan, "y", y));
    check_ok(ann_plan_bind(t->plan, "ids", ids));
    check_ok(ann_plan_bind(t->plan, "lr", lr));
}
static void trainee_free(trainee *t) {
    ann_plan_free(t->plan);
    model_free(&t->m);
}

static void at_every_rank_and_bucket(void **state) {
    (void)state;
    static double x64[MODEL_BATCH * MODEL_SIDE * MODEL_SIDE], lr = 0.01;
    static _Alignas(64) float x[MODEL_BATCH * MODEL_SIDE * MODEL_SIDE];
    static _Alignas(64) int32_t y[MODEL_BATCH];
    static _Alignas(64) int64_t ids[MODEL_BATCH];
    static const ann_status statuses[] = {ANN_ERR_MEMORY, ANN_ERR_IO, ANN_ERR_NUMERIC, ANN_ERR_INTERNAL};
    anni_instr *before[MOST_BUCKETS];
    trainee t, twin;
    model_images(x64);
    model_labels(y);
    for (int i = 0; i < MODEL_BATCH * MODEL_SIDE * MODEL_SIDE; i++) x[i] = (float)x64[i] * (float)(rank + 1);
    trainee_new(&t, x, y, ids, &lr);
    trainee_new(&twin, x, y, ids, &lr);
    const int buckets = kernels_of(t.plan, before);
    assert_all_ranks(buckets >= 5);
    for (int k = -1; k < buckets; k++) /* -1: before the step */
        for (int r = 0; r < size; r++)
            for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
                failing = statuses[i];
                one(&t, &twin, k < 0 ? NULL : before[k], r);
            }
    if (rank == 0) print_message("%d ranks x %d buckets\n", size, buckets);
    trainee_free(&t);
    trainee_free(&twin);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    ann_kernel_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(at_every_rank_and_bucket)};
    const int failed = cmocka_run_group_tests(tests, setup, stage_end);
    MPI_Finalize();
    return failed;
}
