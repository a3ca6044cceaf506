// annulus doctor: nothing is found where nothing is wrong; what is spoilt is found, with its level, its ranks
// and nothing else.
#include "support/check.h"

#include <stdio.h>
#include <string.h>
#include "doctor_sample.h"
#include "kernel/kernel.h"

static doctor_facts all[SAMPLE_RANKS];
static const char *hosts[SAMPLE_RANKS];
static doctor_report report;

static void judge(int n) {
    for (int i = 0; i < n; i++) hosts[i] = all[i].host;
    check_ok(doctor_report_new(&report, n, hosts));
    doctor_judge(&report, all, n);
    assert_false(report.lost);
}

/* Every finding is one line, and has a remedy where there is something to do, and only there. */
static void check_form(void) {
    for (int i = 0; i < report.count; i++) {
        const doctor_finding *f = &report.findings[i];
        assert_true(f->text[0] != '\0');
        assert_null(strchr(f->text, '\n'));
        assert_int_equal(f->remedy[0] != '\0', f->level >= DOCTOR_WARNING);
    }
}

static void alone(doctor_facts *f) {
    f->launch = (doctor_launch_facts){.mpi = "Open MPI v4.1.4",
                                      .size = 1,
                                      .threads = DOCTOR_UNKNOWN,
                                      .ompi_size = DOCTOR_UNKNOWN,
                                      .pmi_size = DOCTOR_UNKNOWN,
                                      .slurm_step_size = DOCTOR_UNKNOWN,
                                      .slurm_tasks = DOCTOR_UNKNOWN,
                                      .slurm_rank = DOCTOR_UNKNOWN};
    f->binding.local_ranks = f->hosts = 1;
    f->clock.known = false;
    f->ring = (doctor_ring_facts){.measured = true, .compute_gflops = 20};
}

/* ---- what is spoilt ---- */

static doctor_folder *folder(int rank, const char *role) {
    for (int i = 0; i < all[rank].storage.count; i++)
        if (strcmp(all[rank].storage.folders[i].role, role) == 0) return &all[rank].storage.folders[i];
    fail_msg("the sample has no folder %s", role);
    return NULL;
}
static void set(char *to, const char *value) { strcpy(to, value); }
static void setting(int rank, const char *name, const char *value) {
    doctor_setting *s = &all[rank].library.settings[all[rank].library.count++];
    doctor_copy(s->name, sizeof s->name, name);
    doctor_copy(s->value, sizeof s->value, value);
}
static doctor_interface *interface(int rank, const char *name, bool virtual_, int mbit) {
    doctor_interface *i = &all[rank].network.interfaces[all[rank].network.count++];
    *i = (doctor_interface){.up = true, .virtual_ = virtual_, .mbit = mbit, .address = 0xAC110001};
    doctor_copy(i->name, sizeof i->name, name);
    return i;
}
static void bind_to(int rank, int first, int last) {
    all[rank].binding.allowed = (doctor_cpus){{0}};
    for (int cpu = first; cpu <= last; cpu++) doctor_cpus_add(&all[rank].binding.allowed, cpu);
}

