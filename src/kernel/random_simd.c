/* Philox draws (base/philox.h) sixteen calls, that is 64 elements, at a time: rand (uniform) and dropout. */
#include <math.h>

#include "base/philox.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/simd_math.h"

enum { CALLS = 16, DRAWS = 4 * CALLS };

/* word[i] = ann_random_u32(seed, stream, sample, element + i); element is a multiple of 4. */
static void draw(uint32_t word[DRAWS], uint64_t seed, uint32_t stream, uint64_t sample, uint64_t element) {
    const uint32_t first = (uint32_t)(element >> 2);
#pragma omp simd
    for (uint32_t i = 0; i < CALLS; i++) {
        const ann_philox4 four = ann_philox(seed, sample, ((uint64_t)stream << 32) | (first + i));
        word[4 * i] = four.v[0];
        word[4 * i + 1] = four.v[1];
        word[4 * i + 2] = four.v[2];
        word[4 * i + 3] = four.v[3];
    }
}

ANNI_INLINE float uniform(uint32_t word) { return (float)(int32_t)(word >> 8) * 0x1p-24f; }

typedef struct task {
    const ann_kernel_call *call;
    const int64_t *ids;
    int64_t rows, elems; /* per row */
} task;

static task task_of(const ann_kernel_call *call, const void *ids) {
    const int64_t rows = call->out_shape.dim[0];
    return (task){call, ids, rows, rows > 0 ? ann_shape_elems(&call->out_shape) / rows : 0};
}

static void draw_for(uint32_t word[DRAWS], const task *t, int64_t row, int64_t e) {
    draw(word, t->call->attrs->rand.seed, t->call->attrs->rand.stream, (uint64_t)t->ids[row], (uint64_t)e);
}

static void rand_part(const void *task_, int part, int parts) {
    const task *t = task_;
    uint32_t word[DRAWS];
    int64_t lo, hi;
    anni_share(&lo, &hi, t->rows, 1, part, parts);
    for (int64_t r = lo; r < hi; r++) {
        float *out = (float *)t->call->out + r * t->elems;
        for (int64_t e = 0; e < t->elems; e += DRAWS) {
            const int64_t n = t->elems - e < DRAWS ? t->elems - e : DRAWS;
            draw_for(word, t, r, e);
            for (int64_t i = 0; i < n; i++) out[e + i] = uniform(word[i]);
        }
    }
}

static void dropout_part(const void *task_, int part, int parts) {
    const task *t = task_;
    const double p = t->call->attrs->rand.p;
    /* uniform >= p, in the 24 bits of the draw. */
    const int32_t first_kept = (int32_t)ceil(p * 0x1p24);
    const float scale = (float)(1.0 / (1.0 - p));
    uint32_t word[DRAWS];
    int64_t lo, hi;
    anni_share(&lo, &hi, t->rows, 1, part, parts);
    for (int64_t r = lo; r < hi; r++) {
        const float *x = (const float *)t->call->in[0] + r * t->elems;
        float *out = (float *)t->call->out + r * t->elems;
        for (int64_t e = 0; e < t->elems; e += DRAWS) {
            const int64_t n = t->elems - e < DRAWS ? t->elems - e : DRAWS;
            draw_for(word, t, r, e);
#pragma omp simd
            for (int64_t i = 0; i < n; i++) {
                const float kept = x[e + i] * scale;
                out[e + i] = (int32_t)(word[i] >> 8) >= first_kept ? kept : 0.0f;
            }
        }
    }
}

/* An element costs about as much as moving 32 bytes. */
static int parts_for(const ann_kernel_call *call) {
    return anni_parts(call->threads, ann_shape_elems(&call->out_shape) * 32);
}
static ann_status random_uniform(const ann_kernel_call *call) {
    const task t = task_of(call, call->in[0]);
    anni_parallel(parts_for(call), rand_part, &t);
    return ANN_OK;
}
static ann_status dropout(const ann_kernel_call *call) {
    const task t = task_of(call, call->in[1]);
    anni_parallel(parts_for(call), dropout_part, &t);
    return ANN_OK;
}

static bool rand_accepts(const ann_kernel_call *call) {
    return anni_simd_here() && call->attrs->rand.kind == ANN_RAND_UNIFORM && call->in_dtype[0] == ANN_I64;
}
static bool dropout_accepts(const ann_kernel_call *call) {
    const double p = call->attrs->rand.p;
    return anni_simd_here() && call->in_dtype[0] == ANN_F32 && call->in_dtype[1] == ANN_I64 && p >= 0.0 &&
           p <= 1.0;
}

const ann_kernel ANNI_SIMD(anni_kernel_rand) = {
    .name = ANNI_SIMD_NAME("rand."), .accepts = rand_accepts, .run = random_uniform};
const ann_kernel ANNI_SIMD(anni_kernel_dropout) = {
    .name = ANNI_SIMD_NAME("dropout."), .accepts = dropout_accepts, .run = dropout};
