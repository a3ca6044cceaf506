/* The graph of a run as a drawing: layers from the left to the right, each phase one layer behind the last of
   those that it needs. Where an edge passes a layer, it has a place of its own there, so that it crosses no
   box. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "phases.h"
#include "svg.h"

enum {
    BOX_W = 200,
    BOX_H = 66,
    PASS_H = 12, /* of an edge's place */
    GAP_X = 210,
    GAP_Y = 26,
    MARGIN = 30,
    TITLE_H = 46,
    PORT = 12,  /* between the ends of edges at one box */
    FLAT = 110, /* in front of a box, below what is taken over */
    TEXT_BYTES = 128
};

typedef struct place {
    int layer;
    double y, height; /* of its middle */
    double wanted;    /* the mean y of what it is linked to in the layer before */
} place;

/* An edge: the places between its ends are via .. via + via_count - 1. */
typedef struct edge {
    int from, to, via, via_count;
    ann_run_edge kind;
    double port; /* where it ends, below the box's middle */
} edge;

typedef struct drawing {
    const run_estimate *e;
    FILE *file;
    place *places; /* of the phases, then of edges that pass layers */
    edge *edges;
    int place_count, edge_count, layer_count;
    double top, bottom;
} drawing;

/* ---- layout ---- */

static void add_edge(drawing *d, int from, int to, ann_run_edge kind) {
    const int *layer = d->e->graph->layer;
    edge *e = &d->edges[d->edge_count++];
    *e = (edge){from, to, d->place_count, layer[to] - layer[from] - 1, kind, 0};
    for (int i = 0; i < e->via_count; i++)
        d->places[d->place_count++] = (place){.layer = layer[from] + 1 + i, .height = PASS_H};
}

static void add_edges(drawing *d) {
    const ann_run_graph *g = d->e->graph;
    for (int to = 0; to < g->count; to++)
        for (int from = 0; from < g->count; from++)
            if (ann_run_graph_edge(g, from, to)) add_edge(d, from, to, ann_run_graph_edge(g, from, to));
}

static void add_places(drawing *d) {
    const ann_run_graph *g = d->e->graph;
    for (int i = 0; i < g->count; i++) {
        d->places[d->place_count++] = (place){.layer = g->layer[i], .height = BOX_H};
        if (g->layer[i] >= d->layer_count) d->layer_count = g->layer[i] + 1;
    }
    add_edges(d);
}

/* Places of the first layer are as in the file; others want to be level with what leads to them. */
static double wanted_y(const drawing *d, int at) {
    double sum = 0;
    int count = 0;
    if (d->places[at].layer == 0) return at;
    for (int i = 0; i < d->edge_count; i++) {
        const edge *e = &d->edges[i];
        const bool passes = at >= e->via && at < e->via + e->via_count;
        if (!passes && e->to != at) continue;
        const bool is_first = passes ? at == e->via : e->via_count == 0;
        sum += d->places[is_first ? e->from : passes ? at - 1 : e->via + e->via_count - 1].y;
        count++;
    }
    return count > 0 ? sum / count : 0;
}

/* Stacks the members around y = 0 in the order of what they want. */
static void stack(drawing *d, const int *members, int count) {
    double height = -GAP_Y;
    for (int i = 0; i < count; i++) height += d->places[members[i]].height + GAP_Y;
    double y = -height / 2;
    if (y < d->top) d->top = y;
    if (height / 2 > d->bottom) d->bottom = height / 2;
    for (int i = 0; i < count; i++) {
        place *p = &d->places[members[i]];
        p->y = y + p->height / 2;
        y += p->height + GAP_Y;
    }
}

/* Where an edge comes from, seen from the box that it ends at. */
static double before_end(const drawing *d, const edge *e) {
    return d->places[e->via_count > 0 ? e->via + e->via_count - 1 : e->from].y;
}

/* Edges end at a box in the order in which they come, so that none crosses another there. */
static void place_ports(drawing *d) {
    for (int i = 0; i < d->edge_count; i++) {
        int above = 0, below = 0;
        for (int j = 0; j < d->edge_count; j++) {
            if (j == i || d->edges[j].to != d->edges[i].to) continue;
            const double difference = before_end(d, &d->edges[j]) - before_end(d, &d->edges[i]);
            if (difference < 0 || (difference == 0 && j < i)) above++;
            else below++;
        }
        d->edges[i].port = PORT * 0.5 * (above - below);
    }
}

static void lay_out(drawing *d, int *members) {
    for (int layer = 0; layer < d->layer_count; layer++) {
        int count = 0;
        for (int i = 0; i < d->place_count; i++) {
            if (d->places[i].layer != layer) continue;
            d->places[i].wanted = wanted_y(d, i);
            int at = count++;
            for (; at > 0 && d->places[members[at - 1]].wanted > d->places[i].wanted; at--)
                members[at] = members[at - 1];
            members[at] = i;
        }
        stack(d, members, count);
    }
    place_ports(d);
}

static double left_of(int layer) { return MARGIN + layer * (double)(BOX_W + GAP_X); }
static double middle_of(const drawing *d, int at) {
    return d->places[at].y - d->top + TITLE_H + MARGIN / 2.0;
}

/* ---- drawing ---- */

/* At most `most` characters, with "..." where some are left out. Returns buf. */
static const char *shortened(char buf[TEXT_BYTES], const char *text, int most) {
    if ((int)strlen(text) <= most) snprintf(buf, TEXT_BYTES, "%s", text);
    else snprintf(buf, TEXT_BYTES, "%.*s...", most - 3, text);
    return buf;
}

