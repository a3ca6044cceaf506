/* Splitting a kernel's work over threads. The parts depend on the number asked for, never on how many threads
   the OpenMP runtime grants, so results are reproducible. One part runs on the caller, outside any parallel
   region. Private to src/kernel. */
#ifndef ANN_KERNEL_PARALLEL_H
#define ANN_KERNEL_PARALLEL_H

#include <stdint.h>

typedef void (*anni_part_fn)(const void *task, int part, int parts);

static inline void anni_parallel(int parts, anni_part_fn run, const void *task) {
    if (parts <= 1) {
        run(task, 0, 1);
        return;
    }
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) run(task, part, parts);
}

/* As many parts as `threads` allows and as are worth a thread each: `cost` is about the bytes touched. */
static inline int anni_parts(int threads, int64_t cost) {
    const int64_t worth = cost / (64 * 1024);
    return worth < 1 ? 1 : worth < threads ? (int)worth : threads;
}

/* This part's share [*lo, *hi) of 0..n-1, cut at multiples of `grain`. */
static inline void anni_share(int64_t *lo, int64_t *hi, int64_t n, int64_t grain, int part, int parts) {
    const int64_t units = (n + grain - 1) / grain;
    *lo = units * part / parts * grain;
    *hi = units * (part + 1) / parts * grain;
    if (*lo > n) *lo = n;
    if (*hi > n) *hi = n;
}

#endif
