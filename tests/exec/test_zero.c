/* ZeRO stage 1 on simulated ranks: each is a thread of this process with a store and a plan of its own, and
   the collectives are sums in the order of the ranks. The step must be the one that ranks make which sum
   whole gradients. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "exec/exec.h"
#include "graph/node.h"
#include "pass/pass.h"
#include "support/check.h"
#include "support/model.h"
#include "tensor/chunk.h"

enum { MAX_RANKS = 5, MAX_REQUESTS = 64, STEPS = 3, PIXELS = MODEL_BATCH * MODEL_SIDE * MODEL_SIDE };

/* ---- the collectives: what is started is carried out when the last rank waits for it ---- */

typedef struct world {
    int size;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    ann_message sent[MAX_REQUESTS][MAX_RANKS];
    ann_outcome outcome[MAX_REQUESTS];
    int started[MAX_REQUESTS], done[MAX_REQUESTS];
    int mismatches;
} world;

typedef struct rank_state {
    world *w;
    int rank, next, count[3];
    ann_channel_ops ops;
} rank_state;

static void carry_out(world *w, int r) {
    const ann_message *first = &w->sent[r][0];
    const int64_t elems = first->elems;
    double *sum = calloc((size_t)elems + 1, sizeof *sum);
    for (int from = 0; from < w->size; from++) {
        const ann_message *m = &w->sent[r][from];
        int64_t begin = 0, count = elems;
        if (m->collective != first->collective || m->elems != elems) w->mismatches++;
        if (first->collective == ANN_COLLECTIVE_ALLGATHER) ann_chunk_of(elems, w->size, from, &begin, &count);
        for (int64_t i = begin; i < begin + count; i++) sum[i] += ann_elem_get(m->data, m->dtype, i);
    }
    for (int to = 0; to < w->size; to++) {
        const ann_message *m = &w->sent[r][to];
        int64_t begin, count;
        ann_chunk_of(elems, w->size, to, &begin, &count);
        for (int64_t i = 0; i < elems; i++) {
            const bool mine = i >= begin && i < begin + count;
            const bool undefined = m->collective == ANN_COLLECTIVE_REDUCE_SCATTER && !mine;
            if (m->collective == ANN_COLLECTIVE_ALLGATHER && mine) continue;
            ann_elem_set(m->data, m->dtype, i, undefined ? NAN : sum[i]);
        }
    }
    free(sum);
}

