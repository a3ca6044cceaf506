#include "doctor.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- shared ---- */

bool doctor_same_host(const doctor_facts *all, int a, int b) { return strcmp(all[a].host, all[b].host) == 0; }

void doctor_copy(char *to, size_t size, const char *from) { snprintf(to, size, "%s", from); }

const char *doctor_read_line(char *buf, size_t size, const char *path) {
    FILE *file = fopen(path, "r");
    if (!file || !fgets(buf, (int)size, file)) buf[0] = '\0';
    if (file) fclose(file);
    buf[strcspn(buf, "\n")] = '\0';
    return buf;
}

int doctor_env_int(const char *name) {
    const char *text = getenv(name);
    int value;
    return text && sscanf(text, "%d", &value) == 1 ? value : DOCTOR_UNKNOWN;
}

/* ---- finding ---- */

/* A bad run file is a finding. Owner of *out: the caller, ann_run_config_free. */
static void load_run(ann_run_config **out, doctor_facts *f, const doctor_request *request) {
    *out = NULL;
    if (!request->path) return;
    if (ann_run_config_load(out, request->path, request->sets, request->set_count) == ANN_OK) return;
    doctor_copy(f->same.complaint, sizeof f->same.complaint, ann_error_text());
    ann_run_config_free(*out);
    *out = NULL;
}

static bool is_first_of_host(const ann_comm *comm, int rank) {
    for (int r = 0; r < rank; r++)
        if (strcmp(ann_comm_host(comm, r), ann_comm_host(comm, rank)) == 0) return false;
    return true;
}

/* Hosts are told apart by their names. Returns the number of ranks on this one. */
static int find_hosts(const ann_comm *comm, doctor_facts *f) {
    const char *mine = ann_comm_host(comm, ann_comm_rank(comm));
    int here = 0;
    if (gethostname(f->host, sizeof f->host - 1) != 0) doctor_copy(f->host, sizeof f->host, "?");
    f->first = is_first_of_host(comm, ann_comm_rank(comm));
    for (int r = 0; r < ann_comm_size(comm); r++) {
        here += strcmp(ann_comm_host(comm, r), mine) == 0;
        if (ann_comm_rank(comm) == 0) f->hosts += is_first_of_host(comm, r); /* the others are not asked */
    }
    return here;
}

/* As annulus train takes them: by its option, or as the run file says for the phase that wants most; 0:
   neither does. */
static int threads_of(const doctor_request *request, const ann_run_config *config) {
    int most = 0;
    for (int i = 0; config && i < config->phase_count; i++)
        if (config->phases[i].resources.threads > most) most = config->phases[i].resources.threads;
    return request->threads > 0 ? request->threads : most;
}

static void find_local(ann_comm *comm, doctor_facts *f, const doctor_request *request,
                       const ann_run_config *config, bool mpi) {
    const int here = find_hosts(comm, f);
    doctor_launch_find(&f->launch, mpi);
    doctor_pmix_find(&f->pmix);
    doctor_cpu_find(&f->cpu);
    doctor_binding_find(&f->binding, here, threads_of(request, config));
    doctor_library_find(&f->library);
    doctor_network_find(&f->network);
    doctor_hdf5_find(&f->hdf5);
    doctor_limit_find(&f->limit);
    doctor_same_find(&f->same, request, config, f->first);
    if (f->first) doctor_storage_find(&f->storage, config);
}

/* The model is built on rank 0, and a model that cannot be built is a bad run file. */
static void find_need(ann_comm *comm, doctor_facts *f, const ann_run_config *config) {
    f->need = (doctor_need_facts){
        .checkpoint_bytes = DOCTOR_UNKNOWN, .output_bytes = DOCTOR_UNKNOWN, .window_bytes = DOCTOR_UNKNOWN};
    if (!config || ann_comm_rank(comm) != 0) return;
    if (doctor_need_find(&f->need, config, ann_comm_size(comm)) == ANN_OK) return;
    f->same.run_good = false;
    doctor_copy(f->same.complaint, sizeof f->same.complaint, ann_error_text());
}

static ann_status find_together(ann_comm *comm, doctor_facts *f, const doctor_request *request,
                                const ann_run_config *config, bool mpi) {
    if (ann_comm_size(comm) > 1) ANN_TRY(doctor_clock_find(comm, &f->clock));
    ANN_TRY(doctor_storage_share(comm, &f->storage, config));
    return request->quick ? ANN_OK : doctor_ring_find(comm, &f->ring, mpi, request->timeout_s);
}

ann_status doctor_find(ann_comm *comm, doctor_facts *f, const doctor_request *request, bool mpi) {
    ann_run_config *config;
    load_run(&config, f, request);
    find_local(comm, f, request, config, mpi);
    find_need(comm, f, config);
    const ann_status status = find_together(comm, f, request, config, mpi);
    ann_run_config_free(config);
    return status;
}

/* ---- judging ---- */

void doctor_judge(doctor_report *report, const doctor_facts *all, int n) {
    static void (*const judges[])(doctor_report *, const doctor_facts *, int) = {
        doctor_launch_judge,  doctor_pmix_judge,    doctor_same_judge,    doctor_cpu_judge,
        doctor_binding_judge, doctor_library_judge, doctor_network_judge, doctor_hdf5_judge,
        doctor_limit_judge,   doctor_storage_judge, doctor_shm_judge,     doctor_clock_judge,
        doctor_ring_judge};
    for (size_t i = 0; i < sizeof judges / sizeof judges[0]; i++) judges[i](report, all, n);
}
