/* The two orders that draw by tables: by stratum and by weight. Private to order*.c. */
#ifndef ANN_DATA_ORDER_DRAW_H
#define ANN_DATA_ORDER_DRAW_H

#include "data/order.h"

/* A keyed permutation of 0..n-1 as ann_permute_index, in about 0.1 us: one Philox call keys a cheaper round
   function, and up to 64 items are shuffled whole (Fisher and Yates), where walking a cycle would start from
   many times their number. */
int64_t anni_permute(uint64_t seed, uint32_t stream, uint64_t key, int64_t n, int64_t index);
/* A keyed number in 0..n-1. */
int64_t anni_pick(uint64_t seed, uint32_t stream, uint64_t key, int64_t n);

/* The samples of each stratum, one stratum after the other. */
typedef struct anni_strata {
    int count;
    int64_t round;  /* positions of a round: sum of the shares */
    int64_t *share; /* [count + 1] running sum of the shares: stratum s has draws share[s]..share[s+1]-1 */
    int64_t *first; /* [count + 1] where the samples of a stratum start in `samples` */
    int64_t *samples;
} anni_strata;

ann_status anni_strata_init(anni_strata *strata, const ann_order_options *options) ANN_MUST_CHECK;
void anni_strata_fini(anni_strata *strata);
void anni_strata_at(const anni_strata *strata, uint64_t seed, int64_t position, int64_t *epoch,
                    int64_t *sample);

/* The alias table of M. D. Vose, "A linear algorithm for generating random numbers with a given
   distribution", IEEE Trans. Software Eng. 17(9), 1991: column i gives i with probability keep[i], else
   alias[i]. */
typedef struct anni_alias {
    int64_t count;
    double *keep;
    int64_t *alias;
} anni_alias;

ann_status anni_alias_init(anni_alias *alias, const float *weights, int64_t count) ANN_MUST_CHECK;
void anni_alias_fini(anni_alias *alias);
int64_t anni_alias_draw(const anni_alias *alias, uint64_t seed, int64_t position);

#endif
