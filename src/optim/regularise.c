/* What happens to the gradient between its sum over ranks and the update: penalties, then clipping. */
#include "optim/rule.h"

/* Scales the whole gradient to an L2 norm of at most clip_norm: Pascanu, Mikolov, Bengio, "On the difficulty
   of training recurrent neural networks", ICML 2013. */
static void clip_by_norm(ann_graph *g, ann_node *grads, int n, double clip_norm) {
    const ann_dtype dtype = ann_node_dtype(g, grads[0]);
    ann_node squares = ann_sum_all(g, ann_square(g, grads[0]));
    for (int i = 1; i < n; i++) squares = ann_add(g, squares, ann_sum_all(g, ann_square(g, grads[i])));
    const ann_node norm = ann_sqrt(g, squares);
    ann_output(g, "grad_norm", norm);
    const ann_node ratio = ann_div(g, ann_scalar(g, dtype, clip_norm), ann_add_const(g, norm, 1e-6));
    const ann_node factor = ann_min(g, ann_scalar(g, dtype, 1), ratio);
    for (int i = 0; i < n; i++) grads[i] = ann_mul(g, grads[i], factor);
}

ann_node anni_penalise(ann_graph *g, const ann_optim *optim, ann_node param, ann_node grad) {
    if (optim->l2 != 0) grad = ann_add(g, grad, ann_mul_const(g, param, optim->l2));
    if (optim->l1 != 0) grad = ann_add(g, grad, ann_mul_const(g, ann_sign(g, param), optim->l1));
    return grad;
}

void anni_clip(ann_graph *g, const ann_optim *optim, ann_node *grads, int n) {
    if (optim->clip_norm > 0) clip_by_norm(g, grads, n, optim->clip_norm);
    for (int i = 0; i < n && optim->clip_value > 0; i++) {
        const ann_dtype dtype = ann_node_dtype(g, grads[i]);
        grads[i] = ann_max(g, grads[i], ann_scalar(g, dtype, -optim->clip_value));
        grads[i] = ann_min(g, grads[i], ann_scalar(g, dtype, optim->clip_value));
    }
}
