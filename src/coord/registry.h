/* The registry: all that the coordinator knows, in SQLite (write-ahead log, synchronous).

   Nouns: a run has phases, jobs, checkpoints, requests and records. A request is what an operator asks for; a
   delivery hands it to one job (job 0: whichever comes next). A record is a metric or an event, numbered
   within its run. The audit log says who did what, and what was refused.

   The writer answers requests in groups, each group one transaction, each request a savepoint in it: a
   request that fails leaves no trace. Records of a group are kept in memory too, for watchers, and are theirs
   after the commit only. */
#ifndef ANN_COORD_REGISTRY_H
#define ANN_COORD_REGISTRY_H

#include "coord/annulus.pb-c.h"
#include "coord/db.h"

/* Who calls. */
typedef struct anni_caller {
    char author[192]; /* "name (role)", as the audit log says it */
} anni_caller;

/* A record that was made in the open transaction: a serialised annulus.v1.Record. */
typedef struct anni_fresh {
    int64_t run;
    uint64_t sequence;
    uint8_t *bytes;
    size_t size;
} anni_fresh;

typedef struct anni_registry {
    anni_db *db;
    int64_t now_ms; /* of the open transaction */
    int64_t lost_after_ms;
    int64_t keep_ms; /* old metrics and lines of the audit log (anni_prune); 0: for ever */
    anni_fresh *fresh;
    int fresh_count, fresh_room;
} anni_registry;

/* Opens or makes DIR/registry.db. Jobs that were live then are live now, and have lost_after_ms to be heard
   of. Only one process may write. */
ann_status anni_registry_open(anni_registry *r, const char *dir, int64_t lost_after_ms) ANN_MUST_CHECK;
/* A second connection, to read beside the writer. */
ann_status anni_registry_open_reader(anni_registry *r, const char *dir) ANN_MUST_CHECK;
void anni_registry_close(anni_registry *r);

/* A group: begin, then per request try and keep or undo, then commit; the records made are in fresh[] until
   the next begin. After a commit that failed nothing of the group is there. */
ann_status anni_registry_begin(anni_registry *r) ANN_MUST_CHECK;
ann_status anni_registry_try(anni_registry *r) ANN_MUST_CHECK;
ann_status anni_registry_keep(anni_registry *r) ANN_MUST_CHECK;
ann_status anni_registry_undo(anni_registry *r, int fresh_count) ANN_MUST_CHECK;
ann_status anni_registry_commit(anni_registry *r) ANN_MUST_CHECK;
/* Instead of a commit: nothing of the group is there. The thread's error stays. */
void anni_registry_abandon(anni_registry *r);

/* ---- methods: each fills its reply, whose memory is in the arena ---- */

typedef ann_status (*anni_handler)(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                                   const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_register(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                                const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_next(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                            const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_heartbeat(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                                 const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_report(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                              const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_committed(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                                 const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_applied(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                               const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_phase_done(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                                  const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_leave(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                             const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_submit(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                              const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_control(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                               const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_list(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                            const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_status(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                              const ProtobufCMessage *request, ProtobufCMessage *reply);
ann_status anni_answer_log(anni_registry *r, const anni_caller *caller, ann_arena *arena,
                           const ProtobufCMessage *request, ProtobufCMessage *reply);

/* Jobs that have been silent for too long are lost; *count of them. */
ann_status anni_lose_silent(anni_registry *r, int *count) ANN_MUST_CHECK;
/* Removes some of what is too old: metrics of runs that have been over for keep_ms, lines of the audit log of
   four times that age. Sequence numbers stay what they are, so there are gaps then. */
ann_status anni_prune(anni_registry *r) ANN_MUST_CHECK;
/* A line of the audit log. */
ann_status anni_audit(anni_registry *r, const char *run, const char *author, const char *action,
                      const char *text, const char *result) ANN_MUST_CHECK;

/* ---- records ---- */

/* The run of this name, and the sequence number of its last record. Errors: ANN_ERR_NOT_FOUND. */
ann_status anni_run_find(anni_registry *r, int64_t *run, uint64_t *sequence, const char *name) ANN_MUST_CHECK;
/* Up to `most` records with numbers from `sequence` on and up to about max_bytes, into fresh[]. For a reader.
 */
ann_status anni_records_read(anni_registry *r, int64_t run, uint64_t sequence, int most,
                             size_t max_bytes) ANN_MUST_CHECK;
void anni_fresh_clear(anni_registry *r, int from);

#endif
