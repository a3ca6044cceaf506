#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sets of processors ---- */

void doctor_cpus_add(doctor_cpus *cpus, int cpu) {
    if (cpu >= 0 && cpu < DOCTOR_CPUS_MAX) cpus->bits[cpu / 64] |= (uint64_t)1 << cpu % 64;
}

bool doctor_cpus_have(const doctor_cpus *cpus, int cpu) {
    return cpu >= 0 && cpu < DOCTOR_CPUS_MAX && (cpus->bits[cpu / 64] >> cpu % 64 & 1);
}

int doctor_cpus_count(const doctor_cpus *cpus) {
    int n = 0;
    for (int i = 0; i < DOCTOR_CPUS_MAX / 64; i++) n += __builtin_popcountll(cpus->bits[i]);
    return n;
}

void doctor_cpus_join(doctor_cpus *cpus, const doctor_cpus *other) {
    for (int i = 0; i < DOCTOR_CPUS_MAX / 64; i++) cpus->bits[i] |= other->bits[i];
}

bool doctor_cpus_meet(const doctor_cpus *a, const doctor_cpus *b) {
    for (int i = 0; i < DOCTOR_CPUS_MAX / 64; i++)
        if (a->bits[i] & b->bits[i]) return true;
    return false;
}

bool doctor_cpus_equal(const doctor_cpus *a, const doctor_cpus *b) { return memcmp(a, b, sizeof *a) == 0; }

static bool parse_range(doctor_cpus *out, const char **at) {
    char *end;
    if (!isdigit((unsigned char)**at)) return false;
    const long first = strtol(*at, &end, 10);
    long last = first;
    if (*end == '-') {
        if (!isdigit((unsigned char)end[1])) return false;
        last = strtol(end + 1, &end, 10);
    }
    if (first > last || last >= DOCTOR_CPUS_MAX) return false;
    for (long cpu = first; cpu <= last; cpu++) doctor_cpus_add(out, (int)cpu);
    *at = end;
    return true;
}

bool doctor_cpus_parse(doctor_cpus *out, const char *text) {
    doctor_cpus all = {{0}};
    *out = all;
    for (const char *at = text;; at++) {
        if (!parse_range(&all, &at)) return false;
        if (*at == ',') continue;
        if (at[strspn(at, " \t\n")]) return false;
        *out = all;
        return true;
    }
}

const char *doctor_cpus_str(char *buf, size_t size, const doctor_cpus *cpus) {
    size_t length = 0;
    buf[0] = '\0';
    for (int first = 0, last; first < DOCTOR_CPUS_MAX; first = last + 1) {
        char part[32];
        last = first;
        if (!doctor_cpus_have(cpus, first)) continue;
        while (doctor_cpus_have(cpus, last + 1)) last++;
        if (last > first) snprintf(part, sizeof part, "%s%d-%d", length ? "," : "", first, last);
        else snprintf(part, sizeof part, "%s%d", length ? "," : "", first);
        if (length + strlen(part) + 5 > size) { /* ",..." and the end */
            snprintf(buf + length, size - length, ",...");
            break;
        }
        length += (size_t)snprintf(buf + length, size - length, "%s", part);
    }
    return buf;
}

/* ---- versions ---- */

doctor_version doctor_version_in(const char *text) {
    doctor_version v = {-1, -1, -1};
    for (const char *at = text; *at; at++) {
        if (!isdigit((unsigned char)*at)) continue;
        if (sscanf(at, "%5d.%5d.%5d", &v.major, &v.minor, &v.patch) >= 2) return v;
        at += strspn(at, "0123456789") - 1;
    }
    return (doctor_version){-1, -1, -1};
}

bool doctor_version_below(doctor_version v, int major, int minor) {
    return v.major < major || (v.major == major && v.minor < minor);
}

bool doctor_slurm_plugins(const char *text, bool *pmix, int *version) {
    *pmix = false;
    *version = 0;
    if (!strstr(text, "MPI plugin types are") && !strstr(text, "MPI types are")) return false;
    for (const char *at = strstr(text, "pmix"); at; at = strstr(at + 4, "pmix")) {
        int found = 0;
        if (strncmp(at, "pmix plugin", 11) == 0) continue; /* a heading of the list */
        *pmix = true;
        if (sscanf(at, "pmix_v%5d", &found) == 1 && found > *version) *version = found;
    }
    return true;
}

/* ---- file systems ---- */

/* Field number `index` of a line, fields being separated by one blank, with \ooo decoded. */
static bool field(char *out, size_t size, const char *line, int index) {
    for (; index > 0; index--) {
        line += strcspn(line, " \n");
        if (*line != ' ') return false;
        line++;
    }
    size_t n = 0;
    for (; *line && *line != ' ' && *line != '\n' && n + 1 < size; n++) {
        unsigned code;
        if (*line == '\\' && strspn(line + 1, "01234567") >= 3 && sscanf(line + 1, "%3o", &code) == 1) {
            out[n] = (char)code;
            line += 4;
        } else {
            out[n] = *line++;
        }
    }
    out[n] = '\0';
    return *line == ' ' || *line == '\n' || !*line;
}

static bool leads_to(const char *point, const char *path) {
    const size_t n = strlen(point);
    if (strcmp(point, "/") == 0) return true;
    return strncmp(point, path, n) == 0 && (path[n] == '/' || !path[n]);
}

