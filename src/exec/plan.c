/* Making a plan: memory, kernels, pointers, waits. */
#include "exec/plan.h"

#include <stdlib.h>
#include <string.h>

#include "graph/node.h"
#include "kernel/fused.h"
#include "pass/rewrite.h"

typedef struct maker {
    ann_plan *plan;
    const ann_graph *g;
    int32_t count;
    uint8_t *live;
    ann_memplan memory;
    anni_instr **by_node; /* [count]: the instruction that computes a node */
} maker;

static void *grab(maker *m, size_t elems, size_t size) {
    return ann_arena_alloc(m->plan->arena, (elems ? elems : 1) * size);
}
static ann_status no_memory(void) { return ann_error(ANN_ERR_MEMORY, "no memory for a plan"); }

/* ---- pointers ---- */

static int32_t root_of(const maker *m, int32_t id) {
    return m->memory.place[id].kind == ANN_PLACE_ALIAS ? m->memory.place[id].root : id;
}

static void *store_pointer(const ann_graph *g, ann_node leaf) {
    const ann_store *store = ann_graph_store(g);
    const ann_attrs *attrs = ann_node_attrs(g, leaf);
    if (ann_node_op(g, leaf) == ANN_OP_STORE) return ann_store_data(store, attrs->store.tensor);
    char *block = ann_store_block_data(store, attrs->block.block);
    return block ? block + (size_t)attrs->block.offset *
                               ann_dtype_bytes(ann_store_block_dtype(store, attrs->block.block))
                 : NULL;
}

/* The memory of a node's value; NULL for what lies in an input. */
static void *pointer_of(const maker *m, int32_t id) {
    const ann_place *place = &m->memory.place[id], *root = &m->memory.place[root_of(m, id)];
    const int64_t offset = place->kind == ANN_PLACE_ALIAS ? place->offset_bytes : 0;
    if (root->kind == ANN_PLACE_ARENA) return (char *)m->plan->block + root->offset_bytes + offset;
    if (root->kind == ANN_PLACE_SHARED) return (char *)m->plan->shared + root->offset_bytes + offset;
    if (root->kind == ANN_PLACE_STORE)
        return (char *)store_pointer(m->g, (ann_node){root_of(m, id)}) + offset;
    return NULL;
}

static anni_input *find_input(const ann_plan *plan, const char *name) {
    for (int i = 0; i < plan->n_inputs; i++)
        if (strcmp(plan->inputs[i].name, name) == 0) return &plan->inputs[i];
    return NULL;
}

static anni_input *input_of(const maker *m, int32_t root) {
    return find_input(m->plan, ann_node_attrs(m->g, (ann_node){root})->input.name);
}

/* Sets *slot to the memory of node id, now or whenever its input is bound. */
static void connect(maker *m, const void **slot, int32_t id) {
    const int32_t root = root_of(m, id);
    if (m->memory.place[root].kind != ANN_PLACE_INPUT) {
        *slot = pointer_of(m, id);
        return;
    }
    const ann_place *place = &m->memory.place[id];
    anni_input *input = input_of(m, root);
    input->patches[input->n_patches++] =
        (anni_patch){slot, place->kind == ANN_PLACE_ALIAS ? place->offset_bytes : 0};
}

/* ---- inputs and results ---- */

static ann_status make_inputs(maker *m) {
    int n = 0, operands = ann_graph_output_count(m->g);
    for (int32_t id = 0; id < m->count; id++) {
        const ann_node *in;
        if (!m->live[id]) continue;
        n += ann_node_op(m->g, (ann_node){id}) == ANN_OP_INPUT;
        operands += ann_node_inputs(m->g, (ann_node){id}, &in);
    }
    m->plan->inputs = grab(m, (size_t)n, sizeof *m->plan->inputs);
    if (!m->plan->inputs) return no_memory();
    for (int32_t id = 0; id < m->count; id++) {
        const ann_node node = {id};
        if (!m->live[id] || ann_node_op(m->g, node) != ANN_OP_INPUT) continue;
        if (input_of(m, id))
            return ann_error(ANN_ERR_ARG, "two inputs are called %s", ann_node_attrs(m->g, node)->input.name);
        anni_input *input = &m->plan->inputs[m->plan->n_inputs++];
        input->name = ann_arena_strdup(m->plan->arena, ann_node_attrs(m->g, node)->input.name);
        input->patches = grab(m, (size_t)operands, sizeof *input->patches);
        if (!input->name || !input->patches) return no_memory();
    }
    return ANN_OK;
}

static int32_t first_write(const maker *m) {
    anni_range writes[ANN_FUSED_MAX_STORE];
    for (int32_t id = 0; id < m->count; id++)
        if (m->live[id] && anni_writes(m->g, (ann_node){id}, writes) > 0) return id;
    return m->count;
}

