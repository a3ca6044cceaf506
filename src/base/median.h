/* The median. Local. */
#ifndef ANN_BASE_MEDIAN_H
#define ANN_BASE_MEDIAN_H

/* Sorts the n values, ascending, and returns the one in the middle, or the mean of the two there; 0 if n is
   0. O(n log n). */
double ann_median(double *values, int n);

#endif
