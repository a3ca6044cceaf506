/* Optimizers as graph builders, and learning-rate schedules on the host. Local. */
#ifndef ANN_OPTIM_OPTIM_H
#define ANN_OPTIM_OPTIM_H

#include "nn/nn.h"

typedef enum ann_optim_kind {
    ANN_OPTIM_SGD,
    ANN_OPTIM_MOMENTUM,
    ANN_OPTIM_NESTEROV,
    ANN_OPTIM_ADAM,
    ANN_OPTIM_ADAMW
} ann_optim_kind;

/* What of a gradient is sent to other ranks. */
typedef enum ann_compress_method {
    ANN_COMPRESS_NONE,
    ANN_COMPRESS_BF16, /* each element rounded to bfloat16 */
    ANN_COMPRESS_F16, /* to IEEE binary16: more digits; infinite beyond 65504, coarse below 6e-5, 0 below 3e-8
                       */
    ANN_COMPRESS_TOPK,    /* the largest elements of each bucket: Aji and Heafield, EMNLP 2017 */
    ANN_COMPRESS_POWERSGD /* of each matrix a product of two thin ones: Vogels, Karimireddy, Jaggi, NeurIPS
                             2019 */
} ann_compress_method;

enum { ANN_POWERSGD_MAX_RANK = 16 };

/* With error_feedback what a step does not send is kept, on each rank its own, and added to the next gradient
   (Seide et al., INTERSPEECH 2014; Karimireddy et al., ICML 2019): what was applied and what is kept sum up
   to all gradients. */
typedef struct ann_compress {
    ann_compress_method method;
    double fraction; /* TOPK: share of the elements that is sent, in (0, 1] */
    int rank;        /* POWERSGD: columns of the thin matrices, 1 to ANN_POWERSGD_MAX_RANK */
    bool error_feedback;
} ann_compress;

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
    ann_compress compress;
} ann_optim;

/* Parameters that lie side by side and are updated together. A tensor is of the first group that matches. */
typedef struct ann_optim_group {
    const char *name;  /* of the block "params.NAME"; "": "params" */
    const char *match; /* pattern of tensor names */
    double lr_factor;  /* of the learning rate (discriminative rates: Howard and Ruder, ACL 2018) */
} ann_optim_group;

/* Appends to g: the gradient of the scalar `loss` w.r.t. every loaded parameter whose name matches `wrt`,
   packed as one flat vector in reverse order of use, its compression and its sum over ranks on channel 0,
   penalties and clipping, the update, and the assigns. The parameters become one block "params" of the store,
   moments become blocks like it; a second graph over the same store finds them. With error feedback the block
   "error/params" holds this rank's residual, the only state of the store that differs between ranks. Adds two
   inputs, f64 scalars: "lr" and "step" (1-based count of updates). Adds the output "grad_norm" if clip_norm
   is on. `loss` on each rank must be its share of the global loss (a sum over its samples divided by the
   global batch). On error the graph holds it. Errors: ANN_ERR_NOT_FOUND (nothing matches wrt). */
void ann_optim_build(ann_graph *g, const ann_optim *optim, ann_node loss, const char *wrt);

/* ---- steps of several micro-batches ----

   The gradients of a rank's k micro-batches are summed over a fixed binary tree, by a binary counter:
   micro-batch i adds the sums that the trailing ones of i stand for, and keeps the result as the sum of the
   first zero bit; the last one adds all that are left. So micro-batches 2i and 2i + 1 come first, then pairs
   of pairs, with at most ceil(log2 k) kept sums: scratch blocks "sum0/params", "sum1/params" ... */

/* What one micro-batch does beside computing its gradient. */
typedef struct ann_optim_part {
    uint32_t fold; /* bit j: kept sum j is added, the lowest first */
    int keep;   /* the result is kept as this sum; negative: it is that of the step, and the update follows */
    bool local; /* this rank's gradient alone makes the update */
    /* What is trained is cut into these groups, each with a gradient, moments and an update of its own;
       clip_norm is over all of them. A graph trains a group whole or not at all. POWERSGD sends three
       messages of each; of the others, ann_pass_join joins small ones that are sent as they are. group_count
       0: one group of all, "params". */
    const ann_optim_group *groups; /* [group_count] */
    int group_count;
    /* Several graphs train a group in turns: the count of its updates is its own, in the tensor
       "count/params.NAME", instead of the input "step". */
    bool counts;
    /* Running statistics that move once per step: running = (1 - momentum) running + momentum mean(batch),
       the mean being over all micro-batches of all ranks, summed like the gradient. */
    const ann_nn_moving *moving; /* [moving_count] */
    int moving_count;
    double moving_scale; /* 1 / number of all micro-batches */
} ann_optim_part;

/* Of micro-batch `index` of `count`; not local, nothing moving. */
ann_optim_part ann_optim_part_of(int index, int count);
/* Micro-batches of equal kind (0..ann_optim_part_kinds-1) have equal parts; kind 0 is the last one's. */
int ann_optim_part_kind(int index, int count);
int ann_optim_part_kinds(int count);

/* ann_optim_build for one micro-batch, whose loss is its share of the global one. Every graph of a step is to
   be over the same store. */
void ann_optim_build_part(ann_graph *g, const ann_optim *optim, ann_node loss, const char *wrt,
                          const ann_optim_part *part);

/* ---- steps apart: local SGD and DiLoCo ---- */

/* Stich, "Local SGD converges fast and communicates little", ICLR 2019: lr 1, momentum 0, the mean of the
   ranks' parameters. Douillard et al., "DiLoCo: distributed low-communication training of language models",
   2023: the ranks' mean change since the last time is a gradient, applied to the parameters of that time with
   Nesterov's momentum. */
typedef struct ann_optim_outer {
    double lr, momentum;
} ann_optim_outer;

/* Whether it needs the blocks "anchor/params", the parameters after the last outer step, which must hold them
   before the first one. */
bool ann_optim_outer_has_anchor(const ann_optim_outer *outer);
/* Appends the outer step of `ranks` ranks to g: parameters of all groups and every running tensor that
   `inner` assigns become the same on all of them. g and inner are over one store; moments "anchor/params" and
   "outer/params", or those of each group, are made here. Errors: ANN_ERR_NOT_FOUND (nothing is trained). */
void ann_optim_build_outer(ann_graph *g, const ann_optim_outer *outer, const ann_graph *inner, int ranks);

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
