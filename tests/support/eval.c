#include "support/eval.h"

#include <stdlib.h>
#include <string.h>

#include "support/check.h"
#include "base/mem.h"
#include "kernel/fused.h"

struct eval {
    const ann_graph *graph;
    ann_kernel_policy policy;
    int32_t count;
    void **value; /* [count] */
};

static size_t node_bytes(const ann_graph *g, ann_node node) {
    return (size_t)ann_shape_elems(ann_node_shape(g, node)) * ann_dtype_bytes(ann_node_dtype(g, node));
}

/* Some kernels load whole vectors: values lie as a plan's do. */
static void *aligned(size_t bytes) {
    const size_t size = ann_align_up(bytes + 1, ANN_ALIGN_BYTES);
    void *p = aligned_alloc(ANN_ALIGN_BYTES, size);
    assert_non_null(p);
    memset(p, 0, size);
    return p;
}

eval *eval_new(const ann_graph *graph, ann_kernel_policy policy) {
    check_ok(ann_graph_status(graph));
    eval *e = calloc(1, sizeof *e);
    assert_non_null(e);
    *e = (eval){.graph = graph, .policy = policy, .count = ann_graph_count(graph)};
    e->value = calloc((size_t)e->count + 1, sizeof *e->value);
    assert_non_null(e->value);
    for (int32_t id = 0; id < e->count; id++) e->value[id] = aligned(node_bytes(graph, (ann_node){id}));
    return e;
}

void eval_free(eval *e) {
    if (!e) return;
    for (int32_t id = 0; id < e->count; id++) free(e->value[id]);
    free(e->value);
    free(e);
}

void *eval_input(eval *e, const char *name) {
    for (int32_t id = 0; id < e->count; id++)
        if (ann_node_op(e->graph, (ann_node){id}) == ANN_OP_INPUT &&
            strcmp(ann_node_attrs(e->graph, (ann_node){id})->input.name, name) == 0)
            return e->value[id];
    fail_msg("no input %s", name);
    return NULL;
}

/* The store's memory that a leaf stands for, or NULL. */
static char *store_memory(const ann_graph *g, ann_node leaf) {
    const ann_attrs *attrs = ann_node_attrs(g, leaf);
    ann_store *store = ann_graph_store(g);
    switch (ann_node_op(g, leaf)) {
    case ANN_OP_STORE: return ann_store_data(store, attrs->store.tensor);
    case ANN_OP_BLOCK:
        return (char *)ann_store_block_data(store, attrs->block.block) +
               (size_t)attrs->block.offset * ann_dtype_bytes(ann_node_dtype(g, leaf));
    default: return NULL;
    }
}

static void run_kernel(const eval *e, ann_kernel_call *call) {
    const ann_kernel *kernel = ann_kernel_select(call, e->policy);
    if (!kernel) fail_msg("no kernel for op %d, %s", call->op, ann_dtype_name(call->out_dtype));
    call->scratch = kernel->scratch_bytes ? aligned(kernel->scratch_bytes(call)) : NULL;
    if (kernel->prepare) check_ok(kernel->prepare(call));
    check_ok(kernel->run(call));
    if (kernel->release) kernel->release(call->state);
    free(call->scratch);
}

/* Inputs that a fused loop overwrites: it gets a copy, which then goes to the store. */
static void divert_stores(const ann_attrs *attrs, const void **in, const size_t *bytes) {
    for (int k = 0; k < attrs->fused->n_store; k++) {
        const int i = attrs->fused->store[k].in;
        void *copy = aligned(bytes[i]);
        memcpy(copy, in[i], bytes[i]);
        in[i] = copy;
    }
}

static void commit_stores(const ann_graph *g, const ann_attrs *attrs, const ann_node *inputs, const void **in,
                          const size_t *bytes) {
    for (int k = 0; k < attrs->fused->n_store; k++) {
        const int i = attrs->fused->store[k].in;
        char *memory = store_memory(g, inputs[i]);
        assert_non_null(memory);
        memcpy(memory, in[i], bytes[i]);
        free((void *)(uintptr_t)in[i]);
    }
}

