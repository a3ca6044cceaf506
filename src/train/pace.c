#include "train/pace.h"

#include <stdio.h>
#include "base/median.h"

static const double MIN_TIME_S = 0.25, LATE_SHARE = 0.2;

anni_spread anni_spread_of(double *values, int n) {
    const double median = ann_median(values, n);
    return (anni_spread){values[0], median, values[n - 1]};
}

static double busy(const anni_pace *pace) { return pace->compute_s + pace->data_s; }

int anni_pace_slowest(const anni_pace *pace, int size) {
    int slowest = 0;
    for (int r = 1; r < size; r++)
        if (busy(&pace[r]) > busy(&pace[slowest])) slowest = r;
    return slowest;
}

bool anni_pace_late(char *buf, size_t bytes, const anni_pace *pace, int size, double steps, double *scratch) {
    if (size < 2) return false;
    const anni_pace *late = &pace[anni_pace_slowest(pace, size)];
    const double time_s = busy(late) + late->wait_s;
    int n = 0;
    for (int r = 0; r < size; r++)
        if (&pace[r] != late) scratch[n++] = busy(&pace[r]);
    const double others_s = anni_spread_of(scratch, n).median, ms = 1e3 / steps;
    if (time_s < MIN_TIME_S || busy(late) - others_s < LATE_SHARE * time_s) return false;
    char data[64] = "";
    if (late->data_s > 0.1 * busy(late))
        (void)snprintf(data, sizeof data, " and waits for data %.1f ms", ms * late->data_s);
    (void)snprintf(buf, bytes, "is late: computes %.1f ms%s of a step of %.1f ms, the others %.1f ms",
                   ms * late->compute_s, data, ms * time_s, ms * others_s);
    return true;
}
