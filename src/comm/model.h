/* What a sum over ranks costs on machines that are not at hand: a model with latencies and bandwidths.

   Hockney, "The communication challenge for MPP", Parallel Computing 1994: a message of n bytes takes
   alpha + n beta. Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
   MPICH", IJHPCA 2005: so a sum of n bytes over P ranks takes a alpha + b beta + g gamma, where a counts
   messages one after the other, b bytes on the link, and g bytes that are added up; a, b and g depend on the
   pattern. On a host a sum in shared memory takes a latency per rank and a time per byte of each rank.

   Pure functions without state or MPI. All times are in seconds. Local. */
#ifndef ANN_COMM_MODEL_H
#define ANN_COMM_MODEL_H

#include "comm/tuning.h"

/* Hosts alike, with so many ranks on each. */
typedef struct ann_layout {
    int hosts, ranks;
} ann_layout;

/* A cost is linear in these. */
typedef enum ann_term {
    ANN_TERM_ALPHA,        /* a message between hosts */
    ANN_TERM_BETA,         /* a byte on a host's link, which its ranks share */
    ANN_TERM_GAMMA,        /* a byte added up */
    ANN_TERM_SHARED_ALPHA, /* a sum on one host, for each of its ranks */
    ANN_TERM_SHARED_BETA,  /* a byte of the message of each rank on a host */
    ANN_TERM_COUNT
} ann_term;

typedef struct ann_model {
    double seconds[ANN_TERM_COUNT];
    double cpu_s; /* what a core does for a byte that a rank sends or receives */
} ann_model;

typedef struct ann_cost {
    double total_s; /* from the start of the slowest rank to the end */
    double cpu_s;   /* the part in which the rank's core is busy, so that nothing overlaps with it */
    ann_pattern pattern;
} ann_cost;

/* How often each term counts in a sum of `bytes`. With several ranks on a host it is summed there first, and
   each rank stands for a part of it in the pattern among hosts. */
void ann_model_terms(double out[ANN_TERM_COUNT], ann_pattern pattern, ann_layout layout, double bytes);
ann_cost ann_model_cost(const ann_model *model, ann_pattern pattern, ann_layout layout, double bytes);
/* That of the best pattern. `rounded`: it travels in 16 bits, for which only pairwise and ring are used. */
ann_cost ann_model_best(const ann_model *model, ann_layout layout, double bytes, bool rounded);

/* Sets the latencies and bandwidths that the table of a calibration (ann_comm_tuning) over this layout tells
   of, by least squares on the relative error; none becomes negative; the others and gamma stay. *worst: the
   largest relative error of a row. Errors: ANN_ERR_ARG (fewer than two rows, or a time that is not above 0).
 */
ann_status ann_model_fit(ann_model *model, const ann_tuning_row *rows, int count, ann_layout layout,
                         double *worst) ANN_MUST_CHECK;
/* Seconds by the table itself, interpolated between rows by powers, and proportional to the size beyond the
   last. There must be a row. */
double ann_model_look_up(const ann_tuning_row *rows, int count, double bytes);

/* Of the fastest algorithm for a size and the next: the fastest, but for a message that no cache holds the
   one with less to send and to add up where both are as good as equal, because which of them is ahead by so
   little changes with the neighbours on the machine. */
const ann_tuning_row *ann_model_prefer(const ann_tuning_row *first, const ann_tuning_row *next, int ranks,
                                       int hosts);

/* A message of a step, and when computing has come to it. */
typedef struct ann_model_message {
    double ready_s;
    ann_cost cost;
} ann_model_message;

/* Seconds until the update may begin, which is the end of computing (`compute_s`) if nothing were sent.
   Messages are in the order of their readiness and go one after the other; what their cores do delays
   computing. */
double ann_model_overlap(const ann_model_message *messages, int count, double compute_s);

#endif
