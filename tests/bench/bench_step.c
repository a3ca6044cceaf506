/* Speed of a whole training step on synthetic data: graph, passes, plan, kernels, reduction, update.

       bench_step [--workload ae|lenet] [--threads T] [--steps N] [--profile] [--text]
       mpirun -n 2 bench_step ...

   ae:    784-1024-512-64-512-1024-784, relu, sigmoid at the end, batch 256 per rank, squared error, Adam.
   lenet: convolutions 5x5 of 32 and 64 channels, each with relu and 2x2 max pooling, dense 1024 with relu and
   dropout 0.5, dense 10; batch 64 per rank, cross-entropy, SGD with momentum 0.9. Prints the median step (the
   slowest rank's), samples/s over all ranks, and the largest peak of resident memory. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/philox.h"
#include "comm/comm.h"
#include "nn/nn.h"
#include "optim/optim.h"
#include "pass/pass.h"

enum { WARM_UP = 5, MAX_STEPS = 10000, BATCHES = 4 };

typedef struct bench {
    const char *workload;
    int threads, steps;
    bool profile, text;
    ann_comm *comm;
    int64_t batch;
    ann_store *store;
    ann_plan *plan;
    float *x[BATCHES];
    int32_t *labels[BATCHES];
    int64_t *ids;
    int64_t x_elems; /* per sample */
    double lr, step;
} bench;

static void must(ann_status status) {
    if (status == ANN_OK) return;
    (void)fprintf(stderr, "%s: %s\n", ann_status_text(status), ann_error_text());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void print(void *to, const char *text) { (void)fputs(text, to); }

/* ---- models ---- */

static ann_node ae_loss(bench *b, ann_nn *nn) {
    static const int64_t units[] = {1024, 512, 64, 512, 1024, 784};
    ann_graph *g = nn->graph;
    b->batch = 256;
    b->x_elems = 784;
    const ann_node x = ann_input(g, "x", ANN_F32, ANN_SHAPE(b->batch, 784));
    ann_node h = x;
    for (int i = 0; i < 6; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "fc%d", i + 1);
        h = ann_nn_dense(nn, name, h, units[i]);
        h = i < 5 ? ann_relu(g, h) : ann_sigmoid(g, h);
    }
    const double elems = (double)(b->batch * 784 * ann_comm_size(b->comm));
    return ann_mul_const(g, ann_sum_all(g, ann_squared_error(g, h, x)), 1.0 / elems);
}

