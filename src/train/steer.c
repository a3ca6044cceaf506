#include "train/steer.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/yaml.h"

static const char *const names[ANN_CONTROL_COUNT] = {"pause", "resume",    "checkpoint", "stop",
                                                     "lr",    "log_every", "leave"};

/* In the log, of a phase that begins anew: no request, and nobody's. */
#define ANEW "anew"

const char *ann_control_name(ann_control_kind kind) { return names[kind]; }

bool ann_control_is_valid(const ann_control *c) {
    const bool whole = c->value >= 0 && c->value < 0x1p53 && c->value == floor(c->value);
    if ((int)c->kind < 0 || c->kind >= ANN_CONTROL_COUNT) return false;
    if (c->kind == ANN_CONTROL_LR) return isfinite(c->value) && c->value >= 0;
    if (c->kind == ANN_CONTROL_LOG_EVERY) return whole && c->value >= 1;
    return c->kind != ANN_CONTROL_STOP || whole;
}

/* ---- the log ---- */

static bool log_path(char path[ANNI_PATH_BYTES], const anni_run *run) {
    return snprintf(path, ANNI_PATH_BYTES, "%s/control.jsonl", run->config->output) < ANNI_PATH_BYTES;
}

static void clean_author(ann_control *c) {
    c->author[sizeof c->author - 1] = '\0';
    for (char *p = c->author; *p; p++)
        if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\') *p = '?';
}

static bool write_line(const char *path, const char *line) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) return false;
    bool ok = write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fsync(fd) == 0;
    const int error = errno;
    ok = close(fd) == 0 && ok;
    errno = error;
    return ok;
}

/* A request that cannot be written down is not applied. */
static bool note(const anni_steer *steer, const ann_control *c, int64_t step) {
    char path[ANNI_PATH_BYTES], line[ANNI_LINE_BYTES];
    (void)snprintf(line, sizeof line,
                   "{\"request\":\"%s\",\"value\":%.17g,\"phase\":\"%s\",\"step\":%lld,\"author\":\"%s\","
                   "\"asked_ms\":%lld,\"id\":%lld}\n",
                   names[c->kind], c->value, steer->phase->config->name, (long long)step, c->author,
                   (long long)c->asked_ms, (long long)c->id);
    if (log_path(path, steer->phase->run) && write_line(path, line)) return true;
    ann_log_line(ANN_LOG_WARN, "the request %s of %s is refused: %s: %s", names[c->kind], c->author, path,
                 strerror(errno));
    return false;
}

static bool member_is(const ann_yaml_node *map, const char *key, const char *value) {
    const char *text;
    const ann_yaml_node *node = ann_yaml_find(map, key);
    return node && ann_yaml_string(node, &text) == ANN_OK && strcmp(text, value) == 0;
}

/* Only a learning rate changes what is learnt. */
static ann_status read_repeat(ann_request *out, const ann_yaml_node *map, const char *phase, bool *is_one) {
    *is_one = member_is(map, "phase", phase) && member_is(map, "request", names[ANN_CONTROL_LR]);
    return *is_one ? anni_request_read(out, map) : ANN_OK;
}

static bool is_anew(const ann_yaml_node *map, const char *phase) {
    return member_is(map, "phase", phase) && member_is(map, "request", ANEW);
}

ann_status anni_steer_anew(const anni_run *run, const char *phase) {
    char path[ANNI_PATH_BYTES], line[ANNI_LINE_BYTES];
    if (!log_path(path, run) || access(path, F_OK) != 0) return ANN_OK;
    (void)snprintf(line, sizeof line, "{\"request\":\"" ANEW "\",\"phase\":\"%s\",\"step\":0}\n", phase);
    if (write_line(path, line)) return ANN_OK;
    return ann_error(errno == ENOSPC ? ANN_ERR_NOSPACE : ANN_ERR_IO, "%s: %s", path, strerror(errno));
}

static ann_status add_repeat(anni_steer *steer, ann_request repeat) {
    ann_request *more = realloc(steer->repeats, ((size_t)steer->n_repeats + 1) * sizeof *more);
    if (!more) return ann_error(ANN_ERR_MEMORY, "no memory for requests");
    steer->repeats = more;
    int at = steer->n_repeats++;
    for (; at > 0 && more[at - 1].step > repeat.step; at--) more[at] = more[at - 1];
    more[at] = repeat;
    return ANN_OK;
}

static ann_status read_line(anni_steer *steer, const char *path, const char *line, int64_t behind) {
    ann_yaml *yaml;
    ann_request repeat;
    bool is_one;
    ANN_TRY(ann_yaml_parse(&yaml, path, line));
    if (is_anew(ann_yaml_root(yaml), steer->phase->config->name)) steer->n_repeats = 0;
    ann_status status = read_repeat(&repeat, ann_yaml_root(yaml), steer->phase->config->name, &is_one);
    if (status == ANN_OK && is_one && repeat.step > behind) status = add_repeat(steer, repeat);
    ann_yaml_free(yaml);
    return status;
}

