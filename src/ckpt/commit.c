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
    ANN_TRY(anni_path_join(commit->latest_part, dir, "latest.part"));
    ANN_TRY(anni_path_join(commit->best, dir, "best"));
    return anni_path_join(commit->best_part, dir, "best.part");
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

/* What killed writers left; *serial: the next serial number. */
static ann_status clear_away(int64_t *serial, const anni_commit *commit) {
    anni_listed *list;
    int count;
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
    (void)unlink(commit->best_part);
    return ANN_OK;
}

ann_status anni_commit_prepare(int64_t *serial, anni_commit *commit) {
    ANN_TRY(anni_dir_make(commit->dir, &commit->made_dir));
    ANN_TRY(clear_away(serial, commit));
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

/* The newest of those that are left, in DIR/latest. */
static void move_latest(const anni_commit *commit) {
    anni_listed *list = NULL;
    char text[64];
    int count = 0, first = 0;
    if (anni_list(&list, &count, commit->dir) != ANN_OK) return;
    while (first < count && list[first].kind == ANNI_LISTED_PART) first++;
    if (first == count) (void)unlink(commit->latest);
    else {
        const int n = snprintf(text, sizeof text, "%s\n", list[first].name);
        if (anni_file_write(commit->latest_part, text, (size_t)n) == ANN_OK)
            (void)rename(commit->latest_part, commit->latest);
        anni_latest_write(commit->dir, list[first].name);
    }
    free(list);
}

void ann_ckpt_settle(const char *dir) {
    anni_commit commit;
    int64_t serial;
    if (anni_commit_init(&commit, dir, 0) == ANN_OK && clear_away(&serial, &commit) == ANN_OK) {
        move_latest(&commit);
        return;
    }
    ann_log_line(ANN_LOG_WARN, "%s; what a killed writer left is still there", ann_error_text());
    ann_error_clear();
}

void anni_commit_withdraw(const anni_commit *commit) {
    if (rename(commit->final, commit->part) != 0) return;
    if (access(commit->old, F_OK) == 0) (void)rename(commit->old, commit->final);
    move_latest(commit);
}

void anni_commit_abandon(const anni_commit *commit, bool root) {
    const int failed = anni_dir_remove(commit->part);
    if (!root) return;
    if (failed) ann_log_line(ANN_LOG_WARN, "%s: cannot remove: %s", commit->part, strerror(failed));
    (void)unlink(commit->latest_part);
    if (commit->made_dir) (void)rmdir(commit->dir);
}