static ann_status start(void *self, const ann_message *message, ann_outcome mine, int *request) {
    rank_state *s = self;
    world *w = s->w;
    assert_true(s->next < MAX_REQUESTS);
    pthread_mutex_lock(&w->lock);
    *request = s->next++;
    s->count[message->collective]++;
    w->sent[*request][s->rank] = *message;
    if (message->collective == ANN_COLLECTIVE_ALLREDUCE) {
        w->outcome[*request].failed |= mine.failed;
        w->outcome[*request].nonfinite |= mine.nonfinite;
    }
    if (++w->started[*request] == w->size) {
        carry_out(w, *request);
        w->done[*request] = 1;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return ANN_OK;
}
static ann_status progress(void *self) { return (void)self, ANN_OK; }
static ann_status wait_for(void *self, int request, ann_outcome *all) {
    world *w = ((rank_state *)self)->w;
    pthread_mutex_lock(&w->lock);
    while (!w->done[request]) pthread_cond_wait(&w->changed, &w->lock);
    *all = w->outcome[request];
    pthread_mutex_unlock(&w->lock);
    return ANN_OK;
}

/* ---- one rank ---- */

typedef struct job {
    world *w;
    rank_state state;
    bool zero;
    int fails_at; /* step, or -1 */
    model m;
    double loss, norm;
    ann_status status;
    bool torn;
    ann_scatter ranges[32];
    int n_ranges;
} job;

static void note(void *to, ann_scatter range) {
    job *j = to;
    if (j->n_ranges < 32) j->ranges[j->n_ranges++] = range;
}

static void *run_rank(void *arg) {
    job *j = arg;
    ann_graph *g = NULL;
    ann_plan *plan = NULL;
    double x[PIXELS], lr = 0.05;
    int32_t y[MODEL_BATCH];
    int64_t ids[MODEL_BATCH];
    ann_pass_options passes = {.bucket = {512, 64}, .fuse = true};
    if (j->zero) passes.zero = (ann_zero_options){j->state.rank, j->w->size, note, j};
    const ann_plan_options options = {.policy = ANN_KERNEL_REFERENCE, .channels = &j->state.ops};
    model_images(x);
    model_labels(y);
    for (int i = 0; i < PIXELS; i++) x[i] += 0.1 * j->state.rank * (i % 5);
    for (int i = 0; i < MODEL_BATCH; i++) ids[i] = j->state.rank * MODEL_BATCH + i;
    j->status = ann_pass_standard(&g, j->m.graph, &passes);
    if (j->status == ANN_OK) j->status = ann_plan_new(&plan, g, &options);
    if (j->status == ANN_OK) j->status = ann_plan_bind(plan, "x", x);
    if (j->status == ANN_OK) j->status = ann_plan_bind(plan, "y", y);
    if (j->status == ANN_OK) j->status = ann_plan_bind(plan, "ids", ids);
    if (j->status == ANN_OK) j->status = ann_plan_bind(plan, "lr", &lr);
    for (int s = 0; s < STEPS && j->status == ANN_OK; s++) {
        memset(j->state.count, 0, sizeof j->state.count);
        j->status = ann_plan_run(plan, s == j->fails_at ? ANN_ERR_IO : ANN_OK);
        j->loss = ann_elem_get(ann_plan_output(plan, "loss"), ANN_F64, 0);
        j->norm = ann_elem_get(ann_plan_output(plan, "norm"), ANN_F64, 0);
    }
    if (plan) j->torn = ann_plan_torn(plan);
    ann_plan_free(plan);
    ann_graph_free(g);
    return NULL;
}

static void run_world(job *jobs, int size, bool zero, int fails_on, int fails_at) {
    pthread_t threads[MAX_RANKS];
    world *w = calloc(1, sizeof *w);
    w->size = size;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    for (int r = 0; r < size; r++) {
        jobs[r] = (job){.w = w, .zero = zero, .fails_at = r == fails_on ? fails_at : -1};
        jobs[r].state = (rank_state){.w = w, .rank = r};
        jobs[r].state.ops = (ann_channel_ops){.self = &jobs[r].state,
                                              .rank = r,
                                              .size = size,
                                              .start = start,
                                              .progress = progress,
                                              .wait = wait_for};
        model_new(&jobs[r].m, ANN_F64);
    }
    for (int r = 0; r < size; r++) assert_int_equal(pthread_create(&threads[r], NULL, run_rank, &jobs[r]), 0);
    for (int r = 0; r < size; r++) pthread_join(threads[r], NULL);
    assert_int_equal(w->mismatches, 0);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static void end_world(job *jobs, int size) {
    for (int r = 0; r < size; r++) model_free(&jobs[r].m);
}

/* Element i of a block where it is kept right: on the rank whose chunk it is in. */
static double kept(const job *jobs, int size, ann_block block, int64_t i) {
    int owner = 0;
    for (int k = 0; k < jobs[0].n_ranges; k++) {
        const ann_scatter *range = &jobs[0].ranges[k];
        if (range->block.id != block.id || i < range->offset || i >= range->offset + range->elems) continue;
        for (int r = 0; r < size; r++) {
            int64_t begin, count;
            ann_chunk_of(range->elems, size, r, &begin, &count);
            if (i - range->offset >= begin && i - range->offset < begin + count) owner = r;
        }
    }
    return ann_elem_get(ann_store_block_data(jobs[owner].m.store, block), ANN_F64, i);
}

static void compare(const job *zero, const job *plain, int size, double tolerance) {
    for (int32_t b = 0; b < ann_store_block_count(plain[0].m.store); b++) {
        const int64_t n = ann_store_block_elems(plain[0].m.store, (ann_block){b});
        const void *want = ann_store_block_data(plain[0].m.store, (ann_block){b});
        for (int64_t i = 0; i < n; i++)
            assert_true(fabs(kept(zero, size, (ann_block){b}, i) - ann_elem_get(want, ANN_F64, i)) <=
                        tolerance);
    }
}

/* ---- tests ---- */

/* The norm is summed in another order, which moves the clipped gradient by a few eps. */
static void the_step_is_the_same(void **state) {
    (void)state;
    for (int size = 2; size <= MAX_RANKS; size++) {
        job plain[MAX_RANKS], zero[MAX_RANKS];
        run_world(plain, size, false, -1, -1);
        run_world(zero, size, true, -1, -1);
        for (int r = 0; r < size; r++) {
            assert_int_equal(plain[r].status, ANN_OK);
            assert_int_equal(zero[r].status, ANN_OK);
            assert_true(fabs(zero[r].loss - plain[r].loss) <= 1e-11);
            assert_true(fabs(zero[r].norm - plain[r].norm) <= 1e-11);
            assert_true(zero[r].state.count[ANN_COLLECTIVE_REDUCE_SCATTER] > 2);
            assert_int_equal(zero[r].state.count[ANN_COLLECTIVE_ALLGATHER],
                             zero[r].state.count[ANN_COLLECTIVE_REDUCE_SCATTER]);
            assert_int_equal(zero[r].state.count[ANN_COLLECTIVE_ALLREDUCE], 2); /* the norm and the vote */
            assert_int_equal(zero[r].n_ranges, 3 * zero[r].state.count[ANN_COLLECTIVE_ALLGATHER]);
        }
        compare(zero, plain, size, 1e-11);
        end_world(plain, size);
        end_world(zero, size);
    }
}

/* Moments of other chunks are never written. */
static void moments_are_kept_once(void **state) {
    (void)state;
    job jobs[3];
    run_world(jobs, 3, true, -1, -1);
    const int64_t n = ann_store_block_elems(jobs[0].m.store, jobs[0].m.m);
    for (int64_t i = 0; i < n; i++) {
        int holders = 0;
        for (int r = 0; r < 3; r++)
            holders += ann_elem_get(ann_store_block_data(jobs[r].m.store, jobs[r].m.m), ANN_F64, i) != 0;
        assert_true(holders <= 1);
    }
    end_world(jobs, 3);
}

static void a_failing_rank_stops_all_updates(void **state) {
    (void)state;
    for (int fails_on = 0; fails_on < 3; fails_on++) {
        job jobs[3];
        run_world(jobs, 3, true, fails_on, 0);
        for (int r = 0; r < 3; r++) {
            model untouched;
            model_new(&untouched, ANN_F64);
            assert_int_equal(jobs[r].status, r == fails_on ? ANN_ERR_IO : ANN_ERR_PEER);
            assert_false(jobs[r].torn);
            for (int32_t b = 0; b < ann_store_block_count(untouched.store); b++)
                assert_memory_equal(ann_store_block_data(jobs[r].m.store, (ann_block){b}),
                                    ann_store_block_data(untouched.store, (ann_block){b}),
                                    (size_t)ann_store_block_elems(untouched.store, (ann_block){b}) *
                                        sizeof(double));
            model_free(&untouched);
        }
        end_world(jobs, 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_step_is_the_same),
        cmocka_unit_test(moments_are_kept_once),
        cmocka_unit_test(a_failing_rank_stops_all_updates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
