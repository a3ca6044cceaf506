/* The network between hosts: which interfaces Open MPI's TCP would use, and how fast they are. */
#include <arpa/inet.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <mpi.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "doctor.h"

static const char check[] = "network";

/* ---- facts ---- */

static doctor_interface *find_interface(doctor_network_facts *f, const char *name) {
    for (int i = 0; i < f->count; i++)
        if (strcmp(f->interfaces[i].name, name) == 0) return &f->interfaces[i];
    if (f->count == DOCTOR_INTERFACES_MAX) return NULL;
    doctor_interface *new = &f->interfaces[f->count++];
    *new = (doctor_interface){.mbit = DOCTOR_UNKNOWN};
    doctor_copy(new->name, sizeof new->name, name);
    return new;
}

/* Those of containers, bridges and tunnels have their folder in devices/virtual. So have bonds and VLANs,
   which are as real as some device below them. */
static bool is_virtual(const char *name, int depth) {
    char path[512], target[512];
    snprintf(path, sizeof path, "/sys/class/net/%s", name);
    const ssize_t n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    if (!strstr(target, "/devices/virtual/")) return false;
    bool real = false;
    DIR *dir = depth > 0 ? opendir(path) : NULL;
    for (const struct dirent *entry; dir && !real && (entry = readdir(dir));)
        real = strncmp(entry->d_name, "lower_", 6) == 0 && !is_virtual(entry->d_name + 6, depth - 1);
    if (dir) closedir(dir);
    return !real;
}

static void ask_sys(doctor_interface *i) {
    char path[64], text[32];
    int mbit;
    i->virtual_ = is_virtual(i->name, 3);
    snprintf(path, sizeof path, "/sys/class/net/%s/speed", i->name);
    if (sscanf(doctor_read_line(text, sizeof text, path), "%d", &mbit) == 1 && mbit > 0) i->mbit = mbit;
}

/* Those with an IPv4 address: MPI uses no others, and hosts of containers have very many of them. */
static void find_interfaces(doctor_network_facts *f) {
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0) return;
    for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET) continue;
        doctor_interface *i = find_interface(f, at->ifa_name);
        if (!i || i->address) continue;
        i->up = (at->ifa_flags & IFF_UP) && (at->ifa_flags & IFF_RUNNING);
        i->loopback = (at->ifa_flags & IFF_LOOPBACK) != 0;
        struct sockaddr_in address;
        memcpy(&address, at->ifa_addr, sizeof address);
        i->address = ntohl(address.sin_addr.s_addr);
    }
    freeifaddrs(list);
    for (int i = 0; i < f->count; i++) ask_sys(&f->interfaces[i]);
}

/* A setting of Open MPI as it holds, wherever it was set (MPI 3.1, chapter 14); "" if there is none. */
static void read_setting(char *to, size_t size, const char *name) {
    char value[4096] = ""; /* Open MPI gives 2048 */
    int index, count;
    MPI_T_cvar_handle handle;
    to[0] = '\0';
    if (MPI_T_cvar_get_index(name, &index) != MPI_SUCCESS ||
        MPI_T_cvar_handle_alloc(index, NULL, &handle, &count) != MPI_SUCCESS)
        return;
    if (count <= (int)sizeof value && MPI_T_cvar_read(handle, value) == MPI_SUCCESS)
        doctor_copy(to, size, value);
    MPI_T_cvar_handle_free(&handle);
}

static void find_settings(doctor_network_facts *f) {
    int level;
    if (MPI_T_init_thread(MPI_THREAD_SINGLE, &level) != MPI_SUCCESS) return;
    read_setting(f->include, sizeof f->include, "btl_tcp_if_include");
    read_setting(f->exclude, sizeof f->exclude, "btl_tcp_if_exclude");
    read_setting(f->pml, sizeof f->pml, "pml");
    read_setting(f->btl, sizeof f->btl, "btl");
    MPI_T_finalize();
}

static void find_fabric(doctor_network_facts *f) {
    DIR *dir = opendir("/sys/class/infiniband");
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.') doctor_copy(f->fabric, sizeof f->fabric, entry->d_name);
    if (dir) closedir(dir);
}

void doctor_network_find(doctor_network_facts *f) {
    find_interfaces(f);
    find_settings(f);
    find_fabric(f);
}

/* ---- judgement ---- */

/* "eth0" or "10.0.0.0/8" */
static bool word_means(const char *word, const doctor_interface *i) {
    char net[32];
    unsigned bits;
    struct in_addr address;
    if (strcmp(word, i->name) == 0) return true;
    if (sscanf(word, "%31[0-9.]/%2u", net, &bits) != 2 || bits > 32 || inet_pton(AF_INET, net, &address) != 1)
        return false;
    const uint32_t mask = bits ? ~(uint32_t)0 << (32 - bits) : 0;
    return i->address && (i->address & mask) == (ntohl(address.s_addr) & mask);
}

static bool list_means(const char *list, const doctor_interface *i) {
    char copy[128], *rest;
    doctor_copy(copy, sizeof copy, list);
    for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
        if (word_means(word, i)) return true;
    return false;
}

