/* Finding checkpoints on disk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "ckpt/files.h"
#include "ckpt/listing.h"
#include "ckpt/manifest.h"
#include "ckpt/tools.h"

_Static_assert(ANN_CKPT_PATH_BYTES == ANNI_PATH_BYTES, "one length of paths");

/* ---- one folder ---- */

/* What all files of a directory take. */
static int64_t bytes_in(const char *dir) {
    int64_t bytes = 0;
    DIR *stream = opendir(dir);
    struct stat st;
    for (const struct dirent *entry; stream && (entry = readdir(stream));)
        if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            bytes += st.st_size;
    if (stream) closedir(stream);
    return bytes;
}

/* Whether the text file dir/mark names the checkpoint. */
static bool is_marked(const char *dir, const char *mark, const char *name) {
    char path[ANNI_PATH_BYTES], *text = NULL;
    size_t bytes;
    if (anni_path_join(path, dir, mark) != ANN_OK || anni_file_read(&text, &bytes, path) != ANN_OK) {
        ann_error_clear();
        return false;
    }
    const size_t n = strcspn(text, "\n");
    const bool marked = n == strlen(name) && strncmp(text, name, n) == 0;
    free(text);
    return marked;
}

static ann_status summarise(ann_ckpt_summary *out, const char *dir, const anni_listed *item) {
    char path[ANNI_PATH_BYTES], manifest[ANNI_PATH_BYTES];
    struct stat st;
    *out = (ann_ckpt_summary){.step = item->step, .state = ANN_CKPT_INTERRUPTED};
    memcpy(out->name, item->name, sizeof out->name);
    ANN_TRY(anni_path_join(path, dir, item->name));
    ANN_TRY(anni_path_join(manifest, path, ANNI_MANIFEST_NAME));
    out->bytes = bytes_in(path);
    if (stat(manifest, &st) == 0 || stat(path, &st) == 0) out->time_s = (int64_t)st.st_mtime;
    if (item->kind == ANNI_LISTED_PART) return ANN_OK;
    out->latest = is_marked(dir, "latest", item->name);
    out->best = is_marked(dir, "best", item->name);
    const ann_status status = ann_ckpt_peek(&out->ckpt, path);
    if (status == ANN_ERR_MEMORY) return status;
    out->state = status == ANN_OK ? ANN_CKPT_GOOD : ANN_CKPT_DAMAGED;
    if (status != ANN_OK) (void)snprintf(out->problem, sizeof out->problem, "%s", ann_error_text());
    return ANN_OK;
}

static bool is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

ann_status ann_ckpt_survey(ann_ckpt_summary **out, int *count, const char *dir) {
    anni_listed *list;
    int n;
    *out = NULL;
    *count = 0;
    if (!is_dir(dir)) return ann_error(ANN_ERR_NOT_FOUND, "%s: there is no such folder", dir);
    ANN_TRY(anni_list(&list, &n, dir));
    *out = calloc((size_t)n + 1, sizeof **out);
    ann_status status = *out ? ANN_OK : ann_error(ANN_ERR_MEMORY, "%s: no memory to list it", dir);
    while (status == ANN_OK && *count < n) {
        status = summarise(&(*out)[*count], dir, &list[*count]);
        (*count)++;
    }
    free(list);
    if (status == ANN_OK) return ANN_OK;
    ann_ckpt_survey_free(*out, *count);
    *out = NULL;
    *count = 0;
    return status;
}

void ann_ckpt_survey_free(ann_ckpt_summary *list, int count) {
    for (int i = 0; list && i < count; i++) ann_ckpt_close(list[i].ckpt);
    free(list);
}

/* ---- folders ---- */

static bool has_checkpoints(const char *dir) {
    anni_listed *list;
    int count;
    if (anni_list(&list, &count, dir) != ANN_OK) {
        ann_error_clear();
        return false;
    }
    free(list);
    return count > 0;
}

