#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static ann_log_level log_level = ANN_LOG_INFO;
static int log_rank;

void ann_log_setup(ann_log_level level, int rank) {
    log_level = level;
    log_rank = rank;
}

static const char *prefix_of(ann_log_level level) {
    switch (level) {
    case ANN_LOG_ERROR: return "error: ";
    case ANN_LOG_WARN: return "warning: ";
    case ANN_LOG_DEBUG: return "debug: ";
    case ANN_LOG_INFO: break;
    }
    return "";
}

void ann_log_line(ann_log_level level, const char *fmt, ...) {
    if (level > log_level || (log_rank != 0 && level > ANN_LOG_WARN)) return;
    char line[2048], rank[32] = "";
    if (log_rank != 0) snprintf(rank, sizeof rank, "[rank %d] ", log_rank);
    int used = snprintf(line, sizeof line - 1, "%s%s", rank, prefix_of(level));
    va_list args;
    va_start(args, fmt);
    const int text = vsnprintf(line + used, sizeof line - 1 - (size_t)used, fmt, args);
    va_end(args);
    if (text > 0) used += text;
    if (used > (int)sizeof line - 2) used = (int)sizeof line - 2;
    line[used++] = '\n';
    /* One write, so that the lines of several ranks do not mix; a log that cannot be written has nowhere to
     * complain. */
    const ssize_t written = write(STDERR_FILENO, line, (size_t)used);
    (void)written;
}
