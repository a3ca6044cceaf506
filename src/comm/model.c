/* The cost model, and its fit. */
#include "comm/model.h"

#include <math.h>
#include <string.h>

/* ---- what a pattern does ---- */

/* Of P ranks and a message of 1 byte. A rank sends one message at a time, so pairwise costs what the ring
   does. Doubling and halving add a step to either end where P is no power of two. */
static void count_pattern(ann_pattern pattern, int size, double *messages, double *sent, double *added) {
    const double p = size, part = (p - 1) / p;
    double steps = 0;
    for (int n = 1; 2 * n <= size; n *= 2) steps++;
    const double ends = (size & (size - 1)) != 0 ? 1 : 0;
    if (ends > 0) {
        const double inner = pow(2, steps);
        if (pattern == ANN_PATTERN_HALVING) {
            *messages = 2 * steps + 2;
            *sent = 2 * (inner - 1) / inner + 2;
            *added = (inner - 1) / inner + 1;
            return;
        }
    }
    *messages = 2 * (p - 1);
    *sent = 2 * part;
    *added = part;
    if (pattern == ANN_PATTERN_HALVING) *messages = 2 * steps;
    if (pattern == ANN_PATTERN_LINEAR) { /* by the first rank's connection */
        *sent = 2 * (p - 1);
        *added = p - 1;
    }
    if (pattern != ANN_PATTERN_DOUBLING) return;
    *messages = steps + 2 * ends;
    *sent = steps + 2 * ends;
    *added = steps + ends;
}

void ann_model_terms(double out[ANN_TERM_COUNT], ann_pattern pattern, ann_layout layout, double bytes) {
    memset(out, 0, ANN_TERM_COUNT * sizeof *out);
    if (layout.ranks > 1) {
        out[ANN_TERM_SHARED_ALPHA] = layout.ranks;
        out[ANN_TERM_SHARED_BETA] = layout.ranks * bytes;
    }
    if (layout.hosts < 2) return;
    double messages, sent, added;
    count_pattern(pattern, layout.hosts, &messages, &sent, &added);
    out[ANN_TERM_ALPHA] = messages;
    out[ANN_TERM_BETA] = sent * bytes;
    out[ANN_TERM_GAMMA] = added * bytes / layout.ranks;
}

ann_cost ann_model_cost(const ann_model *model, ann_pattern pattern, ann_layout layout, double bytes) {
    double terms[ANN_TERM_COUNT];
    ann_cost cost = {.pattern = pattern};
    ann_model_terms(terms, pattern, layout, bytes);
    for (int i = 0; i < ANN_TERM_COUNT; i++) {
        const double part_s = terms[i] * model->seconds[i];
        cost.total_s += part_s;
        if (i != ANN_TERM_ALPHA && i != ANN_TERM_BETA) cost.cpu_s += part_s;
    }
    /* Sending and receiving, each rank its part. */
    cost.cpu_s += 2 * terms[ANN_TERM_BETA] / layout.ranks * model->cpu_s;
    if (cost.cpu_s > cost.total_s) cost.total_s = cost.cpu_s;
    return cost;
}

ann_cost ann_model_best(const ann_model *model, ann_layout layout, double bytes, bool rounded) {
    ann_cost best = ann_model_cost(model, ANN_PATTERN_RING, layout, bytes);
    for (int p = 0; p < ANN_PATTERN_COUNT; p++) {
        if (rounded && p != ANN_PATTERN_PAIRWISE && p != ANN_PATTERN_RING) continue;
        const ann_cost cost = ann_model_cost(model, (ann_pattern)p, layout, bytes);
        if (cost.total_s < best.total_s) best = cost;
    }
    return best;
}

/* ---- the fit ---- */

typedef struct fit {
    double normal[ANN_TERM_COUNT][ANN_TERM_COUNT], right[ANN_TERM_COUNT];
    bool used[ANN_TERM_COUNT];
    double x[ANN_TERM_COUNT];
} fit;

/* Gauss and Jordan, on the terms that are used; terms are scaled to a unit diagonal. A pivot near 0 means
   that the table cannot tell the term from others, and it counts as 0. */
static void solve(fit *f) {
    double a[ANN_TERM_COUNT][ANN_TERM_COUNT + 1] = {{0}}, scale[ANN_TERM_COUNT];
    for (int i = 0; i < ANN_TERM_COUNT; i++)
        scale[i] = f->used[i] && f->normal[i][i] > 0 ? 1 / sqrt(f->normal[i][i]) : 0;
    for (int i = 0; i < ANN_TERM_COUNT; i++) {
        for (int j = 0; j < ANN_TERM_COUNT; j++) a[i][j] = f->normal[i][j] * scale[i] * scale[j];
        a[i][ANN_TERM_COUNT] = f->right[i] * scale[i];
    }
    for (int i = 0; i < ANN_TERM_COUNT; i++) {
        const double pivot = a[i][i];
        if (pivot < 1e-9) continue;
        for (int j = 0; j <= ANN_TERM_COUNT; j++) a[i][j] /= pivot;
        for (int k = 0; k < ANN_TERM_COUNT; k++) {
            const double factor = a[k][i];
            for (int j = 0; k != i && j <= ANN_TERM_COUNT; j++) a[k][j] -= factor * a[i][j];
        }
    }
    for (int i = 0; i < ANN_TERM_COUNT; i++) f->x[i] = a[i][i] > 0.5 ? a[i][ANN_TERM_COUNT] * scale[i] : 0;
}

