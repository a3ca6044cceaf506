/* Stochastic gradient descent: plain, with momentum (Polyak 1964: v = mu v + g, p -= lr v), and with
   Nesterov's (Sutskever et al. 2013, in the form that evaluates the gradient at the parameters: p -= lr (g +
   mu v)). */
#include "optim/rule.h"

void anni_update_sgd(const anni_update *u) {
    ann_graph *g = u->graph;
    ann_node direction = u->grad;
    if (u->optim->kind != ANN_OPTIM_SGD) {
        const ann_node old = anni_moment(u, "momentum");
        const ann_node velocity = ann_add(g, ann_mul_const(g, old, u->optim->momentum), u->grad);
        anni_put(u, old, velocity);
        direction = velocity;
        if (u->optim->kind == ANN_OPTIM_NESTEROV)
            direction = ann_add(g, u->grad, ann_mul_const(g, velocity, u->optim->momentum));
    }
    const ann_node change = ann_mul(g, direction, anni_scalar_of(u, u->lr));
    anni_put(u, u->param, ann_sub(g, u->param, change));
}
