/* phases[].method.layerwise: its decoders, and what it asks of the phase. */
#include "train/config_schema.h"

ann_status anni_config_decoders(ann_phase_config *phase, const ann_run_config *config,
                                const ann_yaml_node *node) {
    const ann_yaml_node *list = ann_yaml_find(node, "decoders");
    if (phase->method.kind != ANN_METHOD_LAYERWISE || !list) return ANN_OK;
    ANN_TRY(ann_yaml_expect(list, ANN_YAML_LIST));
    const char **names = ann_arena_alloc(config->memory->arena, (size_t)(list->count + 1) * sizeof *names);
    if (!names) return ann_error(ANN_ERR_MEMORY, "out of memory while reading a run file");
    for (int i = 0; i < list->count; i++) {
        const ann_block_config *block;
        ANN_TRY(anni_config_find_block(&block, config, list->items[i]));
        names[i] = block->name;
    }
    phase->method.decoders = names;
    phase->method.decoder_count = list->count;
    return ANN_OK;
}

/* What is compared with values from 0 to 1 comes from a layer without activation. */
static ann_status check_decoder(const ann_run_config *config, const ann_phase_config *phase,
                                const ann_yaml_node *node) {
    const ann_block_config *block;
    ANN_TRY(anni_config_find_block(&block, config, node));
    const ann_activation activation = block->layers[block->layer_count - 1].activation;
    if (phase->loss != ANN_LOSS_BCE || activation == ANN_ACTIVATION_NONE) return ANN_OK;
    return ann_yaml_error(node,
                          "bce takes logits, and '%s' ends in %s; accepted is a layer without activation",
                          block->name, ann_activation_name(activation));
}

static ann_status check_decoders(const ann_run_config *config, const ann_phase_config *phase,
                                 const ann_yaml_node *node) {
    const ann_yaml_node *list = ann_yaml_find(node, "decoders");
    if (phase->method.layer == ANN_METHOD_RBM) return ANN_OK;
    if (phase->method.decoder_count != phase->model_count)
        return ann_yaml_error(list ? list : node,
                              "accepted is a decoder for each of the model's %d blocks, found %d",
                              phase->model_count, phase->method.decoder_count);
    for (int i = 0; i < list->count; i++) ANN_TRY(check_decoder(config, phase, list->items[i]));
    return ANN_OK;
}

static ann_status check_stages(const ann_phase_config *phase, const ann_yaml_node *program) {
    if (phase->stage_count != phase->model_count)
        return ann_yaml_error(program, "accepted is a stage for each of the model's %d blocks, found %d",
                              phase->model_count, phase->stage_count);
    for (int i = 0; i < phase->stage_count; i++) {
        const ann_yaml_node *train = ann_yaml_find(phase->program[i].node, "train");
        if (train)
            return ann_yaml_key_error(train, "layerwise trains block '%s' in this stage; accepted is without",
                                      phase->model[i]->name);
    }
    return ANN_OK;
}

ann_status anni_config_check_layerwise(const ann_run_config *config, const ann_phase_config *phase,
                                       const ann_yaml_node *node) {
    const ann_yaml_node *noise = ann_yaml_find(phase->node, "noise");
    ANN_TRY(check_stages(phase, ann_yaml_find(phase->node, "program")));
    if (noise && (phase->mask_noise > 0 || phase->gaussian_noise > 0 || phase->salt_pepper > 0))
        return ann_yaml_key_error(noise, "layerwise adds its own to the input of each layer, with layer: "
                                         "denoising");
    if (phase->stop.early.on || phase->stop.target.on)
        return ann_yaml_key_error(node, "each stage is tested by an error of its own; accepted is without "
                                        "stop.early and stop.target");
    if (phase->method.layer == ANN_METHOD_RBM && phase->input != ANN_INPUT_SCALE)
        return ann_yaml_key_error(node, "a Boltzmann machine needs inputs from 0 to 1; accepted with it is "
                                        "input: scale");
    return check_decoders(config, phase, node);
}
