/* The checks of a run file that need more than one key. */
#include "train/config_schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "graph/op.h"
#include "train/run_graph.h"

/* The node of map.key, or the map itself if the key was left out. */
static const ann_yaml_node *node_of(const ann_yaml_node *map, const char *key) {
    const ann_yaml_node *node = ann_yaml_find(map, key);
    return node ? node : map;
}

/* ---- layers ---- */

static ann_status check_names(const ann_block_config *block) {
    for (int i = 0; i < block->layer_count; i++)
        for (int j = 0; j < i; j++) {
            const ann_layer_config *a = &block->layers[j], *b = &block->layers[i];
            if (b->name[0] && strcmp(a->name, b->name) == 0)
                return ann_yaml_error(node_of(b->node, "name"),
                                      "the block '%s' has a layer '%s' already, names are unique in a block",
                                      block->name, b->name);
        }
    return ANN_OK;
}

static ann_status check_layer(const ann_layer_config *l) {
    const bool transposed = l->kind == ANN_LAYER_CONV_TRANSPOSE2D;
    for (int i = 0; i < 2 && transposed; i++)
        if (l->output_padding[i] >= l->stride[i])
            return ann_yaml_error(node_of(l->node, "output_padding"),
                                  "the output padding is not smaller than the stride");
    if ((l->kind == ANN_LAYER_CONV2D || transposed) && l->channels % l->groups)
        return ann_yaml_error(node_of(l->node, "groups"), "%lld groups do not divide %lld channels",
                              (long long)l->groups, (long long)l->channels);
    if (l->kind == ANN_LAYER_MAX_POOL && l->kernel[0] * l->kernel[1] > ANN_MAX_POOL_WINDOW)
        return ann_yaml_error(node_of(l->node, "kernel"),
                              "a window of %lld elements is too large, accepted are up to %d",
                              (long long)(l->kernel[0] * l->kernel[1]), ANN_MAX_POOL_WINDOW);
    const bool pool = l->kind == ANN_LAYER_MAX_POOL || l->kind == ANN_LAYER_AVG_POOL;
    if (pool && (l->padding[0] >= l->kernel[0] || l->padding[1] >= l->kernel[1]))
        return ann_yaml_error(node_of(l->node, "padding"), "the padding is not smaller than the kernel");
    if (l->kind == ANN_LAYER_NOISE && l->noise != ANN_NOISE_GAUSSIAN && l->amount > 0.999)
        return ann_yaml_error(node_of(l->node, "amount"),
                              "%g is no probability that %s accepts, which are from 0 to 0.999", l->amount,
                              ann_noise_kind_name(l->noise));
    return ANN_OK;
}

static ann_status check_blocks(const ann_run_config *config) {
    for (int b = 0; b < config->block_count; b++) {
        ANN_TRY(check_names(&config->blocks[b]));
        for (int i = 0; i < config->blocks[b].layer_count; i++)
            ANN_TRY(check_layer(&config->blocks[b].layers[i]));
    }
    return ANN_OK;
}

/* ---- patterns of tensor names ---- */

static const char *const tensor_names[ANN_LAYER_KIND_COUNT][5] = {
    [ANN_LAYER_DENSE] = {"weight", "bias"},
    [ANN_LAYER_CONV2D] = {"weight", "bias"},
    [ANN_LAYER_CONV_TRANSPOSE2D] = {"weight", "bias"},
    [ANN_LAYER_BATCH_NORM] = {"gamma", "beta", "mean", "var"},
    [ANN_LAYER_LAYER_NORM] = {"gamma", "beta"},
};

typedef bool (*name_test)(const void *of, const char *name);

static bool layer_has(const char *block, const ann_layer_config *layer, bool params_only, name_test test,
                      const void *of) {
    for (int t = 0; t < 5 && tensor_names[layer->kind][t]; t++) {
        if (layer->kind == ANN_LAYER_BATCH_NORM && params_only && t >= 2) break; /* running statistics */
        if (t == 1 && !layer->bias && layer->kind != ANN_LAYER_BATCH_NORM) continue;
        char name[320];
        snprintf(name, sizeof name, "%s/%s/%s", block, layer->name, tensor_names[layer->kind][t]);
        if (test(of, name)) return true;
    }
    return false;
}