static void no_threads(void) { all[1].launch.threads = 0; }
static void funneled(void) { all[1].launch.threads = 1; }
static void fewer_than_step(void) { all[0].launch.slurm_step_size = 8; }
static void slurm_copies(void) { all[0].launch.slurm_step_size = 2; }
static void slurm_copy(void) { all[0].launch.slurm_tasks = 2, all[0].launch.slurm_rank = 1; }
static void batch_shell(void) { all[0].launch.slurm_tasks = 2, all[0].launch.slurm_rank = 0; }
static void ompi_copies(void) { all[0].launch.ompi_size = 2; }
static void pmi_copies(void) { all[0].launch.pmi_size = 2; }
static void mpi_refused(void) { set(all[0].launch.complaint, "MPI cannot be started"); }
static void mpirun_in_step(void) {
    for (int i = 0; i < SAMPLE_RANKS; i++)
        all[i].launch.ompi_size = SAMPLE_RANKS, all[i].launch.slurm_step_size = 1;
}
static void old_pmix(void) { set(all[2].pmix.server, "1.2.5"), set(all[2].pmix.client, "OpenPMIx 3.1.5"); }
static void other_pmix(void) { set(all[2].pmix.server, "3.2.3"); }
static void unknown_pmix(void) { all[2].pmix.client[0] = '\0'; }
static void no_plugin(void) { all[0].pmix.slurm_pmix = false; }
static void no_list(void) { all[0].pmix.slurm_asked = false; }
static void plugin_v1(void) { all[0].pmix.slurm_version = 1; }
static void srun_pmi2(void) { set(all[0].pmix.slurm_type, "pmi2"); }
static void no_avx(void) {
    for (int i = 0; i < SAMPLE_RANKS; i++) all[i].cpu.level = ANN_CPU_BASE;
}
static void other_level(void) { all[2].cpu.level = all[3].cpu.level = ANN_CPU_AVX2; }
static void powersave(void) { set(all[2].cpu.governor, "powersave"), set(all[2].cpu.driver, "acpi-cpufreq"); }
static void pstate(void) { set(all[2].cpu.governor, "powersave"); }
static void unknown_governor(void) { all[2].cpu.governor[0] = '\0'; }
static void no_thp(void) { set(all[4].cpu.thp, "always madvise [never]"); }
static void quota(void) { all[4].cpu.quota = 2.5; }
static void wide_quota(void) { all[4].cpu.quota = 4; }
static void crowded(void) { all[2].binding.threads = 3; }
static void one_core(void) { bind_to(2, 0, 0), bind_to(3, 1, 3); }
/* Four ranks on host b, of which two have one processor. */
static void same_core(void) {
    set(all[4].host, "b"), set(all[5].host, "b");
    all[4].first = false, all[0].hosts = 2;
    bind_to(2, 0, 0), bind_to(3, 0, 0), bind_to(4, 1, 3), bind_to(5, 1, 3);
    for (int i = 2; i < SAMPLE_RANKS; i++) all[i].binding.threads = 1;
}
static void same_cores(void) { bind_to(2, 0, 1), bind_to(3, 0, 1); }
static void overlap(void) { bind_to(2, 0, 2), bind_to(3, 2, 4); }
static void unbound(void) {
    for (int i = 0; i < SAMPLE_RANKS; i++) bind_to(i, 0, 3), all[i].binding.cores = 4;
}
static void hyperthreads(void) { all[3].binding.cores = 1; }
static void two_numa(void) { all[3].binding.numa = 2; }
static void unknown_binding(void) {
    for (int i = 0; i < SAMPLE_RANKS; i++) all[i].binding.allowed = (doctor_cpus){{0}};
}
static void pinned(void) { setting(1, "OPENBLAS_CORETYPE", "Haswell"), set(all[1].library.core, "Haswell"); }
static void dynamic(void) { setting(3, "OMP_DYNAMIC", "true"); }
static void harmless(void) {
    setting(3, "OMP_DYNAMIC", "false"), setting(3, "OMP_NUM_THREADS", "4"),
        setting(3, "OMP_WAIT_POLICY", "PASSIVE");
}
static void no_dnnl(void) {
    for (int i = 0; i < SAMPLE_RANKS; i++) all[i].library.dnnl[0] = 0;
}
static void docker(void) { (void)interface(0, "docker0", true, DOCTOR_UNKNOWN); }
static void container_net(void) { all[2].network.interfaces[1].virtual_ = true; }
static void two_nets(void) { (void)interface(2, "eth1", false, 25000); }
static void two_nets_chosen(void) { two_nets(), set(all[2].network.include, "10.0.0.0/24"); }
static void two_nets_excluded(void) { two_nets(), set(all[2].network.exclude, "lo,172.17.0.0/16"); }
static void net_down(void) { all[2].network.interfaces[1].up = false; }
static void wrong_include(void) { set(all[2].network.include, "ib0"); }
static void second_down(void) { interface(2, "eth1", false, 25000)->up = false; }
static void slow_net(void) { all[2].network.interfaces[1].mbit = 100; }
static void unknown_speed(void) { all[2].network.interfaces[1].mbit = DOCTOR_UNKNOWN; }
static void fabric(void) { set(all[2].network.fabric, "mlx5_0"); }
static void fabric_used(void) { fabric(), set(all[2].network.pml, "ucx"); }
static void fabric_locked(void) { fabric_used(), all[2].limit.locked_bytes = 65536; }
static void hdf5_differs(void) { set(all[5].hdf5.version, "1.12.1"); }
static void few_files(void) { all[5].limit.files = 256; }
static void no_files(void) { all[5].limit.files = 64; }
static void unlimited_files(void) { all[5].limit.files = DOCTOR_UNKNOWN; }
static void file_limit(void) { all[5].limit.file_bytes = 2e9; }
static void tiny_files(void) { all[5].limit.file_bytes = 1e6; }
static void address_space(void) { all[5].limit.address_bytes = 4e9; }
static void small_stack(void) { all[5].limit.stack_bytes = 65536; }
static void read_only(void) { set(folder(2, "output")->complaint, "Read-only file system"); }
static void cache_refused(void) { set(folder(2, "cache")->complaint, "Permission denied"); }
static void tmp_refused(void) { set(folder(2, "tmp")->complaint, "No space left on device"); }
static void data_refused(void) { set(folder(2, "data")->complaint, "Permission denied"); }
static void output_tmpfs(void) { set(folder(0, "output")->type, "tmpfs"); }
static void output_overlay(void) { set(folder(0, "output")->type, "overlay"); }
static void data_nfs(void) { set(folder(0, "data")->type, "nfs4"); }
static void unknown_fs(void) { folder(0, "output")->type[0] = '\0'; }
static void no_locks(void) { folder(2, "output")->locks = 0; }
static void no_locks_asked(void) { no_locks(), set(all[2].hdf5.locking, "FALSE"); }
static void server_clock(void) { folder(4, "output")->server_skew_s = -0.4; }
static void one_fits(void) { folder(4, "output")->free_bytes = 1.5e9; }
static void some_fit(void) { folder(4, "output")->free_bytes = 3e9; }
static void all_fit(void) { folder(4, "output")->free_bytes = 4.1e9; }
static void unknown_room(void) { folder(4, "output")->free_bytes = DOCTOR_UNKNOWN; }
static void no_inodes(void) { folder(4, "output")->free_files = 12; }
static void unshared(void) { folder(4, "output")->shared = 0; }
static void unknown_shared(void) { folder(4, "output")->shared = DOCTOR_UNKNOWN; }
static void small_tmp(void) { folder(2, "tmp")->free_bytes = 1e6; }
static void docker_shm(void) { all[2].storage.shm_bytes = all[2].storage.shm_free_bytes = 64 << 20; }
static void small_shm(void) { all[2].storage.shm_free_bytes = 5e8; }
static void no_shm(void) { all[2].storage.shm_bytes = all[2].storage.shm_free_bytes = DOCTOR_UNKNOWN; }
static void skewed(void) { all[4].clock.skew_s = all[5].clock.skew_s = -0.5; }
static void uncertain(void) { all[4].clock.skew_s = 0.2, all[4].clock.error_s = 0.15; }
static void unknown_clock(void) { all[4].clock.known = false; }
static void other_program(void) { all[3].same.program = 5; }
static void unknown_program(void) { all[3].same.program = 0; }
static void other_mpi(void) { set(all[3].launch.mpi, "Open MPI v5.0.1"); }
static void other_run(void) { all[3].same.run = 5; }
static void bad_run(void) {
    all[3].same.run_good = false, all[3].same.run = 0;
    set(all[3].same.complaint, "run.yaml:3:1: dato: unknown key");
}
static void bad_model(void) {
    all[0].same.run_good = false;
    set(all[0].same.complaint, "phases[0].batch: 2 samples for 6 ranks");
}
static void other_data(void) { all[2].same.data = 5; }
static void bad_data(void) { all[2].same.data_known = false, set(all[2].same.complaint, "d.h5: truncated"); }
static void wrong_sum(void) { all[3].ring.sum_wrong = true; }
static void slow_host(void) { all[2].ring.compute_gflops = all[3].ring.compute_gflops = 6; }
static void slow_rank(void) { all[2].ring.compute_gflops = 6; }
static void slow_link(void) { all[4].ring.far.bytes_per_s = 1e8; }
static void slow_memory(void) { all[4].ring.near.bytes_per_s = all[5].ring.near.bytes_per_s = 1e9; }
static void quick(void) {
    for (int i = 0; i < SAMPLE_RANKS; i++) all[i].ring = (doctor_ring_facts){0};
}
static void many_hosts(void) { all[0].hosts = 5; } /* as far as the texts go */
static void nothing(void) {}

