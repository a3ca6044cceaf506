/* Test-time adaptation: Wang, Shelhamer, Liu, Olshausen, Darrell, "Tent: fully test-time adaptation by
   entropy minimization", ICLR 2021.

       E_t[H(softmax(z))]

   of a loaded model's logits z on target samples, by which only the scales and shifts of its batch norms are
   trained (a stage's train: "gamma and beta of each"), with the statistics of the batch. Samples of the
   source, if there are any, are not used but in these statistics. */
#include "method/method.h"

static ann_node build(ann_method *m) {
    const ann_node logits = ann_method_model(m, m->nn, m->x);
    return ann_method_mean(m, ann_method_entropy(m, logits), ann_method_is_target(m));
}

const ann_method_info anni_method_tent = {
    .name = "tent", .needs = ANN_METHOD_LABELS | ANN_METHOD_ADAPTS, .steps = 1, .build = build};
