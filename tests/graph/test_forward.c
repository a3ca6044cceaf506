/* Each example's value in f64 and f32, by the reference and by the fast kernels, against values of PyTorch
 * and NumPy. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op_examples.h"
#include "support/check.h"
#include "support/eval.h"

/* ---- the golden values ---- */

enum { MAX_ENTRIES = 512 };

typedef struct entry {
    char name[64];
    int64_t count;
    double *value;
    int used;
} entry;

static entry golden[MAX_ENTRIES];
static int n_golden;

static bool read_entry(FILE *file, entry *e) {
    long long count = 0;
    if (fscanf(file, "%63s %lld", e->name, &count) != 2) return false;
    e->count = count;
    e->value = calloc((size_t)count + 1, sizeof *e->value);
    if (!e->value) return false;
    for (int64_t i = 0; i < count; i++)
        if (fscanf(file, "%lf", &e->value[i]) != 1) return false;
    return true;
}

static bool read_golden(void) {
    const char *root = getenv("ANNULUS_SOURCE");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/golden/ops.txt", root ? root : ".");
    FILE *file = fopen(path, "r");
    if (!file) return false;
    while (n_golden < MAX_ENTRIES && read_entry(file, &golden[n_golden])) n_golden++;
    const bool whole = feof(file) != 0;
    fclose(file);
    return whole && n_golden > 0;
}

static entry *find(const char *name) {
    for (int i = 0; i < n_golden; i++)
        if (strcmp(golden[i].name, name) == 0) return &golden[i];
    fail_msg("%s: no reference values; run tests/reference/gen_ops.py", name);
    return NULL;
}

/* ---- comparison ---- */

/* An element is a sum of at most K products of numbers below 1.5, K the elements of the largest input, or a
   function with condition number below 4 of one; errors of K roundings add up like sqrt(K). The reference
   values were rounded by other operations in another order: twice that. */
static double tolerance(const op_example *ex, const entry *e, double eps) {
    double terms = 1.0, top = 1.0;
    for (int i = 0; i < ex->n_in; i++) terms = fmax(terms, (double)ann_shape_elems(&ex->in[i].shape));
    for (int64_t i = 0; i < e->count; i++) top = fmax(top, fabs(e->value[i]));
    return 2.0 * 4.0 * eps * sqrt(terms) * top;
}

static void compare(const op_example *ex, const eval *run, const ann_graph *g, ann_node y, ann_dtype real) {
    entry *e = find(ex->name);
    e->used++;
    assert_int_equal(ann_shape_elems(ann_node_shape(g, y)), e->count);
    const bool integer = !ann_dtype_is_float(ann_node_dtype(g, y));
    const double bound = integer ? 0.0 : tolerance(ex, e, real == ANN_F64 ? 0x1p-53 : 0x1p-24);
    for (int64_t i = 0; i < e->count; i++) {
        const double got = eval_elem(run, y, i);
        if (!(fabs(got - e->value[i]) <= bound))
            fail_msg("%s (%s): element %lld is %.17g, should be %.17g within %.3g", ex->name,
                     ann_dtype_name(real), (long long)i, got, e->value[i], bound);
    }
}

static void run_example(const op_example *ex, ann_dtype real, ann_kernel_policy policy) {
    ann_store *store = NULL;
    ann_graph *g = NULL;
    ann_node in[EXAMPLE_MAX_IN];
    check_ok(example_store(&store, real));
    check_ok(ann_graph_new(&g, store));
    const ann_node y = example_build(g, ex, real, in);
    eval *run = eval_new(g, policy);
    for (int i = 0; i < ex->n_in; i++)
        example_fill((void *)(uintptr_t)eval_value(run, in[i]), ann_node_dtype(g, in[i]), ex, i);
    eval_run(run, ANN_NODE_NONE);
    compare(ex, run, g, y, real);
    eval_free(run);
    ann_graph_free(g);
    ann_store_free(store);
}

static void test_list(void **state) {
    for (const op_example *ex = example_list(*(const int *)*state); ex->name; ex++)
        for (int policy = ANN_KERNEL_FAST; policy <= ANN_KERNEL_REFERENCE; policy++) {
            run_example(ex, ANN_F64, (ann_kernel_policy)policy);
            run_example(ex, ANN_F32, (ann_kernel_policy)policy);
        }
}

static void every_reference_value_was_used(void **state) {
    (void)state;
    for (int i = 0; i < n_golden; i++)
        if (golden[i].used != 4) fail_msg("%s was compared %d times, not 4", golden[i].name, golden[i].used);
}

static void no_list_is_empty(void **state) {
    (void)state;
    for (int i = 0; i < EXAMPLE_LISTS; i++)
        if (!example_list(i)->name) fail_msg("%s has no example", example_list_name(i));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_list_is_empty),
                                       cmocka_unit_test(every_reference_value_was_used)};
    if (!read_golden()) {
        fprintf(stderr, "tests/golden/ops.txt cannot be read\n");
        return 1;
    }
    ann_kernel_init();
    int failures = example_run_lists("forward", test_list);
    failures += cmocka_run_group_tests_name("coverage", tests, NULL, NULL);
    for (int i = 0; i < n_golden; i++) free(golden[i].value);
    return failures > 0;
}
