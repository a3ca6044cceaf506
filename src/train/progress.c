/* What people and tools see of a run: progress lines, metrics.jsonl, the closing table. */
#include "train/internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
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

/* ---- records ---- */

/* JSON has no NaN. */
static const char *json_number(char buf[32], double value) {
    if (isfinite(value)) snprintf(buf, 32, "%.9g", value);
    else snprintf(buf, 32, "null");
    return buf;
}

ann_status anni_metrics_event(anni_run *run, const anni_phase *phase, const anni_cursor *cursor,
                              const char *event, const char *reason) {
    char line[ANNI_LINE_BYTES];
    snprintf(line, sizeof line,
             "{\"event\":\"%s\",\"phase\":\"%s\",\"step\":%lld,\"position\":%lld,\"reason\":\"%s\"}\n", event,
             phase->config->name, (long long)cursor->step, (long long)cursor->position, reason);
    return anni_metrics_write(run, line);
}

ann_status anni_metrics_test(anni_run *run, const anni_phase *phase, const anni_cursor *cursor) {
    char line[ANNI_LINE_BYTES], loss[32], accuracy[32];
    snprintf(line, sizeof line,
             "{\"phase\":\"%s\",\"stage\":\"%s\",\"step\":%lld,\"position\":%lld,\"test_loss\":%s,"
             "\"test_accuracy\":%s,\"lineage\":\"0x%016llx\"}\n",
             phase->config->name, phase->config->program[cursor->stage].name, (long long)cursor->step,
             (long long)cursor->position, json_number(loss, cursor->test.loss),
             json_number(accuracy, cursor->test.accuracy),
             (unsigned long long)ann_lineage_id(&phase->lineage));
    return anni_metrics_write(run, line);
}

ann_status anni_metrics_choice(anni_run *run, const anni_phase *phase, const anni_cursor *cursor,
                               const double *scores) {
    char line[ANNI_LINE_BYTES], number[32];
    int used =
        snprintf(line, sizeof line, "{\"event\":\"choice\",\"phase\":\"%s\",\"step\":%lld,\"position\":%lld",
                 phase->config->name, (long long)cursor->step, (long long)cursor->position);
    for (int i = 0; i < ANN_CHOICE_COUNT; i++)
        used += snprintf(line + used, sizeof line - (size_t)used, ",\"%s\":%s",
                         anni_choice_name((ann_criterion)i), json_number(number, scores[i]));
    snprintf(line + used, sizeof line - (size_t)used, "}\n");
    return anni_metrics_write(run, line);
}

/* One way of choosing: a line for people, and a member of the record. Returns its length. */
static int tell_pick(const anni_run *run, const char *phase, const char *how, bool asked,
                     const anni_pick *pick, char *record, size_t size) {
    char number[32], name[48];
    if (pick->step < 0) return 0;
    snprintf(name, sizeof name, "%s%s", how, asked ? " (choice)" : "");
    anni_say(run, "%s  %-16s %6.2f %%  (step %lld)", phase, name, 100 * pick->accuracy,
             (long long)pick->step);
    return snprintf(record, size, ",\"%s\":%s", how, json_number(number, pick->accuracy));
}

ann_status anni_choice_tell(anni_run *run, const anni_phase *phase, const anni_cursor *cursor) {
    const anni_choice *choice = &cursor->choice;
    const char *name = phase->config->name;
    char line[ANNI_LINE_BYTES];
    anni_say(run, "%s  target accuracy by the choice of the evaluation:", name);
    int used =
        snprintf(line, sizeof line, "{\"event\":\"chosen\",\"phase\":\"%s\",\"step\":%lld,\"position\":%lld",
                 name, (long long)cursor->step, (long long)cursor->position);
    used += tell_pick(run, name, "last", false, &choice->last, line + used, sizeof line - (size_t)used);
    for (int i = 0; i < ANN_CHOICE_COUNT; i++)
        used += tell_pick(run, name, anni_choice_name((ann_criterion)i),
                          i == (int)phase->config->choice.criterion, &choice->picks[i], line + used,
                          sizeof line - (size_t)used);
    used += tell_pick(run, name, "oracle", false, &choice->oracle, line + used, sizeof line - (size_t)used);
    snprintf(line + used, sizeof line - (size_t)used, "}\n");
    return anni_metrics_write(run, line);
}

/* ---- the progress line ---- */

void anni_progress_begin(anni_progress *progress, anni_phase *phase, const anni_cursor *cursor) {
    int64_t first, end;
    anni_stage_range(phase, phase->config->stage_count - 1, &first, &end);
    *progress = (anni_progress){.phase = phase,
                                .total = end,
                                .start_ns = ann_clock_ns(),
                                .last_position = cursor->position,
                                .last_step = cursor->step,
                                .last_comm_ns = ann_comm_wait_ns(phase->run->comm),
                                .elapsed_before_s = cursor->elapsed_s};
    progress->last_ns = progress->start_ns;
}

double anni_progress_elapsed_s(const anni_progress *progress) {
    return progress->elapsed_before_s + 1e-9 * (double)(ann_clock_ns() - progress->start_ns);
}

/* ,"compute_s":[min,median,max], and so on: over the ranks, of the time since the last line. */
static void pace_json(char *buf, size_t size, const anni_run *run, double steps) {
    anni_spread compute, wait;
    buf[0] = '\0';
    if (run->size == 1) return;
    for (int r = 0; r < run->size; r++) run->numbers[r] = run->paces[r].compute_s;
    compute = anni_spread_of(run->numbers, run->size);
    for (int r = 0; r < run->size; r++) run->numbers[r] = run->paces[r].wait_s;
    wait = anni_spread_of(run->numbers, run->size);
    snprintf(buf, size,
             ",\"steps\":%.0f,\"compute_s\":[%.6f,%.6f,%.6f],\"wait_s\":[%.6f,%.6f,%.6f],\"slowest_rank\":%d",
             steps, compute.min, compute.median, compute.max, wait.min, wait.median, wait.max,
             anni_pace_slowest(run->paces, run->size));
}

