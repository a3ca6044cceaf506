/* Optimizers as graph builders, and learning-rate schedules on the host. Local. */
#ifndef ANN_OPTIM_OPTIM_H
#define ANN_OPTIM_OPTIM_H

#include "graph/graph.h"

typedef enum ann_optim_kind {
    ANN_OPTIM_SGD,
    ANN_OPTIM_MOMENTUM,
    ANN_OPTIM_NESTEROV,
    ANN_OPTIM_ADAM,
    ANN_OPTIM_ADAMW
} ann_optim_kind;

typedef struct ann_optim {
    ann_optim_kind kind;
    double momentum;          /* MOMENTUM, NESTEROV: v = momentum*v + g */
    double beta1, beta2, eps; /* ADAM, ADAMW: Kingma and Ba 2015; Loshchilov and Hutter 2019 */
    double weight_decay;      /* ADAMW: decoupled, times the learning rate */
    double l1, l2;            /* added to the gradient: l1*sign(p) + l2*p */
    double clip_norm; /* 0: off. Scales the whole gradient to at most this L2 norm (Pascanu et al. 2013) */
    /* The loss is multiplied by the input "loss_scale" and the sum of the gradients by "loss_unscale" (f64
       scalars), before penalties and clipping. */
    bool loss_scaled;
    double clip_value; /* 0: off. Each element to [-clip_value, clip_value] */
} ann_optim;

/* Appends to g: the gradient of the scalar `loss` w.r.t. every loaded parameter whose name matches `wrt`,
   packed as one flat vector in reverse order of use, its sum over ranks on channel 0, penalties and clipping,
   the update, and the assigns. The parameters become one block "params" of the store, moments become blocks
   like it; a second graph over the same store finds them. Adds two inputs, f64 scalars: "lr" and "step"
   (1-based count of updates). Adds the output "grad_norm" if clip_norm is on. `loss` on each rank must be its
   share of the global loss (a sum over its samples divided by the global batch). On error the graph holds it.
   Errors: ANN_ERR_NOT_FOUND (nothing matches wrt). */
void ann_optim_build(ann_graph *g, const ann_optim *optim, ann_node loss, const char *wrt);

typedef enum ann_schedule_kind {
    ANN_SCHEDULE_CONSTANT,
    ANN_SCHEDULE_STEP,
    ANN_SCHEDULE_EXPONENTIAL,
    ANN_SCHEDULE_COSINE
} ann_schedule_kind;
typedef struct ann_schedule {
    ann_schedule_kind kind;
    double lr;            /* peak */
    int64_t warmup_steps; /* linear from lr/warmup to lr */
    int64_t total_steps;  /* COSINE reaches final_lr there */
    int64_t period_steps; /* STEP: every period times factor; EXPONENTIAL: factor^(t/period) */
    double factor, final_lr;
} ann_schedule;
/* The rate of update `step` (0-based). */
double ann_schedule_lr(const ann_schedule *schedule, int64_t step);

#endif
