/* Libraries that compute, and variables of the environment that slow them down. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "doctor.h"
#include "kernel/kernel.h"

static const char check[] = "OpenBLAS";

typedef struct variable {
    const char *name;
    bool harmful; /* unless its value is `harmless` */
    const char *harmless[2];
    const char *why;
} variable;

static const variable variables[] = {
    {"OPENBLAS_CORETYPE", true, {NULL, NULL}, "OpenBLAS is pinned to other kernels than it would choose"},
    {"OPENBLAS_L2_SIZE", true, {NULL, NULL}, "OpenBLAS is pinned to other blocks than it would choose"},
    {"OPENBLAS_NUM_THREADS", false, {NULL, NULL}, "annulus splits the work itself; the value has no effect"},
    {"OMP_NUM_THREADS", false, {NULL, NULL}, "annulus train --threads decides; the value has no effect"},
    {"OMP_THREAD_LIMIT", true, {NULL, NULL}, "fewer threads than asked for may be granted"},
    {"OMP_DYNAMIC", true, {"false", "FALSE"}, "fewer threads than asked for may be granted"},
    {"OMP_PROC_BIND", true, {"false", "FALSE"}, "ranks on one host may be bound to the same cores"},
    {"GOMP_CPU_AFFINITY", true, {NULL, NULL}, "ranks on one host may be bound to the same cores"},
    {"OMP_WAIT_POLICY",
     true,
     {"passive", "PASSIVE"},
     "with more ranks and threads than cores, active waiting takes time from the others"}};
enum { VARIABLES = sizeof variables / sizeof variables[0] };
_Static_assert((int)VARIABLES <= (int)DOCTOR_SETTINGS_MAX, "facts have room for all variables");

void doctor_library_find(doctor_library_facts *f) {
    const ann_kernel_libraries l = ann_kernel_describe_libraries();
    doctor_copy(f->openblas, sizeof f->openblas, l.openblas);
    doctor_copy(f->flavour, sizeof f->flavour, l.flavour);
    doctor_copy(f->core, sizeof f->core, l.core);
    memcpy(f->dnnl, l.dnnl, sizeof f->dnnl);
    for (int i = 0; i < VARIABLES; i++) {
        const char *value = getenv(variables[i].name);
        if (!value) continue;
        doctor_copy(f->settings[f->count].name, sizeof f->settings[0].name, variables[i].name);
        doctor_copy(f->settings[f->count++].value, sizeof f->settings[0].value, value);
    }
}

static void judge_core(doctor_report *report, const doctor_facts *all, int i) {
    const doctor_library_facts *f = &all[i].library;
    const char *better = ann_kernel_better_core(f->core, all[i].cpu.level);
    doctor_say_rank(report, i, DOCTOR_OK, check, NULL, "%s, flavour %s, kernels for %s", f->openblas,
                    f->flavour, f->core);
    if (better)
        doctor_say_rank(report, i, DOCTOR_WARNING, check,
                        "unset OPENBLAS_CORETYPE; or a newer OpenBLAS, built with DYNAMIC_ARCH",
                        "OpenBLAS uses kernels for %s on a processor with AVX-%s", f->core,
                        all[i].cpu.level == ANN_CPU_AVX512 ? "512" : "2");
    if (f->dnnl[0])
        doctor_say_rank(report, i, DOCTOR_OK, "oneDNN", NULL, "%d.%d.%d", f->dnnl[0], f->dnnl[1], f->dnnl[2]);
    else
        doctor_say_rank(report, i, DOCTOR_WARNING, "oneDNN", "configure with -DANNULUS_ONEDNN=ON",
                        "built without oneDNN: convolutions are slower");
}

static void judge_setting(doctor_report *report, int rank, const doctor_setting *s) {
    for (int k = 0; k < VARIABLES; k++) {
        const variable *v = &variables[k];
        if (strcmp(v->name, s->name) != 0) continue;
        char remedy[64];
        snprintf(remedy, sizeof remedy, "unset %s", v->name);
        const bool harmless = !v->harmful || (v->harmless[0] && (strcmp(s->value, v->harmless[0]) == 0 ||
                                                                 strcmp(s->value, v->harmless[1]) == 0));
        if (harmless)
            doctor_say_rank(report, rank, DOCTOR_OK, "environment", NULL, "%s=%s%s%s", s->name, s->value,
                            v->harmful ? "" : ": ", v->harmful ? "" : v->why);
        else
            doctor_say_rank(report, rank, DOCTOR_WARNING, "environment", remedy, "%s=%s: %s", s->name,
                            s->value, v->why);
    }
}

void doctor_library_judge(doctor_report *report, const doctor_facts *all, int n) {
    for (int i = 0; i < n; i++) judge_core(report, all, i);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < all[i].library.count; k++) judge_setting(report, i, &all[i].library.settings[k]);
}
