#include "op_examples.h"

#include <math.h>

#include "support/check.h"

static const op_example *const lists[EXAMPLE_LISTS] = {
#define ANN_OP(NAME, name) [ANN_OP_##NAME] = example_of_##name,
#include "graph/ops.def"
#undef ANN_OP
    [ANN_OP_COUNT] = example_of_compositions,
};

static const char *const list_names[EXAMPLE_LISTS] = {
#define ANN_OP(NAME, name) [ANN_OP_##NAME] = #name,
#include "graph/ops.def"
#undef ANN_OP
    [ANN_OP_COUNT] = "compositions",
};

const op_example *example_list(int list) { return lists[list]; }
const char *example_list_name(int list) { return list_names[list]; }

int example_run_lists(const char *group, void (*test)(void **state)) {
    static int numbers[EXAMPLE_LISTS];
    struct CMUnitTest tests[EXAMPLE_LISTS];
    for (int i = 0; i < EXAMPLE_LISTS; i++) {
        numbers[i] = i;
        tests[i] = (struct CMUnitTest){list_names[i], test, NULL, NULL, &numbers[i]};
    }
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}

bool example_differentiable(const op_example *example, int i) { return example->in[i].gen < GEN_BINARY; }

static ann_dtype input_dtype(const example_input *in, ann_dtype real) {
    switch (in->gen) {
    case GEN_INT:
    case GEN_LABEL: return ANN_I32;
    case GEN_IDS: return ANN_I64;
    case GEN_INDEX: return ANN_U8;
    default: return real;
    }
}

ann_node example_build(ann_graph *g, const op_example *ex, ann_dtype real, ann_node in[EXAMPLE_MAX_IN]) {
    static const char *const names[EXAMPLE_MAX_IN] = {"x0", "x1", "x2", "x3"};
    for (int i = 0; i < ex->n_in; i++)
        in[i] = ann_input(g, names[i], input_dtype(&ex->in[i], real), ex->in[i].shape);
    if (ex->unary) return ex->unary(g, in[0]);
    if (ex->binary) return ex->binary(g, in[0], in[1]);
    return ex->build(g, in);
}

/* Weyl's sequence of the golden ratio, in steps of 1/256. gen_ops.py does the same arithmetic. */
static double weyl(int64_t i, int salt) {
    const double x = (double)(i + 1) * 0.6180339887498949 + (double)salt * 0.3183098861837907;
    return floor((x - floor(x)) * 256.0) / 256.0;
}

static double element(const example_input *in, int64_t i, int salt) {
    const double u = weyl(i, salt), s = 2.0 * u - 1.0 + 1.0 / 512.0;
    switch (in->gen) {
    case GEN_SIGNED: return s;
    case GEN_POSITIVE: return 0.5 + u;
    case GEN_AWAY: return s > 0 ? s + 0.25 : s - 0.25;
    case GEN_DISTINCT: return (double)((i * 37 + salt * 11) % 211) / 64.0 - 1.5 + (double)salt / 128.0;
    case GEN_BINARY: return (double)((i + salt) % 3 == 0);
    case GEN_INT: return (double)((i * 7 + salt) % 5 - 2);
    case GEN_LABEL: return (double)((i * 2 + 1) % in->mod);
    case GEN_IDS: return (double)(i * 1000003 + 7 + salt);
    case GEN_INDEX: return (double)((i * 3 + 1) % in->mod);
    }
    return 0.0;
}

void example_fill(void *data, ann_dtype dtype, const op_example *ex, int i) {
    const int64_t n = ann_shape_elems(&ex->in[i].shape);
    for (int64_t k = 0; k < n; k++) ann_elem_set(data, dtype, k, element(&ex->in[i], k, i));
}

ann_status example_store(ann_store **out, ann_dtype real) {
    static const example_input t = {GEN_SIGNED, EXTENTS(2, 3), 0};
    ann_tensor tensor;
    ANN_TRY(ann_store_new(out, 1));
    ANN_TRY(ann_store_declare(&tensor, *out, "t", real, &t.shape, ANN_ROLE_PARAM, (ann_init){0}));
    ANN_TRY(ann_store_commit(*out));
    for (int64_t k = 0; k < 6; k++) ann_elem_set(ann_store_data(*out, tensor), real, k, element(&t, k, 0));
    return ANN_OK;
}
