/* Judgement of folders, and of the memory that hosts share. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "doctor.h"

static bool is(const doctor_folder *f, const char *role) { return strcmp(f->role, role) == 0; }

/* Of many hosts only what they have in common is said: each has other room on its own disks. */
enum { DESCRIBED_HOSTS = 4 };

static void describe(doctor_report *report, const doctor_facts *all, int i, const doctor_folder *f) {
    char room[16];
    if (all[0].hosts > DESCRIBED_HOSTS && !is(f, "output")) {
        doctor_say_host(report, i, DOCTOR_OK, "storage", NULL, "%s %s: %s%s", f->role, f->path,
                        f->type[0] ? f->type : "unknown file system",
                        f->exists ? "" : ", does not exist yet");
        return;
    }
    doctor_say_host(report, i, DOCTOR_OK, "storage", NULL, "%s %s: %s, %s free%s%s", f->role, f->path,
                    f->type[0] ? f->type : "unknown file system",
                    f->free_bytes < 0 ? "unknown" : doctor_bytes_str(room, sizeof room, f->free_bytes),
                    f->exists ? "" : ", does not exist yet",
                    f->locks == 1   ? ", files can be locked"
                    : f->locks == 0 ? ", files cannot be locked"
                                    : "");
}

static void judge_access(doctor_report *report, int i, const doctor_folder *f) {
    if (!f->complaint[0]) return;
    if (is(f, "data"))
        doctor_say_host(report, i, DOCTOR_ERROR, "storage",
                        "put the file where all hosts see it, readable by this user",
                        "data %s cannot be read: %s", f->path, f->complaint);
    else if (is(f, "cache"))
        doctor_say_host(report, i, DOCTOR_WARNING, "storage",
                        "set XDG_CACHE_HOME to a folder that can be written",
                        "cache %s cannot be written (%s): each start between hosts measures anew for 3 s",
                        f->path, f->complaint);
    else
        doctor_say_host(report, i, DOCTOR_ERROR, "storage",
                        is(f, "tmp") ? "free space there, or set TMPDIR"
                                     : "free space there, or set output to another folder",
                        "%s %s cannot be written: %s", f->role, f->path, f->complaint);
}

static void judge_kind(doctor_report *report, int i, const doctor_folder *f) {
    const doctor_fs kind = doctor_fs_kind(f->type);
    if (is(f, "output") && kind == DOCTOR_FS_MEMORY)
        doctor_say_host(report, i, DOCTOR_WARNING, "storage", "set output to a folder on a disk",
                        "output %s is in memory (%s): checkpoints take memory and do not survive the host",
                        f->path, f->type);
    if (is(f, "output") && kind == DOCTOR_FS_LAYER)
        doctor_say_host(report, i, DOCTOR_WARNING, "storage",
                        "set output to a folder that is mounted into the container",
                        "output %s is in the container (%s): checkpoints are gone with it", f->path, f->type);
    if (is(f, "data") && kind == DOCTOR_FS_NETWORK)
        doctor_say_host(report, i, DOCTOR_NOTE, "storage", NULL,
                        "data %s come from one server (%s): data.memory: hold reads each rank's share once",
                        f->path, f->type);
}

static void judge_locks(doctor_report *report, const doctor_facts *all, int i, const doctor_folder *f) {
    const char *locking = all[i].hdf5.locking;
    if (!is(f, "output") || f->locks != 0) return;
    if (strcmp(locking, "FALSE") == 0)
        doctor_say_host(report, i, DOCTOR_NOTE, "storage", NULL,
                        "output %s: files cannot be locked, and HDF5 does not ask for it", f->path);
    else
        doctor_say_host(report, i, DOCTOR_WARNING, "storage", "export HDF5_USE_FILE_LOCKING=FALSE",
                        "output %s: files cannot be locked: HDF5 tools may refuse to open checkpoints",
                        f->path);
}

static void judge_clock(doctor_report *report, int i, const doctor_folder *f) {
    if (!is(f, "output") || !f->skew_known || fabs(f->server_skew_s) <= 0.1) return;
    doctor_say_host(report, i, DOCTOR_WARNING, "storage",
                    "let NTP (chrony) set the clocks of hosts and file servers",
                    "output %s: new files are dated %.3f s %s this host's clock", f->path,
                    fabs(f->server_skew_s), f->server_skew_s > 0 ? "ahead of" : "behind");
}

