/* What `annulus ctl` prints for people. */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include "ctl.h"

char *ctl_time(char *buf, size_t size, int64_t time_ms) {
    struct tm parts;
    const time_t t = (time_t)(time_ms / 1000);
    if (time_ms == 0 || !localtime_r(&t, &parts) || strftime(buf, size, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        snprintf(buf, size, "-");
    return buf;
}

char *ctl_safe(char *buf, size_t size, const char *text) {
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p && n + 1 < size; p++) {
        const bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0; /* control characters beyond ASCII */
        buf[n++] = *p < 0x20 || *p == 0x7f || c1 ? '?' : (char)*p;
        p += c1;
    }
    buf[n] = '\0';
    return buf;
}

const char *ctl_enum(const ProtobufCEnumDescriptor *kind, int value) {
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(kind, value);
    if (!found) return "?";
    const char *underscore = strchr(found->name, '_');
    return kind != &annulus__v1__control_kind__descriptor && underscore ? underscore + 1 : found->name;
}

static void print_summary(const Annulus__V1__RunSummary *s) {
    char when[32];
    printf("%-24s %-9s %-7s %3d/%-3d %-16s %10" PRId64 " %4d  %s\n", s->name,
           ctl_enum(&annulus__v1__run_state__descriptor, (int)s->state), s->paused ? "paused" : "",
           (int)s->phases_done, (int)s->phases, s->phase[0] ? s->phase : "-", s->step, (int)s->jobs,
           ctl_time(when, sizeof when, s->changed_ms));
}

static void print_summary_head(void) {
    printf("%-24s %-9s %-7s %7s %-16s %10s %4s  %s\n", "run", "state", "", "phases", "phase", "step", "jobs",
           "changed");
}

void ctl_print_list(const Annulus__V1__ListReply *reply) {
    print_summary_head();
    for (size_t i = 0; i < reply->n_runs; i++) print_summary(reply->runs[i]);
}

static void print_phase(const Annulus__V1__PhaseStatus *p) {
    char steps[48], text[256];
    if (p->steps) snprintf(steps, sizeof steps, "%" PRId64 "/%" PRId64, p->step, p->steps);
    else snprintf(steps, sizeof steps, "%" PRId64, p->step);
    printf("%-24s %-10s %-8s %4" PRId64 " %16s  %s", p->name, p->kind,
           ctl_enum(&annulus__v1__phase_state__descriptor, (int)p->state), p->job, steps,
           ctl_safe(text, sizeof text, p->text));
    for (size_t i = 0; p->metric && i < p->metric->n_values; i++)
        printf("%s%s %.5g", i > 0 ? ", " : "", p->metric->values[i]->name, p->metric->values[i]->value);
    putchar('\n');
    if (p->checkpoint)
        printf("    checkpoint at step %" PRId64 ": %s\n", p->checkpoint->step,
               ctl_safe(text, sizeof text, p->checkpoint->path));
}

static void print_job(const Annulus__V1__JobStatus *j) {
    char seen[32];
    printf("%4" PRId64 " %-8s %5d %-16s %10" PRId64 "  %s  ", j->id,
           ctl_enum(&annulus__v1__job_state__descriptor, (int)j->state), (int)j->ranks,
           j->phase[0] ? j->phase : "-", j->step, ctl_time(seen, sizeof seen, j->seen_ms));
    for (size_t i = 0; i < j->n_hosts; i++) printf("%s%s", i > 0 ? "," : "", j->hosts[i]);
    putchar('\n');
    for (size_t i = 0; i < j->n_rank_states; i++)
        printf("       rank %d on %s: step %" PRId64 ", %" PRId64 " ms behind\n",
               (int)j->rank_states[i]->rank, j->rank_states[i]->host, j->rank_states[i]->step,
               j->rank_states[i]->lag_ms);
}

static void print_request(const Annulus__V1__ControlItem *item) {
    char when[32], author[256];
    printf("    request %" PRId64 ": %s, step %" PRId64 ", value %g, by %s at %s\n", item->id,
           ctl_enum(&annulus__v1__control_kind__descriptor, (int)item->kind), item->step, item->value,
           ctl_safe(author, sizeof author, item->author), ctl_time(when, sizeof when, item->time_ms));
}

void ctl_print_status(const Annulus__V1__StatusReply *reply) {
    print_summary_head();
    print_summary(reply->summary);
    printf("\n%-24s %-10s %-8s %4s %16s  %s\n", "phase", "kind", "state", "job", "step", "last");
    for (size_t i = 0; i < reply->n_phases; i++) print_phase(reply->phases[i]);
    printf("\n%4s %-8s %5s %-16s %10s  %-19s  %s\n", "job", "state", "ranks", "phase", "step", "heard of",
           "hosts");
    for (size_t i = 0; i < reply->n_jobs; i++) print_job(reply->jobs[i]);
    if (reply->n_pending) puts("\nnot yet applied");
    for (size_t i = 0; i < reply->n_pending; i++) print_request(reply->pending[i]);
}

void ctl_print_log(const Annulus__V1__LogReply *reply) {
    char when[32], author[256], text[1024];
    for (size_t i = 0; i < reply->n_entries; i++) {
        const Annulus__V1__LogEntry *e = reply->entries[i];
        printf("%6" PRId64 "  %s  %-8s %-16s %-24s %s  %s\n", e->id, ctl_time(when, sizeof when, e->time_ms),
               e->result, e->action, e->run[0] ? e->run : "-", ctl_safe(author, sizeof author, e->author),
               ctl_safe(text, sizeof text, e->text));
    }
}

static void print_metric(const char *when, const Annulus__V1__Metric *m) {
    printf("%s  %s%s%s  step %" PRId64 "  epoch %.4g", when, m->phase, m->stage[0] ? "/" : "", m->stage,
           m->step, m->epoch);
    for (size_t i = 0; i < m->n_values; i++) printf("  %s %.6g", m->values[i]->name, m->values[i]->value);
    putchar('\n');
}

static void print_event(const char *when, const Annulus__V1__Event *e) {
    char text[1024];
    printf("%s  %s", when, e->kind);
    if (e->job) printf("  job %" PRId64, e->job);
    if (e->phase[0]) printf("  phase %s", e->phase);
    if (e->step >= 0) printf("  step %" PRId64, e->step);
    if (e->control)
        printf("  %s (request %" PRId64 ")",
               ctl_enum(&annulus__v1__control_kind__descriptor, (int)e->control->kind), e->control->id);
    if (e->checkpoint) printf("  %s", ctl_safe(text, sizeof text, e->checkpoint->path));
    if (e->author[0]) printf("  by %s", ctl_safe(text, sizeof text, e->author));
    if (e->text[0]) printf("  %s", ctl_safe(text, sizeof text, e->text));
    putchar('\n');
}

void ctl_print_record(const Annulus__V1__Record *record) {
    char when[32];
    ctl_time(when, sizeof when, record->time_ms);
    if (record->what_case == ANNULUS__V1__RECORD__WHAT_METRIC) print_metric(when, record->metric);
    else if (record->what_case == ANNULUS__V1__RECORD__WHAT_EVENT) print_event(when, record->event);
}
