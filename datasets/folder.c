#include "datasets/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "base/hash.h"

typedef struct names {
    char **list;
    int count, room;
} names;

static int by_name(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static ann_status add_name(names *n, const char *name, const char *path, ann_arena *arena) {
    if (n->count == n->room) {
        const int room = n->room == 0 ? 256 : 2 * n->room;
        char **list = realloc(n->list, (size_t)room * sizeof *list);
        if (list == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
        n->list = list;
        n->room = room;
    }
    n->list[n->count] = ann_arena_strdup(arena, name);
    return n->list[n->count++] != NULL ? ANN_OK : ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
}

/* All names in a folder but hidden ones, sorted. Owner of names->list: the caller, also after an error. */
static ann_status list_names(names *n, const char *path, ann_arena *arena) {
    *n = (names){.list = NULL};
    DIR *dir = opendir(path);
    if (dir == NULL) {
        const ann_status status = errno == ENOENT ? ANN_ERR_NOT_FOUND : ANN_ERR_IO;
        return ann_error(status, "%s: %s", path, strerror(errno));
    }
    ann_status status = ANN_OK;
    for (struct dirent *entry = readdir(dir); entry != NULL && status == ANN_OK; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') status = add_name(n, entry->d_name, path, arena);
    }
    closedir(dir);
    if (n->count > 0) qsort(n->list, (size_t)n->count, sizeof *n->list, by_name);
    return status;
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool has_image_ending(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot != NULL &&
           (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

/* ---- files ---- */

static ann_status add_file(anni_folder *folder, const char *path, const char *name, int label) {
    struct stat info;
    if (stat(path, &info) != 0) return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) {
        folder->left_out++;
        return ANN_OK;
    }
    if (folder->file_count == folder->file_room) {
        const int64_t room = folder->file_room == 0 ? 1024 : 2 * folder->file_room;
        anni_file *files = realloc(folder->files, (size_t)room * sizeof *files);
        if (files == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
        folder->files = files;
        folder->file_room = room;
    }
    const int64_t length = info.st_size, times[] = {info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
    folder->files[folder->file_count++] = (anni_file){path, label};
    folder->hash = ann_hash(&length, sizeof length, ann_hash(name, strlen(name) + 1, folder->hash));
    folder->state = ann_hash(times, sizeof times, folder->state ^ folder->hash);
    return ANN_OK;
}

static ann_status add_files(anni_folder *folder, const char *path, const names *files, int label,
                            ann_arena *arena) {
    for (int i = 0; i < files->count; i++) {
        if (!has_image_ending(files->list[i])) {
            folder->left_out++;
            continue;
        }
        const char *file = ann_arena_printf(arena, "%s/%s", path, files->list[i]);
        if (file == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
        ANN_TRY(add_file(folder, file, files->list[i], label));
    }
    return ANN_OK;
}

static ann_status list_class(anni_folder *folder, const char *path, const char *class, int label,
                             ann_arena *arena) {
    names files;
    const int64_t before = folder->file_count;
    folder->hash = ann_hash(class, strlen(class) + 1, folder->hash);
    ann_status status = list_names(&files, path, arena);
    if (status == ANN_OK) status = add_files(folder, path, &files, label, arena);
    free(files.list);
    if (status == ANN_OK && folder->file_count == before)
        status = ann_error(ANN_ERR_FORMAT, "%s: has no .png, .jpg or .jpeg file", path);
    return status;
}

/* ---- classes ---- */

static int find_class(const anni_folder *folder, const char *name) {
    for (int i = 0; i < folder->class_count; i++) {
        if (strcmp(folder->classes[i], name) == 0) return i;
    }
    return -1;
}

static ann_status list_entry(anni_folder *folder, const char *path, const char *name, bool is_test,
                             ann_arena *arena) {
    const char *class = ann_arena_printf(arena, "%s/%s", path, name);
    if (class == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
    if (!is_folder(class)) {
        folder->left_out++;
        return ANN_OK;
    }
    if (!is_test) folder->classes[folder->class_count++] = name;
    const int label = is_test ? find_class(folder, name) : folder->class_count - 1;
    if (label < 0) return ann_error(ANN_ERR_FORMAT, "%s: a class that the training split has not", class);
    return list_class(folder, class, name, label, arena);
}

static ann_status list_split(anni_folder *folder, const char *path, bool is_test, ann_arena *arena) {
    names n;
    ann_status status = list_names(&n, path, arena);
    if (status == ANN_OK && !is_test) {
        folder->classes = ann_arena_alloc(arena, (size_t)(n.count + 1) * sizeof *folder->classes);
        if (folder->classes == NULL) status = ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
    }
    for (int i = 0; i < n.count && status == ANN_OK; i++)
        status = list_entry(folder, path, n.list[i], is_test, arena);
    free(n.list);
    if (status == ANN_OK && folder->class_count == 0)
        status = ann_error(ANN_ERR_FORMAT, "%s: has no folder of a class", path);
    return status;
}

ann_status anni_folder_list(anni_folder *folder, const char *path, ann_arena *arena) {
    *folder = (anni_folder){.files = NULL};
    const char *train = ann_arena_printf(arena, "%s/train", path),
               *test = ann_arena_printf(arena, "%s/test", path);
    if (train == NULL || test == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
    const bool has_splits = is_folder(train);
    ANN_TRY(list_split(folder, has_splits ? train : path, false, arena));
    folder->train_count = folder->file_count;
    return has_splits && is_folder(test) ? list_split(folder, test, true, arena) : ANN_OK;
}

void anni_folder_fini(anni_folder *folder) {
    free(folder->files);
    folder->files = NULL;
}
