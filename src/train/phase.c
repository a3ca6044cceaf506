/* One phase: its data, its stages, its results. */
#include "train/phase.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "train/saver.h"

static ann_status check_data(const anni_phase *phase) {
    const ann_run_config *config = phase->run->config;
    const ann_phase_config *p = phase->config;
    if (ann_phase_is_trained(p->kind) && p->batch < phase->run->size)
        return ann_yaml_error(ann_yaml_find(p->node, "batch"),
                              "%lld samples for %d ranks, accepted is at least one for each rank",
                              (long long)p->batch, phase->run->size);
    if (ann_data_check_shards(phase->train, phase->run->size) != ANN_OK)
        return ann_error(ANN_ERR_CONFIG, "%s: phase %s: %s", config->path, p->name, ann_error_text());
    if (anni_model_has_labels(p) && ann_dataset_classes(phase->train) == 0)
        return ann_error(ANN_ERR_CONFIG,
                         "%s: phase %s: loss: cross_entropy needs labels (a field y of one integer a "
                         "sample), and %s has none",
                         config->path, p->name, p->data->path);
    if (anni_model_uses_y(p) && ann_dataset_find(phase->train, "y") < 0)
        return ann_error(ANN_ERR_CONFIG, "%s: phase %s: target: y, and %s has no field y", config->path,
                         p->name, p->data->path);
    const int x = ann_dataset_find(phase->train, "x");
    if (p->input == ANN_INPUT_STANDARDIZE && ann_dataset_field(phase->train, x)->channels == 0)
        return ann_error(ANN_ERR_CONFIG,
                         "%s: phase %s: input: standardize needs mean and std, and %s has none", config->path,
                         p->name, p->data->path);
    return ANN_OK;
}

/* Whole batches, and the smaller ones of each stage. */
static ann_status check_batches(const anni_phase *phase) {
    ANN_TRY(anni_micro_check(phase, phase->config->batch));
    for (int i = 0; i < phase->config->stage_count; i++) {
        int64_t first, end;
        anni_stage_range(phase, i, &first, &end);
        const int64_t small = ann_order_small_batch(phase->order, first, end);
        if (small > 0) ANN_TRY(anni_micro_check(phase, small));
    }
    return ANN_OK;
}

/* In memory each rank holds a share of its own, or the only rank everything. */
static ann_status check_hold(const anni_phase *phase) {
    int64_t first, count;
    const ann_data_config *data = phase->config->data;
    if (!data->hold) return ANN_OK;
    const ann_status status =
        ann_order_share(phase->order, phase->run->rank, phase->run->size, &first, &count);
    if (status != ANN_ERR_ARG) return status;
    char text[768];
    snprintf(text, sizeof text, "%s", ann_error_text());
    return ann_yaml_error(ann_yaml_find(data->node, "memory"), "phase %s: %s (phases[].sampling.lanes)",
                          phase->config->name, text);
}

/* More labels, or samples of a source, than there are is a mistake in the run file. */
static ann_status as_limit_error(const anni_phase *phase, ann_status status) {
    if (status != ANN_ERR_ARG) return status;
    char text[768];
    snprintf(text, sizeof text, "%s", ann_error_text());
    return ann_error(ANN_ERR_CONFIG, "%s: phase %s: %s: %s", phase->run->config->path, phase->config->name,
                     phase->config->labels > 0 ? "labels" : "data", text);
}

static ann_status open_parts(anni_phase *phase) {
    const ann_run_config *config = phase->run->config;
    const ann_data_config *data = phase->config->data;
    const int64_t cache_bytes = data->cache_mb << 20;
    const ann_dataset_options train = {.sources = data->train,
                                       .source_count = data->source_count,
                                       .cache_bytes = cache_bytes,
                                       .split = "train",
                                       .limit = phase->config->labels,
                                       .balanced = phase->config->labels > 0,
                                       .subset_seed = config->seed};
    const ann_dataset_options test = {.sources = data->test,
                                      .source_count = data->source_count,
                                      .split = "test",
                                      .subset_seed = config->seed,
                                      .cache_bytes = cache_bytes};
    ANN_TRY(anni_facts(&phase->facts, config, phase->config));
    ANN_TRY(as_limit_error(phase, ann_dataset_open(&phase->train, &train)));
    ANN_TRY(ann_dataset_open(&phase->test, &test));
    ANN_TRY(ann_data_check_match(phase->train, phase->test));
    ANN_TRY(anni_lineage_begin(phase));
    phase->seed = anni_phase_seed(config, phase->config);
    snprintf(phase->dir, sizeof phase->dir, "%s/%s", config->output, phase->config->name);
    ANN_TRY(check_data(phase));
    ANN_TRY(anni_augment_new(&phase->augment, phase->config, phase->seed, phase->train));
    ANN_TRY(anni_sampling_new(&phase->order, phase));
    ANN_TRY(check_batches(phase));
    return check_hold(phase);
}

