/* Masked autoencoder, for dense and convolutional models: He, Chen, Xie, Li, Dollar, Girshick, "Masked
   autoencoders are scalable vision learners", CVPR 2022.

       mean over the hidden elements of the global batch of  L(x, M(x with hidden elements 0))

   An image is cut into patches, and each is hidden with probability `ratio`, drawn on its own for each patch
   and sample (the paper hides the same number in every image, and leaves hidden patches out of its encoder;
   dense layers and convolutions need them in their place). L is phases[].loss, M the phase's model. x is
   [B, H, W, ...] or [B, W]; M(x) has as many elements. In evaluation the same patches of every sample are
   hidden, and the loss of a sample is the mean over its hidden elements. A batch norm before the code would
   keep the statistics of images with hidden patches, which are not those of whole images. Over ranks: one
   reduction of one element. */
#include "method/method.h"

/* Outside training each sample draws what sample 0 would. */
static ann_node sample_ids(const ann_method *m) {
    return m->nn->training ? m->nn->ids : ann_fill(m->nn->graph, ANN_I64, ANN_SHAPE(m->local), 0);
}

/* [B, rows, columns], 1 for patches that are hidden. */
static ann_node draw(const ann_method *m, int64_t rows, int64_t columns) {
    ann_graph *g = m->nn->graph;
    const ann_dtype dtype = m->nn->dtype;
    const ann_node u = ann_rand(g, ANN_RAND_UNIFORM, dtype, ANN_SHAPE(m->local, rows, columns), sample_ids(m),
                                m->nn->seed, ann_nn_stream("masked/patches"));
    return ann_gt(g, ann_scalar(g, dtype, m->config->ratio), u);
}

/* [B, elements], 1 where x is hidden. Patches on the far edges may be cut off. */
static ann_node hide(const ann_method *m, ann_node x) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(x)) return x;
    const ann_shape *shape = ann_node_shape(g, x);
    const bool image = shape->rank > 2;
    const int64_t b = m->local, h = image ? shape->dim[1] : 1;
    const int64_t w = image ? shape->dim[2] : ann_shape_elems(shape) / b;
    const int64_t depth = ann_shape_elems(shape) / (b * h * w);
    const int64_t ph = m->config->patch[0], pw = m->config->patch[1];
    const int64_t rows = (h - 1) / ph + 1, columns = (w - 1) / pw + 1;
    const ann_node patches = ann_reshape(g, draw(m, rows, columns), ANN_SHAPE(b, rows, 1, columns, 1));
    const ann_node pixels = ann_reshape(g, ann_bcast(g, patches, ANN_SHAPE(b, rows, ph, columns, pw)),
                                        ANN_SHAPE(b, rows * ph, columns * pw, 1));
    const ann_node inside = ann_slice(g, pixels, (int64_t[]){0, 0, 0, 0}, (int64_t[]){b, h, w, 1});
    return ann_flatten(g, ann_bcast(g, inside, ANN_SHAPE(b, h, w, depth)));
}

/* Of each element that is hidden, [B, elements]; *hidden as of hide. */
static ann_node losses(const ann_method *m, ann_node *hidden) {
    ann_graph *g = m->nn->graph;
    *hidden = hide(m, m->x);
    const ann_node is_hidden = ann_reshape(g, *hidden, *ann_node_shape(g, m->x));
    const ann_node seen = ann_select(g, is_hidden, ann_scalar(g, m->nn->dtype, 0), m->x);
    return ann_method_compare(m, ann_method_model(m, m->nn, seen), m->clean);
}

static ann_node build(ann_method *m) {
    ann_node hidden;
    const ann_node each = losses(m, &hidden);
    return ann_method_mean(m, each, ann_mul(m->nn->graph, hidden, ann_method_present(m)));
}

static ann_node evaluate(ann_method *m) {
    ann_graph *g = m->nn->graph;
    ann_node hidden;
    const ann_node each = losses(m, &hidden);
    const ann_node sum = ann_reduce_sum(g, ann_mul(g, each, hidden), 2);
    const ann_node count = ann_max(g, ann_reduce_sum(g, hidden, 2), ann_scalar(g, m->nn->dtype, 1));
    return ann_reshape(g, ann_div(g, sum, count), ANN_SHAPE(m->local));
}

const ann_method_info anni_method_masked = {
    .name = "masked", .needs = ANN_METHOD_PRETRAIN, .steps = 1, .build = build, .evaluate = evaluate};
