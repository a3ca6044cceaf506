/* From the blocks of the run file to a graph: input, layers, loss, metrics. */
#include "train/internal.h"

#include <stdio.h>
#include <string.h>

/* ---- layers ---- */

static ann_window window_of(const ann_layer_config *layer) {
    return (ann_window){.kernel_h = (int32_t)layer->kernel[0],
                        .kernel_w = (int32_t)layer->kernel[1],
                        .stride_h = (int32_t)layer->stride[0],
                        .stride_w = (int32_t)layer->stride[1],
                        .dilation_h = (int32_t)layer->dilation[0],
                        .dilation_w = (int32_t)layer->dilation[1],
                        .pad_top = (int32_t)layer->padding[0],
                        .pad_bottom = (int32_t)layer->padding[0],
                        .pad_left = (int32_t)layer->padding[1],
                        .pad_right = (int32_t)layer->padding[1],
                        .groups = (int32_t)layer->groups};
}

static ann_node add_noise(ann_nn *nn, const char *name, const ann_layer_config *layer, ann_node x) {
    switch (layer->noise) {
    case ANN_NOISE_MASK: return ann_nn_mask_noise(nn, name, x, layer->amount);
    case ANN_NOISE_GAUSSIAN: return ann_nn_gaussian_noise(nn, name, x, layer->amount);
    default: return ann_nn_salt_pepper(nn, name, x, layer->amount);
    }
}

static ann_node activate(ann_graph *g, const ann_layer_config *layer, ann_node x) {
    switch (layer->activation) {
    case ANN_ACTIVATION_RELU: return ann_relu(g, x);
    case ANN_ACTIVATION_LEAKY_RELU: return ann_leaky_relu(g, x, layer->slope);
    case ANN_ACTIVATION_ELU: return ann_elu(g, x, layer->alpha);
    case ANN_ACTIVATION_SIGMOID: return ann_sigmoid(g, x);
    case ANN_ACTIVATION_TANH: return ann_tanh(g, x);
    case ANN_ACTIVATION_SOFTMAX: return ann_softmax(g, x);
    case ANN_ACTIVATION_SOFTPLUS: return ann_softplus(g, x);
    default: return x;
    }
}

/* [B, ...] -> [B, h, w, channels]. */
static ann_node unflatten(ann_graph *g, const ann_layer_config *layer, ann_node x) {
    if (!ann_node_is(x)) return x;
    const ann_shape *shape = ann_node_shape(g, x);
    const int64_t batch = shape->dim[0], pixels = layer->size[0] * layer->size[1],
                  elems = ann_shape_elems(shape) / batch;
    if (elems % pixels != 0)
        return ann_graph_fail(g, ANN_ERR_SHAPE,
                              "unflatten: %lld elements of a sample are no image of %lld x %lld",
                              (long long)elems, (long long)layer->size[0], (long long)layer->size[1]);
    return ann_reshape(g, x, ANN_SHAPE(batch, layer->size[0], layer->size[1], elems / pixels));
}

static ann_node upsample(ann_graph *g, const ann_layer_config *layer, ann_node x) {
    if (!ann_node_is(x)) return x;
    const ann_shape s = *ann_node_shape(g, x);
    if (s.rank != 4) return ann_graph_fail(g, ANN_ERR_SHAPE, "upsample: the input must be [N,H,W,C]");
    const int64_t h = layer->size[0], w = layer->size[1];
    const ann_node rows = ann_reshape(g, x, ANN_SHAPE(s.dim[0] * s.dim[1], 1, s.dim[2], 1, s.dim[3]));
    const ann_node each = ann_bcast(g, rows, ANN_SHAPE(s.dim[0] * s.dim[1], h, s.dim[2], w, s.dim[3]));
    return ann_reshape(g, each, ANN_SHAPE(s.dim[0], s.dim[1] * h, s.dim[2] * w, s.dim[3]));
}