/* ranks: of the job, 1 or all; where: as in the report. level OK: a finding that there is besides no warning
   and no error. */
typedef struct example {
    void (*spoil)(void);
    int ranks;
    doctor_level level;
    const char *check, *part, *where;
} example;

enum { ALL = SAMPLE_RANKS };
static const example examples[] = {
    {nothing, ALL, DOCTOR_OK, "launcher", "srun started 6 ranks, in a Slurm allocation", ""},
    {nothing, 1, DOCTOR_OK, "launcher", "started alone", ""},
    {nothing, ALL, DOCTOR_OK, "MPI", "Open MPI v4.1.4, MPI_THREAD_SERIALIZED", ""},
    {nothing, 1, DOCTOR_OK, "MPI", "level of threads unknown", ""},
    {nothing, ALL, DOCTOR_OK, "binding", "2 threads on processors 2-3", "ranks 1, 3, 5"},
    {nothing, ALL, DOCTOR_OK, "clocks", "all hosts agree to 2.01 ms", ""},
    {nothing, ALL, DOCTOR_OK, "benchmark", "between hosts: 20 us, 9.6 Gbit/s", ""},
    {nothing, ALL, DOCTOR_OK, "storage", "checkpoints: about 954 MiB each, 3.73 GiB in all", ""},
    {many_hosts, ALL, DOCTOR_OK, "storage", "tmp /tmp: ext4", ""},
    {many_hosts, ALL, DOCTOR_OK, "/dev/shm", "has enough room", ""},
    {no_threads, ALL, DOCTOR_ERROR, "MPI", "allows no threads", "rank 1"},
    {funneled, ALL, DOCTOR_NOTE, "MPI", "do not move on", "rank 1"},
    {fewer_than_step, ALL, DOCTOR_ERROR, "launcher", "srun started 8 tasks, but MPI sees 6", "rank 0"},
    {slurm_copies, 1, DOCTOR_ERROR, "launcher", "srun started 2 tasks, but MPI sees one", ""},
    {slurm_copy, 1, DOCTOR_ERROR, "launcher", "Slurm started 2 tasks, but MPI sees one", ""},
    {batch_shell, 1, DOCTOR_WARNING, "launcher", "the allocation is for 2 tasks", ""},
    {ompi_copies, 1, DOCTOR_ERROR, "launcher", "mpirun started 2 tasks, but MPI sees one", ""},
    {pmi_copies, 1, DOCTOR_ERROR, "launcher", "another MPI (PMI) started 2 tasks, but MPI sees one", ""},
    {mpi_refused, 1, DOCTOR_ERROR, "launcher", "MPI cannot be started", ""},
    {mpirun_in_step, ALL, DOCTOR_OK, "launcher", "mpirun started 6 ranks", ""},
    {nothing, ALL, DOCTOR_OK, "PMIx", "launcher 4.2, MPI 4.2", ""},
    {old_pmix, ALL, DOCTOR_ERROR, "PMIx", "the launcher has version 1.2, MPI has 3.1", "rank 2"},
    {other_pmix, ALL, DOCTOR_OK, "PMIx", "launcher 3.2, MPI 4.2", "rank 2"},
    {unknown_pmix, ALL, DOCTOR_NOTE, "PMIx", "MPI's version: unknown", "rank 2"},
    {no_plugin, ALL, DOCTOR_WARNING, "PMIx", "Slurm has no pmix plugin", ""},
    {no_list, ALL, DOCTOR_NOTE, "PMIx", "Slurm's plugins: unknown", ""},
    {plugin_v1, ALL, DOCTOR_WARNING, "PMIx", "pmix_v1", ""},
    {srun_pmi2, ALL, DOCTOR_WARNING, "PMIx", "--mpi=pmi2", ""},
    {no_avx, ALL, DOCTOR_WARNING, "processor", "neither AVX2 nor AVX-512", ""},
    {other_level, ALL, DOCTOR_WARNING, "processor", "kernels for AVX2 here, for AVX-512", "host b"},
    {powersave, ALL, DOCTOR_WARNING, "governor", "powersave: processors stay", "host b"},
    {pstate, ALL, DOCTOR_OK, "governor", "powersave (intel_pstate)", "host b"},
    {unknown_governor, ALL, DOCTOR_NOTE, "governor", "unknown", "host b"},
    {no_thp, ALL, DOCTOR_WARNING, "huge pages", "are off", "host c"},
    {quota, ALL, DOCTOR_WARNING, "processor", "the container grants 2.5 processors, 4 threads", "host c"},
    {wide_quota, ALL, DOCTOR_OK, "processor", "Xeon", ""},
    {crowded, ALL, DOCTOR_WARNING, "binding", "2 ranks with 5 threads in all on 4 processors", "host b"},
    {one_core, ALL, DOCTOR_WARNING, "binding", "2 threads are bound to processor 0", "rank 2"},
    {same_core, ALL, DOCTOR_WARNING, "binding",
     "2 ranks with 2 threads in all are bound to the same processor 0", "ranks 2-3"},
    {same_cores, ALL, DOCTOR_WARNING, "binding", "2 ranks with 4 threads in all on 2 processors", "host b"},
    {unbound, ALL, DOCTOR_OK, "binding", "2 threads on processors 0-3", ""},
    {hyperthreads, ALL, DOCTOR_NOTE, "binding", "2 threads on 1 core with", "rank 3"},
    {two_numa, ALL, DOCTOR_NOTE, "binding", "spans 2 NUMA nodes", "rank 3"},
    {unknown_binding, ALL, DOCTOR_NOTE, "binding", "unknown", ""},
    {dynamic, ALL, DOCTOR_WARNING, "environment", "OMP_DYNAMIC=true", "rank 3"},
    {harmless, ALL, DOCTOR_OK, "environment", "OMP_DYNAMIC=false", "rank 3"},
    {no_dnnl, ALL, DOCTOR_WARNING, "oneDNN", "built without oneDNN", ""},
    {docker, ALL, DOCTOR_WARNING, "network", "eth0 (10 Gbit/s), docker0 (virtual, speed unknown); messages",
     "host a"},
    {container_net, ALL, DOCTOR_OK, "network", "MPI's TCP would use eth0 (virtual, 10 Gbit/s)", "host b"},
    {two_nets, ALL, DOCTOR_WARNING, "network", "uses all of: eth0 (10 Gbit/s), eth1 (25 Gbit/s)", "host b"},
    {two_nets, 1, DOCTOR_OK, "network", "MPI's TCP would use eth0", ""},
    {docker, 1, DOCTOR_NOTE, "network", "docker0 (virtual", ""},
    {two_nets_chosen, ALL, DOCTOR_OK, "network", "MPI's TCP would use eth0 (10 Gbit/s)", ""},
    {two_nets_excluded, ALL, DOCTOR_OK, "network", "MPI's TCP would use eth0 (10 Gbit/s)", ""},
    {second_down, ALL, DOCTOR_OK, "network", "MPI's TCP would use eth0 (10 Gbit/s)", ""},
    {net_down, ALL, DOCTOR_ERROR, "network", "no interface is up", "host b"},
    {wrong_include, ALL, DOCTOR_ERROR, "network", "btl_tcp_if_include is ib0", "host b"},
    {slow_net, ALL, DOCTOR_WARNING, "network", "slower than 1 Gbit/s: eth0 (0.1 Gbit/s)", "host b"},
    {unknown_speed, ALL, DOCTOR_OK, "network", "eth0 (speed unknown)", "host b"},
    {fabric, ALL, DOCTOR_WARNING, "network", "there is a fast fabric (mlx5_0), but MPI is told to use TCP",
     "host b"},
    {fabric_used, ALL, DOCTOR_NOTE, "network", "there is a fast fabric: mlx5_0", "host b"},
    {fabric_locked, ALL, DOCTOR_WARNING, "limits", "locked memory is limited to 64 KiB", "rank 2"},
    {hdf5_differs, ALL, DOCTOR_WARNING, "HDF5", "headers of 1.10.8, and the library is 1.12.1", "rank 5"},
    {few_files, ALL, DOCTOR_WARNING, "limits", "only 256 files", "rank 5"},
    {no_files, ALL, DOCTOR_ERROR, "limits", "only 64 files", "rank 5"},
    {unlimited_files, ALL, DOCTOR_OK, "limits", "unlimited open files", "rank 5"},
    {file_limit, ALL, DOCTOR_WARNING, "limits", "files may have 1.86 GiB at most", "rank 5"},
    {tiny_files, ALL, DOCTOR_ERROR, "limits", "files may have 977 KiB, and a checkpoint has about 954 MiB",
     "rank 5"},
    {address_space, ALL, DOCTOR_WARNING, "limits", "address space is limited to 3.73 GiB", "rank 5"},
    {small_stack, ALL, DOCTOR_WARNING, "limits", "the stack is limited to 64 KiB", "rank 5"},
    {read_only, ALL, DOCTOR_ERROR, "storage", "output /scratch/run cannot be written: Read-only", "host b"},
    {cache_refused, ALL, DOCTOR_WARNING, "storage", "cache /home/u/.cache/annulus cannot be written (Perm",
     "host b"},
    {tmp_refused, ALL, DOCTOR_ERROR, "storage", "tmp /tmp cannot be written: No space", "host b"},
    {data_refused, ALL, DOCTOR_ERROR, "storage", "data /scratch/data.h5 cannot be read: Perm", "host b"},
    {output_tmpfs, ALL, DOCTOR_WARNING, "storage", "is in memory (tmpfs)", "host a"},
    {output_overlay, ALL, DOCTOR_WARNING, "storage", "is in the container (overlay)", "host a"},
    {data_nfs, ALL, DOCTOR_NOTE, "storage", "data /scratch/data.h5 come from one server (nfs4)", "host a"},
    {unknown_fs, ALL, DOCTOR_OK, "storage", "output /scratch/run: unknown file system", "host a"},
    {no_locks, ALL, DOCTOR_WARNING, "storage", "files cannot be locked: HDF5 tools", "host b"},
    {no_locks_asked, ALL, DOCTOR_NOTE, "storage", "HDF5 does not ask for it", "host b"},
    {server_clock, ALL, DOCTOR_WARNING, "storage", "new files are dated 0.400 s behind", "host c"},
    {one_fits, ALL, DOCTOR_ERROR, "storage", "1.4 GiB free, and one checkpoint takes about 954 MiB",
     "host c"},
    {some_fit, ALL, DOCTOR_WARNING, "storage",
     "2.79 GiB free, and the checkpoints of all phases take about 3.73 GiB", "host c"},
    {all_fit, ALL, DOCTOR_OK, "storage", "output /scratch/run: lustre, 3.82 GiB free", "host c"},
    {unknown_room, ALL, DOCTOR_OK, "storage", "output /scratch/run: lustre, unknown free", "host c"},
    {no_inodes, ALL, DOCTOR_WARNING, "storage", "only 12 more files", "host c"},
    {unshared, ALL, DOCTOR_ERROR, "storage", "is another folder than on rank 0's host", "host c"},
    {unknown_shared, ALL, DOCTOR_NOTE, "storage", "unknown whether all hosts share it", "host c"},
    {small_tmp, ALL, DOCTOR_WARNING, "storage", "tmp /tmp: only 977 KiB free", "host b"},
    {docker_shm, ALL, DOCTOR_WARNING, "/dev/shm", "/dev/shm has 64 MiB free, and 2 ranks need about 606 MiB",
     "host b"},
    {docker_shm, 1, DOCTOR_OK, "/dev/shm", "/dev/shm has 59.6 GiB free", ""},
    {small_shm, ALL, DOCTOR_WARNING, "/dev/shm", "has 477 MiB free, and 2 ranks need about 606 MiB",
     "host b"},
    {no_shm, ALL, DOCTOR_WARNING, "/dev/shm", "is not there", "host b"},
    {skewed, ALL, DOCTOR_WARNING, "clocks", "the clock is 0.500 s behind", "host c"},
    {uncertain, ALL, DOCTOR_OK, "clocks", "all hosts agree to 350 ms", ""},
    {unknown_clock, ALL, DOCTOR_NOTE, "clocks", "unknown", ""},
    {other_program, ALL, DOCTOR_ERROR, "program", "runs another program", "rank 3"},
    {unknown_program, ALL, DOCTOR_NOTE, "program", "unknown", "rank 3"},
    {other_mpi, ALL, DOCTOR_ERROR, "MPI", "not the MPI library of rank 0", "rank 3"},
    {other_run, ALL, DOCTOR_ERROR, "run file", "another text", "rank 3"},
    {bad_run, ALL, DOCTOR_ERROR, "run file", "run.yaml:3:1: dato: unknown key", "rank 3"},
    {bad_model, ALL, DOCTOR_ERROR, "run file", "2 samples for 6 ranks", ""},
    {other_data, ALL, DOCTOR_ERROR, "datasets", "other content", "host b"},
    {bad_data, ALL, DOCTOR_ERROR, "datasets", "d.h5: truncated", "host b"},
    {wrong_sum, ALL, DOCTOR_ERROR, "benchmark", "came out wrong", "rank 3"},
    {slow_host, ALL, DOCTOR_WARNING, "benchmark", "computes at 0.30 times the median", "host b"},
    {slow_rank, ALL, DOCTOR_OK, "benchmark", "a thread computes 20 GFLOP/s", ""},
    {slow_link, ALL, DOCTOR_WARNING, "benchmark", "sends to other hosts at 0.08 times", "host c"},
    {slow_memory, ALL, DOCTOR_WARNING, "benchmark", "sends within itself at 0.10 times", "host c"},
    {quick, ALL, DOCTOR_NOTE, "benchmark", "left out (--quick)", ""},
};
enum { EXAMPLES = sizeof examples / sizeof examples[0] };

