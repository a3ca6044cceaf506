/* phases[].method: reading and checks. */
#include "train/config_schema.h"

#include <string.h>
#include "train/internal.h"

/* The sections stand in the order of the kinds. */
static section_id section_of(ann_method_kind kind) {
    return (section_id)(SECTION_METHOD_SPARSE + (int)kind - 1);
}

static ann_status find_kind(ann_method_kind *out, const ann_yaml_node *node) {
    const char *names[ANN_METHOD_COUNT];
    for (int k = 1; k < ANN_METHOD_COUNT; k++) {
        *out = (ann_method_kind)k;
        names[k - 1] = ann_method_info_of(*out)->name;
        if (strcmp(names[k - 1], node->key) == 0) return ANN_OK;
    }
    const char *nearest = ann_nearest_word(node->key, names, ANN_METHOD_COUNT - 1);
    return ann_yaml_key_error(node, "unknown method%s%s%s; annulus train --help lists them",
                              nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* The blocks that the method names, but `features`, which is one of the model's. */
static ann_status find_others(ann_phase_config *phase, const ann_run_config *config,
                              const ann_yaml_node *map) {
    static const char *const keys[] = {"discriminator", "decoder", "projector",
                                       "predictor",     "second",  "teacher"};
    enum { KEYS = sizeof keys / sizeof keys[0] };
    const ann_yaml_node *decoders = ann_yaml_find(map, "decoders");
    const int room = KEYS + phase->method.decoder_count;
    const ann_block_config **others = ann_arena_alloc(config->memory->arena, (size_t)room * sizeof *others);
    if (!others) return ann_error(ANN_ERR_MEMORY, "out of memory while reading a run file");
    int n = 0;
    for (int i = 0; i < KEYS; i++) {
        const ann_yaml_node *node = ann_yaml_find(map, keys[i]);
        if (node) ANN_TRY(anni_config_find_block(&others[n++], config, node));
    }
    for (int i = 0; i < phase->method.decoder_count; i++)
        ANN_TRY(anni_config_find_block(&others[n++], config, decoders->items[i]));
    phase->others = others;
    phase->other_count = n;
    return ANN_OK;
}

ann_status anni_config_method(ann_phase_config *phase, const ann_run_config *config,
                              const ann_yaml_node *map) {
    const ann_yaml_node *node = ann_yaml_find(map, "method");
    if (!node) return ANN_OK;
    ANN_TRY(ann_yaml_expect(node, ANN_YAML_MAP));
    if (node->count != 1)
        return ann_yaml_error(node, "a method is a map of one, such as dann: {discriminator: domain}");
    ANN_TRY(find_kind(&phase->method.kind, node->items[0]));
    ANN_TRY(anni_config_section(section_of(phase->method.kind), node->items[0], &phase->method));
    ANN_TRY(anni_config_decoders(phase, config, node->items[0]));
    return find_others(phase, config, node->items[0]);
}

static unsigned needs_of(const ann_phase_config *phase) {
    const ann_method_info *info = ann_method_info_of(phase->method.kind);
    return info ? info->needs : 0;
}

int anni_config_method_steps(const ann_phase_config *phase) {
    const ann_method_info *info = ann_method_info_of(phase->method.kind);
    return info ? info->steps : 1;
}

bool anni_config_has_own_loss(const ann_phase_config *phase) { return needs_of(phase) & ANN_METHOD_OWN_LOSS; }
bool anni_config_has_inner_loss(const ann_phase_config *phase) {
    return needs_of(phase) & ANN_METHOD_INNER_LOSS;
}

void anni_method_facts(FILE *out, const ann_phase_config *phase) {
    const ann_method_config *method = &phase->method;
    if (method->kind == ANN_METHOD_NONE) return;
    fprintf(out, "phases.%s.method = %s", phase->name, ann_method_info_of(method->kind)->name);
    anni_config_write(out, section_of(method->kind), method);
    for (int i = 0; i < method->decoder_count; i++) fprintf(out, " decoder %s", method->decoders[i]);
    fprintf(out, "\n");
}

/* ---- checks ---- */

/* A key that says nothing as the others stand. */
static ann_status check_unused(const ann_method_config *method, const ann_yaml_node *map) {
    const bool rbm = method->layer == ANN_METHOD_RBM;
    const struct {
        ann_method_kind kind;
        const char *key, *needs;
        bool good;
    } table[] = {
        {ANN_METHOD_CONTRACTIVE, "probes", "it is for form: gradient", method->form == ANN_METHOD_GRADIENT},
        {ANN_METHOD_LAYERWISE, "noise", "it is for layer: denoising", method->layer == ANN_METHOD_DENOISING},
        {ANN_METHOD_LAYERWISE, "decoders", "a Boltzmann machine decodes by its own weights", !rbm},
        {ANN_METHOD_LAYERWISE, "gibbs_steps", "it is for layer: rbm", rbm},
        {ANN_METHOD_LAYERWISE, "persistent", "it is for layer: rbm", rbm}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const ann_yaml_node *node = ann_yaml_find(map, table[i].key);
        if (node && method->kind == table[i].kind && !table[i].good)
            return ann_yaml_key_error(node, "%s", table[i].needs);
    }
    return ANN_OK;
}

static ann_status check_features(const ann_phase_config *phase, const ann_yaml_node *map) {
    const ann_yaml_node *node = ann_yaml_find(map, "features");
    if (!node) return ANN_OK;
    for (int i = 0; i < phase->model_count; i++)
        if (strcmp(phase->model[i]->name, phase->method.features) == 0) return ANN_OK;
    return ann_yaml_error(node, "'%s' is no block of the phase's model", phase->method.features);
}

static ann_status check_needs(const ann_phase_config *phase, const ann_yaml_node *node) {
    const unsigned needs = needs_of(phase);
    const bool labelled = phase->loss == ANN_LOSS_CROSS_ENTROPY;
    if ((needs & ANN_METHOD_PRETRAIN) && phase->kind != ANN_PHASE_PRETRAIN)
        return ann_yaml_key_error(node, "it is for kind pretrain");
    if ((needs & ANN_METHOD_TWO_VIEWS) && phase->augment_count == 0)
        return ann_yaml_key_error(node, "it compares two views of each sample; accepted is with augment");
    if ((needs & ANN_METHOD_OWN_LOSS) && ann_yaml_find(phase->node, "loss"))
        return ann_yaml_key_error(node, "it has a loss of its own; accepted is without loss");
    if ((needs & ANN_METHOD_LABELS) && !labelled)
        return ann_yaml_key_error(node, "it needs labels; accepted with it is loss: cross_entropy");
    if ((needs & ANN_METHOD_TARGET) && phase->data->source_count < 2)
        return ann_yaml_key_error(
            node, "it needs a target domain: data.sources with at least two files, of which the last "
                  "one is the target");
    return ANN_OK;
}

/* Its statistics are over whole batches of all ranks. */
static ann_status check_modes(const ann_run_config *config, const ann_phase_config *phase,
                              const ann_yaml_node *node) {
    const struct {
        const char *what;
        bool bad;
    } table[] = {{"accumulate", phase->accumulate > 1},
                 {"an invariant reduction", phase->reduction.order == ANN_REDUCTION_INVARIANT},
                 {"sync.every", phase->sync.every > 0},
                 {"compress", phase->optimizer.compress.method != ANN_COMPRESS_NONE &&
                                  anni_config_method_steps(phase) > 1},
                 {"comm.zero", config->comm_zero && anni_config_method_steps(phase) > 1}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].bad) return ann_yaml_key_error(node, "accepted is without %s", table[i].what);
    return ANN_OK;
}

ann_status anni_config_check_method(const ann_run_config *config, const ann_phase_config *phase) {
    if (phase->method.kind == ANN_METHOD_NONE) return ANN_OK;
    const ann_yaml_node *node = ann_yaml_find(phase->node, "method")->items[0];
    ANN_TRY(check_unused(&phase->method, node));
    ANN_TRY(check_features(phase, node));
    ANN_TRY(check_needs(phase, node));
    if (phase->method.kind == ANN_METHOD_LAYERWISE) ANN_TRY(anni_config_check_layerwise(config, phase, node));
    return check_modes(config, phase, node);
}