static void draw_edge(const drawing *d, const edge *e) {
    double x = left_of(d->places[e->from].layer) + BOX_W, y = middle_of(d, e->from);
    fprintf(
        d->file,
        "<path fill=\"none\" stroke=\"#666666\" stroke-width=\"1.5\"%s marker-end=\"url(#arrow)\" d=\"M %.1f "
        "%.1f",
        e->kind == ANN_RUN_EDGE_AFTER ? " stroke-dasharray=\"5 4\"" : "", x, y);
    for (int i = 0; i <= e->via_count; i++) {
        const int at = i < e->via_count ? e->via + i : e->to;
        const double next_x = left_of(d->places[at].layer) - (at == e->to ? FLAT : 0);
        const double next_y = middle_of(d, at) + (at == e->to ? e->port : 0), half = (next_x - x) / 2;
        fprintf(d->file, " C %.1f %.1f %.1f %.1f %.1f %.1f", x + half, y, next_x - half, next_y, next_x,
                next_y);
        x = next_x + (at == e->to ? FLAT - 8 : BOX_W);
        y = next_y;
        fprintf(d->file, " H %.1f", x);
    }
    fputs("\"/>\n", d->file);
}

/* What is taken over, in front of the box that takes it. */
static void draw_edge_text(const drawing *d, const edge *e) {
    const ann_phase_config *to = &d->e->config->phases[e->to];
    char text[TEXT_BYTES], line[TEXT_BYTES + 16];
    if (e->kind != ANN_RUN_EDGE_LOAD) return;
    snprintf(line, sizeof line, "%s%s", shortened(text, to->load_tensors, 17),
             to->load_checkpoint == ANN_LOAD_BEST ? " (best)" : "");
    fputs("<g paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"4\">", d->file);
    svg_label(d->file, left_of(d->places[e->to].layer) - 12, middle_of(d, e->to) + e->port - 6, "end", 11,
              line);
    fputs("</g>\n", d->file);
}

static const char *colour_of(ann_phase_kind kind) {
    switch (kind) {
    case ANN_PHASE_PRETRAIN: return "#dbe9f6";
    case ANN_PHASE_TRANSFER: return "#e0f0dc";
    case ANN_PHASE_SUPERVISED: return "#e8e4f3";
    case ANN_PHASE_ADAPT: return "#fdebd3";
    case ANN_PHASE_EVALUATE: return "#fbf6cf";
    case ANN_PHASE_EXPORT: break;
    }
    return "#eeeeee";
}

/* Phases that are not selected are faint and have no time. */
static void draw_box(const drawing *d, int index) {
    const ann_phase_config *phase = &d->e->config->phases[index];
    const double x = left_of(d->places[index].layer), y = middle_of(d, index) - BOX_H / 2.0;
    char text[TEXT_BYTES], time[32] = "";
    if (d->e->selected[index]) phases_time(time, sizeof time, d->e->phases[index].seconds);
    fprintf(d->file, "<g%s>\n", d->e->selected[index] ? "" : " opacity=\"0.4\"");
    fprintf(
        d->file,
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"6\" fill=\"%s\" stroke=\"#444444\"/>\n",
        x, y, BOX_W, BOX_H, colour_of(phase->kind));
    fputs("<g font-weight=\"bold\">", d->file);
    svg_label(d->file, x + BOX_W / 2.0, y + 25, "middle", 14, shortened(text, phase->name, 22));
    fputs("</g>", d->file);
    svg_label(d->file, x + 12, y + 50, "start", 12, ann_phase_kind_name(phase->kind));
    svg_label(d->file, x + BOX_W - 12, y + 50, "end", 12, time);
    fputs("</g>\n", d->file);
}

static ann_status draw(drawing *d, const char *path) {
    const double width = left_of(d->layer_count - 1) + BOX_W + MARGIN;
    const double height = d->bottom - d->top + TITLE_H + 1.5 * MARGIN;
    ANN_TRY(svg_begin(&d->file, path, (int)width, (int)ceil(height)));
    fputs("<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"1\" refY=\"4\" markerWidth=\"6\" "
          "markerHeight=\"6\" orient=\"auto\"><path d=\"M 0 0 L 8 4 L 0 8 z\" "
          "fill=\"#666666\"/></marker></defs>\n",
          d->file);
    svg_label(d->file, MARGIN, 30, "start", 16, d->e->config->name);
    for (int i = 0; i < d->edge_count; i++) draw_edge(d, &d->edges[i]);
    for (int i = 0; i < d->e->graph->count; i++) draw_box(d, i);
    for (int i = 0; i < d->edge_count; i++) draw_edge_text(d, &d->edges[i]);
    return svg_end(d->file, path);
}

ann_status phases_plot(const run_estimate *e, const char *path) {
    const size_t n = (size_t)e->graph->count;
    drawing d = {.e = e};
    size_t places = n;
    for (size_t to = 0; to < n; to++)
        for (size_t from = 0; from < n; from++)
            if (e->graph->edges[to * n + from]) places += (size_t)e->graph->layer[to];
    d.places = calloc(places, sizeof *d.places);
    d.edges = calloc(n * n, sizeof *d.edges);
    int *members = calloc(places, sizeof *members);
    ann_status status = ANN_OK;
    if (d.places && d.edges && members) {
        add_places(&d);
        lay_out(&d, members);
        status = draw(&d, path);
    } else {
        status = ann_error(ANN_ERR_MEMORY, "no memory to draw the graph of phases");
    }
    free(d.places);
    free(d.edges);
    free(members);
    return status;
}
