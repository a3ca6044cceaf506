#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t ann_hash(const void *data, size_t bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(data, bytes, seed);
}
uint64_t ann_hash_str(const char *text) { return ann_hash(text, strlen(text), 0); }

_Static_assert(sizeof(ann_hasher) >= sizeof(XXH3_state_t), "room for xxhash's state");
_Static_assert(_Alignof(ann_hasher) >= _Alignof(XXH3_state_t), "its alignment");

void ann_hasher_begin(ann_hasher *hasher) { XXH3_64bits_reset((XXH3_state_t *)hasher->state); }
void ann_hasher_begin_seeded(ann_hasher *hasher, uint64_t seed) {
    XXH3_64bits_reset_withSeed((XXH3_state_t *)hasher->state, seed);
}
void ann_hasher_update(ann_hasher *hasher, const void *data, size_t bytes) {
    XXH3_64bits_update((XXH3_state_t *)hasher->state, data, bytes);
}
uint64_t ann_hasher_end(const ann_hasher *hasher) {
    return XXH3_64bits_digest((const XXH3_state_t *)hasher->state);
}

static ann_status file_error(const char *path) {
    return ann_error(errno == ENOENT ? ANN_ERR_NOT_FOUND : ANN_ERR_IO, "%s: %s", path, strerror(errno));
}

static ann_status hash_bytes(uint64_t *out, int fd, const char *path, char *buffer, size_t size) {
    ann_hasher hasher;
    ssize_t n;
    ann_hasher_begin(&hasher);
    while ((n = read(fd, buffer, size)) > 0) ann_hasher_update(&hasher, buffer, (size_t)n);
    *out = ann_hasher_end(&hasher);
    return n == 0 ? ANN_OK : file_error(path);
}

ann_status ann_hash_file(uint64_t *out, const char *path) {
    enum { BUFFER_BYTES = 1 << 20 };
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return file_error(path);
    char *buffer = malloc(BUFFER_BYTES);
    const ann_status status = buffer ? hash_bytes(out, fd, path, buffer, BUFFER_BYTES)
                                     : ann_error(ANN_ERR_MEMORY, "%s: no memory to read it", path);
    free(buffer);
    close(fd);
    return status;
}
