/* Between a run file's phase and its method: which blocks, which steps, which parameters. */
#include "train/internal.h"

#include <stdio.h>
#include <string.h>

int anni_method_steps(const ann_phase_config *config) {
    const ann_method_info *info = ann_method_info_of(config->method.kind);
    return info ? info->steps : 1;
}

int anni_method_repeats(const ann_phase_config *config, int step) {
    const ann_method_info *info = ann_method_info_of(config->method.kind);
    return info && info->repeats ? info->repeats(&config->method, step) : 1;
}

static unsigned needs_of(const ann_phase_config *config) {
    const ann_method_info *info = ann_method_info_of(config->method.kind);
    return info ? info->needs : 0;
}

/* ---- blocks ---- */

static ann_node apply(const void *of, ann_nn *nn, const char *name, ann_node x) {
    const ann_run_config *config = of;
    for (int i = 0; i < config->block_count; i++)
        if (strcmp(config->blocks[i].name, name) == 0) return anni_model_block(nn, &config->blocks[i], x);
    return ann_graph_fail(nn->graph, ANN_ERR_INTERNAL, "there is no block '%s'", name);
}

/* Names of the phase's model, and the function that applies blocks. */
static void name_blocks(ann_method_blocks *out, const char **names, const ann_run_config *run,
                        const ann_phase_config *config) {
    for (int i = 0; i < config->model_count; i++) names[i] = config->model[i]->name;
    *out = (ann_method_blocks){apply, run, names, config->model_count};
}

void anni_method_trains(char *pattern, size_t size, const ann_phase_config *config, int stage, int step) {
    const ann_method_info *info = ann_method_info_of(config->method.kind);
    const char *names[ANN_MODEL_MAX_BLOCKS], *trained[ANN_METHOD_BLOCKS];
    ann_method_blocks blocks;
    snprintf(pattern, size, "%s", config->program[stage].train);
    if (!info || !info->trains) return;
    name_blocks(&blocks, names, NULL, config);
    ann_method m = {.config = &config->method, .blocks = &blocks, .stage = stage};
    pattern[0] = '\0';
    size_t used = 0;
    const int from = step == ANNI_ALL_STEPS ? 0 : step, to = step == ANNI_ALL_STEPS ? info->steps : step + 1;
    for (m.step = from; m.step < to; m.step++) {
        const int count = info->trains(&m, trained);
        for (int i = 0; i < count && used < size; i++)
            used += (size_t)snprintf(pattern + used, size - used, "%s%s/*", used ? "," : "", trained[i]);
    }
}

int anni_method_feature_blocks(const ann_phase_config *config) {
    if (needs_of(config) & ANN_METHOD_INNER_LOSS) return config->model_count;
    const char *names[ANN_MODEL_MAX_BLOCKS];
    ann_method_blocks blocks;
    name_blocks(&blocks, names, NULL, config);
    return ann_method_feature_blocks(&(ann_method){.config = &config->method, .blocks = &blocks});
}

const ann_method_table *anni_method_table(const ann_phase_config *config) {
    const ann_method_info *info = ann_method_info_of(config->method.kind);
    return info ? info->table : NULL;
}

/* ---- losses ---- */

int anni_method_domains(const ann_phase_config *config) {
    const int sources = config->data->source_count;
    return (needs_of(config) & ANN_METHOD_APART) && sources > 1 ? sources : 0;
}

bool anni_method_has_two_views(const ann_phase_config *config) {
    return needs_of(config) & ANN_METHOD_TWO_VIEWS;
}

bool anni_method_has_target(const ann_phase_config *config) {
    return (needs_of(config) & (ANN_METHOD_TARGET | ANN_METHOD_ADAPTS)) && config->data->source_count > 1;
}

bool anni_method_evaluates(const ann_phase_config *config) {
    const ann_method_info *info = ann_method_info_of(config->method.kind);
    return info && info->evaluate;
}

bool anni_method_reconstructs(const ann_phase_config *config) {
    const unsigned otherwise = needs_of(config) & (ANN_METHOD_OWN_LOSS | ANN_METHOD_INNER_LOSS);
    return !otherwise && !anni_model_has_labels(config) && config->target == ANN_TARGET_INPUT;
}

bool anni_method_has_prior(const ann_phase_config *config) {
    const ann_method_info *info = ann_method_info_of(config->method.kind);
    return info && info->code;
}

ann_node anni_method_code(ann_nn *nn, const ann_phase_config *config, ann_node features) {
    if (!anni_method_has_prior(config) || !ann_node_is(features)) return features;
    const ann_method m = {
        .config = &config->method, .nn = nn, .local = ann_node_shape(nn->graph, features)->dim[0]};
    return ann_method_info_of(config->method.kind)->code(&m, features);
}

bool anni_method_is_tested(const ann_phase_config *config) {
    return !(needs_of(config) & ANN_METHOD_OWN_LOSS) || anni_method_evaluates(config);
}

static ann_node make(ann_method *m, const anni_phase *phase, ann_node (*what)(ann_method *m)) {
    const char *names[ANN_MODEL_MAX_BLOCKS];
    ann_method_blocks blocks;
    name_blocks(&blocks, names, phase->run->config, phase->config);
    m->config = &phase->config->method;
    m->blocks = &blocks;
    m->likeness = phase->config->loss == ANN_LOSS_BCE ? ANN_METHOD_BCE : ANN_METHOD_SQUARED;
    return what(m);
}

ann_node anni_method_build(ann_method *m, const anni_phase *phase) {
    return make(m, phase, ann_method_build);
}
ann_node anni_method_evaluate(ann_method *m, const anni_phase *phase) {
    return make(m, phase, ann_method_evaluate);
}
