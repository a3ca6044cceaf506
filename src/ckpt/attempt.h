/* The inside of ann_ckpt_writer: what its two files share. writer.c runs on the training thread and
   communicates; attempt.c is what the threads do. */
#ifndef ANN_CKPT_ATTEMPT_H
#define ANN_CKPT_ATTEMPT_H

#include "ckpt/commit.h"
#include "ckpt/shard.h"
#include "ckpt/worker.h"

typedef enum anni_stage {
    ANNI_STAGE_IDLE,
    ANNI_STAGE_PREPARE, /* the directory; rank 0 */
    ANNI_STAGE_SHARDS,
    ANNI_STAGE_COMMIT, /* manifest and renames; rank 0 */
    ANNI_STAGE_VERIFY,
    ANNI_STAGE_RETAIN,   /* rank 0 */
    ANNI_STAGE_WITHDRAW, /* after a failed verification: what was published is taken back; rank 0 */
    ANNI_STAGE_ABANDON   /* after a failure: what was made is removed */
} anni_stage;

struct ann_ckpt_writer {
    ann_ckpt_options options; /* strings are owned */
    const ann_store *store;   /* borrowed */
    int rank, size;
    int shard;       /* of this rank; -1: it writes none */
    int *writer_of;  /* [shard_count]: ranks */
    uint64_t layout; /* hash of what must be the same on every rank */
    /* of the attempt */
    anni_commit commit;
    anni_manifest *manifest;
    anni_snapshot snapshot;
    uint64_t *scalars; /* [tensor_count]; rank 0 */
    uint64_t *words;   /* what the exchange sends and receives: of this rank, then of each */
    size_t word_count; /* of one rank */
    anni_stage stage;  /* of all ranks */
    anni_worker worker;
    int64_t begun_ns;
    ann_ckpt_report report;
    char text[1024]; /* of report */
};

/* What this rank does in a stage; NULL: nothing. */
anni_work anni_attempt_work(const ann_ckpt_writer *writer, anni_stage stage);

#endif
