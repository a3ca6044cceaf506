#include "tensor/store.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "base/philox.h"

/* Philox stream of initial values; the sample is the hash of the tensor's name. */
#define STREAM_INIT 0x494E4954u

typedef struct block {
    const char *name;
    ann_dtype dtype;
    int64_t elems;
    ann_tensor *tensors;
    int tensor_count;
    void *data;
} block;

struct ann_store {
    uint64_t seed;
    ann_arena *arena; /* names, infos, blocks */
    ann_tensor_info **infos;
    int tensor_count, tensor_capacity;
    block **blocks;
    int block_count, block_capacity;
    int32_t *slots; /* open addressing by the hash of the name: tensor id, or -1 */
    int slot_count; /* a power of two, more than twice tensor_count */
    bool committed;
};

static ann_status out_of_memory(void) { return ann_error(ANN_ERR_MEMORY, "the store is out of memory"); }

/* The array of `count` pointers with room for one more, moved if need be; NULL when memory is exhausted. */
static void *reserve(void *array, int count, int *capacity) {
    if (count < *capacity) return array;
    const int larger = *capacity ? 2 * *capacity : 16;
    void *moved = realloc(array, (size_t)larger * sizeof(void *));
    if (moved) *capacity = larger;
    return moved;
}

ann_status ann_store_new(ann_store **out, uint64_t seed) {
    *out = NULL;
    ann_store *store = calloc(1, sizeof *store);
    if (!store) return out_of_memory();
    store->seed = seed;
    const ann_status status = ann_arena_new(&store->arena);
    if (status != ANN_OK) {
        free(store);
        return status;
    }
    *out = store;
    return ANN_OK;
}

static size_t block_bytes(const block *b) { return (size_t)b->elems * ann_dtype_bytes(b->dtype); }

static void free_data(ann_store *store) {
    for (int i = 0; i < store->block_count; i++) {
        ann_mem_free(store->blocks[i]->data, block_bytes(store->blocks[i]));
        store->blocks[i]->data = NULL;
    }
}

void ann_store_free(ann_store *store) {
    if (!store) return;
    free_data(store);
    free(store->infos);
    free(store->blocks);
    free(store->slots);
    ann_arena_free(store->arena);
    free(store);
}

uint64_t ann_store_seed(const ann_store *store) { return store->seed; }

/* ---- names ---- */

/* The slot that holds `name`, or the free one where it would go. */
static int find_slot(const ann_store *store, const char *name) {
    const int mask = store->slot_count - 1;
    int slot = (int)(ann_hash_str(name) & (uint64_t)mask);
    while (store->slots[slot] >= 0 && strcmp(store->infos[store->slots[slot]]->name, name) != 0)
        slot = (slot + 1) & mask;
    return slot;
}

static ann_status grow_slots(ann_store *store) {
    if (2 * (store->tensor_count + 1) < store->slot_count) return ANN_OK;
    const int count = store->slot_count ? 2 * store->slot_count : 64;
    int32_t *slots = malloc((size_t)count * sizeof *slots);
    if (!slots) return out_of_memory();
    for (int i = 0; i < count; i++) slots[i] = -1;
    free(store->slots);
    store->slots = slots;
    store->slot_count = count;
    for (int32_t i = 0; i < store->tensor_count; i++)
        store->slots[find_slot(store, store->infos[i]->name)] = i;
    return ANN_OK;
}

ann_tensor ann_store_find(const ann_store *store, const char *name) {
    if (!store->slot_count) return ANN_TENSOR_NONE;
    return (ann_tensor){store->slots[find_slot(store, name)]};
}

/* ---- declarations ---- */

static ann_status check_same(const ann_tensor_info *old, ann_dtype dtype, const ann_shape *shape) {
    if (old->dtype != dtype)
        return ann_error(ANN_ERR_DTYPE, "tensor %s is %s, and is declared again as %s", old->name,
                         ann_dtype_name(old->dtype), ann_dtype_name(dtype));
    if (!ann_shape_equal(&old->shape, shape)) {
        char a[128], b[128];
        return ann_error(ANN_ERR_SHAPE, "tensor %s is %s, and is declared again as %s", old->name,
                         ann_shape_str(a, sizeof a, &old->shape), ann_shape_str(b, sizeof b, shape));
    }
    return ANN_OK;
}

static ann_status check_new(const ann_store *store, const char *name, const ann_shape *shape) {
    if (store->committed)
        return ann_error(ANN_ERR_ARG, "tensor %s is declared after the store's commit", name);
    if (!name[0]) return ann_error(ANN_ERR_ARG, "a tensor needs a name");
    bool positive = shape->rank >= 0 && shape->rank <= ANN_MAX_RANK;
    for (int32_t i = 0; positive && i < shape->rank; i++) positive = shape->dim[i] > 0;
    if (!positive) return ann_error(ANN_ERR_SHAPE, "tensor %s: every extent must be at least 1", name);
    return ANN_OK;
}

