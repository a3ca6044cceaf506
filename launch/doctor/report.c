#include "report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

ann_status doctor_report_new(doctor_report *out, int ranks, const char **hosts) {
    *out = (doctor_report){.ranks = ranks, .hosts = hosts, .room = 64};
    out->findings = calloc((size_t)out->room, sizeof *out->findings);
    return out->findings ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for findings");
}

static void finding_free(doctor_finding *f) {
    free(f->text);
    free(f->remedy);
    free(f->ranks);
}

void doctor_report_free(doctor_report *report) {
    for (int i = 0; i < report->count; i++) finding_free(&report->findings[i]);
    free(report->findings);
    *report = (doctor_report){0};
}

/* ---- adding ---- */

static doctor_finding *find_equal(const doctor_report *r, const doctor_finding *like) {
    for (int i = 0; i < r->count; i++) {
        doctor_finding *f = &r->findings[i];
        if (f->level == like->level && strcmp(f->check, like->check) == 0 &&
            strcmp(f->text, like->text) == 0 && strcmp(f->remedy, like->remedy) == 0)
            return f;
    }
    return NULL;
}

static bool grow(doctor_report *r) {
    if (r->count < r->room) return true;
    doctor_finding *more = realloc(r->findings, 2 * (size_t)r->room * sizeof *more);
    if (!more) return false;
    r->findings = more;
    r->room *= 2;
    return true;
}

/* Takes over `f`, and returns the finding that is in the list for it; NULL: there was no memory. */
static doctor_finding *take(doctor_report *r, doctor_finding f) {
    doctor_finding *equal = f.text && f.remedy ? find_equal(r, &f) : NULL;
    if (!equal && f.text && f.remedy && grow(r)) {
        f.ranks = calloc((size_t)r->ranks, sizeof *f.ranks);
        if (f.ranks) {
            r->findings[r->count] = f;
            return &r->findings[r->count++];
        }
    }
    if (!equal) r->lost = true;
    finding_free(&f);
    return equal;
}

static doctor_finding *add(doctor_report *r, doctor_level level, const char *check, const char *remedy,
                           const char *fmt, va_list args) {
    char text[1024];
    vsnprintf(text, sizeof text, fmt, args);
    for (char *at = text; *at; at++)
        if (*at == '\n') *at = ' ';
    return take(
        r, (doctor_finding){
               .level = level, .check = check, .text = strdup(text), .remedy = strdup(remedy ? remedy : "")});
}

void doctor_say_rank(doctor_report *report, int rank, doctor_level level, const char *check,
                     const char *remedy, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    doctor_finding *f = add(report, level, check, remedy, fmt, args);
    va_end(args);
    if (f) f->ranks[rank] = true;
}

void doctor_say_host(doctor_report *report, int rank, doctor_level level, const char *check,
                     const char *remedy, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    doctor_finding *f = add(report, level, check, remedy, fmt, args);
    va_end(args);
    for (int i = 0; f && i < report->ranks; i++)
        f->ranks[i] |= strcmp(report->hosts[i], report->hosts[rank]) == 0;
}

void doctor_say_job(doctor_report *report, doctor_level level, const char *check, const char *remedy,
                    const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    doctor_finding *f = add(report, level, check, remedy, fmt, args);
    va_end(args);
    for (int i = 0; f && i < report->ranks; i++) f->ranks[i] = true;
}

/* ---- asking ---- */

int doctor_report_count(const doctor_report *report, doctor_level level) {
    int n = 0;
    for (int i = 0; i < report->count; i++) n += report->findings[i].level == level;
    return n;
}

const doctor_finding *doctor_report_find(const doctor_report *report, const char *check, const char *part) {
    for (int i = 0; i < report->count; i++)
        if (strcmp(report->findings[i].check, check) == 0 && strstr(report->findings[i].text, part))
            return &report->findings[i];
    return NULL;
}

static void append(char *buf, size_t size, const char *text) {
    const size_t length = strlen(buf);
    if (length + 1 < size) snprintf(buf + length, size - length, "%s", text);
}

/* Whether no rank of the host of rank `like` has a finding and another has not. */
static bool whole_host(const doctor_report *r, const doctor_finding *f, int like) {
    for (int i = 0; i < r->ranks; i++)
        if (f->ranks[i] != f->ranks[like] && strcmp(r->hosts[i], r->hosts[like]) == 0) return false;
    return true;
}

static bool first_of_host(const doctor_report *r, int rank) {
    for (int i = 0; i < rank; i++)
        if (strcmp(r->hosts[i], r->hosts[rank]) == 0) return false;
    return true;
}

static void append_hosts(char *buf, size_t size, const doctor_report *r, const doctor_finding *f) {
    int n = 0;
    for (int i = 0; i < r->ranks; i++) n += f->ranks[i] && first_of_host(r, i);
    append(buf, size, n == 1 ? "host " : "hosts ");
    for (int i = 0, said = 0; i < r->ranks; i++) {
        if (!f->ranks[i] || !first_of_host(r, i)) continue;
        if (said++) append(buf, size, ", ");
        append(buf, size, r->hosts[i]);
    }
}

static void append_ranks(char *buf, size_t size, const doctor_report *r, const doctor_finding *f) {
    int n = 0;
    for (int i = 0; i < r->ranks; i++) n += f->ranks[i];
    append(buf, size, n == 1 ? "rank " : "ranks ");
    for (int i = 0, last, said = 0; i < r->ranks; i = last + 1) {
        char part[48];
        last = i;
        if (!f->ranks[i]) continue;
        while (last + 1 < r->ranks && f->ranks[last + 1]) last++;
        if (last > i) snprintf(part, sizeof part, "%s%d-%d", said++ ? ", " : "", i, last);
        else snprintf(part, sizeof part, "%s%d", said++ ? ", " : "", i);
        append(buf, size, part);
    }
}

const char *doctor_report_where(char *buf, size_t size, const doctor_report *report,
                                const doctor_finding *finding) {
    bool all = true, hosts = true;
    buf[0] = '\0';
    for (int i = 0; i < report->ranks; i++) all = all && finding->ranks[i];
    if (all) return buf;
    for (int i = 0; i < report->ranks && hosts; i++) hosts = whole_host(report, finding, i);
    if (hosts) append_hosts(buf, size, report, finding);
    else append_ranks(buf, size, report, finding);
    return buf;
}
