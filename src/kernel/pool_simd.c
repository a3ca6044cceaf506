/* Pooling windows over NHWC images: each step works on a run of channels of one window. */
#include <string.h>

#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/simd_math.h"

enum { CHANNELS = 128, LANES = 16, NONE = ANN_MAX_POOL_WINDOW };

/* Does WORK, which writes what it does not read, for each channel C of CHANNELS_: in runs of LANES, of which
   the last begins earlier rather than be a slow rest; what is in two runs is written twice, the same. */
#define FOR_CHANNELS(C, CHANNELS_, WORK)                                                                     \
    if ((CHANNELS_) < LANES) {                                                                               \
        for (int64_t C = 0; C < (CHANNELS_); C++) WORK;                                                      \
    } else                                                                                                   \
        for (int64_t run = 0; run < (CHANNELS_); run += LANES) {                                             \
            const int64_t first = run < (CHANNELS_)-LANES ? run : (CHANNELS_)-LANES;                         \
            _Pragma("omp simd") for (int64_t C = first; C < first + LANES; C++) WORK;                        \
        }

typedef struct task {
    const ann_kernel_call *call;
    const ann_window *window;
    int64_t images, out_h, out_w, channels;
    const float *in;      /* x, or dy for the adjoints */
    const uint8_t *index; /* gather, scatter */
    float *out;           /* NULL for max_pool_index */
    uint8_t *out_index;
    bool apart;  /* windows do not overlap */
    bool covers; /* ... and together they are the whole image */
} task;

/* `y` is the shape on the side of the windows. */
static task task_of(const ann_kernel_call *call, const ann_shape *y) {
    const ann_window *w = &call->attrs->window;
    task t = {.call = call,
              .window = w,
              .images = y->dim[0],
              .out_h = y->dim[1],
              .out_w = y->dim[2],
              .channels = y->dim[3],
              .in = call->in[0]};
    t.apart =
        w->stride_h > w->dilation_h * (w->kernel_h - 1) && w->stride_w > w->dilation_w * (w->kernel_w - 1);
    t.covers = t.apart && w->stride_h == w->kernel_h && w->stride_w == w->kernel_w && w->pad_top == 0 &&
               w->pad_left == 0 && t.out_h * w->stride_h >= w->in_h && t.out_w * w->stride_w >= w->in_w;
    return t;
}

/* ---- the elements of a window ---- */

/* Which elements of one window are in the image, and where. */
typedef struct taps {
    int n;
    uint8_t k[ANN_MAX_POOL_WINDOW + 1];  /* kh * kernel_w + kw */
    int64_t at[ANN_MAX_POOL_WINDOW + 1]; /* first channel, in elements from the start of the images */
} taps;

static void find_taps(taps *out, const task *t, int64_t n, int64_t oh, int64_t ow) {
    const ann_window *w = t->window;
    out->n = 0;
    for (int64_t kh = 0; kh < w->kernel_h; kh++) {
        const int64_t ih = oh * w->stride_h - w->pad_top + kh * w->dilation_h;
        if (ih < 0 || ih >= w->in_h) continue;
        for (int64_t kw = 0; kw < w->kernel_w; kw++) {
            const int64_t iw = ow * w->stride_w - w->pad_left + kw * w->dilation_w;
            if (iw < 0 || iw >= w->in_w) continue;
            out->k[out->n] = (uint8_t)(kh * w->kernel_w + kw);
            out->at[out->n++] = ((n * w->in_h + ih) * w->in_w + iw) * t->channels;
        }
    }
}

typedef void (*window_fn)(const task *t, const taps *taps,
                          int64_t at); /* at: first channel of the window's output */

static void each_window(const task *t, int64_t lo, int64_t hi, window_fn run) {
    taps found;
    for (int64_t row = lo; row < hi; row++)
        for (int64_t ow = 0; ow < t->out_w; ow++) {
            find_taps(&found, t, row / t->out_h, row % t->out_h, ow);
            run(t, &found, (row * t->out_w + ow) * t->channels);
        }
}

/* ---- from image to windows ---- */

/* A NaN is larger than every number. */
ANNI_INLINE float larger(float top, float x) { return ((x > top) | (x != x)) ? x : top; }

/* The floats' order as integers': equal for the two zeros, the largest for NaN. */
ANNI_INLINE int32_t order(float x) {
    const int32_t bits = anni_to_bits(x + 0.0f), key = bits ^ ((bits >> 31) & INT32_MAX);
    return x != x ? INT32_MAX : key;
}
ANNI_INLINE int32_t larger_key(int32_t a, int32_t b) { return b > a ? b : a; }

