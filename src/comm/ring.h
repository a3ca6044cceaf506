/* The ring's schedule as a pure function: no MPI, no state. A message of P chunks is reduced in 2(P-1) steps:
   in the reduce-scatter half (steps 0..P-2) a rank sends to its right neighbour and adds what it receives
   from its left one; in the allgather half (steps P-1..2P-3) it copies. Patarasuk and Yuan, "Bandwidth
   optimal all-reduce algorithms", JPDC 2009. */
#ifndef ANN_COMM_RING_H
#define ANN_COMM_RING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ann_ring_step {
    int send_chunk, recv_chunk;
    bool reduce; /* add what is received; else overwrite */
} ann_ring_step;

static inline int ann_ring_steps(int size) { return 2 * (size - 1); }
ann_ring_step ann_ring_at(int rank, int size, int step);
/* Chunk c of a message of `elems` is [*begin, *begin + *count): sizes differ by at most one element granule;
 * may be empty. */
void ann_ring_chunk(int64_t elems, int size, int chunk, int64_t *begin, int64_t *count);

#endif
