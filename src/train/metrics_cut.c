/* Lines of metrics.jsonl that belong to steps which are done again are taken out of it. A checkpoint says how
   many lines its phase had written; lines of other phases stay, wherever they are. */
#include "train/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ann_status metrics_error(const anni_run *run, const char *what) {
    return ann_error(errno == ENOSPC ? ANN_ERR_NOSPACE : ANN_ERR_IO, "%s/metrics.jsonl: cannot %s it: %s",
                     run->config->output, what, strerror(errno));
}

/* Owner of *out: the caller, free(). */
static ann_status read_metrics(char **out, size_t *bytes, const anni_run *run) {
    struct stat st;
    if (fstat(run->metrics_fd, &st) != 0) return metrics_error(run, "read");
    *out = malloc((size_t)st.st_size + 1);
    if (!*out) return ann_error(ANN_ERR_MEMORY, "no memory to read %s/metrics.jsonl", run->config->output);
    const ssize_t n = pread(run->metrics_fd, *out, (size_t)st.st_size, 0);
    *bytes = n > 0 ? (size_t)n : 0;
    (*out)[*bytes] = '\0';
    return n >= 0 ? ANN_OK : metrics_error(run, "read");
}

/* Whether the line has the member "phase":"NAME", which comes before any text of others. */
static bool is_of_phase(const char *line, size_t bytes, const char *member) {
    return memmem(line, bytes, member, strlen(member)) != NULL;
}

/* Moves the lines that stay to the front of text and returns their bytes: at most `most` of the phase (< 0:
   those before `offset`), all of others, and nothing of a line without an end. */
static size_t keep_lines(char *text, const char *member, int64_t most, int64_t offset, int64_t *lines) {
    size_t kept = 0;
    *lines = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        const size_t bytes = (size_t)(end + 1 - line);
        const bool own = is_of_phase(line, bytes, member);
        const bool stays = !own || (most < 0 ? line - text < offset : *lines < most);
        if (!stays) continue;
        *lines += own;
        memmove(text + kept, line, bytes);
        kept += bytes;
    }
    return kept;
}

static ann_status replace_file(anni_run *run, const char *text, size_t bytes) {
    char path[ANNI_PATH_BYTES], part[ANNI_PATH_BYTES];
    if (snprintf(path, sizeof path, "%s/metrics.jsonl", run->config->output) >= (int)sizeof path ||
        snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        return ann_error(ANN_ERR_IO, "output: %.64s... is too long", run->config->output);
    const int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return metrics_error(run, "replace");
    if (pwrite(fd, text, bytes, 0) != (ssize_t)bytes || fsync(fd) != 0 || rename(part, path) != 0) {
        const ann_status status = metrics_error(run, "replace");
        close(fd);
        return status;
    }
    close(run->metrics_fd);
    run->metrics_fd = fd;
    return ANN_OK;
}

static ann_status cut(anni_run *run, char *text, size_t bytes, const char *phase) {
    char member[ANNI_LINE_BYTES];
    char *before = malloc(bytes + 1);
    if (!before) return ann_error(ANN_ERR_MEMORY, "no memory to cut %s/metrics.jsonl", run->config->output);
    memcpy(before, text, bytes);
    (void)snprintf(member, sizeof member, "\"phase\":\"%s\"", phase);
    const size_t kept =
        keep_lines(text, member, run->metrics_lines, run->metrics_offset, &run->metrics_lines);
    const bool is_front = memcmp(before, text, kept) == 0;
    free(before);
    run->metrics_offset = (int64_t)kept;
    if (!is_front) return replace_file(run, text, kept);
    return ftruncate(run->metrics_fd, (off_t)kept) == 0 ? ANN_OK : metrics_error(run, "cut");
}

ann_status anni_metrics_cut(anni_run *run, const char *phase) {
    char *text = NULL;
    size_t bytes = 0;
    if (run->rank != 0) return ANN_OK;
    ann_status status = read_metrics(&text, &bytes, run);
    if (status == ANN_OK) status = cut(run, text, bytes, phase);
    free(text);
    return status;
}
