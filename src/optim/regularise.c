/* What happens to the gradient between its sum over ranks and the update: penalties, then clipping. */
#include "optim/rule.h"

/* Scales the whole gradient to an L2 norm of at most clip_norm: Pascanu, Mikolov, Bengio, "On the difficulty
   of training recurrent neural networks", ICML 2013. */
static ann_node clip_by_norm(ann_graph *g, ann_node grad, double clip_norm) {
    const ann_dtype dtype = ann_node_dtype(g, grad);
    const ann_node norm = ann_sqrt(g, ann_sum_all(g, ann_square(g, grad)));
    ann_output(g, "grad_norm", norm);
    const ann_node ratio = ann_div(g, ann_scalar(g, dtype, clip_norm), ann_add_const(g, norm, 1e-6));
    return ann_mul(g, grad, ann_min(g, ann_scalar(g, dtype, 1), ratio));
}

ann_node anni_regularise(ann_graph *g, const ann_optim *optim, ann_node param, ann_node grad) {
    const ann_dtype dtype = ann_node_dtype(g, grad);
    if (optim->l2 != 0) grad = ann_add(g, grad, ann_mul_const(g, param, optim->l2));
    if (optim->l1 != 0) grad = ann_add(g, grad, ann_mul_const(g, ann_sign(g, param), optim->l1));
    if (optim->clip_norm > 0) grad = clip_by_norm(g, grad, optim->clip_norm);
    if (optim->clip_value > 0) {
        grad = ann_max(g, grad, ann_scalar(g, dtype, -optim->clip_value));
        grad = ann_min(g, grad, ann_scalar(g, dtype, optim->clip_value));
    }
    return grad;
}
