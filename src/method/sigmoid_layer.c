/* Of what a block is made, seen from its output: sigmoid units, of one dense layer, for which closed forms
   are known. */
#include "method/method.h"

/* x, or what it was made of by other names for the same elements. */
static ann_node source_of(const ann_graph *g, ann_node x) {
    const ann_node *in;
    while (ann_node_is(x) && (ann_node_op(g, x) == ANN_OP_RESHAPE || ann_node_op(g, x) == ANN_OP_BCAST)) {
        ann_node_inputs(g, x, &in);
        x = in[0];
    }
    return x;
}

/* The inputs of x, if it is made by `op`; NULL otherwise. */
static const ann_node *inputs_of(const ann_graph *g, ann_node x, ann_op op) {
    const ann_node *in = NULL;
    if (ann_node_is(x) && ann_node_op(g, x) == op) ann_node_inputs(g, x, &in);
    return in;
}

bool ann_method_is_sigmoid(const ann_method *m, ann_node y) {
    return inputs_of(m->nn->graph, source_of(m->nn->graph, y), ANN_OP_SIGMOID);
}

bool ann_method_is_sigmoid_layer(const ann_method *m, ann_node x, ann_node y, ann_node *weight,
                                 ann_node *bias) {
    const ann_graph *g = m->nn->graph;
    *weight = *bias = ANN_NODE_NONE;
    const ann_node *sigmoid = inputs_of(g, source_of(g, y), ANN_OP_SIGMOID);
    const ann_node *sum = sigmoid ? inputs_of(g, sigmoid[0], ANN_OP_ADD) : NULL;
    const ann_node *product = sum ? inputs_of(g, sum[0], ANN_OP_MATMUL) : NULL;
    if (!product || source_of(g, product[0]).id != source_of(g, x).id) return false;
    *weight = product[1];
    *bias = source_of(g, sum[1]);
    return ann_node_op(g, *weight) == ANN_OP_STORE && ann_node_op(g, *bias) == ANN_OP_STORE;
}
