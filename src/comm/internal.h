/* What the files of src/comm share.

   Words, beside those of comm.h: an *item* is one segment of one step, the unit that travels as one MPI
   message. A *lane* carries one request at a time: it owns the staging memory and the MPI requests. There are
   ANNI_LANES lanes; requests get a free one in the order of their start, and wait for it in the table.

   Why nothing is confused. All ranks start the same requests in the same order (a plan fixes it), so a
   sequence number names the same request everywhere. Every rank sends only to its right neighbour and
   receives only from its left one, and both go through the items of a request in the same order: by step,
   then by segment, without the empty chunks. Each message carries the tag (channel mod 8, sequence mod 128,
   item mod 16), 14 bits, which any MPI accepts (MPI_TAG_UB is at least 32767). Messages with equal tags match
   in the order of sending (MPI 3.1, section 3.5), so within a request the item's bits are not needed for
   matching; they make a lost or doubled item meet no receive, which ends in the deadline and not in a wrong
   sum, and so does the channel's part when ranks disagree about the order. Sequence numbers under way at the
   same time differ by less than 128: a rank finishes a request only after every rank has added its part, so
   neighbours are at most 2 * ANNI_LANES requests apart.

   Why nothing waits for itself. Take the oldest request that is unfinished anywhere, and of its items the
   first that has not been received: every rank has a lane for that request, all items that the sender needs
   for it have been received, and receives into staging wait only for earlier items of the same request. */
#ifndef ANN_COMM_INTERNAL_H
#define ANN_COMM_INTERNAL_H

#include <mpi.h>
#include "comm/comm.h"
#include "kernel/sum.h"

enum {
    ANNI_LANES = 4,
    ANNI_DEPTH = 4, /* items under way per lane, each way */
    ANNI_HOST_BYTES = 64,
    /* Bytes: the size of a staging slot, and the default segment. Of 32 KiB to 1 MiB, 128 and 256 KiB were
       fastest for messages of 1 to 64 MiB between two ranks of one host, with CMA and without: four slots
       stay in the L2 cache. */
    ANNI_SEGMENT_MAX = 256 << 10,
    ANNI_TEXT_BYTES = 1024,
    ANNI_TAG_ROLL_CALL = 1 << 14
};

typedef enum anni_state { ANNI_FREE, ANNI_QUEUED, ANNI_ACTIVE, ANNI_DONE } anni_state;

typedef struct anni_request {
    anni_state state;
    int lane; /* if active */
    uint64_t sequence;
    ann_message message;   /* elems: with the slots, if it has any */
    char *data;            /* message.data */
    int64_t elems;         /* message.elems */
    int64_t segment_elems; /* a multiple of 16 */
    size_t elem_bytes;
    const ann_sum_kernels *sum;
} anni_request;

/* A stream of items: segment `segment` of step `step` comes next. At the end, step is ann_ring_steps. */
typedef struct anni_cursor {
    int step;
    int64_t segment;
} anni_cursor;

/* One direction of a lane: items between `done` and `posted` are under way. */
typedef struct anni_stream {
    anni_cursor posted, done;
    int64_t n_posted, n_done; /* item i uses pending[i % ANNI_DEPTH] */
    MPI_Request pending[ANNI_DEPTH];
} anni_stream;

typedef struct anni_lane {
    int request; /* index into the table; -1: free */
    anni_stream recv, send;
    char *staging; /* ANNI_DEPTH slots of ANNI_SEGMENT_MAX bytes */
} anni_lane;

/* What ann_agree sends. */
typedef struct anni_verdict {
    int32_t status;
    char text[ANNI_TEXT_BYTES];
} anni_verdict;

/* What a wait waits for. */
typedef struct anni_awaited {
    const char *what;  /* such as "a barrier" */
    const char *label; /* the message's; NULL: none */
    uint64_t sequence; /* of the request; without one, of the next to be started */
    int64_t bytes;
    int step, steps; /* of the algorithm, the first is 1; steps 0: unknown */
    int peer;        /* the rank from which it is to come; -1: any */
} anni_awaited;

typedef enum anni_cause { ANNI_CAUSE_EXPIRED, ANNI_CAUSE_CALLED, ANNI_CAUSE_FAILED } anni_cause;

