/* The store: named tensors that outlive graphs (parameters, optimizer moments, running statistics).

   A tensor is declared once (name, dtype, shape, initialiser) and lives in exactly one block. A block is one
   contiguous, zeroed, 64-byte-aligned, huge-page piece of memory; each tensor in it starts on a 64-byte
   boundary and the padding between is always zero, so that one loop over the block's range (norm, update,
   checkpoint, reduction) needs no special cases. Declared tensors that were not put into a block by
   ann_store_group are each in a block of their own; memory of all blocks is allocated and initialised by
   ann_store_commit. Local throughout. */
#ifndef ANN_TENSOR_STORE_H
#define ANN_TENSOR_STORE_H

#include "tensor/tensor.h"

typedef struct ann_store ann_store;
typedef struct {
    int32_t id;
} ann_tensor;
typedef struct {
    int32_t id;
} ann_block;
#define ANN_TENSOR_NONE ((ann_tensor){-1})

typedef enum ann_init_kind { ANN_INIT_ZERO, ANN_INIT_CONST, ANN_INIT_UNIFORM, ANN_INIT_NORMAL } ann_init_kind;
/* UNIFORM: [-scale, scale); NORMAL: standard deviation scale; CONST: scale everywhere. */
typedef struct ann_init {
    ann_init_kind kind;
    double scale;
} ann_init;

/* SCRATCH: dead between steps, and so in no checkpoint. */
typedef enum ann_role { ANN_ROLE_PARAM, ANN_ROLE_STATE, ANN_ROLE_MOMENT, ANN_ROLE_SCRATCH } ann_role;

typedef struct ann_tensor_info {
    const char *name; /* unique in the store, e.g. "encoder/fc1/weight"; borrowed */
    ann_dtype dtype;
    ann_shape shape;
    ann_role role;
    ann_init init;
    ann_block block;
    int64_t offset_elems; /* from the start of the block */
} ann_tensor_info;

/* All random initial values are drawn by Philox from (seed, hash of the tensor's name, element): they depend
 * on nothing else. */
ann_status ann_store_new(ann_store **out, uint64_t seed) ANN_MUST_CHECK;
void ann_store_free(ann_store *store);
uint64_t ann_store_seed(const ann_store *store);

/* Declares a tensor, or returns the one of that name if dtype and shape agree (that is how layers share
   parameters). Errors: ANN_ERR_SHAPE, ANN_ERR_DTYPE (the name exists otherwise), ANN_ERR_ARG (after commit).
 */
ann_status ann_store_declare(ann_tensor *out, ann_store *store, const char *name, ann_dtype dtype,
                             const ann_shape *shape, ann_role role, ann_init init) ANN_MUST_CHECK;

/* Puts n tensors of one dtype into one new block, in the order given. Errors: ANN_ERR_ARG (already in a
 * group). */
ann_status ann_store_group(ann_block *out, ann_store *store, const char *name, const ann_tensor *tensors,
                           int n) ANN_MUST_CHECK;
/* A new block with the same layout as `like`: for each tensor T there, a zero tensor "prefix/T" of role
 * MOMENT, or SCRATCH. */
ann_status ann_store_group_like(ann_block *out, ann_store *store, const char *prefix,
                                ann_block like) ANN_MUST_CHECK;
ann_status ann_store_scratch_like(ann_block *out, ann_store *store, const char *prefix,
                                  ann_block like) ANN_MUST_CHECK;

/* Allocates all blocks and fills the initial values. No declaration is possible afterwards. */
ann_status ann_store_commit(ann_store *store) ANN_MUST_CHECK;

int ann_store_count(const ann_store *store); /* tensors are 0..count-1 in order of declaration */
const ann_tensor_info *ann_store_info(const ann_store *store, ann_tensor tensor);
ann_tensor ann_store_find(const ann_store *store, const char *name); /* ANN_TENSOR_NONE if absent */
void *ann_store_data(const ann_store *store, ann_tensor tensor);     /* NULL before commit */

int ann_store_block_count(const ann_store *store);
const char *ann_store_block_name(const ann_store *store, ann_block block);
int64_t ann_store_block_elems(const ann_store *store, ann_block block); /* with padding, a multiple of 16 */
bool ann_store_block_is_scratch(const ann_store *store, ann_block block);
ann_dtype ann_store_block_dtype(const ann_store *store, ann_block block);
void *ann_store_block_data(const ann_store *store, ann_block block); /* NULL before commit */

/* Shell pattern match of tensor names: '*' matches any run of characters, '?' one. Several patterns are
   separated by commas; a leading '!' takes matches away. "" matches nothing. */
bool ann_name_matches(const char *pattern, const char *name);

#endif