static ann_node lenet_loss(bench *b, ann_nn *nn) {
    const ann_window conv = {
        .kernel_h = 5, .kernel_w = 5, .pad_top = 2, .pad_bottom = 2, .pad_left = 2, .pad_right = 2};
    const ann_window pool = {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
    ann_graph *g = nn->graph;
    b->batch = 64;
    b->x_elems = 784;
    nn->ids = ann_input(g, "ids", ANN_I64, ANN_SHAPE(b->batch));
    const ann_node labels = ann_input(g, "labels", ANN_I32, ANN_SHAPE(b->batch));
    ann_node h = ann_input(g, "x", ANN_F32, ANN_SHAPE(b->batch, 28, 28, 1));
    h = ann_max_pool2d(g, ann_relu(g, ann_nn_conv2d(nn, "conv1", h, 32, conv, true)), pool);
    h = ann_max_pool2d(g, ann_relu(g, ann_nn_conv2d(nn, "conv2", h, 64, conv, true)), pool);
    h = ann_relu(g, ann_nn_dense(nn, "fc1", ann_flatten(g, h), 1024));
    h = ann_nn_dense(nn, "fc2", ann_nn_dropout(nn, "drop", h, 0.5), 10);
    const double samples = (double)(b->batch * ann_comm_size(b->comm));
    return ann_mul_const(g, ann_sum_all(g, ann_cross_entropy(g, h, labels)), 1.0 / samples);
}

/* ---- setting up ---- */

static void compile(bench *b, ann_graph *g) {
    ann_graph *ready;
    const int size = ann_comm_size(b->comm);
    const ann_pass_options passes = {.bucket = {.bucket_bytes = 4 << 20, .first_bytes = 1 << 20},
                                     .eager_updates = size == 1,
                                     .fuse = true};
    must(ann_graph_status(g));
    must(ann_store_commit(b->store));
    must(ann_pass_standard(&ready, g, &passes));
    if (b->text && ann_comm_rank(b->comm) == 0) must(ann_graph_print_text(ready, "step", print, stdout));
    const ann_plan_options options = {.threads = b->threads,
                                      .channels = size > 1 ? ann_comm_channel_ops(b->comm) : NULL,
                                      .profile = b->profile};
    must(ann_plan_new(&b->plan, ready, &options));
    ann_graph_free(ready);
}

static void build(bench *b) {
    ann_graph *g;
    const bool ae = strcmp(b->workload, "ae") == 0;
    must(ann_store_new(&b->store, 1));
    must(ann_graph_new(&g, b->store));
    ann_nn nn = {.graph = g, .training = true, .dtype = ANN_F32, .seed = 3};
    const ann_node loss = ae ? ae_loss(b, &nn) : lenet_loss(b, &nn);
    const ann_optim adam = {.kind = ANN_OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    const ann_optim momentum = {.kind = ANN_OPTIM_MOMENTUM, .momentum = 0.9};
    ann_output(g, "loss", loss);
    ann_optim_build(g, ae ? &adam : &momentum, loss, "*");
    b->lr = ae ? 1e-3 : 0.01;
    compile(b, g);
    ann_graph_free(g);
}

static void *grab(size_t bytes) {
    void *p;
    must(ann_mem_alloc(&p, bytes));
    return p;
}

static void bind(bench *b, const char *name, const void *data) {
    if (ann_plan_has_input(b->plan, name)) must(ann_plan_bind(b->plan, name, data));
}

static void make_data(bench *b) {
    const uint64_t rank = (uint64_t)ann_comm_rank(b->comm);
    b->ids = grab((size_t)b->batch * sizeof *b->ids);
    for (int64_t i = 0; i < b->batch; i++) b->ids[i] = (int64_t)rank * b->batch + i;
    for (int k = 0; k < BATCHES; k++) {
        b->x[k] = grab((size_t)(b->batch * b->x_elems) * sizeof(float));
        b->labels[k] = grab((size_t)b->batch * sizeof(int32_t));
        for (int64_t i = 0; i < b->batch * b->x_elems; i++)
            b->x[k][i] = (float)ann_random_uniform(5, (uint32_t)k, rank, (uint64_t)i);
        for (int64_t i = 0; i < b->batch; i++) b->labels[k][i] = (int32_t)(i % 10);
    }
    bind(b, "ids", b->ids);
    bind(b, "lr", &b->lr);
    bind(b, "step", &b->step);
}

/* ---- measuring ---- */

static double one_step(bench *b, int i) {
    bind(b, "x", b->x[i % BATCHES]);
    bind(b, "labels", b->labels[i % BATCHES]);
    b->step = i + 1;
    const int64_t begin_ns = ann_clock_ns();
    must(ann_plan_run(b->plan, ANN_OK));
    return (double)(ann_clock_ns() - begin_ns) * 1e-6;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(bench *b) {
    static double ms[MAX_STEPS], slowest[MAX_STEPS];
    struct rusage usage;
    for (int i = 0; i < WARM_UP; i++) one_step(b, i);
    for (int i = 0; i < b->steps; i++) ms[i] = one_step(b, WARM_UP + i);
    (void)getrusage(RUSAGE_SELF, &usage);
    double rss_mb = (double)usage.ru_maxrss / 1024.0, peak_mb = 0;
    MPI_Reduce(ms, slowest, b->steps, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    MPI_Reduce(&rss_mb, &peak_mb, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    if (ann_comm_rank(b->comm) != 0) return;
    qsort(slowest, (size_t)b->steps, sizeof slowest[0], by_size);
    const double median = slowest[b->steps / 2];
    const int size = ann_comm_size(b->comm);
    printf("%-6s %dx%d  step_ms %.3f (p10 %.3f, p90 %.3f)  samples/s %.1f  peak_rss_mb %.1f  plan_mb %.1f  "
           "loss %.5f\n",
           b->workload, size, b->threads, median, slowest[b->steps / 10], slowest[b->steps * 9 / 10],
           (double)(b->batch * size) / median * 1e3, peak_mb, (double)ann_plan_bytes(b->plan) / 1e6,
           (double)*(const float *)ann_plan_output(b->plan, "loss"));
    if (b->profile) ann_plan_profile(b->plan, print, stdout);
}

static bool read_options(bench *b, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--profile") == 0) b->profile = true;
        else if (strcmp(argv[i], "--text") == 0) b->text = true;
        else if (strcmp(argv[i], "--workload") == 0) b->workload = value, i++;
        else if (strcmp(argv[i], "--threads") == 0) b->threads = atoi(value), i++;
        else if (strcmp(argv[i], "--steps") == 0) b->steps = atoi(value), i++;
        else return false;
    }
    const bool known = strcmp(b->workload, "ae") == 0 || strcmp(b->workload, "lenet") == 0;
    return known && b->threads >= 1 && b->steps >= 1 && b->steps <= MAX_STEPS;
}

int main(int argc, char **argv) {
    bench b = {.workload = "ae", .threads = 1, .steps = 100};
    int level;
    if (!read_options(&b, argc, argv)) {
        (void)fprintf(
            stderr,
            "usage: bench_step [--workload ae|lenet] [--threads T] [--steps N] [--profile] [--text]\n");
        return 2;
    }
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    ann_kernel_init();
    must(ann_comm_world(&b.comm, 60.0));
    build(&b);
    make_data(&b);
    measure(&b);
    ann_plan_free(b.plan);
    ann_store_free(b.store);
    ann_comm_free(b.comm);
    MPI_Finalize();
    return 0;
}
