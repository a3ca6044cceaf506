/* What tests of several ranks, or of one, stand on: a communicator, and a folder that is the same for all and
   is removed at the end. Group fixtures for cmocka_run_group_tests. */
#ifndef ANN_TESTS_SUPPORT_STAGE_H
#define ANN_TESTS_SUPPORT_STAGE_H

#include "comm/comm.h"
#include "support/scratch.h"

extern ann_comm *comm;
extern int rank, size; /* of comm */
extern char dir[SCRATCH_PATH_BYTES];

int stage_of_all_ranks(void **state); /* MPI is running */
/* With the datasets dir/tiny.h5, dir/dark.h5 and dir/huge.h5 (tiny_data.h), the last with its sample 17 huge.
 */
int stage_with_tiny_data(void **state);
int stage_of_one(void **state);
int stage_end(void **state);

#endif