static bool block_has(const ann_block_config *block, bool params_only, name_test test, const void *of) {
    for (int i = 0; i < block->layer_count; i++)
        if (layer_has(block->name, &block->layers[i], params_only, test, of)) return true;
    return false;
}

static bool is_matched(const void *pattern, const char *name) { return ann_name_matches(pattern, name); }

static bool block_matches(const ann_block_config *block, const char *pattern, bool params_only) {
    return block_has(block, params_only, is_matched, pattern);
}

static bool has_block(const ann_phase_config *phase, const ann_block_config *block) {
    for (int i = 0; i < phase->model_count; i++)
        if (phase->model[i] == block) return true;
    return false;
}

/* The file's contents are looked at when it is loaded; here, that the phase can take anything. */
static ann_status check_load_file(const ann_phase_config *phase, const ann_yaml_node *load) {
    if (access(phase->load_file, R_OK) != 0)
        return ann_yaml_error(node_of(load, "file"), "'%s': %s", phase->load_file, strerror(errno));
    for (int i = 0; i < phase->model_count; i++)
        if (block_matches(phase->model[i], phase->load_tensors, false)) return ANN_OK;
    return ann_yaml_error(node_of(load, "tensors"), "'%s' matches no tensor of '%s'", phase->load_tensors,
                          phase->name);
}

static ann_status check_no_load(const ann_phase_config *phase) {
    if (phase->kind != ANN_PHASE_TRANSFER && phase->kind != ANN_PHASE_ADAPT) return ANN_OK;
    if (phase->kind == ANN_PHASE_ADAPT && phase->method.kind != ANN_METHOD_NONE) return ANN_OK;
    return ann_yaml_error(node_of(phase->node, "kind"),
                          "%s needs 'load: {from: PHASE, tensors: PATTERN}' with an earlier "
                          "phase, or 'load: {file: PATH}'",
                          phase->kind == ANN_PHASE_ADAPT ? "an adaptation" : "a transfer");
}

/* The phase to load from is one that leaves tensors, and the checkpoint one that it keeps. */
static ann_status check_load_from(const ann_run_config *config, const ann_phase_config *phase,
                                  const ann_phase_config *from, const ann_yaml_node *load) {
    if (!ann_phase_is_trained(from->kind))
        return ann_yaml_error(node_of(load, "from"), "'%s' is of kind %s and leaves no tensors", from->name,
                              ann_phase_kind_name(from->kind));
    if (phase->load_checkpoint == ANN_LOAD_BEST && config->checkpoint.best == ANN_BEST_NONE)
        return ann_yaml_error(node_of(load, "checkpoint"),
                              "no best checkpoint is kept: checkpoint.best is none");
    if (phase->load_checkpoint == ANN_LOAD_BEST && from->method.kind == ANN_METHOD_LAYERWISE)
        return ann_yaml_error(node_of(load, "checkpoint"),
                              "each stage of '%s' is tested by an error of its own; accepted is last",
                              from->name);
    return ANN_OK;
}

static ann_status check_load(const ann_run_config *config, int p) {
    const ann_phase_config *phase = &config->phases[p];
    const ann_yaml_node *load = ann_yaml_find(phase->node, "load");
    if (!load) return check_no_load(phase);
    if (!phase->load_from == !phase->load_file)
        return ann_yaml_error(load, "accepted is exactly one of from and file, found %s",
                              phase->load_from ? "both" : "neither");
    if (phase->load_file) return check_load_file(phase, load);
    const int from = ann_run_config_find_phase(config, phase->load_from); /* run_graph.c has checked it */
    ANN_TRY(check_load_from(config, phase, &config->phases[from], load));
    for (int i = 0; i < phase->model_count; i++)
        if (has_block(&config->phases[from], phase->model[i]) &&
            block_matches(phase->model[i], phase->load_tensors, false))
            return ANN_OK;
    return ann_yaml_error(node_of(load, "tensors"), "'%s' matches no tensor that both '%s' and '%s' have",
                          phase->load_tensors, phase->load_from, phase->name);
}

/* ---- losses ---- */

/* The activation behind the last layer that computes anything; *layer is that layer. */
static ann_activation last_activation(const ann_layer_config **layer, const ann_phase_config *phase) {
    const ann_block_config *block = phase->model[phase->model_count - 1];
    *layer = &block->layers[block->layer_count - 1];
    return (*layer)->activation;
}

