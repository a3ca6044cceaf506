/* What each rank knows of itself, its host and its files, as one piece of memory that is sent to rank 0 as it
   is. What could not be found is UNKNOWN (numbers), 0 of what cannot be 0, or "" (texts), as said below. */
#ifndef ANNULUS_LAUNCH_DOCTOR_FACTS_H
#define ANNULUS_LAUNCH_DOCTOR_FACTS_H

#include "text.h"

enum { DOCTOR_UNKNOWN = -1, DOCTOR_INTERFACES_MAX = 16, DOCTOR_FOLDERS_MAX = 10, DOCTOR_SETTINGS_MAX = 10 };

typedef struct doctor_launch_facts {
    char complaint[128]; /* why the job could not begin; "": it did */
    char mpi[96];        /* library and version */
    bool started;        /* MPI runs: a launcher started this process */
    int rank, size;      /* by MPI; 0 and 1 without it */
    int threads;         /* level of MPI's threads, 0 to 3; UNKNOWN: it does not run */
    int ompi_size;       /* OMPI_COMM_WORLD_SIZE; UNKNOWN: not set, like those that follow */
    int pmi_size;        /* PMI_SIZE */
    int slurm_step_size; /* SLURM_STEP_NUM_TASKS, or SLURM_NTASKS in a step of srun's */
    int slurm_tasks;     /* SLURM_NTASKS */
    int slurm_rank;      /* SLURM_PROCID */
    bool slurm;          /* within an allocation */
} doctor_launch_facts;

typedef struct doctor_pmix_facts {
    char server[48], client[64]; /* "" : unknown, or no PMIx */
    char slurm_type[24];         /* SLURM_MPI_TYPE */
    bool slurm_asked;            /* srun --mpi=list was answered; rank 0 asks */
    bool slurm_pmix;
    int slurm_version; /* of the plugin; 0: it does not say */
} doctor_pmix_facts;

typedef struct doctor_cpu_facts {
    char model[80];
    int level;    /* ann_cpu_level */
    int online;   /* processors of the host */
    double quota; /* processors that the cgroup grants; 0: all, or unknown */
    char thp[48]; /* "always [madvise] never" */
    char governor[24], driver[32];
} doctor_cpu_facts;

typedef struct doctor_binding_facts {
    doctor_cpus allowed;
    int cores;       /* among them, threads of one counted once; UNKNOWN */
    int numa;        /* nodes that they are on; UNKNOWN */
    int local_ranks; /* on this host */
    int threads;     /* of this rank */
} doctor_binding_facts;

typedef struct doctor_setting {
    char name[28], value[48];
} doctor_setting;
typedef struct doctor_library_facts {
    char openblas[96], flavour[24], core[24];
    int dnnl[3];
    int count;
    doctor_setting settings[DOCTOR_SETTINGS_MAX]; /* variables of the environment that matter */
} doctor_library_facts;

typedef struct doctor_interface {
    char name[16];
    bool up, loopback, virtual_;
    uint32_t address; /* IPv4, of this machine's byte order; 0: none */
    int mbit;         /* UNKNOWN */
} doctor_interface;
typedef struct doctor_network_facts {
    int count;
    doctor_interface interfaces[DOCTOR_INTERFACES_MAX];
    char include[128], exclude[128]; /* btl_tcp_if_include, _exclude */
    char pml[32], btl[64];           /* "": MPI decides */
    char fabric[24];                 /* "mlx5_0": an InfiniBand, RoCE or Omni-Path device */
} doctor_network_facts;

typedef struct doctor_hdf5_facts {
    char version[24], built[24]; /* of the library that runs, of the headers */
    bool threadsafe, parallel;
    char locking[16]; /* HDF5_USE_FILE_LOCKING */
} doctor_hdf5_facts;

typedef struct doctor_folder {
    char role[8];                  /* "data", "output", "cache", "tmp" */
    char path[160];                /* as the run file says; its end if it is long */
    bool exists;                   /* else what follows is about the nearest folder above it */
    char type[24];                 /* of the file system; "": unknown */
    double free_bytes, free_files; /* for this user; UNKNOWN: not said */
    char complaint[96];            /* why nothing can be written (or read: data); "": it can */
    int locks;                     /* 0: files cannot be locked, 1: they can; UNKNOWN */
    double server_skew_s;          /* of the file server's clock against this host's */
    bool skew_known;
    int shared; /* output: rank 0's file is seen here: 0, 1, UNKNOWN */
} doctor_folder;

typedef struct doctor_storage_facts { /* of one rank of each host: probed */
    bool probed;
    int count;
    doctor_folder folders[DOCTOR_FOLDERS_MAX];
    double shm_bytes, shm_free_bytes; /* UNKNOWN */
    char shm[64];                     /* the folder */
} doctor_storage_facts;

typedef struct doctor_need_facts { /* of the run file's model, by rank 0; UNKNOWN: no run file */
    double checkpoint_bytes;       /* the largest one */
    double output_bytes;           /* those that stay, and one more */
    double window_bytes;           /* memory that a rank shares with its host */
    bool all_stay;                 /* checkpoint.keep: 0 */
} doctor_need_facts;

typedef struct doctor_clock_facts {
    bool known;
    double skew_s;  /* against rank 0's */
    double error_s; /* at most */
} doctor_clock_facts;

typedef struct doctor_limit_facts { /* soft; < 0: unlimited */
    double files, locked_bytes, address_bytes, stack_bytes, file_bytes;
} doctor_limit_facts;

typedef struct doctor_same_facts {
    uint64_t program; /* hash of /proc/self/exe; 0: unknown */
    bool run_given, run_good;
    char complaint[256]; /* why the run file is not good */
    uint64_t run;        /* its hash; 0: it cannot be read */
    bool data_known;
    uint64_t data; /* of all datasets */
} doctor_same_facts;

enum { DOCTOR_SUMS = 3 };
/* Sizes of the messages that are summed. */
static const int64_t doctor_sum_bytes[DOCTOR_SUMS] = {4 << 10, 256 << 10, 4 << 20};

typedef struct doctor_link {
    double latency_s, bytes_per_s; /* 0: there was no partner of that kind */
} doctor_link;

typedef struct doctor_ring_facts {
    bool measured;
    double compute_gflops; /* of one thread, all ranks at once */
    double sum_s[DOCTOR_SUMS];
    bool sum_wrong;
    doctor_link near,
        far; /* the better of this rank's two neighbours in the ring of its host; in that of hosts */
} doctor_ring_facts;

typedef struct doctor_facts {
    char host[64];
    bool first; /* of the ranks on its host */
    int hosts;  /* of the job; rank 0 knows */
    doctor_launch_facts launch;
    doctor_pmix_facts pmix;
    doctor_cpu_facts cpu;
    doctor_binding_facts binding;
    doctor_library_facts library;
    doctor_network_facts network;
    doctor_hdf5_facts hdf5;
    doctor_storage_facts storage;
    doctor_need_facts need;
    doctor_clock_facts clock;
    doctor_limit_facts limit;
    doctor_same_facts same;
    doctor_ring_facts ring;
} doctor_facts;

#endif
