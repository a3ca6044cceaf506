/* Convolutions by oneDNN on NHWC images. Weights lie in memory as OHWI and are reordered to and from the
   layout that the primitive prefers in every run, which costs below 1 % of it. */
#include <dnnl.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/kernels.h"

/* ---- the process's oneDNN engine ---- */

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_status_t engine_status;
static pthread_once_t engine_once = PTHREAD_ONCE_INIT;

static void engine_start(void) {
    engine_status = dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (engine_status == dnnl_success)
        engine_status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
}

static ann_status check(dnnl_status_t status, const char *what) {
    if (status == dnnl_success) return ANN_OK;
    const ann_status code = status == dnnl_out_of_memory   ? ANN_ERR_MEMORY
                            : status == dnnl_unimplemented ? ANN_ERR_UNSUPPORTED
                                                           : ANN_ERR_INTERNAL;
    return ann_error(code, "oneDNN: %s: status %d", what, (int)status);
}

/* ---- describing a call ---- */

/* The three tensors of a convolution whichever of them is the result: image x, weights w, output y. */
typedef struct problem {
    const ann_window *window;
    const ann_shape *x, *w, *y;
} problem;

static problem problem_of(const ann_kernel_call *call) {
    problem p = {.window = &call->attrs->window,
                 .x = &call->in_shape[0],
                 .w = &call->in_shape[1],
                 .y = &call->out_shape};
    if (call->op == ANN_OP_CONV_DX)
        p = (problem){p.window, &call->out_shape, &call->in_shape[1], &call->in_shape[0]};
    if (call->op == ANN_OP_CONV_DW)
        p = (problem){p.window, &call->in_shape[0], &call->out_shape, &call->in_shape[1]};
    return p;
}

static dnnl_status_t describe_image(dnnl_memory_desc_t *out, const ann_shape *s) {
    const dnnl_dims_t dims = {s->dim[0], s->dim[3], s->dim[1], s->dim[2]};
    return dnnl_memory_desc_init_by_tag(out, 4, dims, dnnl_f32, dnnl_nhwc);
}

/* OHWI memory as (groups,) O, I, H, W. */
static dnnl_status_t describe_weights(dnnl_memory_desc_t *lying, dnnl_memory_desc_t *any, const problem *p) {
    const dnnl_dim_t g = p->window->groups, o = p->w->dim[0] / g, kh = p->w->dim[1], kw = p->w->dim[2],
                     i = p->w->dim[3];
    const dnnl_dims_t dims = {g, o, i, kh, kw}, strides = {o * kh * kw * i, kh * kw * i, 1, kw * i, i};
    const int skip = g == 1 ? 1 : 0;
    const dnnl_status_t status =
        dnnl_memory_desc_init_by_strides(lying, 5 - skip, dims + skip, dnnl_f32, strides + skip);
    if (status != dnnl_success) return status;
    return dnnl_memory_desc_init_by_tag(any, 5 - skip, dims + skip, dnnl_f32, dnnl_format_tag_any);
}

typedef struct described {
    dnnl_memory_desc_t x, y, w, w_any;
} described;

static ann_status describe(described *d, const problem *p) {
    ANN_TRY(check(describe_image(&d->x, p->x), "image"));
    ANN_TRY(check(describe_image(&d->y, p->y), "output"));
    return check(describe_weights(&d->w, &d->w_any, p), "weights");
}

/* The operation as oneDNN wants it described. */
static ann_status describe_op(dnnl_convolution_desc_t *out, ann_op op, const described *d,
                              const ann_window *w) {
    const dnnl_dims_t stride = {w->stride_h, w->stride_w}, dilation = {w->dilation_h - 1, w->dilation_w - 1};
    const dnnl_dims_t lo = {w->pad_top, w->pad_left}, hi = {w->pad_bottom, w->pad_right};
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    if (op == ANN_OP_CONV_DX)
        return check(dnnl_dilated_convolution_backward_data_desc_init(out, direct, &d->x, &d->w_any, &d->y,
                                                                      stride, dilation, lo, hi),
                     "conv_dx");
    if (op == ANN_OP_CONV_DW)
        return check(dnnl_dilated_convolution_backward_weights_desc_init(out, direct, &d->x, &d->w_any, NULL,
                                                                         &d->y, stride, dilation, lo, hi),
                     "conv_dw");
    return check(dnnl_dilated_convolution_forward_desc_init(out, dnnl_forward_training, direct, &d->x,
                                                            &d->w_any, NULL, &d->y, stride, dilation, lo, hi),
                 "conv");
}

