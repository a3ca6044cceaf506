/* Small examples of every op, built with the graph's own builders: inputs that suit the op (positive for log,
   away from the kinks of relu, distinct for max) and its set of attributes. One array per op of ops.def,
   ended by a NULL name: an op without an array does not link. The tests differentiate them numerically,
   compare their values with those of an independent implementation (tests/golden/ops.txt, made by
   tests/reference/gen_ops.py, which has the same examples under the same names), and run them through the
   passes. */
#ifndef ANN_TESTS_GRAPH_OP_EXAMPLES_H
#define ANN_TESTS_GRAPH_OP_EXAMPLES_H

#include "graph/graph.h"

/* How an input is filled. All values are multiples of 1/512, so exact in float. */
typedef enum example_gen {
    GEN_SIGNED,   /* in (-1, 1) */
    GEN_POSITIVE, /* in [0.5, 1.5) */
    GEN_AWAY,     /* 0.25 < |x| < 1.25 */
    GEN_DISTINCT, /* no two within 1/128 of each other, not even of two inputs */
    GEN_BINARY,   /* 0 or 1, not differentiated */
    GEN_INT,      /* i32, -2..2 */
    GEN_LABEL,    /* i32, 0..mod-1 */
    GEN_IDS,      /* i64, sample numbers */
    GEN_INDEX     /* u8, 0..mod-1 */
} example_gen;

typedef struct example_input {
    example_gen gen;
    ann_shape shape;
    int mod;
} example_input;

enum { EXAMPLE_MAX_IN = 4 };

typedef struct op_example {
    const char *name; /* "conv/groups" */
    int n_in;
    example_input in[EXAMPLE_MAX_IN];
    /* One of these. */
    ann_node (*unary)(ann_graph *g, ann_node x);
    ann_node (*binary)(ann_graph *g, ann_node a, ann_node b);
    ann_node (*build)(ann_graph *g, const ann_node *in);
} op_example;

#define ANN_OP(NAME, name) extern const op_example example_of_##name[];
#include "graph/ops.def"
#undef ANN_OP
/* Builders that are compositions of ops. */
extern const op_example example_of_compositions[];

/* The lists of all ops, indexed by ann_op, and the compositions at ANN_OP_COUNT. */
enum { EXAMPLE_LISTS = ANN_OP_COUNT + 1 };
const op_example *example_list(int list);

/* Is input i differentiated: is it float and not binary? */
bool example_differentiable(const op_example *example, int i);
/* Builds the example over inputs named "x0", "x1" ...; float inputs are `real` (f32 or f64). */
ann_node example_build(ann_graph *g, const op_example *example, ann_dtype real, ann_node in[EXAMPLE_MAX_IN]);
/* Fills input i. */
void example_fill(void *data, ann_dtype dtype, const op_example *example, int i);
/* A store with one filled tensor "t" [2,3] of dtype `real`, which the examples of store, block and assign
 * use. */
ann_status example_store(ann_store **out, ann_dtype real) ANN_MUST_CHECK;

/* "conv", or "compositions" for the last list. */
const char *example_list_name(int list);
/* Runs `test` once for each list, as a CMocka test of the op's name whose state points to the list's
   number (int). Returns the number of failures. */
int example_run_lists(const char *group, void (*test)(void **state));

/* Shapes in static initialisers. */
#define EXTENTS(...)                                                                                         \
    {                                                                                                        \
        (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), { __VA_ARGS__ }                       \
    }

#endif
