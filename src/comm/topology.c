/* Who shares a host with whom, and in which orders rings go round. */
#include "comm/internal.h"

#include <stdlib.h>
#include <string.h>

/* Where a rank is: the lowest rank of its node, and its index there. */
typedef struct place {
    int32_t leader, local;
} place;

static ann_status split(ann_comm *comm, place *mine) {
    int local = 0, size = 1, leader = comm->rank;
    const int rc =
        comm->node_size > 0
            ? MPI_Comm_split(comm->mpi, comm->rank / comm->node_size, comm->rank, &comm->node)
            : MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &comm->node);
    ANN_TRY(anni_mpi(comm, rc, "MPI_Comm_split_type"));
    ANN_TRY(
        anni_mpi(comm, MPI_Comm_set_errhandler(comm->node, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler"));
    ANN_TRY(anni_mpi(comm, MPI_Comm_rank(comm->node, &local), "MPI_Comm_rank"));
    ANN_TRY(anni_mpi(comm, MPI_Comm_size(comm->node, &size), "MPI_Comm_size"));
    ANN_TRY(anni_mpi(comm, MPI_Bcast(&leader, 1, MPI_INT, 0, comm->node), "MPI_Bcast"));
    *mine = (place){leader, local};
    comm->local_rank = local;
    comm->local_size = size;
    return ANN_OK;
}

/* Nodes are numbered in the order of their lowest ranks. */
static void number_nodes(ann_comm *comm, const place *places) {
    for (int r = 0; r < comm->size; r++) {
        comm->local_of[r] = places[r].local;
        comm->node_of[r] = places[r].leader == r ? comm->n_nodes++ : comm->node_of[places[r].leader];
    }
}

static int node_size(const ann_comm *comm, int node) {
    int n = 0;
    for (int r = 0; r < comm->size; r++) n += comm->node_of[r] == node;
    return n;
}

/* Nodes of equal size, a power of two, that hold consecutive ranks. */
static bool nodes_are_subtrees(const ann_comm *comm) {
    const int each = comm->size / comm->n_nodes;
    if (each * comm->n_nodes != comm->size || (each & (each - 1)) != 0) return false;
    for (int r = 0; r < comm->size; r++)
        if (comm->node_of[r] != r / each) return false;
    return true;
}

static int *ranks_new(int n) { return malloc((size_t)(n > 0 ? n : 1) * sizeof(int)); }

static void everybody(ann_comm *comm) {
    comm->everybody.size = comm->size;
    comm->everybody.position = comm->rank;
    for (int r = 0; r < comm->size; r++) comm->everybody.ranks[r] = r;
}

/* The ranks of this one's index on all nodes, in the order of the nodes. */
static void slice(ann_comm *comm) {
    anni_group *g = &comm->slice;
    comm->leaders = comm->size;
    for (int node = 0; node < comm->n_nodes; node++) {
        const int n = node_size(comm, node);
        if (n < comm->leaders) comm->leaders = n;
    }
    if (comm->local_of[comm->rank] >= comm->leaders) return;
    g->size = comm->n_nodes;
    g->position = comm->node_of[comm->rank];
    for (int r = 0; r < comm->size; r++)
        if (comm->local_of[r] == comm->local_of[comm->rank]) g->ranks[comm->node_of[r]] = r;
}

static int common_divisor(int a, int b) { return b == 0 ? a : common_divisor(b, a % b); }

/* Ring 0 goes from node to node in order, through all ranks of each, so that each link between nodes is
   crossed once. The others take every stride-th rank of it, for strides without a common divisor with the
   size. */
static void rings(ann_comm *comm) {
    int at = 0, *base = comm->rings[0].ranks;
    for (int node = 0; node < comm->n_nodes; node++)
        for (int r = 0; r < comm->size; r++)
            if (comm->node_of[r] == node) base[at++] = r;
    const int strides[] = {1, comm->size - 1, 3, comm->size - 3};
    for (int k = 0; k < ANNI_RINGS_MAX; k++) {
        const int stride = strides[k];
        bool usable = stride > 0 && stride < comm->size && common_divisor(comm->size, stride) == 1;
        for (int earlier = 0; earlier < k; earlier++) usable = usable && strides[earlier] != stride;
        if (!usable) continue;
        anni_group *ring = &comm->rings[comm->n_rings++];
        ring->size = comm->size;
        for (int p = comm->size - 1; p >= 0; p--)
            ring->ranks[p] = base[(int)((int64_t)p * stride % comm->size)];
        for (int p = 0; p < comm->size; p++)
            if (ring->ranks[p] == comm->rank) ring->position = p;
    }
}

static ann_status groups_alloc(ann_comm *comm) {
    bool ok = true;
    comm->node_of = ranks_new(comm->size);
    comm->local_of = ranks_new(comm->size);
    comm->everybody.ranks = ranks_new(comm->size);
    comm->slice.ranks = ranks_new(comm->size);
    for (int k = 0; k < ANNI_RINGS_MAX; k++) {
        comm->rings[k].ranks = ranks_new(comm->size);
        ok = ok && comm->rings[k].ranks;
    }
    ok = ok && comm->node_of && comm->local_of && comm->everybody.ranks && comm->slice.ranks;
    return ok ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for the topology");
}

ann_status anni_topology_find(ann_comm *comm) {
    place mine, *places = calloc((size_t)comm->size, sizeof *places);
    ann_status status = places ? groups_alloc(comm) : ann_error(ANN_ERR_MEMORY, "no memory for the topology");
    status = ann_agree(comm, status);
    if (status == ANN_OK) status = split(comm, &mine);
    if (status == ANN_OK) status = ann_comm_allgather(comm, places, &mine, sizeof mine);
    if (status == ANN_OK && places) {
        number_nodes(comm, places);
        everybody(comm);
        slice(comm);
        rings(comm);
        comm->in_subtrees = nodes_are_subtrees(comm);
    }
    free(places);
    return status;
}

void anni_topology_free(ann_comm *comm) {
    free(comm->node_of);
    free(comm->local_of);
    free(comm->everybody.ranks);
    free(comm->slice.ranks);
    for (int k = 0; k < ANNI_RINGS_MAX; k++) free(comm->rings[k].ranks);
}
