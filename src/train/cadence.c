#include "train/cadence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_S 30.0
enum { POLL_STEPS = 8 };
static const double POLL_S = 0.25;

static bool is_whole(double number) { return number >= 1 && number <= 1e15 && number == floor(number); }

bool anni_cadence_parse(ann_cadence *out, const char *text) {
    static const struct {
        const char *word;
        ann_cadence_kind kind;
        double factor;
    } units[] = {{"steps", ANN_CADENCE_STEPS, 1},   {"step", ANN_CADENCE_STEPS, 1},
                 {"epochs", ANN_CADENCE_EPOCHS, 1}, {"epoch", ANN_CADENCE_EPOCHS, 1},
                 {"s", ANN_CADENCE_SECONDS, 1},     {"seconds", ANN_CADENCE_SECONDS, 1},
                 {"min", ANN_CADENCE_SECONDS, 60},  {"minutes", ANN_CADENCE_SECONDS, 60},
                 {"h", ANN_CADENCE_SECONDS, 3600},  {"hours", ANN_CADENCE_SECONDS, 3600}};
    *out = (ann_cadence){.kind = strcmp(text, "auto") == 0 ? ANN_CADENCE_AUTO : ANN_CADENCE_NEVER};
    if (out->kind == ANN_CADENCE_AUTO || strcmp(text, "never") == 0) return true;
    char *unit;
    const double number = strtod(text, &unit);
    if (text[0] < '0' || text[0] > '9' || unit == text || *unit != ' ') return false;
    unit += strspn(unit, " ");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].word) != 0) continue;
        *out = (ann_cadence){.kind = units[i].kind};
        if (out->kind == ANN_CADENCE_SECONDS) out->seconds = number * units[i].factor;
        else out->count = is_whole(number) ? (int64_t)number : 0;
        return out->kind == ANN_CADENCE_SECONDS ? out->seconds > 0 && out->seconds <= 1e9 : out->count > 0;
    }
    return false;
}

void anni_cadence_begin(anni_cadence *c, const ann_cadence *every, double mtbf_s, int64_t epoch,
                        double now_s) {
    *c = (anni_cadence){.every = *every, .mtbf_s = mtbf_s, .cost_s = -1, .write_s = -1};
    anni_cadence_restart(c, epoch, now_s);
}

bool anni_cadence_due_at(const anni_cadence *c, int64_t step, int64_t epoch) {
    if (c->every.kind == ANN_CADENCE_STEPS) return step % c->every.count == 0;
    if (c->every.kind == ANN_CADENCE_EPOCHS) return epoch / c->every.count > c->last_epoch / c->every.count;
    return false;
}

bool anni_cadence_due_now(const anni_cadence *c, double now_s) {
    return now_s - c->last_s >= anni_cadence_interval_s(c);
}

void anni_cadence_restart(anni_cadence *c, int64_t epoch, double now_s) {
    c->last_epoch = epoch;
    c->last_s = now_s;
}

void anni_cadence_measured(anni_cadence *c, double cost_s, double write_s) {
    c->cost_s = cost_s;
    c->write_s = write_s;
}

double anni_cadence_daly_s(double cost_s, double mtbf_s) {
    if (cost_s >= 2 * mtbf_s) return mtbf_s;
    const double ratio = cost_s / (2 * mtbf_s);
    return sqrt(2 * cost_s * mtbf_s) * (1 + sqrt(ratio) / 3 + ratio / 9) - cost_s;
}

double anni_cadence_interval_s(const anni_cadence *c) {
    if (c->every.kind == ANN_CADENCE_SECONDS) return c->every.seconds;
    if (c->every.kind != ANN_CADENCE_AUTO) return INFINITY;
    return c->cost_s < 0 ? FIRST_S : fmax(anni_cadence_daly_s(c->cost_s, c->mtbf_s), c->write_s);
}

int anni_cadence_poll_steps(double step_s) {
    if (!(step_s * POLL_STEPS > POLL_S)) return POLL_STEPS;
    return step_s < POLL_S ? (int)(POLL_S / step_s) : 1;
}