static ann_status make_results(maker *m) {
    m->plan->n_results = ann_graph_output_count(m->g);
    m->plan->results = grab(m, (size_t)m->plan->n_results, sizeof *m->plan->results);
    if (!m->plan->results) return no_memory();
    for (int i = 0; i < m->plan->n_results; i++) {
        const char *name;
        const ann_node node = ann_graph_output(m->g, i, &name);
        anni_result *result = &m->plan->results[i];
        result->name = ann_arena_strdup(m->plan->arena, name);
        if (!result->name) return no_memory();
        connect(m, &result->data, node.id);
        result->elems = ann_shape_elems(ann_node_shape(m->g, node));
        result->dtype = ann_node_dtype(m->g, node);
        result->before_writes = node.id < first_write(m);
    }
    return ANN_OK;
}

/* ---- instructions ---- */

static ann_status fill_call(maker *m, anni_instr *instr, ann_node node) {
    const ann_node *in;
    const int n = ann_node_inputs(m->g, node, &in);
    const ann_op_info *info = anni_op_info(ann_node_op(m->g, node));
    ann_kernel_call *call = &instr->call;
    ann_attrs *attrs = grab(m, 1, sizeof *attrs);
    ann_shape *shapes = grab(m, (size_t)n, sizeof *shapes);
    ann_dtype *dtypes = grab(m, (size_t)n, sizeof *dtypes);
    const void **slots = grab(m, (size_t)n, sizeof *slots);
    if (!attrs || !shapes || !dtypes || !slots) return no_memory();
    *attrs = *ann_node_attrs(m->g, node);
    if (info->own_attrs) ANN_TRY(info->own_attrs(m->plan->arena, attrs, n));
    for (int i = 0; i < n; i++) {
        shapes[i] = *ann_node_shape(m->g, in[i]);
        dtypes[i] = ann_node_dtype(m->g, in[i]);
        connect(m, &slots[i], in[i].id);
    }
    *call = (ann_kernel_call){.op = ann_node_op(m->g, node),
                              .attrs = attrs,
                              .n_in = n,
                              .in = slots,
                              .in_shape = shapes,
                              .in_dtype = dtypes};
    call->out = pointer_of(m, node.id);
    call->out_shape = *ann_node_shape(m->g, node);
    call->out_dtype = ann_node_dtype(m->g, node);
    call->threads = m->plan->options.threads;
    return ANN_OK;
}

static ann_status choose_kernel(maker *m, anni_instr *instr) {
    ann_kernel_call *call = &instr->call;
    char shape[128];
    instr->kernel = ann_kernel_select(call, m->plan->options.policy);
    if (!instr->kernel)
        return ann_error(ANN_ERR_UNSUPPORTED, "no kernel for %s %s%s", anni_op_info(call->op)->name,
                         ann_dtype_name(call->out_dtype),
                         ann_shape_str(shape, sizeof shape, &call->out_shape));
    if (instr->kernel->prepare) ANN_TRY(instr->kernel->prepare(call));
    const size_t scratch = instr->kernel->scratch_bytes ? instr->kernel->scratch_bytes(call) : 0;
    if (scratch > m->plan->scratch_bytes) m->plan->scratch_bytes = scratch;
    return ANN_OK;
}

static ann_status make_instr(maker *m, ann_node node) {
    const ann_op op = ann_node_op(m->g, node);
    anni_range writes[ANN_FUSED_MAX_STORE];
    anni_instr *instr = &m->plan->instrs[m->plan->n_instrs++];
    m->by_node[node.id] = instr;
    instr->request = -1;
    instr->kind = op == ANN_OP_PACK                             ? ANNI_PACK
                  : (anni_op_info(op)->flags & ANNI_COLLECTIVE) ? ANNI_REDUCE
                                                                : ANNI_KERNEL;
    instr->writes = anni_writes(m->g, node, writes) > 0;
    ANN_TRY(fill_call(m, instr, node));
    if (op == ANN_OP_ASSIGN)
        instr->call.out = pointer_of(m, anni_in(m->g, node, 0).id); /* the target's memory */
    if (instr->kind == ANNI_KERNEL) ANN_TRY(choose_kernel(m, instr));
    char shape[128];
    const char *scope = ann_node_scope(m->g, node);
    instr->label = ann_arena_printf(
        m->plan->arena, "%s %s%s%s%s", instr->kernel ? instr->kernel->name : anni_op_info(op)->name,
        ann_dtype_name(instr->call.out_dtype), ann_shape_str(shape, sizeof shape, &instr->call.out_shape),
        scope[0] ? " " : "", scope);
    return instr->label ? ANN_OK : no_memory();
}

