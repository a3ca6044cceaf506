#include "kernel_cases.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/philox.h"

/* ---- inputs ---- */

static double special(int64_t i) {
    static const double values[CASE_SPECIALS] = {
        0.0,         -0.0,    1.0,      -1.0,    0.5,      (double)INFINITY, -(double)INFINITY,
        (double)NAN, FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN, 0x1p-140,         1e-10,
        -1e-6,       88.0,    -87.0,    -110.0,  100.0,    1000.0,           -1000.0,
        3.25};
    return values[i % CASE_SPECIALS];
}

void kernel_case_fill(void *data, const kernel_case *c, int input) {
    const int64_t n = ann_shape_elems(&c->in_shape[input]);
    for (int64_t i = 0; i < n; i++) {
        const double u = ann_random_uniform(7, (uint32_t)input, 0, (uint64_t)i);
        const double value[] = {
            [CASE_SIGNED] = 4.0 * u - 2.0,
            [CASE_POSITIVE] = 0.01 + 9.99 * u,
            [CASE_WIDE] = 200.0 * u - 100.0,
            [CASE_SMALL_INT] = floor(7.0 * u) - 3.0,
            [CASE_SQUARE] = floor(4.0 * u) * floor(4.0 * u),
            [CASE_POWER] = exp2(floor(3.0 * u)),
            [CASE_BINARY] = (double)(u > 0.5),
            [CASE_SPECIAL_A] = special(i),
            [CASE_SPECIAL_B] = special(i / CASE_SPECIALS),
            [CASE_LABEL] = floor((c->mod + 2) * u) - 1.0,
            [CASE_IDS] = floor(1e9 * u),
            [CASE_INDEX] = floor(c->mod * u),
        };
        ann_elem_set(data, c->in_dtype[input], i, value[c->gen[input]]);
    }
}

static kernel_case begin(ann_op op, ann_dtype real, case_bound bound, double slack) {
    return (kernel_case){.op = op, .out_dtype = real, .bound = bound, .slack = slack};
}

static void add_input(kernel_case *c, case_gen gen, ann_dtype dtype, ann_shape shape) {
    const int i = c->n_in++;
    c->gen[i] = gen;
    c->in_dtype[i] = dtype;
    c->in_shape[i] = shape;
}

/* ---- elementwise ---- */

typedef struct elementwise_op {
    ann_op op;
    int n_in;
    case_gen gen;
    double slack; /* 0: the result is the correctly rounded one */
} elementwise_op;

/* Quotients and roots by an approximation and a Newton step may be off by an ulp (2 u), exponentials and what
   is made of them by four. */
static const elementwise_op elementwise_ops[] = {
    {ANN_OP_NEG, 1, CASE_SIGNED, 0},        {ANN_OP_ABS, 1, CASE_SIGNED, 0},
    {ANN_OP_SIGN, 1, CASE_SIGNED, 0},       {ANN_OP_STEP, 1, CASE_SIGNED, 0},
    {ANN_OP_EXP, 1, CASE_SIGNED, 8},        {ANN_OP_LOG, 1, CASE_POSITIVE, 8},
    {ANN_OP_SQRT, 1, CASE_POSITIVE, 2},     {ANN_OP_RECIP, 1, CASE_SIGNED, 2},
    {ANN_OP_TANH, 1, CASE_SIGNED, 8},       {ANN_OP_SIGMOID, 1, CASE_SIGNED, 8},
    {ANN_OP_SOFTPLUS, 1, CASE_SIGNED, 8},   {ANN_OP_RELU, 1, CASE_SIGNED, 0},
    {ANN_OP_ROUND_BF16, 1, CASE_SIGNED, 0}, {ANN_OP_ROUND_F16, 1, CASE_SIGNED, 0},
    {ANN_OP_ADD, 2, CASE_SIGNED, 0},        {ANN_OP_SUB, 2, CASE_SIGNED, 0},
    {ANN_OP_MUL, 2, CASE_SIGNED, 0},        {ANN_OP_DIV, 2, CASE_POSITIVE, 2},
    {ANN_OP_MAX, 2, CASE_SIGNED, 0},        {ANN_OP_MIN, 2, CASE_SIGNED, 0},
    {ANN_OP_EQ, 2, CASE_SMALL_INT, 0},      {ANN_OP_GT, 2, CASE_SMALL_INT, 0},
    {ANN_OP_SELECT, 3, CASE_BINARY, 0},
};