/* The commonest window, four elements in the image. */
static void max_of_4(const task *t, const taps *w, int64_t at) {
    const int64_t channels = t->channels;
    const float *x0 = t->in + w->at[0], *x1 = t->in + w->at[1], *x2 = t->in + w->at[2],
                *x3 = t->in + w->at[3];
    float *out = t->out + at;
    FOR_CHANNELS(c, channels, out[c] = larger(larger(larger(x0[c], x1[c]), x2[c]), x3[c]))
}

ANNI_INLINE uint8_t largest_of_4(float x0, float x1, float x2, float x3) {
    const int32_t a = order(x0), b = order(x1), d = order(x2), e = order(x3);
    const int32_t ab = larger_key(a, b), abd = larger_key(ab, d);
    int32_t k = b > a ? 1 : 0;
    k = d > ab ? 2 : k;
    k = e > abd ? 3 : k;
    return (uint8_t)k;
}

static void index_of_4(const task *t, const taps *w, int64_t at) {
    const int64_t channels = t->channels;
    const float *x0 = t->in + w->at[0], *x1 = t->in + w->at[1], *x2 = t->in + w->at[2],
                *x3 = t->in + w->at[3];
    uint8_t *out = t->out_index + at;
    FOR_CHANNELS(c, channels, out[c] = largest_of_4(x0[c], x1[c], x2[c], x3[c]))
}

static void max_and_index(const task *t, const taps *w, int64_t at) {
    float top[CHANNELS];
    int32_t index[CHANNELS];
    for (int64_t c0 = 0; c0 < t->channels; c0 += CHANNELS) {
        const int64_t n = t->channels - c0 < CHANNELS ? t->channels - c0 : CHANNELS;
        for (int64_t c = 0; c < n; c++) {
            top[c] = w->n > 0 ? t->in[w->at[0] + c0 + c] : 0.0f;
            index[c] = w->n > 0 ? w->k[0] : NONE;
        }
        for (int i = 1; i < w->n; i++) {
            const float *x = t->in + w->at[i] + c0;
            const int32_t k = w->k[i];
            for (int64_t c = 0; c < n; c++) {
                index[c] = order(x[c]) > order(top[c]) ? k : index[c];
                top[c] = larger(top[c], x[c]);
            }
        }
        for (int64_t c = 0; t->out != NULL && c < n; c++) t->out[at + c0 + c] = top[c];
        for (int64_t c = 0; t->out_index != NULL && c < n; c++) t->out_index[at + c0 + c] = (uint8_t)index[c];
    }
}

static void max_window(const task *t, const taps *w, int64_t at) {
    if (w->n == 4 && w->k[3] == 3) max_of_4(t, w, at);
    else max_and_index(t, w, at);
}

static void index_window(const task *t, const taps *w, int64_t at) {
    if (w->n == 4 && w->k[3] == 3) index_of_4(t, w, at);
    else max_and_index(t, w, at);
}

static void gather_window(const task *t, const taps *w, int64_t at) {
    const int64_t channels = t->channels;
    float *out = t->out + at;
    const uint8_t *index = t->index + at;
    memset(out, 0, (size_t)channels * sizeof *out);
    for (int i = 0; i < w->n; i++) {
        const float *x = t->in + w->at[i];
        const int32_t k = w->k[i];
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) out[c] = index[c] == k ? x[c] : out[c];
    }
}

static void sum_window(const task *t, const taps *w, int64_t at) {
    const int64_t channels = t->channels;
    float *out = t->out + at;
    memset(out, 0, (size_t)channels * sizeof *out);
    for (int i = 0; i < w->n; i++) {
        const float *x = t->in + w->at[i];
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) out[c] += x[c];
    }
}

/* ---- from windows back to the image ---- */

static void scatter_window(const task *t, const taps *w, int64_t at) {
    const int64_t channels = t->channels;
    const bool apart = t->apart;
    const float *dy = t->in + at;
    const uint8_t *index = t->index + at;
    for (int i = 0; i < w->n; i++) {
        float *dx = t->out + w->at[i];
        const int32_t k = w->k[i];
        if (apart) {
            FOR_CHANNELS(c, channels, dx[c] = index[c] == k ? dy[c] : 0.0f)
        } else {
#pragma omp simd
            for (int64_t c = 0; c < channels; c++) dx[c] += index[c] == k ? dy[c] : 0.0f;
        }
    }
}