static ann_node apply_layer(ann_nn *nn, const char *name, const ann_layer_config *layer, ann_node x) {
    ann_graph *g = nn->graph;
    switch (layer->kind) {
    case ANN_LAYER_DENSE: return activate(g, layer, ann_nn_dense(nn, name, x, layer->units));
    case ANN_LAYER_CONV2D:
        return activate(g, layer, ann_nn_conv2d(nn, name, x, layer->channels, window_of(layer), layer->bias));
    case ANN_LAYER_CONV_TRANSPOSE2D:
        return activate(g, layer,
                        ann_nn_conv_transpose2d(nn, name, x, layer->channels, window_of(layer),
                                                layer->output_padding, layer->bias));
    case ANN_LAYER_MAX_POOL: return ann_max_pool2d(g, x, window_of(layer));
    case ANN_LAYER_AVG_POOL: return ann_avg_pool2d(g, x, window_of(layer));
    case ANN_LAYER_GLOBAL_AVG_POOL: return ann_global_avg_pool(g, x);
    case ANN_LAYER_FLATTEN: return ann_flatten(g, x);
    case ANN_LAYER_UNFLATTEN: return unflatten(g, layer, x);
    case ANN_LAYER_UPSAMPLE: return upsample(g, layer, x);
    case ANN_LAYER_BATCH_NORM: return ann_nn_batch_norm(nn, name, x, layer->momentum, layer->eps);
    case ANN_LAYER_LAYER_NORM: return ann_nn_layer_norm(nn, name, x, layer->eps);
    case ANN_LAYER_DROPOUT: return ann_nn_dropout(nn, name, x, layer->p);
    case ANN_LAYER_NOISE: return add_noise(nn, name, layer, x);
    case ANN_LAYER_ACTIVATION: return activate(g, layer, x);
    default: return ann_graph_fail(g, ANN_ERR_INTERNAL, "layer kind %d", (int)layer->kind);
    }
}

ann_node anni_model_block(ann_nn *nn, const ann_block_config *block, ann_node x) {
    for (int i = 0; i < block->layer_count; i++) {
        const ann_layer_config *layer = &block->layers[i];
        char name[256];
        snprintf(name, sizeof name, "%s/%s", block->name, layer->name);
        x = apply_layer(nn, name, layer, x);
    }
    return x;
}

/* ---- input, loss, metrics ---- */

/* The input `name` of a field, as f32; u8 as 0 to 1. */
static ann_node field_input(ann_graph *g, const ann_field_info *field, const char *name, int64_t batch) {
    ann_shape shape = {.rank = field->shape.rank + 1, .dim = {batch}};
    for (int i = 0; i < field->shape.rank; i++) shape.dim[i + 1] = field->shape.dim[i];
    const ann_node x = ann_cast(g, ann_input(g, name, field->dtype, shape), ANN_F32);
    return field->dtype == ANN_U8 ? ann_mul_const(g, x, 1.0 / 255.0) : x;
}

static const ann_field_info *x_of(const anni_phase *phase) {
    return ann_dataset_field(phase->train, ann_dataset_find(phase->train, "x"));
}

/* x is standardized by channel: (x + x_shift) * x_scale. Each is one input, however often it is used. */
static ann_node moment_of(ann_graph *g, const ann_field_info *x, const char *name) {
    for (int32_t id = 0; id < ann_graph_count(g); id++) {
        const ann_node node = {id};
        if (ann_node_op(g, node) == ANN_OP_INPUT && strcmp(ann_node_attrs(g, node)->input.name, name) == 0)
            return node;
    }
    return ann_input(g, name, ANN_F32, ANN_SHAPE(x->channels));
}