/* The last line may be cut short, by a crash while it was written: it was not applied then. */
static ann_status read_log(anni_steer *steer, int64_t behind) {
    char path[ANNI_PATH_BYTES], line[ANNI_LINE_BYTES];
    if (!log_path(path, steer->phase->run)) return ANN_OK;
    FILE *file = fopen(path, "r");
    if (!file) return errno == ENOENT ? ANN_OK : ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
    ann_status status = ANN_OK;
    while (status == ANN_OK && fgets(line, sizeof line, file))
        if (line[0] && line[strlen(line) - 1] == '\n') status = read_line(steer, path, line, behind);
    fclose(file);
    return status;
}

ann_status anni_steer_begin(anni_steer *steer, anni_phase *phase, const anni_cursor *cursor) {
    const anni_run *run = phase->run;
    *steer = (anni_steer){.phase = phase};
    ANN_TRY(ann_agree(run->comm, run->rank == 0 ? read_log(steer, cursor->step) : ANN_OK));
    struct {
        int64_t repeats, led;
    } all = {steer->n_repeats, run->options->lead != NULL};
    ANN_TRY(ann_comm_broadcast(run->comm, &all, sizeof all, 0));
    steer->unasked = all.led != 0;
    if (all.repeats == 0) return ANN_OK;
    if (run->rank != 0) steer->repeats = calloc((size_t)all.repeats, sizeof *steer->repeats);
    ANN_TRY(
        ann_agree(run->comm, steer->repeats ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for requests")));
    steer->n_repeats = (int)all.repeats;
    return ann_comm_broadcast(run->comm, steer->repeats, (size_t)all.repeats * sizeof *steer->repeats, 0);
}

void anni_steer_fini(anni_steer *steer) {
    free(steer->repeats);
    *steer = (anni_steer){0};
}

/* ---- from the lead to all ranks ---- */

static void answer(const anni_steer *steer, const ann_control *c, int64_t step) {
    const ann_lead *lead = steer->phase->run->options->lead;
    if (lead && lead->applied) lead->applied(lead->self, c, steer->phase->config->name, step);
}

int anni_steer_ask(anni_steer *steer) {
    const anni_run *run = steer->phase->run;
    const ann_lead *lead = run->options->lead;
    if (run->rank != 0 || !lead || !lead->next) return 0;
    ann_control c;
    while (steer->n_taken < ANNI_CONTROLS_MAX && lead->next(lead->self, &c)) {
        clean_author(&c);
        if (ann_control_is_valid(&c)) steer->taken[steer->n_taken++] = c;
        else answer(steer, &c, -1);
    }
    return steer->n_taken;
}

static void change(anni_steer *steer, anni_cursor *cursor, const ann_request *request) {
    const ann_control *c = &request->control;
    switch (c->kind) {
    case ANN_CONTROL_PAUSE: steer->paused = true; break;
    case ANN_CONTROL_RESUME: steer->paused = false; break;
    case ANN_CONTROL_STOP: steer->stop_after = c->value > 0 ? (int64_t)c->value : cursor->step; break;
    case ANN_CONTROL_LR:
        cursor->lr_factor = c->value;
        ann_requests_add(&cursor->requests, request);
        break;
    case ANN_CONTROL_LOG_EVERY: cursor->log_every = (int64_t)c->value; break;
    default: break;
    }
}

static void say(const anni_steer *steer, const ann_control *c, int64_t step, const char *whence) {
    char value[32] = "";
    if (c->kind >= ANN_CONTROL_STOP) (void)snprintf(value, sizeof value, " %.6g", c->value);
    anni_say(steer->phase->run, "%s  step %lld: %s%s, %s", steer->phase->config->name, (long long)step,
             names[c->kind], value, whence);
}

ann_status anni_steer_apply(anni_steer *steer, anni_cursor *cursor, bool *save) {
    struct {
        int64_t count;
        ann_control list[ANNI_CONTROLS_MAX];
    } all = {0};
    char whence[96];
    const anni_run *run = steer->phase->run;
    for (int i = 0; run->rank == 0 && i < steer->n_taken; i++) {
        if (steer->taken[i].kind == ANN_CONTROL_LEAVE || note(steer, &steer->taken[i], cursor->step))
            all.list[all.count++] = steer->taken[i];
        else answer(steer, &steer->taken[i], -1);
    }
    steer->n_taken = 0;
    ANN_TRY(ann_comm_broadcast(run->comm, &all, sizeof all, 0));
    for (int i = 0; i < all.count; i++) {
        if (all.list[i].kind == ANN_CONTROL_LEAVE)
            return ann_error(
                ANN_ERR_CONFIG,
                "left phase %s at step %lld: another job has taken it over, or the run was stopped",
                steer->phase->config->name, (long long)cursor->step);
        change(steer, cursor, &(ann_request){cursor->step, all.list[i]});
        *save = *save || all.list[i].kind == ANN_CONTROL_CHECKPOINT;
        (void)snprintf(whence, sizeof whence, "asked for by %s", all.list[i].author);
        if (run->rank == 0) answer(steer, &all.list[i], cursor->step);
        say(steer, &all.list[i], cursor->step, whence);
    }
    return ANN_OK;
}

void anni_steer_repeat(anni_steer *steer, anni_cursor *cursor) {
    for (; steer->next_repeat < steer->n_repeats; steer->next_repeat++) {
        const ann_request *r = &steer->repeats[steer->next_repeat];
        if (r->step > cursor->step) return;
        change(steer, cursor, r);
        say(steer, &r->control, cursor->step, "repeated from control.jsonl");
    }
}
