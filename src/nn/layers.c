/* Layers with weights: dense and convolution; their initialisers. */
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>

ann_node anni_nn_tensor(const ann_nn *nn, const char *layer, const char *part, ann_shape shape, ann_role role,
                        ann_init init) {
    char name[256];
    ann_tensor tensor;
    const int used = snprintf(name, sizeof name, "%s%s%s/%s", nn->shadow ? nn->shadow : "",
                              nn->shadow ? "/" : "", layer, part);
    if (nn->shadow) role = ANN_ROLE_STATE;
    if (used < 0 || used >= (int)sizeof name)
        return ann_graph_fail(nn->graph, ANN_ERR_ARG, "layer name %.64s... is too long", layer);
    const ann_status status =
        ann_store_declare(&tensor, ann_graph_store(nn->graph), name, nn->dtype, &shape, role, init);
    if (status != ANN_OK) return ann_graph_fail(nn->graph, status, "%s", ann_error_text());
    const ann_node loaded = ann_load(nn->graph, tensor);
    return nn->frozen && role == ANN_ROLE_PARAM ? ann_stop_grad(nn->graph, loaded) : loaded;
}

static ann_init weight_init(const ann_nn *nn, int64_t fan_in, int64_t fan_out) {
    const double in = (double)fan_in, both = (double)(fan_in + fan_out);
    const double square = nn->init == ANN_NN_HE ? 6 / in : nn->init == ANN_NN_XAVIER ? 6 / both : 1 / in;
    return (ann_init){ANN_INIT_UNIFORM, sqrt(square)};
}

ann_node ann_nn_dense(ann_nn *nn, const char *name, ann_node x, int64_t units) {
    ann_graph *g = nn->graph;
    if (!ann_node_is(x)) return x;
    const ann_shape *in = ann_node_shape(g, x);
    if (in->rank != 2) return ann_graph_fail(g, ANN_ERR_SHAPE, "dense %s: the input must be [B, I]", name);
    const int64_t inputs = in->dim[1];
    ann_scope_push(g, name);
    const ann_node w = anni_nn_tensor(nn, name, "weight", ANN_SHAPE(inputs, units), ANN_ROLE_PARAM,
                                      weight_init(nn, inputs, units));
    const ann_node y = ann_matmul(g, x, w, false, false);
    const ann_node b =
        anni_nn_tensor(nn, name, "bias", ANN_SHAPE(units), ANN_ROLE_PARAM, (ann_init){ANN_INIT_ZERO, 0});
    const ann_node out = ann_add(g, y, b);
    ann_scope_pop(g);
    return out;
}

/* Of a convolution: are its channels divisible by its groups? If not, the graph fails. */
static bool check_groups(const ann_nn *nn, const char *what, const char *name, ann_node x, int64_t channels,
                         int64_t groups) {
    const ann_shape *in = ann_node_shape(nn->graph, x);
    if (in->rank == 4 && in->dim[3] % groups == 0 && channels % groups == 0) return true;
    ann_graph_fail(
        nn->graph, ANN_ERR_SHAPE,
        "%s %s: the input must be [N,H,W,C], and C and the %lld channels must be divisible by %lld groups",
        what, name, (long long)channels, (long long)groups);
    return false;
}

static ann_node add_bias(ann_nn *nn, const char *name, ann_node y, int64_t channels) {
    const ann_init zero = {ANN_INIT_ZERO, 0};
    return ann_add(nn->graph, y, anni_nn_tensor(nn, name, "bias", ANN_SHAPE(channels), ANN_ROLE_PARAM, zero));
}

ann_node ann_nn_conv2d(ann_nn *nn, const char *name, ann_node x, int64_t channels, ann_window window,
                       bool bias) {
    ann_graph *g = nn->graph;
    if (!ann_node_is(x)) return x;
    const ann_shape *in = ann_node_shape(g, x);
    const int64_t groups = window.groups ? window.groups : 1;
    if (!check_groups(nn, "conv2d", name, x, channels, groups)) return ANN_NODE_NONE;
    const int64_t kernel = (int64_t)window.kernel_h * window.kernel_w, depth = in->dim[3] / groups;
    const ann_shape shape = ANN_SHAPE(channels, window.kernel_h, window.kernel_w, depth);
    ann_scope_push(g, name);
    const ann_node w = anni_nn_tensor(nn, name, "weight", shape, ANN_ROLE_PARAM,
                                      weight_init(nn, kernel * depth, kernel * channels / groups));
    ann_node y = ann_conv2d(g, x, w, window);
    if (bias) y = add_bias(nn, name, y, channels);
    ann_scope_pop(g);
    return y;
}

/* Of an input of so many. */
static int32_t transposed_extent(int64_t in, int32_t stride, int32_t pads, int32_t dilation, int32_t kernel,
                                 int64_t more) {
    return (int32_t)((in - 1) * stride - pads + (int64_t)dilation * (kernel - 1) + 1 + more);
}

ann_node ann_nn_conv_transpose2d(ann_nn *nn, const char *name, ann_node x, int64_t channels,
                                 ann_window window, const int64_t more[2], bool bias) {
    ann_graph *g = nn->graph;
    if (!ann_node_is(x)) return x;
    const ann_shape *in = ann_node_shape(g, x);
    const int64_t groups = window.groups ? window.groups : 1;
    if (!check_groups(nn, "conv_transpose2d", name, x, channels, groups)) return ANN_NODE_NONE;
    window.in_h = transposed_extent(in->dim[1], window.stride_h, window.pad_top + window.pad_bottom,
                                    window.dilation_h, window.kernel_h, more[0]);
    window.in_w = transposed_extent(in->dim[2], window.stride_w, window.pad_left + window.pad_right,
                                    window.dilation_w, window.kernel_w, more[1]);
    /* an output gets a kernel's elements over the stride's */
    const int64_t kernel = (int64_t)window.kernel_h * window.kernel_w,
                  step = (int64_t)window.stride_h * window.stride_w;
    const int64_t taps = kernel > step ? kernel / step : 1;
    const ann_shape shape = ANN_SHAPE(in->dim[3], window.kernel_h, window.kernel_w, channels / groups);
    const int64_t inputs = in->dim[3];
    ann_scope_push(g, name);
    const ann_node w = anni_nn_tensor(nn, name, "weight", shape, ANN_ROLE_PARAM,
                                      weight_init(nn, taps * inputs / groups, kernel * channels / groups));
    ann_node y = ann_conv2d_dx(g, x, w, window);
    if (bias) y = add_bias(nn, name, y, channels);
    ann_scope_pop(g);
    return y;
}
