/* Clocks of different hosts. Every rank in turn asks rank 0 for its clock some times. The answer was made
   between question and arrival; where both ways take equally long, in the middle. */
#include "base/clock.h"
#include "comm/internal.h"

enum { EXCHANGES = 32 };

static ann_status send_pong(ann_comm *comm, int to, int64_t value) {
    comm->pong = value;
    const int rc = MPI_Isend(&comm->pong, 1, MPI_INT64_T, to, ANNI_TAG_CLOCK, comm->mpi, &comm->pending);
    ANN_TRY(anni_mpi(comm, rc, "MPI_Isend"));
    return anni_mpi_wait(comm, "a comparison of clocks");
}

static ann_status receive_pong(ann_comm *comm, int from) {
    const int rc = MPI_Irecv(&comm->pong, 1, MPI_INT64_T, from, ANNI_TAG_CLOCK, comm->mpi, &comm->pending);
    ANN_TRY(anni_mpi(comm, rc, "MPI_Irecv"));
    return anni_mpi_wait(comm, "a comparison of clocks");
}

static ann_status answer(ann_comm *comm, int rank) {
    for (int i = 0; i < EXCHANGES; i++) {
        ANN_TRY(receive_pong(comm, rank));
        ANN_TRY(send_pong(comm, rank, ann_clock_ns()));
    }
    return ANN_OK;
}

static ann_status ask(ann_comm *comm, int64_t *offset_ns, int64_t *round_trip_ns) {
    for (int i = 0; i < EXCHANGES; i++) {
        const int64_t begin_ns = ann_clock_ns();
        ANN_TRY(send_pong(comm, 0, 0));
        ANN_TRY(receive_pong(comm, 0));
        const int64_t took_ns = ann_clock_ns() - begin_ns;
        if (i > 0 && took_ns >= *round_trip_ns) continue;
        *round_trip_ns = took_ns;
        *offset_ns = comm->pong - (begin_ns + took_ns / 2);
    }
    return ANN_OK;
}

ann_status ann_comm_clock_offset(ann_comm *comm, int64_t *offset_ns, int64_t *round_trip_ns) {
    *offset_ns = *round_trip_ns = 0;
    ANN_TRY(anni_usable(comm));
    for (int rank = 1; rank < comm->size; rank++) {
        if (comm->rank == 0) ANN_TRY(answer(comm, rank));
        else if (comm->rank == rank) ANN_TRY(ask(comm, offset_ns, round_trip_ns));
    }
    return ann_comm_barrier(comm);
}
