#include "support/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "support/check.h"

static void need(bool good, const char *what, const char *path) {
    if (!good) fail_msg("%s %s: %s", what, path, strerror(errno));
}

void scratch_make(char dir[SCRATCH_PATH_BYTES]) {
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, SCRATCH_PATH_BYTES, "%s/annulus-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    need(mkdtemp(dir) != NULL, "mkdtemp", dir);
}

char *scratch_path(char buf[SCRATCH_PATH_BYTES], const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(buf, SCRATCH_PATH_BYTES, fmt, args);
    va_end(args);
    return buf;
}

bool scratch_exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

/* Calls visit(from/name, to/name) for each entry of from. */
static void each_entry(const char *from, const char *to, void (*visit)(const char *, const char *)) {
    struct dirent **names;
    const int n = scandir(from, &names, NULL, alphasort);
    need(n >= 0, "list", from);
    for (int i = 0; i < n; i++) {
        char a[SCRATCH_PATH_BYTES], b[SCRATCH_PATH_BYTES];
        if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
            visit(scratch_path(a, "%s/%s", from, names[i]->d_name),
                  scratch_path(b, "%s/%s", to, names[i]->d_name));
        free(names[i]);
    }
    free(names);
}

static void remove_entry(const char *path, const char *unused) {
    (void)unused;
    scratch_remove(path);
}

void scratch_remove(const char *path) {
    struct stat st;
    if (lstat(path, &st) != 0) return;
    if (S_ISDIR(st.st_mode)) each_entry(path, "", remove_entry);
    need(remove(path) == 0, "remove", path);
}

char *scratch_read(size_t *bytes, const char *path) {
    FILE *file = fopen(path, "rb");
    need(file != NULL, "open", path);
    struct stat st;
    need(fstat(fileno(file), &st) == 0, "stat", path);
    char *data = malloc((size_t)st.st_size + 1);
    need(data && fread(data, 1, (size_t)st.st_size, file) == (size_t)st.st_size, "read", path);
    data[st.st_size] = '\0';
    (void)fclose(file);
    if (bytes) *bytes = (size_t)st.st_size;
    return data;
}

char *scratch_read_all(const char *pattern) {
    glob_t found;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    need(out != NULL, "read", pattern);
    const int error = glob(pattern, GLOB_BRACE, NULL, &found);
    need(error == 0 || error == GLOB_NOMATCH, "look for", pattern);
    for (size_t i = 0; error == 0 && i < found.gl_pathc; i++) {
        char *part = scratch_read(&bytes, found.gl_pathv[i]);
        fputs(part, out);
        free(part);
    }
    if (error == 0) globfree(&found);
    (void)fclose(out);
    return text;
}

void scratch_write(const char *path, const void *data, size_t bytes) {
    FILE *file = fopen(path, "wb");
    need(file != NULL, "create", path);
    const bool written = fwrite(data, 1, bytes, file) == bytes;
    need(fclose(file) == 0 && written, "write", path);
}

void scratch_copy(const char *from, const char *to) {
    struct stat st;
    need(stat(from, &st) == 0, "stat", from);
    if (S_ISDIR(st.st_mode)) {
        need(mkdir(to, 0777) == 0, "create", to);
        each_entry(from, to, scratch_copy);
        return;
    }
    size_t bytes;
    char *data = scratch_read(&bytes, from);
    scratch_write(to, data, bytes);
    free(data);
}

char *scratch_list(const char *dir) {
    struct dirent **names;
    char *text = NULL;
    size_t bytes;
    const int n = scandir(dir, &names, NULL, alphasort);
    need(n >= 0, "list", dir);
    FILE *out = open_memstream(&text, &bytes);
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
            fprintf(out, "%s ", names[i]->d_name);
        free(names[i]);
    }
    free(names);
    (void)fclose(out);
    return text;
}
