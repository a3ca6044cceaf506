/* Matrix product: bilinear, closed under differentiation by its transpose flags. */
#include "graph/node.h"

#include <stdio.h>

static ann_status infer_matmul(anni_infer *node) {
    const ann_shape *a = node->in[0], *b = node->in[1];
    if (node->in_dtype[0] != node->in_dtype[1] || !ann_dtype_is_float(node->in_dtype[0]))
        return ann_error(ANN_ERR_DTYPE, "two matrices of one float dtype are needed");
    if (a->rank != b->rank || a->rank < 2 || a->rank > 3)
        return ann_error(ANN_ERR_SHAPE, "rank 2 or 3 is needed on both sides");
    const int r = a->rank;
    const bool ta = node->attrs->matmul.trans_a, tb = node->attrs->matmul.trans_b;
    const int64_t m = a->dim[ta ? r - 1 : r - 2], ka = a->dim[ta ? r - 2 : r - 1];
    const int64_t kb = b->dim[tb ? r - 1 : r - 2], n = b->dim[tb ? r - 2 : r - 1];
    if (ka != kb)
        return ann_error(ANN_ERR_SHAPE, "inner extents %lld and %lld differ", (long long)ka, (long long)kb);
    if (r == 3 && a->dim[0] != b->dim[0]) return ann_error(ANN_ERR_SHAPE, "batches differ");
    const int64_t first = node->attrs->matmul.first_row, rows = node->attrs->matmul.rows;
    if (rows > 0) {
        if (r == 3 || first < 0 || rows > m - first)
            return ann_error(ANN_ERR_SHAPE, "rows %lld to %lld of %lld", (long long)first,
                             (long long)(first + rows), (long long)m);
        node->shape = ANN_SHAPE(rows, n);
        node->dtype = node->in_dtype[0];
        return ANN_OK;
    }
    node->shape = r == 3 ? ANN_SHAPE(a->dim[0], m, n) : ANN_SHAPE(m, n);
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}

/* C = op(A) op(B): dA = dC op(B)^T and dB = op(A)^T dC, each transposed if its operand was. B is mostly a
   weight, whose gradient is to be sent while that of A is computed: it comes first. */
static void vjp_matmul(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx) {
    const bool ta = ann_node_attrs(g, self)->matmul.trans_a, tb = ann_node_attrs(g, self)->matmul.trans_b;
    const ann_node a = anni_in(g, self, 0), b = anni_in(g, self, 1);
    if (ann_node_attrs(g, self)->matmul.rows > 0) {
        ann_graph_fail(g, ANN_ERR_UNSUPPORTED, "rows of a matmul are made by a pass, after the gradient");
        return;
    }
    if (wanted[1]) dx[1] = tb ? ann_matmul(g, dy, a, true, ta) : ann_matmul(g, a, dy, !ta, false);
    if (wanted[0]) dx[0] = ta ? ann_matmul(g, b, dy, tb, true) : ann_matmul(g, dy, b, false, !tb);
}

static double flops_matmul(const ann_graph *g, ann_node self) {
    const ann_shape *a = ann_node_shape(g, anni_in(g, self, 0));
    const int64_t k = a->dim[a->rank - (ann_node_attrs(g, self)->matmul.trans_a ? 2 : 1)];
    return 2.0 * (double)k * (double)ann_shape_elems(ann_node_shape(g, self));
}
static void print_matmul(const ann_attrs *attrs, char *buf, size_t size) {
    const int used =
        snprintf(buf, size, "%s%s", attrs->matmul.trans_a ? "ta " : "", attrs->matmul.trans_b ? "tb " : "");
    if (attrs->matmul.rows > 0 && used >= 0 && (size_t)used < size)
        snprintf(buf + used, size - (size_t)used, "%lld rows from %lld", (long long)attrs->matmul.rows,
                 (long long)attrs->matmul.first_row);
}

const ann_op_info anni_op_matmul = {.name = "matmul",
                                    .tier = ANN_TIER_MATH,
                                    .min_in = 2,
                                    .max_in = 2,
                                    .attr_bytes = sizeof((ann_attrs *)0)->matmul,
                                    .infer = infer_matmul,
                                    .vjp = vjp_matmul,
                                    .flops = flops_matmul,
                                    .print = print_matmul};

ann_node ann_matmul(ann_graph *g, ann_node a, ann_node b, bool trans_a, bool trans_b) {
    const ann_attrs attrs = {.matmul = {.trans_a = trans_a, .trans_b = trans_b}};
    return anni_build(g, ANN_OP_MATMUL, ANN_F32, NULL, &attrs, (ann_node[]){a, b}, 2);
}

ann_node ann_matmul_rows(ann_graph *g, ann_node product, int64_t first, int64_t rows) {
    ann_attrs attrs = *ann_node_attrs(g, product);
    attrs.matmul.first_row += first;
    attrs.matmul.rows = rows;
    return anni_build(g, ANN_OP_MATMUL, ANN_F32, NULL, &attrs,
                      (ann_node[]){anni_in(g, product, 0), anni_in(g, product, 1)}, 2);
}