/* Constants are computed now, once. */
static ann_status run_constant(maker *m, ann_node node) {
    anni_instr instr = {0};
    ANN_TRY(fill_call(m, &instr, node));
    instr.kernel = ann_kernel_select(&instr.call, ANN_KERNEL_REFERENCE);
    if (!instr.kernel) return ann_error(ANN_ERR_UNSUPPORTED, "no kernel for constants");
    return instr.kernel->run(&instr.call);
}

static bool is_computed(const maker *m, ann_node node) {
    const ann_op op = ann_node_op(m->g, node);
    const ann_op_info *info = anni_op_info(op);
    return info->tier != ANN_TIER_LEAF && (!(info->flags & ANNI_ALIAS) || (info->flags & ANNI_COLLECTIVE));
}

static ann_status make_instrs(maker *m) {
    m->plan->instrs = grab(m, (size_t)m->count, sizeof *m->plan->instrs);
    if (!m->plan->instrs) return no_memory();
    for (int32_t id = 0; id < m->count; id++) {
        const ann_node node = {id};
        if (!m->live[id]) continue;
        if (ann_node_op(m->g, node) == ANN_OP_FILL) ANN_TRY(run_constant(m, node));
        else if (is_computed(m, node)) ANN_TRY(make_instr(m, node));
    }
    return ann_mem_alloc(&m->plan->scratch, m->plan->scratch_bytes);
}

/* ---- waits ---- */

static bool reads_value(const maker *m, ann_node reader, int32_t root) {
    const ann_node *in;
    const int n = ann_node_inputs(m->g, reader, &in);
    for (int i = 0; i < n; i++)
        if (root_of(m, in[i].id) == root) return true;
    return false;
}

/* The first instruction that reads a reduction's result waits for it. */
static ann_status make_waits(maker *m) {
    m->plan->last_waits = grab(m, (size_t)m->count, sizeof *m->plan->last_waits);
    if (!m->plan->last_waits) return no_memory();
    for (int32_t id = 0; id < m->count; id++) {
        anni_instr *reduce = m->by_node[id], *first = NULL;
        if (!reduce || reduce->kind != ANNI_REDUCE) continue;
        for (int32_t later = id + 1; later < m->count && !first; later++)
            if (m->by_node[later] && reads_value(m, (ann_node){later}, root_of(m, id)))
                first = m->by_node[later];
        if (!first) {
            m->plan->last_waits[m->plan->n_last_waits++] = reduce;
            continue;
        }
        anni_instr **waits = grab(m, (size_t)first->n_waits + 1, sizeof *waits);
        if (!waits) return no_memory();
        if (first->n_waits) memcpy(waits, first->waits, (size_t)first->n_waits * sizeof *waits);
        waits[first->n_waits++] = reduce;
        first->waits = waits;
    }
    return ANN_OK;
}

/* A node that reads the store must not stand behind one that changes it. */
static ann_status check_hazards(const maker *m) {
    for (int32_t id = 0; id < m->count; id++) {
        anni_range writes[ANN_FUSED_MAX_STORE];
        const int n = m->live[id] ? anni_writes(m->g, (ann_node){id}, writes) : 0;
        for (int w = 0; w < n; w++)
            for (int32_t later = id + 1; later < m->count; later++) {
                const ann_node *in;
                const int n_in = m->live[later] ? ann_node_inputs(m->g, (ann_node){later}, &in) : 0;
                for (int i = 0; i < n_in; i++) {
                    const int32_t root = root_of(m, in[i].id);
                    if (m->memory.place[root].kind != ANN_PLACE_STORE) continue;
                    const anni_range read = anni_leaf_range(m->g, (ann_node){root});
                    if (anni_ranges_overlap(&read, &writes[w]))
                        return ann_error(ANN_ERR_INTERNAL, "node %d reads what node %d has changed", later,
                                         id);
                }
            }
    }
    return ANN_OK;
}

/* ---- life ---- */

static ann_status make(maker *m) {
    ANN_TRY(ann_graph_status(m->g));
    ANN_TRY(ann_arena_new(&m->plan->arena));
    ANN_TRY(anni_live(m->g, &m->live));
    ANN_TRY(ann_pass_memplan(&m->memory, m->g));
    m->plan->block_bytes = m->memory.arena_bytes;
    ANN_TRY(ann_mem_alloc(&m->plan->block, m->plan->block_bytes));
    m->plan->shared = m->plan->options.shared;
    if (!m->plan->shared) {
        m->plan->own_shared_bytes = m->memory.shared_bytes + ANNI_VOTE_BYTES;
        ANN_TRY(ann_mem_alloc(&m->plan->shared, m->plan->own_shared_bytes));
    }
    m->plan->vote = (char *)m->plan->shared + m->memory.shared_bytes;
    m->by_node = calloc((size_t)m->count + 1, sizeof(anni_instr *));
    if (!m->by_node) return no_memory();
    ANN_TRY(check_hazards(m));
    ANN_TRY(make_inputs(m));
    ANN_TRY(make_instrs(m));
    ANN_TRY(make_waits(m));
    for (int i = 0; i < m->plan->n_instrs; i++) m->plan->instrs[i].call.scratch = m->plan->scratch;
    return make_results(m);
}

