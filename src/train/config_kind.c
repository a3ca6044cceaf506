/* What the kind of a phase asks of its keys, and what a phase without training takes from the phase that it
   loads from. */
#include "train/config_schema.h"

#include <string.h>
#include "ckpt/tools.h"

/* ---- keys ---- */

/* The keys of kinds that are not trained; NULL ends the list. */
static const char *const evaluate_keys[] = {"name",   "kind",  "after", "model",     "data", "loss",
                                            "target", "input", "load",  "resources", NULL};
static const char *const export_keys[] = {"name", "kind", "after", "load", "file", "resources", NULL};

static bool is_among(const char *key, const char *const *keys) {
    while (*keys && strcmp(*keys, key) != 0) keys++;
    return *keys != NULL;
}

/* No key is given that the kind does not use. */
static ann_status check_used(const ann_phase_config *phase, const char *const *keys) {
    for (int i = 0; i < phase->node->count; i++) {
        const ann_yaml_node *node = phase->node->items[i];
        if (!is_among(node->key, keys))
            return ann_yaml_key_error(node, "kind %s does not use it", ann_phase_kind_name(phase->kind));
    }
    return ANN_OK;
}

static ann_status check_trained(const ann_phase_config *phase) {
    static const char *const needed[] = {"model", "batch", "program"};
    const ann_yaml_node *file = ann_yaml_find(phase->node, "file");
    if (!anni_config_has_own_loss(phase)) ANN_TRY(anni_config_require(SECTION_PHASE, "loss", phase->node));
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        ANN_TRY(anni_config_require(SECTION_PHASE, needed[i], phase->node));
    if (file) return ann_yaml_key_error(file, "it is for kind export");
    if (phase->kind != ANN_PHASE_ADAPT || phase->method.kind != ANN_METHOD_NONE ||
        ann_yaml_find(phase->node, "data"))
        return ANN_OK;
    return ann_yaml_key_error(phase->node,
                              "the key 'data' is missing: kind adapt without a method needs data of its own");
}

static ann_status check_export(const ann_phase_config *phase) {
    ann_ckpt_file_format format;
    ANN_TRY(check_used(phase, export_keys));
    ANN_TRY(anni_config_require(SECTION_PHASE, "load", phase->node));
    ANN_TRY(anni_config_require(SECTION_PHASE, "file", phase->node));
    if (!phase->load_from)
        return ann_yaml_error(ann_yaml_find(phase->node, "load"), "kind export needs 'from' with a phase");
    if (ann_ckpt_file_format_of(&format, phase->export_file)) return ANN_OK;
    return ann_yaml_error(ann_yaml_find(phase->node, "file"),
                          "'%s' has no known format, accepted is a name that ends in .npz, .safetensors or "
                          ".h5",
                          phase->export_file);
}

static ann_status check_resources(const ann_phase_config *phase) {
    const ann_resources_config *r = &phase->resources;
    if (r->nodes == 0 || r->ranks == 0 || r->ranks % r->nodes == 0) return ANN_OK;
    return ann_yaml_error(ann_yaml_find(ann_yaml_find(phase->node, "resources"), "ranks"),
                          "%d ranks cannot be spread evenly over %d nodes", r->ranks, r->nodes);
}

ann_status anni_config_check_keys(const ann_phase_config *phase) {
    ANN_TRY(check_resources(phase));
    if (ann_phase_is_trained(phase->kind)) return check_trained(phase);
    if (phase->kind == ANN_PHASE_EXPORT) return check_export(phase);
    ANN_TRY(check_used(phase, evaluate_keys));
    return anni_config_require(SECTION_PHASE, "load", phase->node);
}

/* ---- what is taken from another phase ---- */

static void take_over(ann_phase_config *phase, const ann_phase_config *from) {
    if (!phase->model) {
        phase->model = from->model;
        phase->model_count = from->model_count;
    }
    if (!ann_yaml_find(phase->node, "loss")) phase->loss = from->loss;
    if (!ann_yaml_find(phase->node, "target")) phase->target = from->target;
    if (!ann_yaml_find(phase->node, "input")) phase->input = from->input;
    if (!phase->data) phase->data = from->data;
}

/* Of a file nothing is known but tensors. */
static ann_status take_from_run(ann_phase_config *phase, const ann_run_config *config) {
    ANN_TRY(anni_config_require(SECTION_PHASE, "model", phase->node));
    ANN_TRY(anni_config_require(SECTION_PHASE, "loss", phase->node));
    if (!phase->data) phase->data = config->data;
    if (phase->data) return ANN_OK;
    return ann_yaml_key_error(phase->node, "the key 'data' is missing, here and at the top level");
}

ann_status anni_config_complete(ann_phase_config *phase, const ann_run_config *config) {
    if (ann_phase_is_trained(phase->kind)) return ANN_OK;
    const int from = phase->load_from ? ann_run_config_find_phase(config, phase->load_from) : -1;
    ann_stage_config *stage = ann_arena_alloc(config->memory->arena, sizeof *stage);
    if (!stage) return ann_error(ANN_ERR_MEMORY, "out of memory while reading a run file");
    *stage = (ann_stage_config){
        .name = phase->kind == ANN_PHASE_EXPORT ? "export" : "evaluate", .train = "*", .node = phase->node};
    phase->program = stage;
    phase->stage_count = 1;
    phase->batch = 1;
    if (!phase->load_from) return take_from_run(phase, config);
    if (from >= 0 && ann_phase_is_trained(config->phases[from].kind)) take_over(phase, &config->phases[from]);
    return ANN_OK; /* else the checks say what is wrong with the name */
}
