/* The graph: the mathematics of one step. Nodes have fixed dtype and shape and are never run directly.

   Builders return no status: the graph keeps the first error (with the scope and shapes); after it builders
   return ANN_NODE_NONE and accept it, so that model code reads straight. Ask ann_graph_status once at the
   end. All functions are Local. */
#ifndef ANN_GRAPH_GRAPH_H
#define ANN_GRAPH_GRAPH_H

#include "graph/op.h"

typedef struct ann_graph ann_graph;
typedef struct {
    int32_t id;
} ann_node;
#define ANN_NODE_NONE ((ann_node){-1})
static inline bool ann_node_is(ann_node n) { return n.id >= 0; }

/* ---- the graph ---- */

/* `store` is borrowed and must outlive the graph; NULL if no tensor is used. */
ann_status ann_graph_new(ann_graph **out, ann_store *store) ANN_MUST_CHECK;
void ann_graph_free(ann_graph *graph);
ann_store *ann_graph_store(const ann_graph *graph);
/* The sticky first error; also sets the calling thread's error record. */
ann_status ann_graph_status(const ann_graph *graph) ANN_MUST_CHECK;
/* Makes `status` with the text the sticky error if there is none yet; returns ANN_NODE_NONE. */
ann_node ann_graph_fail(ann_graph *graph, ann_status status, const char *fmt, ...) ANN_PRINTF(3, 4);
/* Scope names stand before error texts and in prints: "encoder/fc1". */
void ann_scope_push(ann_graph *graph, const char *name);
void ann_scope_pop(ann_graph *graph);

/* Roots: what a plan must compute. An output is fetched by name; an effect (assign) is executed. */
void ann_output(ann_graph *graph, const char *name, ann_node node);
void ann_effect(ann_graph *graph, ann_node assign);

/* ---- reading a graph ---- */

/* Nodes are numbered so that inputs come before users. */
int32_t ann_graph_count(const ann_graph *graph);
ann_op ann_node_op(const ann_graph *graph, ann_node node);
ann_dtype ann_node_dtype(const ann_graph *graph, ann_node node);
const ann_shape *ann_node_shape(const ann_graph *graph, ann_node node); /* a scalar's for ANN_NODE_NONE */
const ann_attrs *ann_node_attrs(const ann_graph *graph, ann_node node);
int ann_node_inputs(const ann_graph *graph, ann_node node, const ann_node **inputs);
const char *ann_node_scope(const ann_graph *graph, ann_node node);
int ann_graph_output_count(const ann_graph *graph);
ann_node ann_graph_output(const ann_graph *graph, int i, const char **name);
int ann_graph_effect_count(const ann_graph *graph);
ann_node ann_graph_effect(const ann_graph *graph, int i);

/* Hash of structure, shapes and attributes: equal on all ranks that must run the same collectives in the same
   order (extents of the batch are left out: ranks may have shards that differ by one sample). */
uint64_t ann_graph_comm_hash(const ann_graph *graph);

/* One line per node: %id = op(inputs) dtype[shape] attrs  # scope. */
ann_status ann_graph_print_text(const ann_graph *graph, const char *title,
                                void (*write)(void *to, const char *text), void *to) ANN_MUST_CHECK;
/* Graphviz. */
ann_status ann_graph_print_dot(const ann_graph *graph, const char *title,
                               void (*write)(void *to, const char *text), void *to) ANN_MUST_CHECK;

/* ---- gradient ---- */

/* Appends nodes that compute d y / d wrt[i] (y a scalar float node) and stores them in grads[i], of wrt[i]'s
   shape and dtype. May be applied to its own results, to any order. A wrt on which y does not depend gets a
   zero fill. Composites use their own gradient rule, or their expansion if they have none. Cost of the new
   nodes: about twice y's. */
void ann_grad(ann_graph *graph, ann_node y, const ann_node *wrt, int n, ann_node *grads);

/* ---- leaves ---- */

ann_node ann_input(ann_graph *g, const char *name, ann_dtype dtype, ann_shape shape);
ann_node ann_load(ann_graph *g, ann_tensor tensor);     /* the store's tensor, at the start of the step */
ann_node ann_load_block(ann_graph *g, ann_block block); /* a whole block, flat [elems] */
ann_node ann_fill(ann_graph *g, ann_dtype dtype, ann_shape shape, double value);
ann_node ann_scalar(ann_graph *g, ann_dtype dtype, double value);
/* ids: i64 [B]; shape.dim[0] == B. Uniform in [0,1) or standard normal, see op.h. */
ann_node ann_rand(ann_graph *g, ann_rand_kind kind, ann_dtype dtype, ann_shape shape, ann_node ids,
                  uint64_t seed, uint32_t stream);

