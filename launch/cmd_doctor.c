/* annulus doctor */
#include <mpi.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/version.h"
#include "cli.h"
#include "kernel/kernel.h"

static const char help[] = "annulus doctor prints what this machine and its libraries are, and warns about "
                           "settings that cost speed.\n\n"
                           "usage: annulus doctor\n\n"
                           "options:\n"
                           "  --help   this text\n\n"
                           "The exit code is 0, with or without warnings.\n";

static int warnings;

static void warn(const char *fmt, ...) ANN_PRINTF(1, 2);
static void warn(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fputs("  warning: ", stdout);
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
    warnings++;
}

/* The first line of a file that starts with `key`, or "". */
static const char *line_of(char *buf, int size, const char *path, const char *key) {
    FILE *file = fopen(path, "r");
    while (file && fgets(buf, size, file))
        if (strncmp(buf, key, strlen(key)) == 0) {
            fclose(file);
            buf[strcspn(buf, "\n")] = '\0';
            return buf;
        }
    if (file) fclose(file);
    buf[0] = '\0';
    return buf;
}

static void check_cpu(void) {
    static const char *const levels[] = {"x86-64", "AVX2", "AVX-512"};
    char line[256];
    const char *model = strchr(line_of(line, sizeof line, "/proc/cpuinfo", "model name"), ':');
    cpu_set_t set;
    const int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    printf("processor    %s\n", model ? model + 2 : "unknown");
    printf("cores        %d for this process, %ld on line\n", cores, sysconf(_SC_NPROCESSORS_ONLN));
    printf("kernels      %s\n", levels[ann_cpu()]);
    if (ann_cpu() == ANN_CPU_BASE)
        warn("neither AVX2 nor AVX-512: the plain kernels are several times slower");
}

static void check_libraries(void) {
    const ann_kernel_libraries l = ann_kernel_describe_libraries();
    printf("OpenBLAS     %s, flavour %s, kernels for %s\n", l.openblas, l.flavour, l.core);
    static const char *const pins[] = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"};
    for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++)
        if (getenv(pins[i]))
            warn("%s=%s: OpenBLAS is pinned to other kernels than it would choose; unset it", pins[i],
                 getenv(pins[i]));
    static const char *const old[] = {"Haswell", "Zen", "Sandybridge", "Nehalem", "Prescott", "Core2"};
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++)
        if (ann_cpu() == ANN_CPU_AVX512 && strcmp(l.core, old[i]) == 0)
            warn("OpenBLAS uses kernels for %s on a processor with AVX-512", l.core);
    if (l.dnnl[0]) printf("oneDNN       %d.%d.%d\n", l.dnnl[0], l.dnnl[1], l.dnnl[2]);
    else warn("built without oneDNN, convolutions are slower: configure with -DANNULUS_ONEDNN=ON");
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(mpi, &length);
    mpi[strcspn(mpi, ",\n")] = '\0';
    printf("MPI          %s\n", mpi);
}

static void check_threads(void) {
    static const struct {
        const char *name, *why;
    } table[] = {
        {"OPENBLAS_NUM_THREADS", "annulus splits the work itself; the value has no effect"},
        {"OMP_NUM_THREADS", "annulus train --threads decides; the value has no effect"},
        {"OMP_THREAD_LIMIT", "fewer threads than asked for may be granted"},
        {"OMP_DYNAMIC", "fewer threads than asked for may be granted"},
        {"OMP_PROC_BIND", "ranks on one host may be bound to the same cores"},
        {"GOMP_CPU_AFFINITY", "ranks on one host may be bound to the same cores"},
        {"OMP_WAIT_POLICY",
         "with more ranks and threads than cores, active waiting takes time from the others"},
    };
    printf("environment\n");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *value = getenv(table[i].name);
        if (!value) continue;
        const bool harmless = (i < 2 || strcmp(value, "PASSIVE") == 0 || strcmp(value, "passive") == 0 ||
                               strcmp(value, "false") == 0);
        if (harmless) printf("  %s=%s: %s\n", table[i].name, value, table[i].why);
        else warn("%s=%s: %s", table[i].name, value, table[i].why);
    }
}

static void check_huge_pages(void) {
    char line[128];
    line_of(line, sizeof line, "/sys/kernel/mm/transparent_hugepage/enabled", "");
    printf("huge pages   %s\n", line[0] ? line : "unknown");
    if (strstr(line, "[never]"))
        warn("transparent huge pages are off: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
}

int cmd_doctor(int argc, char **argv) {
    const cli c = {"annulus doctor", help, NULL, 0};
    int count;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG);
    if (count) return cli_wrong(&c, "it takes no arguments");
    printf("annulus      %s (%s)\n", ann_version(), ann_revision());
    check_cpu();
    check_libraries();
    check_huge_pages();
    check_threads();
    printf("%d warning%s\n", warnings, warnings == 1 ? "" : "s");
    return 0;
}
