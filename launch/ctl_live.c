/* The live view of a run. One thread follows the records, the other asks for the status and draws. */
#include "ctl_live.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/clock.h"
#include "ctl.h"

enum { POINTS = 4096, EVENTS = 6, ROWS = 6, MOST_COLUMNS = 200, MOST_RANKS = 8, LINE_BYTES = 256 };

typedef struct live {
    pthread_mutex_t mutex;
    ann_coord_client *watcher;
    const char *run;
    uint64_t from;
    int retry_ms;
    float loss[POINTS]; /* the newest, as a ring */
    int64_t losses;
    char measured[LINE_BYTES], events[EVENTS][LINE_BYTES]; /* the newest event first */
    bool over;
    ann_status status;
    char error[LINE_BYTES];
} live;

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

/* ---- what comes ---- */

static void take_metric(live *v, const Annulus__V1__Metric *m) {
    size_t used = (size_t)snprintf(v->measured, sizeof v->measured, "%s%s%s  step %" PRId64, m->phase,
                                   m->stage[0] ? "/" : "", m->stage, m->step);
    for (size_t i = 0; i < m->n_values; i++) {
        if (strcmp(m->values[i]->name, "loss") == 0 && isfinite(m->values[i]->value))
            v->loss[v->losses++ % POINTS] = (float)m->values[i]->value;
        if (used < sizeof v->measured)
            used += (size_t)snprintf(v->measured + used, sizeof v->measured - used, "  %s %.5g",
                                     m->values[i]->name, m->values[i]->value);
    }
}

static void take_event(live *v, int64_t time_ms, const Annulus__V1__Event *e) {
    char when[32], author[96], text[160];
    memmove(v->events[1], v->events[0], sizeof v->events - sizeof v->events[0]);
    snprintf(v->events[0], sizeof v->events[0], "%s  %s%s%s  %s%s%s  %s",
             ctl_time(when, sizeof when, time_ms), e->kind, e->phase[0] ? "  " : "", e->phase,
             e->control ? ctl_enum(&annulus__v1__control_kind__descriptor, (int)e->control->kind) : "",
             e->author[0] ? "  by " : "", ctl_safe(author, sizeof author, e->author),
             ctl_safe(text, sizeof text, e->text));
}

static bool take(void *context, const Annulus__V1__Record *record) {
    live *v = context;
    bool done = false;
    pthread_mutex_lock(&v->mutex);
    if (record->what_case == ANNULUS__V1__RECORD__WHAT_METRIC) take_metric(v, record->metric);
    if (record->what_case == ANNULUS__V1__RECORD__WHAT_EVENT) {
        take_event(v, record->time_ms, record->event);
        done = strcmp(record->event->kind, "run_done") == 0;
    }
    pthread_mutex_unlock(&v->mutex);
    return !done;
}

static void *follow(void *arg) {
    live *v = arg;
    const ann_status status = ann_coord_watch(v->watcher, v->run, v->from, v->retry_ms, take, v);
    pthread_mutex_lock(&v->mutex);
    v->status = status;
    snprintf(v->error, sizeof v->error, "%s", status == ANN_OK ? "" : ann_error_text());
    v->over = true;
    pthread_mutex_unlock(&v->mutex);
    return NULL;
}

/* ---- what is drawn ---- */

static int columns(void) {
    struct winsize size;
    const int width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
    return width < MOST_COLUMNS ? width : MOST_COLUMNS;
}

static void draw_phase(const Annulus__V1__PhaseStatus *p) {
    enum { WIDTH = 30 };
    const bool done = p->state == ANNULUS__V1__PHASE_STATE__PHASE_DONE;
    const int full = done           ? WIDTH
                     : p->steps > 0 ? (int)(WIDTH * (p->step < p->steps ? p->step : p->steps) / p->steps)
                                    : 0;
    printf("  %-20.20s ", p->name);
    for (int i = 0; i < WIDTH; i++) fputs(i < full ? "\u2588" : "\u2591", stdout);
    printf(" %-8s", ctl_enum(&annulus__v1__phase_state__descriptor, (int)p->state));
    if (p->steps > 0) printf(" %" PRId64 "/%" PRId64, p->step, p->steps);
    else if (p->step) printf(" %" PRId64, p->step);
    puts("\x1b[K");
}

/* The mean of the points that stand in column i of `width`. */
static double column_mean(const live *v, int64_t points, int i, int width) {
    const int64_t first = v->losses - points + points * i / width,
                  last = v->losses - points + points * (i + 1) / width;
    double sum = 0;
    for (int64_t k = first; k < last || k == first; k++) sum += (double)v->loss[k % POINTS];
    return sum / (double)(last > first ? last - first : 1);
}

