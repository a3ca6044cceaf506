#include "train/config_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "ckpt/ckpt.h"
#include "train/cadence.h"

static ann_status out_of_memory(void) {
    return ann_error(ANN_ERR_MEMORY, "out of memory while reading a run file");
}

/* A zeroed array of n items in the config's arena; NULL when memory is exhausted. */
static void *new_array(const ann_run_config *config, int n, size_t item_bytes) {
    return ann_arena_alloc(config->memory->arena, (size_t)n * item_bytes);
}

/* The non-empty list or map at map.key, which section checks have found to be there. */
static ann_status get_items(const ann_yaml_node **out, const ann_yaml_node *map, const char *key,
                            ann_yaml_kind kind, const char *what) {
    *out = ann_yaml_find(map, key);
    ANN_TRY(ann_yaml_expect(*out, kind));
    if ((*out)->count) return ANN_OK;
    return ann_yaml_error(*out, "is empty, accepted is at least one %s", what);
}

/* ---- blocks ---- */

static ann_status find_layer_kind(ann_layer_kind *out, const ann_yaml_node *node) {
    const char *names[ANN_LAYER_KIND_COUNT];
    for (int k = 0; k < ANN_LAYER_KIND_COUNT; k++) {
        names[k] = ann_layer_kind_name((ann_layer_kind)k);
        *out = (ann_layer_kind)k;
        if (strcmp(names[k], node->key) == 0) return ANN_OK;
    }
    const char *nearest = ann_nearest_word(node->key, names, ANN_LAYER_KIND_COUNT);
    if (nearest) return ann_yaml_key_error(node, "unknown layer, did you mean '%s'?", nearest);
    return ann_yaml_key_error(
        node,
        "unknown layer, accepted are: dense, conv2d, conv_transpose2d, max_pool, avg_pool, global_avg_pool, "
        "flatten, unflatten, upsample, batch_norm, layer_norm, dropout, noise, activation");
}

static ann_status read_layer(ann_layer_config *layer, const ann_yaml_node *item) {
    ANN_TRY(ann_yaml_expect(item, ANN_YAML_MAP));
    if (item->count != 1)
        return ann_yaml_error(item, "a layer is a map of one kind, such as dense: {name: fc1, units: 64}");
    const ann_yaml_node *node = item->items[0];
    ANN_TRY(find_layer_kind(&layer->kind, node));
    layer->name = "";
    layer->node = node;
    ANN_TRY(anni_config_section((section_id)(SECTION_DENSE + (int)layer->kind), node, layer));
    if (!layer->groups) layer->groups = 1;
    if (layer->kind == ANN_LAYER_DENSE) layer->bias = true;
    for (int i = 0; i < 2; i++) {
        if (!layer->stride[i]) layer->stride[i] = layer->kernel[i];
        if (!layer->dilation[i] && layer->kernel[i]) layer->dilation[i] = 1;
    }
    if (layer->slope <= 0) layer->slope = 0.01; /* of dense and conv2d, which have no key for it */
    if (layer->alpha <= 0) layer->alpha = 1.0;
    return ANN_OK;
}

static ann_status read_block(ann_block_config *block, const ann_run_config *config,
                             const ann_yaml_node *node) {
    ANN_TRY(ann_yaml_expect(node, ANN_YAML_LIST));
    if (!node->count) return ann_yaml_error(node, "is empty, accepted is at least one layer");
    ann_layer_config *layers = new_array(config, node->count, sizeof *layers);
    if (!layers) return out_of_memory();
    for (int i = 0; i < node->count; i++) ANN_TRY(read_layer(&layers[i], node->items[i]));
    *block = (ann_block_config){.name = node->key, .layers = layers, .layer_count = node->count};
    return ANN_OK;
}

static ann_status read_blocks(ann_run_config *config, const ann_yaml_node *root) {
    const ann_yaml_node *models;
    ANN_TRY(get_items(&models, root, "models", ANN_YAML_MAP, "block"));
    ann_block_config *blocks = new_array(config, models->count, sizeof *blocks);
    if (!blocks) return out_of_memory();
    for (int i = 0; i < models->count; i++) ANN_TRY(read_block(&blocks[i], config, models->items[i]));
    config->blocks = blocks;
    config->block_count = models->count;
    return ANN_OK;
}

/* ---- phases ---- */

