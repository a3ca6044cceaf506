#include "ckpt/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ann_status anni_file_error(const char *verb, const char *path) {
    const int e = errno;
    const bool full = e == ENOSPC || e == EDQUOT || e == EFBIG;
    return ann_error(full ? ANN_ERR_NOSPACE : ANN_ERR_IO, "%s: cannot %s: %s", path, verb, strerror(e));
}

ann_status anni_path_join(char *path, const char *dir, const char *name) {
    const int n = snprintf(path, ANNI_PATH_BYTES, "%s/%s", dir, name);
    if (n < 0 || n >= ANNI_PATH_BYTES)
        return ann_error(ANN_ERR_ARG, "%.64s...: the path of a checkpoint is longer than %d bytes", dir,
                         ANNI_PATH_BYTES - 1);
    return ANN_OK;
}

ann_status anni_file_write_at(int fd, const void *data, size_t bytes, int64_t offset, const char *path) {
    const char *from = data;
    while (bytes > 0) {
        const ssize_t n = pwrite(fd, from, bytes, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n == 0) errno = EIO;
            return anni_file_error("write", path);
        }
        from += n;
        offset += n;
        bytes -= (size_t)n;
    }
    return ANN_OK;
}

ann_status anni_file_read_at(int fd, void *data, size_t bytes, int64_t offset, const char *path) {
    char *to = data;
    while (bytes > 0) {
        const ssize_t n = pread(fd, to, bytes, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return anni_file_error("read", path);
        if (n == 0)
            return ann_error(ANN_ERR_CORRUPT, "%s: the file ends at byte %lld", path, (long long)offset);
        to += n;
        offset += n;
        bytes -= (size_t)n;
    }
    return ANN_OK;
}

ann_status anni_file_finish(int fd, ann_status status, const char *path) {
    if (status == ANN_OK && fsync(fd) != 0) status = anni_file_error("sync", path);
    if (close(fd) != 0 && status == ANN_OK && errno != EINTR) status = anni_file_error("close", path);
    return status;
}

ann_status anni_file_write(const char *path, const void *data, size_t bytes) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return anni_file_error("create", path);
    return anni_file_finish(fd, anni_file_write_at(fd, data, bytes, 0, path), path);
}

static ann_status read_all(char **out, size_t *bytes, int fd, const char *path) {
    struct stat st;
    if (fstat(fd, &st) != 0) return anni_file_error("stat", path);
    if (!S_ISREG(st.st_mode)) return ann_error(ANN_ERR_FORMAT, "%s: not a plain file", path);
    char *text = malloc((size_t)st.st_size + 1);
    if (!text) return ann_error(ANN_ERR_MEMORY, "%s: no memory for %lld bytes", path, (long long)st.st_size);
    const ann_status status = anni_file_read_at(fd, text, (size_t)st.st_size, 0, path);
    if (status != ANN_OK) {
        free(text);
        return status;
    }
    text[st.st_size] = '\0';
    *out = text;
    *bytes = (size_t)st.st_size;
    return ANN_OK;
}

ann_status anni_file_read(char **out, size_t *bytes, const char *path) {
    *out = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return anni_file_error("open", path);
    const ann_status status = read_all(out, bytes, fd, path);
    close(fd);
    return status;
}

ann_status anni_dir_sync(const char *path) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return anni_file_error("open", path);
    ann_status status = ANN_OK;
    /* EINVAL: this file system has no fsync of directories. */
    if (fsync(fd) != 0 && errno != EINVAL) status = anni_file_error("sync", path);
    close(fd);
    return status;
}

static bool is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

ann_status anni_dir_make(const char *path, bool *made) {
    *made = false;
    char partial[ANNI_PATH_BYTES];
    const size_t length = strlen(path);
    if (length == 0 || length >= sizeof partial)
        return ann_error(ANN_ERR_ARG, "bad directory name \"%.64s\"", path);
    memcpy(partial, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (partial[i] != '/' && partial[i] != '\0') continue;
        partial[i] = '\0';
        *made = mkdir(partial, 0777) == 0;
        if (!*made && !is_dir(partial)) return anni_file_error("create the directory", partial);
        if (i < length) partial[i] = '/';
    }
    return ANN_OK;
}

ann_status anni_rename(const char *from, const char *to) {
    if (rename(from, to) != 0) return anni_file_error("rename", from);
    return ANN_OK;
}

int anni_dir_remove(const char *path) {
    DIR *dir = opendir(path);
    if (!dir) return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    return rmdir(path) == 0 || errno == ENOENT ? 0 : errno;
}
