/* Which algorithm a message takes: chosen by its size from a table that a short calibration fills.

   An algorithm has two stages. `shared`: the ranks of a host reduce in memory that all of them see, and only
   what crosses hosts is sent. `pattern`: who sends what to whom, among all ranks or, with `shared`, among
   those that stand for a slice of the message on their hosts. */
#ifndef ANN_COMM_TUNING_H
#define ANN_COMM_TUNING_H

#include "comm/comm.h"

typedef enum ann_pattern {
    /* 2(P-1) steps, 2(P-1)/P bytes per byte of the message: Patarasuk and Yuan, "Bandwidth optimal all-reduce
       algorithms", JPDC 2009. */
    ANN_PATTERN_RING,
    /* Recursive doubling: log2 P steps, log2 P bytes per byte. */
    ANN_PATTERN_DOUBLING,
    /* Recursive halving, then doubling: 2 log2 P steps, 2(P-1)/P bytes: Thakur, Rabenseifner and Gropp,
       "Optimization of collective communication operations in MPICH", IJHPCA 2005. Both of them add a step to
       either end where P is no power of two. */
    ANN_PATTERN_HALVING,
    /* Everybody sends each other rank its chunk: 2(P-1) messages and 2(P-1)/P bytes, 2 steps of latency. Each
       summand travels once, so what travels in 16 bits is rounded once. */
    ANN_PATTERN_PAIRWISE,
    /* Everybody sends everything to the first rank and gets the sum back: 2(P-1) messages in all and 2 steps
       of latency; where small messages meet ranks that share cores, nothing takes less work. */
    ANN_PATTERN_LINEAR,
    ANN_PATTERN_COUNT
} ann_pattern;

typedef struct ann_algorithm {
    bool shared;
    bool
        direct; /* shared, on one host: every rank adds up everything by itself, for messages up to 256 KiB */
    ann_pattern pattern; /* of no meaning where `shared` covers all ranks */
    int rings; /* RING: so many at once, with different neighbours, each for a part of the message */
    size_t segment_bytes;
} ann_algorithm;

/* "shared", "shared, direct", "ring 256 KiB", "2 rings 64 KiB", "shared + halving 256 KiB"; returns buf. 64
 * bytes suffice. */
char *ann_algorithm_str(char *buf, size_t size, const ann_algorithm *algorithm);

/* Whether ranks of a host may reduce in shared memory (where they can); true at the start. The same on all
   ranks, between collectives. Local. */
void ann_comm_set_shared(ann_comm *comm, bool allowed);

/* What can be used here for sums in the order that is set; at most `max` go to out; returns how many. Local.
 */
int ann_comm_algorithms(const ann_comm *comm, ann_algorithm *out, int max);
/* What a sum of so many bytes would take. Local. */
ann_algorithm ann_comm_choose(const ann_comm *comm, int64_t bytes);
/* All sums from now on, whatever their size; NULL: by the table again. The same on all ranks. Local. Errors:
   ANN_ERR_ARG (it cannot be used here). */
ann_status ann_comm_force(ann_comm *comm, const ann_algorithm *algorithm) ANN_MUST_CHECK;

/* One size of the table. */
typedef struct ann_tuning_row {
    int64_t bytes;
    ann_algorithm best;
    double seconds; /* of one sum */
} ann_tuning_row;

/* Measures, or reads from `cache_dir` (NULL: no cache) what was measured before for the same hosts, ranks and
   transport, and uses it from now on. Without calibration, rules of thumb hold. Takes at most about
   `budget_s`. *measured: whether it did. Collective. */
ann_status ann_comm_calibrate(ann_comm *comm, const char *cache_dir, double budget_s,
                              bool *measured) ANN_MUST_CHECK;
/* The table, ascending in bytes; *count 0 before a calibration. Borrowed. Local. */
const ann_tuning_row *ann_comm_tuning(const ann_comm *comm, int *count);

#endif