static void check_example(const example *e, int number) {
    char where[256];
    sample_facts(all);
    if (e->ranks == 1) alone(&all[0]);
    e->spoil();
    judge(e->ranks);
    check_form();
    const doctor_finding *f = doctor_report_find(&report, e->check, e->part);
    const int warnings = doctor_report_count(&report, DOCTOR_WARNING),
              errors = doctor_report_count(&report, DOCTOR_ERROR);
    if (!f || warnings != (e->level == DOCTOR_WARNING) || errors != (e->level == DOCTOR_ERROR)) {
        doctor_report_print(&report, DOCTOR_OK, stderr);
        fail_msg("example %d: %s: '%s' was %s, %d warnings, %d errors", number, e->check, e->part,
                 f ? "found" : "not found", warnings, errors);
    }
    assert_int_equal(f->level, e->level);
    assert_string_equal(doctor_report_where(where, sizeof where, &report, f), e->where);
    doctor_report_free(&report);
}

static void each_fault_is_found(void **state) {
    (void)state;
    for (int i = 0; i < EXAMPLES; i++) check_example(&examples[i], i);
}

static int warnings_after(void (*spoil)(void)) {
    sample_facts(all);
    spoil();
    judge(ALL);
    check_form();
    assert_int_equal(doctor_report_count(&report, DOCTOR_ERROR), 0);
    return doctor_report_count(&report, DOCTOR_WARNING);
}

/* Where one cause has two findings. */
static void several_findings(void **state) {
    (void)state;
    assert_int_equal(warnings_after(pinned), 2);
    assert_non_null(doctor_report_find(&report, "environment", "OPENBLAS_CORETYPE=Haswell"));
    assert_non_null(
        doctor_report_find(&report, "OpenBLAS", "kernels for Haswell on a processor with AVX-512"));
    doctor_report_free(&report);
    assert_int_equal(warnings_after(overlap), 2);
    assert_non_null(doctor_report_find(&report, "binding", "processors 0-2 are shared"));
    assert_non_null(doctor_report_find(&report, "binding", "processors 2-4 are shared"));
    doctor_report_free(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_fault_is_found),
                                       cmocka_unit_test(several_findings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