static void elementwise_case(const elementwise_op *e, ann_dtype real, ann_shape shape, bool specials,
                             case_visit visit) {
    kernel_case c = begin(e->op, real, e->slack > 0 ? BOUND_VALUE : BOUND_EXACT, e->slack);
    snprintf(c.name, sizeof c.name, "op %d%s", (int)e->op, specials ? " of special values" : "");
    for (int i = 0; i < e->n_in; i++)
        add_input(&c,
                  specials ? (i == 0 ? CASE_SPECIAL_A : CASE_SPECIAL_B)
                  : i == 0 ? e->gen
                  : i == 1 ? e->gen
                           : CASE_SIGNED,
                  real, shape);
    c.out_shape = shape;
    c.in_place = true;
    visit(&c);
}

static void elementwise_cases(ann_dtype real, case_visit visit) {
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 65, 511, 513, 4099, 70001};
    for (size_t k = 0; k < sizeof elementwise_ops / sizeof *elementwise_ops; k++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            elementwise_case(&elementwise_ops[k], real, ANN_SHAPE(sizes[s]), false, visit);
        elementwise_case(&elementwise_ops[k], real, ANN_SHAPE(3, 5, 7), false, visit);
        elementwise_case(&elementwise_ops[k], real, ANN_SHAPE(CASE_SPECIALS, CASE_SPECIALS), true, visit);
    }
}

static void cast_cases(ann_dtype real, case_visit visit) {
    for (ann_dtype from = ANN_F32; from < ANN_DTYPE_COUNT; from++)
        for (int64_t n = 0; n < 3; n++) {
            kernel_case c = begin(ANN_OP_CAST, real, BOUND_EXACT, 0);
            snprintf(c.name, sizeof c.name, "cast from %s", ann_dtype_name(from));
            c.mod = 200;
            add_input(&c,
                      from == ANN_U8    ? CASE_INDEX
                      : from == ANN_I32 ? CASE_LABEL
                                        : CASE_IDS,
                      from, ANN_SHAPE(n * n * 333));
            c.out_shape = c.in_shape[0];
            visit(&c);
        }
}

/* ---- contractions ---- */

/* A sum of K terms: K roundings, each of a partial sum below the sum S of absolute values, so errors of
   variance up to u^2 S^2 / 3 that add up like a random walk. Five standard deviations, over all elements of a
   case: 3 sqrt(K) u S; and the rounding of the result. */
static double sum_slack(int64_t terms) { return 1.0 + 3.0 * sqrt((double)terms); }

static void matmul_case(ann_dtype real, int64_t batch, int64_t m, int64_t n, int64_t k, int trans,
                        case_visit visit) {
    const bool ta = trans & 1, tb = (trans >> 1) & 1;
    kernel_case c = begin(ANN_OP_MATMUL, real, BOUND_SUM, sum_slack(k));
    c.attrs.matmul.trans_a = ta;
    c.attrs.matmul.trans_b = tb;
    snprintf(c.name, sizeof c.name, "matmul %lldx %lld,%lld,%lld %s%s", (long long)batch, (long long)m,
             (long long)n, (long long)k, ta ? "t" : "n", tb ? "t" : "n");
    const int64_t ar = ta ? k : m, ac = ta ? m : k, br = tb ? n : k, bc = tb ? k : n;
    add_input(&c, CASE_SIGNED, real, batch > 0 ? ANN_SHAPE(batch, ar, ac) : ANN_SHAPE(ar, ac));
    add_input(&c, CASE_SIGNED, real, batch > 0 ? ANN_SHAPE(batch, br, bc) : ANN_SHAPE(br, bc));
    c.out_shape = batch > 0 ? ANN_SHAPE(batch, m, n) : ANN_SHAPE(m, n);
    visit(&c);
}

static void matmul_cases(ann_dtype real, case_visit visit) {
    static const int64_t sizes[][4] = {
        {0, 1, 1, 1},     {0, 1, 7, 1},    {0, 5, 3, 2},      {0, 7, 1, 9},      {0, 16, 16, 16},
        {0, 17, 33, 65},  {0, 64, 48, 80}, {0, 3, 129, 16},   {0, 130, 67, 257}, {0, 64, 10, 500},
        {0, 31, 784, 20}, {0, 0, 5, 3},    {0, 5, 0, 3},      {0, 5, 3, 0},      {3, 5, 7, 4},
        {2, 17, 19, 33},  {5, 1, 1, 8},    {0, 128, 257, 261}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int trans = 0; trans < 4; trans++)
            matmul_case(real, sizes[s][0], sizes[s][1], sizes[s][2], sizes[s][3], trans, visit);
}