static void say_late(const anni_phase *phase, double steps) {
    const anni_run *run = phase->run;
    char text[256];
    const int slowest = anni_pace_slowest(run->paces, run->size);
    if (anni_pace_late(text, sizeof text, run->paces, run->size, steps, run->numbers))
        anni_say(run, "%s  rank %d (host %s) %s", phase->config->name, slowest,
                 ann_comm_host(run->comm, slowest), text);
}

static ann_status write_line(anni_progress *progress, const anni_cursor *cursor, double rate, double wait_s) {
    const anni_phase *phase = progress->phase;
    const char *name = phase->config->name, *stage = phase->config->program[cursor->stage].name;
    const int64_t length = ann_order_length(phase->order);
    const int64_t epoch = (cursor->position - 1) / length + 1;
    const int64_t epochs = (progress->total + length - 1) / length;
    char left[32], accuracy[32] = "", loss_json[32], accuracy_json[32], pace[256], line[ANNI_LINE_BYTES];
    const double steps = (double)(cursor->step - progress->last_step);
    format_time(left, sizeof left, (double)(progress->total - cursor->position) / rate);
    if (isfinite(cursor->train.accuracy))
        snprintf(accuracy, sizeof accuracy, "  accuracy %6.2f %%", 100 * cursor->train.accuracy);
    anni_say(phase->run, "%s/%s  epoch %lld/%lld  step %lld  loss %.5f%s  %.0f samples/s  %s left", name,
             stage, (long long)epoch, (long long)epochs, (long long)cursor->step, cursor->train.loss,
             accuracy, rate, left);
    say_late(phase, steps);
    pace_json(pace, sizeof pace, phase->run, steps);
    snprintf(line, sizeof line,
             "{\"phase\":\"%s\",\"stage\":\"%s\",\"epoch\":%lld,\"step\":%lld,\"position\":%lld,\"loss\":%s,"
             "\"accuracy\":%s,\"lr\":%.9g,\"samples_per_s\":%.1f,\"data_wait_s\":%.6f%s}\n",
             name, stage, (long long)epoch, (long long)cursor->step, (long long)cursor->position,
             json_number(loss_json, cursor->train.loss), json_number(accuracy_json, cursor->train.accuracy),
             cursor->lr, rate, wait_s, pace);
    return anni_metrics_write(phase->run, line);
}

/* What the ranks have done since the last line; *out: the wait for data of the rank that waited longest: the
   others waited for that one. Collective. */
static ann_status gather_paces(double *out, anni_progress *progress, int64_t now_ns) {
    const anni_run *run = progress->phase->run;
    const int64_t comm_ns = ann_comm_wait_ns(run->comm);
    anni_pace mine = {.data_s = 1e-9 * (double)(progress->wait_ns - progress->last_wait_ns),
                      .wait_s = 1e-9 * (double)(comm_ns - progress->last_comm_ns)};
    mine.compute_s = 1e-9 * (double)(now_ns - progress->last_ns) - mine.data_s - mine.wait_s;
    ANN_TRY(ann_comm_allgather(run->comm, run->paces, &mine, sizeof mine));
    *out = 0;
    for (int r = 0; r < run->size; r++) *out = run->paces[r].data_s > *out ? run->paces[r].data_s : *out;
    progress->last_wait_ns = progress->wait_ns;
    return ANN_OK;
}

ann_status anni_progress_line(anni_progress *progress, anni_cursor *cursor) {
    ann_comm *comm = progress->phase->run->comm;
    ANN_TRY(anni_sums_mean(comm, &cursor->train, &progress->sums));
    double wait_s;
    ANN_TRY(gather_paces(&wait_s, progress, ann_clock_ns()));
    cursor->data_wait_s += wait_s;
    const int64_t now_ns = ann_clock_ns();
    const double seconds = 1e-9 * (double)(now_ns - progress->last_ns);
    const double rate = (double)(cursor->position - progress->last_position) / (seconds > 0 ? seconds : 1e-9);
    progress->sums = (anni_sums){0};
    progress->last_ns = now_ns;
    progress->last_position = cursor->position;
    progress->last_comm_ns = ann_comm_wait_ns(comm);
    const ann_status status = ann_agree(comm, write_line(progress, cursor, rate, wait_s));
    progress->last_step = cursor->step;
    return status;
}

/* ---- the closing table ---- */

void anni_table(const anni_run *run) {
    anni_say(run, "%-20s %12s %14s %10s", "phase", "test loss", "test accuracy", "time");
    for (int i = 0; i < run->config->phase_count; i++) {
        const anni_result *result = &run->results[run->graph->order[i]];
        char loss[32] = "-", accuracy[32] = "-", elapsed[32];
        if (!result->finished) continue;
        if (isfinite(result->test.loss)) snprintf(loss, sizeof loss, "%.5f", result->test.loss);
        if (isfinite(result->test.accuracy))
            snprintf(accuracy, sizeof accuracy, "%.2f %%", 100 * result->test.accuracy);
        format_time(elapsed, sizeof elapsed, result->elapsed_s);
        anni_say(run, "%-20s %12s %14s %10s", run->config->phases[run->graph->order[i]].name, loss, accuracy,
                 elapsed);
    }
}
