/* Which algorithm each message of a run takes, and how people learn it. */
#include "comm/tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "train/internal.h"

#define CALIBRATION_S 3.0

/* Where tuning is kept between jobs; false: nowhere. */
static bool cache_dir(char *buf, size_t size) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0]) return snprintf(buf, size, "%s/annulus", cache) < (int)size;
    return home && home[0] && snprintf(buf, size, "%s/.cache/annulus", home) < (int)size;
}

static void say_table(const anni_run *run) {
    int count;
    const ann_tuning_row *rows = ann_comm_tuning(run->comm, &count);
    for (int i = 0; run->rank == 0 && i < count; i++) {
        char name[64];
        ann_log_line(ANN_LOG_DEBUG, "messages of %lld bytes: %s, %.3g s", (long long)rows[i].bytes,
                     ann_algorithm_str(name, sizeof name, &rows[i].best), rows[i].seconds);
    }
}

ann_status anni_tuning_begin(const anni_run *run) {
    const ann_run_config *config = run->config;
    char dir[ANNI_PATH_BYTES];
    bool measured = false;
    if (run->size == 1) return ANN_OK;
    if (!config->comm_shared_memory) ann_comm_set_shared(run->comm, false);
    if (config->comm_calibrate == ANN_CALIBRATE_NEVER ||
        (config->comm_calibrate == ANN_CALIBRATE_AUTO && ann_comm_host_count(run->comm) == 1))
        return ANN_OK;
    ANN_TRY(ann_comm_calibrate(run->comm, cache_dir(dir, sizeof dir) ? dir : NULL, CALIBRATION_S, &measured));
    if (measured) anni_say(run, "measured which algorithm is best for messages of each size");
    say_table(run);
    return ANN_OK;
}

/* Messages that follow each other and take the same algorithm are named together. */
void anni_tuning_say(const anni_phase *phase, int stage, const ann_plan *plan) {
    const anni_run *run = phase->run;
    const int n = ann_plan_message_count(plan);
    int first = 0; /* behind the gathers, with which a step begins */
    while (first < n && ann_plan_message(plan, first).collective == ANN_COLLECTIVE_ALLGATHER) first++;
    if (run->size == 1 || first == n) return;
    for (int i = first, next; i < n; i = next) {
        char name[64], other[64];
        int64_t bytes = 0;
        for (next = i; next < n; next++) {
            const ann_message m = ann_plan_message(plan, next);
            const int64_t here = m.elems * (int64_t)ann_dtype_bytes(m.dtype);
            const ann_algorithm a = ann_comm_choose(run->comm, here);
            ann_algorithm_str(next == i ? name : other, sizeof name, &a);
            if (next > i && strcmp(name, other) != 0) break;
            bytes += here;
        }
        anni_say(run, "%s/%s  reduces %.3g MB in %d message%s: %s", phase->config->name,
                 phase->config->program[stage].name, 1e-6 * (double)bytes, next - i, next - i == 1 ? "" : "s",
                 name);
    }
}