typedef struct image {
    int64_t n, c, o;
    ann_window w;
} image;

/* Windows are written as kernel, stride, dilation, pads, groups, image. */
#define WINDOW(kh, kw, sh, sw, dh, dw, t, b, l, r, g, h, w)                                                  \
    { kh, kw, sh, sw, dh, dw, t, b, l, r, g, h, w }

static const image images[] = {
    {1, 1, 1, WINDOW(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1)},
    {2, 1, 6, WINDOW(5, 5, 1, 1, 1, 1, 2, 2, 2, 2, 1, 28, 28)},
    {2, 6, 16, WINDOW(5, 5, 1, 1, 1, 1, 0, 0, 0, 0, 1, 14, 14)},
    {3, 3, 5, WINDOW(3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 9, 7)},
    {1, 16, 17, WINDOW(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 8, 8)},
    {2, 17, 16, WINDOW(3, 2, 1, 2, 1, 1, 0, 1, 1, 0, 1, 6, 7)},
    {2, 4, 6, WINDOW(3, 3, 1, 1, 2, 3, 2, 2, 3, 3, 1, 9, 10)},
    {2, 8, 12, WINDOW(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4, 7, 7)},
    {2, 9, 9, WINDOW(3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 9, 8, 5)},
    {2, 32, 8, WINDOW(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 5, 6)},
    {2, 12, 24, WINDOW(1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1, 7, 7)},
    {1, 6, 4, WINDOW(2, 3, 3, 2, 2, 1, 1, 0, 2, 1, 2, 8, 9)},
    {64, 1, 3, WINDOW(3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 5, 5)},
    {1, 2, 2, WINDOW(4, 4, 1, 1, 1, 1, 0, 0, 0, 0, 1, 4, 4)},
    {0, 3, 4, WINDOW(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 6, 6)},
    {2, 3, 4, WINDOW(2, 2, 3, 3, 1, 1, 0, 0, 0, 0, 1, 7, 8)},
};

static ann_shape image_out(const image *i, int64_t channels) {
    const ann_window *w = &i->w;
    return ANN_SHAPE(
        i->n,
        (w->in_h + w->pad_top + w->pad_bottom - w->dilation_h * (w->kernel_h - 1) - 1) / w->stride_h + 1,
        (w->in_w + w->pad_left + w->pad_right - w->dilation_w * (w->kernel_w - 1) - 1) / w->stride_w + 1,
        channels);
}

static void name_window(kernel_case *c, const char *op, const image *i) {
    const ann_window *w = &i->w;
    snprintf(c->name, sizeof c->name,
             "%s [%lld,%lld,%lld,%lld] %dx%d stride %d,%d dilation %d,%d pad %d,%d,%d,%d groups %lld", op,
             (long long)i->n, (long long)w->in_h, (long long)w->in_w, (long long)i->c, w->kernel_h,
             w->kernel_w, w->stride_h, w->stride_w, w->dilation_h, w->dilation_w, w->pad_top, w->pad_bottom,
             w->pad_left, w->pad_right, (long long)w->groups);
    c->attrs.window = *w;
}

static void conv_cases(ann_dtype real, case_visit visit) {
    for (size_t k = 0; k < sizeof images / sizeof *images; k++) {
        const image *i = &images[k];
        const ann_shape x = ANN_SHAPE(i->n, i->w.in_h, i->w.in_w, i->c), y = image_out(i, i->o);
        const ann_shape w = ANN_SHAPE(i->o, i->w.kernel_h, i->w.kernel_w, i->c / i->w.groups);
        const int64_t window = i->w.kernel_h * i->w.kernel_w;
        const struct {
            ann_op op;
            const char *name;
            ann_shape a, b, out;
            int64_t terms;
        } sides[] = {{ANN_OP_CONV, "conv", x, w, y, window * w.dim[3]},
                     {ANN_OP_CONV_DX, "conv_dx", y, w, x, window * i->o / i->w.groups},
                     {ANN_OP_CONV_DW, "conv_dw", x, y, w, y.dim[0] * y.dim[1] * y.dim[2]}};
        for (int s = 0; s < 3; s++) {
            kernel_case c = begin(sides[s].op, real, BOUND_SUM, sum_slack(sides[s].terms));
            name_window(&c, sides[s].name, i);
            add_input(&c, CASE_SIGNED, real, sides[s].a);
            add_input(&c, CASE_SIGNED, real, sides[s].b);
            c.out_shape = sides[s].out;
            visit(&c);
        }
    }
}

