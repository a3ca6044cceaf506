// ranks: 1 2 3
// timeout: 300
/* Compressed gradients on one rank and on several: error feedback loses nothing, the passes keep what is
   computed, PowerSGD is the projection of the true sum, and residuals survive a resume, on another number of
   ranks too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include "base/hash.h"
#include "base/philox.h"
#include "ckpt/ckpt.h"
#include "exec/exec.h"
#include "optim/optim.h"
#include "pass/pass.h"
#include "support/check.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "support/tiny_data.h"
#include "train/train.h"

/* ---- a step whose gradients are inputs: the loss is linear ---- */

enum { TENSORS = 4, MOST_ELEMS = 720 };

static const struct {
    const char *name, *input, *error;
    ann_shape shape;
} tensors[TENSORS] = {{"a", "ga", "error/a", {2, {12, 10}}},
                      {"b", "gb", "error/b", {1, {37}}},
                      {"c", "gc", "error/c", {4, {40, 3, 3, 2}}},
                      {"d", "gd", "error/d", {2, {2, 2}}}};

typedef struct problem {
    ann_store *store;
    ann_plan *plan;
    _Alignas(64) float grad[TENSORS][MOST_ELEMS];
    _Alignas(64) float one;
    _Alignas(64) double lr;
    double total[TENSORS][MOST_ELEMS]; /* of this rank's gradients so far */
} problem;

/* 0: all tensors are one group. */
static const ann_optim_group halves[] = {{"ab", "a,b", 1}, {"cd", "*", 1}};
static int group_count;

/* Instead of the communicator's; NULL: not. */
static const ann_channel_ops *channels;

static int64_t elems_of(int t) { return ann_shape_elems(&tensors[t].shape); }

static ann_status build(problem *p, const ann_compress *compress, int64_t bucket_bytes, bool fuse) {
    const ann_optim optim = {.kind = ANN_OPTIM_SGD, .compress = *compress};
    const ann_pass_options passes = {
        .bucket = {bucket_bytes, bucket_bytes}, .eager_updates = size == 1 && !channels, .fuse = fuse};
    const ann_plan_options options = {.threads = 1,
                                      .channels = channels   ? channels
                                                  : size > 1 ? ann_comm_channel_ops(comm)
                                                             : NULL};
    ann_graph *g, *lowered;
    ann_node loss = ANN_NODE_NONE;
    ANN_TRY(ann_store_new(&p->store, 1));
    ANN_TRY(ann_graph_new(&g, p->store));
    for (int t = 0; t < TENSORS; t++) {
        ann_tensor tensor;
        ANN_TRY(ann_store_declare(&tensor, p->store, tensors[t].name, ANN_F32, &tensors[t].shape,
                                  ANN_ROLE_PARAM, (ann_init){ANN_INIT_ZERO, 0}));
        const ann_node x = ann_input(g, tensors[t].input, ANN_F32, tensors[t].shape);
        const ann_node part = ann_sum_all(g, ann_mul(g, ann_load(g, tensor), x));
        loss = t ? ann_add(g, loss, part) : part;
    }
    /* A factor makes each gradient a computation of its own, behind which its message can start. */
    loss = ann_mul(g, loss, ann_input(g, "one", ANN_F32, ANN_SCALAR));
    const ann_optim_part part = {.keep = -1, .groups = halves, .group_count = group_count};
    ann_optim_build_part(g, &optim, loss, "*", &part);
    ANN_TRY(ann_graph_status(g));
    ANN_TRY(ann_store_commit(p->store));
    ANN_TRY(ann_pass_standard(&lowered, g, &passes));
    ANN_TRY(ann_plan_new(&p->plan, lowered, &options));
    ann_graph_free(lowered);
    ann_graph_free(g);
    for (int t = 0; t < TENSORS; t++) ANN_TRY(ann_plan_bind(p->plan, tensors[t].input, p->grad[t]));
    p->lr = 1;
    p->one = 1;
    ANN_TRY(ann_plan_bind(p->plan, "one", &p->one));
    return ann_plan_bind(p->plan, "lr", &p->lr);
}