uint64_t anni_phase_seed(const ann_run_config *config, const ann_phase_config *phase) {
    return ann_hash(phase->name, strlen(phase->name), config->seed);
}

ann_status anni_phase_open(anni_phase *out, anni_run *run, int index) {
    *out = (anni_phase){.run = run, .index = index, .config = &run->config->phases[index]};
    return open_parts(out);
}

void anni_phase_close(anni_phase *phase) {
    ann_dataset_close(phase->train);
    ann_dataset_close(phase->test);
    ann_order_free(phase->order);
    ann_augment_free(phase->augment);
    free(phase->facts);
    *phase = (anni_phase){0};
}

ann_status anni_evaluate_and_say(anni_phase *phase, anni_cursor *cursor, ann_store *store) {
    anni_run *run = phase->run;
    char accuracy[48] = "";
    ANN_TRY(anni_evaluate(&cursor->test, phase, store, cursor->stage));
    if (isfinite(cursor->test.accuracy))
        snprintf(accuracy, sizeof accuracy, "  test accuracy %.2f %%", 100 * cursor->test.accuracy);
    if (anni_method_is_tested(phase->config))
        anni_say(run, "%s/%s  test loss %.5f%s", phase->config->name,
                 phase->config->program[cursor->stage].name, cursor->test.loss, accuracy);
    return ann_agree(run->comm, anni_metrics_test(run, phase, cursor));
}

/* Takes the evaluation in as phases[].choice wants it. Collective. */
static ann_status choose(anni_phase *phase, anni_cursor *cursor, ann_store *store) {
    double scores[ANN_CHOICE_COUNT];
    const ann_choice_config *config = &phase->config->choice;
    ANN_TRY(anni_criteria(scores, phase, store));
    if (anni_choice_observe(&cursor->choice, scores, cursor->test.accuracy, cursor->step,
                            config->criterion) &&
        config->restore)
        anni_best_keep(store);
    return ann_agree(phase->run->comm, anni_metrics_choice(phase->run, phase, cursor, scores));
}

ann_status anni_evaluate_for_stop(anni_phase *phase, anni_cursor *cursor, ann_store *store) {
    ANN_TRY(anni_evaluate_and_say(phase, cursor, store));
    if (anni_stop_observe(&cursor->stop, &phase->config->stop, cursor->step, cursor->test.loss,
                          cursor->test.accuracy) &&
        !phase->config->choice.restore)
        anni_best_keep(store);
    return phase->config->choice.on ? choose(phase, cursor, store) : ANN_OK;
}

static ann_status run_stages(anni_phase *phase, anni_cursor *cursor, ann_store **store, const char *restore) {
    for (;;) {
        ANN_TRY(anni_stage_run(phase, cursor, store, restore));
        if (cursor->stop.reason == ANNI_STOP_NOT_YET || cursor->stop.evaluated != cursor->step)
            ANN_TRY(anni_evaluate_for_stop(phase, cursor, *store));
        if (cursor->stop.reason != ANNI_STOP_NOT_YET) return ANN_OK;
        if (cursor->stage == phase->config->stage_count - 1) {
            cursor->stop.reason = ANNI_STOP_PROGRAM;
            return ANN_OK;
        }
        cursor->stage++;
        cursor->stage_step = 0;
        restore = NULL;
    }
}