static ann_status choose_with_attr(dnnl_primitive_desc_t *out, ann_op op, const described *d,
                                   const ann_window *w, dnnl_primitive_attr_t attr) {
    dnnl_convolution_desc_t forward, wanted;
    dnnl_primitive_desc_t hint;
    ANN_TRY(
        check(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user), "scratchpad mode"));
    ANN_TRY(describe_op(&forward, ANN_OP_CONV, d, w));
    ANN_TRY(check(dnnl_primitive_desc_create(&hint, &forward, attr, engine, NULL),
                  "choosing a forward convolution"));
    if (op == ANN_OP_CONV) {
        *out = hint;
        return ANN_OK;
    }
    ann_status status = describe_op(&wanted, op, d, w);
    if (status == ANN_OK)
        status = check(dnnl_primitive_desc_create(out, &wanted, attr, engine, hint),
                       "choosing a backward convolution");
    dnnl_primitive_desc_destroy(hint);
    return status;
}

/* The implementation for this call, with the caller's scratchpad. */
static ann_status choose(dnnl_primitive_desc_t *out, described *d, const ann_kernel_call *call) {
    const problem p = problem_of(call);
    dnnl_primitive_attr_t attr;
    pthread_once(&engine_once, engine_start);
    ANN_TRY(check(engine_status, "starting the engine"));
    omp_set_num_threads(call->threads);
    ANN_TRY(describe(d, &p));
    ANN_TRY(check(dnnl_primitive_attr_create(&attr), "attributes"));
    const ann_status status = choose_with_attr(out, call->op, d, p.window, attr);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

/* ---- prepared calls ---- */

typedef struct state {
    dnnl_primitive_t conv, reorder; /* reorder is NULL if the weights lie as the primitive prefers */
    dnnl_memory_t x, y, w_lying, w_inner, pad;
    size_t w_bytes, pad_bytes; /* scratch: the inner weights, then the primitive's pad */
} state;

static void release(void *state_) {
    state *s = state_;
    if (s == NULL) return;
    dnnl_memory_t memories[] = {s->x, s->y, s->w_lying, s->w_inner, s->pad};
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++)
        if (memories[i] != NULL) dnnl_memory_destroy(memories[i]);
    if (s->reorder != NULL) dnnl_primitive_destroy(s->reorder);
    if (s->conv != NULL) dnnl_primitive_destroy(s->conv);
    free(s);
}

static ann_status make_reorder(state *s, ann_op op, const dnnl_memory_desc_t *lying,
                               const dnnl_memory_desc_t *inner) {
    dnnl_primitive_desc_t desc;
    const bool out = op == ANN_OP_CONV_DW;
    ANN_TRY(check(dnnl_reorder_primitive_desc_create(&desc, out ? inner : lying, engine, out ? lying : inner,
                                                     engine, NULL),
                  "reorder"));
    const dnnl_status_t status = dnnl_primitive_create(&s->reorder, desc);
    dnnl_primitive_desc_destroy(desc);
    return check(status, "reorder");
}

static ann_status make_memory(dnnl_memory_t *out, const dnnl_memory_desc_t *desc) {
    return check(dnnl_memory_create(out, desc, engine, DNNL_MEMORY_NONE), "memory");
}