static void problem_new(problem *p, const ann_compress *compress, int64_t bucket_bytes, bool fuse) {
    memset(p, 0, sizeof *p);
    const ann_status status = build(p, compress, bucket_bytes, fuse);
    if (status != ANN_OK) fprintf(stderr, "%s\n", ann_error_text());
    assert_all_ranks(status == ANN_OK);
}

static void problem_free(problem *p) {
    ann_plan_free(p->plan);
    ann_store_free(p->store);
}

/* Runs a step with what p->grad holds. */
static void take_step(problem *p) {
    for (int t = 0; t < TENSORS; t++)
        for (int64_t i = 0; i < elems_of(t); i++) p->total[t][i] += (double)p->grad[t][i];
    assert_all_ranks(ann_plan_run(p->plan, ANN_OK) == ANN_OK);
}

/* Multiples of 2^-14 in [-1/2, 1/2), of which neither format of 16 bits holds all: every sum below is exact.
 */
static void random_gradients(problem *p, int step) {
    for (int t = 0; t < TENSORS; t++)
        for (int64_t i = 0; i < elems_of(t); i++) {
            const double u =
                ann_random_uniform(9, (uint32_t)(step * TENSORS + t), (uint64_t)rank, (uint64_t)i);
            p->grad[t][i] = (float)((floor(u * 16384.0) - 8192.0) / 16384.0);
        }
}

static const float *data_of(const problem *p, const char *name) {
    const ann_tensor tensor = ann_store_find(p->store, name);
    return tensor.id < 0 ? NULL : ann_store_data(p->store, tensor);
}

/* Sums over ranks what a tensor's gradients added up to, less its residual if there is one. */
static void sum_sent(const problem *p, int t, double *sum) {
    const float *error = data_of(p, tensors[t].error);
    for (int64_t i = 0; i < elems_of(t); i++) sum[i] = p->total[t][i] - (error ? (double)error[i] : 0);
    assert_all_ranks(ann_comm_allreduce(comm, sum, elems_of(t), ANN_F64) == ANN_OK);
}

/* The largest difference between what was applied (with rate 1 to zeros) and what was to be. */
static double worst_difference(const problem *p) {
    double worst = 0, sum[MOST_ELEMS];
    for (int t = 0; t < TENSORS; t++) {
        const float *applied = data_of(p, tensors[t].name);
        sum_sent(p, t, sum);
        for (int64_t i = 0; i < elems_of(t); i++) worst = fmax(worst, fabs(sum[i] + (double)applied[i]));
    }
    return worst;
}

/* ---- elementwise methods ---- */

enum { STEPS = 20 };

static const ann_compress methods[] = {
    {ANN_COMPRESS_BF16, 0, 0, true}, {ANN_COMPRESS_F16, 0, 0, true}, {ANN_COMPRESS_TOPK, 0.05, 0, true}};
enum { METHODS = sizeof methods / sizeof methods[0] };

static double after_steps(problem *p, const ann_compress *compress, int64_t bucket_bytes, bool fuse) {
    problem_new(p, compress, bucket_bytes, fuse);
    for (int s = 0; s < STEPS; s++) {
        random_gradients(p, s);
        take_step(p);
    }
    return worst_difference(p);
}

static void feedback_loses_nothing(void **state) {
    (void)state;
    static problem p;
    for (int m = 0; m < METHODS; m++)
        for (int buckets = 0; buckets < 2; buckets++) {
            ann_compress without = methods[m];
            without.error_feedback = false;
            assert_all_ranks(after_steps(&p, &methods[m], buckets ? 256 : 1 << 20, buckets) == 0);
            problem_free(&p);
            assert_all_ranks(after_steps(&p, &without, buckets ? 256 : 1 << 20, buckets) > 0x1p-14);
            problem_free(&p);
        }
}

