/* Entropic optimal transport by Sinkhorn's iterations on potentials. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "method/arrays.h"
#include "method/weigh.h"

typedef struct transport {
    const float *cost; /* [ns, nt] */
    int64_t ns, nt;
    double epsilon;
    double *f, *g;     /* [ns], [nt]: potentials over epsilon */
    double *top, *sum; /* [nt], scratch */
} transport;

static double scaled(const transport *t, int64_t i, int64_t j) {
    return (double)t->cost[i * t->nt + j] / t->epsilon;
}

/* Returns how far rows were from their sums before. */
static double update_rows(transport *t) {
    double error = 0;
    for (int64_t i = 0; i < t->ns; i++) {
        double top = -INFINITY, sum = 0;
        for (int64_t j = 0; j < t->nt; j++) top = fmax(top, t->g[j] - scaled(t, i, j));
        for (int64_t j = 0; j < t->nt; j++) sum += exp(t->g[j] - scaled(t, i, j) - top);
        const double f = -log((double)t->ns) - top - log(sum);
        error += fabs(exp(t->f[i] - f) - 1) / (double)t->ns;
        t->f[i] = f;
    }
    return error;
}

static void update_columns(transport *t) {
    for (int64_t j = 0; j < t->nt; j++) {
        t->top[j] = -INFINITY;
        t->sum[j] = 0;
    }
    for (int64_t i = 0; i < t->ns; i++)
        for (int64_t j = 0; j < t->nt; j++) t->top[j] = fmax(t->top[j], t->f[i] - scaled(t, i, j));
    for (int64_t i = 0; i < t->ns; i++)
        for (int64_t j = 0; j < t->nt; j++) t->sum[j] += exp(t->f[i] - scaled(t, i, j) - t->top[j]);
    for (int64_t j = 0; j < t->nt; j++) t->g[j] = -log((double)t->nt) - t->top[j] - log(t->sum[j]);
}

/* The plan of the potentials, its cost, and how far its rows are from their sums. */
static void read_plan(double *plan, ann_transport_report *report, const transport *t) {
    report->cost = report->error = 0;
    for (int64_t i = 0; i < t->ns; i++) {
        double row = 0;
        for (int64_t j = 0; j < t->nt; j++) {
            const double p = exp(t->f[i] + t->g[j] - scaled(t, i, j));
            plan[i * t->nt + j] = p;
            report->cost += p * (double)t->cost[i * t->nt + j];
            row += p;
        }
        report->error += fabs(row - 1 / (double)t->ns);
    }
}

static ann_status iterate(double *plan, ann_transport_report *report, transport *t,
                          const ann_transport_options *options) {
    double error = INFINITY;
    for (int64_t i = 0; i < t->ns; i++) t->f[i] = INFINITY; /* no rows yet: they are infinitely far off */
    report->iterations = 0;
    while (report->iterations < options->iterations && !(error <= options->tolerance)) {
        error = update_rows(t);
        update_columns(t);
        report->iterations++;
    }
    read_plan(plan, report, t);
    if (isfinite(report->cost) && isfinite(report->error)) return ANN_OK;
    return ann_error(ANN_ERR_NUMERIC, "transport with epsilon %g: costs over it are not finite", t->epsilon);
}

ann_status ann_transport_sinkhorn(double *plan, ann_transport_report *report, const float *cost, int64_t ns,
                                  int64_t nt, const ann_transport_options *options) {
    if (!(options->epsilon > 0 && isfinite(options->epsilon)) || options->iterations < 1 ||
        !(options->tolerance >= 0))
        return ann_error(ANN_ERR_ARG, "transport with epsilon %g, %d iterations and tolerance %g",
                         options->epsilon, options->iterations, options->tolerance);
    ANN_TRY(anni_array_check((anni_array){cost, ns, nt}, "costs of transport"));
    double *memory;
    ANN_TRY(anni_doubles_new(&memory, ns + 3 * nt));
    transport t = {.cost = cost, .ns = ns, .nt = nt, .epsilon = options->epsilon, .f = memory};
    t.g = t.f + ns;
    t.top = t.g + nt;
    t.sum = t.top + nt;
    ann_transport_report own;
    const ann_status status = iterate(plan, report != NULL ? report : &own, &t, options);
    free(memory);
    return status;
}