ann_node anni_model_input(ann_graph *g, const anni_phase *phase, const char *view, int64_t batch) {
    const ann_field_info *field = x_of(phase);
    const ann_node x = field_input(g, field, view, batch);
    if (phase->config->input != ANN_INPUT_STANDARDIZE) return x;
    if (field->channels == 1)
        return ann_mul_const(g, ann_add_const(g, x, -field->mean[0]), 1.0 / field->std[0]);
    return ann_mul(g, ann_add(g, x, moment_of(g, field, "x_shift")), moment_of(g, field, "x_scale"));
}

ann_node anni_model_as_data(ann_graph *g, const anni_phase *phase, ann_node x) {
    const ann_field_info *field = x_of(phase);
    if (!ann_node_is(x)) return x;
    x = ann_flatten(g, x);
    if (phase->config->input != ANN_INPUT_STANDARDIZE) return x;
    if (field->channels == 1) return ann_add_const(g, ann_mul_const(g, x, field->std[0]), field->mean[0]);
    const ann_shape flat = *ann_node_shape(g, x);
    x = ann_reshape(g, x, ANN_SHAPE(flat.dim[0] * flat.dim[1] / field->channels, field->channels));
    x = ann_sub(g, ann_div(g, x, moment_of(g, field, "x_scale")), moment_of(g, field, "x_shift"));
    return ann_reshape(g, x, flat);
}

/* phases[].noise; the first name is that of the mask alone, which there was first. */
static ann_node disturb(ann_nn *nn, const ann_phase_config *config, const char *name, ann_node x) {
    char gaussian[32], salt_pepper[32];
    snprintf(gaussian, sizeof gaussian, "%s/gaussian", name);
    snprintf(salt_pepper, sizeof salt_pepper, "%s/salt_pepper", name);
    x = ann_nn_gaussian_noise(nn, gaussian, x, config->gaussian_noise);
    x = ann_nn_mask_noise(nn, name, x, config->mask_noise);
    return ann_nn_salt_pepper(nn, salt_pepper, x, config->salt_pepper);
}

/* Per sample, [B]: the mean over a sample's elements. */
static ann_node target_loss(ann_graph *g, const anni_phase *phase, ann_node out, ann_node target) {
    const ann_shape *want = ann_node_shape(g, target), *have = ann_node_shape(g, out);
    if (!ann_node_is(out) || !ann_node_is(target)) return ANN_NODE_NONE;
    const int64_t batch = want->dim[0], elems = ann_shape_elems(want) / batch;
    if (ann_shape_elems(have) != batch * elems) {
        char text[128];
        return ann_graph_fail(
            g, ANN_ERR_SHAPE, "the model ends in %s; to %s it must have %lld elements per sample",
            ann_shape_str(text, sizeof text, have),
            phase->config->target == ANN_TARGET_Y ? "give y" : "reconstruct the input", (long long)elems);
    }
    const ann_shape flat = ANN_SHAPE(batch, elems);
    out = ann_reshape(g, out, flat);
    target = ann_reshape(g, target, flat);
    const ann_node each = phase->config->loss == ANN_LOSS_BCE ? ann_bce_logits(g, out, target)
                                                              : ann_squared_error(g, out, target);
    return ann_reshape(g, ann_mul_const(g, ann_reduce_sum(g, each, 2), 1.0 / (double)elems),
                       ANN_SHAPE(batch));
}

static ann_node hits_of(ann_graph *g, ann_node logits, ann_node labels) {
    return ann_cast(g, ann_eq(g, ann_argmax(g, logits), labels), ANN_F32);
}

/* a where share is 1, b where it is 0. */
static ann_node weighted(ann_graph *g, ann_node share, ann_node a, ann_node b) {
    return ann_add(g, b, ann_mul(g, share, ann_sub(g, a, b)));
}

