#include "ckpt/listing.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ckpt/files.h"
#include "ckpt/manifest.h"

void anni_listed_name(char name[48], int64_t step, anni_listed_kind kind) {
    static const char *const suffix[] = {"", ".part", ".old"};
    (void)snprintf(name, 48, "step-%010" PRId64 "%s", step, suffix[kind]);
}

/* Whether name is one that anni_listed_name makes. */
static bool parse(anni_listed *out, const char *name) {
    if (strncmp(name, "step-", 5) != 0 || strlen(name) >= sizeof out->name || name[5] < '0' || name[5] > '9')
        return false;
    out->step = strtoll(name + 5, NULL, 10);
    for (int kind = ANNI_LISTED_FINAL; kind <= ANNI_LISTED_OLD; kind++) {
        out->kind = (anni_listed_kind)kind;
        anni_listed_name(out->name, out->step, out->kind);
        if (strcmp(out->name, name) == 0) return true;
    }
    return false;
}

static int compare(const void *a, const void *b) {
    const anni_listed *p = a, *q = b;
    const bool p_unknown = p->serial < 0, q_unknown = q->serial < 0;
    if (p_unknown != q_unknown) return p_unknown ? -1 : 1;
    if (p->serial != q->serial) return p->serial > q->serial ? -1 : 1;
    if (p->step != q->step) return p->step > q->step ? -1 : 1;
    return (int)p->kind - (int)q->kind;
}

static ann_status append(anni_listed **list, int *count, int *capacity, const anni_listed *item) {
    if (*count == *capacity) {
        const int larger = *capacity ? 2 * *capacity : 16;
        anni_listed *moved = realloc(*list, (size_t)larger * sizeof *moved);
        if (!moved) return ann_error(ANN_ERR_MEMORY, "no memory for a list of checkpoints");
        *list = moved;
        *capacity = larger;
    }
    (*list)[(*count)++] = *item;
    return ANN_OK;
}

static ann_status collect(anni_listed **list, int *count, DIR *stream, const char *dir) {
    int capacity = 0;
    for (const struct dirent *entry; (errno = 0, entry = readdir(stream));) {
        char path[ANNI_PATH_BYTES];
        anni_listed item;
        if (!parse(&item, entry->d_name)) continue;
        ANN_TRY(anni_path_join(path, dir, item.name));
        item.serial = item.kind == ANNI_LISTED_PART ? -1 : anni_manifest_serial(path);
        ANN_TRY(append(list, count, &capacity, &item));
    }
    return errno ? anni_file_error("list", dir) : ANN_OK;
}

ann_status anni_list(anni_listed **out, int *count, const char *dir) {
    *out = NULL;
    *count = 0;
    DIR *stream = opendir(dir);
    if (!stream && errno == ENOENT) return ANN_OK;
    if (!stream) return anni_file_error("list", dir);
    const ann_status status = collect(out, count, stream, dir);
    closedir(stream);
    if (status != ANN_OK) {
        free(*out);
        *out = NULL;
        *count = 0;
        return status;
    }
    if (*count > 1) qsort(*out, (size_t)*count, sizeof **out, compare);
    return ANN_OK;
}
