/* How a vector is cut into one chunk for each rank. */
#ifndef ANN_TENSOR_CHUNK_H
#define ANN_TENSOR_CHUNK_H

#include <stdint.h>

/* Chunk `index` of `parts` of a vector of `elems` is [*begin, *begin + *count): the chunks follow each other,
   begin at multiples of 16 elements, and differ by at most 16 in size; some may be empty. Local. */
void ann_chunk_of(int64_t elems, int parts, int index, int64_t *begin, int64_t *count);

#endif
