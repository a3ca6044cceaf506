/* What a step of one rank takes to compute, measured on made-up data of the right shapes. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/median.h"
#include "base/mem.h"
#include "base/philox.h"
#include "kernel/sum.h"
#include "pass/pass.h"
#include "plan.h"
#include "train/train.h"

enum { BLOCKS = 5, INPUTS_MAX = 32 };
static const double BLOCK_S = 0.15;

typedef struct subject {
    ann_graph *graph;
    ann_store *store;
    ann_plan *plan;
    void *inputs[INPUTS_MAX];
    size_t input_bytes[INPUTS_MAX];
    int input_count;
} subject;

int plan_cores(void) {
    cpu_set_t allowed;
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
}

/* ---- inputs ---- */

/* The learning rate is 0, so that parameters stay as they are. Classes and tokens are 0. */
static double scalar_of(const char *name) { return strcmp(name, "lr") == 0 ? 0 : 1; }

static void fill(void *data, const char *name, ann_dtype dtype, int64_t elems) {
    for (int64_t i = 0; i < elems; i++) {
        const double u = ann_random_uniform(7, 0, 0, (uint64_t)i);
        double value = 0;
        if (dtype == ANN_F64) value = scalar_of(name);
        else if (dtype == ANN_F32) value = u;
        else if (dtype == ANN_U8) value = (double)(int)(u * 255);
        else if (dtype == ANN_I64) value = (double)i;
        ann_elem_set(data, dtype, i, value);
    }
}

static ann_status bind_input(subject *s, ann_node node) {
    const char *name = ann_node_attrs(s->graph, node)->input.name;
    const ann_dtype dtype = ann_node_dtype(s->graph, node);
    const int64_t elems = ann_shape_elems(ann_node_shape(s->graph, node));
    const int i = s->input_count;
    if (!ann_plan_has_input(s->plan, name)) return ANN_OK;
    if (i == INPUTS_MAX) return ann_error(ANN_ERR_UNSUPPORTED, "a step has more than %d inputs", INPUTS_MAX);
    s->input_bytes[i] = (size_t)elems * ann_dtype_bytes(dtype);
    ANN_TRY(ann_mem_alloc(&s->inputs[i], s->input_bytes[i]));
    s->input_count++;
    fill(s->inputs[i], name, dtype, elems);
    return ann_plan_bind(s->plan, name, s->inputs[i]);
}

static ann_status bind_inputs(subject *s) {
    for (int32_t id = 0; id < ann_graph_count(s->graph); id++)
        if (ann_node_op(s->graph, (ann_node){id}) == ANN_OP_INPUT) ANN_TRY(bind_input(s, (ann_node){id}));
    return ANN_OK;
}

/* ---- a plan, as training makes it for several ranks ---- */

static ann_status lower(subject *s, int64_t bucket_bytes) {
    const ann_pass_options passes = {.bucket = {bucket_bytes, bucket_bytes}, .fuse = true};
    ann_graph *lowered;
    ANN_TRY(ann_pass_standard(&lowered, s->graph, &passes));
    ann_graph_free(s->graph);
    s->graph = lowered;
    return ANN_OK;
}

static ann_status make(subject *s, const ann_run_config *config, const ann_phase_config *phase, int stage,
                       int ranks, int threads) {
    const ann_plan_options options = {.threads = threads,
                                      .policy = ANN_KERNEL_FAST,
                                      .profile = true,
                                      .check_finite = phase->nonfinite_policy != ANN_NONFINITE_STOP};
    ANN_TRY(ann_train_graph(&s->graph, &s->store, config, phase->name, stage, ranks));
    ANN_TRY(ann_store_commit(s->store));
    ANN_TRY(lower(s, config->comm_bucket_bytes));
    ANN_TRY(ann_plan_new(&s->plan, s->graph, &options));
    ANN_TRY(bind_inputs(s));
    for (int i = 0; i < 3; i++) ANN_TRY(ann_plan_run(s->plan, ANN_OK));
    return ANN_OK;
}

static void drop(subject *s) {
    for (int i = 0; i < s->input_count; i++) ann_mem_free(s->inputs[i], s->input_bytes[i]);
    ann_plan_free(s->plan);
    ann_graph_free(s->graph);
    ann_store_free(s->store);
}

/* ---- measuring ---- */

static void ignore(void *to, const char *text) {
    (void)to;
    (void)text;
}

