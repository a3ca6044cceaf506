/* Methods: how the loss of a training step is made of a phase's blocks of layers, where it is more than the
   loss of the model's output. One file per paper, named after it; methods.def lists them, and a run file
   names one in phases[].method. A method builds mathematics only: it sees no files, no messages and no clock.

   A method is right on any number of ranks. Each rank builds the graph of its own samples of the global batch
   and returns its *share* of the loss: the shares of all ranks sum up to the loss, and so do their gradients.
   What is over the whole batch (a mean over one domain, a covariance, a matrix of similarities) is made by
   the functions below, which reduce over ranks where there are several; a loss that every rank computes whole
   from such statistics is shared out by ann_method_once.

   Source and target: with several data.sources, the last one is the target domain, the others are the source;
   samples without a label have label -1. All functions are Local; errors are the graph's. */
#ifndef ANN_METHOD_METHOD_H
#define ANN_METHOD_METHOD_H

#include "nn/nn.h"

typedef enum ann_method_kind {
    ANN_METHOD_NONE,
#define ANN_METHOD(NAME, name) ANN_METHOD_##NAME,
#include "method/methods.def"
#undef ANN_METHOD
    ANN_METHOD_COUNT
} ann_method_kind;

/* How a reconstruction is compared with what it is to be: phases[].loss. */
typedef enum ann_method_likeness { ANN_METHOD_SQUARED, ANN_METHOD_BCE } ann_method_likeness;

/* How the norm of the encoder's Jacobian is computed (contractive.c). */
typedef enum ann_method_form { ANN_METHOD_CLOSED, ANN_METHOD_GRADIENT } ann_method_form;

/* As what each layer is trained (layerwise.c). */
typedef enum ann_method_layer {
    ANN_METHOD_AUTOENCODER,
    ANN_METHOD_DENOISING,
    ANN_METHOD_RBM
} ann_method_layer;

typedef enum ann_method_estimate { ANN_METHOD_QUADRATIC, ANN_METHOD_LINEAR } ann_method_estimate;
typedef enum ann_method_ratio { ANN_METHOD_DISCRIMINATOR, ANN_METHOD_KLIEP, ANN_METHOD_KMM } ann_method_ratio;

/* The keys of phases[].method.NAME; those that a method does not have are 0. Strings are borrowed; names are
   of blocks of the run file. */
typedef struct ann_method_config {
    ann_method_kind kind;
    const char *features; /* block of the model after which features (the code) are taken; NULL: its first */
    const char *discriminator; /* features -> [B, 1], the logit of "source" */
    const char *decoder;       /* features -> as many elements as the input */
    const char *second;        /* features -> [B, classes], another classifier */
    const char *teacher;       /* the input -> [B, classes] */
    int repeats;               /* of a kind of step on each batch */
    double threshold;          /* of a probability */
    double share;              /* of the samples of each class; 0: threshold counts */
    ann_method_ratio ratio_by; /* how densities are compared */
    double power;              /* of a ratio of densities */
    double bound;              /* of a weight */
    double weight;             /* of the method's own term */
    bool entropy;              /* certain samples count more */
    double target;             /* mean activation of a unit of the code */
    ann_method_form form;
    int probes;  /* random directions; 0: all units of the code, exactly */
    double beta; /* of the divergence from the prior */
    ann_method_layer layer;
    const char *const *decoders; /* [decoder_count]: the block that reconstructs each block's input */
    int decoder_count;
    double noise;          /* share of a layer's inputs that are set to 0 */
    int gibbs_steps;       /* of a chain, in each update */
    bool persistent;       /* chains go on from update to update */
    const char *projector; /* the model's output -> [B, D], where samples are compared */
    double temperature;    /* by which similarities are divided */
    int64_t patch[2];      /* h, w */
    double ratio;          /* of patches that are hidden */
    const char *predictor; /* the projector's output -> [B, D] */
    double momentum;       /* share that a teacher keeps of itself in a step */
    int64_t queue;         /* rows */
    bool ramp;             /* weight grows from 0 in the course of the phase */
    ann_method_estimate estimate;
    int kernels;          /* bandwidths */
    bool logits;          /* domains are compared by them, too */
    double alpha, lambda; /* of a transport's cost: features, labels */
    double epsilon;       /* of a plan's entropy, in mean costs */
    int iterations;
    double diversity; /* of predictions over the batch */
} ann_method_config;

