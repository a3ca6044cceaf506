/* KLIEP. Kernels are scaled to mean 1 over the source, so that the constraint is that coefficients sum to 1.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "method/arrays.h"
#include "method/vector.h"
#include "method/weigh.h"

enum { CENTRES = 100, FOLDS = 5, NO_FOLD = -1, WIDTHS = 11, ITERATIONS = 5000 };
static const double default_tolerance = 1e-4, fold_tolerance = 1e-2;
static const double reach = 3; /* in widths */

typedef struct kliep {
    int64_t ns, nt, b;
    double *near_source, *near_target; /* [ns, b], [nt, b]: squared distances from centres */
    double *kernel;                    /* [nt, b]: of target samples */
    double *mean;                      /* [b]: of the kernels over the source */
    double *a, *trial;                 /* [b]: coefficients */
    double *ratio, *trial_ratio;       /* [nt]: kernel a */
    double *gradient;                  /* [b] */
} kliep;

/* ---- the objective, without the target samples of a fold ---- */

static bool in_fold(int64_t j, int fold) { return j % FOLDS == fold; }

static void find_ratio(double *ratio, const kliep *k, const double *a) {
    for (int64_t j = 0; j < k->nt; j++) ratio[j] = anni_dot(k->kernel + j * k->b, a, k->b);
}

/* The mean of log(ratio) over the samples that are in the fold (`inside`), or that are not. */
static double likelihood(const kliep *k, const double *ratio, int fold, bool inside) {
    double sum = 0;
    int64_t count = 0;
    for (int64_t j = 0; j < k->nt; j++) {
        if (in_fold(j, fold) != inside) continue;
        sum += log(ratio[j]);
        count++;
    }
    return sum / (double)count;
}

/* Fills k->gradient. The objective is concave and the gradient's product with a is 1, so that no coefficients
   that sum to 1 are better by more than max(gradient) - 1, which is returned. */
static double find_gradient(kliep *k, int fold) {
    double gap = -1;
    int64_t count = 0;
    memset(k->gradient, 0, (size_t)k->b * sizeof *k->gradient);
    for (int64_t j = 0; j < k->nt; j++) {
        if (in_fold(j, fold)) continue;
        anni_add(k->gradient, 1 / k->ratio[j], k->kernel + j * k->b, k->b);
        count++;
    }
    for (int64_t l = 0; l < k->b; l++) {
        k->gradient[l] /= (double)count;
        gap = fmax(gap, k->gradient[l] - 1);
    }
    return gap;
}

/* trial_l = a_l gradient_l^power, scaled to sum 1. */
static void take_step(kliep *k, double power) {
    double sum = 0;
    for (int64_t l = 0; l < k->b; l++) sum += k->trial[l] = k->a[l] * pow(k->gradient[l], power);
    for (int64_t l = 0; l < k->b; l++) k->trial[l] /= sum;
}

static void swap(double **x, double **y) {
    double *const z = *x;
    *x = *y;
    *y = z;
}

/* k->a and k->ratio from equal coefficients on. */
static void ascend(ann_weigh_report *report, kliep *k, int fold, double tolerance) {
    double power = 1;
    for (int64_t l = 0; l < k->b; l++) k->a[l] = 1 / (double)k->b;
    find_ratio(k->ratio, k, k->a);
    report->gap = find_gradient(k, fold);
    double value = likelihood(k, k->ratio, fold, false);
    for (report->iterations = 0; report->iterations < ITERATIONS && report->gap > tolerance;
         report->iterations++) {
        take_step(k, power);
        find_ratio(k->trial_ratio, k, k->trial);
        const double trial = likelihood(k, k->trial_ratio, fold, false);
        if (!(trial > value) && power > 1) {
            power = fmax(1, power / 4);
            continue;
        }
        swap(&k->a, &k->trial);
        swap(&k->ratio, &k->trial_ratio);
        value = trial;
        power *= 1.5;
        report->gap = find_gradient(k, fold);
    }
}

/* ---- the width ---- */

/* The greatest of the distances of rows (or columns) from the nearest column (or row), squared. */
static double farthest(const double *squares, int64_t rows, int64_t columns, bool of_columns) {
    const int64_t outer = of_columns ? columns : rows, inner = of_columns ? rows : columns;
    double most = 0;
    for (int64_t i = 0; i < outer; i++) {
        double least = INFINITY;
        for (int64_t j = 0; j < inner; j++)
            least = fmin(least, squares[of_columns ? j * columns + i : i * columns + j]);
        most = fmax(most, least);
    }
    return most;
}

static double kernel_of(double square, double width) { return exp(-square / (2 * width * width)); }

/* k->kernel and k->mean. */
static void set_width(kliep *k, double width) {
    memset(k->mean, 0, (size_t)k->b * sizeof *k->mean);
    for (int64_t i = 0; i < k->ns; i++)
        for (int64_t l = 0; l < k->b; l++)
            k->mean[l] += kernel_of(k->near_source[i * k->b + l], width) / (double)k->ns;
    for (int64_t j = 0; j < k->nt; j++)
        for (int64_t l = 0; l < k->b; l++)
            k->kernel[j * k->b + l] = kernel_of(k->near_target[j * k->b + l], width) / k->mean[l];
}