/* mixed: the samples are mixed with others, whose labels are the input "y2"; "mix" is their own share. */
static ann_node class_loss(ann_graph *g, const anni_phase *phase, ann_node logits, bool mixed) {
    if (!ann_node_is(logits)) return ANN_NODE_NONE;
    const ann_shape *have = ann_node_shape(g, logits);
    const int classes = ann_dataset_classes(phase->train);
    if (have->rank != 2 || have->dim[1] != classes) {
        char text[128];
        return ann_graph_fail(g, ANN_ERR_SHAPE,
                              "the model ends in %s; cross_entropy over this dataset needs [batch, %d]",
                              ann_shape_str(text, sizeof text, have), classes);
    }
    const ann_shape batch = ANN_SHAPE(have->dim[0]);
    const ann_node labels = ann_input(g, "y", ANN_I32, batch);
    ann_node hits = hits_of(g, logits, labels), loss = ann_cross_entropy(g, logits, labels);
    if (mixed) {
        const ann_node others = ann_input(g, "y2", ANN_I32, batch),
                       share = ann_input(g, "mix", ANN_F32, batch);
        hits = weighted(g, share, hits, hits_of(g, logits, others));
        loss = weighted(g, share, loss, ann_cross_entropy(g, logits, others));
    }
    ann_output(g, "correct", ann_sum_all(g, hits));
    return loss;
}

bool anni_model_has_labels(const ann_phase_config *config) { return config->loss == ANN_LOSS_CROSS_ENTROPY; }
bool anni_model_uses_y(const ann_phase_config *config) {
    return anni_model_has_labels(config) || config->target == ANN_TARGET_Y;
}

/* Batch statistics are over all ranks' micro-batches of one number, or where ranks must not wait for each
   other over this one alone. */
static void set_statistics(ann_nn *nn, const anni_phase *phase, anni_extent extent, ann_node sample_weight,
                           const anni_moving *moving) {
    nn->moving = moving->items;
    nn->moving_room = moving->room;
    if (moving->items || phase->config->sync.every > 0) return;
    nn->batch_total = (double)extent.global / extent.count;
    nn->batch_scale =
        extent.count > 1 ? ann_mul_const(nn->graph, sample_weight, extent.count) : sample_weight;
}

static ann_node target_of(ann_graph *g, const anni_phase *phase, ann_node clean) {
    if (phase->config->target != ANN_TARGET_Y) return clean;
    const ann_field_info *y = ann_dataset_field(phase->train, ann_dataset_find(phase->train, "y"));
    return field_input(g, y, "y", ann_node_shape(g, clean)->dim[0]);
}

/* The loss of each sample's output, [B]. */
static ann_node plain_loss(ann_nn *nn, const anni_phase *phase, ann_node x, ann_node clean) {
    ann_graph *g = nn->graph;
    const ann_phase_config *config = phase->config;
    for (int i = 0; i < config->model_count; i++) x = anni_model_block(nn, config->model[i], x);
    if (anni_model_has_labels(config)) return class_loss(g, phase, x, nn->training && anni_has_mixup(config));
    return target_loss(g, phase, x, target_of(g, phase, clean));
}

/* What the phase's method gets of a batch. */
static ann_method method_of(ann_nn *nn, const anni_phase *phase, ann_node x, ann_node clean,
                            anni_extent extent) {
    ann_graph *g = nn->graph;
    const ann_shape batch = ANN_SHAPE(extent.local);
    const bool labelled = anni_model_has_labels(phase->config);
    return (ann_method){.nn = nn,
                        .first = extent.first,
                        .local = extent.local,
                        .global = extent.global,
                        .whole = phase->config->batch,
                        .x = x,
                        .x2 = ANN_NODE_NONE,
                        .clean = clean,
                        .labels = labelled ? ann_input(g, "y", ANN_I32, batch) : ANN_NODE_NONE,
                        .domain = ANN_NODE_NONE,
                        .domains = phase->config->data->source_count,
                        .table = ANN_NODE_NONE,
                        .step = extent.step,
                        .stage = extent.stage,
                        .stages = phase->config->stage_count,
                        .logits = ANN_NODE_NONE};
}

