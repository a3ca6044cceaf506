#include "datasets/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static ann_status map_file(anni_bytes *out, int fd, const char *path) {
    struct stat info;
    if (fstat(fd, &info) != 0) return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) return ann_error(ANN_ERR_IO, "%s: is no regular file", path);
    if (info.st_size == 0) return ANN_OK;
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
    *out = (anni_bytes){map, (size_t)info.st_size};
    return ANN_OK;
}

ann_status anni_bytes_map(anni_bytes *out, const char *path) {
    *out = (anni_bytes){(const uint8_t *)"", 0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ann_error(errno == ENOENT ? ANN_ERR_NOT_FOUND : ANN_ERR_IO, "%s: %s", path, strerror(errno));
    const ann_status status = map_file(out, fd, path);
    close(fd);
    return status;
}

void anni_bytes_unmap(anni_bytes *bytes) {
    if (bytes->size > 0) munmap((void *)(uintptr_t)bytes->data, bytes->size);
    *bytes = (anni_bytes){(const uint8_t *)"", 0};
}
