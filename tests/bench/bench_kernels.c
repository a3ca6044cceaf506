/* Speed of each kernel of the table on the shapes of the autoencoder's and LeNet's training steps:

       bench_kernels [THREADS]

   One row per shape: all kernels that accept it, best first as they stand in the table, each with its GFLOP/s
   (contractions) or GB/s of operands (the rest), the best of rounds that alternate between them. The plain C
   references are left out. The memcpy row is the limit of what only moves data. With 1 thread, time is the
   process's own, so that a busy machine disturbs little. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "kernel/fused.h"
#include "kernel/kernel.h"

enum { MAX_IN = 12, MAX_KERNELS = 8, ROUNDS = 7 };

typedef struct entry {
    char label[64];
    ann_op op;
    ann_attrs attrs;
    int n_in;
    ann_shape in_shape[MAX_IN], out_shape;
    ann_dtype in_dtype[MAX_IN], out_dtype;
    double flops; /* 0: count bytes */
} entry;

static int threads = 1;

static double seconds(void) {
    struct timespec t;
    (void)clock_gettime(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(ann_status status) {
    if (status == ANN_OK) return;
    (void)fprintf(stderr, "%s\n", ann_error_text());
    exit(1);
}

/* ---- measuring ---- */

static size_t bytes_of(const ann_shape *shape, ann_dtype dtype) {
    return (size_t)ann_shape_elems(shape) * ann_dtype_bytes(dtype);
}

static double bytes_moved(const entry *e) {
    size_t bytes = bytes_of(&e->out_shape, e->out_dtype);
    for (int i = 0; i < e->n_in; i++) bytes += bytes_of(&e->in_shape[i], e->in_dtype[i]);
    if (e->op == ANN_OP_FUSED)
        for (int k = 0; k < e->attrs.fused->n_store; k++) bytes += bytes_of(&e->in_shape[0], ANN_F32);
    return (double)bytes;
}

static double time_one(const ann_kernel *kernel, const ann_kernel_call *call, int repeats) {
    const double begin = seconds();
    for (int i = 0; i < repeats; i++) must(kernel->run(call));
    return (seconds() - begin) / repeats;
}

/* The kernels of the table that take this call, but for the reference. */
static int candidates(const ann_kernel **out, const ann_kernel_call *call) {
    int n = 0;
    for (int i = 0; ann_kernel_list(call->op, call->out_dtype, i + 1) != NULL && n < MAX_KERNELS; i++) {
        const ann_kernel *kernel = ann_kernel_list(call->op, call->out_dtype, i);
        if (kernel->accepts == NULL || kernel->accepts(call)) out[n++] = kernel;
    }
    return n;
}

static void measure(const entry *e, ann_kernel_call *call) {
    const ann_kernel *kernel[MAX_KERNELS];
    ann_kernel_call ready[MAX_KERNELS];
    double best[MAX_KERNELS];
    const int n = candidates(kernel, call);
    for (int k = 0; k < n; k++) {
        ready[k] = *call;
        if (kernel[k]->prepare != NULL) must(kernel[k]->prepare(&ready[k]));
        const size_t scratch = kernel[k]->scratch_bytes != NULL ? kernel[k]->scratch_bytes(&ready[k]) : 0;
        must(ann_mem_alloc(&ready[k].scratch, scratch + 1));
        best[k] = time_one(kernel[k], &ready[k], 1);
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int k = 0; k < n; k++) {
            const double took = time_one(kernel[k], &ready[k], 1 + (int)(4e-3 / (best[k] + 1e-9)));
            if (took < best[k]) best[k] = took;
        }
    printf("%-34s", e->label);
    for (int k = 0; k < n; k++)
        printf("  %s %.1f", kernel[k]->name, (e->flops > 0 ? e->flops : bytes_moved(e)) / best[k] * 1e-9);
    printf(e->flops > 0 ? "  GFLOP/s" : "  GB/s");
    printf("  (%.0f us)\n", best[0] * 1e6);
    for (int k = 0; k < n; k++)
        if (kernel[k]->release != NULL) kernel[k]->release(ready[k].state);
}

static void fill(void *data, ann_dtype dtype, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        ann_elem_set(data, dtype, i,
                     ann_dtype_is_float(dtype) ? 0.1 + (double)(i % 1000) * 1e-3 : (double)(i % 4));
}

static void run(const entry *e) {
    const void *in[MAX_IN];
    void *memory[MAX_IN + 1];
    for (int i = 0; i < e->n_in; i++) {
        must(ann_mem_alloc(&memory[i], bytes_of(&e->in_shape[i], e->in_dtype[i]) + 1));
        fill(memory[i], e->in_dtype[i], ann_shape_elems(&e->in_shape[i]));
        in[i] = memory[i];
    }
    must(ann_mem_alloc(&memory[e->n_in], bytes_of(&e->out_shape, e->out_dtype) + 1));
    ann_kernel_call call = {.op = e->op,
                            .attrs = &e->attrs,
                            .n_in = e->n_in,
                            .in = in,
                            .in_shape = e->in_shape,
                            .in_dtype = e->in_dtype,
                            .out = memory[e->n_in],
                            .out_shape = e->out_shape,
                            .out_dtype = e->out_dtype,
                            .threads = threads};
    measure(e, &call);
    for (int i = 0; i < e->n_in; i++) ann_mem_free(memory[i], bytes_of(&e->in_shape[i], e->in_dtype[i]) + 1);
    ann_mem_free(memory[e->n_in], bytes_of(&e->out_shape, e->out_dtype) + 1);
    (void)fflush(stdout);
}

/* ---- cases ---- */

static void matmul(int64_t m, int64_t n, int64_t k, bool ta, bool tb) {
    entry e = {.op = ANN_OP_MATMUL, .n_in = 2, .flops = 2.0 * (double)(m * n * k)};
    (void)snprintf(e.label, sizeof e.label, "matmul %lldx%lldx%lld %c%c", (long long)m, (long long)n,
                   (long long)k, ta ? 'T' : 'N', tb ? 'T' : 'N');
    e.attrs.matmul.trans_a = ta;
    e.attrs.matmul.trans_b = tb;
    e.in_shape[0] = ta ? ANN_SHAPE(k, m) : ANN_SHAPE(m, k);
    e.in_shape[1] = tb ? ANN_SHAPE(n, k) : ANN_SHAPE(k, n);
    e.out_shape = ANN_SHAPE(m, n);
    run(&e);
}

/* A dense layer's three products. */
static void dense(int64_t batch, int64_t in, int64_t out) {
    matmul(batch, out, in, false, false);
    matmul(batch, in, out, false, true);
    matmul(in, out, batch, true, false);
}

static void conv(int64_t batch, int64_t side, int64_t c, int64_t o, int32_t k) {
    static const char *const name[] = {"conv", "conv_dx", "conv_dw"};
    const ann_shape x = ANN_SHAPE(batch, side, side, c), w = ANN_SHAPE(o, k, k, c),
                    y = ANN_SHAPE(batch, side, side, o);
    const ann_shape of[3][3] = {{x, w, y}, {y, w, x}, {x, y, w}};
    for (int i = 0; i < 3; i++) {
        entry e = {.op = (ann_op)((int)ANN_OP_CONV + i),
                   .n_in = 2,
                   .in_shape = {of[i][0], of[i][1]},
                   .out_shape = of[i][2],
                   .flops = 2.0 * (double)(batch * side * side * c * o * k * k)};
        (void)snprintf(e.label, sizeof e.label, "%s %lld>%lld %lldx%lld k%d", name[i], (long long)c,
                       (long long)o, (long long)side, (long long)side, k);
        e.attrs.window = (ann_window){k, k, 1, 1, 1, 1, k / 2, k / 2, k / 2, k / 2, 1, side, side};
        run(&e);
    }
}

static void pools(int64_t batch, int64_t side, int64_t c) {
    const ann_shape x = ANN_SHAPE(batch, side, side, c), y = ANN_SHAPE(batch, side / 2, side / 2, c);
    const ann_attrs attrs = {.window = {2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 1, side, side}};
    run(&(entry){"max_pool", ANN_OP_MAX_POOL, attrs, 1, {x}, y, {ANN_F32}, ANN_F32, 0});
    run(&(entry){"max_pool_index", ANN_OP_MAX_POOL_INDEX, attrs, 1, {x}, y, {ANN_F32}, ANN_U8, 0});
    run(&(entry){
        "window_scatter", ANN_OP_WINDOW_SCATTER, attrs, 2, {y, y}, x, {ANN_F32, ANN_U8}, ANN_F32, 0});
}

/* p, m, v, g and seven scalars. */
static void adam(int64_t n) {
    const ann_fused_instr code[] = {
        {ANN_OP_MUL, 1, 4, -1},  {ANN_OP_MUL, 3, 5, -1},  {ANN_OP_ADD, 11, 12, -1}, {ANN_OP_MUL, 2, 6, -1},
        {ANN_OP_MUL, 3, 3, -1},  {ANN_OP_MUL, 15, 7, -1}, {ANN_OP_ADD, 14, 16, -1}, {ANN_OP_SQRT, 17, -1, -1},
        {ANN_OP_MUL, 18, 8, -1}, {ANN_OP_ADD, 19, 9, -1}, {ANN_OP_MUL, 13, 10, -1}, {ANN_OP_DIV, 21, 20, -1},
        {ANN_OP_SUB, 0, 22, -1}};
    ann_fused program = {
        .outer = 1, .inner = n, .n_in = 11, .n_code = 13, .n_store = 3, .store = {{23, 0}, {13, 1}, {17, 2}}};
    memcpy(program.code, code, sizeof code);
    entry e = {.op = ANN_OP_FUSED, .attrs.fused = &program, .n_in = 11, .out_shape = ANN_SHAPE(0)};
    for (int i = 0; i < 11; i++) {
        program.access[i] = i < 4 ? ANN_ACCESS_FULL : ANN_ACCESS_SCALAR;
        e.in_shape[i] = i < 4 ? ANN_SHAPE(n) : ANN_SCALAR;
    }
    (void)snprintf(e.label, sizeof e.label, "adam %lld", (long long)n);
    run(&e);
}

static void momentum(int64_t n) {
    const ann_fused_instr code[] = {
        {ANN_OP_MUL, 1, 3, -1}, {ANN_OP_ADD, 5, 2, -1}, {ANN_OP_MUL, 6, 4, -1}, {ANN_OP_SUB, 0, 7, -1}};
    ann_fused program = {
        .outer = 1, .inner = n, .n_in = 5, .n_code = 4, .n_store = 2, .store = {{8, 0}, {6, 1}}};
    memcpy(program.code, code, sizeof code);
    program.access[3] = program.access[4] = ANN_ACCESS_SCALAR;
    entry e = {.op = ANN_OP_FUSED,
               .attrs.fused = &program,
               .n_in = 5,
               .out_shape = ANN_SHAPE(0),
               .in_shape = {ANN_SHAPE(n), ANN_SHAPE(n), ANN_SHAPE(n), ANN_SCALAR, ANN_SCALAR}};
    (void)snprintf(e.label, sizeof e.label, "momentum %lld", (long long)n);
    run(&e);
}

static void rows(int64_t b, int64_t c) {
    const ann_shape x = ANN_SHAPE(b, c);
    const ann_attrs relu = {.bias_act = {ANN_ACT_RELU}}, sigmoid = {.bias_act = {ANN_ACT_SIGMOID}},
                    first = {.reduce = {1}}, rand = {.rand = {.seed = 1, .p = 0.5}}, none = {.fill = {0}};
    run(&(entry){
        "bias_act relu", ANN_OP_BIAS_ACT, relu, 2, {x, ANN_SHAPE(c)}, x, {ANN_F32, ANN_F32}, ANN_F32, 0});
    run(&(entry){"bias_act sigmoid",
                 ANN_OP_BIAS_ACT,
                 sigmoid,
                 2,
                 {x, ANN_SHAPE(c)},
                 x,
                 {ANN_F32, ANN_F32},
                 ANN_F32,
                 0});
    run(&(entry){
        "reduce_sum over rows", ANN_OP_REDUCE_SUM, first, 1, {x}, ANN_SHAPE(1, c), {ANN_F32}, ANN_F32, 0});
    run(&(entry){"dropout", ANN_OP_DROPOUT, rand, 2, {x, ANN_SHAPE(b)}, x, {ANN_F32, ANN_I64}, ANN_F32, 0});
    run(&(entry){"softmax", ANN_OP_SOFTMAX, none, 1, {x}, x, {ANN_F32}, ANN_F32, 0});
    run(&(entry){"exp", ANN_OP_EXP, none, 1, {x}, x, {ANN_F32}, ANN_F32, 0});
    run(&(entry){"tanh", ANN_OP_TANH, none, 1, {x}, x, {ANN_F32}, ANN_F32, 0});
    run(&(entry){"add", ANN_OP_ADD, none, 2, {x, x}, x, {ANN_F32, ANN_F32}, ANN_F32, 0});
    run(&(entry){"cast u8", ANN_OP_CAST, none, 1, {x}, x, {ANN_U8}, ANN_F32, 0});
}

static void copy_limit(size_t bytes) {
    void *a, *b;
    double best = 1;
    must(ann_mem_alloc(&a, bytes));
    must(ann_mem_alloc(&b, bytes));
    for (int i = 0; i < 20; i++) {
        const double begin = seconds();
        memcpy(a, b, bytes);
        const double took = seconds() - begin;
        if (took < best) best = took;
    }
    printf("memcpy of %.1f MB, one thread: %.1f GB/s read and written\n", (double)bytes * 1e-6,
           2.0 * (double)bytes / best * 1e-9);
    ann_mem_free(a, bytes);
    ann_mem_free(b, bytes);
}

int main(int argc, char **argv) {
    if (argc > 1) threads = atoi(argv[1]);
    if (threads < 1) return 2;
    ann_kernel_init();
    dense(256, 784, 1024);
    dense(256, 1024, 512);
    dense(256, 512, 64);
    dense(64, 3136, 1024);
    dense(64, 1024, 10);
    conv(64, 28, 1, 32, 5);
    conv(64, 14, 32, 64, 5);
    conv(32, 32, 16, 16, 3);
    copy_limit((size_t)64 * 28 * 28 * 32 * 4);
    pools(64, 28, 32);
    pools(64, 14, 64);
    rows(256, 1024);
    adam(2723664);
    adam(262144);
    momentum(3274634);
    return 0;
}
