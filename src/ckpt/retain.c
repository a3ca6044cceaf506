/* Which checkpoints stay. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "ckpt/commit.h"
#include "ckpt/listing.h"

/* ---- the best ---- */

/* The name in DIR/best, or "". */
static void read_best(char name[48], const char *path) {
    char *text = NULL;
    size_t bytes = 0;
    name[0] = '\0';
    if (access(path, F_OK) != 0 || anni_file_read(&text, &bytes, path) != ANN_OK) return;
    const size_t n = strcspn(text, "\n");
    if (n < 48 && !memchr(text, '/', n)) (void)snprintf(name, 48, "%.*s", (int)n, text);
    free(text);
}

/* The number under `key` in the checkpoint called `name`, or NAN. */
static double number_of(const char *dir, const char *name, const char *key) {
    char path[ANNI_PATH_BYTES];
    anni_manifest *manifest = NULL;
    double value = NAN;
    if (!name[0] || anni_path_join(path, dir, name) != ANN_OK || access(path, F_OK) != 0) return NAN;
    if (anni_manifest_read(&manifest, path) != ANN_OK) return NAN;
    if (ann_meta_get_f64(manifest->meta, key, &value) != ANN_OK) value = NAN;
    anni_manifest_free(manifest);
    return value;
}

/* Sets `best` to the name of the best checkpoint, the new one among them; "" if there is none. */
static void settle_best(char best[48], const anni_commit *commit, const ann_ckpt_retention *keep,
                        const anni_manifest *manifest) {
    char text[64];
    double value = NAN;
    best[0] = '\0';
    if (!keep->best) return;
    read_best(best, commit->best);
    if (!manifest->meta || ann_meta_get_f64(manifest->meta, keep->best, &value) != ANN_OK || isnan(value))
        return;
    /* A checkpoint that was replaced by this one is no rival. */
    const double rival = strcmp(best, commit->name) == 0 ? NAN : number_of(commit->dir, best, keep->best);
    const bool beaten = keep->higher_is_better ? value >= rival : value <= rival;
    if (!isnan(rival) && !beaten) return;
    const int n = snprintf(text, sizeof text, "%s\n", commit->name);
    if (anni_file_write(commit->best_part, text, (size_t)n) == ANN_OK &&
        anni_rename(commit->best_part, commit->best) == ANN_OK)
        memcpy(best, commit->name, sizeof commit->name);
    else ann_log_line(ANN_LOG_WARN, "%s; the best checkpoint stays the one before", ann_error_text());
}

/* ---- the others ---- */

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

/* `newer`: how many newer ones stay, the new one among them. */
static bool stays(const anni_listed *item, const ann_ckpt_retention *keep, const char *best, int newer) {
    if (keep->last == 0) return true;
    if (item->serial >= 0 && newer < keep->last) return true;
    if (item->serial >= 0 && keep->every > 0 && item->serial % keep->every == 0) return true;
    return strcmp(item->name, best) == 0;
}

void anni_commit_retain(const anni_commit *commit, const ann_ckpt_retention *keep,
                        const anni_manifest *manifest) {
    anni_listed *list = NULL;
    char best[48];
    int count = 0, newer = 1;
    settle_best(best, commit, keep, manifest);
    if (anni_list(&list, &count, commit->dir) != ANN_OK) {
        ann_log_line(ANN_LOG_WARN, "%s; no old checkpoint is removed", ann_error_text());
        return;
    }
    for (int i = 0; i < count; i++) {
        const anni_listed *item = &list[i];
        if (item->kind == ANNI_LISTED_PART || strcmp(item->name, commit->name) == 0) continue;
        const bool replaced = item->kind == ANNI_LISTED_OLD && item->step == commit->step;
        if (replaced || !stays(item, keep, best, newer)) remove_checkpoint(commit, item);
        else newer++;
    }
    free(list);
}