ann_status ann_store_declare(ann_tensor *out, ann_store *store, const char *name, ann_dtype dtype,
                             const ann_shape *shape, ann_role role, ann_init init) {
    *out = ann_store_find(store, name);
    if (out->id >= 0) {
        const ann_status same = check_same(store->infos[out->id], dtype, shape);
        if (same != ANN_OK) *out = ANN_TENSOR_NONE;
        return same;
    }
    ANN_TRY(check_new(store, name, shape));
    ANN_TRY(grow_slots(store));
    ann_tensor_info **infos = reserve(store->infos, store->tensor_count, &store->tensor_capacity);
    if (!infos) return out_of_memory();
    store->infos = infos;
    ann_tensor_info *info = ann_arena_alloc(store->arena, sizeof *info);
    const char *copy = ann_arena_strdup(store->arena, name);
    if (!info || !copy) return out_of_memory();
    *info = (ann_tensor_info){
        .name = copy, .dtype = dtype, .shape = *shape, .role = role, .init = init, .block = {-1}};
    store->slots[find_slot(store, name)] = store->tensor_count;
    store->infos[store->tensor_count] = info;
    *out = (ann_tensor){store->tensor_count++};
    return ANN_OK;
}

/* ---- blocks ---- */

/* Lays the n tensors (not in a block, of one dtype) out in a new block. */
static ann_status add_block(ann_block *out, ann_store *store, const char *name, const ann_tensor *tensors,
                            int n) {
    block **blocks = reserve(store->blocks, store->block_count, &store->block_capacity);
    if (!blocks) return out_of_memory();
    store->blocks = blocks;
    block *b = ann_arena_alloc(store->arena, sizeof *b);
    if (!b) return out_of_memory();
    b->name = ann_arena_strdup(store->arena, name);
    b->tensors = ann_arena_alloc(store->arena, (size_t)n * sizeof *tensors);
    if (!b->name || !b->tensors) return out_of_memory();
    memcpy(b->tensors, tensors, (size_t)n * sizeof *tensors);
    b->tensor_count = n;
    b->dtype = store->infos[tensors[0].id]->dtype;
    *out = (ann_block){store->block_count};
    const size_t line_elems = ANN_ALIGN_BYTES / ann_dtype_bytes(b->dtype);
    size_t end = 0;
    for (int i = 0; i < n; i++) {
        ann_tensor_info *info = store->infos[tensors[i].id];
        info->block = *out;
        info->offset_elems = (int64_t)end;
        end = ann_align_up(end + (size_t)ann_shape_elems(&info->shape), line_elems);
    }
    b->elems = (int64_t)ann_align_up(end, 16);
    store->blocks[store->block_count++] = b;
    return ANN_OK;
}

ann_status ann_store_group(ann_block *out, ann_store *store, const char *name, const ann_tensor *tensors,
                           int n) {
    *out = (ann_block){-1};
    if (store->committed) return ann_error(ANN_ERR_ARG, "block %s is made after the store's commit", name);
    if (n < 1) return ann_error(ANN_ERR_ARG, "block %s has no tensors", name);
    for (int i = 0; i < n; i++) {
        if (tensors[i].id < 0 || tensors[i].id >= store->tensor_count)
            return ann_error(ANN_ERR_ARG, "block %s: there is no tensor %d", name, (int)tensors[i].id);
        const ann_tensor_info *info = store->infos[tensors[i].id];
        bool grouped = info->block.id >= 0;
        for (int j = 0; j < i; j++) grouped = grouped || tensors[j].id == tensors[i].id;
        if (grouped)
            return ann_error(ANN_ERR_ARG, "block %s: tensor %s is in a block already", name, info->name);
        if (info->dtype != store->infos[tensors[0].id]->dtype)
            return ann_error(ANN_ERR_DTYPE, "block %s: tensor %s is %s, those before it are %s", name,
                             info->name, ann_dtype_name(info->dtype),
                             ann_dtype_name(store->infos[tensors[0].id]->dtype));
    }
    return add_block(out, store, name, tensors, n);
}