static void draw_loss(const live *v, int width) {
    static const char *const blocks[] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    const int64_t points = v->losses < POINTS ? v->losses : POINTS;
    double column[MOST_COLUMNS], low = INFINITY, high = -INFINITY;
    if (points < 2) return;
    for (int i = 0; i < width; i++) {
        column[i] = column_mean(v, points, i, width);
        low = fmin(low, column[i]);
        high = fmax(high, column[i]);
    }
    printf("\n  loss, last %" PRId64 " reports: %.5g to %.5g\x1b[K\n", points, low, high);
    for (int row = ROWS - 1; row >= 0; row--) {
        fputs("  ", stdout);
        for (int i = 0; i < width; i++) {
            const double height = high > low ? (column[i] - low) / (high - low) : 0;
            const int eighths = 1 + (int)(height * (8 * ROWS - 1)) - 8 * row;
            fputs(blocks[eighths < 0 ? 0 : eighths > 8 ? 8 : eighths], stdout);
        }
        puts("\x1b[K");
    }
}

static void draw_job(const Annulus__V1__JobStatus *j) {
    if (j->state != ANNULUS__V1__JOB_STATE__JOB_LIVE) return;
    printf("  job %" PRId64 "  %d ranks  %s\x1b[K\n", j->id, (int)j->ranks, j->phase);
    for (size_t i = 0; i < j->n_rank_states && i < MOST_RANKS; i++)
        printf("    rank %-4d %-20.20s step %-10" PRId64 " %5" PRId64 " ms behind\x1b[K\n",
               (int)j->rank_states[i]->rank, j->rank_states[i]->host, j->rank_states[i]->step,
               j->rank_states[i]->lag_ms);
    if (j->n_rank_states > MOST_RANKS) printf("    ... and %zu more\x1b[K\n", j->n_rank_states - MOST_RANKS);
}

static void draw(live *v, const Annulus__V1__StatusReply *status) {
    fputs("\x1b[H", stdout);
    printf("run %s  %s%s\x1b[K\n\x1b[K\n", v->run,
           status ? ctl_enum(&annulus__v1__run_state__descriptor, (int)status->summary->state)
                  : "the coordinator does not answer",
           status && status->summary->paused ? "  paused" : "");
    for (size_t i = 0; status && i < status->n_phases; i++) draw_phase(status->phases[i]);
    pthread_mutex_lock(&v->mutex);
    draw_loss(v, columns() - 4);
    if (v->measured[0]) printf("\n  %.*s\x1b[K\n", columns() - 3, v->measured);
    puts("\x1b[K");
    for (size_t i = 0; status && i < status->n_jobs; i++) draw_job(status->jobs[i]);
    puts("\x1b[K");
    for (int i = 0; i < EVENTS && v->events[i][0]; i++) printf("  %.*s\x1b[K\n", columns() - 3, v->events[i]);
    pthread_mutex_unlock(&v->mutex);
    fputs("\x1b[J", stdout);
    (void)fflush(stdout);
}

static Annulus__V1__StatusReply *ask(ann_coord_client *asker, const char *run) {
    Annulus__V1__StatusRequest request = ANNULUS__V1__STATUS_REQUEST__INIT;
    ProtobufCMessage *reply;
    request.run = (char *)run;
    return ann_coord_call(asker, ANN_COORD_STATUS, &request.base, &reply) == ANN_OK
               ? (Annulus__V1__StatusReply *)reply
               : NULL;
}

/* Draws twice a second until the stream is over. */
static void draw_until_over(live *v, ann_coord_client *asker) {
    for (bool over = false; !over && !interrupted;) {
        pthread_mutex_lock(&v->mutex);
        over = v->over;
        pthread_mutex_unlock(&v->mutex);
        Annulus__V1__StatusReply *status = ask(asker, v->run);
        draw(v, status);
        if (status) annulus__v1__status_reply__free_unpacked(status, NULL);
        for (int i = 0; i < 5 && !over && !interrupted; i++) ann_sleep_ns(100000000);
    }
}

ann_status ctl_live(ann_coord_client *watcher, ann_coord_client *asker, const char *run, uint64_t from,
                    int retry_ms) {
    static live v; /* large */
    const struct sigaction on_interrupt = {.sa_handler = interrupt};
    pthread_t thread;
    v = (live){.mutex = PTHREAD_MUTEX_INITIALIZER,
               .watcher = watcher,
               .run = run,
               .from = from,
               .retry_ms = retry_ms};
    if (pthread_create(&thread, NULL, follow, &v) != 0)
        return ann_error(ANN_ERR_MEMORY, "cannot start a thread");
    sigaction(SIGINT, &on_interrupt, NULL);
    fputs("\x1b[?1049h\x1b[?25l\x1b[2J", stdout); /* another screen, no cursor */
    draw_until_over(&v, asker);
    fputs("\x1b[?25h\x1b[?1049l", stdout);
    ann_coord_client_cancel(watcher);
    pthread_join(thread, NULL);
    Annulus__V1__StatusReply *status = ask(asker, run);
    if (status) ctl_print_status(status); /* what remains on the screen */
    if (status) annulus__v1__status_reply__free_unpacked(status, NULL);
    return v.status == ANN_OK || interrupted ? ANN_OK : ann_error(v.status, "%s", v.error);
}
