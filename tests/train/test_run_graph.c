/* The graph of phases: edges, order, layers, what depends on what, which phases a choice selects, and
 * mistakes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check.h"
#include "train/run_graph.h"

static const char head[] = "name: graph\n"
                           "output: runs/graph\n"
                           "data: {path: /proc/self/exe}\n"
                           "models:\n"
                           "  net:\n"
                           "    - dense: {name: fc, units: 4}\n"
                           "phases:\n";
enum { FIRST_LINE = 8 };

/* A phase of one line; `more` is ", key: value" or "". */
#define PHASE(name, more)                                                                                    \
    "  - {name: " name                                                                                       \
    ", kind: supervised, model: [net], loss: cross_entropy, batch: 4, program: [{epochs: "                   \
    "1, lr: 0.1}]" more "}\n"
#define LOAD(from) ", load: {from: " from "}"
#define AFTER(list) ", after: [" list "]"

static ann_status parse(ann_run_config **config, const char *phases) {
    char text[4096];
    snprintf(text, sizeof text, "%s%s", head, phases);
    return ann_run_config_parse(config, "run.yaml", text, NULL, 0);
}

static ann_run_graph *graph_of(ann_run_config **config, const char *phases) {
    ann_run_graph *graph;
    check_ok(parse(config, phases));
    check_ok(ann_run_graph_new(&graph, *config));
    return graph;
}

static void drop(ann_run_graph *graph, ann_run_config *config) {
    ann_run_graph_free(graph);
    ann_run_config_free(config);
}

/* Names in the order of execution, "a b c". */
static void check_order(const ann_run_graph *graph, const ann_run_config *config, const char *want) {
    char have[256] = "";
    for (int i = 0; i < graph->count; i++) {
        const size_t used = strlen(have);
        snprintf(have + used, sizeof have - used, "%s%s", i ? " " : "", config->phases[graph->order[i]].name);
    }
    assert_string_equal(have, want);
}

static void test_edges(void **state) {
    (void)state;
    ann_run_config *c;
    ann_run_graph *g = graph_of(&c, PHASE("a", "") PHASE("b", LOAD("a") AFTER("a, d")) PHASE("d", ""));
    assert_int_equal(g->count, 3);
    assert_int_equal(ann_run_graph_edge(g, 0, 1), ANN_RUN_EDGE_LOAD); /* named by both keys */
    assert_int_equal(ann_run_graph_edge(g, 2, 1), ANN_RUN_EDGE_AFTER);
    assert_int_equal(ann_run_graph_edge(g, 1, 0), ANN_RUN_EDGE_NONE);
    assert_int_equal(ann_run_graph_edge(g, 0, 2), ANN_RUN_EDGE_NONE);
    check_order(g, c, "a d b");
    drop(g, c);
}

/* Without edges the file decides; with them only as much changes as has to. */
static void test_order(void **state) {
    (void)state;
    ann_run_config *c;
    ann_run_graph *g = graph_of(&c, PHASE("c", "") PHASE("a", "") PHASE("b", ""));
    check_order(g, c, "c a b");
    for (int i = 0; i < 3; i++) assert_int_equal(g->layer[i], 0);
    drop(g, c);
    g = graph_of(&c, PHASE("last", AFTER("x, y")) PHASE("x", LOAD("first")) PHASE("y", LOAD("first"))
                         PHASE("first", "") PHASE("alone", ""));
    check_order(g, c, "first x y last alone");
    drop(g, c);
}

static void test_layers(void **state) {
    (void)state;
    ann_run_config *c;
    ann_run_graph *g = graph_of(&c, PHASE("a", "") PHASE("b", AFTER("a")) PHASE("c", AFTER("b"))
                                        PHASE("d", AFTER("a, c")) PHASE("e", ""));
    const int want[] = {0, 1, 2, 3, 0}; /* the longest path, not the shortest */
    for (int i = 0; i < 5; i++) assert_int_equal(g->layer[i], want[i]);
    drop(g, c);
}

static void test_needs(void **state) {
    (void)state;
    ann_run_config *c;
    ann_run_graph *g =
        graph_of(&c, PHASE("a", "") PHASE("b", LOAD("a")) PHASE("c", AFTER("b")) PHASE("d", LOAD("a")));
    const char *const needs[] = {"", "a", "ab", "a"}; /* by phase */
    for (int later = 0; later < 4; later++)
        for (int earlier = 0; earlier < 4; earlier++) {
            const bool want = strchr(needs[later], 'a' + earlier) != NULL;
            assert_int_equal(ann_run_graph_needs(g, later, earlier), want);
        }
    drop(g, c);
}

