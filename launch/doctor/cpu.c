/* The processor: its kernels, its clock, huge pages, and how much of it a container may use. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "doctor.h"
#include "kernel/kernel.h"

static const char check[] = "processor";

static void find_model(char *to, size_t size) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (!colon) continue;
        line[strcspn(line, "\n")] = '\0';
        doctor_copy(to, size, colon + 1 + strspn(colon + 1, " "));
        break;
    }
    if (file) fclose(file);
}

/* Of one group of version 2, or of version 1, whose two numbers have a file each. */
static double quota_of(const char *group, bool second) {
    char path[1024], quota[64], period[64], both[132];
    snprintf(path, sizeof path, "%s/%s", group, second ? "cpu.max" : "cpu.cfs_quota_us");
    doctor_read_line(quota, sizeof quota, path);
    if (second) return doctor_quota(quota);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", group);
    doctor_read_line(period, sizeof period, path);
    snprintf(both, sizeof both, "%s %s", quota, period);
    return doctor_quota(both);
}

/* The least of a group and all above it, below `root`; inside a container the group's own path may not be
   seen, but its root is. */
static double least_quota(const char *root, const char *path, bool second) {
    char group[768];
    double least = 0;
    snprintf(group, sizeof group, "%s%s", root, path);
    while (strlen(group) >= strlen(root)) {
        const double quota = quota_of(group, second);
        if (quota > 0 && (least == 0 || quota < least)) least = quota;
        char *slash = strrchr(group, '/');
        *slash = '\0';
    }
    return least;
}

static double find_quota(void) {
    char text[4096], path[512];
    FILE *file = fopen("/proc/self/cgroup", "r");
    text[file ? fread(text, 1, sizeof text - 1, file) : 0] = '\0';
    if (file) fclose(file);
    if (doctor_cgroup_find(path, sizeof path, text, "cpu"))
        return least_quota("/sys/fs/cgroup/cpu", path, false);
    if (doctor_cgroup_find(path, sizeof path, text, "")) return least_quota("/sys/fs/cgroup", path, true);
    return 0;
}

void doctor_cpu_find(doctor_cpu_facts *f) {
    find_model(f->model, sizeof f->model);
    f->level = (int)ann_cpu();
    f->online = (int)sysconf(_SC_NPROCESSORS_ONLN);
    f->quota = find_quota();
    doctor_read_line(f->thp, sizeof f->thp, "/sys/kernel/mm/transparent_hugepage/enabled");
    doctor_read_line(f->governor, sizeof f->governor,
                     "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    doctor_read_line(f->driver, sizeof f->driver, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver");
}

static void judge_kernels(doctor_report *report, const doctor_facts *all, int i) {
    static const char *const levels[] = {"x86-64", "AVX2", "AVX-512"};
    const doctor_cpu_facts *f = &all[i].cpu;
    const char *model = f->model[0] ? f->model : "unknown model";
    if (f->level == ANN_CPU_BASE)
        doctor_say_host(report, i, DOCTOR_WARNING, check, "run on processors with AVX2 or AVX-512",
                        "%s has neither AVX2 nor AVX-512: the plain kernels are several times slower", model);
    else
        doctor_say_host(report, i, DOCTOR_OK, check, NULL, "%s, %d on line, kernels for %s", model, f->online,
                        levels[f->level]);
    if (f->level != all[0].cpu.level)
        doctor_say_host(report, i, DOCTOR_WARNING, check, "ask for nodes of one kind (sbatch --constraint)",
                        "kernels for %s here, for %s on rank 0's host: all ranks wait for the slowest",
                        levels[f->level], levels[all[0].cpu.level]);
}

/* intel_pstate and amd-pstate call "powersave" what raises the clock under load. */
static void judge_governor(doctor_report *report, const doctor_facts *all, int i) {
    const doctor_cpu_facts *f = &all[i].cpu;
    const bool adapts = strncmp(f->driver, "intel_pstate", 12) == 0 ||
                        strncmp(f->driver, "amd-pstate", 10) == 0 ||
                        strncmp(f->driver, "amd_pstate", 10) == 0;
    if (!f->governor[0])
        doctor_say_host(report, i, DOCTOR_NOTE, "governor", NULL,
                        "unknown: the kernel does not say, as in virtual machines");
    else if (strcmp(f->governor, "powersave") == 0 && !adapts)
        doctor_say_host(report, i, DOCTOR_WARNING, "governor", "cpupower frequency-set -g performance",
                        "powersave: processors stay at their lowest clock");
    else doctor_say_host(report, i, DOCTOR_OK, "governor", NULL, "%s (%s)", f->governor, f->driver);
}

static void judge_huge_pages(doctor_report *report, const doctor_facts *all, int i) {
    const char *thp = all[i].cpu.thp;
    if (!thp[0]) doctor_say_host(report, i, DOCTOR_NOTE, "huge pages", NULL, "unknown");
    else if (strstr(thp, "[never]"))
        doctor_say_host(report, i, DOCTOR_WARNING, "huge pages",
                        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
                        "transparent huge pages are off: large blocks of memory are slower");
    else doctor_say_host(report, i, DOCTOR_OK, "huge pages", NULL, "%s", thp);
}

static void judge_quota(doctor_report *report, const doctor_facts *all, int i) {
    const double quota = all[i].cpu.quota;
    double wanted = 0;
    for (int r = 0; r < report->ranks; r++)
        if (doctor_same_host(all, r, i)) wanted += all[r].binding.threads;
    if (quota > 0 && wanted > quota)
        doctor_say_host(
            report, i, DOCTOR_WARNING, check,
            "give the container more processors, or annulus train fewer ranks or --threads",
            "the container grants %.3g processors, %.0f threads want to run: all are stopped again and again",
            quota, wanted);
}

void doctor_cpu_judge(doctor_report *report, const doctor_facts *all, int n) {
    for (int i = 0; i < n; i++) {
        if (!all[i].first) continue;
        judge_kernels(report, all, i);
        judge_quota(report, all, i);
    }
    for (int i = 0; i < n; i++)
        if (all[i].first) judge_governor(report, all, i);
    for (int i = 0; i < n; i++)
        if (all[i].first) judge_huge_pages(report, all, i);
}
