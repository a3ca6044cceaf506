/* Folders that a run reads and writes, and the memory that hosts share: what they are on, and whether they
   work. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include "doctor.h"

/* The nearest folder at or above `path` that exists, as a whole path without links. *exists: it is the path
   itself. False: what is nearest is no folder. */
static bool nearest_folder(char *out, size_t size, const char *path, bool *exists) {
    char part[PATH_MAX], whole[PATH_MAX];
    struct stat st;
    doctor_copy(part, sizeof part, path[0] ? path : ".");
    for (*exists = true; stat(part, &st) != 0; *exists = false) {
        char *slash = strrchr(part, '/');
        if (strcmp(part, ".") == 0 || strcmp(part, "/") == 0) return false;
        if (!slash) strcpy(part, ".");
        else slash[slash == part] = '\0';
    }
    if (!S_ISDIR(st.st_mode) || !realpath(part, whole)) return false;
    doctor_copy(out, size, whole);
    return true;
}

/* ---- the file system ---- */

/* The whole file; "" if it cannot be read. Owner: the caller, free(). */
static char *read_all(const char *path) {
    size_t size = 0;
    char *text = NULL, part[4096];
    FILE *file = fopen(path, "r"), *to = open_memstream(&text, &size);
    for (size_t n; file && to && (n = fread(part, 1, sizeof part, file)) > 0;) fwrite(part, 1, n, to);
    if (file) fclose(file);
    if (to) fclose(to);
    return text;
}

static void find_type(doctor_folder *f, const char *folder) {
    char *mounts = read_all("/proc/self/mountinfo");
    doctor_mount mount;
    struct statfs fs;
    if (mounts && doctor_mount_find(&mount, mounts, folder)) doctor_copy(f->type, sizeof f->type, mount.type);
    else if (statfs(folder, &fs) == 0) {
        const char *name = doctor_fs_name((int64_t)fs.f_type);
        doctor_copy(f->type, sizeof f->type, name ? name : "");
    }
    free(mounts);
}

static void find_room(doctor_folder *f, const char *folder) {
    struct statvfs fs;
    if (statvfs(folder, &fs) != 0) return;
    f->free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
    if (fs.f_files > 0) f->free_files = (double)fs.f_favail;
}

/* ---- writing ---- */

/* HDF5 locks by flock. A second descriptor must be refused what the first one holds. */
static int try_lock(int fd, const char *path) {
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) return 0;
    const int other = open(path, O_RDWR | O_CLOEXEC);
    if (other < 0) return DOCTOR_UNKNOWN;
    const bool refused = flock(other, LOCK_EX | LOCK_NB) != 0;
    close(other);
    return refused;
}

static double wall_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A file that was written since `begin_s` is dated between then and now, but for a tick of the kernel's
   clock, unless a server has another time. */
static void compare_clock(doctor_folder *f, int fd, double begin_s) {
    const double end_s = wall_s();
    struct stat st;
    if (fstat(fd, &st) != 0) return;
    const double dated_s = (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec;
    f->server_skew_s = dated_s < begin_s ? dated_s - begin_s : dated_s > end_s ? dated_s - end_s : 0;
    f->skew_known = true;
}

/* Writes and removes a small file. */
static void try_writing(doctor_folder *f, const char *folder) {
    static const char block[4096];
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/.annulus-doctor-XXXXXX", folder);
    const double begin_s = wall_s();
    const int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        doctor_copy(f->complaint, sizeof f->complaint, strerror(errno));
        return;
    }
    errno = ENOSPC; /* what a part of the block that fits does not say */
    if (write(fd, block, sizeof block) != (ssize_t)sizeof block || fsync(fd) != 0)
        doctor_copy(f->complaint, sizeof f->complaint, strerror(errno));
    compare_clock(f, fd, begin_s);
    f->locks = try_lock(fd, path);
    unlink(path);
    if (close(fd) != 0 && !f->complaint[0]) doctor_copy(f->complaint, sizeof f->complaint, strerror(errno));
}

/* ---- the folders ---- */

static doctor_folder *add_folder(doctor_storage_facts *s, const char *role, const char *path) {
    if (s->count == DOCTOR_FOLDERS_MAX) return NULL;
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->folders[i].role, role) == 0 && strcmp(s->folders[i].path, path) == 0) return NULL;
    doctor_folder *f = &s->folders[s->count++];
    const size_t length = strlen(path), room = sizeof f->path - 1;
    *f = (doctor_folder){.free_bytes = DOCTOR_UNKNOWN,
                         .free_files = DOCTOR_UNKNOWN,
                         .locks = DOCTOR_UNKNOWN,
                         .shared = DOCTOR_UNKNOWN};
    doctor_copy(f->role, sizeof f->role, role);
    doctor_copy(f->path, sizeof f->path, length > room ? path + length - room : path);
    return f;
}