/* Forty diamonds in a row have 2^40 paths, which must not be walked one by one. */
static void test_many_paths(void **state) {
    (void)state;
    enum { DIAMONDS = 40 };
    ann_run_config *c;
    static char text[64 << 10];
    size_t used = (size_t)snprintf(text, sizeof text, "%s" PHASE("p0", ""), head);
    for (int i = 0; i < DIAMONDS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 PHASE("l%d", AFTER("p%d")) PHASE("r%d", AFTER("p%d"))
                                     PHASE("p%d", AFTER("l%d, r%d")),
                                 i, i, i, i, i + 1, i, i);
    ann_run_graph *g;
    check_ok(ann_run_config_parse(&c, "run.yaml", text, NULL, 0));
    check_ok(ann_run_graph_new(&g, c));
    assert_int_equal(g->count, 3 * DIAMONDS + 1);
    assert_int_equal(g->layer[g->count - 1], 2 * DIAMONDS);
    assert_true(ann_run_graph_needs(g, g->count - 1, 0));
    assert_false(ann_run_graph_needs(g, 0, g->count - 1));
    assert_false(ann_run_graph_needs(g, 1, 2)); /* the two sides of a diamond */
    drop(g, c);
}

static void check_selected(const bool *selected, const char *want) {
    char have[8] = "";
    for (int i = 0, n = 0; i < 5; i++)
        if (selected[i]) have[n++] = (char)('a' + i);
    assert_string_equal(have, want);
}

static void test_select(void **state) {
    (void)state;
    ann_run_config *c;
    bool selected[5];
    ann_run_graph *g = graph_of(&c, PHASE("a", "") PHASE("b", LOAD("a")) PHASE("c", AFTER("b"))
                                        PHASE("d", LOAD("a")) PHASE("e", ""));
    const char *const only[] = {"d", "b"}, *const wrong[] = {"b", "dd"};
    check_ok(ann_run_graph_select(selected, g, c, NULL, NULL, 0));
    check_selected(selected, "abcde");
    check_ok(ann_run_graph_select(selected, g, c, "a", NULL, 0));
    check_selected(selected, "abcd");
    check_ok(ann_run_graph_select(selected, g, c, "b", NULL, 0));
    check_selected(selected, "bc");
    check_ok(ann_run_graph_select(selected, g, c, "e", NULL, 0));
    check_selected(selected, "e");
    check_ok(ann_run_graph_select(selected, g, c, NULL, only, 2));
    check_selected(selected, "bd");
    assert_int_equal(ann_run_graph_select(selected, g, c, NULL, wrong, 2), ANN_ERR_CONFIG);
    assert_string_equal(ann_error_text(), "run.yaml has no phase 'dd', did you mean 'd'?");
    assert_int_equal(ann_run_graph_select(selected, g, c, "nobody", NULL, 0), ANN_ERR_CONFIG);
    assert_string_equal(ann_error_text(), "run.yaml has no phase 'nobody'");
    drop(g, c);
}

/* line: of the phase with the mistake, from 0. */
static const struct {
    const char *phases;
    int line;
    const char *error; /* behind "run.yaml:LINE:COLUMN: " */
} wrong_graphs[] = {
    {PHASE("first", "") PHASE("b", AFTER("frist")), 1,
     "phases[1].after[0]: there is no phase 'frist', did you mean 'first'?"},
    {PHASE("a", LOAD("nobody")), 0, "phases[0].load.from: there is no phase 'nobody'"},
    {PHASE("a", AFTER("a")), 0, "phases[0].after[0]: the phase 'a' would have to wait for itself"},
    {PHASE("a", LOAD("a")), 0, "phases[0].load.from: the phase 'a' would have to wait for itself"},
    {PHASE("a", ", after: b") PHASE("b", ""), 0, "phases[0].after: found 'b', accepted is a list"},
    {PHASE("a", AFTER("b")) PHASE("b", LOAD("a")), 0,
     "phases[0].after[0]: phases wait for each other: 'a' waits for 'b', which waits for 'a'"},
    {PHASE("free", "") PHASE("behind", AFTER("y")) PHASE("x", AFTER("free, z")) PHASE("y", LOAD("x"))
         PHASE("z", AFTER("y")),
     2,
     "phases[2].after[1]: phases wait for each other: 'x' waits for 'z', which waits for 'y', which waits "
     "for "
     "'x'"},
};

static void test_wrong_graphs(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong_graphs / sizeof wrong_graphs[0]; i++) {
        ann_run_config *c;
        char place[32];
        assert_int_equal(parse(&c, wrong_graphs[i].phases), ANN_ERR_CONFIG);
        assert_null(c);
        const char *text = ann_error_text();
        snprintf(place, sizeof place, "run.yaml:%d:", FIRST_LINE + wrong_graphs[i].line);
        if (strncmp(text, place, strlen(place)) != 0) fail_msg("%s: not in line %s", text, place);
        assert_non_null(strstr(text, ": "));
        assert_string_equal(strstr(text, ": ") + 2, wrong_graphs[i].error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edges),       cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_layers),      cmocka_unit_test(test_needs),
                                       cmocka_unit_test(test_many_paths),  cmocka_unit_test(test_select),
                                       cmocka_unit_test(test_wrong_graphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
