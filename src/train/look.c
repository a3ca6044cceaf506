#include "train/look.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "ckpt/foreign.h"
#include "ckpt/tools.h"
#include "kernel/kernel.h"
#include "train/pass.h"
#include "train/phase.h"

struct ann_look {
    ann_look_facts facts;
    ann_train_options nothing;
    anni_run run;
    anni_phase phase;
    ann_store *store;
};

const ann_look_facts *ann_look_facts_of(const ann_look *look) { return &look->facts; }

/* ---- the weights ---- */

static ann_status read_tensor(ann_look *look, const ann_foreign *from, ann_tensor tensor) {
    const ann_tensor_info *info = ann_store_info(look->store, tensor);
    char here[128], there[128];
    for (int i = 0; i < ann_foreign_count(from); i++) {
        const ann_foreign_tensor *found = ann_foreign_tensor_at(from, i);
        if (strcmp(found->name, info->name) != 0) continue;
        if (ann_shape_equal(&found->shape, &info->shape))
            return ann_foreign_read(from, i, info->dtype, ann_store_data(look->store, tensor));
        return ann_error(ANN_ERR_CONFIG, "phase %s: %s is %s here and %s in %s", look->phase.config->name,
                         info->name, ann_shape_str(here, sizeof here, &info->shape),
                         ann_shape_str(there, sizeof there, &found->shape), ann_foreign_path(from));
    }
    return ann_error(ANN_ERR_CONFIG, "phase %s: %s is not in %s", look->phase.config->name, info->name,
                     ann_foreign_path(from));
}

static ann_status read_weights(ann_look *look, const char *path) {
    ann_foreign *from;
    ann_status status = ann_foreign_open(&from, path);
    if (status != ANN_OK) return status;
    for (int32_t i = 0; i < ann_store_count(look->store) && status == ANN_OK; i++)
        status = read_tensor(look, from, (ann_tensor){i});
    snprintf(look->facts.weights, sizeof look->facts.weights, "%s", ann_foreign_path(from));
    ann_foreign_close(from);
    return status;
}

/* What the phase begins with. */
static ann_status load_weights(ann_look *look) {
    anni_run *run = &look->run;
    const ann_phase_config *config = look->phase.config;
    char folder[ANNI_PATH_BYTES];
    snprintf(look->facts.weights, sizeof look->facts.weights, "initial values");
    if (!config->load_from && !config->load_file) return ANN_OK;
    if (config->load_from) {
        snprintf(folder, sizeof folder, "%s/%s", run->config->output, config->load_from);
        const int from = ann_run_config_find_phase(run->config, config->load_from);
        ANN_TRY(ann_ckpt_resolve(run->results[from].checkpoint, folder));
    }
    ANN_TRY(anni_load_path(look->facts.weights, &look->phase));
    return anni_map_load(look->store, &look->phase);
}

static ann_status fill(ann_look *look, const ann_look_options *o) {
    const ann_phase_kind kind = look->phase.config->kind;
    if (o->before || (kind == ANN_PHASE_EVALUATE && !o->checkpoint)) return load_weights(look);
    return read_weights(look, o->checkpoint ? o->checkpoint : look->phase.dir);
}

/* ---- opening ---- */

/* Declares the model's tensors, and finds the width of the features. */
static ann_status declare(ann_look *look) {
    ann_graph *graph = NULL;
    ANN_TRY(ann_graph_new(&graph, look->store));
    anni_model_sight(graph, &look->phase, 1);
    ann_status status = ann_graph_status(graph);
    if (status == ANN_OK)
        look->facts.width = ann_shape_elems(ann_node_shape(graph, ann_graph_output(graph, 0, NULL)));
    if (status == ANN_OK && look->facts.reconstructs) {
        anni_model_reconstruct(graph, &look->phase, 1);
        status = ann_graph_status(graph);
    }
    ann_graph_free(graph);
    return status;
}

static void say_facts(ann_look *look) {
    const anni_phase *phase = &look->phase;
    ann_look_facts *f = &look->facts;
    f->phase = phase->config;
    f->train = phase->train;
    f->test = phase->test;
    f->classifies = anni_model_has_labels(phase->config);
    f->reconstructs = anni_method_reconstructs(phase->config);
    f->generates = f->reconstructs && anni_method_has_prior(phase->config);
    f->threads = look->run.threads;
    anni_evaluate_range(phase, &f->tested_first, &f->tested);
}

static ann_status open_run(ann_look *look, const ann_look_options *o) {
    anni_run *run = &look->run;
    *run = (anni_run){.config = o->config, .options = &look->nothing, .size = 1, .metrics_fd = -1};
    ANN_TRY(ann_comm_self(&run->comm));
    run->threads = o->threads > 0 ? o->threads : anni_threads_per_rank(run->comm);
    run->results = calloc((size_t)o->config->phase_count, sizeof *run->results);
    return run->results ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for a look at a phase");
}

