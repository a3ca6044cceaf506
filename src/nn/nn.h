/* Layers: functions over a graph and its store. Calling one twice under the same name shares its parameters.
   What is trained is what is passed to the optimizer; a batch norm whose parameters do not match `trained`
   uses its running statistics and does not move them. Errors are the graph's. Local. */
#ifndef ANN_NN_NN_H
#define ANN_NN_NN_H

#include "graph/graph.h"

typedef enum ann_nn_init { ANN_NN_HE, ANN_NN_XAVIER, ANN_NN_PYTORCH } ann_nn_init;

/* Statistics [C] of a batch, and the running tensor that they move by `momentum`. */
typedef struct ann_nn_moving {
    ann_node running, batch;
    double momentum;
} ann_nn_moving;

enum { ANN_NN_DOMAINS = 16 };

typedef struct ann_nn {
    ann_graph *graph;
    bool training;    /* dropout and noise on, batch statistics of the batch */
    ann_dtype dtype;  /* of parameters and activations */
    ann_nn_init init; /* of weights, uniform: He et al. 2015 (fan in, relu), Glorot and Bengio 2010, or within
                         1 / sqrt(fan in), which is PyTorch's default */
    ann_node ids;     /* i64 [B]: sample positions, for random draws */
    uint64_t seed;    /* of random draws in the step */
    const char *trained; /* pattern (ann_name_matches) of parameter names; NULL: everything */
    /* Batch statistics are over all ranks if batch_total > 0: it is the number of samples of the global
       batch, and batch_scale (f64 scalar) is its reciprocal, or 0 on a rank whose samples do not count. With
       batch_total 0 they are over this rank's batch alone. */
    double batch_total;
    ann_node batch_scale;
    /* > 0, at most ANN_NN_DOMAINS: batch norms have running statistics of so many domains: "mean" and "var"
       of eval_domain, so that layers without domains find these, "mean0" and "var0" of domain 0, and so on.
       In training each sample is normalised by the statistics of its own domain in the batch (of the running
       ones, where the batch norm is frozen), outside of it all are by the running ones of eval_domain. Those
       of a domain that the batch lacks are not moved. */
    int domain_count, eval_domain;
    ann_node domain; /* i32 [B]: 0 to domain_count - 1; for training alone */
    /* Not NULL: running statistics are not moved by the layers, but listed here, for whoever moves them (two
       for each batch norm that is trained); moving_count counts them. */
    ann_nn_moving *moving; /* [moving_room] */
    int moving_count, moving_room;
    /* Not NULL: the layers use copies of their tensors, "shadow/NAME" of role STATE, which whoever sets this
       keeps up; the running statistics among them are not moved. A batch norm is frozen where the one that it
       copies is. */
    const char *shadow;
    const ann_node *momentum; /* f64 scalar, in place of the momentum of batch norms; NULL: their own */
    bool frozen;              /* gradients go through the layers, and not to their parameters */
} ann_nn;

/* x [B, I] -> [B, units]: weight "name/weight" [I, units], bias "name/bias" [units]. */
ann_node ann_nn_dense(ann_nn *nn, const char *name, ann_node x, int64_t units);
/* x [N,H,W,C] -> [N,OH,OW,channels]: "name/weight" [channels, kernel_h, kernel_w, C/groups], "name/bias"
   [channels] if bias. */
ann_node ann_nn_conv2d(ann_nn *nn, const char *name, ann_node x, int64_t channels, ann_window window,
                       bool bias);
/* Transposed convolution (Zeiler et al., CVPR 2010), the adjoint of conv2d: x [N,H,W,C] ->
   [N,OH,OW,channels], OH = (H - 1) stride_h - pad_top - pad_bottom + dilation_h (kernel_h - 1) + 1 + more[0],
   and OW alike; more: rows and columns that are added at the end, each less than the stride. "name/weight"
   [C, kernel_h, kernel_w, channels/groups], "name/bias" [channels] if bias. */
ann_node ann_nn_conv_transpose2d(ann_nn *nn, const char *name, ann_node x, int64_t channels,
                                 ann_window window, const int64_t more[2], bool bias);
/* Over all axes but the last: Ioffe and Szegedy 2015. "name/gamma", "name/beta" [C]; running "name/mean",
   "name/var" (role STATE; the variance with Bessel's correction), moved by `momentum` (new = (1-m) old + m
   batch) when training and trained. Over several ranks: 2 reductions of C elements on channel 0, and 2
   more in the gradient; with domains (Chang et al. 2019), for each its own, and 1 reduction of their
   counts. gamma and beta are those of all domains. */
ann_node ann_nn_batch_norm(ann_nn *nn, const char *name, ann_node x, double momentum, double eps);
/* Over the last axis of x [B, .., C]: y = gamma (x - mean) / sqrt(var + eps) + beta, var without Bessel's
   correction: Ba, Kiros and Hinton 2016. "name/gamma", "name/beta" [C]. Of images, each pixel's channels. */
ann_node ann_nn_layer_norm(ann_nn *nn, const char *name, ann_node x, double eps);
/* The stream of random draws that belongs to a name: its hash. */
uint32_t ann_nn_stream(const char *name);
/* Stream of random draws: that of name. */
ann_node ann_nn_dropout(ann_nn *nn, const char *name, ann_node x, double p);
/* Masking noise (Vincent et al. 2008): zeroes each element with probability p, without rescaling; only when
   training. */
ann_node ann_nn_mask_noise(ann_nn *nn, const char *name, ann_node x, double p);

/* Normal noise of deviation sigma, and salt and pepper: each element becomes 0 or 1, evenly, with probability
   p (Vincent, Larochelle, Lajoie, Bengio, Manzagol, JMLR 2010); only when training. */
ann_node ann_nn_gaussian_noise(ann_nn *nn, const char *name, ann_node x, double sigma);
ann_node ann_nn_salt_pepper(ann_nn *nn, const char *name, ann_node x, double p);

/* Declares (or finds) the tensor "layer/part" and loads it. For the layers of this folder. */
ann_node anni_nn_tensor(const ann_nn *nn, const char *layer, const char *part, ann_shape shape, ann_role role,
                        ann_init init);

#endif
