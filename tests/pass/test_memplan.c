/* The memory plan of a whole training step: what is alive at the same time does not share memory. */
#include <stdlib.h>

#include "support/model.h"
#include "graph/node.h"
#include "kernel/fused.h"
#include "pass/pass.h"
#include "support/check.h"

static int64_t bytes_of(const ann_graph *g, int32_t id) {
    const ann_node n = {id};
    return ann_shape_elems(ann_node_shape(g, n)) * (int64_t)ann_dtype_bytes(ann_node_dtype(g, n));
}

static int32_t root_of(const ann_memplan *plan, int32_t id) {
    return plan->place[id].kind == ANN_PLACE_ALIAS ? plan->place[id].root : id;
}

/* May `writer` write over an input while reading it? */
static bool works_in_place(const ann_graph *g, int32_t writer) {
    const ann_op op = ann_node_op(g, (ann_node){writer});
    return op == ANN_OP_FUSED || (anni_op_info(op)->flags & ANNI_INPLACE);
}

static void check_plan(const ann_graph *g) {
    ann_memplan plan;
    const int32_t count = ann_graph_count(g);
    check_ok(ann_pass_memplan(&plan, g));
    int32_t *death = calloc((size_t)count, sizeof *death);
    uint8_t *live;
    check_ok(anni_live(g, &live));
    for (int32_t id = 0; id < count; id++) {
        const ann_node *in;
        if (death[id] < id) death[id] = id;
        const int n = live[id] ? ann_node_inputs(g, (ann_node){id}, &in) : 0;
        for (int i = 0; i < n; i++) death[root_of(&plan, in[i].id)] = id;
    }
    for (int i = 0; i < ann_graph_output_count(g); i++)
        death[root_of(&plan, ann_graph_output(g, i, NULL).id)] = count;
    int pairs = 0;
    for (int32_t b = 0; b < count; b++) {
        if (!live[b] || plan.place[b].kind != ANN_PLACE_ARENA) continue;
        const int64_t begin = plan.place[b].offset_bytes, end = begin + bytes_of(g, b);
        assert_true(begin >= 0 && (size_t)end <= plan.arena_bytes && begin % ANN_ALIGN_BYTES == 0);
        for (int32_t a = 0; a < b; a++) {
            if (!live[a] || plan.place[a].kind != ANN_PLACE_ARENA || death[a] < b) continue;
            if (death[a] == b && works_in_place(g, b)) continue;
            const int64_t other = plan.place[a].offset_bytes;
            assert_true(other + bytes_of(g, a) <= begin || end <= other);
            pairs++;
        }
    }
    assert_true(pairs > 50);
    free(death);
    free(live);
    free(plan.place);
}

static void values_alive_together_lie_apart(void **state) {
    (void)state;
    for (int eager = 0; eager < 2; eager++)
        for (int fused = 0; fused < 2; fused++) {
            model m;
            ann_graph *g;
            const ann_pass_options options = {.bucket = {512, 64}, .fuse = fused, .eager_updates = eager};
            model_new(&m, ANN_F32);
            check_ok(ann_pass_standard(&g, m.graph, &options));
            check_plan(g);
            ann_graph_free(g);
            model_free(&m);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_alive_together_lie_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
