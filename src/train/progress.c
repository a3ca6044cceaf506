/* What people and tools see of a run: progress lines, metrics.jsonl, the closing table. */
#include "train/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"

void anni_say(const anni_run *run, const char *fmt, ...) {
    char line[ANNI_LINE_BYTES];
    va_list args;
    if (run->rank != 0 || !run->options->print) return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    run->options->print(run->options->to, line);
}

/* "m:ss", or "h:mm:ss" from an hour on. */
static void format_time(char *buf, size_t size, double seconds) {
    const int64_t s = isfinite(seconds) && seconds > 0 ? (int64_t)(seconds + 0.5) : 0;
    if (s < 3600) snprintf(buf, size, "%d:%02d", (int)(s / 60), (int)(s % 60));
    else snprintf(buf, size, "%lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
}

/* ---- metrics.jsonl ---- */

ann_status anni_metrics_open(anni_run *run) {
    if (run->rank != 0) return ANN_OK;
    char path[ANNI_PATH_BYTES];
    snprintf(path, sizeof path, "%s/metrics.jsonl", run->config->output);
    run->metrics_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (run->metrics_fd < 0) return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
    return ANN_OK;
}

static ann_status metrics_write(anni_run *run, const char *line) {
    if (run->rank != 0) return ANN_OK;
    const size_t bytes = strlen(line);
    const ssize_t written = pwrite(run->metrics_fd, line, bytes, run->metrics_offset);
    if (written != (ssize_t)bytes)
        return ann_error(written >= 0 || errno == ENOSPC ? ANN_ERR_NOSPACE : ANN_ERR_IO,
                         "%s/metrics.jsonl: %s", run->config->output,
                         strerror(written >= 0 ? ENOSPC : errno));
    run->metrics_offset += (int64_t)bytes;
    return ANN_OK;
}

ann_status anni_metrics_cut(anni_run *run) {
    if (run->rank != 0 || ftruncate(run->metrics_fd, run->metrics_offset) == 0) return ANN_OK;
    return ann_error(ANN_ERR_IO, "%s/metrics.jsonl: %s", run->config->output, strerror(errno));
}

ann_status anni_metrics_sync(anni_run *run) {
    if (run->rank != 0 || fsync(run->metrics_fd) == 0) return ANN_OK;
    return ann_error(ANN_ERR_IO, "%s/metrics.jsonl: %s", run->config->output, strerror(errno));
}

/* JSON has no NaN. */
static const char *json_number(char buf[32], double value) {
    if (isfinite(value)) snprintf(buf, 32, "%.9g", value);
    else snprintf(buf, 32, "null");
    return buf;
}

ann_status anni_metrics_test(anni_run *run, const anni_phase *phase, const anni_cursor *cursor) {
    char line[ANNI_LINE_BYTES], loss[32], accuracy[32];
    snprintf(line, sizeof line,
             "{\"phase\":\"%s\",\"stage\":\"%s\",\"step\":%lld,\"position\":%lld,\"test_loss\":%s,"
             "\"test_accuracy\":%s}\n",
             phase->config->name, phase->config->program[cursor->stage].name, (long long)cursor->step,
             (long long)cursor->position, json_number(loss, cursor->test.loss),
             json_number(accuracy, cursor->test.accuracy));
    return metrics_write(run, line);
}

/* ---- the progress line ---- */

void anni_progress_begin(anni_progress *progress, anni_phase *phase, const anni_cursor *cursor) {
    int64_t first, end;
    anni_stage_range(phase, phase->config->stage_count - 1, &first, &end);
    *progress = (anni_progress){.phase = phase,
                                .total = end,
                                .start_ns = ann_clock_ns(),
                                .last_position = cursor->position,
                                .elapsed_before_s = cursor->elapsed_s};
    progress->last_ns = progress->start_ns;
}

double anni_progress_elapsed_s(const anni_progress *progress) {
    return progress->elapsed_before_s + 1e-9 * (double)(ann_clock_ns() - progress->start_ns);
}

static ann_status write_line(anni_progress *progress, const anni_cursor *cursor, double rate, double wait_s) {
    const anni_phase *phase = progress->phase;
    const char *name = phase->config->name, *stage = phase->config->program[cursor->stage].name;
    const int64_t length = ann_order_length(phase->order);
    const int64_t epoch = (cursor->position - 1) / length + 1;
    const int64_t epochs = (progress->total + length - 1) / length;
    char left[32], accuracy[32] = "", loss_json[32], accuracy_json[32], line[ANNI_LINE_BYTES];
    format_time(left, sizeof left, (double)(progress->total - cursor->position) / rate);
    if (isfinite(cursor->train.accuracy))
        snprintf(accuracy, sizeof accuracy, "  accuracy %6.2f %%", 100 * cursor->train.accuracy);
    anni_say(phase->run, "%s/%s  epoch %lld/%lld  step %lld  loss %.5f%s  %.0f samples/s  %s left", name,
             stage, (long long)epoch, (long long)epochs, (long long)cursor->step, cursor->train.loss,
             accuracy, rate, left);
    snprintf(line, sizeof line,
             "{\"phase\":\"%s\",\"stage\":\"%s\",\"epoch\":%lld,\"step\":%lld,\"position\":%lld,\"loss\":%s,"
             "\"accuracy\":%s,\"lr\":%.9g,\"samples_per_s\":%.1f,\"data_wait_s\":%.6f}\n",
             name, stage, (long long)epoch, (long long)cursor->step, (long long)cursor->position,
             json_number(loss_json, cursor->train.loss), json_number(accuracy_json, cursor->train.accuracy),
             cursor->lr, rate, wait_s);
    return metrics_write(phase->run, line);
}

/* Since the last line, on the rank that waited longest: the others waited for that one. Collective. */
static ann_status longest_wait(double *out, anni_progress *progress) {
    const anni_run *run = progress->phase->run;
    const double mine = 1e-9 * (double)(progress->wait_ns - progress->last_wait_ns);
    ANN_TRY(ann_comm_allgather(run->comm, run->waits, &mine, sizeof mine));
    *out = 0;
    for (int r = 0; r < run->size; r++) *out = run->waits[r] > *out ? run->waits[r] : *out;
    progress->last_wait_ns = progress->wait_ns;
    return ANN_OK;
}

ann_status anni_progress_line(anni_progress *progress, anni_cursor *cursor) {
    ann_comm *comm = progress->phase->run->comm;
    ANN_TRY(anni_sums_mean(comm, &cursor->train, &progress->sums));
    double wait_s;
    ANN_TRY(longest_wait(&wait_s, progress));
    cursor->data_wait_s += wait_s;
    const int64_t now_ns = ann_clock_ns();
    const double seconds = 1e-9 * (double)(now_ns - progress->last_ns);
    const double rate = (double)(cursor->position - progress->last_position) / (seconds > 0 ? seconds : 1e-9);
    progress->sums = (anni_sums){0};
    progress->last_ns = now_ns;
    progress->last_position = cursor->position;
    return ann_agree(comm, write_line(progress, cursor, rate, wait_s));
}

/* ---- the closing table ---- */

void anni_table(const anni_run *run) {
    anni_say(run, "%-20s %12s %14s %10s", "phase", "test loss", "test accuracy", "time");
    for (int i = 0; i < run->config->phase_count; i++) {
        const anni_result *result = &run->results[i];
        char accuracy[32] = "-", elapsed[32];
        if (isfinite(result->test.accuracy))
            snprintf(accuracy, sizeof accuracy, "%.2f %%", 100 * result->test.accuracy);
        format_time(elapsed, sizeof elapsed, result->elapsed_s);
        anni_say(run, "%-20s %12.5f %14s %10s", run->config->phases[i].name, result->test.loss, accuracy,
                 elapsed);
    }
}