/* Why the phase has ended, and the weights with which it does. Collective. */
static ann_status end_stop(anni_phase *phase, anni_cursor *cursor, ann_store *store) {
    const ann_stop_config *rule = &phase->config->stop;
    const anni_stop_state *stop = &cursor->stop;
    char why[256];
    if (!rule->early.on && !rule->target.on && rule->wall_time_s <= 0) return ANN_OK;
    anni_stop_explain(why, sizeof why, stop, rule);
    anni_say(phase->run, "%s  stops at step %lld: %s", phase->config->name, (long long)cursor->step, why);
    ANN_TRY(ann_agree(phase->run->comm, anni_metrics_event(phase->run, phase, cursor, "stopped",
                                                           anni_stop_reason_name(stop->reason))));
    if (!anni_stop_restores(stop, rule) || stop->best_step == cursor->step) return ANN_OK;
    anni_best_restore(store);
    anni_say(phase->run, "%s  takes back the weights of step %lld, the best", phase->config->name,
             (long long)stop->best_step);
    return anni_evaluate_and_say(phase, cursor, store);
}

/* What each way of choosing the weights comes to, and the weights of the one that was asked for. Collective.
 */
static ann_status end_choice(anni_phase *phase, anni_cursor *cursor, ann_store *store) {
    const ann_choice_config *config = &phase->config->choice;
    const anni_pick *pick = &cursor->choice.picks[config->criterion];
    if (!config->on) return ANN_OK;
    ANN_TRY(ann_agree(phase->run->comm, anni_choice_tell(phase->run, phase, cursor)));
    if (!config->restore || pick->step < 0 || pick->step == cursor->step) return ANN_OK;
    anni_best_restore(store);
    anni_say(phase->run, "%s  takes back the weights of step %lld, the choice of %s", phase->config->name,
             (long long)pick->step, anni_choice_name(config->criterion));
    return anni_evaluate_and_say(phase, cursor, store);
}

static void say_end(const anni_phase *phase, const anni_cursor *cursor) {
    char line[ANNI_LINE_BYTES];
    anni_ledger_line(line, sizeof line, phase->order, cursor->position);
    anni_say(phase->run, "%s  %s", phase->config->name, line);
    anni_say(phase->run, "%s  waited for data %.2f %% of the time", phase->config->name,
             cursor->elapsed_s > 0 ? 100 * cursor->data_wait_s / cursor->elapsed_s : 0);
}

/* What is not used is said before it is not. */
static void say_left_out(const anni_phase *phase) {
    const int64_t samples = ann_order_samples(phase->order), length = ann_order_length(phase->order);
    if (length < samples)
        anni_say(phase->run, "%s  drop: %lld of %lld samples are left out of each epoch", phase->config->name,
                 (long long)(samples - length), (long long)samples);
}

/* This rank's shares into memory, if the run file says so. */
static ann_status hold_shares(const anni_phase *phase) {
    const anni_run *run = phase->run;
    int64_t first, count;
    if (!phase->config->data->hold) return ANN_OK;
    ANN_TRY(ann_order_share(phase->order, run->rank, run->size, &first, &count));
    ANN_TRY(ann_dataset_hold(phase->train, first, count));
    anni_evaluate_share(phase, &first, &count);
    return count > 0 ? ann_dataset_hold(phase->test, first, count) : ANN_OK;
}

static ann_status train(anni_phase *phase, anni_cursor *cursor, ann_store **store, const char *restore) {
    say_left_out(phase);
    ANN_TRY(ann_agree(phase->run->comm, hold_shares(phase)));
    ANN_TRY(run_stages(phase, cursor, store, restore[0] ? restore : NULL));
    ANN_TRY(end_stop(phase, cursor, *store));
    ANN_TRY(end_choice(phase, cursor, *store));
    say_end(phase, cursor);
    return ANN_OK;
}

ann_status anni_phase_run(anni_phase *phase, anni_cursor *cursor, const char *restore) {
    anni_result *result = &phase->run->results[phase->index];
    ann_store *store = NULL;
    ann_status status = ann_phase_is_trained(phase->config->kind) ? train(phase, cursor, &store, restore)
                                                                  : anni_untrained_run(phase, cursor, &store);
    if (status == ANN_OK) {
        cursor->finished = true;
        status = anni_saver_final(phase, cursor, store);
    }
    ann_store_free(store);
    ANN_TRY(status);
    return ann_ckpt_candidate(phase->run->comm, phase->dir, "", result->checkpoint,
                              sizeof result->checkpoint);
}