/* Rounding is the same in one piece and in buckets, as single nodes and as loops. */
static void buckets_keep_what_is_rounded(void **state) {
    (void)state;
    static problem whole, cut;
    for (int m = 0; m < METHODS; m++) {
        if (methods[m].method == ANN_COMPRESS_TOPK) continue;
        after_steps(&whole, &methods[m], 1 << 20, false);
        after_steps(&cut, &methods[m], 256, true);
        bool same = true;
        for (int t = 0; t < TENSORS; t++) {
            const size_t bytes = (size_t)elems_of(t) * sizeof(float);
            same = same &&
                   memcmp(data_of(&whole, tensors[t].name), data_of(&cut, tensors[t].name), bytes) == 0 &&
                   memcmp(data_of(&whole, tensors[t].error), data_of(&cut, tensors[t].error), bytes) == 0;
        }
        assert_all_ranks(same);
        problem_free(&whole);
        problem_free(&cut);
    }
}

/* Each tensor is a bucket of its own: of each a share of its elements is kept, at least one, by each rank. */
static void each_bucket_keeps_its_share(void **state) {
    (void)state;
    static problem p;
    const double fraction = 0.02; /* less than one element of d */
    problem_new(&p, &(ann_compress){ANN_COMPRESS_TOPK, fraction, 0, false}, 64, true);
    random_gradients(&p, 0);
    take_step(&p);
    for (int t = 0; t < TENSORS; t++) {
        const float *applied = data_of(&p, tensors[t].name);
        int64_t changed = 0;
        for (int64_t i = 0; i < elems_of(t); i++) changed += applied[i] != 0.0f;
        const double share = fraction * (double)((elems_of(t) + 15) / 16 * 16);
        assert_all_ranks(changed >= 1 && (double)changed <= size * fmax(1, share + 1));
        if (size == 1) assert_all_ranks((double)changed >= share - 1);
    }
    problem_free(&p);
}

/* ---- PowerSGD ---- */

static const ann_compress powersgd = {ANN_COMPRESS_POWERSGD, 0, 2, true};

static bool is_matrix(int t) { return t == 0 || t == 2; } /* d would gain nothing */

static void projection_of_the_true_sum(void **state) {
    (void)state;
    static problem p;
    double sum[MOST_ELEMS], sent[MOST_ELEMS];
    problem_new(&p, &powersgd, 256, true);
    random_gradients(&p, 0);
    take_step(&p);
    assert_all_ranks(worst_difference(&p) < 1e-5);
    for (int t = 0; t < TENSORS; t++) {
        const float *applied = data_of(&p, tensors[t].name);
        double square = 0, kept = 0, product = 0;
        memcpy(sum, p.total[t], sizeof sum);
        assert_all_ranks(ann_comm_allreduce(comm, sum, elems_of(t), ANN_F64) == ANN_OK);
        sum_sent(&p, t, sent);
        for (int64_t i = 0; i < elems_of(t); i++) {
            square += sum[i] * sum[i];
            kept += (double)applied[i] * (double)applied[i];
            product += (double)applied[i] * (sum[i] - sent[i]);
        }
        /* What is kept is orthogonal to what is sent, and some of both. */
        assert_all_ranks(fabs(product) <= 1e-5 * square);
        assert_all_ranks(is_matrix(t) ? kept > 0.01 * square && kept < 0.95 * square
                                      : fabs(kept - square) < 1e-5 * square);
    }
    for (int s = 1; s < STEPS; s++) {
        random_gradients(&p, s);
        take_step(&p);
    }
    assert_all_ranks(worst_difference(&p) < 1e-4);
    problem_free(&p);
}

/* Gradients u v^T with u common to all ranks: of rank 1, where rank 2 is allowed. */
static void thin_gradients(problem *p, int step) {
    for (int t = 0; t < TENSORS; t++) {
        const int64_t cols = elems_of(t) / tensors[t].shape.dim[0];
        for (int64_t i = 0; i < elems_of(t); i++) {
            const double u = ann_random_normal(3, (uint32_t)(step * TENSORS + t), 1000, (uint64_t)(i / cols));
            const double v =
                ann_random_normal(4, (uint32_t)(step * TENSORS + t), (uint64_t)rank, (uint64_t)(i % cols));
            p->grad[t][i] = step == 0 ? 0.0f : (float)(u * v);
        }
    }
}

