/* Binding: which processors each rank may use, and whether its threads have room on them. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "doctor.h"

static const char check[] = "binding";
enum { LISTED_RANKS = 16 }; /* of a larger job only the numbers of processors are listed */
static const char unbind[] =
    "mpirun --bind-to none, or --map-by slot:PE=THREADS; srun --cpus-per-task=THREADS";

/* A core counts by the first of its threads that is allowed. */
static int count_cores(const doctor_cpus *allowed) {
    int n = 0;
    doctor_cpus seen = {{0}};
    for (int cpu = 0; cpu < DOCTOR_CPUS_MAX; cpu++) {
        char path[128], text[256];
        doctor_cpus siblings;
        if (!doctor_cpus_have(allowed, cpu) || doctor_cpus_have(&seen, cpu)) continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        if (!doctor_cpus_parse(&siblings, doctor_read_line(text, sizeof text, path))) return DOCTOR_UNKNOWN;
        doctor_cpus_join(&seen, &siblings);
        n++;
    }
    return n > 0 ? n : DOCTOR_UNKNOWN;
}

static int count_numa(const doctor_cpus *allowed) {
    int n = 0;
    for (int node = 0; node < 256; node++) {
        char path[64], text[8192];
        doctor_cpus there;
        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", node);
        if (doctor_cpus_parse(&there, doctor_read_line(text, sizeof text, path)))
            n += doctor_cpus_meet(&there, allowed);
    }
    return n > 0 ? n : DOCTOR_UNKNOWN;
}

static void find_allowed(doctor_cpus *out) {
    cpu_set_t *set = CPU_ALLOC(DOCTOR_CPUS_MAX);
    const size_t size = CPU_ALLOC_SIZE(DOCTOR_CPUS_MAX);
    if (set && sched_getaffinity(0, size, set) == 0)
        for (int cpu = 0; cpu < DOCTOR_CPUS_MAX; cpu++)
            if (CPU_ISSET_S((size_t)cpu, size, set)) doctor_cpus_add(out, cpu);
    CPU_FREE(set);
}

/* As annulus train chooses: the rank's share of the host, but no more than it may use. */
static int default_threads(const doctor_binding_facts *f) {
    const int share = (int)sysconf(_SC_NPROCESSORS_ONLN) / f->local_ranks,
              limit = doctor_cpus_count(&f->allowed);
    const int threads = share < limit ? share : limit;
    return threads > 0 ? threads : 1;
}

void doctor_binding_find(doctor_binding_facts *f, int local_ranks, int threads) {
    find_allowed(&f->allowed);
    f->cores = count_cores(&f->allowed);
    f->numa = count_numa(&f->allowed);
    f->local_ranks = local_ranks;
    f->threads = threads > 0 ? threads : default_threads(f);
}

/* ---- judgement ---- */

/* Threads of all ranks that may use exactly the processors of rank i, and those ranks. */
static int crowd(const doctor_facts *all, int n, int i, int *ranks) {
    int threads = 0;
    *ranks = 0;
    for (int r = 0; r < n; r++) {
        if (!doctor_same_host(all, r, i) ||
            !doctor_cpus_equal(&all[r].binding.allowed, &all[i].binding.allowed))
            continue;
        threads += all[r].binding.threads;
        ++*ranks;
    }
    return threads;
}

/* What all ranks of the host of rank i want, and may use. */
typedef struct host_load {
    int ranks, threads, processors;
} host_load;

static host_load load_of(const doctor_facts *all, int n, int i) {
    doctor_cpus host = {{0}};
    host_load load = {0};
    for (int r = 0; r < n; r++) {
        if (!doctor_same_host(all, r, i)) continue;
        doctor_cpus_join(&host, &all[r].binding.allowed);
        load.threads += all[r].binding.threads;
        load.ranks++;
    }
    load.processors = doctor_cpus_count(&host);
    return load;
}

static void judge_host(doctor_report *report, const doctor_facts *all, int n, int i) {
    const host_load load = load_of(all, n, i);
    if (load.processors == 0 || load.threads <= load.processors) return;
    doctor_say_host(report, i, DOCTOR_WARNING, check,
                    "fewer ranks, or annulus train --threads with ranks x threads <= processors",
                    "%d rank%s with %d threads in all on %d processor%s: they take time from each other",
                    load.ranks, doctor_plural(load.ranks), load.threads, load.processors,
                    doctor_plural(load.processors));
}

/* Processors of a rank that some rank with other ones may use, too. */
static bool overlaps(const doctor_facts *all, int n, int i) {
    for (int r = 0; r < n; r++)
        if (doctor_same_host(all, r, i) &&
            !doctor_cpus_equal(&all[r].binding.allowed, &all[i].binding.allowed) &&
            doctor_cpus_meet(&all[r].binding.allowed, &all[i].binding.allowed))
            return true;
    return false;
}

static void judge_rank(doctor_report *report, const doctor_facts *all, int n, int i, bool room) {
    const doctor_binding_facts *f = &all[i].binding;
    char list[96];
    int ranks;
    const int count = doctor_cpus_count(&f->allowed), threads = crowd(all, n, i, &ranks);
    doctor_cpus_str(list, sizeof list, &f->allowed);
    if (count == 0) {
        doctor_say_rank(report, i, DOCTOR_NOTE, check, NULL, "the processors that may be used are unknown");
        return;
    }
    if (f->threads > count && room)
        doctor_say_rank(report, i, DOCTOR_WARNING, check, unbind, "%d threads are bound to processor%s %s",
                        f->threads, doctor_plural(count), list);
    else if (threads > count && room)
        doctor_say_rank(report, i, DOCTOR_WARNING, check, unbind,
                        "%d ranks with %d threads in all are bound to the same processor%s %s", ranks,
                        threads, doctor_plural(count), list);
    else if (overlaps(all, n, i) && room)
        doctor_say_rank(report, i, DOCTOR_WARNING, check, unbind,
                        "processors %s are shared with ranks that are bound to others as well", list);
    if (f->cores > 0 && f->threads > f->cores && f->threads <= count)
        doctor_say_rank(
            report, i, DOCTOR_NOTE, check, NULL,
            "%d threads on %d core%s with two processors each: matrix products gain little by that",
            f->threads, f->cores, doctor_plural(f->cores));
    if (f->numa > 1 && ranks == 1 && f->threads > 1)
        doctor_say_rank(report, i, DOCTOR_NOTE, check, NULL,
                        "one rank spans %d NUMA nodes: a rank for each is often faster", f->numa);
    if (n > LISTED_RANKS) snprintf(list, sizeof list, "(%d of them)", count);
    doctor_say_rank(report, i, DOCTOR_OK, check, NULL, "%d thread%s on processor%s %s", f->threads,
                    doctor_plural(f->threads), doctor_plural(count), list);
}

void doctor_binding_judge(doctor_report *report, const doctor_facts *all, int n) {
    for (int i = 0; i < n; i++)
        if (all[i].first) judge_host(report, all, n, i);
    for (int i = 0; i < n; i++) {
        const host_load load = load_of(all, n, i);
        judge_rank(report, all, n, i, load.threads <= load.processors);
    }
}
