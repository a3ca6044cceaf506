/* Checks in tests that run on several ranks: all ranks agree on the verdict before CMocka hears of it,
   because an assert that fails on one rank alone leaves the others waiting. Every rank must reach the same
   checks in the same order. */
#ifndef TESTS_SUPPORT_MPI_VERDICT_H
#define TESTS_SUPPORT_MPI_VERDICT_H

#include <stdbool.h>

/* True on all ranks if `ok` is true on all; each rank where it is not says so on stderr. Collective over
 * MPI_COMM_WORLD. */
bool mpi_verdict(bool ok, const char *file, int line, const char *what);

/* cmocka.h must have been included. */
#define assert_all_ranks(condition) assert_true(mpi_verdict((condition), __FILE__, __LINE__, #condition))

#endif
