/* Learning-rate schedules: pure functions of the step, on the host. */
#include "optim/optim.h"

#include <math.h>

static double cosine(const ann_schedule *s, double t, double total) {
    const double done = total > 0 && t < total ? t / total : 1;
    return s->final_lr + 0.5 * (s->lr - s->final_lr) * (1 + cos(acos(-1.0) * done));
}

double ann_schedule_lr(const ann_schedule *s, int64_t step) {
    if (step < s->warmup_steps) return s->lr * (double)(step + 1) / (double)s->warmup_steps;
    const double t = (double)(step - s->warmup_steps);
    const double period = s->period_steps > 0 ? (double)s->period_steps : 1;
    switch (s->kind) {
    case ANN_SCHEDULE_STEP: return s->lr * pow(s->factor, floor(t / period));
    case ANN_SCHEDULE_EXPONENTIAL: return s->lr * pow(s->factor, t / period);
    case ANN_SCHEDULE_COSINE: return cosine(s, t, (double)(s->total_steps - s->warmup_steps));
    default: return s->lr;
    }
}