/* What a collective brings about where there are no other ranks. False: it is another op. */
static bool run_alone(const ann_kernel_call *call, size_t in_bytes) {
    const size_t size = ann_dtype_bytes(call->out_dtype);
    const char *in = call->in[0];
    char *out = call->out;
    if (call->op == ANN_OP_ALLREDUCE || call->op == ANN_OP_GATHER_BLOCK) {
        memcpy(out, in, in_bytes);
    } else if (call->op == ANN_OP_REDUCE_SCATTER) {
        memcpy(out, in + (size_t)call->attrs->chunk.begin * size, (size_t)call->attrs->chunk.count * size);
    } else if (call->op == ANN_OP_ALLGATHER) {
        memset(out, 0, (size_t)call->attrs->chunk.elems * size);
        memcpy(out + (size_t)call->attrs->chunk.begin * size, in, in_bytes);
    } else if (call->op == ANN_OP_VIEW) {
        memcpy(out, in + (size_t)call->attrs->view.offset * size,
               (size_t)ann_shape_elems(&call->out_shape) * size);
    } else {
        return false;
    }
    return true;
}

static void run_node(const eval *e, ann_node node) {
    const ann_graph *g = e->graph;
    const ann_node *inputs;
    const int n = ann_node_inputs(g, node, &inputs);
    const void **in = calloc((size_t)n + 1, sizeof *in);
    ann_shape *shape = calloc((size_t)n + 1, sizeof *shape);
    ann_dtype *dtype = calloc((size_t)n + 1, sizeof *dtype);
    size_t *bytes = calloc((size_t)n + 1, sizeof *bytes);
    assert_true(in && shape && dtype && bytes);
    for (int i = 0; i < n; i++) {
        in[i] = e->value[inputs[i].id];
        shape[i] = *ann_node_shape(g, inputs[i]);
        dtype[i] = ann_node_dtype(g, inputs[i]);
        bytes[i] = node_bytes(g, inputs[i]);
    }
    ann_kernel_call call = {.op = ann_node_op(g, node),
                            .attrs = ann_node_attrs(g, node),
                            .n_in = n,
                            .in = in,
                            .in_shape = shape,
                            .in_dtype = dtype,
                            .out = e->value[node.id],
                            .out_shape = *ann_node_shape(g, node),
                            .out_dtype = ann_node_dtype(g, node),
                            .threads = 1};
    const bool fused = call.op == ANN_OP_FUSED;
    if (fused) divert_stores(call.attrs, in, bytes);
    if (n == 0 || !run_alone(&call, bytes[0])) run_kernel(e, &call);
    if (fused) commit_stores(g, call.attrs, inputs, in, bytes);
    free(bytes);
    free(dtype);
    free(shape);
    free(in);
}

void eval_run(eval *e, ann_node last) {
    const ann_graph *g = e->graph;
    const int32_t end = ann_node_is(last) ? last.id + 1 : e->count;
    for (int32_t id = 0; id < end; id++) {
        const char *memory = store_memory(g, (ann_node){id});
        if (memory) memcpy(e->value[id], memory, node_bytes(g, (ann_node){id}));
    }
    for (int32_t id = 0; id < end; id++) {
        const ann_op op = ann_node_op(g, (ann_node){id});
        if (op != ANN_OP_INPUT && op != ANN_OP_STORE && op != ANN_OP_BLOCK) run_node(e, (ann_node){id});
    }
    for (int i = 0; i < ann_graph_effect_count(g); i++) {
        const ann_node *inputs, effect = ann_graph_effect(g, i);
        if (effect.id >= end || ann_node_op(g, effect) != ANN_OP_ASSIGN) continue;
        ann_node_inputs(g, effect, &inputs);
        memcpy(store_memory(g, inputs[0]), e->value[effect.id], node_bytes(g, effect));
    }
}

const void *eval_value(const eval *e, ann_node node) { return e->value[node.id]; }

double eval_elem(const eval *e, ann_node node, int64_t i) {
    return ann_elem_get(e->value[node.id], ann_node_dtype(e->graph, node), i);
}

double eval_scalar(const eval *e, ann_node node) {
    assert_int_equal(ann_shape_elems(ann_node_shape(e->graph, node)), 1);
    return eval_elem(e, node, 0);
}