/* What a rank that gives up tells the others: see verdict.c. */
typedef struct anni_call {
    bool known; /* false: no call has come from that rank */
    int32_t cause, peer, step, steps;
    uint64_t sequence;
    int64_t bytes;
    double since_s; /* the length of the wait, by its own clock */
    char place[96], what[200], label[96];
} anni_call;

struct ann_comm {
    int rank, size, local_rank, local_size;
    MPI_Comm mpi; /* own duplicate; MPI_COMM_NULL for size 1 */
    double timeout_s;
    int spin_polls; /* polls of a wait before it yields the core */
    char (*hosts)[ANNI_HOST_BYTES];
    anni_call *heard; /* by rank (verdict.c) */
    MPI_Request roll_call;
    bool broken;
    char broken_text[512];
    const char *context;
    const char *phase; /* NULL: `context` counts */
    const int64_t *steps_done;
    int64_t silent_ns; /* how long the wait under way has seen nothing move */
    int64_t wait_ns;   /* in waits so far */
    size_t segment_bytes;
    anni_lane lanes[ANNI_LANES];
    void *staging;
    anni_request *requests;
    int n_requests;
    uint64_t next_sequence, next_active; /* sequence numbers: of the next start, of the next to get a lane */
    int active[ANNI_LANES], n_active;    /* lanes with a request, the oldest first */
    ann_channel_ops ops;
    /* Of the blocking collective under way; after a timeout MPI may still write to it, so it must outlive the
     * call. */
    MPI_Request pending;
    MPI_Comm duplicate;
    int mine, first;
    anni_verdict verdict;
};

/* request.c: the executor of the ring's schedule. */

/* Starts the message, whose elems count the slots. *request is to be given to anni_request_wait. */
ann_status anni_request_start(ann_comm *comm, const ann_message *message, int *request) ANN_MUST_CHECK;
/* Does what can be done now on all lanes; *moved tells whether anything was. */
ann_status anni_progress(ann_comm *comm, bool *moved) ANN_MUST_CHECK;
/* Waits for the request and forgets it. */
ann_status anni_request_wait(ann_comm *comm, int request) ANN_MUST_CHECK;
/* True while a request is under way or queued. */
bool anni_requests_pending(const ann_comm *comm);

/* wait.c: deadlines. */

typedef struct anni_waiter {
    int64_t last_ns, waited_ns;
    int polls;
} anni_waiter;
typedef enum anni_pause { ANNI_PAUSE_GO_ON, ANNI_PAUSE_EXPIRED, ANNI_PAUSE_CALLED } anni_pause;

anni_waiter anni_waiter_begin(void);
/* To be called after a poll that found nothing: spins, yields or sleeps, the longer the wait the longer. */
anni_pause anni_waiter_pause(anni_waiter *waiter, ann_comm *comm);
/* Waits for comm->pending. */
ann_status anni_mpi_wait(ann_comm *comm, const char *what) ANN_MUST_CHECK;
/* Around a wait: its time is added to ann_comm_wait_ns. */
int64_t anni_wait_begin(void);
void anni_wait_end(ann_comm *comm, int64_t begin_ns);
double anni_grace_s(const ann_comm *comm);

/* verdict.c: the end of a communicator. */

/* Another rank has given up. */
bool anni_called(ann_comm *comm);
/* Ends the communicator after a wait that has failed. Returns ANN_ERR_TIMEOUT. */
ann_status anni_give_up_on(ann_comm *comm, anni_pause why, const anni_awaited *awaited);
/* The same for something that is only known by its name. */
ann_status anni_give_up(ann_comm *comm, anni_pause why, const char *what);
/* ANN_OK for MPI_SUCCESS; otherwise ends the communicator and returns ANN_ERR_COMM with MPI's text. */
ann_status anni_mpi(ann_comm *comm, int mpi_error, const char *call) ANN_MUST_CHECK;
/* Ends the communicator because of `status`, whose text is in the error record, tells the other ranks, and
 * returns it. */
ann_status anni_break(ann_comm *comm, ann_status status);
/* ANN_OK, or ANN_ERR_COMM if the communicator has ended. */
ann_status anni_usable(const ann_comm *comm) ANN_MUST_CHECK;

#endif
