/* What the graph, the gradient and the passes share: nodes, op entries, the one function that adds a node. */
#ifndef ANN_GRAPH_NODE_H
#define ANN_GRAPH_NODE_H

#include <stddef.h>
#include "base/mem.h"
#include "graph/graph.h"

typedef enum ann_tier { ANN_TIER_LEAF, ANN_TIER_MATH, ANN_TIER_COMPOSITE, ANN_TIER_LOWERED } ann_tier;

enum {
    ANNI_ELEMENTWISE = 1, /* out[i] is a function of in[*][i]; equal shapes */
    ANNI_ZERO_GRAD = 2,   /* its derivative is zero wherever it exists, or is defined as zero */
    ANNI_INPLACE = 4,     /* out may be the memory of input 0 */
    ANNI_ALIAS = 8,       /* out is the memory of input 0; nothing is computed */
    ANNI_UNIQUE = 16,     /* never merged with an equal node */
    ANNI_COLLECTIVE = 32, /* all ranks run it together; of an alias: it completes what lies in that memory */
};

/* The shape rule's view of a node to be: `shape` and `dtype` come in as what the builder asked for (free for
   leaves, the target of a reshape, ...; zero otherwise) and go out as what the node has. */
typedef struct anni_infer {
    ann_graph *graph;
    ann_attrs *attrs;
    int n;
    const ann_shape *in[4]; /* the first four inputs */
    ann_dtype in_dtype[4];
    const ann_node *inputs;
    ann_shape shape;
    ann_dtype dtype;
} anni_infer;

/* The bytes of a member of ann_attrs, up to its last field. */
#define ANNI_ATTR_BYTES(member, last) (offsetof(ann_attrs, member.last) + sizeof((ann_attrs *)0)->member.last)

/* All that is known about an op, but for its kernels. */
typedef struct ann_op_info {
    const char *name;
    ann_tier tier;
    int min_in, max_in;
    unsigned flags;
    size_t attr_bytes; /* of its member of ann_attrs, without padding: equal attributes have equal bytes */
    ann_status (*infer)(anni_infer *node);
    /* Gradient rule: fills dx[i] for each input i, or leaves ANN_NODE_NONE. `wanted[i]` tells which are
     * needed. */
    void (*vjp)(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx);
    ann_node (*expand)(ann_graph *g, ann_node self);    /* composites: the same value in math ops */
    double (*flops)(const ann_graph *g, ann_node self); /* NULL: one per output element */
    ann_status (*own_attrs)(ann_arena *arena, ann_attrs *attrs, int n_in); /* copies what attrs points to */
    void (*print)(const ann_attrs *attrs, char *buf, size_t size);         /* attributes, "k=v k=v" */
} ann_op_info;

#define ANN_OP(NAME, name) extern const ann_op_info anni_op_##name;
#include "graph/ops.def"
#undef ANN_OP
const ann_op_info *anni_op_info(ann_op op);
/* Elements of the message that a collective node sends: the same on all ranks. */
int64_t anni_message_elems(const ann_graph *g, ann_node node);
double anni_node_flops(const ann_graph *g, ann_node node);

/* Adds one node after checking it by its op's shape rule. Returns ANN_NODE_NONE on error, or if an input is
 * none. */
ann_node anni_build(ann_graph *g, ann_op op, ann_dtype dtype, const ann_shape *shape, const ann_attrs *attrs,
                    const ann_node *inputs, int n);
/* The same node over other inputs, in `to` (which may be another graph). */
ann_node anni_clone(ann_graph *to, const ann_graph *from, ann_node which, const ann_node *inputs);
/* In scope `scope` (borrowed by passes from the old graph's node): nodes built until the matching reset carry
 * it. */
const char *anni_scope_set(ann_graph *g, const char *scope);
ann_arena *anni_graph_arena(ann_graph *g);

/* Roots, as marks: 1 if the node is needed by an output or effect. out: [count], caller frees. */
ann_status anni_live(const ann_graph *g, uint8_t **out) ANN_MUST_CHECK;
/* Carries outputs, effects over through the node map (old id -> new node). */
void anni_copy_roots(ann_graph *to, const ann_graph *from, const ann_node *map);

/* Convenience for rules. */
static inline ann_node anni_in(const ann_graph *g, ann_node node, int i) {
    const ann_node *inputs;
    return i < ann_node_inputs(g, node, &inputs) ? inputs[i] : ANN_NODE_NONE;
}
ann_node anni_zeros_like(ann_graph *g, ann_node x);

#endif
