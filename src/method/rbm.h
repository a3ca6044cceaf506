/* Restricted Boltzmann machines, for the layers of layerwise.c. */
#ifndef ANN_METHOD_RBM_H
#define ANN_METHOD_RBM_H

#include "method/method.h"

/* v [B, D], from 0 to 1, and h = sigmoid(v W + b) [B, K], the output of `block`, which must be one dense
   layer with sigmoid. The machine's visible bias is the tensor BLOCK/visible/bias. */
typedef struct anni_rbm {
    const char *block;
    ann_node v, h, weight, bias, visible_bias;
} anni_rbm;

/* v is NONE after an error. */
anni_rbm anni_rbm_of(const ann_method *m, const char *block, ann_node v, ann_node h);
/* This rank's share of what is descended, as rbm.c says. Persistent chains are the tensor BLOCK/chain
   [whole, D]; they move with `moves`. */
ann_node anni_rbm_loss(const ann_method *m, const anni_rbm *rbm, bool moves);
/* Of each sample, [B]: the error of sigmoid(h W^T + a), where the machine expects the visible units if the
   hidden ones are h, as phases[].loss measures it. */
ann_node anni_rbm_error(const ann_method *m, const anni_rbm *rbm);

#endif
