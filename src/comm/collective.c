/* Blocking collectives, built from MPI's nonblocking ones so that their waits have a deadline. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "comm/internal.h"

enum { PIECE_BYTES = 64 << 20 }; /* one deadline per piece of a long broadcast */

ann_status ann_comm_barrier(ann_comm *comm) {
    ANN_TRY(anni_usable(comm));
    if (comm->size == 1) return ANN_OK;
    ANN_TRY(anni_mpi(comm, MPI_Ibarrier(comm->mpi, &comm->pending), "MPI_Ibarrier"));
    return anni_mpi_wait(comm, "a barrier");
}

ann_status ann_comm_broadcast(ann_comm *comm, void *data, size_t bytes, int root) {
    ANN_TRY(anni_usable(comm));
    if (root < 0 || root >= comm->size)
        return ann_error(ANN_ERR_ARG, "no rank %d among %d", root, comm->size);
    if (comm->size == 1) return ANN_OK;
    char what[80];
    (void)snprintf(what, sizeof what, "a broadcast of %zu bytes from rank %d", bytes, root);
    for (size_t at = 0; at < bytes; at += PIECE_BYTES) {
        const size_t piece = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
        const int rc = MPI_Ibcast((char *)data + at, (int)piece, MPI_BYTE, root, comm->mpi, &comm->pending);
        ANN_TRY(anni_mpi(comm, rc, "MPI_Ibcast"));
        ANN_TRY(anni_mpi_wait(comm, what));
    }
    return ANN_OK;
}

ann_status ann_comm_allgather(ann_comm *comm, void *out, const void *mine, size_t bytes) {
    ANN_TRY(anni_usable(comm));
    if (bytes == 0) return ANN_OK;
    memcpy((char *)out + (size_t)comm->rank * bytes, mine, bytes);
    if (comm->size == 1) return ANN_OK;
    if (bytes > PIECE_BYTES) { /* too long for one message: each rank's part is broadcast */
        for (int root = 0; root < comm->size; root++)
            ANN_TRY(ann_comm_broadcast(comm, (char *)out + (size_t)root * bytes, bytes, root));
        return ANN_OK;
    }
    char what[80];
    (void)snprintf(what, sizeof what, "a gathering of %zu bytes from each rank", bytes);
    const int rc = MPI_Iallgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, out, (int)bytes, MPI_BYTE, comm->mpi,
                                  &comm->pending);
    ANN_TRY(anni_mpi(comm, rc, "MPI_Iallgather"));
    return anni_mpi_wait(comm, what);
}

/* comm->first becomes the lowest rank that has failed, or size. */
static ann_status agree_first(ann_comm *comm, ann_status local) {
    comm->mine = local == ANN_OK ? comm->size : comm->rank;
    const int rc = MPI_Iallreduce(&comm->mine, &comm->first, 1, MPI_INT, MPI_MIN, comm->mpi, &comm->pending);
    ANN_TRY(anni_mpi(comm, rc, "MPI_Iallreduce"));
    return anni_mpi_wait(comm, "an agreement");
}

/* A failure that was agreed before names its rank already. */
static bool names_rank(const char *text) {
    int rank, length = 0;
    return sscanf(text, "rank %d:%n", &rank, &length) == 1 && length > 0;
}

ann_status ann_agree(ann_comm *comm, ann_status local) {
    if (comm->size == 1) return local;
    if (comm->broken && local != ANN_OK)
        return local; /* its own failure says more than that nobody can be told */
    ANN_TRY(anni_usable(comm));
    anni_verdict *verdict = &comm->verdict;
    const char *text = ann_error_status() == local ? ann_error_text() : ann_status_text(local);
    verdict->status = (int32_t)local;
    (void)snprintf(verdict->text, sizeof verdict->text, "%s", text);
    const ann_status told = agree_first(comm, local);
    if (told != ANN_OK && local != ANN_OK)
        return ann_error(local, "%s (the other ranks could not be told)", verdict->text);
    ANN_TRY(told);
    if (comm->first == comm->size) return ANN_OK;
    ANN_TRY(ann_comm_broadcast(comm, verdict, sizeof *verdict, comm->first));
    const ann_status status = (ann_status)verdict->status;
    if (names_rank(verdict->text)) return ann_error(status, "%s", verdict->text);
    return ann_error(status, "rank %d: %s", comm->first, verdict->text);
}