static bool is_used(const doctor_network_facts *f, const doctor_interface *i) {
    if (!i->up || !i->address) return false;
    if (f->include[0]) return list_means(f->include, i);
    return !i->loopback && !list_means(f->exclude, i);
}

static void append(char *buf, size_t size, const char *text) {
    const size_t length = strlen(buf);
    if (length + 1 < size) snprintf(buf + length, size - length, "%s", text);
}

static void name_interface(char *buf, size_t size, const doctor_interface *i) {
    char speed[32];
    if (i->mbit == DOCTOR_UNKNOWN) strcpy(speed, "speed unknown");
    else snprintf(speed, sizeof speed, "%.3g Gbit/s", i->mbit / 1000.0);
    snprintf(buf, size, "%s (%s%s)", i->name, i->virtual_ ? "virtual, " : "", speed);
}

/* The fastest real one; NULL: there are only virtual ones. */
static const doctor_interface *best(const doctor_network_facts *f) {
    const doctor_interface *found = NULL;
    for (int k = 0; k < f->count; k++) {
        const doctor_interface *i = &f->interfaces[k];
        if (is_used(f, i) && !i->virtual_ && (!found || i->mbit > found->mbit)) found = i;
    }
    return found;
}

/* Names of all that are used. Returns how many. */
static int name_used(char *names, size_t size, const doctor_network_facts *f, bool *virtual_, bool *slow) {
    int used = 0;
    names[0] = '\0';
    *virtual_ = *slow = false;
    for (int k = 0; k < f->count; k++) {
        const doctor_interface *i = &f->interfaces[k];
        char name[80];
        if (!is_used(f, i)) continue;
        name_interface(name, sizeof name, i);
        if (used++) append(names, size, ", ");
        append(names, size, name);
        *virtual_ |= i->virtual_;
        *slow |= i->mbit != DOCTOR_UNKNOWN && i->mbit < 1000;
    }
    return used;
}

static void judge_interfaces(doctor_report *report, const doctor_facts *all, int i, bool many) {
    const doctor_network_facts *f = &all[i].network;
    char names[512], remedy[160];
    bool virtual_, slow;
    const int used = name_used(names, sizeof names, f, &virtual_, &slow);
    const doctor_interface *b = best(f);
    snprintf(remedy, sizeof remedy, "export OMPI_MCA_btl_tcp_if_include=%s OMPI_MCA_oob_tcp_if_include=%s",
             b ? b->name : "INTERFACE", b ? b->name : "INTERFACE");
    const doctor_level level = many ? DOCTOR_WARNING : DOCTOR_NOTE;
    if (f->include[0] && used == 0)
        doctor_say_host(report, i, many ? DOCTOR_ERROR : DOCTOR_WARNING, check,
                        "name an interface that is up on every host (ip -br address)",
                        "btl_tcp_if_include is %s, and no interface that is up here is meant", f->include);
    else if (used == 0)
        doctor_say_host(report, i, many ? DOCTOR_ERROR : DOCTOR_NOTE, check,
                        many ? "bring an interface up; ip -br address shows them" : NULL,
                        "no interface is up that leads to other hosts");
    else if (!f->include[0] && used > 1)
        doctor_say_host(report, i, level, check, many ? remedy : NULL,
                        "without btl_tcp_if_include MPI's TCP uses all of: %s%s", names,
                        virtual_ ? "; messages over virtual ones may never arrive" : "");
    else doctor_say_host(report, i, DOCTOR_OK, check, NULL, "MPI's TCP would use %s", names);
    if (many && slow)
        doctor_say_host(report, i, DOCTOR_WARNING, check,
                        "use a faster interface, or compress gradients (phases[].compress)",
                        "an interface is slower than 1 Gbit/s: %s", names);
}

/* Does a list of components, "self,tcp" or "^tcp", allow one? */
static bool allows(const char *list, const char *component) {
    const bool no = list[0] == '^';
    char copy[64], *rest;
    if (!list[0]) return true;
    doctor_copy(copy, sizeof copy, list + no);
    for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
        if (strcmp(word, component) == 0) return !no;
    return no;
}

static void judge_fabric(doctor_report *report, const doctor_facts *all, int i, bool many) {
    const doctor_network_facts *f = &all[i].network;
    const bool tcp_only = f->pml[0] && !allows(f->pml, "ucx") && !allows(f->pml, "cm") &&
                          !allows(f->btl, "openib") && !allows(f->btl, "uct") && !allows(f->btl, "ofi");
    if (!f->fabric[0]) return;
    if (tcp_only && many)
        doctor_say_host(report, i, DOCTOR_WARNING, check, "export OMPI_MCA_pml=ucx, and unset OMPI_MCA_btl",
                        "there is a fast fabric (%s), but MPI is told to use TCP (pml %s, btl %s)", f->fabric,
                        f->pml, f->btl[0] ? f->btl : "any");
    else doctor_say_host(report, i, DOCTOR_NOTE, check, NULL, "there is a fast fabric: %s", f->fabric);
}

void doctor_network_judge(doctor_report *report, const doctor_facts *all, int n) {
    const bool many = all[0].hosts > 1;
    for (int i = 0; i < n; i++) {
        if (!all[i].first) continue;
        judge_interfaces(report, all, i, many);
        judge_fabric(report, all, i, many);
    }
}
