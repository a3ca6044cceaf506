#include "datasets/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AHEAD = 1 << 16, MAX_TEXT = 1 << 20 };

ann_status anni_input_open(anni_input *input, const char *path) {
    *input = (anni_input){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (input->fd < 0) {
        const ann_status status = errno == ENOENT || errno == ENOTDIR ? ANN_ERR_NOT_FOUND : ANN_ERR_IO;
        return ann_error(status, "%s: %s", path, strerror(errno));
    }
    struct stat info;
    if (fstat(input->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ann_error(ANN_ERR_IO, "%s: is not a regular file", path);
    input->bytes = info.st_size;
    input->ahead = malloc(AHEAD);
    return input->ahead != NULL ? ANN_OK : ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
}

void anni_input_close(anni_input *input) {
    if (input->path == NULL) return; /* was never opened */
    if (input->fd >= 0) close(input->fd);
    free(input->ahead);
    *input = (anni_input){.fd = -1};
}

static ann_status read_at(const anni_input *in, int64_t offset, void *out, int64_t n) {
    while (n > 0) {
        const ssize_t got = pread(in->fd, out, (size_t)n, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ann_error(ANN_ERR_IO, "%s: %s", in->path, strerror(errno));
        if (got == 0) return ann_error(ANN_ERR_FORMAT, "%s: truncated", in->path);
        out = (char *)out + got;
        offset += got;
        n -= got;
    }
    return ANN_OK;
}

ann_status anni_input_read(anni_input *input, int64_t offset, void *out, int64_t n) {
    if (n == 0) return ANN_OK; /* out may be NULL */
    if (n > AHEAD || offset + n > input->bytes) return read_at(input, offset, out, n);
    if (offset < input->ahead_first || offset + n > input->ahead_first + input->ahead_bytes) {
        const int64_t left = input->bytes - offset;
        input->ahead_bytes = 0;
        ANN_TRY(read_at(input, offset, input->ahead, left < AHEAD ? left : AHEAD));
        input->ahead_first = offset;
        input->ahead_bytes = left < AHEAD ? left : AHEAD;
    }
    memcpy(out, input->ahead + (offset - input->ahead_first), (size_t)n);
    return ANN_OK;
}

/* ---- lines ---- */

static ann_status read_text(char **out, const char *path, ann_arena *arena) {
    anni_input input;
    ann_status status = anni_input_open(&input, path);
    if (status == ANN_OK && input.bytes > MAX_TEXT) {
        status = ann_error(ANN_ERR_FORMAT, "%s: is too long for a list of names", path);
    }
    if (status == ANN_OK) {
        *out = ann_arena_alloc(arena, (size_t)input.bytes + 1);
        status = *out == NULL ? ann_error(ANN_ERR_MEMORY, "%s: out of memory", path)
                              : read_at(&input, 0, *out, input.bytes);
    }
    anni_input_close(&input);
    return status;
}

ann_status anni_input_lines(const char ***out, int *count, const char *path, int max, ann_arena *arena) {
    char *text = NULL, *rest = NULL;
    *count = 0;
    *out = ann_arena_alloc(arena, (size_t)max * sizeof **out);
    if (*out == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
    ANN_TRY(read_text(&text, path, arena));
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL; line = strtok_r(NULL, "\r\n", &rest)) {
        if (*count == max) return ann_error(ANN_ERR_FORMAT, "%s: more than %d names", path, max);
        (*out)[(*count)++] = line;
    }
    return ANN_OK;
}
