/* Domain-adversarial training: Ganin, Ustinova, Ajakan, Germain, Larochelle, Laviolette, Marchand, Lempitsky,
   "Domain-adversarial training of neural networks", JMLR 17, 2016.

       min over F, C, max over D of  E_s[CE(C(F(x)), y)] - w lambda (E_s[-log d(x)] + E_t[-log(1 - d(x))])

   with d = sigmoid(D(F(x))) the probability of "source", as one descent through a layer that reverses the
   gradient: D itself learns with factor w, F gets -w lambda of it. lambda = 2 / (1 + exp(-10 p)) - 1 in the
   course of the phase. x [B, ...], F(x) [B, K], D [B, 1]; E_s, E_t are means over the samples of each domain
   in the global batch. */
#include "method/method.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_method_features(m, m->nn, m->x);
    const ann_node loss = ann_method_classify(m, ann_method_head(m, m->nn, features));
    const ann_node reversed = ann_method_reverse(g, features, ann_method_ramp(m));
    const ann_node confusion = ann_method_discriminate(m, m->nn, reversed, ANN_NODE_NONE);
    return ann_add(g, loss, ann_mul_const(g, confusion, m->config->weight));
}

const ann_method_info anni_method_dann = {
    .name = "dann", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
