/* Reference kernels of everything that works element by element: the elementwise math ops, cast, the fused
   loop, bias_act, dropout. */
#include "kernel/fused.h"
#include "kernel/kernels.h"
#include "kernel/ref.h"
#include "kernel/scalar.h"
#include "base/philox.h"

static ann_status elementwise(const ann_kernel_call *call) {
    const anni_scalar_fn f = anni_scalar(call->op);
    const int64_t n = ann_shape_elems(&call->out_shape);
    for (int64_t i = 0; i < n; i++) {
        const double a = anni_in(call, 0, i);
        const double b = call->n_in > 1 ? anni_in(call, 1, i) : 0.0;
        const double c = call->n_in > 2 ? anni_in(call, 2, i) : 0.0;
        anni_store_any(call->out, call->out_dtype, i, f(a, b, c));
    }
    return ANN_OK;
}

/* An i64 is not exact as a double: integers are stored from integers. */
static int64_t saturate(int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; }

static void store_integer(void *data, ann_dtype dtype, int64_t i, int64_t x) {
    if (dtype == ANN_I64) ((int64_t *)data)[i] = x;
    else if (dtype == ANN_I32) ((int32_t *)data)[i] = (int32_t)saturate(x, INT32_MIN, INT32_MAX);
    else if (dtype == ANN_U8) ((uint8_t *)data)[i] = (uint8_t)saturate(x, 0, UINT8_MAX);
    else anni_store_real(data, dtype, i, (double)x);
}

void anni_store_any(void *data, ann_dtype dtype, int64_t i, double value) {
    if (ann_dtype_is_float(dtype)) {
        anni_store_real(data, dtype, i, value);
        return;
    }
    int64_t x = 0; /* NaN */
    if (value >= 0x1p63) x = INT64_MAX;
    else if (value < -0x1p63) x = INT64_MIN;
    else if (value == value) x = (int64_t)value;
    store_integer(data, dtype, i, x);
}

static ann_status cast(const ann_kernel_call *call) {
    const int64_t n = ann_shape_elems(&call->out_shape);
    for (int64_t i = 0; i < n; i++)
        if (call->in_dtype[0] == ANN_I64)
            store_integer(call->out, call->out_dtype, i, ((const int64_t *)call->in[0])[i]);
        else anni_store_any(call->out, call->out_dtype, i, anni_in(call, 0, i));
    return ANN_OK;
}

static int64_t fused_index(ann_access access, int64_t o, int64_t i, int64_t inner) {
    const int64_t index[] = {[ANN_ACCESS_FULL] = o * inner + i,
                             [ANN_ACCESS_SCALAR] = 0,
                             [ANN_ACCESS_ROW] = i,
                             [ANN_ACCESS_COL] = o};
    return index[access];
}

static double fused_operand(const double *reg, int16_t r) { return r >= 0 ? reg[r] : 0.0; }

static void fused_element(const ann_kernel_call *call, const ann_fused *p, int64_t o, int64_t i) {
    double reg[ANN_FUSED_MAX_IN + ANN_FUSED_MAX_CODE];
    for (int k = 0; k < p->n_in; k++) {
        const double x = anni_in(call, k, fused_index(p->access[k], o, i, p->inner));
        reg[k] = p->dtype == ANN_F32 ? (double)(float)x : x;
    }
    for (int k = 0; k < p->n_code; k++) {
        const ann_fused_instr *code = &p->code[k];
        const double y = anni_scalar(code->op)(fused_operand(reg, code->a), fused_operand(reg, code->b),
                                               fused_operand(reg, code->c));
        reg[p->n_in + k] = p->dtype == ANN_F32 ? (double)(float)y : y;
    }
    const int64_t at = o * p->inner + i;
    /* The memory of an input that is overwritten belongs to the plan: that is what a store in the program
     * says. */
    for (int k = 0; k < p->n_store; k++)
        anni_store_real((void *)(uintptr_t)call->in[p->store[k].in], p->dtype, at, reg[p->store[k].reg]);
    if (p->has_value) anni_out(call, at, reg[p->value]);
}

static ann_status fused(const ann_kernel_call *call) {
    const ann_fused *p = call->attrs->fused;
    for (int64_t o = 0; o < p->outer; o++)
        for (int64_t i = 0; i < p->inner; i++) fused_element(call, p, o, i);
    return ANN_OK;
}

static ann_status bias_act(const ann_kernel_call *call) {
    static const ann_op op_of[] = {
        [ANN_ACT_RELU] = ANN_OP_RELU, [ANN_ACT_SIGMOID] = ANN_OP_SIGMOID, [ANN_ACT_TANH] = ANN_OP_TANH};
    const ann_act act = call->attrs->bias_act.act;
    const int64_t n = ann_shape_elems(&call->out_shape), channels = anni_last(&call->out_shape);
    for (int64_t i = 0; i < n; i++) {
        const double x = anni_in(call, 0, i) + anni_in(call, 1, i % channels);
        anni_out(call, i, act == ANN_ACT_NONE ? x : anni_scalar(op_of[act])(x, 0.0, 0.0));
    }
    return ANN_OK;
}

static ann_status dropout(const ann_kernel_call *call) {
    const int64_t *ids = call->in[1];
    const double p = call->attrs->rand.p;
    const int64_t rows = call->out_shape.dim[0];
    const int64_t elems = rows > 0 ? ann_shape_elems(&call->out_shape) / rows : 0;
    for (int64_t b = 0; b < rows; b++)
        for (int64_t e = 0; e < elems; e++) {
            const double u = ann_random_uniform(call->attrs->rand.seed, call->attrs->rand.stream,
                                                (uint64_t)ids[b], (uint64_t)e);
            anni_out(call, b * elems + e, u >= p ? anni_in(call, 0, b * elems + e) / (1.0 - p) : 0.0);
        }
    return ANN_OK;
}

const ann_kernel anni_kernel_elementwise_ref = {.name = "elementwise.ref", .run = elementwise};
const ann_kernel anni_kernel_cast_ref = {.name = "cast.ref", .run = cast};
const ann_kernel anni_kernel_fused_ref = {.name = "fused.ref", .run = fused};
const ann_kernel anni_kernel_bias_act_ref = {.name = "bias_act.ref", .run = bias_act};
const ann_kernel anni_kernel_dropout_ref = {.name = "dropout.ref", .run = dropout};