static void find_folder(doctor_storage_facts *s, const char *role, const char *path) {
    char folder[PATH_MAX];
    doctor_folder *f = add_folder(s, role, path);
    if (!f) return;
    if (!nearest_folder(folder, sizeof folder, path, &f->exists)) {
        doctor_copy(f->complaint, sizeof f->complaint, "a part of the path is no folder");
        return;
    }
    find_type(f, folder);
    find_room(f, folder);
    try_writing(f, folder);
}

static void find_data(doctor_storage_facts *s, const char *path) {
    char folder[PATH_MAX], above[PATH_MAX];
    doctor_folder *f = add_folder(s, "data", path);
    if (!f) return;
    if (access(path, R_OK) != 0) doctor_copy(f->complaint, sizeof f->complaint, strerror(errno));
    doctor_copy(above, sizeof above, path);
    char *slash = strrchr(above, '/');
    if (slash) slash[slash == above] = '\0';
    if (!nearest_folder(folder, sizeof folder, slash ? above : ".", &f->exists)) return;
    find_type(f, folder);
    find_room(f, folder);
}

/* The place of annulus train's calibrations. */
static void find_cache(doctor_storage_facts *s) {
    char path[PATH_MAX];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0]) snprintf(path, sizeof path, "%s/annulus", cache);
    else if (home && home[0]) snprintf(path, sizeof path, "%s/.cache/annulus", home);
    else return;
    find_folder(s, "cache", path);
}

static void find_shm(doctor_storage_facts *s) {
    struct statvfs fs;
    const char *folder = getenv("OMPI_MCA_osc_sm_backing_directory");
    doctor_copy(s->shm, sizeof s->shm, folder ? folder : "/dev/shm");
    s->shm_bytes = s->shm_free_bytes = DOCTOR_UNKNOWN;
    if (statvfs(s->shm, &fs) != 0) return;
    s->shm_bytes = (double)fs.f_blocks * (double)fs.f_frsize;
    s->shm_free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
}

void doctor_storage_find(doctor_storage_facts *s, const ann_run_config *config) {
    const char *tmp = getenv("TMPDIR");
    s->probed = true;
    if (config) find_folder(s, "output", config->output);
    find_cache(s);
    find_folder(s, "tmp", tmp && tmp[0] ? tmp : "/tmp");
    for (int i = 0; config && i < config->phase_count; i++) {
        const ann_data_config *data = config->phases[i].data;
        for (int k = 0; k < data->source_count; k++) find_data(s, data->train[k].path);
    }
    find_shm(s);
}

/* ---- one output folder for all hosts ---- */

static int make_token(char *path, size_t size, const ann_run_config *config) {
    char folder[PATH_MAX];
    bool exists;
    path[0] = '\0';
    if (!config || !nearest_folder(folder, sizeof folder, config->output, &exists)) return DOCTOR_UNKNOWN;
    if (snprintf(path, size, "%s/.annulus-doctor-XXXXXX", folder) >= (int)size) return DOCTOR_UNKNOWN;
    const int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) path[0] = '\0';
    return fd;
}

/* The file is looked for where this rank has its own nearest folder, by the name that rank 0 gave it. */
static int see_token(const ann_run_config *config, const char *token) {
    char folder[PATH_MAX], path[2 * PATH_MAX];
    bool exists;
    const char *name = strrchr(token, '/');
    if (!name || !config || !nearest_folder(folder, sizeof folder, config->output, &exists))
        return DOCTOR_UNKNOWN;
    snprintf(path, sizeof path, "%s%s", folder, name);
    return access(path, F_OK) == 0;
}

ann_status doctor_storage_share(ann_comm *comm, doctor_storage_facts *s, const ann_run_config *config) {
    char token[PATH_MAX] = "";
    const int fd = ann_comm_rank(comm) == 0 ? make_token(token, sizeof token, config) : DOCTOR_UNKNOWN;
    ann_status status = ann_comm_broadcast(comm, token, sizeof token, 0);
    for (int i = 0; i < s->count && status == ANN_OK; i++)
        if (strcmp(s->folders[i].role, "output") == 0) s->folders[i].shared = see_token(config, token);
    if (status == ANN_OK) status = ann_comm_barrier(comm);
    if (fd >= 0) {
        unlink(token);
        close(fd);
    }
    return status;
}
