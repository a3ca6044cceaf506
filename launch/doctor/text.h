/* What the doctor reads out of text that the kernel, Slurm and libraries write. Pure functions. */
#ifndef ANNULUS_LAUNCH_DOCTOR_TEXT_H
#define ANNULUS_LAUNCH_DOCTOR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- sets of processors ---- */

enum { DOCTOR_CPUS_MAX = 2048 };
typedef struct doctor_cpus {
    uint64_t bits[DOCTOR_CPUS_MAX / 64];
} doctor_cpus;

/* "0-3,8,10-11" and blanks at the end. False, with an empty set, if it is something else or too large. */
bool doctor_cpus_parse(doctor_cpus *out, const char *text);
void doctor_cpus_add(doctor_cpus *cpus, int cpu);
bool doctor_cpus_have(const doctor_cpus *cpus, int cpu);
int doctor_cpus_count(const doctor_cpus *cpus);
/* `cpus` with those of `other`. */
void doctor_cpus_join(doctor_cpus *cpus, const doctor_cpus *other);
bool doctor_cpus_meet(const doctor_cpus *a, const doctor_cpus *b);
bool doctor_cpus_equal(const doctor_cpus *a, const doctor_cpus *b);
/* "0-3,8", cut off with "..." where it does not fit. Returns buf. */
const char *doctor_cpus_str(char *buf, size_t size, const doctor_cpus *cpus);

/* ---- versions ---- */

typedef struct doctor_version {
    int major, minor, patch; /* -1: the text does not say */
} doctor_version;

/* The first "N.N" or "N.N.N" in a text such as "OpenPMIx 4.2.2rc2 (...)". Major is -1 if there is none. */
doctor_version doctor_version_in(const char *text);
bool doctor_version_below(doctor_version v, int major, int minor);

/* What `srun --mpi=list` prints: whether any plugin is called pmix, and the largest N of a "pmix_vN" (0: none
   is named). False: the text is no such list. */
bool doctor_slurm_plugins(const char *text, bool *pmix, int *version);

/* ---- file systems ---- */

typedef struct doctor_mount {
    char point[256], type[32];
} doctor_mount;

/* The mount of an absolute path by the text of /proc/self/mountinfo (proc(5)): the longest mount point that
   leads to it, and of equal ones the last. False if there is none. */
bool doctor_mount_find(doctor_mount *out, const char *mountinfo, const char *path);
/* The name of statfs's f_type, such as "nfs"; NULL: unknown. */
const char *doctor_fs_name(int64_t magic);

typedef enum doctor_fs {
    DOCTOR_FS_LOCAL,
    DOCTOR_FS_NETWORK,  /* one server: nfs, smb, 9p, sshfs */
    DOCTOR_FS_PARALLEL, /* lustre, gpfs, beegfs, ceph ... */
    DOCTOR_FS_MEMORY,
    DOCTOR_FS_LAYER, /* of a container */
    DOCTOR_FS_UNKNOWN
} doctor_fs;
doctor_fs doctor_fs_kind(const char *type);

/* ---- limits of a container ---- */

/* Processors that a cgroup grants: of version 2's cpu.max ("200000 100000", "max 100000"). 0: no limit, or
   other text. */
double doctor_quota(const char *cpu_max);
/* The group of this process by the text of /proc/self/cgroup (cgroups(7)): with controller "" that of version
   2, otherwise that of version 1 with this controller. False: there is none. */
bool doctor_cgroup_find(char *out, size_t size, const char *text, const char *controller);

/* ---- for people ---- */

/* "1.5 GiB". Returns buf; 16 bytes suffice. */
const char *doctor_bytes_str(char *buf, size_t size, double bytes);
/* "" for 1, else "s". */
const char *doctor_plural(int n);

#endif
