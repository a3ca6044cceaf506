/* All samples of a split as the model sees them: features, logits (of a classifier), labels. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "train/pass.h"

/* Rows of features and logits to their places. */
static void take(void *to, const anni_step *step, int64_t at, int64_t count) {
    anni_sight *sight = to;
    const ann_method_sight *view = &sight->view;
    const size_t first = (size_t)at, n = (size_t)count;
    const size_t width = (size_t)view->width, classes = (size_t)view->classes;
    memcpy(sight->features + first * width, ann_plan_output(step->plan, "features"),
           n * width * sizeof(float));
    if (classes > 0)
        memcpy(sight->logits + first * classes, ann_plan_output(step->plan, "logits"),
               n * classes * sizeof(float));
}

static ann_status sight_graph(ann_graph **out, ann_store *store, const anni_phase *phase, int stage,
                              int64_t batch) {
    (void)stage;
    ANN_TRY(ann_graph_new(out, store));
    anni_model_sight(*out, phase, batch);
    return anni_graph_check(out, phase);
}

/* Elements of a sample of the outputs, which are made in this order. */
static ann_status find_widths(ann_method_sight *view, const anni_phase *phase, ann_store *store) {
    ann_graph *graph;
    ANN_TRY(sight_graph(&graph, store, phase, 0, 1));
    view->width = ann_shape_elems(ann_node_shape(graph, ann_graph_output(graph, 0, NULL)));
    if (anni_model_has_labels(phase->config))
        view->classes = ann_shape_elems(ann_node_shape(graph, ann_graph_output(graph, 1, NULL)));
    ann_graph_free(graph);
    return ANN_OK;
}

static ann_status read_labels(anni_sight *sight, const ann_dataset *dataset) {
    const int field = ann_dataset_find(dataset, "domain");
    for (int64_t i = 0; i < sight->view.samples; i++) {
        sight->labels[i] = ann_dataset_label(dataset, i);
        if (field >= 0) ANN_TRY(ann_dataset_read(dataset, field, &i, 1, &sight->domain[i]));
    }
    return ANN_OK;
}

static ann_status allocate(anni_sight *sight, const anni_phase *phase, const ann_dataset *dataset,
                           ann_store *store) {
    ann_method_sight *view = &sight->view;
    ANN_TRY(find_widths(view, phase, store));
    const size_t samples = (size_t)view->samples;
    sight->feature_bytes = samples * (size_t)view->width * sizeof(float);
    sight->logit_bytes = samples * (size_t)view->classes * sizeof(float);
    ANN_TRY(ann_mem_alloc((void **)&sight->features, sight->feature_bytes));
    ANN_TRY(ann_mem_alloc((void **)&sight->logits, sight->logit_bytes));
    sight->labels = calloc(samples, sizeof *sight->labels);
    sight->domain = calloc(samples, sizeof *sight->domain);
    if (!sight->labels || !sight->domain) return ann_error(ANN_ERR_MEMORY, "no memory for labels");
    view->features = sight->features;
    view->logits = sight->logits;
    view->labels = sight->labels;
    view->domain = sight->domain;
    return read_labels(sight, dataset);
}

/* This rank's part; the others' are zero. */
static ann_status look(anni_sight *sight, const anni_phase *phase, const ann_dataset *dataset,
                       ann_store *store) {
    const anni_pass pass = {.dataset = dataset,
                            .count = ann_dataset_samples(dataset),
                            .graph = sight_graph,
                            .take = take,
                            .to = sight};
    ANN_TRY(allocate(sight, phase, dataset, store));
    return anni_pass_run(&pass, phase, store);
}

ann_status anni_sight_new(anni_sight *out, const anni_phase *phase, const ann_dataset *dataset,
                          ann_store *store) {
    ann_comm *comm = phase->run->comm;
    *out = (anni_sight){
        .view = {.samples = ann_dataset_samples(dataset), .domains = ann_dataset_source_count(dataset)}};
    ANN_TRY(ann_agree(comm, look(out, phase, dataset, store)));
    const ann_method_sight *view = &out->view;
    ANN_TRY(ann_comm_allreduce(comm, out->features, view->samples * view->width, ANN_F32));
    return ann_comm_allreduce(comm, out->logits, view->samples * view->classes, ANN_F32);
}

void anni_sight_free(anni_sight *sight) {
    ann_mem_free(sight->features, sight->feature_bytes);
    ann_mem_free(sight->logits, sight->logit_bytes);
    free(sight->labels);
    free(sight->domain);
    *sight = (anni_sight){0};
}
