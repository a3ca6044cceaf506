/* phases[].stop and phases[].choice: reading and checks. */
#include "train/cadence.h"
#include "train/config_schema.h"

static ann_status read_every(ann_stop_config *stop, const ann_yaml_node *node) {
    char found[128];
    ann_cadence c = {.kind = ANN_CADENCE_EPOCHS, .count = 1};
    const bool good = !node || (node->kind == ANN_YAML_SCALAR && anni_cadence_parse(&c, node->text));
    if (!good || (c.kind != ANN_CADENCE_STEPS && c.kind != ANN_CADENCE_EPOCHS))
        return ann_yaml_error(
            node, "found %s, accepted is a number of steps or epochs, such as 500 steps or 1 epoch",
            ann_yaml_describe(found, sizeof found, node));
    stop->every_steps = c.kind == ANN_CADENCE_STEPS ? c.count : 0;
    stop->every_epochs = c.kind == ANN_CADENCE_EPOCHS ? c.count : 0;
    return ANN_OK;
}

static ann_status read_wall_time(ann_stop_config *stop, const ann_yaml_node *node) {
    char found[128];
    ann_cadence c;
    if (!node) return ANN_OK;
    if (node->kind != ANN_YAML_SCALAR || !anni_cadence_parse(&c, node->text) || c.kind != ANN_CADENCE_SECONDS)
        return ann_yaml_error(node, "found %s, accepted is a number of s, min or h, such as 30 min",
                              ann_yaml_describe(found, sizeof found, node));
    stop->wall_time_s = c.seconds;
    return ANN_OK;
}

/* Only a classifier has an accuracy, and it is a share. */
static ann_status check_metric(const ann_phase_config *phase, const ann_yaml_node *map,
                               ann_stop_metric metric) {
    if (metric == ANN_STOP_TEST_ACCURACY && phase->loss != ANN_LOSS_CROSS_ENTROPY)
        return ann_yaml_error(ann_yaml_find(map, "metric"),
                              "the loss %s uses no labels, so there is no accuracy; accepted is test_loss",
                              ann_loss_kind_name(phase->loss));
    return ANN_OK;
}

static ann_status check_target(const ann_phase_config *phase, const ann_yaml_node *map) {
    const ann_stop_config *stop = &phase->stop;
    ANN_TRY(check_metric(phase, map, stop->target.metric));
    if (stop->target.metric == ANN_STOP_TEST_ACCURACY && stop->target.reach > 1)
        return ann_yaml_error(ann_yaml_find(map, "reach"),
                              "%g is out of range, accepted is a share from 0 to 1", stop->target.reach);
    return ANN_OK;
}

static ann_status read_choice(ann_phase_config *phase, const ann_yaml_node *map) {
    const ann_yaml_node *node = ann_yaml_find(map, "choice");
    const ann_method_info *info = ann_method_info_of(phase->method.kind);
    phase->choice.on = node != NULL;
    if (!node) return ANN_OK;
    if (!info || !(info->needs & (ANN_METHOD_TARGET | ANN_METHOD_ADAPTS)) || phase->data->source_count < 2)
        return ann_yaml_key_error(node, "it is for methods with a target domain");
    if (phase->choice.restore && phase->stop.early.on && phase->stop.early.restore_best)
        return ann_yaml_key_error(
            node, "only one of choice.restore and stop.early.restore_best may say which weights "
                  "are kept");
    return ANN_OK;
}

ann_status anni_config_stop(ann_phase_config *phase, const ann_yaml_node *map) {
    ann_stop_config *stop = &phase->stop;
    const ann_yaml_node *node = ann_yaml_find(map, "stop");
    stop->early.on = node && ann_yaml_find(node, "early");
    ANN_TRY(read_choice(phase, map));
    if (!node) return phase->choice.on ? read_every(stop, NULL) : ANN_OK;
    const ann_yaml_node *early = ann_yaml_find(node, "early"), *target = ann_yaml_find(node, "target"),
                        *every = ann_yaml_find(node, "every");
    stop->target.on = target != NULL;
    ANN_TRY(read_wall_time(stop, ann_yaml_find(node, "wall_time")));
    if (early) ANN_TRY(check_metric(phase, early, stop->early.metric));
    if (target) ANN_TRY(check_target(phase, target));
    if (early || target || phase->choice.on) return read_every(stop, every);
    if (every) return ann_yaml_key_error(every, "it is for early, target and choice, found neither");
    if (stop->wall_time_s > 0) return ANN_OK;
    return ann_yaml_error(node, "accepted is at least one of early, target and wall_time");
}