/* Also behind a step without gradients, from which the thin matrices must come back. */
static void matrices_of_low_rank_are_exact(void **state) {
    (void)state;
    static problem p;
    problem_new(&p, &powersgd, 256, true);
    for (int s = 0; s < 4; s++) {
        thin_gradients(&p, s);
        take_step(&p);
        double worst = 0;
        for (int t = 0; t < TENSORS; t++)
            for (int64_t i = 0; i < elems_of(t); i++)
                worst = fmax(worst, fabs((double)data_of(&p, tensors[t].error)[i]));
        /* Values up to 10 within some 100 roundings: sums over ranks may nearly cancel. */
        assert_all_ranks(worst < 1e-3);
        assert_all_ranks(worst_difference(&p) < 1e-3);
    }
    problem_free(&p);
}

static void groups_have_residuals_of_their_own(void **state) {
    group_count = 2;
    feedback_loses_nothing(state);
    buckets_keep_what_is_rounded(state);
    projection_of_the_true_sum(state);
    matrices_of_low_rank_are_exact(state);
    group_count = 0;
}

/* ---- failure ---- */

static const ann_compress every_method[] = {{ANN_COMPRESS_NONE, 0, 0, false},
                                            {ANN_COMPRESS_BF16, 0, 0, true},
                                            {ANN_COMPRESS_F16, 0, 0, true},
                                            {ANN_COMPRESS_TOPK, 0.05, 0, true},
                                            {ANN_COMPRESS_POWERSGD, 0, 2, true}};

static uint64_t hash_of(const ann_store *store) {
    uint64_t hash = 0;
    for (int32_t i = 0; i < ann_store_block_count(store); i++) {
        const ann_block block = {i};
        hash = ann_hash(ann_store_block_data(store, block),
                        (size_t)ann_store_block_elems(store, block) *
                            ann_dtype_bytes(ann_store_block_dtype(store, block)),
                        hash);
    }
    return hash;
}

/* Residuals and thin matrices are the store's as parameters are. */
static void a_failed_step_changes_nothing(void **state) {
    (void)state;
    static problem p;
    for (size_t m = 0; m < sizeof every_method / sizeof *every_method; m++) {
        problem_new(&p, &every_method[m], 256, true);
        random_gradients(&p, 0);
        take_step(&p);
        const uint64_t before = hash_of(p.store);
        const ann_status status = ann_plan_run(p.plan, rank == size - 1 ? ANN_ERR_IO : ANN_OK);
        assert_all_ranks(status == (rank == size - 1 ? ANN_ERR_IO : ANN_ERR_PEER));
        assert_all_ranks(!ann_plan_torn(p.plan) && hash_of(p.store) == before);
        take_step(&p);
        assert_all_ranks(hash_of(p.store) != before);
        problem_free(&p);
    }
}

/* A second rank that adds nothing, and fails at one of the reductions (-1: at none). */
typedef struct peer {
    int started, waited, fails_at;
} peer;

static ann_status peer_start(void *self, const ann_message *message, ann_outcome mine, int *request) {
    (void)message, (void)mine;
    *request = ((peer *)self)->started++;
    return ANN_OK;
}
static ann_status peer_progress(void *self) { return (void)self, ANN_OK; }
static ann_status peer_wait(void *self, int request, ann_outcome *all) {
    peer *p = self;
    p->waited++;
    *all = (ann_outcome){.failed = p->fails_at >= 0 && request >= p->fails_at};
    return ANN_OK;
}

static void a_peer_that_fails_anywhere_changes_nothing(void **state) {
    (void)state;
    static problem p;
    for (size_t m = 0; m < sizeof every_method / sizeof *every_method; m++) {
        int messages = 1;
        for (int k = -1; k < messages; k++) {
            peer other = {.fails_at = k};
            const ann_channel_ops ops = {
                .self = &other, .size = 2, .start = peer_start, .progress = peer_progress, .wait = peer_wait};
            channels = &ops;
            problem_new(&p, &every_method[m], 256, true);
            channels = NULL;
            random_gradients(&p, 0);
            const uint64_t before = hash_of(p.store);
            const ann_status status = ann_plan_run(p.plan, ANN_OK);
            assert_all_ranks(status == (k < 0 ? ANN_OK : ANN_ERR_PEER));
            assert_all_ranks(!ann_plan_torn(p.plan) && (hash_of(p.store) == before) == (k >= 0));
            assert_all_ranks(other.waited == other.started);
            messages = other.started;
            problem_free(&p);
        }
        /* and the vote */
        const int of_matrices = group_count ? 3 * group_count : 3;
        assert_all_ranks(messages ==
                         1 + (every_method[m].method == ANN_COMPRESS_POWERSGD ? of_matrices : TENSORS));
    }
}

