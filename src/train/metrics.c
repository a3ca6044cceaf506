/* OUTPUT/PHASE/metrics.jsonl: what a phase has measured, a JSON object a line. A checkpoint says how many
   lines there were; lines behind belong to steps that are done again, and are cut off. */
#include "train/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ann_status metrics_error(const anni_run *run, const char *what) {
    return ann_error(errno == ENOSPC ? ANN_ERR_NOSPACE : ANN_ERR_IO, "%s: cannot %s it: %s",
                     run->metrics_path, what, strerror(errno));
}

/* Bytes of the first run->metrics_lines lines, or of all that are there, which it becomes then. */
static ann_status measure(int64_t *bytes, anni_run *run) {
    char buffer[1 << 16];
    int64_t lines = 0, offset = 0;
    *bytes = 0;
    for (ssize_t n; lines < run->metrics_lines; offset += n) {
        n = pread(run->metrics_fd, buffer, sizeof buffer, offset);
        if (n < 0) return metrics_error(run, "read");
        if (n == 0) break;
        for (char *at = buffer;
             lines < run->metrics_lines && (at = memchr(at, '\n', (size_t)(buffer + n - at))); lines++)
            *bytes = offset + (++at - buffer);
    }
    run->metrics_lines = lines;
    return ANN_OK;
}

ann_status anni_metrics_begin(anni_phase *phase) {
    anni_run *run = phase->run;
    int64_t bytes;
    if (run->rank != 0) return ANN_OK;
    anni_metrics_end(run);
    if (snprintf(run->metrics_path, sizeof run->metrics_path, "%s/metrics.jsonl", phase->dir) >=
        (int)sizeof run->metrics_path)
        return ann_error(ANN_ERR_CONFIG, "output: %.64s... is too long", phase->dir);
    ANN_TRY(anni_make_directories(phase->dir));
    run->metrics_fd = open(run->metrics_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (run->metrics_fd < 0) return metrics_error(run, "open");
    ANN_TRY(measure(&bytes, run));
    return ftruncate(run->metrics_fd, (off_t)bytes) == 0 ? ANN_OK : metrics_error(run, "cut");
}

ann_status anni_metrics_write(anni_run *run, const char *line) {
    if (run->rank != 0) return ANN_OK;
    const size_t bytes = strlen(line);
    const ssize_t written = write(run->metrics_fd, line, bytes);
    if (written != (ssize_t)bytes) {
        if (written >= 0) errno = ENOSPC;
        return metrics_error(run, "write");
    }
    run->metrics_lines++;
    const ann_lead *lead = run->options->lead;
    if (lead && lead->line) lead->line(lead->self, line);
    return ANN_OK;
}

ann_status anni_metrics_sync(anni_run *run) {
    if (run->rank != 0 || fsync(run->metrics_fd) == 0) return ANN_OK;
    return metrics_error(run, "sync");
}

void anni_metrics_end(anni_run *run) {
    if (run->metrics_fd >= 0) close(run->metrics_fd);
    run->metrics_fd = -1;
}
