/* Curves of runs: the values that a run has recorded, and the committed ones. */
#ifndef TESTS_SUPPORT_CURVE_H
#define TESTS_SUPPORT_CURVE_H

#include <stdbool.h>

/* The numbers behind `"key":` in the metrics of all phases of FOLDER/NAME, at most `limit`; returns how many
 * there are. */
int curve_read(double *values, int limit, const char *folder, const char *name, const char *key);
/* Compares with tests/golden/NAME.txt, to a relative tolerance, or writes there if ANNULUS_GOLDEN_OUT is set
   (to anything). */
bool curve_is_golden(const char *name, const double *values, int n, double tolerance);

#endif
