/* Judgement of the benchmark: what communication costs, and hosts that are much slower than the others. */
#include <stdlib.h>
#include <string.h>
#include "base/median.h"
#include "doctor.h"

static const char check[] = "benchmark";
/* Slower than that part of the median of all hosts is much slower. */
#define SLOW 0.5

static double compute_of(const doctor_facts *all, int n, int i) {
    double best = 0;
    for (int r = 0; r < n; r++)
        if (doctor_same_host(all, r, i) && all[r].ring.compute_gflops > best)
            best = all[r].ring.compute_gflops;
    return best;
}
static double far_speed_of(const doctor_facts *all, int n, int i) {
    (void)n;
    return all[i].ring.far.bytes_per_s;
}
static double far_quickness_of(const doctor_facts *all, int n, int i) {
    (void)n;
    return all[i].ring.far.latency_s > 0 ? 1e-6 / all[i].ring.far.latency_s : 0;
}
static double near_speed_of(const doctor_facts *all, int n, int i) {
    double best = 0;
    for (int r = 0; r < n; r++)
        if (doctor_same_host(all, r, i) && all[r].ring.near.bytes_per_s > best)
            best = all[r].ring.near.bytes_per_s;
    return best;
}
static double near_quickness_of(const doctor_facts *all, int n, int i) {
    double best = 0;
    for (int r = 0; r < n; r++)
        if (doctor_same_host(all, r, i) && all[r].ring.near.latency_s > 0 &&
            1e-6 / all[r].ring.near.latency_s > best)
            best = 1e-6 / all[r].ring.near.latency_s;
    return best;
}

typedef double quantity(const doctor_facts *all, int n, int i);

/* Over hosts that have the quantity; *count of them. values: [n], scratch. */
static double median_of(const doctor_facts *all, int n, quantity *of, double *values, int *count) {
    *count = 0;
    for (int i = 0; i < n; i++)
        if (all[i].first && of(all, n, i) > 0) values[(*count)++] = of(all, n, i);
    return ann_median(values, *count);
}

/* Of two hosts it cannot be told whose link it is, so `least` hosts are needed. */
static void judge_slow(doctor_report *report, const doctor_facts *all, int n, quantity *of, int least,
                       double *values, const char *what) {
    int count;
    const double median = median_of(all, n, of, values, &count);
    for (int i = 0; count >= least && i < n; i++) {
        const double mine = of(all, n, i);
        if (all[i].first && mine > 0 && mine < SLOW * median)
            doctor_say_host(
                report, i, DOCTOR_WARNING, check,
                "look at this host (other jobs, clock, cable), or leave it out: all others wait for it",
                "%s %.2f times the median of all hosts", what, mine / median);
    }
}

static void say_link(doctor_report *report, const doctor_facts *all, int n, quantity *speed,
                     quantity *quickness, double *values, const char *where) {
    int count;
    const double bytes_per_s = median_of(all, n, speed, values, &count);
    if (count == 0) return;
    const double latency_us = 1 / median_of(all, n, quickness, values, &count);
    doctor_say_job(report, DOCTOR_OK, check, NULL, "%s: %.3g us, %.3g Gbit/s (median of hosts)", where,
                   latency_us, 8e-9 * bytes_per_s);
}

static void say_sums(doctor_report *report, const doctor_facts *all, int n) {
    double slowest_s[DOCTOR_SUMS] = {0};
    for (int i = 0; i < n; i++)
        for (int k = 0; k < DOCTOR_SUMS; k++)
            if (all[i].ring.sum_s[k] > slowest_s[k]) slowest_s[k] = all[i].ring.sum_s[k];
    for (int k = 0; k < DOCTOR_SUMS && slowest_s[k] > 0; k++) {
        char size[16];
        doctor_say_job(report, DOCTOR_OK, check, NULL, "a sum of %s over %d ranks: %.3g ms",
                       doctor_bytes_str(size, sizeof size, (double)doctor_sum_bytes[k]), n,
                       1e3 * slowest_s[k]);
    }
    for (int i = 0; i < n; i++)
        if (all[i].ring.sum_wrong)
            doctor_say_rank(report, i, DOCTOR_ERROR, check, "use another MPI library, or leave this host out",
                            "a sum over all ranks came out wrong");
}

void doctor_ring_judge(doctor_report *report, const doctor_facts *all, int n) {
    double *values = all[0].ring.measured ? malloc((size_t)n * sizeof *values) : NULL;
    int hosts;
    if (!all[0].ring.measured) doctor_say_job(report, DOCTOR_NOTE, check, NULL, "left out (--quick)");
    if (!values) {
        report->lost |= all[0].ring.measured;
        return;
    }
    doctor_say_job(report, DOCTOR_OK, check, NULL,
                   "a thread computes %.3g GFLOP/s with SSE (median of hosts)",
                   median_of(all, n, compute_of, values, &hosts));
    say_sums(report, all, n);
    say_link(report, all, n, near_speed_of, near_quickness_of, values, "between ranks of a host");
    say_link(report, all, n, far_speed_of, far_quickness_of, values, "between hosts");
    judge_slow(report, all, n, compute_of, 2, values, "computes at");
    judge_slow(report, all, n, far_speed_of, 3, values, "sends to other hosts at");
    judge_slow(report, all, n, near_speed_of, 3, values, "sends within itself at");
    free(values);
}
