/* Checking a checkpoint thoroughly: every fault, not only the first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "ckpt/files.h"
#include "ckpt/listing.h"
#include "ckpt/reader.h"
#include "ckpt/tools.h"

typedef struct inspection {
    ann_ckpt_findings *out;
    void (*report)(void *to, const char *line);
    void *to;
    ann_status first;
} inspection;

static void take(void *to, ann_status status, const char *text) {
    inspection *in = to;
    if (in->first == ANN_OK) in->first = status;
    in->out->bad++;
    in->report(in->to, text);
}

/* Files that are missing or have another size; their pieces need not be read. */
static bool file_is_whole(inspection *in, const ann_ckpt *ckpt, const anni_shard *shard) {
    char path[ANNI_PATH_BYTES], text[ANNI_PATH_BYTES + 64];
    struct stat st;
    if (anni_path_join(path, ckpt->path, shard->file) != ANN_OK) return false;
    const bool there = stat(path, &st) == 0;
    if (there && st.st_size == shard->file_bytes) return true;
    if (!there) (void)snprintf(text, sizeof text, "%s: the shard is missing", path);
    else
        (void)snprintf(text, sizeof text, "%s: the shard has %lld bytes, not %lld", path,
                       (long long)st.st_size, (long long)shard->file_bytes);
    take(in, ANN_ERR_CORRUPT, text);
    return false;
}

static void check_shards(inspection *in, const ann_ckpt *ckpt) {
    const anni_manifest *m = ckpt->manifest;
    for (int s = 0; s < m->shard_count; s++) {
        if (!file_is_whole(in, ckpt, &m->shards[s])) continue;
        in->out->shards++;
        in->out->pieces += m->shards[s].piece_count;
        in->out->bytes += m->shards[s].file_bytes;
        /* Stride INT32_MAX: this shard alone. What fails has been reported. */
        if (anni_load_check(ckpt, s, INT32_MAX - m->shard_count, take, in) != ANN_OK) ann_error_clear();
    }
}

/* The newest checkpoint made before the one at path, all of whose checksums are right. */
static void find_older(char older[48], const char *path) {
    char dir[ANNI_PATH_BYTES], candidate[ANNI_PATH_BYTES];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    anni_listed *list;
    int count;
    (void)snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    older[0] = '\0';
    if (anni_list(&list, &count, dir[0] ? dir : "/") != ANN_OK) return;
    const int64_t serial = anni_manifest_serial(path); /* -1: unknown, then all others come in question */
    for (int i = 0; i < count && !older[0]; i++) {
        ann_ckpt *ckpt;
        if (list[i].kind == ANNI_LISTED_PART || strcmp(list[i].name, name) == 0 || list[i].serial < 0)
            continue;
        if (serial >= 0 && list[i].serial > serial) continue;
        if (anni_path_join(candidate, dir, list[i].name) != ANN_OK ||
            ann_ckpt_open(&ckpt, candidate) != ANN_OK)
            continue;
        memcpy(older, list[i].name, sizeof list[i].name);
        ann_ckpt_close(ckpt);
    }
    free(list);
}

ann_status ann_ckpt_inspect(ann_ckpt_findings *out, const char *path,
                            void (*report)(void *to, const char *line), void *to) {
    inspection in = {.out = out, .report = report, .to = to, .first = ANN_OK};
    ann_ckpt *ckpt;
    *out = (ann_ckpt_findings){0};
    const ann_status opened = anni_ckpt_open_manifest(&ckpt, path);
    if (opened == ANN_ERR_MEMORY || opened == ANN_ERR_NOT_FOUND) return opened;
    if (opened != ANN_OK) take(&in, opened, ann_error_text());
    else {
        check_shards(&in, ckpt);
        if (!anni_ckpt_whole_is_good(ckpt)) {
            char text[ANNI_PATH_BYTES + 96];
            (void)snprintf(text, sizeof text,
                           "%s/" ANNI_WHOLE_NAME " is missing or damaged (only h5py and the like need it)",
                           path);
            take(&in, ANN_ERR_CORRUPT, text);
        }
    }
    ann_ckpt_close(ckpt);
    if (in.first == ANN_OK) return ANN_OK;
    find_older(out->older, path);
    return ann_error(in.first, "%s: %d fault%s", path, out->bad, out->bad == 1 ? "" : "s");
}