/* "ro,relatime" */
static bool has_word(const char *list, const char *word) {
    const size_t n = strlen(word);
    for (const char *at = list;; at++) {
        const size_t length = strcspn(at, ",");
        if (length == n && strncmp(at, word, n) == 0) return true;
        at += length;
        if (!*at) return false;
    }
}

/* One line: "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": behind the mount's own options
   come optional fields, a "-", the type, the source and the file system's options. */
static bool parse_mount(doctor_mount *out, const char *line) {
    char word[64] = "";
    int dash = 6;
    if (!field(out->point, sizeof out->point, line, 4)) return false;
    while (field(word, sizeof word, line, dash) && strcmp(word, "-") != 0) dash++;
    return strcmp(word, "-") == 0 && field(out->type, sizeof out->type, line, dash + 1);
}

bool doctor_mount_find(doctor_mount *out, const char *mountinfo, const char *path) {
    bool found = false;
    for (const char *line = mountinfo; *line;) {
        doctor_mount m;
        if (parse_mount(&m, line) && leads_to(m.point, path) &&
            (!found || strlen(m.point) >= strlen(out->point))) {
            *out = m;
            found = true;
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return found;
}

const char *doctor_fs_name(int64_t magic) {
    static const struct {
        uint32_t magic;
        const char *name;
    } table[] = {
        {0xEF53, "ext4"},       {0x58465342, "xfs"},   {0x9123683E, "btrfs"},    {0x2FC12FC1, "zfs"},
        {0xF2F52010, "f2fs"},   {0x01021994, "tmpfs"}, {0x858458F6, "ramfs"},    {0x794C7630, "overlay"},
        {0x6969, "nfs"},        {0xFF534D42, "cifs"},  {0xFE534D42, "smb2"},     {0x01021997, "9p"},
        {0x0BD00BD0, "lustre"}, {0x47504653, "gpfs"},  {0x19830326, "beegfs"},   {0x00C36400, "ceph"},
        {0xAAD7AAEA, "panfs"},  {0x65735546, "fuse"},  {0x73717368, "squashfs"}, {0x61756673, "aufs"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].magic == (uint32_t)magic) return table[i].name;
    return NULL;
}

doctor_fs doctor_fs_kind(const char *type) {
    static const struct {
        doctor_fs kind;
        const char *name;
    } table[] = {
        {DOCTOR_FS_LOCAL, "ext2"},        {DOCTOR_FS_LOCAL, "ext3"},         {DOCTOR_FS_LOCAL, "ext4"},
        {DOCTOR_FS_LOCAL, "xfs"},         {DOCTOR_FS_LOCAL, "btrfs"},        {DOCTOR_FS_LOCAL, "zfs"},
        {DOCTOR_FS_LOCAL, "f2fs"},        {DOCTOR_FS_LOCAL, "squashfs"},     {DOCTOR_FS_MEMORY, "tmpfs"},
        {DOCTOR_FS_MEMORY, "ramfs"},      {DOCTOR_FS_LAYER, "overlay"},      {DOCTOR_FS_LAYER, "aufs"},
        {DOCTOR_FS_NETWORK, "nfs"},       {DOCTOR_FS_NETWORK, "nfs4"},       {DOCTOR_FS_NETWORK, "cifs"},
        {DOCTOR_FS_NETWORK, "smb2"},      {DOCTOR_FS_NETWORK, "smb3"},       {DOCTOR_FS_NETWORK, "9p"},
        {DOCTOR_FS_NETWORK, "virtiofs"},  {DOCTOR_FS_NETWORK, "fuse.sshfs"}, {DOCTOR_FS_PARALLEL, "lustre"},
        {DOCTOR_FS_PARALLEL, "gpfs"},     {DOCTOR_FS_PARALLEL, "beegfs"},    {DOCTOR_FS_PARALLEL, "ceph"},
        {DOCTOR_FS_PARALLEL, "panfs"},    {DOCTOR_FS_PARALLEL, "wekafs"},    {DOCTOR_FS_PARALLEL, "orangefs"},
        {DOCTOR_FS_PARALLEL, "fuse.ceph"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, type) == 0) return table[i].kind;
    return DOCTOR_FS_UNKNOWN;
}

/* ---- limits of a container ---- */

double doctor_quota(const char *cpu_max) {
    double quota, period;
    if (sscanf(cpu_max, "%lf %lf", &quota, &period) != 2 || !(quota > 0 && period > 0)) return 0;
    return quota / period;
}

/* Lines are "4:cpu,cpuacct:/path", and "0::/path" for version 2. */
bool doctor_cgroup_find(char *out, size_t size, const char *text, const char *controller) {
    for (const char *line = text; *line;) {
        char list[128] = "", path[512];
        const bool second = strncmp(line, "0::", 3) == 0;
        const bool whole = second ? sscanf(line, "0::%511[^\n]", path) == 1
                                  : sscanf(line, "%*d:%127[^:\n]:%511[^\n]", list, path) == 2;
        if (whole && second == !controller[0] && (second || has_word(list, controller)))
            return snprintf(out, size, "%s", path) < (int)size;
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return false;
}

/* ---- for people ---- */

const char *doctor_bytes_str(char *buf, size_t size, double bytes) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    int unit = 0;
    for (; unit < 5 && bytes >= 1024; unit++) bytes /= 1024;
    snprintf(buf, size, unit == 0 || bytes >= 100 ? "%.0f %s" : "%.3g %s", bytes, units[unit]);
    return buf;
}

const char *doctor_plural(int n) { return n == 1 ? "" : "s"; }