ann_status anni_config_find_block(const ann_block_config **out, const ann_run_config *config,
                                  const ann_yaml_node *node) {
    const char *name;
    ANN_TRY(ann_yaml_string(node, &name));
    for (int i = 0; i < config->block_count; i++) {
        *out = &config->blocks[i];
        if (strcmp((*out)->name, name) == 0) return ANN_OK;
    }
    const char **names = new_array(config, config->block_count, sizeof *names);
    if (!names) return out_of_memory();
    for (int i = 0; i < config->block_count; i++) names[i] = config->blocks[i].name;
    const char *nearest = ann_nearest_word(name, names, config->block_count);
    return ann_yaml_error(node, "there is no block '%s' in models%s%s%s", name,
                          nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static ann_status read_model(ann_phase_config *phase, const ann_run_config *config,
                             const ann_yaml_node *map) {
    const ann_yaml_node *list;
    if (!ann_yaml_find(map, "model")) return ANN_OK; /* config_kind.c says of which kinds */
    ANN_TRY(get_items(&list, map, "model", ANN_YAML_LIST, "block"));
    if (list->count > ANN_MODEL_MAX_BLOCKS)
        return ann_yaml_error(list, "has %d blocks, accepted are up to %d", list->count,
                              ANN_MODEL_MAX_BLOCKS);
    const ann_block_config **model = new_array(config, list->count, sizeof *model);
    if (!model) return out_of_memory();
    for (int i = 0; i < list->count; i++) ANN_TRY(anni_config_find_block(&model[i], config, list->items[i]));
    phase->model = model;
    phase->model_count = list->count;
    return ANN_OK;
}

static ann_status read_shares(ann_sampling_config *sampling, const ann_run_config *config,
                              const ann_yaml_node *phase) {
    const ann_yaml_node *map = ann_yaml_find(phase, "sampling");
    if (!map || !ann_yaml_find(map, "shares")) return ANN_OK;
    const ann_yaml_node *list;
    ANN_TRY(get_items(&list, map, "shares", ANN_YAML_LIST, "share"));
    int64_t *shares = new_array(config, list->count, sizeof *shares);
    if (!shares) return out_of_memory();
    for (int i = 0; i < list->count; i++) {
        const bool number = ann_yaml_int(list->items[i], &shares[i]) == ANN_OK;
        if (!number || shares[i] < 0 || shares[i] > 1000000)
            return ann_yaml_error(list->items[i], "accepted is an integer from 0 to 1000000");
    }
    sampling->shares = shares;
    sampling->share_count = list->count;
    return ANN_OK;
}

static ann_status read_rename_map(ann_rename *rules, int *count, const ann_yaml_node *map) {
    ANN_TRY(ann_yaml_expect(map, ANN_YAML_MAP));
    for (int i = 0; i < map->count; i++) {
        ann_rename *rule = &rules[(*count)++];
        rule->from = map->items[i]->key;
        ANN_TRY(ann_yaml_string(map->items[i], &rule->to));
        if (!ann_rename_is_good(rule))
            return ann_yaml_error(
                map->items[i], "accepted is a name with as many '*' as its key has, or fewer, and at most %d",
                ANN_RENAME_STARS);
    }
    return ANN_OK;
}

/* A map of names, or a list of maps where their order matters to the reader. */
static ann_status read_rename(ann_phase_config *phase, const ann_run_config *config,
                              const ann_yaml_node *map) {
    const ann_yaml_node *load = ann_yaml_find(map, "load"),
                        *node = load ? ann_yaml_find(load, "rename") : NULL;
    if (!node) return ANN_OK;
    const bool list = node->kind == ANN_YAML_LIST;
    int room = list ? 0 : node->count, count = 0;
    for (int i = 0; list && i < node->count; i++) room += node->items[i]->count;
    ann_rename *rules = new_array(config, room + 1, sizeof *rules);
    if (!rules) return out_of_memory();
    if (!list) ANN_TRY(read_rename_map(rules, &count, node));
    for (int i = 0; list && i < node->count; i++) ANN_TRY(read_rename_map(rules, &count, node->items[i]));
    phase->load_rename = rules;
    phase->load_rename_count = count;
    return ANN_OK;
}

static ann_status read_groups(ann_stage_config *stage, const ann_run_config *config) {
    const ann_yaml_node *list;
    if (!ann_yaml_find(stage->node, "groups")) return ANN_OK;
    ANN_TRY(get_items(&list, stage->node, "groups", ANN_YAML_LIST, "group"));
    ann_optim_group *groups = new_array(config, list->count, sizeof *groups);
    if (!groups) return out_of_memory();
    for (int i = 0; i < list->count; i++) {
        ANN_TRY(anni_config_section(SECTION_GROUP, list->items[i], &groups[i]));
        groups[i].name = ann_arena_printf(config->memory->arena, "group%d", i + 1);
        if (!groups[i].name) return out_of_memory();
    }
    stage->groups = groups;
    stage->group_count = list->count;
    return ANN_OK;
}

static ann_status read_program(ann_phase_config *phase, const ann_run_config *config,
                               const ann_yaml_node *map) {
    const ann_yaml_node *list;
    if (!ann_yaml_find(map, "program")) return ANN_OK;
    ANN_TRY(get_items(&list, map, "program", ANN_YAML_LIST, "stage"));
    ann_stage_config *stages = new_array(config, list->count, sizeof *stages);
    if (!stages) return out_of_memory();
    for (int i = 0; i < list->count; i++) {
        ANN_TRY(anni_config_section(SECTION_STAGE, list->items[i], &stages[i]));
        stages[i].node = list->items[i];
        if (!stages[i].name) stages[i].name = ann_arena_printf(config->memory->arena, "stage%d", i + 1);
        if (!stages[i].name) return out_of_memory();
        ANN_TRY(read_groups(&stages[i], config));
    }
    phase->program = stages;
    phase->stage_count = list->count;
    return ANN_OK;
}

static ann_status read_data(ann_phase_config *phase, const ann_run_config *config, const ann_yaml_node *map) {
    const ann_yaml_node *own = ann_yaml_find(map, "data");
    phase->data = ann_phase_is_trained(phase->kind) ? config->data : NULL;
    if (own) return anni_config_data(&phase->data, config, own);
    if (phase->data || !ann_phase_is_trained(phase->kind)) return ANN_OK;
    return ann_yaml_key_error(map, "the key 'data' is missing, here and at the top level");
}

static ann_status read_after(ann_phase_config *phase, const ann_run_config *config,
                             const ann_yaml_node *map) {
    const ann_yaml_node *list = ann_yaml_find(map, "after");
    if (!list) return ANN_OK;
    ANN_TRY(ann_yaml_expect(list, ANN_YAML_LIST));
    const char **names = new_array(config, list->count + 1, sizeof *names);
    if (!names) return out_of_memory();
    for (int i = 0; i < list->count; i++) ANN_TRY(ann_yaml_string(list->items[i], &names[i]));
    phase->after = names;
    phase->after_count = list->count;
    return ANN_OK;
}

static ann_status read_phases(ann_run_config *config, const ann_yaml_node *root) {
    const ann_yaml_node *list;
    ANN_TRY(get_items(&list, root, "phases", ANN_YAML_LIST, "phase"));
    ann_phase_config *phases = new_array(config, list->count, sizeof *phases);
    if (!phases) return out_of_memory();
    for (int i = 0; i < list->count; i++) {
        ANN_TRY(anni_config_section(SECTION_PHASE, list->items[i], &phases[i]));
        phases[i].node = list->items[i];
        ANN_TRY(anni_config_method(&phases[i], config, list->items[i]));
        ANN_TRY(anni_config_check_keys(&phases[i]));
        ANN_TRY(read_after(&phases[i], config, list->items[i]));
        ANN_TRY(read_data(&phases[i], config, list->items[i]));
        ANN_TRY(read_model(&phases[i], config, list->items[i]));
        ANN_TRY(read_rename(&phases[i], config, list->items[i]));
        ANN_TRY(read_shares(&phases[i].sampling, config, list->items[i]));
        ANN_TRY(anni_config_augment(&phases[i], config, list->items[i]));
        ANN_TRY(read_program(&phases[i], config, list->items[i]));
        ANN_TRY(anni_config_stop(&phases[i], list->items[i]));
    }
    config->phases = phases;
    config->phase_count = list->count;
    for (int i = 0; i < list->count; i++) ANN_TRY(anni_config_complete(&phases[i], config));
    return ANN_OK;
}

/* ---- checkpoints ---- */

static ann_status read_every(ann_cadence *out, const ann_yaml_node *node) {
    char found[128];
    if (!node || (node->kind == ANN_YAML_SCALAR && anni_cadence_parse(out, node->text))) return ANN_OK;
    return ann_yaml_error(node,
                          "found %s, accepted is a number of steps, epochs, s, min or h, such as 500 steps "
                          "or 10 min; or auto, or never",
                          ann_yaml_describe(found, sizeof found, node));
}

static ann_status read_writers(int *out, const ann_yaml_node *node) {
    char found[128];
    int64_t number;
    *out = ANN_CKPT_EACH_RANK;
    if (!node || (node->kind == ANN_YAML_SCALAR && strcmp(node->text, "rank") == 0)) return ANN_OK;
    *out = ANN_CKPT_EACH_NODE;
    if (node->kind == ANN_YAML_SCALAR && strcmp(node->text, "node") == 0) return ANN_OK;
    if (ann_yaml_int(node, &number) == ANN_OK && number >= 1 && number <= 1000000) {
        *out = (int)number;
        return ANN_OK;
    }
    return ann_yaml_error(node, "found %s, accepted is a number of ranks from 1, or rank, or node",
                          ann_yaml_describe(found, sizeof found, node));
}

static ann_status read_checkpoint(ann_checkpoint_config *c, const ann_yaml_node *map) {
    if (!map) return ANN_OK;
    ANN_TRY(read_every(&c->every, ann_yaml_find(map, "every")));
    return read_writers(&c->writers, ann_yaml_find(map, "writers"));
}

/* ---- the whole ---- */

static ann_status read_run(ann_run_config *config, const char *const *sets, int set_count) {
    ann_yaml *yaml = config->memory->yaml;
    ANN_TRY(ann_yaml_expect(ann_yaml_root(yaml), ANN_YAML_MAP));
    for (int i = 0; i < set_count; i++) ANN_TRY(ann_yaml_set(yaml, sets[i]));
    const ann_yaml_node *root = ann_yaml_root(yaml);
    ANN_TRY(anni_config_section(SECTION_RUN, root, config));
    ANN_TRY(read_checkpoint(&config->checkpoint, ann_yaml_find(root, "checkpoint")));
    const ann_yaml_node *data = ann_yaml_find(root, "data");
    if (data) ANN_TRY(anni_config_data(&config->data, config, data));
    ANN_TRY(read_blocks(config, root));
    ANN_TRY(read_phases(config, root));
    config->text = ann_yaml_text(yaml);
    config->hash = ann_hash_str(config->text);
    config->path = root->source;
    return anni_config_check(config);
}

/* Takes over `yaml`, whatever the outcome. */
static ann_status load_from(ann_run_config **out, ann_yaml *yaml, const char *const *sets, int set_count) {
    *out = NULL;
    ann_run_config *config = calloc(1, sizeof *config);
    if (config) config->memory = calloc(1, sizeof *config->memory);
    if (!config || !config->memory) {
        free(config);
        ann_yaml_free(yaml);
        return out_of_memory();
    }
    config->memory->yaml = yaml;
    ann_status status = ann_arena_new(&config->memory->arena);
    if (status == ANN_OK) status = read_run(config, sets, set_count);
    if (status != ANN_OK) {
        ann_run_config_free(config);
        return status;
    }
    *out = config;
    return ANN_OK;
}

ann_status ann_run_config_load(ann_run_config **out, const char *path, const char *const *sets,
                               int set_count) {
    *out = NULL;
    ann_yaml *yaml;
    ANN_TRY(ann_yaml_load(&yaml, path));
    return load_from(out, yaml, sets, set_count);
}

ann_status ann_run_config_parse(ann_run_config **out, const char *source, const char *text,
                                const char *const *sets, int set_count) {
    *out = NULL;
    ann_yaml *yaml;
    ANN_TRY(ann_yaml_parse(&yaml, source, text));
    return load_from(out, yaml, sets, set_count);
}

void ann_run_config_free(ann_run_config *config) {
    if (!config) return;
    ann_arena_free(config->memory->arena);
    ann_yaml_free(config->memory->yaml);
    free(config->memory);
    free(config);
}

int ann_run_config_find_phase(const ann_run_config *config, const char *name) {
    for (int i = 0; i < config->phase_count; i++)
        if (strcmp(config->phases[i].name, name) == 0) return i;
    return -1;
}

const char *ann_layer_kind_name(ann_layer_kind kind) {
    return anni_config_section_path((section_id)(SECTION_DENSE + (int)kind));
}
