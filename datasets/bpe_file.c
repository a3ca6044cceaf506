#include "datasets/bpe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "datasets/bytes.h"

/* ---- reading ---- */

typedef struct parser {
    const char *name;
    const uint8_t *at, *end;
    int line;
} parser;

/* Takes `word`, or says that something else stands there. */
static bool take(parser *p, const char *word) {
    const size_t size = strlen(word);
    if ((size_t)(p->end - p->at) < size || memcmp(p->at, word, size) != 0) return false;
    p->at += size;
    return true;
}

/* A decimal number below `limit`, without sign or leading zeros. */
static bool take_number(parser *p, int32_t limit, int32_t *out) {
    const uint8_t *first = p->at;
    int64_t value = 0;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9' && value < limit)
        value = 10 * value + (*p->at++ - '0');
    if (p->at == first || value >= limit || (*first == '0' && p->at > first + 1)) return false;
    *out = (int32_t)value;
    return true;
}

static bool take_newline(parser *p) {
    if (!take(p, "\n")) return false;
    p->line++;
    return true;
}

static ann_status parse_header(parser *p, int32_t *count) {
    if (!take(p, "annulus-bpe "))
        return ann_error(ANN_ERR_FORMAT, "%s: is no file of `annulus data bpe`", p->name);
    if (!take(p, "1\n"))
        return ann_error(ANN_ERR_FORMAT, "%s:1: unknown version, accepted: annulus-bpe 1", p->name);
    p->line = 2;
    if (take(p, "merges ") && take_number(p, ANNI_BPE_MAX_VOCABULARY - ANNI_BPE_BYTES + 1, count) &&
        take_newline(p))
        return ANN_OK;
    return ann_error(ANN_ERR_FORMAT, "%s:2: accepted: merges N, N from 0 to %d", p->name,
                     ANNI_BPE_MAX_VOCABULARY - ANNI_BPE_BYTES);
}

static ann_status parse_merges(parser *p, int32_t (*merges)[2], int32_t count) {
    for (int32_t m = 0; m < count; m++) {
        const int32_t limit = ANNI_BPE_BYTES + m;
        if (take_number(p, limit, &merges[m][0]) && take(p, " ") && take_number(p, limit, &merges[m][1]) &&
            take_newline(p))
            continue;
        return ann_error(ANN_ERR_FORMAT, "%s:%d: accepted: LEFT RIGHT, two tokens from 0 to %d", p->name,
                         p->line, limit - 1);
    }
    return ANN_OK;
}

static ann_status parse_hash(parser *p, const uint8_t *start) {
    char want[32];
    snprintf(want, sizeof want, "%016" PRIx64 "\n", ann_hash(start, (size_t)(p->at - start), 0));
    if (!take(p, "xxh3 ") || p->end - p->at != (ptrdiff_t)strlen(want))
        return ann_error(ANN_ERR_FORMAT, "%s:%d: accepted: xxh3 HASH, and the end", p->name, p->line);
    if (memcmp(p->at, want, strlen(want)) != 0)
        return ann_error(ANN_ERR_CORRUPT, "%s: has been changed since it was written: the hash is %.16s",
                         p->name, want);
    return ANN_OK;
}

ann_status anni_bpe_parse(anni_bpe **out, anni_bytes text, const char *name) {
    parser p = {.name = name, .at = text.data, .end = text.data + text.size, .line = 1};
    int32_t count = 0;
    *out = NULL;
    ANN_TRY(parse_header(&p, &count));
    const size_t shortest_line = sizeof "0 0\n" - 1;
    if ((size_t)count > text.size / shortest_line)
        return ann_error(ANN_ERR_FORMAT, "%s: ends before the last of %d merges", name, count);
    int32_t(*merges)[2] = malloc(((size_t)count + 1) * sizeof *merges);
    if (merges == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", name);
    ann_status status = parse_merges(&p, merges, count);
    if (status == ANN_OK) status = parse_hash(&p, text.data);
    if (status == ANN_OK) status = anni_bpe_make(out, (const int32_t(*)[2])merges, count, name);
    free(merges);
    return status;
}

ann_status anni_bpe_read(anni_bpe **out, const char *path) {
    anni_bytes text;
    *out = NULL;
    ANN_TRY(anni_bytes_map(&text, path));
    const ann_status status = anni_bpe_parse(out, text, path);
    anni_bytes_unmap(&text);
    return status;
}

/* ---- writing ---- */

static ann_status io_error(const char *path) {
    const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return ann_error(full ? ANN_ERR_NOSPACE : ANN_ERR_IO, "%s: %s", path, strerror(errno));
}

/* The whole file in memory: at most some megabytes. */
static ann_status format(char **out, size_t *size, const anni_bpe *bpe) {
    const int count = anni_bpe_vocabulary(bpe) - ANNI_BPE_BYTES;
    const size_t room = 128 + (size_t)count * sizeof "1234567 1234567\n";
    char *text = malloc(room);
    if (text == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
    size_t used = (size_t)snprintf(text, room, "annulus-bpe 1\nmerges %d\n", count);
    for (int m = 0; m < count; m++) {
        const int32_t *merge = anni_bpe_merge(bpe, m);
        used += (size_t)snprintf(text + used, room - used, "%d %d\n", merge[0], merge[1]);
    }
    const uint64_t hash = ann_hash(text, used, 0);
    used += (size_t)snprintf(text + used, room - used, "xxh3 %016" PRIx64 "\n", hash);
    *out = text;
    *size = used;
    return ANN_OK;
}

static ann_status write_all(int fd, const char *text, size_t size, const char *path) {
    for (size_t done = 0; done < size;) {
        const ssize_t n = write(fd, text + done, size - done);
        if (n < 0 && errno != EINTR) return io_error(path);
        if (n > 0) done += (size_t)n;
    }
    return fsync(fd) == 0 ? ANN_OK : io_error(path);
}

static ann_status replace(const char *path, const char *part, const char *text, size_t size) {
    const int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return io_error(path);
    ann_status status = write_all(fd, text, size, path);
    if (close(fd) != 0 && status == ANN_OK) status = io_error(path);
    if (status == ANN_OK && rename(part, path) != 0) status = io_error(path);
    if (status != ANN_OK) unlink(part);
    return status;
}

ann_status anni_bpe_write(const anni_bpe *bpe, const char *path) {
    char *text = NULL, part[4096];
    size_t size = 0;
    if (snprintf(part, sizeof part, "%s.part-%ld", path, (long)getpid()) >= (int)sizeof part)
        return ann_error(ANN_ERR_ARG, "%.64s...: the name is too long", path);
    ANN_TRY(format(&text, &size, bpe));
    const ann_status status = replace(path, part, text, size);
    free(text);
    return status;
}