static ann_status declare_like(ann_store *store, ann_tensor *tensors, const char *prefix, const block *like,
                               ann_role role) {
    for (int i = 0; i < like->tensor_count; i++) {
        const ann_tensor_info *model = store->infos[like->tensors[i].id];
        const char *name = ann_arena_printf(store->arena, "%s/%s", prefix, model->name);
        if (!name) return out_of_memory();
        ANN_TRY(ann_store_declare(&tensors[i], store, name, model->dtype, &model->shape, role,
                                  (ann_init){.kind = ANN_INIT_ZERO}));
    }
    return ANN_OK;
}

static ann_status group_like(ann_block *out, ann_store *store, const char *prefix, ann_block like,
                             ann_role role) {
    *out = (ann_block){-1};
    if (like.id < 0 || like.id >= store->block_count)
        return ann_error(ANN_ERR_ARG, "%s: there is no block %d", prefix, (int)like.id);
    const block *model = store->blocks[like.id];
    ann_tensor *tensors = malloc((size_t)model->tensor_count * sizeof *tensors);
    if (!tensors) return out_of_memory();
    ann_status status = declare_like(store, tensors, prefix, model, role);
    const char *name = status == ANN_OK ? ann_arena_printf(store->arena, "%s/%s", prefix, model->name) : NULL;
    if (status == ANN_OK)
        status = name ? ann_store_group(out, store, name, tensors, model->tensor_count) : out_of_memory();
    free(tensors);
    return status;
}

ann_status ann_store_group_like(ann_block *out, ann_store *store, const char *prefix, ann_block like) {
    return group_like(out, store, prefix, like, ANN_ROLE_MOMENT);
}
ann_status ann_store_scratch_like(ann_block *out, ann_store *store, const char *prefix, ann_block like) {
    return group_like(out, store, prefix, like, ANN_ROLE_SCRATCH);
}

/* ---- commit ---- */

static void fill_initial(const ann_store *store, const ann_tensor_info *info, void *data) {
    if (info->init.kind == ANN_INIT_ZERO) return;
    const uint64_t name_hash = ann_hash_str(info->name);
    const int64_t n = ann_shape_elems(&info->shape);
    const double scale = info->init.scale;
    for (int64_t i = 0; i < n; i++) {
        double value = scale;
        if (info->init.kind == ANN_INIT_UNIFORM)
            value *= 2.0 * ann_random_uniform(store->seed, STREAM_INIT, name_hash, (uint64_t)i) - 1.0;
        else if (info->init.kind == ANN_INIT_NORMAL)
            value *= ann_random_normal(store->seed, STREAM_INIT, name_hash, (uint64_t)i);
        ann_elem_set(data, info->dtype, i, value);
    }
}

ann_status ann_store_commit(ann_store *store) {
    if (store->committed) return ann_error(ANN_ERR_ARG, "the store is committed already");
    for (int32_t i = 0; i < store->tensor_count; i++) {
        if (store->infos[i]->block.id >= 0) continue;
        ann_block own;
        ANN_TRY(add_block(&own, store, store->infos[i]->name, &(ann_tensor){i}, 1));
    }
    for (int i = 0; i < store->block_count; i++) {
        const ann_status status = ann_mem_alloc(&store->blocks[i]->data, block_bytes(store->blocks[i]));
        if (status != ANN_OK) {
            free_data(store);
            return status;
        }
    }
    store->committed = true;
    for (int32_t i = 0; i < store->tensor_count; i++)
        fill_initial(store, store->infos[i], ann_store_data(store, (ann_tensor){i}));
    return ANN_OK;
}

/* ---- reading ---- */

int ann_store_count(const ann_store *store) { return store->tensor_count; }
const ann_tensor_info *ann_store_info(const ann_store *store, ann_tensor tensor) {
    return store->infos[tensor.id];
}

void *ann_store_data(const ann_store *store, ann_tensor tensor) {
    const ann_tensor_info *info = store->infos[tensor.id];
    char *data = info->block.id >= 0 ? store->blocks[info->block.id]->data : NULL;
    return data ? data + (size_t)info->offset_elems * ann_dtype_bytes(info->dtype) : NULL;
}

int ann_store_block_count(const ann_store *store) { return store->block_count; }
const char *ann_store_block_name(const ann_store *store, ann_block b) { return store->blocks[b.id]->name; }
int64_t ann_store_block_elems(const ann_store *store, ann_block b) { return store->blocks[b.id]->elems; }
ann_dtype ann_store_block_dtype(const ann_store *store, ann_block b) { return store->blocks[b.id]->dtype; }
void *ann_store_block_data(const ann_store *store, ann_block b) { return store->blocks[b.id]->data; }
bool ann_store_block_is_scratch(const ann_store *store, ann_block b) {
    const block *it = store->blocks[b.id];
    return store->infos[it->tensors[0].id]->role == ANN_ROLE_SCRATCH;
}
