/* The order in which training uses the samples of a dataset: pure arithmetic, nothing is read.

   The training stream is an endless sequence of positions 0, 1, 2, ...; the order says which sample stands at
   a position, in O(1) and without a table of the epoch (STRATIFIED and WEIGHTED keep tables of the dataset).
   A global batch is a range of positions, and rank r's shard of it is a sub-range (ann_data_shard): what is
   used, and in which batch, does not depend on the number of ranks, and to resume is to set one integer.

   Epoch e of an order is the positions [e * length, (e + 1) * length). */
#ifndef ANN_DATA_ORDER_H
#define ANN_DATA_ORDER_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ann_order_kind {
    ANN_ORDER_SEQUENTIAL, /* as stored */
    ANN_ORDER_SHUFFLED,   /* a keyed permutation of all samples in each epoch */
    /* For data larger than memory. In each epoch every sample comes exactly once; the blocks of the dataset
       are put in keyed random order and cut into windows of `window` blocks, the samples of each window come
       in keyed random order before any of the next window, and so two samples of one block are never
       window * block or more positions of an epoch apart (of a lane's positions, where there are lanes). */
    ANN_ORDER_WINDOW,
    /* Of each run of sum(shares) positions that starts at a multiple of it, exactly shares[s] are of stratum
       s, in keyed order. Each stratum is an endless stream of its own: every sample of it once, in keyed
       order, then again. */
    ANN_ORDER_STRATIFIED,
    ANN_ORDER_WEIGHTED /* each position draws sample i with probability weights[i] / sum, with replacement */
} ann_order_kind;

/* What happens when the samples of an epoch are no whole number of batches. */
typedef enum ann_remainder {
    ANN_REMAINDER_CARRY, /* a batch straddles two epochs: nothing is left out, all batches are whole */
    ANN_REMAINDER_CUT,   /* an epoch starts with a new batch, and its last batch is smaller */
    ANN_REMAINDER_DROP   /* the last samples mod batch of each epoch's order are left out: others each epoch,
                            unless the order is SEQUENTIAL */
} ann_remainder;

typedef struct ann_order_options {
    ann_order_kind kind;
    uint64_t seed;
    int64_t samples, batch;  /* of the dataset; of a step over all ranks */
    ann_remainder remainder; /* STRATIFIED and WEIGHTED, which have no epochs of all samples: CARRY */
    int64_t block, window;   /* WINDOW: samples of a block, blocks of a window */
    /* 0 or 1, or L for SHUFFLED and WINDOW with CUT or DROP: the dataset is cut into L contiguous shares, and
       share l alone gives the part [l*n/L, (l+1)*n/L) of every batch of n, in an order of its own. With L a
       multiple of the number of ranks, a rank only ever reads its own shares (ann_order_share). L divides
       batch. */
    int lanes;
    /* STRATIFIED; borrowed during ann_order_new. shares NULL: 1 for each stratum that has samples. */
    const int32_t *stratum; /* [samples], in 0..strata-1 */
    int strata;
    const int64_t *shares; /* [strata] */
    const float *weights;  /* WEIGHTED: [samples], finite, >= 0; borrowed during ann_order_new */
} ann_order_options;

typedef struct ann_order ann_order;

/* Errors: ANN_ERR_ARG (one line: which option, what is accepted), ANN_ERR_MEMORY. Cost: O(1), or O(samples)
 * for STRATIFIED and WEIGHTED. Local. */
ann_status ann_order_new(ann_order **out, const ann_order_options *options) ANN_MUST_CHECK;
void ann_order_free(ann_order *order);

/* As given, without the borrowed arrays. */
const ann_order_options *ann_order_options_of(const ann_order *order);
/* Samples of the dataset; positions of an epoch: as many, or fewer with DROP. */
int64_t ann_order_samples(const ann_order *order);
int64_t ann_order_length(const ann_order *order);
/* The sample at a position >= 0 and the epoch it counts in (STRATIFIED: of its stratum). Thread-safe. */
void ann_order_at(const ann_order *order, int64_t position, int64_t *epoch, int64_t *sample);
/* Is each sample of an epoch used exactly once (with DROP: at most once)? Then the ledger proves just that;
 * otherwise (STRATIFIED, WEIGHTED) it proves that each draw was used once. */
bool ann_order_exact(const ann_order *order);

/* ---- batches: of a stretch of positions [first, end) ---- */

/* Size of the batch that starts at position < end. */
int64_t ann_order_batch(const ann_order *order, int64_t position, int64_t end);
int64_t ann_order_steps(const ann_order *order, int64_t first, int64_t end);
/* The position after so many batches from `first` on, without an end. */
int64_t ann_order_after(const ann_order *order, int64_t first, int64_t steps);
/* Size of the batches that are not whole, 0 if there are none; with CUT, `end` is the end of some batch. */
int64_t ann_order_small_batch(const ann_order *order, int64_t first, int64_t end);

/* ---- where in the dataset ---- */

/* The samples [first, first + count) that this rank will read, all others never. Errors: ANN_ERR_ARG (lanes
 * is no multiple of size). */
ann_status ann_order_share(const ann_order *order, int rank, int size, int64_t *first,
                           int64_t *count) ANN_MUST_CHECK;
/* WINDOW: the number of the window that `position` is in, counted through all epochs. */
int64_t ann_order_window(const ann_order *order, int64_t position);
/* The blocks, as ranges {first, count} of samples, of window number `window` (of every lane); returns how
   many there are, at most max. Other orders: 0. */
int ann_order_window_blocks(const ann_order *order, int64_t window, int64_t (*ranges)[2], int max);

#endif
