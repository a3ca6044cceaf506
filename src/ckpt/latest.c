#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "ckpt/files.h"
#include "ckpt/listing.h"
#include "ckpt/reader.h"

/* Whether a failure says that this checkpoint is bad, and another may be good. */
static bool is_about_checkpoint(ann_status status) {
    return status == ANN_ERR_CORRUPT || status == ANN_ERR_FORMAT || status == ANN_ERR_NOT_FOUND ||
           status == ANN_ERR_IO;
}

ann_status ann_ckpt_verify(ann_comm *comm, const char *path) {
    ann_ckpt *ckpt;
    const ann_status status = anni_ckpt_open_some(&ckpt, path, ann_comm_rank(comm), ann_comm_size(comm));
    ann_ckpt_close(ckpt);
    return ann_agree(comm, status);
}

/* Rank 0's list, on every rank. Owner of *out: the caller, free. */
static ann_status share_list(ann_comm *comm, anni_listed **out, int *count, const char *dir) {
    const bool root = ann_comm_rank(comm) == 0;
    *out = NULL;
    *count = 0;
    ann_status status = ann_agree(comm, root ? anni_list(out, count, dir) : ANN_OK);
    if (status == ANN_OK) status = ann_comm_broadcast(comm, count, sizeof *count, 0);
    if (status != ANN_OK || *count == 0) return status;
    const size_t bytes = (size_t)*count * sizeof **out;
    if (!root) *out = malloc(bytes);
    status =
        ann_agree(comm, *out ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for a list of checkpoints"));
    return status == ANN_OK ? ann_comm_broadcast(comm, *out, bytes, 0) : status;
}

/* Only what can be seen without reading the shards; rank 0 looks. */
static ann_status peek(ann_comm *comm, const char *path) {
    ann_ckpt *ckpt = NULL;
    const ann_status status = ann_comm_rank(comm) == 0 ? ann_ckpt_peek(&ckpt, path) : ANN_OK;
    ann_ckpt_close(ckpt);
    return ann_agree(comm, status);
}

/* The index behind the checkpoint called `than`, or 0. */
static int index_after(const anni_listed *list, int count, const char *than) {
    const char *slash = strrchr(than, '/'), *name = slash ? slash + 1 : than;
    for (int i = 0; list && i < count; i++)
        if (strcmp(list[i].name, name) == 0) return i + 1;
    return 0;
}

static ann_status choose(ann_comm *comm, char *path, const char *dir, const anni_listed *list, int count,
                         const char *than, bool verify) {
    const int first = index_after(list, count, than);
    int bad = 0;
    for (int i = 0; i < count; i++) {
        if (list[i].kind == ANNI_LISTED_PART) continue;
        if (i < first) {
            bad++;
            continue;
        }
        ANN_TRY(anni_path_join(path, dir, list[i].name));
        const ann_status status = verify ? ann_ckpt_verify(comm, path) : peek(comm, path);
        if (status == ANN_OK || !is_about_checkpoint(status)) return status;
        if (ann_comm_rank(comm) == 0)
            ann_log_line(ANN_LOG_WARN, "checkpoint %s is not used: %s", list[i].name, ann_error_text());
        bad++;
    }
    path[0] = '\0';
    if (bad == 0) return ANN_OK;
    return ann_error(ANN_ERR_CORRUPT,
                     "%s: no checkpoint there is good (%d tried); to start anew, move the folder away", dir,
                     bad);
}

static ann_status find(ann_comm *comm, const char *dir, const char *than, bool verify, char *path,
                       size_t size) {
    anni_listed *list = NULL;
    int count = 0;
    ann_status status =
        size < ANNI_PATH_BYTES ? ann_error(ANN_ERR_ARG, "a path needs %d bytes", ANNI_PATH_BYTES) : ANN_OK;
    status = ann_agree(comm, status);
    if (status == ANN_OK) status = share_list(comm, &list, &count, dir);
    if (status == ANN_OK) status = choose(comm, path, dir, list, count, than, verify);
    free(list);
    return status;
}

ann_status ann_ckpt_latest(ann_comm *comm, const char *dir, char *path, size_t size) {
    return find(comm, dir, "", true, path, size);
}

ann_status ann_ckpt_candidate(ann_comm *comm, const char *dir, const char *than, char *path, size_t size) {
    char name[ANNI_PATH_BYTES]; /* than may be path itself */
    (void)snprintf(name, sizeof name, "%s", than);
    return find(comm, dir, name, false, path, size);
}