/* The phase's blocks. */
typedef struct ann_method_blocks {
    /* Applies the layers of a block of the run file. */
    ann_node (*apply)(const void *of, ann_nn *nn, const char *block, ann_node x);
    const void *of;
    const char *const *model; /* [model_count]: phases[].model */
    int model_count;
} ann_method_blocks;

/* What a method builds from, and says beside its loss. */
typedef struct ann_method {
    const ann_method_config *config;
    const ann_method_blocks *blocks;
    ann_nn *nn;
    ann_method_likeness likeness;
    int64_t first, local, global; /* this rank's samples are [first, first + local) of the global batch */
    int64_t whole; /* phases[].batch: global, but for smaller batches at the end of an epoch or stage */
    /* Scalars of nn->dtype: 1 / global, or 0 on a rank whose one sample is a stand-in; and the share of the
       phase that is over, from 0 to 1; and cos(pi progress), from 1 to -1. */
    ann_node scale, progress, cosine;
    ann_node x,
        x2; /* [B, ...] the input, and its second view (NONE without ANN_METHOD_TWO_VIEWS); with noise */
    ann_node clean;  /* x without noise */
    ann_node labels; /* i32 [B], -1: unlabelled; NONE where the data have none */
    ann_node domain; /* i32 [B], index of the source; NONE with a single one */
    int domains;
    ann_node table;    /* f32 [B], of the method's table; NONE if it has none */
    int step;          /* which kind of step is built */
    int stage, stages; /* which stage of the phase's program, of how many */
    /* Said by the builder: */
    ann_node logits; /* [B, classes] for the accuracy; NONE: there is none */
} ann_method;

enum { ANN_METHOD_BLOCKS = 72, ANN_METHOD_STEPS = 4 }; /* at most; a model has 64 blocks */
enum {
    ANN_METHOD_LABELS = 1,      /* needs labels */
    ANN_METHOD_TARGET = 2,      /* needs a target domain */
    ANN_METHOD_TWO_VIEWS = 4,   /* augments each sample twice */
    ANN_METHOD_OWN_LOSS = 8,    /* has no use for phases[].loss; not tested, if it has no `evaluate` */
    ANN_METHOD_PRETRAIN = 16,   /* is for phases of kind pretrain */
    ANN_METHOD_INNER_LOSS = 32, /* phases[].loss compares something else than the model's output */
    ANN_METHOD_ADAPTS = 64,     /* learns from unlabelled samples: of several sources those of the target */
    ANN_METHOD_APART = 128 /* batch norms: each domain by its own statistics; all by the target's in tests */
};

/* All training samples as the model sees them, without augmentation and noise. */
typedef struct ann_method_sight {
    int64_t samples, width, classes; /* classes: width of the logits */
    int domains;
    const float *features;          /* [samples, width] */
    const float *logits;            /* [samples, classes] */
    const int32_t *labels, *domain; /* [samples]; -1: unlabelled; domain 0 where there is a single one */
} ann_method_sight;

/* The rows of the target domain, or of the source; in all of them the source comes first. With a single
   domain all are the target's. */
ann_method_sight ann_method_part(const ann_method_sight *all, bool target);

/* values of a table: -1 for the source's samples, labels[target] for the target's. */
void ann_method_put_labels(float *values, const ann_method_sight *all, const int32_t *labels);

/* A number for each training sample (a pseudo-label, a weight), made between steps from all of them, and held
   until it is made again; it is in checkpoints. */
