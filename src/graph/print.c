/* A graph as text and as Graphviz. */
#include "graph/node.h"

#include <stdio.h>
#include <stdlib.h>

typedef void (*writer)(void *to, const char *text);

static void describe(const ann_graph *g, ann_node n, char *attrs, size_t size) {
    const ann_op_info *info = anni_op_info(ann_node_op(g, n));
    attrs[0] = 0;
    if (ann_node_op(g, n) == ANN_OP_STORE)
        snprintf(attrs, size, "%s",
                 ann_store_info(ann_graph_store(g), ann_node_attrs(g, n)->store.tensor)->name);
    else if (info->print) info->print(ann_node_attrs(g, n), attrs, size);
}

static void text_line(const ann_graph *g, ann_node n, writer write, void *to) {
    char line[1024], attrs[512], shape[128];
    const ann_node *in;
    const int n_in = ann_node_inputs(g, n, &in);
    describe(g, n, attrs, sizeof attrs);
    snprintf(line, sizeof line, "  %%%d = %s(", n.id, anni_op_info(ann_node_op(g, n))->name);
    write(to, line);
    for (int i = 0; i < n_in; i++) {
        snprintf(line, sizeof line, "%s%%%d", i ? ", " : "", in[i].id);
        write(to, line);
    }
    snprintf(line, sizeof line, ") %s%s %s%s%s\n", ann_dtype_name(ann_node_dtype(g, n)),
             ann_shape_str(shape, sizeof shape, ann_node_shape(g, n)), attrs,
             *ann_node_scope(g, n) ? "  # " : "", ann_node_scope(g, n));
    write(to, line);
}

ann_status ann_graph_print_text(const ann_graph *graph, const char *title, writer write, void *to) {
    char line[512];
    uint8_t *live;
    ANN_TRY(anni_live(graph, &live));
    int nodes = 0;
    double flops = 0;
    for (int32_t id = 0; id < ann_graph_count(graph); id++)
        if (live[id]) {
            nodes++;
            flops += anni_node_flops(graph, (ann_node){id});
        }
    snprintf(line, sizeof line, "graph %s: %d nodes, %.3f MFLOP\n", title, nodes, flops / 1e6);
    write(to, line);
    for (int32_t id = 0; id < ann_graph_count(graph); id++)
        if (live[id]) text_line(graph, (ann_node){id}, write, to);
    for (int i = 0; i < ann_graph_output_count(graph); i++) {
        const char *name;
        const ann_node n = ann_graph_output(graph, i, &name);
        snprintf(line, sizeof line, "  output %s = %%%d\n", name, n.id);
        write(to, line);
    }
    for (int i = 0; i < ann_graph_effect_count(graph); i++) {
        snprintf(line, sizeof line, "  effect %%%d\n", ann_graph_effect(graph, i).id);
        write(to, line);
    }
    free(live);
    return ANN_OK;
}

ann_status ann_graph_print_dot(const ann_graph *graph, const char *title, writer write, void *to) {
    static const char *const colour[] = {[ANN_TIER_LEAF] = "lightgrey",
                                         [ANN_TIER_MATH] = "white",
                                         [ANN_TIER_COMPOSITE] = "lightblue",
                                         [ANN_TIER_LOWERED] = "orange"};
    char line[1024], attrs[512], shape[128];
    uint8_t *live;
    ANN_TRY(anni_live(graph, &live));
    snprintf(line, sizeof line, "digraph \"%s\" {\n  node [shape=box, style=filled, fontsize=10];\n", title);
    write(to, line);
    for (int32_t id = 0; id < ann_graph_count(graph); id++) {
        if (!live[id]) continue;
        const ann_node n = {id};
        const ann_node *in;
        const int n_in = ann_node_inputs(graph, n, &in);
        const ann_op_info *info = anni_op_info(ann_node_op(graph, n));
        describe(graph, n, attrs, sizeof attrs);
        snprintf(line, sizeof line, "  n%d [label=\"%s\\n%s%s\\n%s\", fillcolor=%s, tooltip=\"%s\"];\n", id,
                 info->name, ann_dtype_name(ann_node_dtype(graph, n)),
                 ann_shape_str(shape, sizeof shape, ann_node_shape(graph, n)), attrs, colour[info->tier],
                 ann_node_scope(graph, n));
        write(to, line);
        for (int i = 0; i < n_in; i++) {
            snprintf(line, sizeof line, "  n%d -> n%d;\n", in[i].id, id);
            write(to, line);
        }
    }
    for (int i = 0; i < ann_graph_output_count(graph); i++) {
        const char *name;
        const ann_node n = ann_graph_output(graph, i, &name);
        snprintf(line, sizeof line, "  \"%s\" [shape=ellipse];\n  n%d -> \"%s\";\n", name, n.id, name);
        write(to, line);
    }
    write(to, "}\n");
    free(live);
    return ANN_OK;
}