/* ---- pooling ---- */

static const image pools[] = {
    {2, 1, 1, WINDOW(2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 1, 4, 4)},
    {2, 6, 6, WINDOW(2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 1, 28, 28)},
    {2, 16, 16, WINDOW(2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 1, 10, 10)},
    {1, 17, 17, WINDOW(3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 9, 7)},
    {3, 5, 5, WINDOW(3, 2, 1, 1, 1, 1, 1, 0, 0, 1, 1, 6, 5)},
    {2, 33, 33, WINDOW(2, 2, 3, 3, 1, 1, 0, 0, 0, 0, 1, 7, 8)},
    {2, 3, 3, WINDOW(2, 2, 1, 2, 2, 3, 1, 1, 1, 2, 1, 6, 7)},
    {0, 4, 4, WINDOW(2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 1, 4, 4)},
    {2, 5, 5, WINDOW(2, 2, 1, 1, 3, 3, 1, 1, 1, 1, 1, 2, 2)}, /* nothing but padding */
    {1, 8, 8, WINDOW(15, 17, 1, 1, 1, 1, 0, 0, 0, 0, 1, 16, 17)},
};

static void pool_case(ann_dtype real, const image *i, ann_op op, const char *name, bool up, bool indexed,
                      case_gen gen, case_visit visit) {
    const ann_shape x = ANN_SHAPE(i->n, i->w.in_h, i->w.in_w, i->c), y = image_out(i, i->c);
    const bool sum = op == ANN_OP_SUM_POOL || op == ANN_OP_SUM_POOL_DX || op == ANN_OP_WINDOW_SCATTER;
    kernel_case c = begin(op, op == ANN_OP_MAX_POOL_INDEX ? ANN_U8 : real, sum ? BOUND_SUM : BOUND_EXACT,
                          sum ? sum_slack(i->w.kernel_h * i->w.kernel_w) : 0);
    name_window(&c, name, i);
    c.mod = i->w.kernel_h * i->w.kernel_w;
    add_input(&c, gen, real, up ? y : x);
    if (indexed) add_input(&c, CASE_INDEX, ANN_U8, y);
    c.out_shape = up ? x : y;
    visit(&c);
}

static void pool_cases(ann_dtype real, case_visit visit) {
    for (size_t k = 0; k < sizeof pools / sizeof *pools; k++) {
        const image *i = &pools[k];
        pool_case(real, i, ANN_OP_SUM_POOL, "sum_pool", false, false, CASE_SIGNED, visit);
        pool_case(real, i, ANN_OP_SUM_POOL_DX, "sum_pool_dx", true, false, CASE_SIGNED, visit);
        pool_case(real, i, ANN_OP_MAX_POOL, "max_pool", false, false, CASE_SIGNED, visit);
        pool_case(real, i, ANN_OP_MAX_POOL, "max_pool of special values", false, false, CASE_SPECIAL_A,
                  visit);
        pool_case(real, i, ANN_OP_MAX_POOL_INDEX, "max_pool_index", false, false, CASE_SIGNED, visit);
        pool_case(real, i, ANN_OP_MAX_POOL_INDEX, "max_pool_index of ties", false, false, CASE_SMALL_INT,
                  visit);
        pool_case(real, i, ANN_OP_MAX_POOL_INDEX, "max_pool_index of special values", false, false,
                  CASE_SPECIAL_A, visit);
        pool_case(real, i, ANN_OP_WINDOW_GATHER, "window_gather", false, true, CASE_SIGNED, visit);
        pool_case(real, i, ANN_OP_WINDOW_SCATTER, "window_scatter", true, true, CASE_SIGNED, visit);
    }
}

/* ---- moves, reductions, rows ---- */