ann_status ann_plan_new(ann_plan **out, const ann_graph *graph, const ann_plan_options *options) {
    *out = NULL;
    ann_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return no_memory();
    plan->options = *options;
    if (plan->options.threads < 1) plan->options.threads = 1;
    maker m = {.plan = plan, .g = graph, .count = ann_graph_count(graph)};
    const ann_status status = make(&m);
    free(m.live);
    free(m.by_node);
    free(m.memory.place);
    if (status != ANN_OK) {
        ann_plan_free(plan);
        return status;
    }
    *out = plan;
    return ANN_OK;
}

void ann_plan_free(ann_plan *plan) {
    if (!plan) return;
    for (int i = 0; i < plan->n_instrs; i++) {
        const anni_instr *instr = &plan->instrs[i];
        if (instr->kernel && instr->kernel->release && instr->call.state)
            instr->kernel->release(instr->call.state);
    }
    ann_mem_free(plan->block, plan->block_bytes);
    if (!plan->options.shared) ann_mem_free(plan->shared, plan->own_shared_bytes);
    ann_mem_free(plan->scratch, plan->scratch_bytes);
    ann_arena_free(plan->arena);
    free(plan);
}

ann_status ann_plan_shared_bytes(size_t *out, const ann_graph *graph) {
    ann_memplan memory;
    ANN_TRY(ann_pass_memplan(&memory, graph));
    free(memory.place);
    *out = memory.shared_bytes + ANNI_VOTE_BYTES;
    return ANN_OK;
}

/* ---- use ---- */

bool ann_plan_has_input(const ann_plan *plan, const char *input) { return find_input(plan, input) != NULL; }

ann_status ann_plan_bind(ann_plan *plan, const char *name, const void *data) {
    anni_input *input = find_input(plan, name);
    if (!input) return ann_error(ANN_ERR_NOT_FOUND, "the plan has no input %s", name);
    input->bound = data;
    for (int i = 0; i < input->n_patches; i++)
        *input->patches[i].slot = (const char *)data + input->patches[i].offset_bytes;
    return ANN_OK;
}

const void *ann_plan_output(const ann_plan *plan, const char *name) {
    for (int i = 0; i < plan->n_results; i++)
        if (strcmp(plan->results[i].name, name) == 0) return plan->results[i].data;
    return NULL;
}

size_t ann_plan_bytes(const ann_plan *plan) { return plan->block_bytes; }
bool ann_plan_torn(const ann_plan *plan) { return plan->torn; }

/* ---- messages ---- */

/* A reduction's result is a chunk inside of the message; a gathering's is the message. */
static ann_message chunk_message(const anni_instr *reduce) {
    const ann_kernel_call *call = &reduce->call;
    const bool scatters = call->op == ANN_OP_REDUCE_SCATTER;
    const size_t before = (size_t)call->attrs->chunk.begin * ann_dtype_bytes(call->out_dtype);
    return (ann_message){.collective = scatters ? ANN_COLLECTIVE_REDUCE_SCATTER : ANN_COLLECTIVE_ALLGATHER,
                         .channel = call->attrs->chunk.channel,
                         .data = scatters ? (char *)call->out - before : call->out,
                         .elems = call->attrs->chunk.elems,
                         .dtype = call->out_dtype,
                         .label = reduce->label};
}

ann_message anni_message_of(const anni_instr *reduce) {
    const ann_kernel_call *call = &reduce->call;
    if (call->op != ANN_OP_ALLREDUCE) return chunk_message(reduce);
    return (ann_message){.collective = ANN_COLLECTIVE_ALLREDUCE,
                         .channel = call->attrs->comm.channel,
                         .data = call->out,
                         .elems = ann_shape_elems(&call->out_shape),
                         .dtype = call->out_dtype,
                         .wire = call->attrs->comm.wire,
                         .most = call->attrs->comm.most,
                         .label = reduce->label};
}

int ann_plan_message_count(const ann_plan *plan) {
    int n = 0;
    for (int i = 0; i < plan->n_instrs; i++) n += plan->instrs[i].kind == ANNI_REDUCE;
    return n;
}

ann_message ann_plan_message(const ann_plan *plan, int index) {
    for (int i = 0; i < plan->n_instrs; i++)
        if (plan->instrs[i].kind == ANNI_REDUCE && index-- == 0) return anni_message_of(&plan->instrs[i]);
    return (ann_message){0};
}
