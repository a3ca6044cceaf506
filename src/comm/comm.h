/* Communication. Only this folder includes mpi.h.

   Words: a *message* is one buffer reduced over all ranks; its *chunks* are one per rank. Which ranks send
   what to whom is an *algorithm* (tuning.h), chosen by the message's size; what is sent is cut into
   *segments*, of which several are under way at once (pipelining).

   Collective functions must be called by all ranks in the same order, return the same status on every rank,
   and give up with ANN_ERR_TIMEOUT after the communicator's timeout. Then the ranks that can be reached tell
   each other what they wait for, and one of them writes a verdict to the log: who is late, on which
   host, and who waits for what, since when.

   After a timeout or an error of MPI's a communicator is broken: every further call on it returns
   ANN_ERR_COMM at once, and ann_comm_free leaves it alone, since MPI may still write to what it holds and to
   the buffers of the calls that failed. The job should end then (launch/ calls MPI_Abort). */
#ifndef ANN_COMM_COMM_H
#define ANN_COMM_COMM_H

#include <stdint.h>
#include "exec/exec.h" /* ann_channel_ops only */

typedef struct ann_comm ann_comm;

/* Over all ranks of the job. MPI must be initialised (launch/ does that), with MPI_THREAD_FUNNELED at least;
   every call is made by the thread that initialised it. With MPI_THREAD_SERIALIZED, messages between hosts
   move on while the rank computes, by a thread of the communicator's own. timeout_s: deadline of every wait,
   > 0. Owner: the caller, ann_comm_free. Collective. */
ann_status ann_comm_world(ann_comm **out, double timeout_s) ANN_MUST_CHECK;
/* A communicator of this process alone: size 1, no MPI needed. Local. */
ann_status ann_comm_self(ann_comm **out) ANN_MUST_CHECK;
void ann_comm_free(ann_comm *comm);
int ann_comm_rank(const ann_comm *comm);
int ann_comm_size(const ann_comm *comm);
/* Rank and number of ranks on this host. */
int ann_comm_local_rank(const ann_comm *comm);
int ann_comm_local_size(const ann_comm *comm);
/* Hosts of the job: ranks that can share memory are on one. */
int ann_comm_host_count(const ann_comm *comm);

/* Joins local outcomes: ANN_OK if all were ANN_OK; otherwise every rank returns the status of the lowest
   failing rank, and every rank's error record has that rank's text, with "rank R: " before it where size > 1.
   Collective; 2 small messages. */
ann_status ann_agree(ann_comm *comm, ann_status local) ANN_MUST_CHECK;
ann_status ann_comm_barrier(ann_comm *comm) ANN_MUST_CHECK;
ann_status ann_comm_broadcast(ann_comm *comm, void *data, size_t bytes, int root) ANN_MUST_CHECK;
/* Gathers `bytes` from each rank, in rank order, on every rank. */
ann_status ann_comm_allgather(ann_comm *comm, void *out, const void *mine, size_t bytes) ANN_MUST_CHECK;

/* In place, of elems elements (f32, f64 or i64), by the algorithm that tuning.h chooses, which says its steps
   and bytes. The result of a sum is bitwise the same on every rank. Chunk r is that of ann_chunk_of. */
ann_status ann_comm_allreduce(ann_comm *comm, void *data, int64_t elems, ann_dtype dtype) ANN_MUST_CHECK;
/* Chunk r becomes its sum on rank r; the other chunks are undefined afterwards. */
ann_status ann_comm_reduce_scatter(ann_comm *comm, void *data, int64_t elems, ann_dtype dtype) ANN_MUST_CHECK;
/* Chunk r of every rank becomes that of rank r. */
ann_status ann_comm_gather_chunks(ann_comm *comm, void *data, int64_t elems, ann_dtype dtype) ANN_MUST_CHECK;

/* Zeroed memory whose messages the ranks of a host reduce right where they lie, without copies; aligned to
   ANN_ALIGN_BYTES. Messages may lie anywhere, but those in such memory are faster. `bytes` may differ between
   ranks. Where the host cannot share memory it is ordinary memory. Owner: the caller, ann_comm_release; both
   are Collective. Errors: ANN_ERR_MEMORY. */
ann_status ann_comm_alloc(ann_comm *comm, void **out, size_t bytes) ANN_MUST_CHECK;
void ann_comm_release(ann_comm *comm, void *memory);

/* In which order sums are formed. TREE: by a binary tree over the ranks, in which rank 2i and 2i + 1 come
   first, then pairs of pairs, whatever the algorithm; the number of ranks must be a power of two. A rank that
   brings the sum of a subtree then gives the bits that two ranks with half of it each would give. ANY, the
   default: the same bits for the same ranks, hosts and tuning. The same on all ranks, between collectives.
   Local. Errors: ANN_ERR_ARG. */
typedef enum ann_sum_order { ANN_SUM_ORDER_ANY, ANN_SUM_ORDER_TREE } ann_sum_order;
ann_status ann_comm_set_sum_order(ann_comm *comm, ann_sum_order order) ANN_MUST_CHECK;

/* Nonblocking reductions for plans, through one state machine. The table is valid as long as comm. Requests
   complete in the order of their start on each channel; several may be under way. */
const ann_channel_ops *ann_comm_channel_ops(ann_comm *comm);

/* What the program is doing, such as "phase cnn, step 12": stands before the texts of timeouts. Borrowed
   until the next call; NULL: nothing special. Local. */
void ann_comm_set_context(ann_comm *comm, const char *text);
/* The same for a loop of steps, without formatting in each: "phase PHASE, step *steps_done + 1". Both are
   borrowed until the next call; NULL: what ann_comm_set_context says counts again. Local. */
void ann_comm_watch(ann_comm *comm, const char *phase, const int64_t *steps_done);

/* Time this rank has spent in waits for others, since the communicator was made. Local. */
int64_t ann_comm_wait_ns(const ann_comm *comm);
/* What to add to ann_clock_ns here to get that of rank 0, found by Cristian's method: of some exchanges of a
   message each way, that with the shortest round trip counts; the error is at most half of it. 0 and 0 on
   rank 0. Between collectives. Cost: 32 round trips for each rank, one rank after the other. Collective.
   Cristian, "Probabilistic clock synchronization", Distributed Computing 1989. */
ann_status ann_comm_clock_offset(ann_comm *comm, int64_t *offset_ns, int64_t *round_trip_ns) ANN_MUST_CHECK;
/* The name of a rank's host. Borrowed; "" for a communicator of one process. Local. */
const char *ann_comm_host(const ann_comm *comm, int rank);

#endif
