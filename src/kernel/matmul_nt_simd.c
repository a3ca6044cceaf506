/* out = a b^T for a small a, as in the backward pass of a dense layer on a small batch (dx = dy w^T): b,
   which is large, is read once where it lies, and only a is packed. Written for AVX-512: 6 x 64 sums fill its
   registers.

       panel  [K][64]: 64 rows of a, transposed
       group  48 rows of b, which share a piece of the panel in the first-level cache */
#include "kernel/kernels.h"
#include "kernel/matmul_shape.h"
#include "kernel/parallel.h"
#include "kernel/simd.h"

#if defined(__AVX512F__)

enum { WIDTH = 64, STRIPE = 6, GROUP = 48, DEPTH = 128, LANES = 16, VECTORS = WIDTH / LANES };

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));

/* sums[n][64] += (or =) the product of n rows of b, `step` apart, and panel[depth][64]. */
ANNI_INLINE void stripe(float *sums, const float *b, int64_t step, const float *panel, int64_t depth,
                        bool first, const int n) {
    vector acc[STRIPE][VECTORS];
    for (int i = 0; i < n; i++)
        for (int v = 0; v < VECTORS; v++)
            acc[i][v] = first ? (vector){0} : *(vector *)(sums + i * WIDTH + v * LANES);
    for (int64_t k = 0; k < depth; k++) {
        const vector *a = (const vector *)(panel + k * WIDTH);
        const vector a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
        for (int i = 0; i < n; i++) {
            const float x = b[i * step + k];
            acc[i][0] += x * a0;
            acc[i][1] += x * a1;
            acc[i][2] += x * a2;
            acc[i][3] += x * a3;
        }
    }
    for (int i = 0; i < n; i++)
        for (int v = 0; v < VECTORS; v++) *(vector *)(sums + i * WIDTH + v * LANES) = acc[i][v];
}

/* The same for the rows of a group; a piece of the panel is short enough for the first-level cache. */
static void piece(float *sums, const float *b, int64_t step, int64_t n, const float *panel, int64_t depth,
                  bool first) {
    int64_t i = 0;
    for (; i + STRIPE <= n; i += STRIPE)
        stripe(sums + i * WIDTH, b + i * step, step, panel, depth, first, STRIPE);
    for (; i + 2 <= n; i += 2) stripe(sums + i * WIDTH, b + i * step, step, panel, depth, first, 2);
    for (; i < n; i++) stripe(sums + i * WIDTH, b + i * step, step, panel, depth, first, 1);
}

/* panel[k][j] = a[j][k]; sixteen k at a time, a cache line of each row. */
static void pack(float *panel, const float *a, int64_t depth) {
    for (int64_t k0 = 0; k0 < depth; k0 += LANES) {
        const int64_t k1 = k0 + LANES < depth ? k0 + LANES : depth;
        for (int64_t j = 0; j < WIDTH; j++)
            for (int64_t k = k0; k < k1; k++) panel[k * WIDTH + j] = a[j * depth + k];
    }
}

/* out[j][i] = sums[i][j]; rows of out are `step` apart. */
static void store_transposed(float *out, int64_t step, const float *sums, int64_t n) {
    for (int64_t j = 0; j < WIDTH; j++)
        for (int64_t i = 0; i < n; i++) out[j * step + i] = sums[i * WIDTH + j];
}

typedef struct task {
    anni_matmul_shape s;
    const float *a, *b;
    float *out, *scratch;
    int64_t scratch_elems; /* per part: sums[48][64], then the panels of a */
} task;

static void product_part(const void *task_, int part, int parts) {
    const task *t = task_;
    const int64_t m = t->s.m, depth = t->s.k;
    float *sums = t->scratch + part * t->scratch_elems, *panels = sums + GROUP * WIDTH;
    int64_t lo, hi;
    anni_share(&lo, &hi, t->s.n, GROUP, part, parts);
    for (int64_t j = 0; j < m && lo < hi; j += WIDTH) pack(panels + j * depth, t->a + j * depth, depth);
    for (int64_t i = lo; i < hi; i += GROUP) {
        const int64_t n = i + GROUP < hi ? GROUP : hi - i;
        for (int64_t j = 0; j < m; j += WIDTH) {
            for (int64_t k = 0; k < depth; k += DEPTH)
                piece(sums, t->b + i * depth + k, depth, n, panels + j * depth + k * WIDTH,
                      k + DEPTH < depth ? DEPTH : depth - k, k == 0);
            store_transposed(t->out + j * t->s.n + i, t->s.n, sums, n);
        }
    }
}

static int64_t part_elems(const anni_matmul_shape *s) { return GROUP * WIDTH + s->k * s->m; }

static ann_status matmul(const ann_kernel_call *call) {
    task t = {.s = anni_matmul_shape_of(call),
              .a = (const float *)call->in[0] + anni_matmul_shape_of(call).a_at,
              .b = call->in[1],
              .out = call->out,
              .scratch = call->scratch};
    t.scratch_elems = part_elems(&t.s);
    anni_parallel(call->threads, product_part, &t);
    return ANN_OK;
}

static size_t scratch_bytes(const ann_kernel_call *call) {
    const anni_matmul_shape s = anni_matmul_shape_of(call);
    return (size_t)(call->threads * part_elems(&s)) * sizeof(float);
}

/* Measured at 64x3136x1024 on one core with AVX-512: 108 GFLOP/s against 75 to 84 of the libraries, which
 * pack b.
 */
static bool accepts(const ann_kernel_call *call) {
    const anni_matmul_shape s = anni_matmul_shape_of(call);
    return anni_simd_here() && s.batch == 1 && !s.trans_a && s.trans_b && (s.m == 64 || s.m == 128) &&
           s.k >= 256 && s.n >= 256;
}

const ann_kernel ANNI_SIMD(anni_kernel_matmul_nt) = {
    .name = ANNI_SIMD_NAME("matmul_nt."), .accepts = accepts, .scratch_bytes = scratch_bytes, .run = matmul};

#endif
