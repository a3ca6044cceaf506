/* join: gradients of small groups of parameters become one message.

   Each group has a pack of its own, a reduction of it, and an elementwise update behind that. Packs that
   follow each other become one as long as it is no larger than a bucket, and until it is half full; the sum
   of each group is a view of its sum. A pack that was joined is as large as it should be, and stays whole in
   the bucket pass. What is compressed or summed over micro-batches between pack and reduction is left as it
   is. */
#include "pass/rewrite.h"

#include <stdlib.h>

typedef struct joiner {
    anni_rewrite rw;
    uint8_t *sliced; /* [count]: something takes only a part of it */
    int32_t *head; /* [count], of a reduction: the one whose message it shares, its own if it is the first */
    int64_t *offset; /* [count], of a reduction: in that message */
    int64_t *elems;  /* [count], of a head: of the message */
    int *inputs;     /* [count], of a head: of the joined pack */
} joiner;

/* ---- what is joined ---- */

static void find_sliced(joiner *j) {
    const ann_graph *g = j->rw.from;
    for (int32_t id = 0; id < j->rw.count; id++) {
        const ann_node *in;
        const ann_op op = ann_node_op(g, (ann_node){id});
        const bool whole = op == ANN_OP_REDUCE_SUM || op == ANN_OP_ASSIGN ||
                           (anni_op_info(op)->flags & ANNI_ELEMENTWISE) != 0;
        const int n = j->rw.live[id] && !whole ? ann_node_inputs(g, (ann_node){id}, &in) : 0;
        for (int i = 0; i < n; i++) j->sliced[in[i].id] = 1;
    }
}

static bool is_gradient(const joiner *j, int32_t id) {
    const ann_graph *g = j->rw.from;
    if (!j->rw.live[id] || j->sliced[id] || ann_node_op(g, (ann_node){id}) != ANN_OP_ALLREDUCE) return false;
    const ann_node pack = anni_in(g, (ann_node){id}, 0);
    return ann_node_attrs(g, (ann_node){id})->comm.wire == ANN_WIRE_NATIVE &&
           ann_node_op(g, pack) == ANN_OP_PACK && j->rw.uses[pack.id] == 1;
}

/* Whether all that goes into a pack is there before the reduction `head`. */
static bool comes_before(const ann_graph *g, ann_node pack, int32_t head) {
    const ann_node *in;
    const int n = ann_node_inputs(g, pack, &in);
    for (int i = 0; i < n; i++)
        if (in[i].id > head) return false;
    return true;
}

static bool fits(const joiner *j, int32_t id, int32_t head, int64_t bucket_bytes) {
    const ann_graph *g = j->rw.from;
    const ann_node a = {head}, b = {id};
    const int64_t size = (int64_t)ann_dtype_bytes(ann_node_dtype(g, a));
    return ann_node_dtype(g, a) == ann_node_dtype(g, b) &&
           ann_node_attrs(g, a)->comm.channel == ann_node_attrs(g, b)->comm.channel &&
           j->elems[head] * size < bucket_bytes / 2 &&
           (j->elems[head] + ann_shape_elems(ann_node_shape(g, b))) * size <= bucket_bytes &&
           comes_before(g, anni_in(g, b, 0), head);
}

static void choose(joiner *j, int64_t bucket_bytes) {
    const ann_graph *g = j->rw.from;
    int32_t head = -1;
    for (int32_t id = 0; id < j->rw.count; id++) {
        const ann_node *in;
        if (!is_gradient(j, id)) continue;
        if (head < 0 || !fits(j, id, head, bucket_bytes)) head = id;
        j->head[id] = head;
        j->offset[id] = j->elems[head];
        j->elems[head] += ann_shape_elems(ann_node_shape(g, (ann_node){id}));
        j->inputs[head] += ann_node_inputs(g, anni_in(g, (ann_node){id}, 0), &in);
    }
}

/* ---- the new graph ---- */

