/* What the files of src/comm share.

   Words, beside those of comm.h: a *request* is a message under way. What crosses hosts, or everything where
   memory is not shared, is a *job*: one pattern (pattern.h) over one range, among the ranks of a *group*. Its
   ranges are cut into *segments*; an *item* is one segment of one step, the unit that travels as one MPI
   message. A *lane* carries one job at a time: it owns the staging memory and the MPI requests. What ranks of
   a host reduce in shared memory are *pieces* (shared.h).

   Why nothing is confused. All ranks start the same messages in the same order (a plan fixes it), and every
   message takes the same job numbers on all of them. Between two ranks the items of a job are sent and
   received in the same order: by step, then by segment, without the empty ranges. Each carries the tag (job
   mod 128, item mod 16, 4 bits of the channel), 15 bits, which any MPI accepts (MPI_TAG_UB is at least
   32767). Messages with equal tags match in the order of sending (MPI 3.1, section 3.5), so within a job the
   item's bits are not needed for matching; they make a lost or doubled item meet no receive, which ends in
   the deadline and not in a wrong sum, and so does the channel's part when ranks disagree about the order.
   Jobs under way at the same time differ by less than 128: a rank ends a job only after every rank of the
   group has begun its own, so neighbours are at most 2 * ANNI_LANES jobs apart.

   Why nothing waits for itself. Take the oldest job that is unfinished anywhere, and of its items the first
   that has not been received: every rank of the group has or can get a lane for it, since lanes are given in
   the order of the jobs that are ready, and pieces become ready in order, on all ranks of a host; all items
   that the sender needs for it have been received, and receives wait only for earlier items of the same job.
 */
#ifndef ANN_COMM_INTERNAL_H
#define ANN_COMM_INTERNAL_H

#include <mpi.h>
#include "comm/comm.h"
#include "comm/pattern.h"
#include "comm/tuning.h"
#include "kernel/sum.h"

enum {
    ANNI_LANES = 8,
    ANNI_DEPTH_MAX = 32, /* items under way per lane, each way */
    ANNI_RINGS_MAX = 4,  /* of one message */
    ANNI_HOST_BYTES = 64,
    ANNI_SEGMENT_MAX = 2048 << 10,         /* bytes */
    ANNI_STAGING_BYTES = ANNI_SEGMENT_MAX, /* of a lane, for what is received; half of it for what is sent */
    ANNI_TEXT_BYTES = 1024,
    ANNI_TAG_ROLL_CALL = 1 << 15,
    ANNI_TAG_CLOCK
};

/* Ranks of the communicator, by position. */
typedef struct anni_group {
    int size, position;
    int *ranks;
} anni_group;

/* ---- lane.c: jobs ---- */

typedef struct anni_job {
    const anni_group *group;
    ann_pattern pattern;
    ann_collective collective;
    ann_wire wire; /* NATIVE, BF16 or F16 */
    char *data;    /* the first element of the range */
    int64_t elems;
    int64_t segment_elems; /* a multiple of 16 */
    size_t elem_bytes;
    const ann_sum_kernels *sum;
    int32_t channel;
    uint64_t number;
    enum { ANNI_JOB_IDLE, ANNI_JOB_READY, ANNI_JOB_ACTIVE, ANNI_JOB_DONE } state;
    int lane; /* if active */
} anni_job;

/* A stream of items: segment `segment` of step `step` comes next. At the end, step is the number of steps. */
typedef struct anni_cursor {
    int step;
    int64_t segment;
    ann_pattern_step at; /* step's */
} anni_cursor;

/* One direction of a lane: items between `done` and `posted` are under way. */
typedef struct anni_stream {
    anni_cursor posted, done;
    int64_t n_posted, n_done; /* item i uses pending[i % depth] */
    MPI_Request pending[ANNI_DEPTH_MAX];
} anni_stream;

typedef struct anni_lane {
    anni_job *job; /* NULL: free */
    int steps;
    anni_stream recv, send;
    /* So many items as the staging memory has room for: whoever computes long between two polls finds more
       done the more are under way. */
    int depth;
    size_t slot_bytes;  /* a segment's */
    char *staging;      /* slots for what is received */
    char *send_staging; /* slots of half that size, for what is sent in 16 bits */
} anni_lane;

/* Gives the job to a lane, now or as soon as one is free. */
void anni_job_begin(ann_comm *comm, anni_job *job);
/* Does what can be done now on all lanes; *moved becomes true if anything was. */
ann_status anni_lanes_progress(ann_comm *comm, bool *moved) ANN_MUST_CHECK;
/* What the job waits for: fills in step, steps and peer. */
typedef struct anni_awaited anni_awaited;
void anni_job_awaited(const ann_comm *comm, const anni_job *job, anni_awaited *awaited);

/* ---- requests ---- */

typedef struct anni_shared anni_shared; /* shared.h */

/* The pieces of a request, see shared.h. */
typedef struct anni_pieces {
    uint64_t first;       /* number of the first one */
    int64_t count, elems; /* how many; elements of each but the last */
    int window;           /* the message lies in this window; -1: pieces are copied */
    int64_t offset_bytes; /* in the window */
    bool direct;
    int64_t published, acted, summed, taken; /* of them, on this rank */
} anni_pieces;

