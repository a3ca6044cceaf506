/* Convolutions by OpenBLAS: NHWC images become rows of windows ("im2col"; Chellapilla, Puri, Simard 2006), a
   chunk of output pixels at a time so that the rows stay in the second-level cache, and each chunk is one
   matrix product per group. */
#include <cblas.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"

enum { CHUNK_BYTES = 256 * 1024 };

typedef struct task {
    const ann_kernel_call *call;
    const ann_window *window;
    const float *x, *w, *y; /* the inputs among image, weights, output */
    float *out;
    int64_t images, out_h, out_w;
    int64_t in_c, out_c, group_in, group_out;
    int64_t row;        /* elements of a window of one group */
    int64_t chunk_rows; /* output pixels per chunk */
    bool plain;         /* 1x1, no stride, no padding: the image is the rows */
} task;

static task task_of(const ann_kernel_call *call) {
    const bool dx = call->op == ANN_OP_CONV_DX, dw = call->op == ANN_OP_CONV_DW;
    const ann_shape *x = dx ? &call->out_shape : &call->in_shape[0],
                    *w = dw ? &call->out_shape : &call->in_shape[1];
    const ann_shape *y = dx ? &call->in_shape[0] : dw ? &call->in_shape[1] : &call->out_shape;
    const ann_window *win = &call->attrs->window;
    task t = {.call = call,
              .window = win,
              .images = x->dim[0],
              .out_h = y->dim[1],
              .out_w = y->dim[2],
              .in_c = x->dim[3],
              .out_c = y->dim[3]};
    t.group_in = w->dim[3];
    t.group_out = w->dim[0] / win->groups;
    t.row = win->kernel_h * win->kernel_w * t.group_in;
    const int64_t fit = CHUNK_BYTES / (int64_t)sizeof(float) / (t.row > 0 ? t.row : 1);
    t.chunk_rows = fit < 16 ? 16 : fit;
    t.plain = win->kernel_h * win->kernel_w == 1 && win->stride_h * win->stride_w == 1 && win->groups == 1 &&
              (win->pad_top | win->pad_left | win->pad_bottom | win->pad_right) == 0;
    return t;
}

/* Called once the pointers of the call are set. */
static void set_pointers(task *t) {
    const void *a = t->call->in[0], *b = t->call->in[1];
    t->x = t->call->op == ANN_OP_CONV_DX ? NULL : a;
    t->w = t->call->op == ANN_OP_CONV_DW ? NULL : b;
    t->y = t->call->op == ANN_OP_CONV_DX ? a : t->call->op == ANN_OP_CONV_DW ? b : NULL;
    t->out = t->call->out;
}

static int64_t chunk_elems(const task *t) {
    return (int64_t)ann_align_up((size_t)(t->chunk_rows * t->row), ANN_ALIGN_BYTES);
}
static int64_t weight_elems(const task *t) { return t->out_c * t->row; }

/* ---- rows <-> image ---- */

typedef struct pixel {
    int64_t n, oh, ow;
} pixel;

static pixel pixel_of(const task *t, int64_t at) {
    return (pixel){at / (t->out_h * t->out_w), at / t->out_w % t->out_h, at % t->out_w};
}

/* First element in the image of window line kh of pixel p for kw = 0 (which may lie outside), and which kw
   are inside; false if the line is padding. */
static bool window_line(const task *t, pixel p, int64_t kh, int64_t group, int64_t *at, int64_t *kw_lo,
                        int64_t *kw_hi) {
    const ann_window *w = t->window;
    const int64_t ih = p.oh * w->stride_h - w->pad_top + kh * w->dilation_h,
                  iw = p.ow * w->stride_w - w->pad_left;
    int64_t lo = 0, hi = w->kernel_w;
    while (lo < hi && iw + lo * w->dilation_w < 0) lo++;
    while (hi > lo && iw + (hi - 1) * w->dilation_w >= w->in_w) hi--;
    *kw_lo = lo;
    *kw_hi = hi;
    *at = ((p.n * w->in_h + ih) * w->in_w + iw) * t->in_c + group * t->group_in;
    return ih >= 0 && ih < w->in_h && lo < hi;
}

static void gather_line(const task *t, float *row, int64_t at, int64_t lo, int64_t hi) {
    const int64_t c = t->group_in, step = t->window->dilation_w * t->in_c;
    memset(row, 0, (size_t)(lo * c) * sizeof *row);
    memset(row + hi * c, 0, (size_t)((t->window->kernel_w - hi) * c) * sizeof *row);
    if (step == c) {
        memcpy(row + lo * c, t->x + at + lo * step, (size_t)((hi - lo) * c) * sizeof *row);
        return;
    }
    for (int64_t kw = lo; kw < hi; kw++) memcpy(row + kw * c, t->x + at + kw * step, (size_t)c * sizeof *row);
}

/* Rows of pixels [lo, hi). */
static const float *gather(const task *t, float *rows, int64_t lo, int64_t hi, int64_t group) {
    if (t->plain) return t->x + lo * t->in_c;
    const int64_t line = t->window->kernel_w * t->group_in;
    for (int64_t i = lo; i < hi; i++) {
        const pixel p = pixel_of(t, i);
        for (int64_t kh = 0; kh < t->window->kernel_h; kh++) {
            float *row = rows + (i - lo) * t->row + kh * line;
            int64_t at, kw_lo, kw_hi;
            if (window_line(t, p, kh, group, &at, &kw_lo, &kw_hi)) gather_line(t, row, at, kw_lo, kw_hi);
            else memset(row, 0, (size_t)line * sizeof *row);
        }
    }
    return rows;
}