/* What the accuracy of labelled samples is made of. */
static void output_hits(ann_graph *g, const ann_method *m) {
    if (!ann_node_is(m->logits)) return;
    const ann_node labelled = ann_method_is_labelled(m);
    ann_output(g, "correct", ann_sum_all(g, ann_mul(g, labelled, hits_of(g, m->logits, m->labels))));
    ann_output(g, "labelled", ann_sum_all(g, labelled));
}

/* A training step of the phase's method. Returns its share of the loss. */
static ann_node method_loss(ann_nn *nn, const anni_phase *phase, ann_node x, ann_node clean,
                            ann_node sample_weight, anni_extent extent) {
    ann_graph *g = nn->graph;
    ann_method m = method_of(nn, phase, x, clean, extent);
    m.scale = ann_cast(g, sample_weight, nn->dtype);
    m.progress = ann_cast(g, ann_input(g, "progress", ANN_F64, ANN_SCALAR), nn->dtype);
    m.cosine = ann_cast(g, ann_input(g, "cosine", ANN_F64, ANN_SCALAR), nn->dtype);
    if (m.domains > 1) m.domain = ann_input(g, "domain", ANN_I32, ANN_SHAPE(extent.local));
    nn->domain = m.domain;
    if (anni_method_table(phase->config)) m.table = ann_input(g, "table", ANN_F32, ANN_SHAPE(extent.local));
    if (anni_method_has_two_views(phase->config))
        m.x2 = disturb(nn, phase->config, "noise2", anni_model_input(g, phase, "x2", extent.local));
    const ann_node share = anni_method_build(&m, phase);
    output_hits(g, &m);
    ann_output(g, "loss_sum", ann_mul_const(g, share, (double)extent.global));
    return share;
}

/* Of each sample, [B], outside training. */
static ann_node method_test_loss(ann_nn *nn, const anni_phase *phase, ann_node clean, anni_extent extent) {
    ann_method m = method_of(nn, phase, clean, clean, extent);
    m.scale = ann_scalar(nn->graph, nn->dtype, 1.0 / (double)extent.local);
    m.progress = ann_scalar(nn->graph, nn->dtype, 1);
    m.cosine = ann_scalar(nn->graph, nn->dtype, -1);
    const ann_node each = anni_method_evaluate(&m, phase);
    output_hits(nn->graph, &m);
    return each;
}

ann_node anni_model_build(ann_graph *g, const anni_phase *phase, const char *trained, bool training,
                          anni_extent extent, anni_moving *moving) {
    const ann_phase_config *config = phase->config;
    ann_nn nn = {.graph = g,
                 .training = training,
                 .dtype = ANN_F32,
                 .init = config->init,
                 .ids = ANN_NODE_NONE,
                 .seed = phase->seed,
                 .trained = trained,
                 .domain_count = anni_method_domains(config),
                 .eval_domain = config->data->source_count - 1,
                 .domain = ANN_NODE_NONE,
                 .batch_scale = ANN_NODE_NONE};
    ann_node sample_weight = ANN_NODE_NONE;
    if (training) {
        nn.ids = ann_input(g, "ids", ANN_I64, ANN_SHAPE(extent.local));
        sample_weight = ann_input(g, "batch_scale", ANN_F64, ANN_SCALAR);
        set_statistics(&nn, phase, extent, sample_weight, moving);
    }
    const ann_node clean = anni_model_input(g, phase, "x", extent.local);
    const ann_node x = disturb(&nn, config, "noise", clean);
    if (training && config->method.kind != ANN_METHOD_NONE)
        return method_loss(&nn, phase, x, clean, sample_weight, extent);
    const ann_node each = anni_method_evaluates(config) ? method_test_loss(&nn, phase, clean, extent)
                                                        : plain_loss(&nn, phase, x, clean);
    const ann_node sum = ann_sum_all(g, each);
    ann_output(g, "loss_sum", sum);
    if (training) moving->count = nn.moving_count;
    return training ? ann_mul(g, sum, ann_cast(g, sample_weight, ANN_F32)) : sum;
}