/* Two checkpoints at least: the last one stays until the next is there. */
static void judge_room(doctor_report *report, const doctor_facts *all, int i, const doctor_folder *f) {
    static const char remedy[] =
        "free space there, set output to another folder, or a smaller checkpoint.keep";
    const doctor_need_facts *need = &all[0].need;
    char room[16], one[16], whole[16];
    if (!is(f, "output") || f->free_bytes < 0 || need->checkpoint_bytes < 0) return;
    doctor_bytes_str(room, sizeof room, f->free_bytes);
    doctor_bytes_str(one, sizeof one, need->checkpoint_bytes);
    doctor_bytes_str(whole, sizeof whole, need->output_bytes);
    if (f->free_bytes < 2 * need->checkpoint_bytes)
        doctor_say_host(report, i, DOCTOR_ERROR, "storage", remedy,
                        "output %s: %s free, and one checkpoint takes about %s: two of them must fit",
                        f->path, room, one);
    else if (f->free_bytes < need->output_bytes)
        doctor_say_host(report, i, DOCTOR_WARNING, "storage", remedy,
                        "output %s: %s free, and the checkpoints of all phases take about %s", f->path, room,
                        whole);
    else
        doctor_say_host(report, i, DOCTOR_OK, "storage", NULL, "checkpoints: about %s each, %s in all%s", one,
                        whole,
                        need->all_stay ? " at least, since all of them stay (checkpoint.keep: 0)" : "");
    if (f->free_files >= 0 && f->free_files < 1000)
        doctor_say_host(report, i, DOCTOR_WARNING, "storage", "remove files there",
                        "output %s: only %.0f more files can be made", f->path, f->free_files);
}

static void judge_shared(doctor_report *report, const doctor_facts *all, int i, const doctor_folder *f) {
    if (!is(f, "output") || all[0].hosts == 1) return;
    if (f->shared == 0)
        doctor_say_host(report, i, DOCTOR_ERROR, "storage", "set output to a folder that all hosts share",
                        "output %s is another folder than on rank 0's host: checkpoints would be torn apart",
                        f->path);
    else if (f->shared == DOCTOR_UNKNOWN)
        doctor_say_host(report, i, DOCTOR_NOTE, "storage", NULL,
                        "output %s: unknown whether all hosts share it", f->path);
}

static void judge_tmp(doctor_report *report, int i, const doctor_folder *f) {
    char room[16];
    if (!is(f, "tmp") || f->free_bytes < 0 || f->free_bytes >= (double)(16 << 20) || f->complaint[0]) return;
    doctor_say_host(report, i, DOCTOR_WARNING, "storage", "free space there, or set TMPDIR",
                    "tmp %s: only %s free; mpirun keeps its sockets and shared memory there", f->path,
                    doctor_bytes_str(room, sizeof room, f->free_bytes));
}

void doctor_storage_judge(doctor_report *report, const doctor_facts *all, int n) {
    for (int i = 0; i < n; i++)
        for (int k = 0; k < all[i].storage.count; k++) {
            const doctor_folder *f = &all[i].storage.folders[k];
            describe(report, all, i, f);
            judge_access(report, i, f);
            judge_kind(report, i, f);
            judge_locks(report, all, i, f);
            judge_clock(report, i, f);
            judge_room(report, all, i, f);
            judge_shared(report, all, i, f);
            judge_tmp(report, i, f);
        }
}

/* ---- memory that a host shares ---- */

/* Two windows for each rank: the communicator's own, and that of a stage's messages. Where they do not fit,
   messages go without, which is slower. */
void doctor_shm_judge(doctor_report *report, const doctor_facts *all, int n) {
    static const double OWN_BYTES = 2.5 * 1048576;
    for (int i = 0; i < n; i++) {
        const doctor_storage_facts *s = &all[i].storage;
        const double window = all[0].need.window_bytes, ranks = all[i].binding.local_ranks;
        const double need = window < 0 ? DOCTOR_UNKNOWN : ranks * (1.05 * window + OWN_BYTES);
        char room[16], needed[16];
        if (!s->probed) continue;
        if (s->shm_free_bytes < 0) {
            doctor_say_host(report, i, DOCTOR_WARNING, "/dev/shm", "mount a tmpfs at /dev/shm",
                            "%s is not there: ranks of a host send messages instead", s->shm);
            continue;
        }
        doctor_bytes_str(room, sizeof room, s->shm_free_bytes);
        doctor_bytes_str(needed, sizeof needed, need);
        if (need >= 0 && ranks > 1 && s->shm_free_bytes < need)
            doctor_say_host(report, i, DOCTOR_WARNING, "/dev/shm",
                            "a larger /dev/shm (mount -o remount,size=; docker --shm-size)",
                            "%s has %s free, and %.0f ranks need about %s: they would send messages instead",
                            s->shm, room, ranks, needed);
        else if (s->shm_bytes <= 64.0 * 1048576)
            doctor_say_host(report, i, DOCTOR_WARNING, "/dev/shm", "docker run --shm-size=4g (or --ipc=host)",
                            "%s has %s free, as containers have by default", s->shm, room);
        else if (all[0].hosts > DESCRIBED_HOSTS)
            doctor_say_host(report, i, DOCTOR_OK, "/dev/shm", NULL, "%s %s", s->shm,
                            need >= 0 ? "has enough room"
                                      : "is there; without a run file its need is unknown");
        else
            doctor_say_host(report, i, DOCTOR_OK, "/dev/shm", NULL, "%s has %s free%s%s", s->shm, room,
                            need >= 0 && ranks > 1 ? ", ranks need about " : "",
                            need >= 0 && ranks > 1 ? needed : "");
    }
}