static ann_status check_target(const ann_phase_config *phase, bool labelled) {
    const ann_yaml_node *target = node_of(phase->node, "target");
    if (phase->target == ANN_TARGET_INPUT) return ANN_OK;
    if (labelled)
        return ann_yaml_error(target, "cross_entropy takes labels by itself; target is for mse and bce");
    if (phase->kind == ANN_PHASE_PRETRAIN)
        return ann_yaml_error(target, "kind pretrain uses no y; accepted is input");
    return ANN_OK;
}

static ann_status check_loss(const ann_phase_config *phase) {
    const ann_yaml_node *loss = node_of(phase->node, "loss");
    const ann_layer_config *last;
    const ann_activation activation = last_activation(&last, phase);
    const bool labelled = phase->loss == ANN_LOSS_CROSS_ENTROPY;
    if (phase->kind == ANN_PHASE_PRETRAIN && labelled)
        return ann_yaml_error(
            loss, "cross_entropy needs labels, and kind pretrain uses none; accepted are mse, bce");
    if (anni_config_has_own_loss(phase)) return ANN_OK;
    ANN_TRY(check_target(phase, labelled));
    if (phase->kind == ANN_PHASE_SUPERVISED && !labelled && phase->target == ANN_TARGET_INPUT)
        return ann_yaml_error(loss,
                              "%s uses no labels, and kind supervised needs them; accepted is cross_entropy, "
                              "or target: y",
                              ann_loss_kind_name(phase->loss));
    if (!labelled && phase->labels)
        return ann_yaml_error(node_of(phase->node, "labels"), "the loss %s uses no labels; accepted is 0",
                              ann_loss_kind_name(phase->loss));
    if (labelled && (activation != ANN_ACTIVATION_NONE ||
                     (last->kind != ANN_LAYER_DENSE && last->kind != ANN_LAYER_FLATTEN &&
                      last->kind != ANN_LAYER_GLOBAL_AVG_POOL)))
        return ann_yaml_error(
            loss,
            "cross_entropy needs a classifier's logits, and the model ends in %s%s%s; accepted "
            "is a dense layer without activation",
            ann_layer_kind_name(last->kind), activation ? " with " : "",
            activation ? ann_activation_name(activation) : "");
    if (phase->loss == ANN_LOSS_BCE && activation != ANN_ACTIVATION_NONE &&
        !anni_config_has_inner_loss(phase))
        return ann_yaml_error(
            loss, "bce takes logits, and the model ends in %s; accepted is a layer without activation",
            ann_activation_name(activation));
    if (phase->loss == ANN_LOSS_BCE && phase->target == ANN_TARGET_INPUT && phase->input != ANN_INPUT_SCALE)
        return ann_yaml_error(loss, "bce needs targets from 0 to 1; accepted with it is input: scale");
    return ANN_OK;
}

/* ---- optimizer and stages ---- */

static ann_status check_optimizer(const ann_phase_config *phase) {
    static const struct {
        const char *key, *kinds;
        unsigned used_by; /* bits of ann_optim_kind */
    } table[] = {
        {"beta1", "adam, adamw", 1u << ANN_OPTIM_ADAM | 1u << ANN_OPTIM_ADAMW},
        {"beta2", "adam, adamw", 1u << ANN_OPTIM_ADAM | 1u << ANN_OPTIM_ADAMW},
        {"eps", "adam, adamw", 1u << ANN_OPTIM_ADAM | 1u << ANN_OPTIM_ADAMW},
        {"momentum", "momentum, nesterov", 1u << ANN_OPTIM_MOMENTUM | 1u << ANN_OPTIM_NESTEROV},
        {"weight_decay", "adamw", 1u << ANN_OPTIM_ADAMW},
    };
    const ann_yaml_node *map = ann_yaml_find(phase->node, "optimizer");
    for (size_t i = 0; map && i < sizeof table / sizeof table[0]; i++) {
        const ann_yaml_node *node = ann_yaml_find(map, table[i].key);
        if (node && !(table[i].used_by >> phase->optimizer.kind & 1))
            return ann_yaml_key_error(node, "%s does not use it; it is for %s",
                                      anni_config_word(SECTION_OPTIMIZER, "kind", (int)phase->optimizer.kind),
                                      table[i].kinds);
    }
    return ANN_OK;
}

