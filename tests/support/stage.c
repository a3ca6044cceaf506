#include "support/stage.h"
#include "support/tiny_data.h"

ann_comm *comm;
int rank, size;
char dir[SCRATCH_PATH_BYTES];

static int begin(ann_status status) {
    if (status != ANN_OK) return -1;
    rank = ann_comm_rank(comm);
    size = ann_comm_size(comm);
    if (rank == 0) scratch_make(dir);
    return ann_comm_broadcast(comm, dir, sizeof dir, 0) == ANN_OK ? 0 : -1;
}

int stage_of_all_ranks(void **state) {
    (void)state;
    return begin(ann_comm_world(&comm, 60.0));
}

int stage_with_tiny_data(void **state) {
    char path[SCRATCH_PATH_BYTES];
    if (stage_of_all_ranks(state) != 0) return -1;
    if (rank == 0) {
        tiny_data_write(scratch_path(path, "%s/tiny.h5", dir));
        tiny_data_write_dark(scratch_path(path, "%s/dark.h5", dir));
        tiny_data_write_f32(scratch_path(path, "%s/huge.h5", dir), 17);
    }
    return ann_comm_barrier(comm) == ANN_OK ? 0 : -1;
}

int stage_of_one(void **state) {
    (void)state;
    return begin(ann_comm_self(&comm));
}

int stage_end(void **state) {
    (void)state;
    const bool good = comm && ann_comm_barrier(comm) == ANN_OK;
    if (rank == 0) scratch_remove(dir);
    ann_comm_free(comm);
    return good ? 0 : -1;
}