/* Seconds of a step: the median of blocks of steps. */
static ann_status time_steps(subject *s, double *seconds) {
    double blocks[BLOCKS];
    ann_plan_profile(s->plan, ignore, NULL);
    for (int b = 0; b < BLOCKS; b++) {
        const int64_t begin_ns = ann_clock_ns();
        int steps = 0;
        do {
            ANN_TRY(ann_plan_run(s->plan, ANN_OK));
            steps++;
        } while (1e-9 * (double)(ann_clock_ns() - begin_ns) < BLOCK_S);
        blocks[b] = 1e-9 * (double)(ann_clock_ns() - begin_ns) / steps;
    }
    *seconds = ann_median(blocks, BLOCKS);
    return ANN_OK;
}

/* The slowest rank's seconds; the steps of all ranks wait for each other. */
static ann_status slowest(ann_comm *comm, double *seconds) {
    double *all = calloc((size_t)ann_comm_size(comm), sizeof *all);
    ann_status status = ann_agree(comm, all ? ANN_OK : ann_error(ANN_ERR_MEMORY, "out of memory"));
    if (status == ANN_OK) status = ann_comm_allgather(comm, all, seconds, sizeof *seconds);
    for (int r = 0; status == ANN_OK && all && r < ann_comm_size(comm); r++)
        if (all[r] > *seconds) *seconds = all[r];
    free(all);
    return status;
}

static plan_message message_of(const ann_message *m) {
    const bool rounded = m->wire == ANN_WIRE_BF16 || m->wire == ANN_WIRE_F16;
    plan_message out = {.rounded = rounded, .gathered = m->wire == ANN_WIRE_SPARSE};
    const double elem_bytes = rounded ? 2 : (double)ann_dtype_bytes(m->dtype);
    out.bytes = out.gathered ? 8.0 * (double)m->most : elem_bytes * (double)m->elems;
    return out;
}

/* Moments are those of the mean step; they are scaled to the median one. Passes before the last micro-batch
   of a step send nothing. */
static ann_status read_plan(const ann_plan *plan, plan_compute *out, double step_s, int micro) {
    const int n = ann_plan_message_count(plan);
    const double mean_s = ann_plan_message_s(plan, n), scale = mean_s > 0 ? step_s / mean_s : 0;
    out->update_s = scale * ann_plan_update_s(plan);
    out->before_s = step_s - out->update_s;
    const double earlier_s = (micro - 1) * out->before_s;
    out->messages = calloc((size_t)n + 1, sizeof *out->messages);
    if (!out->messages) return ann_error(ANN_ERR_MEMORY, "out of memory");
    out->message_count = n;
    for (int i = 0; i < n; i++) {
        const ann_message m = ann_plan_message(plan, i);
        out->messages[i] = message_of(&m);
        out->messages[i].ready_s = earlier_s + scale * ann_plan_message_s(plan, i);
    }
    out->before_s += earlier_s;
    return ANN_OK;
}

static int micro_count(const ann_phase_config *phase, int ranks) {
    if (phase->reduction.order != ANN_REDUCTION_INVARIANT) return phase->accumulate;
    return phase->reduction.shards > ranks ? phase->reduction.shards / ranks : 1;
}

ann_status plan_measure(ann_comm *comm, plan_compute *out, const ann_run_config *config,
                        const ann_phase_config *phase, int stage, int ranks, int threads) {
    subject s = {0};
    double step_s = 0;
    *out = (plan_compute){.batch = (phase->batch + ranks - 1) / ranks};
    ann_status status = ann_agree(comm, make(&s, config, phase, stage, ranks, threads));
    if (status == ANN_OK) status = ann_comm_barrier(comm);
    if (status == ANN_OK) status = ann_agree(comm, time_steps(&s, &step_s));
    if (status == ANN_OK) status = slowest(comm, &step_s);
    if (status == ANN_OK) status = ann_agree(comm, read_plan(s.plan, out, step_s, micro_count(phase, ranks)));
    drop(&s);
    return status;
}

ann_status plan_measure_bytes(double *add_s, double *copy_s) {
    static const size_t BYTES = (size_t)64 << 20;
    void *memory;
    ANN_TRY(ann_mem_alloc(&memory, 2 * BYTES));
    char *other = (char *)memory + BYTES;
    memset(memory, 0, 2 * BYTES);
    *add_s = *copy_s = 1;
    for (int turn = 0; turn < 5; turn++) {
        const int64_t begin_ns = ann_clock_ns();
        ann_sum_kernels_for(ANN_F32)->add(memory, other, (int64_t)(BYTES / sizeof(float)));
        const int64_t added_ns = ann_clock_ns();
        memcpy(other, memory, BYTES);
        const double add = 1e-9 * (double)(added_ns - begin_ns) / (double)BYTES;
        const double copy = 1e-9 * (double)(ann_clock_ns() - added_ns) / (double)BYTES;
        if (add < *add_s) *add_s = add;
        if (copy < *copy_s) *copy_s = copy;
    }
    ann_mem_free(memory, 2 * BYTES);
    return ANN_OK;
}