static void groups_fail_together(void **state) {
    group_count = 2;
    a_failed_step_changes_nothing(state);
    a_peer_that_fails_anywhere_changes_nothing(state);
    group_count = 0;
}

/* ---- resume ---- */

/* Without learning (lr 0) a gradient does not depend on what was sent before, and the velocity is the sum of
   what was sent: with the residuals it is the sum of all gradients. */
static const char run_file[] =
    "name: tiny\n"
    "output: %s/%s\n"
    "data: { path: %s/tiny.h5 }\n"
    "comm: { bucket_bytes: 2048 }\n"
    "checkpoint: { every: 5 steps, when_busy: wait, keep: 0 }\n"
    "models: { net: [flatten: {}, dense: { name: fc, units: 20, activation: tanh },\n"
    "    dense: { name: out, units: 4 }] }\n"
    "phases:\n"
    "  - { name: only, kind: supervised, model: [net], loss: cross_entropy, batch: 24,\n"
    "      optimizer: { kind: momentum, momentum: 0.999999 },\n"
    "      compress: { method: %s }, program: [{ steps: 20, lr: %g }] }\n";

/* As after --set; NULL: all parameters are one group. */
static const char *run_groups;
#define TWO_GROUPS "phases[0].program[0].groups=[{match: net/out/*, lr: 0.5}, {match: '*'}]"

static bool run(ann_comm *over, const char *name, const char *method, double lr, bool resume) {
    char text[2 * sizeof run_file + 3 * SCRATCH_PATH_BYTES];
    ann_run_config *config;
    const ann_train_options options = {.threads = 1, .resume = resume};
    snprintf(text, sizeof text, run_file, dir, name, dir, method, lr);
    ann_status status = ann_run_config_parse(&config, "tiny.yaml", text, &run_groups, run_groups ? 1 : 0);
    if (status == ANN_OK) {
        status = ann_train(over, config, &options);
        ann_run_config_free(config);
    }
    if (status != ANN_OK) fprintf(stderr, "%s: %s\n", ann_status_name(status), ann_error_text());
    return status == ANN_OK;
}

/* On rank 0: moves the final checkpoint away, so that a resume starts from the one before. */
static bool set_final_apart(const char *name) {
    char from[SCRATCH_PATH_BYTES], to[SCRATCH_PATH_BYTES], file[SCRATCH_PATH_BYTES];
    ann_ckpt *ckpt;
    scratch_path(from, "%s/%s/only/step-%010d", dir, name, 20);
    if (ann_ckpt_open(&ckpt, from) != ANN_OK) return false;
    ann_ckpt_close(ckpt);
    (void)remove(scratch_path(file, "%s/%s/only/latest.h5", dir, name));
    return rename(from, scratch_path(to, "%s/%s-final", dir, name)) == 0;
}

enum { MOST_VALUES = 4096 };

/* velocity + ranks x residual of every parameter; or the tensors themselves, one after the other. */
static int read_values(double *out, const char *path, bool sums, int ranks) {
    static float value[MOST_VALUES], error[MOST_VALUES];
    static const char *const names[] = {"net/fc/weight", "net/fc/bias", "net/out/weight", "net/out/bias"};
    char name[64];
    int n = 0;
    ann_ckpt *ckpt;
    if (ann_ckpt_open(&ckpt, path) != ANN_OK) return 0;
    for (int t = 0; t < 4; t++) {
        int64_t elems = 0;
        for (int i = 0; i < ann_ckpt_tensor_count(ckpt); i++)
            if (strcmp(ann_ckpt_tensor(ckpt, i)->name, names[t]) == 0)
                elems = ann_shape_elems(&ann_ckpt_tensor(ckpt, i)->shape);
        snprintf(name, sizeof name, sums ? "momentum/%s" : "%s", names[t]);
        bool good = elems > 0 && ann_ckpt_read(ckpt, name, value) == ANN_OK;
        snprintf(name, sizeof name, "error/%s", names[t]);
        good = good && ann_ckpt_read(ckpt, name, error) == ANN_OK;
        for (int64_t i = 0; good && i < elems; i++) {
            if (sums) out[n++] = (double)value[i] + ranks * (double)error[i];
            else out[n++] = (double)value[i], out[n++] = (double)error[i];
        }
    }
    ann_ckpt_close(ckpt);
    return n;
}

