/* The model outside training, to look at: what it makes of samples, and of codes. */
#include "train/internal.h"

static ann_nn layers_of(ann_graph *g, const anni_phase *phase) {
    return (ann_nn){.graph = g,
                    .dtype = ANN_F32,
                    .init = phase->config->init,
                    .ids = ANN_NODE_NONE,
                    .seed = phase->seed,
                    .domain_count = anni_method_domains(phase->config),
                    .eval_domain = phase->config->data->source_count - 1,
                    .batch_scale = ANN_NODE_NONE};
}

static ann_node code_of(ann_nn *nn, const anni_phase *phase, ann_node x) {
    const ann_phase_config *config = phase->config;
    const int features = anni_method_feature_blocks(config);
    for (int i = 0; i < features; i++) x = anni_model_block(nn, config->model[i], x);
    return anni_method_code(nn, config, x);
}

static ann_node output_of(ann_nn *nn, const anni_phase *phase, ann_node code) {
    const ann_phase_config *config = phase->config;
    for (int i = anni_method_feature_blocks(config); i < config->model_count; i++)
        code = anni_model_block(nn, config->model[i], code);
    return code;
}

void anni_model_sight(ann_graph *g, const anni_phase *phase, int64_t batch) {
    ann_nn nn = layers_of(g, phase);
    const ann_node code = code_of(&nn, phase, anni_model_input(g, phase, "x", batch));
    ann_output(g, "features", ann_flatten(g, code));
    if (anni_model_has_labels(phase->config))
        ann_output(g, "logits", ann_flatten(g, output_of(&nn, phase, code)));
}

/* bce takes logits. */
static ann_node picture_of(ann_nn *nn, const anni_phase *phase, ann_node code) {
    ann_node out = output_of(nn, phase, code);
    if (phase->config->loss == ANN_LOSS_BCE) out = ann_sigmoid(nn->graph, out);
    return anni_model_as_data(nn->graph, phase, out);
}

void anni_model_reconstruct(ann_graph *g, const anni_phase *phase, int64_t batch) {
    ann_nn nn = layers_of(g, phase);
    const ann_node x = anni_model_input(g, phase, "x", batch), was = anni_model_as_data(g, phase, x);
    const ann_node picture = picture_of(&nn, phase, code_of(&nn, phase, x));
    ann_output(g, "picture", picture);
    if (!ann_node_is(picture) || !ann_node_is(was)) return;
    const double elems = (double)ann_node_shape(g, was)->dim[1];
    const ann_node sum = ann_reduce_sum(g, ann_squared_error(g, picture, was), 2);
    ann_output(g, "error", ann_reshape(g, ann_mul_const(g, sum, 1 / elems), ANN_SHAPE(batch)));
}

void anni_model_decode(ann_graph *g, const anni_phase *phase, int64_t batch, int64_t width) {
    ann_nn nn = layers_of(g, phase);
    const ann_node code = ann_input(g, "code", ANN_F32, ANN_SHAPE(batch, width));
    ann_output(g, "picture", picture_of(&nn, phase, code));
}