static ann_status fill_state(state *s, ann_op op, const described *d, const_dnnl_primitive_desc_t chosen) {
    const dnnl_memory_desc_t *inner = dnnl_primitive_desc_query_md(
        chosen, op == ANN_OP_CONV_DW ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    const dnnl_memory_desc_t *pad = dnnl_primitive_desc_query_md(chosen, dnnl_query_scratchpad_md, 0);
    ANN_TRY(check(dnnl_primitive_create(&s->conv, chosen), "convolution"));
    ANN_TRY(make_memory(&s->x, &d->x));
    ANN_TRY(make_memory(&s->y, &d->y));
    ANN_TRY(make_memory(&s->w_lying, &d->w));
    ANN_TRY(make_memory(&s->w_inner, inner));
    ANN_TRY(make_memory(&s->pad, pad));
    s->pad_bytes = dnnl_memory_desc_get_size(pad);
    if (dnnl_memory_desc_equal(&d->w, inner)) return ANN_OK;
    s->w_bytes = ann_align_up(dnnl_memory_desc_get_size(inner), ANN_ALIGN_BYTES);
    return make_reorder(s, op, &d->w, inner);
}

static ann_status make_state(state **out, const ann_kernel_call *call) {
    described d;
    dnnl_primitive_desc_t chosen;
    state *s = calloc(1, sizeof *s);
    if (s == NULL) return ann_error(ANN_ERR_MEMORY, "convolution: out of memory");
    ann_status status = choose(&chosen, &d, call);
    if (status == ANN_OK) {
        status = fill_state(s, call->op, &d, chosen);
        dnnl_primitive_desc_destroy(chosen);
    }
    if (status == ANN_OK) *out = s;
    else release(s);
    return status;
}

static ann_status prepare(ann_kernel_call *call) {
    state *s;
    ANN_TRY(make_state(&s, call));
    call->state = s;
    return ANN_OK;
}

/* May be asked before prepare. */
static size_t scratch_bytes(const ann_kernel_call *call) {
    state *made = NULL;
    const state *s = call->state;
    if (s == NULL && make_state(&made, call) != ANN_OK) return 0;
    if (s == NULL) s = made;
    const size_t bytes = s->w_bytes + s->pad_bytes;
    release(made);
    return bytes;
}

static ann_status point(dnnl_memory_t memory, const void *data) {
    return check(dnnl_memory_set_data_handle(memory, (void *)(uintptr_t)data), "data");
}

static ann_status point_all(const state *s, const ann_kernel_call *call) {
    const void *a = call->in[0], *b = call->in[1];
    const void *x = call->op == ANN_OP_CONV_DX ? call->out : a;
    const void *w = call->op == ANN_OP_CONV_DW ? call->out : b;
    const void *y = call->op == ANN_OP_CONV ? call->out : call->op == ANN_OP_CONV_DX ? a : b;
    ANN_TRY(point(s->x, x));
    ANN_TRY(point(s->y, y));
    ANN_TRY(point(s->w_lying, w));
    ANN_TRY(point(s->w_inner, s->reorder != NULL ? call->scratch : w));
    return point(s->pad, s->pad_bytes > 0 ? (char *)call->scratch + s->w_bytes : NULL);
}

static ann_status reorder(const state *s, dnnl_memory_t from, dnnl_memory_t to) {
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return s->reorder == NULL
               ? ANN_OK
               : check(dnnl_primitive_execute(s->reorder, stream, 2, args), "reordering weights");
}

static ann_status run(const ann_kernel_call *call) {
    const state *s = call->state;
    const bool dx = call->op == ANN_OP_CONV_DX, dw = call->op == ANN_OP_CONV_DW;
    const dnnl_exec_arg_t args[] = {{dx ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, s->x},
                                    {dw ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, s->w_inner},
                                    {dx || dw ? DNNL_ARG_DIFF_DST : DNNL_ARG_DST, s->y},
                                    {DNNL_ARG_SCRATCHPAD, s->pad}};
    omp_set_num_threads(call->threads);
    ANN_TRY(point_all(s, call));
    if (!dw) ANN_TRY(reorder(s, s->w_lying, s->w_inner));
    ANN_TRY(check(dnnl_primitive_execute(s->conv, stream, 4, args), "convolution"));
    if (dw) ANN_TRY(reorder(s, s->w_inner, s->w_lying));
    return check(dnnl_stream_wait(stream), "waiting");
}

/* oneDNN's own reference implementation is refused, and so is an empty batch. */
static bool accepts(const ann_kernel_call *call) {
    const ann_window *w = &call->attrs->window;
    if (w->pad_top < 0 || w->pad_bottom < 0 || w->pad_left < 0 || w->pad_right < 0) return false;
    for (int i = 0; i < 2; i++)
        if (call->in_dtype[i] != ANN_F32 || ann_shape_elems(&call->in_shape[i]) == 0) return false;
    if (ann_shape_elems(&call->out_shape) == 0 || ann_cpu() == ANN_CPU_BASE) return false;
    described d;
    dnnl_primitive_desc_t chosen;
    const char *name = "";
    if (choose(&chosen, &d, call) != ANN_OK) {
        ann_error_clear();
        return false;
    }
    dnnl_primitive_desc_query(chosen, dnnl_query_impl_info_str, 0, &name);
    const bool fast = strncmp(name, "ref", 3) != 0;
    dnnl_primitive_desc_destroy(chosen);
    return fast;
}

const ann_kernel anni_kernel_conv_dnnl = {.name = "conv.dnnl",
                                          .accepts = accepts,
                                          .scratch_bytes = scratch_bytes,
                                          .prepare = prepare,
                                          .release = release,
                                          .run = run};
