/* Clocks: times of files are compared between hosts, and logs read side by side. */
#include <math.h>
#include <time.h>
#include "base/clock.h"
#include "doctor.h"

static const char check[] = "clocks";
#define ALLOWED_S 0.1

/* What the wall clock is ahead of the monotonic one. */
static int64_t wall_ahead_ns(void) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - ann_clock_ns();
}

/* Monotonic clocks differ by an offset that is measured; where wall clocks agree, what they are ahead differs
   by the same. */
ann_status doctor_clock_find(ann_comm *comm, doctor_clock_facts *f) {
    int64_t offset_ns, round_trip_ns, ahead_ns = wall_ahead_ns(), first_ns = ahead_ns;
    ANN_TRY(ann_comm_clock_offset(comm, &offset_ns, &round_trip_ns));
    ANN_TRY(ann_comm_broadcast(comm, &first_ns, sizeof first_ns, 0));
    f->skew_s = 1e-9 * (double)(ahead_ns - first_ns - offset_ns);
    f->error_s = 0.5e-9 * (double)round_trip_ns;
    f->known = true;
    return ANN_OK;
}

void doctor_clock_judge(doctor_report *report, const doctor_facts *all, int n) {
    double largest_s = 0;
    bool known = true, wrong = false;
    for (int i = 0; i < n; i++) {
        const doctor_clock_facts *f = &all[i].clock;
        known = known && f->known;
        if (!f->known || !all[i].first) continue;
        if (fabs(f->skew_s) + f->error_s > largest_s) largest_s = fabs(f->skew_s) + f->error_s;
        if (fabs(f->skew_s) - f->error_s <= ALLOWED_S) continue;
        wrong = true;
        doctor_say_host(report, i, DOCTOR_WARNING, check, "let NTP (chrony) set the clocks of all hosts",
                        "the clock is %.3f s %s that of rank 0's host: times of files are compared",
                        fabs(f->skew_s), f->skew_s > 0 ? "ahead of" : "behind");
    }
    if (all[0].hosts == 1) return;
    if (!known) doctor_say_job(report, DOCTOR_NOTE, check, NULL, "differences between hosts are unknown");
    else if (!wrong)
        doctor_say_job(report, DOCTOR_OK, check, NULL, "all hosts agree to %.3g ms", 1e3 * largest_s);
}
