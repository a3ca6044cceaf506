#include "ckpt/commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "ckpt/listing.h"
#include "ckpt/shard.h"

ann_status anni_commit_init(anni_commit *commit, const char *dir, int64_t step) {
    char name[48];
    *commit = (anni_commit){.dir = dir, .step = step};
    if (!dir[0]) return ann_error(ANN_ERR_ARG, "the directory of a checkpoint has no name");
    if (step < 0) return ann_error(ANN_ERR_ARG, "%s: a checkpoint of step %lld", dir, (long long)step);
    anni_listed_name(commit->name, step, ANNI_LISTED_FINAL);
    ANN_TRY(anni_path_join(commit->final, dir, commit->name));
    anni_listed_name(name, step, ANNI_LISTED_PART);
    ANN_TRY(anni_path_join(commit->part, dir, name));
    anni_listed_name(name, step, ANNI_LISTED_OLD);
    ANN_TRY(anni_path_join(commit->old, dir, name));
    ANN_TRY(anni_path_join(commit->latest, dir, "latest"));
    return anni_path_join(commit->latest_part, dir, "latest.part");
}

/* ---- before ---- */

/* A .old whose successor was never published is the checkpoint of its step; otherwise it is superfluous. */
static ann_status settle_old(const char *dir, const anni_listed *item) {
    char old[ANNI_PATH_BYTES], final[ANNI_PATH_BYTES], name[48];
    anni_listed_name(name, item->step, ANNI_LISTED_FINAL);
    ANN_TRY(anni_path_join(old, dir, item->name));
    ANN_TRY(anni_path_join(final, dir, name));
    if (access(final, F_OK) != 0) return anni_rename(old, final);
    errno = anni_dir_remove(old);
    return errno ? anni_file_error("remove", old) : ANN_OK;
}

static ann_status remove_part(const char *dir, const anni_listed *item) {
    char path[ANNI_PATH_BYTES];
    ANN_TRY(anni_path_join(path, dir, item->name));
    errno = anni_dir_remove(path);
    return errno ? anni_file_error("remove", path) : ANN_OK;
}

ann_status anni_commit_prepare(int64_t *serial, anni_commit *commit) {
    anni_listed *list;
    int count;
    ANN_TRY(anni_dir_make(commit->dir, &commit->made_dir));
    ANN_TRY(anni_list(&list, &count, commit->dir));
    ann_status status = ANN_OK;
    *serial = 1;
    for (int i = 0; i < count && status == ANN_OK; i++) {
        if (list[i].serial >= *serial) *serial = list[i].serial + 1;
        if (list[i].kind == ANNI_LISTED_PART) status = remove_part(commit->dir, &list[i]);
        if (list[i].kind == ANNI_LISTED_OLD) status = settle_old(commit->dir, &list[i]);
    }
    free(list);
    if (status != ANN_OK) return status;
    (void)unlink(commit->latest_part);
    return mkdir(commit->part, 0777) == 0 ? ANN_OK : anni_file_error("create the directory", commit->part);
}

/* ---- the commit ---- */

static ann_status publish_dir(const anni_commit *commit, bool *replaces) {
    *replaces = access(commit->final, F_OK) == 0;
    if (*replaces) ANN_TRY(anni_rename(commit->final, commit->old));
    ANN_TRY(anni_rename(commit->part, commit->final));
    ANN_TRY(anni_dir_sync(commit->dir));
    return anni_rename(commit->latest_part, commit->latest);
}

ann_status anni_commit_publish(const anni_commit *commit) {
    char text[64];
    const int n = snprintf(text, sizeof text, "%s\n", commit->name);
    bool replaces = false;
    ANN_TRY(anni_dir_sync(commit->part));
    ANN_TRY(anni_file_write(commit->latest_part, text, (size_t)n));
    const ann_status status = publish_dir(commit, &replaces);
    if (status != ANN_OK) { /* back to where it was */
        if (access(commit->part, F_OK) != 0) (void)rename(commit->final, commit->part);
        if (replaces) (void)rename(commit->old, commit->final);
        return status;
    }
    if (anni_dir_sync(commit->dir) != ANN_OK)
        ann_log_line(ANN_LOG_WARN,
                     "%s; the new checkpoint is there, but \"latest\" may be older after a power cut",
                     ann_error_text());
    anni_latest_write(commit->dir, commit->name);
    return ANN_OK;
}

/* ---- after ---- */

void anni_commit_abandon(const anni_commit *commit, bool root) {
    const int failed = anni_dir_remove(commit->part);
    if (!root) return;
    if (failed) ann_log_line(ANN_LOG_WARN, "%s: cannot remove: %s", commit->part, strerror(failed));
    (void)unlink(commit->latest_part);
    if (commit->made_dir) (void)rmdir(commit->dir);
}

/* A checkpoint is renamed before it is emptied, so that it never looks like a damaged one. */
static void remove_checkpoint(const anni_commit *commit, const anni_listed *item) {
    char from[ANNI_PATH_BYTES], to[ANNI_PATH_BYTES], name[48];
    anni_listed_name(name, item->step, ANNI_LISTED_PART);
    if (anni_path_join(from, commit->dir, item->name) != ANN_OK ||
        anni_path_join(to, commit->dir, name) != ANN_OK)
        return;
    const int failed = rename(from, to) == 0 ? anni_dir_remove(to) : errno;
    if (failed)
        ann_log_line(ANN_LOG_WARN, "%s: cannot remove this old checkpoint: %s", from, strerror(failed));
}

void anni_commit_retain(const anni_commit *commit, int keep) {
    anni_listed *list;
    int count, kept = 1; /* the new one */
    if (anni_list(&list, &count, commit->dir) != ANN_OK) {
        ann_log_line(ANN_LOG_WARN, "%s; no old checkpoint is removed", ann_error_text());
        return;
    }
    for (int i = 0; i < count; i++) {
        const anni_listed *item = &list[i];
        if (item->kind == ANNI_LISTED_PART || strcmp(item->name, commit->name) == 0) continue;
        const bool replaced = item->kind == ANNI_LISTED_OLD && item->step == commit->step;
        const bool surplus = keep > 0 && (item->serial < 0 || kept >= keep);
        if (replaced || surplus) remove_checkpoint(commit, item);
        else kept++;
    }
    free(list);
}