typedef struct ann_method_table {
    bool each_epoch; /* or once, at the start of a stage */
    /* values: [samples]. The same on every rank, which all see the same. Errors: ANN_ERR_NUMERIC,
       ANN_ERR_MEMORY. Local. */
    ann_status (*fill)(float *values, const ann_method_config *config, const ann_method_sight *sight);
} ann_method_table;

typedef struct ann_method_info {
    const char *name;
    unsigned needs;
    int steps; /* kinds of steps, one after the other on each batch; each is an update of its own */
    /* How often a kind of step is repeated on a batch; NULL: once. */
    int (*repeats)(const ann_method_config *config, int step);
    /* The blocks that m->step trains, at most ANN_METHOD_BLOCKS; returns how many. NULL: all that the loss
       depends on. Of m only config, blocks, step and stage are there. */
    int (*trains)(const ann_method *m, const char **blocks);
    /* This rank's share of the loss, a scalar. Only for training; evaluation is of the model's output,
       unless `evaluate` builds something else: the loss of each sample, [B]. */
    ann_node (*build)(ann_method *m);
    ann_node (*evaluate)(ann_method *m);
    /* Outside training, the code [B, K] that the features stand for and the rest of the model decodes; codes
       of data are spread as N(0, 1). NULL: the features are the code, and nothing is said of how they are
       spread. */
    ann_node (*code)(const ann_method *m, ann_node features);
    const ann_method_table *table; /* NULL: it needs none */
} ann_method_info;

/* NULL for NONE. */
const ann_method_info *ann_method_info_of(ann_method_kind kind);
/* `build` and `evaluate` of m->config's method. */
ann_node ann_method_build(ann_method *m);
ann_node ann_method_evaluate(ann_method *m);

/* ---- blocks ---- */

/* nn is m->nn, or a copy of it with another way of loading parameters. */
ann_node ann_method_block(const ann_method *m, ann_nn *nn, const char *block, ann_node x);
/* So many blocks of the model make the features. */
int ann_method_feature_blocks(const ann_method *m);
/* The model's blocks up to `features`, and those behind it. */
ann_node ann_method_features(const ann_method *m, ann_nn *nn, ann_node x);
ann_node ann_method_head(const ann_method *m, ann_nn *nn, ann_node features);
/* All of them. */
ann_node ann_method_model(const ann_method *m, ann_nn *nn, ann_node x);
/* Both views as one batch, *x [2 B, ...]: the first of all samples, then the second. Returns what to apply
   blocks with: batch statistics are over both views, and random draws differ between them. */
ann_nn ann_method_both_views(const ann_method *m, ann_node *x);

/* ---- teachers ---- */

#define ANN_METHOD_TEACHER "teacher"
/* A copy of nn by which blocks are applied with the teacher's tensors, "teacher/NAME" of role STATE: those of
   the student at the start of the phase, and what ann_method_follow makes of them. */
ann_nn ann_method_teacher(const ann_nn *nn);
/* Loads the teacher's copy of a tensor; NONE: it has none. */
ann_node ann_method_teachers(const ann_method *m, const char *name);
/* In each step every tensor of the teacher that has been declared becomes keep times itself and 1 - keep
   times the student's, as both are at the step's start (an update of the student reaches the teacher one step
   later than in papers that move it afterwards); keep is a scalar. To be called once all blocks have been
   applied. Cost: one pass over the parameters. */
void ann_method_follow(const ann_method *m, ann_node keep);

/* The tensor `name` of nn->dtype, declared if it is not there, and loaded. */
ann_node ann_method_tensor(const ann_method *m, const char *name, ann_shape shape, ann_role role,
                           ann_init init);
/* Whether y is of sigmoid units. */
bool ann_method_is_sigmoid(const ann_method *m, ann_node y);
/* Whether y = sigmoid(x W + b) of one dense layer (x may be flattened before); its loaded weight [D, K] and
   bias [K]. */
bool ann_method_is_sigmoid_layer(const ann_method *m, ann_node x, ann_node y, ann_node *weight,
                                 ann_node *bias);

/* ---- over the global batch ---- */

