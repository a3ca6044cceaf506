/* PMIx: do the launcher's server and the ranks' library understand each other? By the PMIx project's own
   promise versions from 2.1 on do; before, only those of one major version. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "doctor.h"

static const char check[] = "PMIx";

void doctor_pmix_ask_slurm(doctor_pmix_facts *f) {
    char text[4096];
    FILE *pipe = getenv("SLURM_JOB_ID") ? popen("timeout 5 srun --mpi=list 2>&1", "r") : NULL;
    if (!pipe) return;
    text[fread(text, 1, sizeof text - 1, pipe)] = '\0';
    pclose(pipe);
    f->slurm_asked = doctor_slurm_plugins(text, &f->slurm_pmix, &f->slurm_version);
}

void doctor_pmix_find(doctor_pmix_facts *f) {
    const char *server = getenv("PMIX_VERSION"), *type = getenv("SLURM_MPI_TYPE");
    doctor_copy(f->server, sizeof f->server, server ? server : "");
    doctor_copy(f->slurm_type, sizeof f->slurm_type, type ? type : "");
    /* Only if MPI has loaded it: an Open MPI with PMIx inside has none to ask. */
    void *library = dlopen("libpmix.so.2", RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return;
    const char *(*version)(void);
    void *symbol = dlsym(library, "PMIx_Get_version");
    memcpy(&version, &symbol, sizeof version);
    if (version) doctor_copy(f->client, sizeof f->client, version());
    dlclose(library);
}

static bool understand(doctor_version a, doctor_version b) {
    return a.major == b.major || (!doctor_version_below(a, 2, 1) && !doctor_version_below(b, 2, 1));
}

static void judge_versions(doctor_report *report, const doctor_facts *all, int rank) {
    const doctor_pmix_facts *f = &all[rank].pmix;
    const doctor_version server = doctor_version_in(f->server), client = doctor_version_in(f->client);
    if (!all[rank].launch.started) return;
    if (server.major < 0 || client.major < 0)
        doctor_say_rank(report, rank, DOCTOR_NOTE, check, NULL, "launcher's version: %s; MPI's version: %s",
                        server.major < 0 ? "unknown" : f->server, client.major < 0 ? "unknown" : f->client);
    else if (!understand(server, client))
        doctor_say_rank(
            report, rank, DOCTOR_ERROR, check,
            "use mpirun, or an MPI and a Slurm that were built with the same PMIx",
            "the launcher has version %d.%d, MPI has %d.%d: below 2.1 they do not understand each other",
            server.major, server.minor, client.major, client.minor);
    else
        doctor_say_rank(report, rank, DOCTOR_OK, check, NULL, "launcher %d.%d, MPI %d.%d", server.major,
                        server.minor, client.major, client.minor);
}

static void judge_slurm(doctor_report *report, const doctor_facts *all) {
    const doctor_pmix_facts *f = &all[0].pmix;
    const doctor_version client = doctor_version_in(f->client);
    if (!all[0].launch.slurm) return;
    if (!f->slurm_asked)
        doctor_say_job(report, DOCTOR_NOTE, check, NULL,
                       "Slurm's plugins: unknown, srun --mpi=list gave no list");
    else if (!f->slurm_pmix)
        doctor_say_job(report, DOCTOR_WARNING, check,
                       "start with mpirun inside the allocation, or install Slurm's pmix plugin",
                       "Slurm has no pmix plugin: ranks started by srun would not know of each other");
    else if (f->slurm_version == 1 && client.major != 1)
        doctor_say_job(report, DOCTOR_WARNING, check, "start with mpirun inside the allocation",
                       "Slurm's plugin is pmix_v1, which newer versions do not understand");
    else if (f->slurm_version > 0)
        doctor_say_job(report, DOCTOR_OK, check, NULL, "Slurm has the plugin pmix_v%d", f->slurm_version);
    else doctor_say_job(report, DOCTOR_OK, check, NULL, "Slurm has a pmix plugin");
    if (all[0].launch.ompi_size < 0 && all[0].launch.started && f->slurm_type[0] &&
        strncmp(f->slurm_type, "pmix", 4) != 0)
        doctor_say_job(report, DOCTOR_WARNING, check, "srun --mpi=pmix",
                       "srun was started with --mpi=%s, not with pmix", f->slurm_type);
}

void doctor_pmix_judge(doctor_report *report, const doctor_facts *all, int n) {
    for (int i = 0; i < n; i++) judge_versions(report, all, i);
    judge_slurm(report, all);
}
