/* Messages between two ranks, with a deadline. */
#include <mpi.h>
#include <sched.h>
#include "base/clock.h"
#include "doctor.h"

enum { TAG = 4711 };

static ann_status finish(MPI_Request *request, int partner, double timeout_s) {
    int done = 0;
    for (const int64_t begin_ns = ann_clock_ns(); !done; (void)sched_yield()) {
        if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return ann_error(ANN_ERR_COMM, "messages to and from rank %d fail", partner);
        if (!done && 1e-9 * (double)(ann_clock_ns() - begin_ns) > timeout_s)
            return ann_error(ANN_ERR_TIMEOUT, "no message from or to rank %d in %.0f s", partner, timeout_s);
    }
    return ANN_OK;
}

ann_status doctor_send(int partner, void *data, int bytes, double timeout_s) {
    MPI_Request request;
    if (MPI_Isend(data, bytes, MPI_BYTE, partner, TAG, MPI_COMM_WORLD, &request) != MPI_SUCCESS)
        return ann_error(ANN_ERR_COMM, "nothing can be sent to rank %d", partner);
    return finish(&request, partner, timeout_s);
}

ann_status doctor_receive(int partner, void *data, int bytes, double timeout_s) {
    MPI_Request request;
    if (MPI_Irecv(data, bytes, MPI_BYTE, partner, TAG, MPI_COMM_WORLD, &request) != MPI_SUCCESS)
        return ann_error(ANN_ERR_COMM, "nothing can be received from rank %d", partner);
    return finish(&request, partner, timeout_s);
}

ann_status doctor_gather(ann_comm *comm, doctor_facts *all, doctor_facts *mine, double timeout_s) {
    ann_status status = ANN_OK;
    if (ann_comm_rank(comm) != 0) status = doctor_send(0, mine, sizeof *mine, timeout_s);
    else all[0] = *mine;
    for (int r = 1; ann_comm_rank(comm) == 0 && r < ann_comm_size(comm) && status == ANN_OK; r++)
        status = doctor_receive(r, &all[r], sizeof all[r], timeout_s);
    return ann_agree(comm, status);
}
