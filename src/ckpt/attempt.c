#include "ckpt/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ckpt/reader.h"

static ann_status prepare(void *of) {
    ann_ckpt_writer *w = of;
    return anni_commit_prepare(&w->manifest->serial, &w->commit);
}

static ann_status write_shard(void *of) {
    ann_ckpt_writer *w = of;
    /* On a network file system this also makes rank 0's new directory visible here. */
    if (mkdir(w->commit.part, 0777) != 0 && errno != EEXIST)
        return anni_file_error("create the directory", w->commit.part);
    ANN_TRY(anni_snapshot_label(&w->snapshot, w->manifest));
    return anni_shard_write(w->commit.part, w->manifest, &w->snapshot, w->options.finite);
}

/* ---- commit ---- */

static ann_status check_shards_here(const ann_ckpt_writer *w) {
    for (int i = 0; i < w->manifest->shard_count; i++) {
        char path[ANNI_PATH_BYTES];
        struct stat st;
        ANN_TRY(anni_path_join(path, w->commit.part, w->manifest->shards[i].file));
        if (stat(path, &st) != 0 || st.st_size != w->manifest->shards[i].file_bytes)
            return ann_error(ANN_ERR_IO,
                             "%s: rank %d wrote it, but rank 0 does not see it: do all ranks share %s?", path,
                             w->writer_of[i], w->commit.dir);
    }
    return ANN_OK;
}

static ann_status commit(void *of) {
    ann_ckpt_writer *w = of;
    ANN_TRY(check_shards_here(w));
    ANN_TRY(anni_whole_write(w->commit.part, w->manifest, w->scalars));
    ANN_TRY(anni_manifest_write(w->commit.part, w->manifest));
    if (w->options.before_commit) ANN_TRY(w->options.before_commit(w->options.to));
    return anni_commit_publish(&w->commit);
}

/* ---- after it ---- */

/* The page cache would say what was written, not what is on disk. */
static ann_status forget_pages(const ann_ckpt_writer *w) {
    char path[ANNI_PATH_BYTES];
    int fd;
    ANN_TRY(anni_shard_open(&fd, path, w->commit.final, &w->manifest->shards[w->shard]));
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return ANN_OK;
}

static ann_status verify(void *of) {
    ann_ckpt_writer *w = of;
    ann_ckpt *ckpt;
    ANN_TRY(forget_pages(w));
    const ann_status status = anni_ckpt_open_some(&ckpt, w->commit.final, w->shard, w->manifest->shard_count);
    ann_ckpt_close(ckpt);
    return status;
}

static ann_status retain(void *of) {
    ann_ckpt_writer *w = of;
    anni_commit_retain(&w->commit, &w->options.keep, w->manifest);
    return ANN_OK;
}

static ann_status withdraw(void *of) {
    ann_ckpt_writer *w = of;
    anni_commit_withdraw(&w->commit);
    return ANN_OK;
}

static ann_status abandon(void *of) {
    ann_ckpt_writer *w = of;
    anni_commit_abandon(&w->commit, w->rank == 0);
    return ANN_OK;
}

anni_work anni_attempt_work(const ann_ckpt_writer *writer, anni_stage stage) {
    const bool root = writer->rank == 0, writes = writer->shard >= 0;
    switch (stage) {
    case ANNI_STAGE_IDLE: return NULL;
    case ANNI_STAGE_PREPARE: return root ? prepare : NULL;
    case ANNI_STAGE_SHARDS: return writes ? write_shard : NULL;
    case ANNI_STAGE_COMMIT: return root ? commit : NULL;
    case ANNI_STAGE_VERIFY: return writes ? verify : NULL;
    case ANNI_STAGE_RETAIN: return root ? retain : NULL;
    case ANNI_STAGE_WITHDRAW: return root ? withdraw : NULL;
    case ANNI_STAGE_ABANDON: return abandon;
    }
    return NULL;
}
