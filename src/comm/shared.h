/* Reductions among the ranks of a host, in MPI-3 shared memory.

   Words: a *window* is memory of which each rank of the host owns a part and sees all the others'. A message
   that lies in a window is one *piece*, reduced in place: each rank sums up one slice of it, straight from
   all parts. Any other message is copied, as several pieces, through *slots*, a few small buffers per rank in
   the window that the communicator makes for itself. The *board* of a rank, in that window as well, tells the
   others how far it is: three counters of pieces, which all ranks count alike, because they start the same
   messages in the same order.

   - `published`: its part may be read. Before, it waits until the slot of the piece ANNI_SLOTS before is
   free.
   - `summed`: the slice that it stands for holds the sum (over all hosts), where others may read it; it reads
     their parts no more.
   - `taken`: it needs nothing more of the piece, so the slot of the slowest rank is free.

   A *direct* piece is small: every rank adds up all the slots for itself, and is done without waiting for the
   others once more.

   With several hosts, ranks 0..leaders-1 of each host stand for one slice each, and those of equal index sum
   it over the hosts by a job (internal.h) before it counts as summed. */
#ifndef ANN_COMM_SHARED_H
#define ANN_COMM_SHARED_H

#include <stdatomic.h>
#include "comm/internal.h"

enum { ANNI_SLOTS = 8, ANNI_SLOT_BYTES = 256 << 10, ANNI_WINDOWS_MAX = 64 };

/* Where a rank's part of a piece is. */
typedef struct anni_notice {
    int32_t window; /* -1: in the slot */
    int32_t collective;
    int64_t offset_bytes, elems;
} anni_notice;

typedef struct anni_board {
    _Alignas(128) _Atomic uint64_t published;
    _Alignas(128) _Atomic uint64_t summed;
    _Alignas(128) _Atomic uint64_t taken;
    _Alignas(128) _Atomic int gave_up; /* takes part in nothing any more */
    anni_notice notices[ANNI_SLOTS];
} anni_board;

typedef struct anni_window {
    MPI_Win win;  /* MPI_WIN_NULL: free entry */
    char **parts; /* by local index */
    size_t bytes; /* of this rank's part */
} anni_window;

struct anni_shared {
    anni_board **boards; /* by local index */
    char **slots;        /* by local index: ANNI_SLOTS of ANNI_SLOT_BYTES */
    anni_window control, windows[ANNI_WINDOWS_MAX];
    uint64_t next_piece;                      /* number of the next request's first one */
    uint64_t published, acted, summed, taken; /* this rank's: pieces 0..n-1 are */
    anni_job jobs[ANNI_SLOTS];                /* of piece n: n mod ANNI_SLOTS */
    void **targets;                           /* [local_size] scratch, like sources */
    const void **sources;
};

/* Makes comm->shared, or leaves it NULL where no memory can be shared. Collective. */
ann_status anni_shared_new(ann_comm *comm) ANN_MUST_CHECK;
void anni_shared_free(ann_comm *comm);

/* Plans the request's pieces: where its data lies, how it is cut. Local. */
void anni_pieces_plan(const ann_comm *comm, anni_request *request);
/* Moves the request's pieces on; *moved becomes true if anything happened, *done if all is over. */
ann_status anni_pieces_progress(ann_comm *comm, anni_request *request, bool *moved,
                                bool *done) ANN_MUST_CHECK;
/* Tells the ranks of this host that this one has given up, and whether any of them has. A rank that comes too
   late may find all that it needs in shared memory, left there by ranks that have given up since. */
void anni_shared_give_up(const ann_comm *comm);
bool anni_shared_called(const ann_comm *comm);
/* What the request waits for: fills in step and steps, which are pieces or those of a job, and peer. */
void anni_pieces_awaited(const ann_comm *comm, const anni_request *request, anni_awaited *awaited);

#endif
