/* What passes share: a walk over the live nodes of one graph that builds another. Local. */
#ifndef ANN_PASS_REWRITE_H
#define ANN_PASS_REWRITE_H

#include "graph/node.h"
#include "pass/pass.h"

typedef struct anni_rewrite {
    const ann_graph *from;
    ann_graph *to;
    int32_t count; /* of from */
    uint8_t *live; /* [count]: needed by a root */
    ann_node *map; /* [count]: the node of `to` that stands for it */
    ann_node *in;  /* room for the mapped inputs of one node */
    int32_t *uses; /* [count]: how often live nodes and roots use it */
} anni_rewrite;

/* On error nothing is left behind. */
ann_status anni_rewrite_begin(anni_rewrite *rw, const ann_graph *from) ANN_MUST_CHECK;
/* The mapped inputs of `node`, in rw->in; returns their number. */
int anni_rewrite_inputs(anni_rewrite *rw, ann_node node);
/* Maps `node` to a clone of itself over the mapped inputs. */
ann_node anni_rewrite_clone(anni_rewrite *rw, ann_node node);
/* Frees what begin made and hands over `to` in *out, or frees it and returns its error or `status`. */
ann_status anni_rewrite_end(anni_rewrite *rw, ann_graph **out, ann_status status) ANN_MUST_CHECK;

/* The value of a constant node. */
bool anni_fill_value(const ann_graph *g, ann_node node, double *value);
/* Looks through ops that only rename memory (reshape, stop_grad). */
ann_node anni_alias_root(const ann_graph *g, ann_node node);

/* What a node changes in the store: the flat range [offset, offset + elems) of a block. */
typedef struct anni_range {
    ann_block block;
    int64_t offset, elems;
} anni_range;
/* The range that a store or block leaf names. */
anni_range anni_leaf_range(const ann_graph *g, ann_node leaf);
/* Ranges written by `node` (assign, fused with stores), at most ANN_FUSED_MAX_STORE; returns their number. */
int anni_writes(const ann_graph *g, ann_node node, anni_range *ranges);
static inline bool anni_ranges_overlap(const anni_range *a, const anni_range *b) {
    return a->block.id == b->block.id && a->offset < b->offset + b->elems && b->offset < a->offset + a->elems;
}

#endif
