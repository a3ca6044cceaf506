/* Sparse messages: each rank sends the elements that are not 0 as pairs of index and value, all ranks gather
   them (an ALLGATHER of i64 words) and add them up in the order of ranks. 8 bytes per element and rank. */
#ifndef ANN_COMM_SPARSE_H
#define ANN_COMM_SPARSE_H

#include "comm/internal.h"

/* Turns the request from the message into its encoding, in request->scratch. Local. */
ann_status anni_sparse_encode(const ann_comm *comm, anni_request *request) ANN_MUST_CHECK;
/* The sum, from what has been gathered into the scratch memory, which is freed. Local. Errors: ANN_ERR_COMM
   (an index is out of range). */
ann_status anni_sparse_decode(const ann_comm *comm, anni_request *request) ANN_MUST_CHECK;

#endif