/* Terms of a calibrated algorithm. Without shared memory every rank is as if on a host of its own. */
static void terms_of(double out[ANN_TERM_COUNT], const ann_tuning_row *row, ann_layout layout) {
    if (!row->best.shared) layout = (ann_layout){layout.hosts * layout.ranks, 1};
    ann_model_terms(out, row->best.pattern, layout, (double)row->bytes);
}

static void add_row(fit *f, const ann_model *model, const ann_tuning_row *row, ann_layout layout) {
    double terms[ANN_TERM_COUNT];
    terms_of(terms, row, layout);
    const double weight = 1 / (row->seconds * row->seconds);
    const double rest = row->seconds - terms[ANN_TERM_GAMMA] * model->seconds[ANN_TERM_GAMMA];
    for (int i = 0; i < ANN_TERM_COUNT; i++) {
        f->used[i] = f->used[i] || (i != ANN_TERM_GAMMA && terms[i] > 0);
        f->right[i] += weight * terms[i] * rest;
        for (int j = 0; j < ANN_TERM_COUNT; j++) f->normal[i][j] += weight * terms[i] * terms[j];
    }
}

static double worst_error(const ann_model *model, const ann_tuning_row *rows, int count, ann_layout layout) {
    double worst = 0;
    for (int r = 0; r < count; r++) {
        double terms[ANN_TERM_COUNT], seconds = 0;
        terms_of(terms, &rows[r], layout);
        for (int i = 0; i < ANN_TERM_COUNT; i++) seconds += terms[i] * model->seconds[i];
        worst = fmax(worst, fabs(seconds / rows[r].seconds - 1));
    }
    return worst;
}

ann_status ann_model_fit(ann_model *model, const ann_tuning_row *rows, int count, ann_layout layout,
                         double *worst) {
    fit f = {.used = {false}};
    if (count < 2) return ann_error(ANN_ERR_ARG, "a fit needs two sizes of messages");
    for (int r = 0; r < count; r++) {
        if (!(rows[r].seconds > 0)) return ann_error(ANN_ERR_ARG, "a calibrated time is not above 0");
        add_row(&f, model, &rows[r], layout);
    }
    bool again = true;
    bool fitted[ANN_TERM_COUNT];
    memcpy(fitted, f.used, sizeof fitted);
    while (again) {
        int lowest = -1;
        solve(&f);
        for (int i = 0; i < ANN_TERM_COUNT; i++)
            if (f.used[i] && f.x[i] < 0 &&
                (lowest < 0 || f.x[i] * sqrt(f.normal[i][i]) < f.x[lowest] * sqrt(f.normal[lowest][lowest])))
                lowest = i;
        again = lowest >= 0;
        if (again) f.used[lowest] = false;
    }
    for (int i = 0; i < ANN_TERM_COUNT; i++)
        if (fitted[i]) model->seconds[i] = f.used[i] ? f.x[i] : 0;
    *worst = worst_error(model, rows, count, layout);
    return ANN_OK;
}

/* Bytes that a rank sends and adds up. */
static double work_of(const ann_tuning_row *row, int ranks, int hosts) {
    double terms[ANN_TERM_COUNT];
    ann_model_terms(terms, row->best.pattern, (ann_layout){row->best.shared ? hosts : ranks, 1},
                    (double)row->bytes);
    return terms[ANN_TERM_BETA] + terms[ANN_TERM_GAMMA];
}

const ann_tuning_row *ann_model_prefer(const ann_tuning_row *first, const ann_tuning_row *next, int ranks,
                                       int hosts) {
    static const int64_t UNCACHED_BYTES = (int64_t)8 << 20;
    static const double EQUAL = 1.1;
    if (first->bytes < UNCACHED_BYTES || next->seconds > EQUAL * first->seconds ||
        first->best.shared != next->best.shared)
        return first;
    return work_of(next, ranks, hosts) < work_of(first, ranks, hosts) ? next : first;
}

double ann_model_look_up(const ann_tuning_row *rows, int count, double bytes) {
    const ann_tuning_row *first = &rows[0], *last = &rows[count - 1];
    if (bytes <= (double)first->bytes) return first->seconds;
    if (bytes >= (double)last->bytes) return last->seconds * bytes / (double)last->bytes;
    int i = 0;
    while ((double)rows[i + 1].bytes < bytes) i++;
    const double at =
        log(bytes / (double)rows[i].bytes) / log((double)rows[i + 1].bytes / (double)rows[i].bytes);
    return rows[i].seconds * pow(rows[i + 1].seconds / rows[i].seconds, at);
}

/* ---- a step ---- */

double ann_model_overlap(const ann_model_message *messages, int count, double compute_s) {
    double busy_s = 0, free_s = 0; /* cores, for messages so far; when the channel is free */
    for (int i = 0; i < count; i++) {
        const double ready_s = messages[i].ready_s + busy_s;
        free_s = (ready_s > free_s ? ready_s : free_s) + messages[i].cost.total_s;
        busy_s += messages[i].cost.cpu_s;
    }
    return fmax(compute_s + busy_s, free_s);
}
