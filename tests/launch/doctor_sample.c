#include "doctor_sample.h"

#include <string.h>
#include "kernel/kernel.h"

static void add_interface(doctor_network_facts *f, const char *name, bool loopback, bool virtual_,
                          uint32_t address, int mbit) {
    doctor_interface *i = &f->interfaces[f->count++];
    *i = (doctor_interface){
        .up = true, .loopback = loopback, .virtual_ = virtual_, .address = address, .mbit = mbit};
    doctor_copy(i->name, sizeof i->name, name);
}

static void add_folder(doctor_storage_facts *s, const char *role, const char *path, const char *type) {
    doctor_folder *f = &s->folders[s->count++];
    *f = (doctor_folder){
        .exists = true, .free_bytes = 1e12, .free_files = 1e6, .locks = 1, .skew_known = true, .shared = 1};
    doctor_copy(f->role, sizeof f->role, role);
    doctor_copy(f->path, sizeof f->path, path);
    doctor_copy(f->type, sizeof f->type, type);
}

static void launch(doctor_facts *f, int rank) {
    f->launch = (doctor_launch_facts){.mpi = "Open MPI v4.1.4",
                                      .started = true,
                                      .rank = rank,
                                      .size = SAMPLE_RANKS,
                                      .threads = 2,
                                      .ompi_size = DOCTOR_UNKNOWN,
                                      .pmi_size = DOCTOR_UNKNOWN,
                                      .slurm_step_size = SAMPLE_RANKS,
                                      .slurm_tasks = SAMPLE_RANKS,
                                      .slurm_rank = rank,
                                      .slurm = true};
    f->pmix = (doctor_pmix_facts){.server = "4.2.2",
                                  .client = "OpenPMIx 4.2.2rc2 (PMIx Standard: 4.1)",
                                  .slurm_type = "pmix_v4",
                                  .slurm_asked = rank == 0,
                                  .slurm_pmix = rank == 0,
                                  .slurm_version = 4};
}

static void machine(doctor_facts *f, int rank) {
    f->cpu = (doctor_cpu_facts){.model = "Xeon",
                                .level = ANN_CPU_AVX512,
                                .online = 4,
                                .thp = "always [madvise] never",
                                .governor = "performance",
                                .driver = "intel_pstate"};
    f->binding = (doctor_binding_facts){.cores = 2, .numa = 1, .local_ranks = 2, .threads = 2};
    doctor_cpus_add(&f->binding.allowed, 2 * (rank % 2));
    doctor_cpus_add(&f->binding.allowed, 2 * (rank % 2) + 1);
    f->library = (doctor_library_facts){
        .openblas = "OpenBLAS 0.3.21", .flavour = "pthread", .core = "SkylakeX", .dnnl = {2, 6, 3}};
    f->network = (doctor_network_facts){.exclude = "127.0.0.1/8,sppp", .pml = "ob1", .btl = "self,vader,tcp"};
    add_interface(&f->network, "lo", true, true, 0x7F000001, DOCTOR_UNKNOWN);
    add_interface(&f->network, "eth0", false, false, 0x0A000001 + (uint32_t)rank / 2, 10000);
    f->hdf5 = (doctor_hdf5_facts){.version = "1.10.8", .built = "1.10.8"};
    f->limit = (doctor_limit_facts){.files = 4096,
                                    .locked_bytes = DOCTOR_UNKNOWN,
                                    .address_bytes = DOCTOR_UNKNOWN,
                                    .stack_bytes = 8 << 20,
                                    .file_bytes = DOCTOR_UNKNOWN};
}

static void files(doctor_facts *f, int rank) {
    f->need = (doctor_need_facts){
        .checkpoint_bytes = DOCTOR_UNKNOWN, .output_bytes = DOCTOR_UNKNOWN, .window_bytes = DOCTOR_UNKNOWN};
    f->same = (doctor_same_facts){.program = 77, .run_given = true, .run_good = true, .run = 88};
    if (rank == 0)
        f->need = (doctor_need_facts){.checkpoint_bytes = 1e9, .output_bytes = 4e9, .window_bytes = 3e8};
    if (rank % 2) return;
    f->same.data_known = true;
    f->same.data = 99;
    f->storage.probed = true;
    add_folder(&f->storage, "output", "/scratch/run", "lustre");
    add_folder(&f->storage, "cache", "/home/u/.cache/annulus", "nfs4");
    add_folder(&f->storage, "tmp", "/tmp", "ext4");
    add_folder(&f->storage, "data", "/scratch/data.h5", "lustre");
    doctor_copy(f->storage.shm, sizeof f->storage.shm, "/dev/shm");
    f->storage.shm_bytes = f->storage.shm_free_bytes = 64e9;
}

void sample_facts(doctor_facts all[SAMPLE_RANKS]) {
    memset(all, 0, SAMPLE_RANKS * sizeof *all);
    for (int i = 0; i < SAMPLE_RANKS; i++) {
        doctor_facts *f = &all[i];
        f->host[0] = (char)('a' + i / 2);
        f->first = i % 2 == 0;
        f->hosts = i == 0 ? 3 : 0;
        launch(f, i);
        machine(f, i);
        files(f, i);
        f->clock = (doctor_clock_facts){.known = true, .skew_s = 0.001 * (i / 2), .error_s = 1e-5};
        f->ring = (doctor_ring_facts){.measured = true,
                                      .compute_gflops = 20,
                                      .sum_s = {1e-5, 1e-4, 1e-3},
                                      .near = {.latency_s = 1e-6, .bytes_per_s = 1e10}};
        if (i % 2 == 0) f->ring.far = (doctor_link){.latency_s = 2e-5, .bytes_per_s = 1.2e9};
    }
}