typedef struct anni_request {
    enum { ANNI_FREE, ANNI_ACTIVE, ANNI_DONE } state;
    uint64_t number; /* of the message, for people */
    int64_t done_ns;
    ann_message message; /* elems: with the slots, if it has any */
    /* What is really sent: of a sparse message, its encoding. */
    ann_collective collective;
    char *data;
    int64_t elems;
    ann_dtype dtype;
    size_t elem_bytes;
    const ann_sum_kernels *sum;
    ann_algorithm algorithm;
    uint64_t first_job;
    int n_jobs; /* without shared memory */
    anni_job jobs[ANNI_RINGS_MAX];
    anni_pieces pieces;
    void *scratch; /* of a sparse message */
    size_t scratch_bytes;
} anni_request;

/* What ann_agree sends. */
typedef struct anni_verdict {
    int32_t status;
    char text[ANNI_TEXT_BYTES];
} anni_verdict;

/* What a wait waits for. */
struct anni_awaited {
    const char *what;  /* such as "a barrier" */
    const char *label; /* the message's; NULL: none */
    uint64_t sequence; /* of the request; without one, of the next to be started */
    int64_t bytes;
    int step, steps; /* of the algorithm, the first is 1; steps 0: unknown */
    int peer;        /* the rank from which it is to come; -1: any */
};

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
    MPI_Comm mpi;  /* own duplicate; MPI_COMM_NULL for size 1 */
    MPI_Comm node; /* the ranks that share memory with this one; MPI_COMM_NULL: only this one */
    double timeout_s;
    int spin_polls;  /* polls of a wait before it yields the core */
    bool mpi_yields; /* Open MPI yields it, too, whenever it finds nothing to do */
    char (*hosts)[ANNI_HOST_BYTES];
    /* topology.c */
    int node_size;           /* 0: nodes are MPI's; else so many consecutive ranks count as one */
    int n_nodes, leaders;    /* leaders: ranks of the smallest node, each of which stands for a slice */
    int *node_of, *local_of; /* by rank: its node, its index there */
    bool in_subtrees;        /* each node is a subtree of the tree over all ranks */
    anni_group everybody, rings[ANNI_RINGS_MAX],
        slice; /* slice: one rank of each node; size 0 for no leader */
    int n_rings;
    /* wait.c, verdict.c */
    anni_call *heard; /* by rank */
    MPI_Request roll_call;
    bool broken;
    char broken_text[512];
    const char *context;
    const char *phase; /* NULL: `context` counts */
    const int64_t *steps_done;
    int64_t silent_ns; /* how long the wait under way has seen nothing move */
    int64_t wait_ns;   /* in waits so far */
    /* lane.c */
    anni_lane lanes[ANNI_LANES];
    int n_busy;       /* lanes with a job */
    anni_job **ready; /* jobs that wait for a lane, by number */
    int n_ready, ready_room;
    void *staging;
    /* request.c */
    anni_request **requests;
    int n_requests;
    int *queue; /* active requests, oldest first */
    int n_queue;
    uint64_t next_request, next_job;
    anni_shared *shared; /* NULL: no memory is shared */
    bool shared_allowed;
    /* tuning.c */
    ann_sum_order order;
    bool forced;
    ann_algorithm force;
    ann_tuning_row *rows;
    int n_rows;
    ann_channel_ops ops;
    struct anni_background *background; /* NULL: nobody moves messages on while this rank computes */
    /* Of the blocking collective under way; after a timeout MPI may still write to it, so it must outlive the
     * call. */
    MPI_Request pending;
    MPI_Comm duplicate;
    int mine, first;
    anni_verdict verdict;
    int64_t pong; /* clock.c */
};

/* comm.c: as ann_comm_world, but consecutive ranks, node_size of them, count as the ranks of a host.
 * Collective.
 */
ann_status anni_comm_world_of_nodes(ann_comm **out, double timeout_s, int node_size) ANN_MUST_CHECK;

/* topology.c */

/* Finds out who shares memory with whom. Collective. */
ann_status anni_topology_find(ann_comm *comm) ANN_MUST_CHECK;
void anni_topology_free(ann_comm *comm);

/* request.c */

/* Starts the message, whose elems count the slots. *request is to be given to anni_request_wait. */
ann_status anni_request_start(ann_comm *comm, const ann_message *message, int *request) ANN_MUST_CHECK;
/* Does what can be done now; *moved tells whether anything was. */
ann_status anni_progress(ann_comm *comm, bool *moved) ANN_MUST_CHECK;
/* Waits for the request and forgets it. */
ann_status anni_request_wait(ann_comm *comm, int request) ANN_MUST_CHECK;
/* The job that sums `elems` elements of the request at `data` over the group; it has no number yet. */
anni_job anni_request_job(const anni_request *request, const anni_group *group, char *data, int64_t elems);
/* True while a request is under way. */
bool anni_requests_pending(const ann_comm *comm);
/* Makes room for more requests than there ever were under way; false when memory is exhausted. */
bool anni_requests_grow(ann_comm *comm);
void anni_requests_free(ann_comm *comm);

/* tuning.c: the algorithm of a request. */
ann_algorithm anni_choose(const ann_comm *comm, const anni_request *request);

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

/* background.c: a thread that moves messages on between `away` and `back`, in which the caller computes. */
ann_status anni_background_new(ann_comm *comm) ANN_MUST_CHECK;
void anni_background_free(ann_comm *comm);
void anni_background_away(ann_comm *comm);
void anni_background_back(ann_comm *comm);

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