/* [B] of nn->dtype, as all numbers here: 1 for samples of the domain and 0 for others and for stand-ins. */
ann_node ann_method_is_source(const ann_method *m);
ann_node ann_method_is_target(const ann_method *m); /* all samples, where there is a single source */
/* [B], 1 for all but stand-ins. */
ann_node ann_method_is_sample(const ann_method *m);
/* [B], 1 for samples with a label. */
ann_node ann_method_is_labelled(const ann_method *m);
/* A scalar: 1, or 0 on a rank whose one sample is a stand-in. */
ann_node ann_method_present(const ann_method *m);
/* This rank's share of the mean of each [B] over the samples of the global batch that are in `mask` (0 if
   there is none); any other shape of both will do. Over ranks: one reduction of one element for a mask. */
ann_node ann_method_mean(ann_method *m, ann_node each, ann_node mask);
/* The sum over ranks, of a node of any shape; differentiable. */
ann_node ann_method_sum(const ann_method *m, ann_node x);
/* The rows of all ranks: [B, D] -> [G, D] in the order of the global batch, the same on every rank;
   differentiable. Rows of stand-ins are left out. Over ranks: one reduction of G D elements. */
ann_node ann_method_gather(const ann_method *m, ann_node x);
/* Its adjoint, this rank's rows: [G, D] -> [B, D] (for a stand-in, rows of another rank). Local. */
ann_node ann_method_rows(const ann_method *m, ann_node x);
/* [B, G], 1 in the column of each sample's place in the global batch and 0 elsewhere. Local. */
ann_node ann_method_place(const ann_method *m);
/* This rank's share of the mean of each [B] over the global batch. Local. */
ann_node ann_method_batch_mean(const ann_method *m, ann_node each);
/* This rank's share of a scalar that all ranks have computed alike. */
ann_node ann_method_once(const ann_method *m, ann_node loss);

/* ---- pieces of losses ---- */

/* This rank's share of the cross-entropy of labelled samples, the mean over them; also what accuracy is
   measured of. logits [B, classes]. */
ann_node ann_method_classify(ann_method *m, ann_node logits);
/* This rank's share of E_s[-log d] + E_t[-log(1 - d)], d = sigmoid of the discriminator's output [B, 1]:
   means over the samples of each domain, weighted by `weights` [B] (NONE: equally). */
ann_node ann_method_discriminate(ann_method *m, ann_nn *nn, ann_node features, ann_node weights);
/* Of the softmax of logits [B, C]: [B], in nats. */
ann_node ann_method_entropy(const ann_method *m, ann_node logits);
/* This rank's share of the entropy of the mean of softmax(logits) over the samples of the global batch that
   are in `mask`, in nats. Over ranks: one reduction of one number a class, and one. */
ann_node ann_method_marginal(const ann_method *m, ann_node logits, ann_node mask);
/* Of a reconstruction, [B, elements]: (out - target)^2 or the binary cross-entropy of logits, as likeness
   says; out and target have as many elements. */
ann_node ann_method_compare(const ann_method *m, ann_node out, ann_node target);
/* Of a reconstruction, [B]: the sum over a sample's elements. */
ann_node ann_method_reconstruct(const ann_method *m, ann_node out, ann_node target);
/* The same as a mean over a sample's elements: what phases[].loss is without a method, and in evaluation. */
ann_node ann_method_error(const ann_method *m, ann_node out, ann_node target);
/* x [B, D] with each row divided by its length. */
ann_node ann_method_normalize(ann_graph *g, ann_node x);
/* loss + w term, shares of this rank: w is `weight`, and with `ramp` ann_method_ramp times that. */
ann_node ann_method_add_term(const ann_method *m, ann_node loss, ann_node term);
/* x with its gradient multiplied by -factor (a scalar): Ganin and Lempitsky, ICML 2015. */
ann_node ann_method_reverse(ann_graph *g, ann_node x, ann_node factor);
/* 2 / (1 + exp(-10 p)) - 1 of the progress p: from 0 to 1 (the same paper). */
ann_node ann_method_ramp(const ann_method *m);

#endif