/* ---- elementwise; shapes are broadcast as in NumPy ---- */

ann_node ann_neg(ann_graph *g, ann_node x);
ann_node ann_abs(ann_graph *g, ann_node x);
ann_node ann_sign(ann_graph *g, ann_node x); /* -1, 0, 1; derivative 0 */
ann_node ann_step(ann_graph *g, ann_node x); /* x > 0 ? 1 : 0; derivative 0 */
ann_node ann_exp(ann_graph *g, ann_node x);
ann_node ann_log(ann_graph *g, ann_node x);
ann_node ann_sqrt(ann_graph *g, ann_node x);
ann_node ann_recip(ann_graph *g, ann_node x);
ann_node ann_tanh(ann_graph *g, ann_node x);
ann_node ann_sigmoid(ann_graph *g, ann_node x);
ann_node ann_softplus(ann_graph *g, ann_node x); /* log(1 + exp(x)), stable */
ann_node ann_relu(ann_graph *g, ann_node x);     /* derivative at 0 is 0; NaN stays NaN */
/* The nearest number, ties to even, that bfloat16 or IEEE binary16 holds (of a f64: of the nearest f32);
 * derivative 0. */
ann_node ann_round_bf16(ann_graph *g, ann_node x);
ann_node ann_round_f16(ann_graph *g, ann_node x);
ann_node ann_add(ann_graph *g, ann_node a, ann_node b);
ann_node ann_sub(ann_graph *g, ann_node a, ann_node b);
ann_node ann_mul(ann_graph *g, ann_node a, ann_node b);
ann_node ann_div(ann_graph *g, ann_node a, ann_node b);
ann_node ann_max(ann_graph *g, ann_node a, ann_node b); /* a tie gives its gradient to a; a NaN wins */
ann_node ann_min(ann_graph *g, ann_node a, ann_node b);
ann_node ann_eq(ann_graph *g, ann_node a, ann_node b); /* 1 or 0 in the inputs' dtype */
ann_node ann_gt(ann_graph *g, ann_node a, ann_node b);
ann_node ann_select(ann_graph *g, ann_node cond, ann_node a, ann_node b); /* cond != 0 ? a : b */
/* A float becomes an integer by truncation; what is out of range saturates, NaN becomes 0. */
ann_node ann_cast(ann_graph *g, ann_node x, ann_dtype dtype);
ann_node ann_stop_grad(ann_graph *g, ann_node x);
/* with constants, and compositions of the above */
ann_node ann_add_const(ann_graph *g, ann_node x, double c);
ann_node ann_mul_const(ann_graph *g, ann_node x, double c);
ann_node ann_square(ann_graph *g, ann_node x);
ann_node ann_leaky_relu(ann_graph *g, ann_node x, double slope);
ann_node ann_elu(ann_graph *g, ann_node x, double alpha);

/* ---- shape ---- */

ann_node ann_reshape(ann_graph *g, ann_node x, ann_shape shape); /* one dim may be -1 */
ann_node ann_flatten(ann_graph *g, ann_node x);                  /* [B, ...] -> [B, rest] */
ann_node ann_permute(ann_graph *g, ann_node x, const int32_t *perm);
ann_node ann_transpose(ann_graph *g, ann_node x); /* the last two axes */
ann_node ann_bcast(ann_graph *g, ann_node x, ann_shape shape);
ann_node ann_slice(ann_graph *g, ann_node x, const int64_t *lo, const int64_t *hi);
ann_node ann_pad(ann_graph *g, ann_node x, const int64_t *before, const int64_t *after);
ann_node ann_concat(ann_graph *g, const ann_node *xs, int n, int axis);

/* ---- reductions; the reduced axes stay with extent 1 ---- */

ann_node ann_reduce_sum(ann_graph *g, ann_node x, uint32_t axes);
ann_node ann_reduce_max(ann_graph *g, ann_node x, uint32_t axes); /* ties share the gradient */
ann_node ann_sum_all(ann_graph *g, ann_node x);                   /* to a scalar (rank 0) */
ann_node ann_argmax(ann_graph *g,
                    ann_node x); /* [.., K] -> i32 [..], first of equals; a NaN is the maximum */
ann_node ann_one_hot(ann_graph *g, ann_node index, int64_t k,
                     ann_dtype dtype); /* i32 [..] -> [.., k]; out of range: zeros */

/* ---- contractions ---- */

