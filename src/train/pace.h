/* How fast the ranks are: who computes, and who waits for whom. Local. */
#ifndef ANN_TRAIN_PACE_H
#define ANN_TRAIN_PACE_H

#include <stdbool.h>
#include <stddef.h>

/* One rank's time between two progress lines, in seconds. Its arrival lag, summed over the collectives of
   that time, is the longest wait of any rank less its own. */
typedef struct anni_pace {
    double compute_s; /* neither of these two: */
    double data_s;    /* waiting for data */
    double wait_s;    /* waiting for other ranks */
} anni_pace;

typedef struct anni_spread {
    double min, median, max;
} anni_spread;

/* Of n values, which are sorted. */
anni_spread anni_spread_of(double *values, int n);
/* The rank that arrives last: whose computing and waiting for data take longest. */
int anni_pace_slowest(const anni_pace *pace, int size);
/* Whether that rank needs a fifth of the step more than the median of the others, over a time that says
   something; then buf gets the rest of "rank 3 (host n2) ...". scratch: [size]. */
bool anni_pace_late(char *buf, size_t bytes, const anni_pace *pace, int size, double steps, double *scratch);

#endif