static void reduce_cases(ann_dtype real, case_visit visit) {
    static const ann_shape shapes[] = {{3, {5, 7, 9}},    {3, {1, 1, 1}},    {3, {64, 3, 17}},
                                       {3, {2, 300, 33}}, {3, {300, 2, 1}},  {3, {0, 3, 4}},
                                       {3, {3, 0, 4}},    {3, {2, 3, 4099}}, {3, {200, 150, 16}}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (uint32_t axes = 1; axes < 8; axes++) {
            kernel_case c = begin(ANN_OP_REDUCE_SUM, real, BOUND_SUM, 0);
            snprintf(c.name, sizeof c.name, "reduce over axes 0x%x", axes);
            c.attrs.reduce.axes = axes;
            add_input(&c, CASE_SIGNED, real, shapes[s]);
            c.out_shape = shapes[s];
            int64_t terms = 1;
            for (int i = 0; i < 3; i++)
                if (axes >> i & 1u) {
                    terms *= c.out_shape.dim[i];
                    c.out_shape.dim[i] = 1;
                }
            c.slack = sum_slack(terms);
            visit(&c);
            c.op = ANN_OP_REDUCE_MAX;
            c.bound = BOUND_EXACT;
            visit(&c);
            c.gen[0] = CASE_SPECIAL_A;
            visit(&c);
        }
}

static void row_cases(ann_dtype real, case_visit visit) {
    static const int64_t sizes[][2] = {{1, 1},    {3, 10}, {64, 10}, {5, 17},
                                       {2, 1000}, {0, 10}, {300, 3}, {7, 64}};
    static const case_gen gens[] = {CASE_SIGNED, CASE_WIDE};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int k = 0; k < 2; k++) {
            const int64_t rows = sizes[s][0], width = sizes[s][1];
            kernel_case c = begin(ANN_OP_SOFTMAX, real, BOUND_ROW, 8);
            snprintf(c.name, sizeof c.name, "softmax family [%lld,%lld]", (long long)rows, (long long)width);
            add_input(&c, gens[k], real, ANN_SHAPE(rows, width));
            c.out_shape = c.in_shape[0];
            visit(&c);
            c.op = ANN_OP_LOG_SOFTMAX;
            visit(&c);
            c.op = ANN_OP_CROSS_ENTROPY;
            c.mod = (int)width;
            add_input(&c, CASE_LABEL, ANN_I32, ANN_SHAPE(rows));
            c.out_shape = ANN_SHAPE(rows);
            visit(&c);
            c = begin(ANN_OP_ARGMAX, ANN_I32, BOUND_EXACT, 0);
            snprintf(c.name, sizeof c.name, "argmax [%lld,%lld]", (long long)rows, (long long)width);
            add_input(&c, k == 0 ? CASE_SMALL_INT : CASE_SPECIAL_A, real, ANN_SHAPE(rows, width));
            c.out_shape = ANN_SHAPE(rows);
            visit(&c);
            c = begin(ANN_OP_ONE_HOT, real, BOUND_EXACT, 0);
            snprintf(c.name, sizeof c.name, "one_hot [%lld,%lld]", (long long)rows, (long long)width);
            c.mod = (int)width;
            add_input(&c, CASE_LABEL, ANN_I32, ANN_SHAPE(rows));
            c.out_shape = ANN_SHAPE(rows, width);
            visit(&c);
        }
}

/* A draw of 24 bits is exact; the normal numbers of f32 may be computed in f32: log, sqrt and cos of
   arguments that are themselves rounded, relative to values of up to 6. */
static void random_cases(ann_dtype real, case_visit visit) {
    static const ann_shape shapes[] = {{1, {5}},       {2, {3, 1}}, {2, {64, 10}},
                                       {3, {2, 3, 7}}, {2, {0, 4}}, {2, {2, 4099}}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        kernel_case c = begin(ANN_OP_RAND, real, BOUND_EXACT, 0);
        snprintf(c.name, sizeof c.name, "random, shape %zu", s);
        c.attrs.rand.seed = 0x9e3779b97f4a7c15u;
        c.attrs.rand.stream = 5;
        add_input(&c, CASE_IDS, ANN_I64, ANN_SHAPE(shapes[s].dim[0]));
        c.out_shape = shapes[s];
        visit(&c);
        c.attrs.rand.kind = ANN_RAND_NORMAL;
        c.bound = BOUND_ROW;
        c.slack = 64.0 / (1.0 + 2e9); /* the ids are its only input */
        visit(&c);
        c = begin(ANN_OP_DROPOUT, real, BOUND_VALUE, 4);
        snprintf(c.name, sizeof c.name, "dropout, shape %zu", s);
        c.attrs.rand.seed = 3;
        c.attrs.rand.p = 0.3;
        c.in_place = true;
        add_input(&c, CASE_SIGNED, real, shapes[s]);
        add_input(&c, CASE_IDS, ANN_I64, ANN_SHAPE(shapes[s].dim[0]));
        c.out_shape = shapes[s];
        visit(&c);
    }
}

