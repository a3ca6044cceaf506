/* Greedy layer-wise pre-training: Hinton, Osindero, Teh, "A fast learning algorithm for deep belief nets",
   Neural Computation 18, 2006 (layers as restricted Boltzmann machines: rbm.c); Bengio, Lamblin, Popovici,
   Larochelle, "Greedy layer-wise training of deep networks", NIPS 2006 (as autoencoders); Vincent et al.,
   "Stacked denoising autoencoders", JMLR 11, 2010 (as denoising ones).

   Stage i of the phase's program trains block f_i of the model on x_i = f_(i-1)(... f_0(x)), the output of
   the blocks below, which stay as they are and work as in evaluation. As an autoencoder, with decoder g_i,

       mean_b L(x_i, g_i(f_i(c(x_i))))

   with L phases[].loss, a mean over elements, and c the identity, or for a denoising one noise that sets each
   element to 0 with probability `noise`. Evaluated is the same without noise, of a Boltzmann machine the
   error of rbm.h. All tensors are there in all stages, so that the phase ends with all blocks, decoders and
   visible biases. x [B, ...], f_i(x_i) [B, ...]. */
#include <stdio.h>

#include "method/rbm.h"

typedef struct layer {
    const char *block;
    int index;
    bool trained; /* by this stage */
} layer;

static ann_nn as_in_evaluation(const ann_nn *nn) {
    ann_nn copy = *nn;
    copy.training = false;
    return copy;
}

/* What the layer gets of its input. */
static ann_node corrupt(const ann_method *m, const layer *of, ann_node x) {
    char name[256];
    snprintf(name, sizeof name, "%s/noise", of->block);
    const bool noisy = of->trained && m->config->layer == ANN_METHOD_DENOISING;
    return noisy ? ann_nn_mask_noise(m->nn, name, x, m->config->noise) : x;
}

/* Of each sample, [B]. */
static ann_node decoding_error(const ann_method *m, ann_nn *nn, const layer *of, ann_node code, ann_node x) {
    if (!ann_node_is(code)) return code;
    return ann_method_error(m, ann_method_block(m, nn, m->config->decoders[of->index], code), x);
}

static ann_node layer_error(const ann_method *m, ann_nn *nn, const layer *of, ann_node code, ann_node x) {
    if (m->config->layer != ANN_METHOD_RBM) return decoding_error(m, nn, of, code, x);
    const anni_rbm rbm = anni_rbm_of(m, of->block, x, code);
    return anni_rbm_error(m, &rbm);
}

static ann_node layer_loss(const ann_method *m, ann_nn *nn, const layer *of, ann_node code, ann_node x) {
    if (m->config->layer != ANN_METHOD_RBM)
        return ann_method_batch_mean(m, decoding_error(m, nn, of, code, x));
    const anni_rbm rbm = anni_rbm_of(m, of->block, x, code);
    return anni_rbm_loss(m, &rbm, of->trained);
}

/* Every layer, so that every tensor is declared; what comes out is made of the one of the stage. */
static ann_node walk(const ann_method *m, ann_node (*make)(const ann_method *m, ann_nn *nn, const layer *of,
                                                           ann_node code, ann_node x)) {
    ann_nn still = as_in_evaluation(m->nn);
    ann_node x = m->clean, made = ANN_NODE_NONE;
    for (int i = 0; i < m->blocks->model_count; i++) {
        const layer of = {m->blocks->model[i], i, i == m->stage};
        ann_nn *nn = of.trained ? m->nn : &still;
        const ann_node code = ann_method_block(m, nn, of.block, corrupt(m, &of, x));
        const ann_node value = make(m, nn, &of, code, x);
        if (of.trained) made = value;
        x = ann_stop_grad(m->nn->graph, code);
    }
    return made;
}

static ann_node build(ann_method *m) { return walk(m, layer_loss); }
static ann_node evaluate(ann_method *m) { return walk(m, layer_error); }

static int trains(const ann_method *m, const char **blocks) {
    blocks[0] = m->blocks->model[m->stage];
    if (m->config->layer == ANN_METHOD_RBM) return 1;
    blocks[1] = m->config->decoders[m->stage];
    return 2;
}

const ann_method_info anni_method_layerwise = {.name = "layerwise",
                                               .needs = ANN_METHOD_PRETRAIN | ANN_METHOD_INNER_LOSS,
                                               .steps = 1,
                                               .trains = trains,
                                               .build = build,
                                               .evaluate = evaluate};