/* The largest difference over the largest value; 1 if there is nothing to compare. */
static double compare_values(const char *name, bool sums, int ranks, int other_ranks) {
    static double a[MOST_VALUES], b[MOST_VALUES];
    char path[SCRATCH_PATH_BYTES];
    const int n = read_values(a, scratch_path(path, "%s/%s-final", dir, name), sums, ranks);
    const int m =
        read_values(b, scratch_path(path, "%s/%s/only/step-%010d", dir, name, 20), sums, other_ranks);
    double worst = 0, top = 0;
    for (int i = 0; i < n && n == m; i++) {
        worst = fmax(worst, fabs(a[i] - b[i]));
        top = fmax(top, fabs(a[i]));
    }
    return n == m && top > 0 ? worst / top : 1;
}

static void a_resume_on_as_many_ranks_is_the_same(void **state) {
    (void)state;
    static const char *const names[] = {"bf16", "topk", "powersgd"};
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", names[i], run_groups ? "-groups" : "");
        assert_all_ranks(run(comm, name, names[i], 0.01, false));
        assert_all_ranks(rank != 0 || set_final_apart(name));
        assert_all_ranks(run(comm, name, names[i], 0.01, true));
        assert_all_ranks(rank != 0 || compare_values(name, false, 1, 1) == 0);
    }
}

static void a_resume_on_one_rank_keeps_the_sum(void **state) {
    (void)state;
    static const char *const names[] = {"topk", "powersgd"};
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "sum-%s%s", names[i], run_groups ? "-groups" : "");
        ann_comm *alone = NULL;
        assert_all_ranks(run(comm, name, names[i], 0, false));
        assert_all_ranks(rank != 0 || set_final_apart(name));
        assert_all_ranks(ann_comm_self(&alone) == ANN_OK);
        assert_all_ranks(rank != 0 || run(alone, name, names[i], 0, true));
        ann_comm_free(alone);
        const double worst = rank == 0 ? compare_values(name, true, size, 1) : 0;
        if (worst > 0) print_message("%s: %g\n", names[i], worst);
        assert_all_ranks(worst < 1e-4);
    }
}

static void groups_are_resumed_alike(void **state) {
    run_groups = TWO_GROUPS;
    a_resume_on_as_many_ranks_is_the_same(state);
    a_resume_on_one_rank_keeps_the_sum(state);
    run_groups = NULL;
}

static int setup(void **state) {
    char path[SCRATCH_PATH_BYTES];
    if (stage_of_all_ranks(state) != 0) return -1;
    if (rank == 0) tiny_data_write(scratch_path(path, "%s/tiny.h5", dir));
    return ann_comm_barrier(comm) == ANN_OK ? 0 : -1;
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    ann_kernel_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feedback_loses_nothing),
        cmocka_unit_test(buckets_keep_what_is_rounded),
        cmocka_unit_test(each_bucket_keeps_its_share),
        cmocka_unit_test(projection_of_the_true_sum),
        cmocka_unit_test(matrices_of_low_rank_are_exact),
        cmocka_unit_test(groups_have_residuals_of_their_own),
        cmocka_unit_test(a_failed_step_changes_nothing),
        cmocka_unit_test(a_peer_that_fails_anywhere_changes_nothing),
        cmocka_unit_test(groups_fail_together),
        cmocka_unit_test(a_resume_on_as_many_ranks_is_the_same),
        cmocka_unit_test(a_resume_on_one_rank_keeps_the_sum),
        cmocka_unit_test(groups_are_resumed_alike),
    };
    const int failed = cmocka_run_group_tests(tests, setup, stage_end);
    MPI_Finalize();
    return failed;
}
