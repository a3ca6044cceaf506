/* Removing checkpoints that nobody needs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "ckpt/files.h"
#include "ckpt/listing.h"
#include "ckpt/tools.h"

/* The newest one all of whose checksums are right: it stays whatever else is asked for. -1: there is none. */
static int newest_verified(const char *dir, const ann_ckpt_summary *list, int count) {
    for (int i = 0; i < count; i++) {
        char path[ANNI_PATH_BYTES];
        ann_ckpt *ckpt;
        if (list[i].state != ANN_CKPT_GOOD || anni_path_join(path, dir, list[i].name) != ANN_OK) continue;
        if (ann_ckpt_open(&ckpt, path) != ANN_OK) continue;
        ann_ckpt_close(ckpt);
        return i;
    }
    return -1;
}

/* It is renamed before it is emptied, so that it never looks like a damaged one. */
static ann_status remove_one(const char *dir, const ann_ckpt_summary *item) {
    char from[ANNI_PATH_BYTES], to[ANNI_PATH_BYTES], name[48];
    anni_listed_name(name, item->step, ANNI_LISTED_PART);
    ANN_TRY(anni_path_join(from, dir, item->name));
    ANN_TRY(anni_path_join(to, dir, name));
    if (strcmp(from, to) != 0) ANN_TRY(anni_rename(from, to));
    errno = anni_dir_remove(to);
    return errno ? anni_file_error("remove", to) : ANN_OK;
}

ann_status ann_ckpt_prune(const char *dir, int keep, int every, bool dry_run,
                          void (*report)(void *to, const ann_ckpt_summary *item, bool removed), void *to) {
    ann_ckpt_summary *list;
    int count, kept = 0;
    if (keep < 1 || every < 0) return ann_error(ANN_ERR_ARG, "%s: %d checkpoints to keep", dir, keep);
    ANN_TRY(ann_ckpt_survey(&list, &count, dir));
    const int verified = newest_verified(dir, list, count);
    ann_status status = ANN_OK;
    if (count > 0 && verified < 0)
        status = ann_error(ANN_ERR_CORRUPT, "%s: no checkpoint there is good; nothing is removed", dir);
    for (int i = 0; i < count && status == ANN_OK; i++) {
        const ann_ckpt_summary *item = &list[i];
        const bool good = item->state == ANN_CKPT_GOOD;
        const bool for_good = good && every > 0 && ann_ckpt_serial(item->ckpt) % every == 0;
        const bool alive = item->state == ANN_CKPT_INTERRUPTED; /* perhaps a job is writing it */
        const bool younger = item->state == ANN_CKPT_DAMAGED && item->step > list[verified].step;
        const bool stays =
            i == verified || alive || younger || for_good || (good && (item->best || kept < keep));
        if (good && kept < keep) kept++;
        if (!stays && !dry_run) status = remove_one(dir, item);
        if (status == ANN_OK) report(to, item, !stays);
    }
    ann_ckpt_survey_free(list, count);
    return status;
}