/* The mean likelihood of target samples in a fold, of coefficients found without it. */
static double cross_validate(kliep *k, double width) {
    ann_weigh_report report;
    double sum = 0;
    set_width(k, width);
    for (int fold = 0; fold < FOLDS; fold++) {
        ascend(&report, k, fold, fold_tolerance);
        sum += likelihood(k, k->ratio, fold, true);
    }
    return sum / FOLDS;
}

static ann_status choose_width(double *out, kliep *k, double least) {
    double median, best = -INFINITY;
    ANN_TRY(anni_median_distance(&median, k->near_source, (k->ns + k->nt) * k->b));
    *out = k->nt < FOLDS ? median : median * 4; /* the widest, unless another has a likelihood */
    for (int i = 0; i < WIDTHS && k->nt >= FOLDS; i++) {
        const double width = median * pow(2, -3 + i / 2.0);
        if (width < least) continue;
        const double value = cross_validate(k, width);
        if (value > best) {
            best = value;
            *out = width;
        }
    }
    return ANN_OK;
}

/* ---- all of it ---- */

static void weigh(double *w, const kliep *k, double width) {
    double sum = 0;
    for (int64_t i = 0; i < k->ns; i++) {
        w[i] = 0;
        for (int64_t l = 0; l < k->b; l++)
            w[i] += k->a[l] * kernel_of(k->near_source[i * k->b + l], width) / k->mean[l];
        sum += w[i];
    }
    for (int64_t i = 0; i < k->ns; i++) w[i] *= (double)k->ns / sum;
}

static ann_status solve(double *w, ann_weigh_report *report, kliep *k,
                        const ann_weigh_kliep_options *options) {
    const double square =
        fmax(farthest(k->near_target, k->nt, k->b, false), farthest(k->near_source, k->ns, k->b, true));
    const double least = sqrt(square) / reach, tolerance = options->tolerance;
    report->width = options->width;
    if (options->width == 0) ANN_TRY(choose_width(&report->width, k, least));
    if (!(report->width > 0 && report->width >= least))
        return ann_error(ANN_ERR_NUMERIC,
                         "KLIEP: some samples are %g from the nearest, too far for kernels of width %g",
                         sqrt(square), report->width);
    set_width(k, report->width);
    ascend(report, k, NO_FOLD, tolerance > 0 ? tolerance : default_tolerance);
    weigh(w, k, report->width);
    return ANN_OK;
}

/* Squared distances from b target samples, evenly spread. */
static ann_status measure(kliep *k, const ann_weigh_domains *of) {
    float *centre = malloc((size_t)(k->b * of->d) * sizeof *centre);
    if (centre == NULL) return ann_error(ANN_ERR_MEMORY, "KLIEP: no memory for centres");
    for (int64_t l = 0; l < k->b; l++)
        memcpy(centre + l * of->d, of->target + l * of->nt / k->b * of->d, (size_t)of->d * sizeof *centre);
    const anni_array centres = {centre, k->b, of->d};
    ann_status status =
        anni_squared_distances(k->near_source, (anni_array){of->source, of->ns, of->d}, centres, of->threads);
    if (status == ANN_OK)
        status = anni_squared_distances(k->near_target, (anni_array){of->target, of->nt, of->d}, centres,
                                        of->threads);
    free(centre);
    return status;
}

ann_status ann_weigh_kliep(double *w, ann_weigh_report *report, const ann_weigh_domains *of,
                           const ann_weigh_kliep_options *options) {
    if (!(options->width >= 0 && isfinite(options->width)) || options->centres < 0 ||
        !(options->tolerance >= 0))
        return ann_error(ANN_ERR_ARG, "KLIEP with %d kernels of width %g, tolerance %g", options->centres,
                         options->width, options->tolerance);
    ANN_TRY(anni_array_check((anni_array){of->source, of->ns, of->d}, "features of the source"));
    ANN_TRY(anni_array_check((anni_array){of->target, of->nt, of->d}, "features of the target"));
    const int64_t most = options->centres > 0 ? options->centres : CENTRES, b = of->nt < most ? of->nt : most;
    double *memory;
    ANN_TRY(anni_doubles_new(&memory, (of->ns + 2 * of->nt) * b + 4 * b + 2 * of->nt));
    kliep k = {.ns = of->ns, .nt = of->nt, .b = b, .near_source = memory};
    k.near_target = k.near_source + k.ns * b; /* behind it: their median is taken at once */
    k.kernel = k.near_target + k.nt * b;
    k.mean = k.kernel + k.nt * b;
    k.a = k.mean + b;
    k.trial = k.a + b;
    k.gradient = k.trial + b;
    k.ratio = k.gradient + b;
    k.trial_ratio = k.ratio + k.nt;
    ann_weigh_report own;
    ann_status status = measure(&k, of);
    if (status == ANN_OK) status = solve(w, report != NULL ? report : &own, &k, options);
    free(memory);
    return status;
}