static ann_status append(char ***list, int *count, const char *path) {
    char **moved = realloc(*list, ((size_t)*count + 1) * sizeof *moved);
    char *copy = moved ? strdup(path) : NULL;
    if (moved) *list = moved;
    if (!copy) return ann_error(ANN_ERR_MEMORY, "no memory for a list of folders");
    (*list)[(*count)++] = copy;
    return ANN_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static ann_status collect(char ***list, int *count, DIR *stream, const char *path) {
    char sub[ANNI_PATH_BYTES];
    for (const struct dirent *entry; (entry = readdir(stream));) {
        if (entry->d_name[0] == '.') continue;
        ANN_TRY(anni_path_join(sub, path, entry->d_name));
        if (is_dir(sub) && has_checkpoints(sub)) ANN_TRY(append(list, count, sub));
    }
    if (*count > 1) qsort(*list, (size_t)*count, sizeof **list, compare_names);
    return *count > 0
               ? ANN_OK
               : ann_error(ANN_ERR_NOT_FOUND, "%s: there is no checkpoint in it or right below it", path);
}

static ann_status list_folders(char ***out, int *count, const char *path) {
    if (has_checkpoints(path)) return append(out, count, path);
    DIR *stream = opendir(path);
    if (!stream) return ann_error(ANN_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    const ann_status status = collect(out, count, stream, path);
    closedir(stream);
    return status;
}

ann_status ann_ckpt_folders(char ***out, int *count, const char *path) {
    char **list = NULL;
    int n = 0;
    const ann_status status = list_folders(&list, &n, path);
    for (int i = 0; status != ANN_OK && i < n; i++) free(list[i]);
    if (status != ANN_OK) free(list);
    *out = status == ANN_OK ? list : NULL;
    *count = status == ANN_OK ? n : 0;
    return status;
}

/* ---- one checkpoint ---- */

/* "step-..." at the end of path, slashes behind it aside. */
static bool is_checkpoint_name(const char *path) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    return end - start > 5 && strncmp(path + start, "step-", 5) == 0;
}

static ann_status newest_of(char *out, const char *dir) {
    anni_listed *list;
    int count, found = -1;
    ANN_TRY(anni_list(&list, &count, dir));
    for (int i = 0; i < count && found < 0; i++)
        if (list[i].serial >= 0) found = i;
    for (int i = 0; found >= 0 && i < count; i++) /* those that cannot be read come first */
        if (list[i].serial > list[found].serial) found = i;
    ann_status status =
        found < 0 ? ann_error(ANN_ERR_CORRUPT, "%s: no checkpoint there has a readable manifest", dir)
                  : anni_path_join(out, dir, list[found].name);
    free(list);
    return status;
}

static ann_status only_folder(char *out, char *const *folders, int count, const char *path) {
    if (count == 1) return newest_of(out, folders[0]);
    char names[256];
    size_t used = 0;
    for (int i = 0; i < count && used < sizeof names; i++) {
        const int n =
            snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", strrchr(folders[i], '/') + 1);
        used += n > 0 ? (size_t)n : 0;
    }
    return ann_error(ANN_ERR_ARG, "%s has the folders %s: name one of them", path, names);
}

/* Of a file such as DIR/latest or DIR/best, the checkpoint in DIR that it names. */
static ann_status follow_mark(char out[ANN_CKPT_PATH_BYTES], char *mark) {
    char name[64] = "", *text;
    size_t bytes;
    ANN_TRY(anni_file_read(&text, &bytes, mark));
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
    if (!is_checkpoint_name(name) || strchr(name, '/'))
        return ann_error(ANN_ERR_FORMAT, "%s: is neither a checkpoint nor the name of one", mark);
    char *slash = strrchr(mark, '/');
    if (slash) *slash = '\0';
    return anni_path_join(out, slash ? mark : ".", name);
}

ann_status ann_ckpt_resolve(char out[ANN_CKPT_PATH_BYTES], const char *path) {
    char **folders, plain[ANNI_PATH_BYTES];
    int count;
    struct stat st;
    const int n = snprintf(plain, sizeof plain, "%s", path);
    if (n <= 0 || n >= (int)sizeof plain) return ann_error(ANN_ERR_ARG, "%.64s: this is no path", path);
    for (size_t end = (size_t)n; end > 1 && plain[end - 1] == '/';) plain[--end] = '\0';
    if (stat(plain, &st) != 0) return ann_error(ANN_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    if (S_ISREG(st.st_mode)) return follow_mark(out, plain);
    if (is_checkpoint_name(plain)) {
        memcpy(out, plain, sizeof plain);
        return ANN_OK;
    }
    char manifest[ANNI_PATH_BYTES];
    ANN_TRY(anni_path_join(manifest, plain, ANNI_MANIFEST_NAME));
    if (stat(manifest, &st) == 0) { /* a checkpoint that was given another name */
        memcpy(out, plain, sizeof plain);
        return ANN_OK;
    }
    ANN_TRY(ann_ckpt_folders(&folders, &count, plain));
    const ann_status status = only_folder(out, folders, count, path);
    for (int i = 0; i < count; i++) free(folders[i]);
    free(folders);
    return status;
}