static void spread_window(const task *t, const taps *w, int64_t at) {
    const int64_t channels = t->channels;
    const float *dy = t->in + at;
    for (int i = 0; i < w->n; i++) {
        float *dx = t->out + w->at[i];
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) dx[c] += dy[c];
    }
}

/* ---- kernels ---- */

/* Windows of one image may overlap: the adjoints split by image. */
static void adjoint_part(const task *t, int part, int parts, window_fn run, bool zero) {
    const int64_t image = t->window->in_h * t->window->in_w * t->channels;
    int64_t lo, hi;
    anni_share(&lo, &hi, t->images, 1, part, parts);
    for (int64_t n = lo; n < hi; n++) {
        if (zero) memset(t->out + n * image, 0, (size_t)image * sizeof *t->out);
        each_window(t, n * t->out_h, (n + 1) * t->out_h, run);
    }
}

static void forward_part(const task *t, int part, int parts, window_fn run) {
    int64_t lo, hi;
    anni_share(&lo, &hi, t->images * t->out_h, 1, part, parts);
    each_window(t, lo, hi, run);
}

static void max_pool_part(const void *t, int part, int parts) { forward_part(t, part, parts, max_window); }
static void index_part(const void *t, int part, int parts) { forward_part(t, part, parts, index_window); }
static void gather_part(const void *t, int part, int parts) { forward_part(t, part, parts, gather_window); }
static void sum_part(const void *t, int part, int parts) { forward_part(t, part, parts, sum_window); }
static void scatter_part(const void *t_, int part, int parts) {
    const task *t = t_;
    adjoint_part(t, part, parts, scatter_window, !t->covers);
}
static void spread_part(const void *t, int part, int parts) {
    adjoint_part(t, part, parts, spread_window, true);
}

static ann_status start(const task *t, anni_part_fn run) {
    const ann_window *w = t->window;
    const int64_t bytes = t->images * t->out_h * t->out_w * t->channels * w->kernel_h * w->kernel_w * 4;
    anni_parallel(anni_parts(t->call->threads, bytes), run, t);
    return ANN_OK;
}

static ann_status max_pool(const ann_kernel_call *call) {
    task t = task_of(call, &call->out_shape);
    t.out = call->out;
    return start(&t, max_pool_part);
}
static ann_status max_pool_index(const ann_kernel_call *call) {
    task t = task_of(call, &call->out_shape);
    t.out_index = call->out;
    return start(&t, index_part);
}
static ann_status window_gather(const ann_kernel_call *call) {
    task t = task_of(call, &call->out_shape);
    t.index = call->in[1];
    t.out = call->out;
    return start(&t, gather_part);
}
static ann_status window_scatter(const ann_kernel_call *call) {
    task t = task_of(call, &call->in_shape[0]);
    t.index = call->in[1];
    t.out = call->out;
    return start(&t, scatter_part);
}
static ann_status sum_pool(const ann_kernel_call *call) {
    task t = task_of(call, &call->out_shape);
    t.out = call->out;
    return start(&t, sum_part);
}
static ann_status sum_pool_dx(const ann_kernel_call *call) {
    task t = task_of(call, &call->in_shape[0]);
    t.out = call->out;
    return start(&t, spread_part);
}

static bool accepts(const ann_kernel_call *call) {
    const ann_window *w = &call->attrs->window;
    return anni_simd_here() && call->in_dtype[0] == ANN_F32 &&
           w->kernel_h * w->kernel_w <= ANN_MAX_POOL_WINDOW;
}

const ann_kernel ANNI_SIMD(anni_kernel_max_pool) = {
    .name = ANNI_SIMD_NAME("max_pool."), .accepts = accepts, .run = max_pool};
const ann_kernel ANNI_SIMD(anni_kernel_max_pool_index) = {
    .name = ANNI_SIMD_NAME("max_pool_index."), .accepts = accepts, .run = max_pool_index};
const ann_kernel ANNI_SIMD(anni_kernel_window_gather) = {
    .name = ANNI_SIMD_NAME("window_gather."), .accepts = accepts, .run = window_gather};
const ann_kernel ANNI_SIMD(anni_kernel_window_scatter) = {
    .name = ANNI_SIMD_NAME("window_scatter."), .accepts = accepts, .run = window_scatter};
const ann_kernel ANNI_SIMD(anni_kernel_sum_pool) = {
    .name = ANNI_SIMD_NAME("sum_pool."), .accepts = accepts, .run = sum_pool};
const ann_kernel ANNI_SIMD(anni_kernel_sum_pool_dx) = {
    .name = ANNI_SIMD_NAME("sum_pool_dx."), .accepts = accepts, .run = sum_pool_dx};
