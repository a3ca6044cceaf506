/* Passes: functions graph -> new graph over the same store. The input graph is not changed. A pass keeps the
   names of outputs and inputs and the meaning of every root; tests run plans before and after each one.
   Local. */
#ifndef ANN_PASS_PASS_H
#define ANN_PASS_PASS_H

#include "graph/graph.h"

/* Folds constants and identities, merges equal nodes, drops what no root needs. */
ann_status ann_pass_simplify(ann_graph **out, const ann_graph *graph) ANN_MUST_CHECK;
/* Replaces composites by their expansions: all of them, or only those without a kernel for their dtype. */
typedef enum ann_expand { ANN_EXPAND_ALL, ANN_EXPAND_NO_KERNEL } ann_expand;
ann_status ann_pass_expand(ann_graph **out, const ann_graph *graph, ann_expand which) ANN_MUST_CHECK;
/* Joins reductions of packs that follow each other, each the gradient of a group of parameters, as long as
   the message is at most bucket_bytes and until it is half full. Not for graphs that ann_pass_zero cuts: it
   needs a reduction for each update. What is joined depends on the number of micro-batches, and so does the
   order in which the norm of the gradient is summed. */
ann_status ann_pass_join(ann_graph **out, const ann_graph *graph, int64_t bucket_bytes) ANN_MUST_CHECK;
/* Cuts matrix products that are packed for a reduction into products of some of their rows, of at most
   slice_bytes each, and the last, behind whose reduction nothing else is left to compute, of at most a
   quarter of that. So the reduction of one part can run while the next is computed, and what is computed
   between two looks at the messages is short. */
ann_status ann_pass_slice(ann_graph **out, const ann_graph *graph, int64_t slice_bytes) ANN_MUST_CHECK;
/* Cuts each allreduce(pack(...)), compression between the two, and the elementwise update behind them into
   buckets of at most bucket_bytes (the first at most first_bytes), so that the reduction of one can run while
   backward computes the next. topk, and with it the most elements of a SPARSE message, are shared out by
   size, at least one to each bucket. */
typedef struct ann_bucket_options {
    int64_t bucket_bytes, first_bytes;
} ann_bucket_options;
ann_status ann_pass_bucket(ann_graph **out, const ann_graph *graph,
                           const ann_bucket_options *options) ANN_MUST_CHECK;
/* ZeRO stage 1 (Rajbhandari et al., "ZeRO: memory optimizations toward training trillion parameter models",
   SC 2020): each rank updates its own chunk (ann_chunk_of) of every bucket, and touches moments only there.
   allreduce(pack) becomes reduce_scatter; the elementwise update behind it and its assigns take the chunk;
   sums over the vector become sums over the chunk and then over ranks. Parameters that the graph reads whole
   are gathered first, in the order of their use. `scattered` is told each range of the store of which only
   the own chunk is kept right; between runs a caller may gather it. Errors: ANN_ERR_UNSUPPORTED (something
   needs the whole of what is cut). */
typedef struct ann_scatter {
    ann_block block;
    int64_t offset, elems;
} ann_scatter;
typedef struct ann_zero_options {
    int rank, size;                                 /* size 0 or 1: the graph stays as it is */
    void (*scattered)(void *to, ann_scatter range); /* NULL: nobody wants to know */
    void *to;
} ann_zero_options;
ann_status ann_pass_zero(ann_graph **out, const ann_graph *graph,
                         const ann_zero_options *options) ANN_MUST_CHECK;
/* Elementwise chains, with the broadcasts that feed them and the assigns they end in, become one loop each;
   bias + activation behind a matmul or convolution becomes bias_act. */
ann_status ann_pass_fuse(ann_graph **out, const ann_graph *graph) ANN_MUST_CHECK;
/* Numbers nodes in the order in which they will run: gradients of a bucket first, then its reduction is
   started, updates as early as `eager_updates` allows (false: only after the last reduction, so that a failed
   step changes nothing). */
ann_status ann_pass_order(ann_graph **out, const ann_graph *graph, bool eager_updates) ANN_MUST_CHECK;

/* The standard pipeline: simplify, expand, join, slice, bucket, zero, simplify, fuse, order. trace, if given,
 * is called with each stage's name and graph. */
typedef struct ann_pass_options {
    int64_t join_bytes;  /* 0: each group of parameters has messages of its own */
    int64_t slice_bytes; /* 0: products stay whole, as ann_pass_zero needs them */
    ann_bucket_options bucket;
    ann_zero_options zero;
    bool eager_updates;
    bool fuse;
    void (*trace)(void *to, const char *stage, const ann_graph *graph);
    void *to;
} ann_pass_options;
ann_status ann_pass_standard(ann_graph **out, const ann_graph *graph,
                             const ann_pass_options *options) ANN_MUST_CHECK;

/* Where each node's value lies: an offset into the plan block, or an alias of another node's, or the store.
   Offsets are shared by nodes that are never alive together. */
typedef enum ann_place_kind {
    ANN_PLACE_NONE,
    ANN_PLACE_ARENA,
    ANN_PLACE_SHARED, /* what is sent to other ranks, right where they read it */
    ANN_PLACE_STORE,
    ANN_PLACE_INPUT,
    ANN_PLACE_ALIAS
} ann_place_kind;
typedef struct ann_place {
    ann_place_kind kind;
    int64_t offset_bytes; /* ARENA, SHARED: from the block's start; STORE, INPUT: 0; ALIAS: from the root's */
    int32_t root;         /* ALIAS: node whose memory it is (never itself an alias) */
} ann_place;
typedef struct ann_memplan {
    ann_place *place; /* [node count]; owner: the caller, free() */
    size_t arena_bytes, shared_bytes;
} ann_memplan;
ann_status ann_pass_memplan(ann_memplan *out, const ann_graph *graph) ANN_MUST_CHECK;

#endif
