/* The checks of `annulus doctor`, one file each. A check has two halves: _find collects facts on every rank,
   _judge is a pure function of the facts of all ranks (all[0 .. n), by rank) that adds findings. */
#ifndef ANNULUS_LAUNCH_DOCTOR_DOCTOR_H
#define ANNULUS_LAUNCH_DOCTOR_DOCTOR_H

#include "comm/comm.h"
#include "train/config.h"
#include "facts.h"
#include "report.h"

typedef struct doctor_request {
    const char *path; /* of the run file; NULL: none */
    const char **sets;
    int set_count;
    int threads; /* of a rank; 0: as annulus train chooses */
    bool quick;
    double timeout_s; /* of waits for other ranks */
} doctor_request;

/* Before MPI starts: what would not work any more, since it starts a process. Local. */
void doctor_pmix_ask_slurm(doctor_pmix_facts *f);

/* All facts of this rank; mpi: it has been started. Collective. */
ann_status doctor_find(ann_comm *comm, doctor_facts *f, const doctor_request *request,
                       bool mpi) ANN_MUST_CHECK;
/* Those of all ranks to all[] of rank 0; all is looked at only there. Collective. */
ann_status doctor_gather(ann_comm *comm, doctor_facts *all, doctor_facts *mine,
                         double timeout_s) ANN_MUST_CHECK;
/* All findings, in the order in which they are read best. */
void doctor_judge(doctor_report *report, const doctor_facts *all, int n);

/* ---- local halves ---- */

void doctor_launch_find(doctor_launch_facts *f, bool mpi);
void doctor_pmix_find(doctor_pmix_facts *f);
void doctor_cpu_find(doctor_cpu_facts *f);
void doctor_binding_find(doctor_binding_facts *f, int local_ranks, int threads);
void doctor_library_find(doctor_library_facts *f);
void doctor_network_find(doctor_network_facts *f);
void doctor_hdf5_find(doctor_hdf5_facts *f);
void doctor_limit_find(doctor_limit_facts *f);
/* config: NULL without a run file, or with a bad one. */
void doctor_storage_find(doctor_storage_facts *s, const ann_run_config *config);
void doctor_same_find(doctor_same_facts *f, const doctor_request *request, const ann_run_config *config,
                      bool first_of_host);
/* The run file's needs, as rank 0 of `size` ranks has them. Errors: those of the phases. */
ann_status doctor_need_find(doctor_need_facts *f, const ann_run_config *config, int size) ANN_MUST_CHECK;

/* ---- collective halves ---- */

ann_status doctor_clock_find(ann_comm *comm, doctor_clock_facts *f) ANN_MUST_CHECK;
/* Whether the output folder is the same one on all hosts: fills in folders[].shared. */
ann_status doctor_storage_share(ann_comm *comm, doctor_storage_facts *s,
                                const ann_run_config *config) ANN_MUST_CHECK;
/* At most about 5 s. */
ann_status doctor_ring_find(ann_comm *comm, doctor_ring_facts *f, bool mpi, double timeout_s) ANN_MUST_CHECK;

/* In a ring of n, with whom the one at `place` measures in rounds 0 to 2; -1: with nobody. */
int doctor_ring_partner(int n, int place, int round);

/* ---- judgements ---- */

void doctor_launch_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_pmix_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_cpu_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_binding_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_library_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_network_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_hdf5_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_limit_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_storage_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_shm_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_clock_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_same_judge(doctor_report *report, const doctor_facts *all, int n);
void doctor_ring_judge(doctor_report *report, const doctor_facts *all, int n);

/* ---- shared ---- */

/* Do ranks a and b run on one host? */
bool doctor_same_host(const doctor_facts *all, int a, int b);

/* The first line of a file, without its end; "" if it cannot be read. Returns buf. */
const char *doctor_read_line(char *buf, size_t size, const char *path);
/* A number in the environment; DOCTOR_UNKNOWN: there is none. */
int doctor_env_int(const char *name);
/* snprintf's "%s", cut off if need be. */
void doctor_copy(char *to, size_t size, const char *from);
/* To or from another rank of the job. Errors: ANN_ERR_COMM, ANN_ERR_TIMEOUT after timeout_s
   (MPI may still use `data`). Local, with a partner that does the opposite. */
ann_status doctor_send(int partner, void *data, int bytes, double timeout_s) ANN_MUST_CHECK;
ann_status doctor_receive(int partner, void *data, int bytes, double timeout_s) ANN_MUST_CHECK;

#endif
