#include "train/nonfinite.h"

#include <stdio.h>
#include "base/log.h"

enum { GOOD_STEPS = 1000 };
static const double FIRST_SCALE = 65536, LEAST_SCALE = 1.0 / 65536, MOST_SCALE = 16777216;

double anni_nonfinite_first_scale(void) { return FIRST_SCALE; }

bool anni_nonfinite_is_handled(const anni_phase *phase) {
    return phase->config->nonfinite_policy != ANN_NONFINITE_STOP;
}

bool anni_nonfinite_passes_over(const anni_phase *phase, const anni_cursor *cursor) {
    for (int i = 0; i < phase->bad_count; i++)
        if (phase->bad_positions[i] == cursor->position) return true;
    return false;
}

static ann_status too_many(const anni_phase *phase, const anni_cursor *cursor, const char *what) {
    return ann_error(ANN_ERR_NUMERIC, "phase %s, step %lld: a gradient is not finite, after %lld %s",
                     phase->config->name, (long long)cursor->step + 1,
                     (long long)phase->config->nonfinite_at_most, what);
}

static ann_status roll_back(anni_phase *phase, const anni_cursor *cursor) {
    if (phase->bad_count >= phase->config->nonfinite_at_most || phase->bad_count >= ANNI_BAD_POSITIONS)
        return too_many(phase, cursor, "rollbacks");
    phase->bad_positions[phase->bad_count++] = cursor->position;
    phase->rolls_back = true;
    return ann_error(ANN_ERR_NUMERIC, "phase %s, step %lld: a gradient is not finite", phase->config->name,
                     (long long)cursor->step + 1);
}

ann_status anni_nonfinite_failed(anni_phase *phase, anni_cursor *cursor) {
    if (phase->config->nonfinite_policy == ANN_NONFINITE_ROLLBACK) return roll_back(phase, cursor);
    if (cursor->skips_in_row >= phase->config->nonfinite_at_most)
        return too_many(phase, cursor, "batches in a row that were passed over");
    if (phase->config->nonfinite_policy == ANN_NONFINITE_RESCALE) {
        if (cursor->loss_scale > LEAST_SCALE) cursor->loss_scale /= 2;
        cursor->scale_age = 0;
    }
    return ANN_OK;
}

ann_status anni_nonfinite_tell(const anni_phase *phase, anni_cursor *cursor) {
    anni_run *run = phase->run;
    char scale[64] = "";
    cursor->skips++;
    cursor->skips_in_row++;
    if (phase->config->nonfinite_policy == ANN_NONFINITE_RESCALE)
        (void)snprintf(scale, sizeof scale, "; the loss scale is now %g", cursor->loss_scale);
    if (run->rank == 0)
        ann_log_line(ANN_LOG_WARN,
                     "phase %s, step %lld: the batch is passed over, a gradient is not finite%s",
                     phase->config->name, (long long)cursor->step, scale);
    return ann_agree(run->comm,
                     anni_metrics_event(run, phase, cursor, "skipped", "a gradient is not finite"));
}

void anni_nonfinite_good(const anni_phase *phase, anni_cursor *cursor) {
    cursor->skips_in_row = 0;
    if (phase->config->nonfinite_policy != ANN_NONFINITE_RESCALE) return;
    if (++cursor->scale_age < GOOD_STEPS) return;
    cursor->scale_age = 0;
    if (cursor->loss_scale < MOST_SCALE) cursor->loss_scale *= 2;
}