static ann_status open_all(ann_look *look, const ann_look_options *o) {
    const ann_run_config *config = o->config;
    const int index = ann_run_config_find_phase(config, o->phase);
    if (index < 0)
        return ann_error(ANN_ERR_NOT_FOUND, "%s: there is no phase \"%s\"", config->path, o->phase);
    if (config->phases[index].kind == ANN_PHASE_EXPORT)
        return ann_error(ANN_ERR_CONFIG, "phase %s: kind export has no model of its own", o->phase);
    ANN_TRY(open_run(look, o));
    ANN_TRY(anni_phase_open(&look->phase, &look->run, index));
    say_facts(look);
    ANN_TRY(ann_store_new(&look->store, config->seed));
    ANN_TRY(declare(look));
    ANN_TRY(ann_store_commit(look->store));
    return fill(look, o);
}

ann_status ann_look_open(ann_look **out, const ann_look_options *options) {
    ann_kernel_init();
    ann_look *look = *out = calloc(1, sizeof *look);
    if (!look) return ann_error(ANN_ERR_MEMORY, "no memory for a look at a phase");
    const ann_status status = open_all(look, options);
    if (status != ANN_OK) {
        ann_look_close(look);
        *out = NULL;
    }
    return status;
}

void ann_look_close(ann_look *look) {
    if (!look) return;
    ann_store_free(look->store);
    anni_phase_close(&look->phase);
    ann_comm_free(look->run.comm);
    free(look->run.results);
    free(look);
}

/* ---- features ---- */

ann_status ann_look_see(ann_look_view *out, ann_look *look, const ann_dataset *split) {
    *out = (ann_look_view){.inside = calloc(1, sizeof *out->inside)};
    if (!out->inside) return ann_error(ANN_ERR_MEMORY, "no memory for a view of samples");
    ANN_TRY(anni_sight_new(out->inside, &look->phase, split, look->store));
    out->seen = out->inside->view;
    return ANN_OK;
}

void ann_look_view_free(ann_look_view *view) {
    if (view->inside) anni_sight_free(view->inside);
    free(view->inside);
    *view = (ann_look_view){.inside = NULL};
}

/* ---- pictures ---- */

static int64_t elems_of(const anni_phase *phase) {
    return ann_shape_elems(&ann_dataset_field(phase->test, ann_dataset_find(phase->test, "x"))->shape);
}

typedef struct reconstruction {
    float *error, *pictures;
    const int64_t *ids;
    int count;
    int64_t elems;
} reconstruction;

static void take(void *to, const anni_step *step, int64_t at, int64_t count) {
    const reconstruction *r = to;
    const float *pictures = ann_plan_output(step->plan, "picture");
    const size_t row = (size_t)r->elems;
    memcpy(r->error + at, ann_plan_output(step->plan, "error"), (size_t)count * sizeof *r->error);
    for (int i = 0; i < r->count; i++)
        if (r->ids[i] >= at && r->ids[i] < at + count)
            memcpy(r->pictures + (size_t)i * row, pictures + (size_t)(r->ids[i] - at) * row,
                   row * sizeof *pictures);
}

static ann_status reconstruct_graph(ann_graph **out, ann_store *store, const anni_phase *phase, int stage,
                                    int64_t batch) {
    (void)stage;
    ANN_TRY(ann_graph_new(out, store));
    anni_model_reconstruct(*out, phase, batch);
    return anni_graph_check(out, phase);
}

ann_status ann_look_reconstruct(ann_look *look, float *error, const int64_t *ids, int count,
                                float *pictures) {
    reconstruction r = {.ids = ids, .count = count, .elems = elems_of(&look->phase)};
    r.error = error;
    r.pictures = pictures;
    const anni_pass pass = {.dataset = look->phase.test,
                            .count = ann_dataset_samples(look->phase.test),
                            .graph = reconstruct_graph,
                            .take = take,
                            .to = &r};
    return anni_pass_run(&pass, &look->phase, look->store);
}

static ann_status decode(ann_look *look, const ann_graph *graph, float *pictures, const float *codes,
                         size_t code_bytes, size_t picture_bytes) {
    anni_step step;
    void *aligned = NULL;
    ANN_TRY(anni_step_new(&step, &look->phase, graph, (anni_use){.training = false}));
    ann_status status = ann_mem_alloc(&aligned, code_bytes);
    if (status == ANN_OK) {
        memcpy(aligned, codes, code_bytes);
        status = ann_plan_bind(step.plan, "code", aligned);
    }
    if (status == ANN_OK) status = ann_plan_run(step.plan, ANN_OK);
    if (status == ANN_OK) memcpy(pictures, ann_plan_output(step.plan, "picture"), picture_bytes);
    ann_mem_free(aligned, code_bytes);
    anni_step_free(&step);
    return status;
}

ann_status ann_look_decode(ann_look *look, float *pictures, const float *codes, int count) {
    const size_t n = (size_t)count * sizeof *codes;
    ann_graph *graph;
    ANN_TRY(ann_graph_new(&graph, look->store));
    anni_model_decode(graph, &look->phase, count, look->facts.width);
    ann_status status = ann_graph_status(graph);
    if (status == ANN_OK) status = anni_lower(&graph, &look->phase, NULL);
    if (status == ANN_OK)
        status = decode(look, graph, pictures, codes, n * (size_t)look->facts.width,
                        n * (size_t)elems_of(&look->phase));
    ann_graph_free(graph);
    return status;
}