static void bias_act_cases(ann_dtype real, case_visit visit) {
    static const ann_shape shapes[] = {{2, {1, 1}}, {2, {64, 500}}, {4, {2, 5, 5, 6}}, {2, {3, 17}},
                                       {2, {0, 8}}, {2, {5, 4099}}, {1, {9}}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (ann_act act = ANN_ACT_NONE; act <= ANN_ACT_TANH; act++) {
            /* A rounding of the sum, of at most 4, moves tanh by as much: against values that may be near 0.
             */
            const bool exact = act == ANN_ACT_NONE || act == ANN_ACT_RELU;
            kernel_case c = begin(ANN_OP_BIAS_ACT, real, exact ? BOUND_EXACT : BOUND_ROW, exact ? 0 : 4);
            snprintf(c.name, sizeof c.name, "bias_act %d, shape %zu", (int)act, s);
            c.attrs.bias_act.act = act;
            c.in_place = true;
            add_input(&c, CASE_SIGNED, real, shapes[s]);
            add_input(&c, CASE_SIGNED, real, ANN_SHAPE(shapes[s].dim[shapes[s].rank - 1]));
            c.out_shape = shapes[s];
            visit(&c);
        }
}

static void fill_cases(ann_dtype real, case_visit visit) {
    for (int64_t n = 0; n < 200; n += 33) {
        kernel_case c = begin(ANN_OP_FILL, real, BOUND_EXACT, 0);
        snprintf(c.name, sizeof c.name, "fill");
        c.attrs.fill.value = 0.1;
        c.out_shape = ANN_SHAPE(n);
        visit(&c);
    }
}

/* Every order of four axes, and every subset of them that is repeated. */
static void move_cases(ann_dtype real, case_visit visit) {
    static const ann_shape shapes[] = {
        {4, {3, 5, 4, 7}}, {4, {33, 1, 20, 1}}, {4, {2, 0, 3, 4}}, {4, {2, 17, 40, 3}}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int code = 0; code < 256; code++) {
            const int32_t perm[4] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6};
            kernel_case c = begin(ANN_OP_PERMUTE, real, BOUND_EXACT, 0);
            snprintf(c.name, sizeof c.name, "permute 0x%x", code);
            add_input(&c, CASE_SIGNED, real, shapes[s]);
            c.out_shape.rank = 4;
            for (int i = 0; i < 4; i++) {
                c.attrs.permute.perm[i] = perm[i];
                c.out_shape.dim[i] = shapes[s].dim[perm[i]];
            }
            if ((1 << perm[0] | 1 << perm[1] | 1 << perm[2] | 1 << perm[3]) == 15) visit(&c);
        }
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int repeated = 0; repeated < 16; repeated++) {
            kernel_case c = begin(ANN_OP_BCAST, real, BOUND_EXACT, 0);
            ann_shape from = shapes[s];
            snprintf(c.name, sizeof c.name, "bcast 0x%x", repeated);
            for (int i = 0; i < 4; i++)
                if (repeated >> i & 1) from.dim[i] = 1;
            add_input(&c, CASE_SIGNED, real, from);
            c.out_shape = shapes[s];
            visit(&c);
        }
}

/* Among distinct values, many ties (small integers), and zeros, infinities and NaNs. */
static void topk_cases(ann_dtype real, case_visit visit) {
    static const int64_t sizes[] = {0, 1, 2, 17, 64, 1000, 70001};
    static const case_gen gens[] = {CASE_SIGNED, CASE_SMALL_INT, CASE_BINARY, CASE_SPECIAL_A};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t g = 0; g < sizeof gens / sizeof *gens; g++)
            for (int64_t part = 0; part <= 8; part++) {
                kernel_case c = begin(ANN_OP_TOPK, real, BOUND_EXACT, 0);
                const int64_t k = part < 7 ? sizes[s] * part / 100 + part : sizes[s] * (part - 6) / 2;
                if (k > sizes[s]) continue;
                c.attrs.topk.k = k;
                snprintf(c.name, sizeof c.name, "topk %lld of %lld", (long long)k, (long long)sizes[s]);
                add_input(&c, gens[g], real, ANN_SHAPE(sizes[s]));
                c.out_shape = c.in_shape[0];
                visit(&c);
            }
}

void kernel_cases(ann_dtype real, case_visit visit) {
    topk_cases(real, visit);
    move_cases(real, visit);
    fill_cases(real, visit);
    elementwise_cases(real, visit);
    cast_cases(real, visit);
    matmul_cases(real, visit);
    conv_cases(real, visit);
    pool_cases(real, visit);
    reduce_cases(real, visit);
    row_cases(real, visit);
    random_cases(real, visit);
    bias_act_cases(real, visit);
}