static ann_status check_compress(const ann_phase_config *phase) {
    const ann_compress_method method = phase->optimizer.compress.method;
    const struct {
        const char *key, *methods;
        bool used;
    } table[] = {{"fraction", "topk", method == ANN_COMPRESS_TOPK},
                 {"rank", "powersgd", method == ANN_COMPRESS_POWERSGD},
                 {"error_feedback", "bf16, f16, topk, powersgd", method != ANN_COMPRESS_NONE}};
    const ann_yaml_node *map = ann_yaml_find(phase->node, "compress");
    for (size_t i = 0; map && i < sizeof table / sizeof table[0]; i++) {
        const ann_yaml_node *node = ann_yaml_find(map, table[i].key);
        if (node && !table[i].used)
            return ann_yaml_key_error(node, "method %s does not use it; it is for %s",
                                      anni_config_word(SECTION_COMPRESS, "method", (int)method),
                                      table[i].methods);
    }
    return ANN_OK;
}

/* Keys that say nothing with this order. */
static ann_status check_unused(const ann_sampling_config *s, const ann_yaml_node *map) {
    const bool windows = s->order == ANN_ORDER_WINDOW, draws = s->balance != ANN_BALANCE_NONE;
    const struct {
        const char *key, *needs;
        bool good;
    } table[] = {
        {"block", "it is for order: window", windows},
        {"window", "it is for order: window", windows},
        {"shares", "they are for balance: class or source",
         s->balance == ANN_BALANCE_CLASS || s->balance == ANN_BALANCE_SOURCE},
        {"order", "with a balance each sample is drawn, accepted is order: shuffle",
         !draws || s->order == ANN_ORDER_SHUFFLED},
        {"remainder", "with a balance there are no epochs to cut or drop, accepted is carry",
         !draws || s->remainder == ANN_REMAINDER_CARRY},
        {"lanes", "with a balance all ranks read all samples, accepted is 1", !draws || s->lanes == 1},
        {"lanes", "in sequential order a rank's share is no lane, accepted is 1",
         s->order != ANN_ORDER_SEQUENTIAL || s->lanes == 1},
        {"lanes", "lanes need remainder: cut or drop, so that all end together",
         s->remainder != ANN_REMAINDER_CARRY || s->lanes == 1}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const ann_yaml_node *node = ann_yaml_find(map, table[i].key);
        if (node && !table[i].good) return ann_yaml_key_error(node, "%s", table[i].needs);
    }
    return ANN_OK;
}

static ann_status check_sampling(const ann_phase_config *phase) {
    const ann_sampling_config *s = &phase->sampling;
    const ann_yaml_node *map = ann_yaml_find(phase->node, "sampling");
    if (!map) return ANN_OK;
    ANN_TRY(check_unused(s, map));
    if (phase->batch % s->lanes)
        return ann_yaml_error(node_of(map, "lanes"), "%d lanes do not divide a batch of %lld", s->lanes,
                              (long long)phase->batch);
    int64_t sum = 0;
    for (int i = 0; i < s->share_count; i++) sum += s->shares[i];
    if (s->shares && sum == 0) return ann_yaml_error(node_of(map, "shares"), "all shares are 0");
    return ANN_OK;
}

/* What is given for a mode that is off is a mistake. */
static ann_status check_mode_keys(const ann_phase_config *phase) {
    const struct {
        const char *map, *key, *needs;
        bool good;
    } table[] = {
        {"reduction", "shards", "it is for order: invariant", phase->reduction.order != ANN_REDUCTION_ANY},
        {"reduction", "threads", "it is for order: invariant", phase->reduction.order != ANN_REDUCTION_ANY},
        {"sync", "outer_lr", "it needs sync.every", phase->sync.every > 0},
        {"sync", "outer_momentum", "it needs sync.every", phase->sync.every > 0}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const ann_yaml_node *map = ann_yaml_find(phase->node, table[i].map);
        const ann_yaml_node *node = map ? ann_yaml_find(map, table[i].key) : NULL;
        if (node && !table[i].good) return ann_yaml_key_error(node, "%s", table[i].needs);
    }
    return ANN_OK;
}