static void scatter_add(const task *t, const float *rows, int64_t lo, int64_t hi, int64_t group) {
    const int64_t c = t->group_in, line = t->window->kernel_w * c, step = t->window->dilation_w * t->in_c;
    for (int64_t i = lo; i < hi; i++) {
        const pixel p = pixel_of(t, i);
        for (int64_t kh = 0; kh < t->window->kernel_h; kh++) {
            const float *row = rows + (i - lo) * t->row + kh * line;
            int64_t at, kw_lo, kw_hi;
            if (!window_line(t, p, kh, group, &at, &kw_lo, &kw_hi)) continue;
            for (int64_t kw = kw_lo; kw < kw_hi; kw++)
                for (int64_t j = 0; j < c; j++) t->out[at + kw * step + j] += row[kw * c + j];
        }
    }
}

/* ---- the three operations ---- */

static void product(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int64_t m, int64_t n, int64_t k, const float *a,
                    int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    cblas_sgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)k, 1.0f, a, (int)lda, b, (int)ldb, beta, c,
                (int)ldc);
}

static void forward_part(const void *task_, int part, int parts) {
    const task *t = task_;
    float *scratch = (float *)t->call->scratch + part * chunk_elems(t);
    int64_t lo, hi;
    anni_share(&lo, &hi, t->images * t->out_h * t->out_w, 1, part, parts);
    for (int64_t i = lo; i < hi; i += t->chunk_rows) {
        const int64_t end = i + t->chunk_rows < hi ? i + t->chunk_rows : hi;
        for (int64_t g = 0; g < t->window->groups; g++)
            product(CblasNoTrans, CblasTrans, end - i, t->group_out, t->row, gather(t, scratch, i, end, g),
                    t->row, t->w + g * t->group_out * t->row, t->row, 0.0f,
                    t->out + i * t->out_c + g * t->group_out, t->out_c);
    }
}

/* Windows overlap within an image, never between images. */
static void dx_part(const void *task_, int part, int parts) {
    const task *t = task_;
    const int64_t image = t->window->in_h * t->window->in_w * t->in_c, pixels = t->out_h * t->out_w;
    float *rows = (float *)t->call->scratch + part * chunk_elems(t);
    int64_t lo, hi;
    anni_share(&lo, &hi, t->images, 1, part, parts);
    memset(t->out + lo * image, 0, (size_t)((hi - lo) * image) * sizeof *t->out);
    for (int64_t i = lo * pixels; i < hi * pixels; i += t->chunk_rows) {
        const int64_t end = i + t->chunk_rows < hi * pixels ? i + t->chunk_rows : hi * pixels;
        for (int64_t g = 0; g < t->window->groups; g++) {
            product(CblasNoTrans, CblasNoTrans, end - i, t->row, t->group_out,
                    t->y + i * t->out_c + g * t->group_out, t->out_c, t->w + g * t->group_out * t->row,
                    t->row, 0.0f, rows, t->row);
            scatter_add(t, rows, i, end, g);
        }
    }
}

/* Each part sums over its own pixels; part 0 into the result, the others behind the rows in scratch. */
static float *partial_dw(const task *t, int part, int parts) {
    return part == 0 ? t->out
                     : (float *)t->call->scratch + parts * chunk_elems(t) + (part - 1) * weight_elems(t);
}

static void dw_part(const void *task_, int part, int parts) {
    const task *t = task_;
    float *scratch = (float *)t->call->scratch + part * chunk_elems(t), *dw = partial_dw(t, part, parts);
    int64_t lo, hi;
    anni_share(&lo, &hi, t->images * t->out_h * t->out_w, 1, part, parts);
    memset(dw, 0, (size_t)weight_elems(t) * sizeof *dw);
    for (int64_t i = lo; i < hi; i += t->chunk_rows) {
        const int64_t end = i + t->chunk_rows < hi ? i + t->chunk_rows : hi;
        for (int64_t g = 0; g < t->window->groups; g++)
            product(CblasTrans, CblasNoTrans, t->group_out, t->row, end - i,
                    t->y + i * t->out_c + g * t->group_out, t->out_c, gather(t, scratch, i, end, g), t->row,
                    1.0f, dw + g * t->group_out * t->row, t->row);
    }
}

/* ---- the kernel ---- */

static ann_status run(const ann_kernel_call *call) {
    task t = task_of(call);
    const bool dw = call->op == ANN_OP_CONV_DW;
    set_pointers(&t);
    if (ann_shape_elems(&call->out_shape) == 0) return ANN_OK;
    const int parts = anni_parts(call->threads, t.images * t.out_h * t.out_w * t.row * 4);
    anni_parallel(parts, dw ? dw_part : call->op == ANN_OP_CONV_DX ? dx_part : forward_part, &t);
    for (int part = 1; dw && part < parts; part++) {
        const float *from = partial_dw(&t, part, parts);
        for (int64_t i = 0; i < weight_elems(&t); i++) t.out[i] += from[i];
    }
    return ANN_OK;
}

static size_t scratch_bytes(const ann_kernel_call *call) {
    const task t = task_of(call);
    int64_t elems = call->threads * chunk_elems(&t);
    if (call->op == ANN_OP_CONV_DW) elems += (call->threads - 1) * weight_elems(&t);
    return (size_t)elems * sizeof(float);
}

static bool accepts(const ann_kernel_call *call) {
    return call->in_dtype[0] == ANN_F32 && call->in_dtype[1] == ANN_F32;
}

const ann_kernel anni_kernel_conv_openblas = {
    .name = "conv.openblas", .accepts = accepts, .scratch_bytes = scratch_bytes, .run = run};