/* a [M,K] (or [K,M] if trans_a), b [K,N] (or [N,K]); rank 3 is batched over the first axis. */
ann_node ann_matmul(ann_graph *g, ann_node a, ann_node b, bool trans_a, bool trans_b);
/* [rows, N]: these rows of `product`, a matmul of rank 2, computed alone. Has no gradient. */
ann_node ann_matmul_rows(ann_graph *g, ann_node product, int64_t first, int64_t rows);
/* x [N,H,W,C], w [O,KH,KW,C/groups] -> [N,OH,OW,O]. kernel_* and in_* of `window` are filled in; a zero
 * stride, dilation or groups means 1. */
ann_node ann_conv2d(ann_graph *g, ann_node x, ann_node w, ann_window window);
/* Its adjoints: dy [N,OH,OW,O], w -> [N,window.in_h,in_w,C] (transposed convolution); x, dy ->
 * [O,kernel_h,kernel_w,C/groups]. */
ann_node ann_conv2d_dx(ann_graph *g, ann_node dy, ann_node w, ann_window window);
ann_node ann_conv2d_dw(ann_graph *g, ann_node x, ann_node dy, ann_window window);

/* ---- windows: x [N,H,W,C] ---- */

ann_node ann_sum_pool2d(ann_graph *g, ann_node x, ann_window window);
ann_node ann_sum_pool2d_dx(ann_graph *g, ann_node dy, ann_window window);
ann_node ann_max_pool_index(ann_graph *g, ann_node x,
                            ann_window window); /* u8 [N,OH,OW,C]: kh * kernel_w + kw of the first maximum */
ann_node ann_window_gather(ann_graph *g, ann_node x, ann_node index, ann_window window);
ann_node ann_window_scatter(ann_graph *g, ann_node dy, ann_node index,
                            ann_window window); /* -> [N,in_h,in_w,C] */
ann_node ann_max_pool2d(ann_graph *g, ann_node x, ann_window window);
ann_node ann_avg_pool2d(ann_graph *g, ann_node x, ann_window window); /* padding counts in the mean */
ann_node ann_global_avg_pool(ann_graph *g, ann_node x);               /* [N,H,W,C] -> [N,C] */

/* ---- communication and effects ---- */

ann_node ann_allreduce(ann_graph *g, ann_node x, int32_t channel);
/* The same sum in another wire format (f32 only), which x must already fit for the sum to be that of x:
   rounded for BF16 and F16; for SPARSE at most `most` elements are not 0. */
ann_node ann_allreduce_as(ann_graph *g, ann_node x, int32_t channel, ann_wire wire, int64_t most);
/* x [n] -> elements [begin, begin + count) of its sum over ranks, which must be this rank's chunk
   (ann_chunk_of in tensor/chunk.h). In a plan without other ranks: a slice. */
ann_node ann_reduce_scatter(ann_graph *g, ann_node x, int32_t channel, int64_t begin, int64_t count);
/* Its adjoint: x [count], this rank's chunk that begins at `begin` -> [elems], the chunks of all ranks. In a
   plan without other ranks, the others' are zero. */
ann_node ann_allgather(ann_graph *g, ann_node x, int32_t channel, int64_t begin, int64_t elems);
/* At the end of the step the memory of `target` (an ann_load or ann_load_block node) takes `value`, of equal
   shape and dtype. Every other node sees the old contents. To be passed to ann_effect. */
ann_node ann_assign(ann_graph *g, ann_node target, ann_node value);
/* Flat [elems] vector with xs[i] at offsets[i] and zeros elsewhere (the gradient block). Not differentiable.
 */
ann_node ann_pack(ann_graph *g, const ann_node *xs, int n, const int64_t *offsets, int64_t elems);
/* x [n]: the k elements (0..n) of largest magnitude, zeros elsewhere. Of equal magnitudes the one of lower
   index is kept; a NaN is larger than any number. Not differentiable. */
ann_node ann_topk(ann_graph *g, ann_node x, int64_t k);

/* ---- composites and losses ---- */

ann_node ann_softmax(ann_graph *g, ann_node x);     /* last axis */
ann_node ann_log_softmax(ann_graph *g, ann_node x); /* last axis */
/* logits [B,K], labels i32 [B] -> [B]; a row whose label is not in [0,K) has loss and gradient 0 */
ann_node ann_cross_entropy(ann_graph *g, ann_node logits, ann_node labels);
/* Elementwise, of the logits' shape: softplus(x) - x*target. */
ann_node ann_bce_logits(ann_graph *g, ann_node logits, ann_node target);
ann_node ann_squared_error(ann_graph *g, ann_node x, ann_node target); /* elementwise (x - target)^2 */
/* Zeroes each element with probability p and divides the rest by 1-p (Srivastava et al. 2014). ids: i64 [B].
 */
ann_node ann_dropout(ann_graph *g, ann_node x, ann_node ids, double p, uint64_t seed, uint32_t stream);

#endif
