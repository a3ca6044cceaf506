/* The events of all ranks as one file in Chrome's trace format, which Perfetto (ui.perfetto.dev) shows too:
   google, "Trace Event Format". A rank is a process there. Its first row is what it did; above it each
   message is a bar from its start to its sum. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "bench.h"

static const char *const kinds[] = {[ANN_EVENT_COMPUTE] = "compute",
                                    [ANN_EVENT_START] = "start",
                                    [ANN_EVENT_PROGRESS] = "progress",
                                    [ANN_EVENT_WAIT] = "wait",
                                    [ANN_EVENT_VOTE] = "vote"};

/* A rank's text; times are microseconds since origin_ns of rank 0's clock. */
typedef struct text {
    FILE *to;
    int rank;
    const ann_overlap *report;
    int64_t origin_ns;
} text;

static double us(const text *t, int64_t ns) {
    return 1e-3 * (double)(ns + t->report->clock_offset_ns - t->origin_ns);
}

static void put_event(const text *t, const ann_event *e) {
    fprintf(t->to, ",\n{\"ph\":\"X\",\"pid\":%d,\"tid\":0,\"ts\":%.3f,\"dur\":%.3f,\"cat\":\"%s\",\"name\":",
            t->rank, us(t, e->begin_ns), 1e-3 * (double)(e->end_ns - e->begin_ns), kinds[e->kind]);
    ann_print_json(t->to, e->label);
    fputs("}", t->to);
}

/* From the start of message `number`, which is event `start`, to the sum that `wait` waited for. */
static void put_message(const text *t, int start, const ann_event *wait) {
    const ann_event *begin = &t->report->events[start];
    const int64_t ends_ns[2] = {begin->begin_ns, wait->done_ns ? wait->done_ns : wait->end_ns};
    for (int i = 0; i < 2; i++) {
        fprintf(t->to,
                ",\n{\"ph\":\"%s\",\"pid\":%d,\"tid\":0,\"ts\":%.3f,\"cat\":\"message\",\"id\":\"%d.%d\","
                "\"name\":",
                i == 0 ? "b" : "e", t->rank, us(t, ends_ns[i]), t->rank, start);
        ann_print_json(t->to, begin->label);
        fputs("}", t->to);
    }
}

static void put_rank(const text *t, const char *host) {
    const ann_overlap *r = t->report;
    fprintf(t->to, "%s\n{\"ph\":\"M\",\"pid\":%d,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":",
            t->rank ? "," : "", t->rank);
    char name[128];
    snprintf(name, sizeof name, "rank %d on %s", t->rank, host);
    ann_print_json(t->to, name);
    fputs("}}", t->to);
    for (int i = 0; i < r->event_count; i++) {
        put_event(t, &r->events[i]);
        if (r->events[i].kind != ANN_EVENT_WAIT) continue;
        for (int k = i; k >= 0; k--)
            if (r->events[k].kind == ANN_EVENT_START && r->events[k].message == r->events[i].message) {
                put_message(t, k, &r->events[i]);
                break;
            }
    }
}

/* Owner of *out: the caller, free(). */
static ann_status make_text(char **out, size_t *bytes, text t, const char *host) {
    *out = NULL;
    t.to = open_memstream(out, bytes);
    if (t.to) put_rank(&t, host);
    if (t.to && fclose(t.to) == 0 && *out) return ANN_OK;
    return ann_error(ANN_ERR_MEMORY, "no memory for the trace");
}

/* Rank 0 appends every rank's text, of which it holds one at a time. Collective. */
static ann_status gather(ann_comm *comm, FILE *file, char *mine, const int64_t *bytes) {
    const int rank = ann_comm_rank(comm);
    for (int r = 0; r < ann_comm_size(comm); r++) {
        char *theirs = r == rank ? mine : malloc((size_t)bytes[r]);
        ann_status status =
            ann_agree(comm, theirs ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for the trace"));
        if (status == ANN_OK) status = ann_comm_broadcast(comm, theirs, (size_t)bytes[r], r);
        if (status == ANN_OK && theirs && rank == 0) fwrite(theirs, 1, (size_t)bytes[r], file);
        if (r != rank) free(theirs);
        ANN_TRY(status);
    }
    return ANN_OK;
}

static ann_status collect(ann_comm *comm, FILE *file, const ann_overlap *report) {
    const int rank = ann_comm_rank(comm), size = ann_comm_size(comm);
    text t = {
        .rank = rank, .report = report, .origin_ns = report->event_count ? report->events[0].begin_ns : 0};
    char *mine = NULL;
    size_t length = 0;
    int64_t *bytes = calloc((size_t)size, sizeof *bytes);
    ann_status status = ann_comm_broadcast(comm, &t.origin_ns, sizeof t.origin_ns, 0);
    if (status == ANN_OK)
        status = bytes ? make_text(&mine, &length, t, ann_comm_host(comm, rank))
                       : ann_error(ANN_ERR_MEMORY, "no memory for the trace");
    const int64_t own = (int64_t)length;
    status = ann_agree(comm, status);
    if (status == ANN_OK && bytes) status = ann_comm_allgather(comm, bytes, &own, sizeof own);
    if (status == ANN_OK && bytes) status = gather(comm, file, mine, bytes);
    free(mine);
    free(bytes);
    return status;
}

ann_status bench_trace_write(ann_comm *comm, const char *path, const ann_overlap *report) {
    FILE *file = NULL;
    ann_status status = ANN_OK;
    if (ann_comm_rank(comm) == 0) {
        file = fopen(path, "w");
        if (!file) status = ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
        else fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[", file);
    }
    ANN_TRY(ann_agree(comm, status));
    status = collect(comm, file, report);
    if (file) {
        fputs("\n]}\n", file);
        const bool failed = ferror(file) != 0;
        if ((fclose(file) != 0 || failed) && status == ANN_OK)
            status = ann_error(ANN_ERR_IO, "%s: cannot be written", path);
    }
    return ann_agree(comm, status);
}
