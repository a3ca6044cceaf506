/* What an op is: ids, typed attributes. Included by graph and by kernel; it depends on tensor alone.

   Layouts: images are NHWC, convolution weights are [out channels, kernel h, kernel w, in channels / groups]
   (OHWI), a dense weight is [in features, out features]. */
#ifndef ANN_GRAPH_OP_H
#define ANN_GRAPH_OP_H

#include "tensor/store.h"

typedef enum ann_op {
#define ANN_OP(NAME, name) ANN_OP_##NAME,
#include "graph/ops.def"
#undef ANN_OP
    ANN_OP_COUNT
} ann_op;

#define ANN_MAX_POOL_WINDOW 255

/* A 2-d window: conv, conv_dx, conv_dw and all pooling ops. kernel_* of a conv are derived from its weight by
   the builder. Output extent: (in + pad_lo + pad_hi - dilation*(kernel-1) - 1) / stride + 1. Padding counts
   as zero in convolutions and sum pooling and is never chosen by max pooling, which takes the first of equal
   pixels and a NaN before any number; where a window holds nothing but padding (possible with dilation), the
   maximum is 0 and its index ANN_MAX_POOL_WINDOW. An index that points into padding gathers 0. */
typedef struct ann_window {
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_top, pad_bottom, pad_left, pad_right;
    int64_t groups; /* convolutions; 1 elsewhere. No padding: equal windows have equal bytes */
    int64_t in_h,
        in_w; /* extents of the image side, filled by the builder; what the *_dx and *_scatter ops produce */
} ann_window;

typedef enum ann_rand_kind { ANN_RAND_UNIFORM, ANN_RAND_NORMAL } ann_rand_kind;
typedef enum ann_act { ANN_ACT_NONE, ANN_ACT_RELU, ANN_ACT_SIGMOID, ANN_ACT_TANH } ann_act;

/* How the elements of a message travel; what is added up is always of the tensor's own dtype. */
typedef enum ann_wire {
    ANN_WIRE_NATIVE,
    ANN_WIRE_BF16,  /* f32 only: each summand, and the sum once more, rounded to the nearest bfloat16 */
    ANN_WIRE_F16,   /* f32 only: the same with IEEE binary16; beyond 65504 it overflows to infinity */
    ANN_WIRE_SPARSE /* f32 only: the elements that are not 0, as pairs of index and value */
} ann_wire;

struct ann_fused; /* kernel/fused.h */

typedef union ann_attrs {
    struct {
        const char *name;
    } input; /* input */
    struct {
        ann_tensor tensor;
    } store; /* store */
    struct {
        int64_t offset, elems;
        ann_block block;
    } block; /* block: a flat range of a block */
    struct {
        double value;
    } fill; /* fill */
    /* rand: inputs (sample ids i64 [B]); out [B, ...]: row b, element e is draw (seed, stream, ids[b], e).
       dropout: inputs (x [B, ...], ids i64 [B]); keeps where uniform >= p, divides by 1-p. */
    struct {
        ann_rand_kind kind;
        uint32_t stream;
        uint64_t seed;
        double p;
    } rand;
    struct {
        uint32_t axes;
    } reduce; /* reduce_sum/max: bit i = axis i; the axis stays with extent 1 */
    struct {
        int32_t axis;
    } axis; /* concat; softmax family and argmax use the last axis always */
    struct {
        int32_t perm[ANN_MAX_RANK];
    } permute; /* out.dim[i] = in.dim[perm[i]] */
    struct {
        int64_t lo[ANN_MAX_RANK], hi[ANN_MAX_RANK];
    } range; /* slice: [lo,hi) per axis; pad: lo zeros before, hi after */
    struct {
        int64_t first_row, rows; /* rows > 0: of the product, rank 2, only these rows */
        bool trans_a, trans_b;
    } matmul;          /* rank 2 or 3 (batched); stored [K,M] if trans_a, [N,K] if trans_b */
    ann_window window; /* conv*, *pool*, window_* */
    struct {
        int32_t channel;
        ann_wire wire;
        int64_t most; /* SPARSE: at most so many elements of a rank's part are not 0 */
    } comm;           /* allreduce: sum over ranks on that channel */
    struct {
        int64_t elems;        /* of the whole vector */
        int64_t begin, count; /* this rank's chunk of it (ann_chunk_of) */
        int32_t channel;
    } chunk; /* reduce_scatter, allgather, gather_block */
    struct {
        int64_t offset;
    } view; /* view: element of the input at which it begins */
    struct {
        ann_act act;
    } bias_act; /* bias_act: inputs (x [.., C], bias [C]); act(x + bias) */
    struct {
        const int64_t *offsets;
    } pack; /* pack: element offset of each input in the flat output; gaps are zero */
    struct {
        int64_t k;
    } topk;                        /* topk: so many elements stay, the others become zero */
    const struct ann_fused *fused; /* fused */
} ann_attrs;

#endif
