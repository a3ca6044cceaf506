#include "train/stoprule.h"

#include <math.h>
#include <stdio.h>

anni_stop_state anni_stop_first(void) {
    return (anni_stop_state){.best = NAN, .best_step = -1, .evaluated = -1};
}

bool anni_stop_due(const ann_stop_config *rule, int64_t step, int64_t before, int64_t position,
                   int64_t epoch_length) {
    if (rule->every_steps > 0) return step % rule->every_steps == 0;
    if (rule->every_epochs == 0) return false;
    const int64_t samples = rule->every_epochs * epoch_length;
    return position / samples > before / samples;
}

static bool is_better(double value, double best, ann_stop_metric metric, double min_delta) {
    if (isnan(best)) return !isnan(value);
    return metric == ANN_STOP_TEST_LOSS ? value < best - min_delta : value > best + min_delta;
}

static bool is_reached(double value, ann_stop_metric metric, double reach) {
    return metric == ANN_STOP_TEST_LOSS ? value <= reach : value >= reach;
}

/* true: it is the best so far. */
static bool observe_early(anni_stop_state *state, const ann_stop_config *rule, int64_t step, double value) {
    if (is_better(value, state->best, rule->early.metric, rule->early.min_delta)) {
        state->best = value;
        state->best_step = step;
        state->waited = 0;
        return true;
    }
    if (++state->waited >= rule->early.patience && state->reason == ANNI_STOP_NOT_YET)
        state->reason = ANNI_STOP_EARLY;
    return false;
}

bool anni_stop_observe(anni_stop_state *state, const ann_stop_config *rule, int64_t step, double test_loss,
                       double test_accuracy) {
    const double metrics[] = {[ANN_STOP_TEST_LOSS] = test_loss, [ANN_STOP_TEST_ACCURACY] = test_accuracy};
    bool best = false;
    state->evaluated = step;
    if (rule->early.on) best = observe_early(state, rule, step, metrics[rule->early.metric]);
    if (rule->target.on && is_reached(metrics[rule->target.metric], rule->target.metric, rule->target.reach))
        state->reason = ANNI_STOP_TARGET;
    return best;
}

bool anni_stop_restores(const anni_stop_state *state, const ann_stop_config *rule) {
    return rule->early.on && rule->early.restore_best && state->best_step >= 0 &&
           state->reason != ANNI_STOP_TARGET;
}

const char *anni_stop_reason_name(anni_stop_reason reason) {
    static const char *const names[] = {[ANNI_STOP_NOT_YET] = "",
                                        [ANNI_STOP_PROGRAM] = "program",
                                        [ANNI_STOP_EARLY] = "early",
                                        [ANNI_STOP_TARGET] = "target",
                                        [ANNI_STOP_WALL_TIME] = "wall_time"};
    return names[reason];
}

const char *anni_stop_explain(char *buf, size_t size, const anni_stop_state *state,
                              const ann_stop_config *rule) {
    static const char *const names[] = {
        [ANN_STOP_TEST_LOSS] = "test loss", [ANN_STOP_TEST_ACCURACY] = "test accuracy"};
    switch (state->reason) {
    case ANNI_STOP_NOT_YET: snprintf(buf, size, "goes on"); break;
    case ANNI_STOP_PROGRAM: snprintf(buf, size, "the program is over"); break;
    case ANNI_STOP_EARLY:
        snprintf(buf, size, "%s has not improved on %.5g (step %lld) for %lld evaluation%s",
                 names[rule->early.metric], state->best, (long long)state->best_step,
                 (long long)state->waited, state->waited == 1 ? "" : "s");
        break;
    case ANNI_STOP_TARGET:
        snprintf(buf, size, "%s has reached %.5g", names[rule->target.metric], rule->target.reach);
        break;
    case ANNI_STOP_WALL_TIME: snprintf(buf, size, "wall_time %g s is over", rule->wall_time_s); break;
    }
    return buf;
}
