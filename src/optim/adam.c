/* Adam: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015; AdamW: Loshchilov and Hutter,
   "Decoupled weight decay regularization", ICLR 2019:

       m = beta1 m + (1 - beta1) g                     v = beta2 v + (1 - beta2) g^2
       p = p (1 - lr weight_decay) - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps) */
#include "optim/rule.h"

#include <math.h>

/* 1 - beta^step, a f64 scalar. */
static ann_node bias_correction(const anni_update *u, double beta) {
    ann_graph *g = u->graph;
    if (beta <= 0) return ann_scalar(g, ANN_F64, 1);
    const ann_node power = ann_exp(g, ann_mul_const(g, u->step, log(beta)));
    return ann_sub(g, ann_scalar(g, ANN_F64, 1), power);
}

static ann_node average(ann_graph *g, ann_node old, ann_node value, double beta) {
    return ann_add(g, ann_mul_const(g, old, beta), ann_mul_const(g, value, 1.0 - beta));
}

void anni_update_adam(const anni_update *u) {
    ann_graph *g = u->graph;
    const ann_optim *o = u->optim;
    const ann_node old_m = anni_moment(u, "m"), old_v = anni_moment(u, "v");
    const ann_node m = average(g, old_m, u->grad, o->beta1);
    const ann_node v = average(g, old_v, ann_square(g, u->grad), o->beta2);
    anni_put(u, old_m, m);
    anni_put(u, old_v, v);
    const ann_node rate = anni_scalar_of(u, ann_div(g, u->lr, bias_correction(u, o->beta1)));
    const ann_node unbias = anni_scalar_of(u, ann_recip(g, ann_sqrt(g, bias_correction(u, o->beta2))));
    const ann_node spread = ann_add_const(g, ann_mul(g, ann_sqrt(g, v), unbias), o->eps);
    ann_node p = u->param;
    if (o->kind == ANN_OPTIM_ADAMW && o->weight_decay != 0) {
        const ann_node decay = ann_mul_const(g, u->lr, o->weight_decay);
        p = ann_mul(g, p, anni_scalar_of(u, ann_sub(g, ann_scalar(g, ANN_F64, 1), decay)));
    }
    anni_put(u, u->param, ann_sub(g, p, ann_div(g, ann_mul(g, m, rate), spread)));
}