/* Ways of summing gradients that do not go together. */
static ann_status check_together(const ann_run_config *config, const ann_phase_config *phase) {
    const ann_compress_method method = phase->optimizer.compress.method;
    const bool invariant = phase->reduction.order == ANN_REDUCTION_INVARIANT, apart = phase->sync.every > 0,
               matrices = method == ANN_COMPRESS_POWERSGD, compresses = method != ANN_COMPRESS_NONE,
               rescales = phase->nonfinite_policy == ANN_NONFINITE_RESCALE;
    const struct {
        const char *key, *text;
        bool bad;
    } table[] = {
        {"accumulate", "an invariant reduction has micro-batches of its own, reduction.shards; accepted is 1",
         invariant && phase->accumulate > 1},
        {"sync", "ranks that train apart depend on their number; accepted without an invariant reduction",
         invariant && apart},
        {"compress",
         "what each rank leaves out depends on their number; accepted without an invariant reduction",
         invariant && compresses},
        {"compress", "with comm.zero gradients are sent as they are; accepted is method: none",
         config->comm_zero && compresses},
        {"compress", "ranks that train apart send no gradients; accepted without sync", apart && compresses},
        {"accumulate", "powersgd needs the gradient of one batch; accepted is 1",
         matrices && phase->accumulate > 1},
        {"on_nonfinite", "powersgd takes no scaled gradients; accepted are stop, skip and rollback",
         matrices && rescales},
        {"on_nonfinite", "ranks that train apart learn of it too late; accepted is policy: stop",
         apart && phase->nonfinite_policy != ANN_NONFINITE_STOP}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].bad) return ann_yaml_error(node_of(phase->node, table[i].key), "%s", table[i].text);
    return ANN_OK;
}

static ann_status check_modes(const ann_run_config *config, const ann_phase_config *phase) {
    const int shards = phase->reduction.shards;
    ANN_TRY(check_mode_keys(phase));
    ANN_TRY(check_together(config, phase));
    if (phase->reduction.order != ANN_REDUCTION_INVARIANT) return ANN_OK;
    const ann_yaml_node *reduction = ann_yaml_find(phase->node, "reduction");
    if (shards & (shards - 1))
        return ann_yaml_error(node_of(reduction, "shards"), "%d is no power of two", shards);
    if (phase->batch % shards)
        return ann_yaml_error(node_of(phase->node, "batch"),
                              "%lld samples are no multiple of %d reduction.shards", (long long)phase->batch,
                              shards);
    return ANN_OK;
}

static ann_status check_schedule(const ann_stage_config *stage) {
    const ann_schedule *s = &stage->schedule;
    const ann_yaml_node *map = node_of(stage->node, "schedule");
    const bool periodic = s->kind == ANN_SCHEDULE_STEP || s->kind == ANN_SCHEDULE_EXPONENTIAL;
    if (periodic && s->period_steps == 0)
        return ann_yaml_error(map, "the kind %s needs period_steps",
                              anni_config_word(SECTION_SCHEDULE, "kind", (int)s->kind));
    if (s->final_lr > s->lr) return ann_yaml_error(node_of(map, "final_lr"), "is above lr %g", s->lr);
    return ANN_OK;
}

static bool phase_matches(const ann_phase_config *phase, const char *pattern) {
    for (int i = 0; i < phase->model_count; i++)
        if (block_matches(phase->model[i], pattern, true)) return true;
    for (int i = 0; i < phase->other_count; i++)
        if (block_matches(phase->others[i], pattern, true)) return true;
    return false;
}

typedef struct choice {
    const ann_optim_group *groups;
    int index;
} choice;

/* A parameter is of the first group that matches. */
static bool is_of_group(const void *of, const char *name) {
    const choice *c = of;
    for (int i = 0; i < c->index; i++)
        if (ann_name_matches(c->groups[i].match, name)) return false;
    return ann_name_matches(c->groups[c->index].match, name);
}

/* A method may train blocks beside the model, such as a discriminator. */
static bool group_takes_any(const ann_run_config *config, const ann_phase_config *phase, choice group) {
    const int beside = phase->method.kind == ANN_METHOD_NONE ? 0 : config->block_count;
    for (int i = 0; i < beside; i++)
        if (block_has(&config->blocks[i], true, is_of_group, &group)) return true;
    for (int i = 0; i < phase->model_count; i++)
        if (block_has(phase->model[i], true, is_of_group, &group)) return true;
    return false;
}