/* The pack of a head and of those that share its message. */
static ann_node joined_pack(const joiner *j, int32_t head) {
    const ann_graph *g = j->rw.from;
    ann_arena *arena = anni_graph_arena(j->rw.to);
    ann_node *inputs = ann_arena_alloc(arena, (size_t)j->inputs[head] * sizeof *inputs);
    int64_t *offsets = ann_arena_alloc(arena, (size_t)j->inputs[head] * sizeof *offsets);
    if (!inputs || !offsets) return ann_graph_fail(j->rw.to, ANN_ERR_MEMORY, "no memory for a message");
    int count = 0;
    for (int32_t id = head; id < j->rw.count; id++) {
        const ann_node *in;
        if (j->head[id] != head) continue;
        const ann_node pack = anni_in(g, (ann_node){id}, 0);
        const int n = ann_node_inputs(g, pack, &in);
        for (int i = 0; i < n; i++, count++) {
            inputs[count] = j->rw.map[in[i].id];
            offsets[count] = j->offset[id] + ann_node_attrs(g, pack)->pack.offsets[i];
        }
    }
    return ann_pack(j->rw.to, inputs, count, offsets, j->elems[head]);
}

/* `sum`: of the head's message. */
static ann_node view_of(const joiner *j, int32_t id, ann_node sum) {
    const ann_attrs at = {.view = {j->offset[id]}};
    return anni_build(j->rw.to, ANN_OP_VIEW, ANN_F32, ann_node_shape(j->rw.from, (ann_node){id}), &at, &sum,
                      1);
}

static void make_head(joiner *j, int32_t head) {
    const ann_graph *g = j->rw.from;
    anni_scope_set(j->rw.to, ann_node_scope(g, (ann_node){head}));
    const ann_node pack = joined_pack(j, head);
    const ann_node sum = ann_allreduce(j->rw.to, pack, ann_node_attrs(g, (ann_node){head})->comm.channel);
    for (int32_t id = head; id < j->rw.count; id++)
        if (j->head[id] == head) j->rw.map[id] = view_of(j, id, sum);
}

static bool is_shared(const joiner *j, int32_t head) {
    return j->elems[head] > ann_shape_elems(ann_node_shape(j->rw.from, (ann_node){head}));
}

static void rebuild(joiner *j) {
    for (int32_t id = 0; id < j->rw.count; id++) {
        if (!j->rw.live[id] || ann_node_is(j->rw.map[id])) continue; /* made with its head */
        if (j->head[id] == id && is_shared(j, id)) make_head(j, id);
        else (void)anni_rewrite_clone(&j->rw, (ann_node){id});
    }
    anni_copy_roots(j->rw.to, j->rw.from, j->rw.map);
}

static ann_status allocate(joiner *j) {
    const size_t count = (size_t)j->rw.count + 1;
    j->sliced = calloc(count, sizeof *j->sliced);
    j->head = malloc(count * sizeof *j->head);
    j->offset = calloc(count, sizeof *j->offset);
    j->elems = calloc(count, sizeof *j->elems);
    j->inputs = calloc(count, sizeof *j->inputs);
    if (!j->sliced || !j->head || !j->offset || !j->elems || !j->inputs)
        return ann_error(ANN_ERR_MEMORY, "no memory to join messages");
    for (size_t i = 0; i < count; i++) j->head[i] = -1;
    return ANN_OK;
}

ann_status ann_pass_join(ann_graph **out, const ann_graph *graph, int64_t bucket_bytes) {
    joiner j = {0};
    ANN_TRY(anni_rewrite_begin(&j.rw, graph));
    const ann_status status = allocate(&j);
    if (status == ANN_OK) {
        find_sliced(&j);
        choose(&j, bucket_bytes);
        rebuild(&j);
    }
    free(j.sliced);
    free(j.head);
    free(j.offset);
    free(j.elems);
    free(j.inputs);
    return anni_rewrite_end(&j.rw, out, status);
}