/* What is in no group is found when the graph is built. */
static ann_status check_groups(const ann_run_config *config, const ann_phase_config *phase,
                               const ann_stage_config *stage) {
    const ann_yaml_node *list = ann_yaml_find(stage->node, "groups");
    if (!list) return ANN_OK;
    for (int i = 0; i < stage->group_count; i++)
        if (!group_takes_any(config, phase, (choice){stage->groups, i}))
            return ann_yaml_error(ann_yaml_find(list->items[i], "match"),
                                  "'%s' matches no parameter of the model%s", stage->groups[i].match,
                                  i > 0 ? " that is in no group before" : "");
    if (anni_config_method_steps(phase) == 1) return ANN_OK;
    return ann_yaml_error(list, "accepted is without a method of several kinds of steps");
}

static ann_status check_stage(const ann_run_config *config, const ann_phase_config *phase, int index) {
    const ann_stage_config *stage = &phase->program[index];
    for (int i = 0; i < index; i++)
        if (strcmp(phase->program[i].name, stage->name) == 0)
            return ann_yaml_error(node_of(stage->node, "name"), "the phase has a stage '%s' already",
                                  stage->name);
    if ((stage->epochs > 0) == (stage->steps > 0))
        return ann_yaml_error(stage->node, "accepted is exactly one of epochs and steps, found %s",
                              stage->epochs ? "both" : "neither");
    ANN_TRY(check_schedule(stage));
    ANN_TRY(check_groups(config, phase, stage));
    if (phase_matches(phase, stage->train)) return ANN_OK;
    return ann_yaml_error(node_of(stage->node, "train"),
                          "'%s' matches no parameter of the model; they are called "
                          "BLOCK/LAYER/weight, such as %s/%s/weight",
                          stage->train, phase->model[0]->name,
                          phase->model[0]->layers[0].name[0] ? phase->model[0]->layers[0].name : "LAYER");
}

static ann_status check_phase_names(const ann_run_config *config) {
    for (int p = 0; p < config->phase_count; p++) {
        const ann_phase_config *phase = &config->phases[p];
        if (ann_run_config_find_phase(config, phase->name) != p)
            return ann_yaml_error(node_of(phase->node, "name"), "the run has a phase '%s' already",
                                  phase->name);
    }
    return ANN_OK;
}

/* A look at the graph for its mistakes. */
static ann_status check_graph(const ann_run_config *config) {
    ann_run_graph *graph;
    ANN_TRY(ann_run_graph_new(&graph, config));
    ann_run_graph_free(graph);
    return ANN_OK;
}

static ann_status check_phase(const ann_run_config *config, int p) {
    const ann_phase_config *phase = &config->phases[p];
    ANN_TRY(check_load(config, p));
    ANN_TRY(check_loss(phase));
    if (!ann_phase_is_trained(phase->kind)) return ANN_OK;
    ANN_TRY(check_optimizer(phase));
    ANN_TRY(check_compress(phase));
    ANN_TRY(check_sampling(phase));
    ANN_TRY(check_modes(config, phase));
    ANN_TRY(anni_config_check_augment(phase));
    ANN_TRY(anni_config_check_method(config, phase));
    for (int i = 0; i < phase->stage_count; i++) ANN_TRY(check_stage(config, phase, i));
    return ANN_OK;
}

ann_status anni_config_check(const ann_run_config *config) {
    ANN_TRY(check_blocks(config));
    ANN_TRY(check_phase_names(config));
    ANN_TRY(check_graph(config));
    for (int p = 0; p < config->phase_count; p++) ANN_TRY(check_phase(config, p));
    return ANN_OK;
}

const char *ann_phase_kind_name(ann_phase_kind kind) {
    return anni_config_word(SECTION_PHASE, "kind", (int)kind);
}
const char *ann_loss_kind_name(ann_loss_kind kind) {
    return anni_config_word(SECTION_PHASE, "loss", (int)kind);
}
const char *ann_activation_name(ann_activation activation) {
    return anni_config_word(SECTION_ACTIVATION, "kind", (int)activation);
}
const char *ann_noise_kind_name(ann_noise_kind kind) {
    return anni_config_word(SECTION_NOISE_LAYER, "kind", (int)kind);
}
