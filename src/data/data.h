/* Datasets: HDF5 files, shards of a keyed order, prefetch.

   File layout (written by `annulus data import`, see datasets/README.md): groups /train and /test, each with
   datasets "x" [N, H, W, C] u8 (or f32 [N, ...]) and "y" [N] u8 or i32 (class labels; may be absent),
   contiguous; attributes on the root: "format" = "annulus-dataset", "version" = 1, "name", "classes"
   (strings), "mean", "std" (of x / 255 for u8, over the training split), "source", "checksum" per split group
   (XXH3 of x then y, see ann_dataset_compute_checksum).

   Files made by others are read too: "x" and "y" in "/train" and "/test" are enough. Without "mean" and "std"
   these are 0 and 1, without "classes" there are max(y) + 1 of them.

   Order: the training stream is an endless sequence of positions 0, 1, 2, ...; position p is sample
   ann_permute_index(seed, ANN_STREAM_ORDER, p / N, N, p mod N) of the dataset. A global batch is a range of
   positions, and rank r's shard of it is a sub-range: the order does not depend on the number of ranks, a
   batch may straddle two epochs, and to resume is to set one integer. */
#ifndef ANN_DATA_DATA_H
#define ANN_DATA_DATA_H

#include "tensor/tensor.h"

typedef struct ann_dataset ann_dataset;

typedef struct ann_field_info {
    const char *name; /* "x", "y" */
    ann_dtype dtype;  /* as delivered: u8 or f32 for x, i32 for y */
    ann_shape shape;  /* of one sample: [28,28,1]; scalar for y */
} ann_field_info;

/* Opens one split ("train" or "test"). All HDF5 calls happen inside open and close on the calling thread;
   afterwards samples are read through mmap (contiguous) or from memory (chunked or compressed: decoded once
   at open). limit: use only the first `limit` samples of a keyed order of the split (0: all) - for few-label
   experiments; with `balanced`, equally many of each class (the remainder goes to the first classes). Samples
   of a subset are numbered 0..limit-1. A larger subset of the same seed contains a smaller one. The file may
   be replaced by rename while it is open, but not truncated. Errors, each one line that names file and
   dataset: ANN_ERR_NOT_FOUND (missing file), ANN_ERR_IO (unreadable), ANN_ERR_FORMAT (not HDF5, truncated,
   wrong rank, dtype, or unequal sample counts), ANN_ERR_NUMERIC (a f32 field holds NaN or Inf: names the
   sample), ANN_ERR_CORRUPT (a label outside the classes), ANN_ERR_ARG (limit above the number of samples, or
   of a class), ANN_ERR_MEMORY. Local. */
typedef struct ann_dataset_options {
    const char *path, *split;
    int64_t limit;
    bool balanced;
    uint64_t subset_seed;
} ann_dataset_options;
ann_status ann_dataset_open(ann_dataset **out, const ann_dataset_options *options) ANN_MUST_CHECK;
void ann_dataset_close(ann_dataset *dataset);
int64_t ann_dataset_samples(const ann_dataset *dataset);
int ann_dataset_field_count(const ann_dataset *dataset);
const ann_field_info *ann_dataset_field(const ann_dataset *dataset, int i);
int ann_dataset_find(const ann_dataset *dataset, const char *name); /* -1 if absent */
int ann_dataset_classes(const ann_dataset *dataset);                /* 0 if unlabelled */
void ann_dataset_moments(const ann_dataset *dataset, double *mean, double *std);
/* Of the whole split, as the file's attribute says it; computed at open where there is none. */
uint64_t ann_dataset_checksum(const ann_dataset *dataset);
/* The same from the data: XXH3 of x as delivered, and that as the seed of XXH3 of y as i32; it does not
   depend on how the file stores them. Reads the whole split. Local. */
uint64_t ann_dataset_compute_checksum(const ann_dataset *dataset);
/* Copies field `field` of samples ids[0..n) into out, row by row. Errors: ANN_ERR_ARG (id out of range).
 * Local, thread-safe. */
ann_status ann_dataset_read(const ann_dataset *dataset, int field, const int64_t *ids, int64_t n,
                            void *out) ANN_MUST_CHECK;

/* ---- order and shards ---- */

typedef enum ann_order { ANN_ORDER_SHUFFLED, ANN_ORDER_SEQUENTIAL } ann_order;

/* The sample at a position of the endless stream over `samples` samples; SEQUENTIAL: position mod samples.
 * Local, O(1). */
int64_t ann_data_sample_at(ann_order order, uint64_t seed, int64_t samples, int64_t position);
/* Rank's share of the n positions from `first` on: [first + rank*n/size, first + (rank+1)*n/size). Local. */
void ann_data_shard(int64_t *shard_first, int64_t *shard_count, int64_t first, int64_t n, int rank, int size);
/* Errors: ANN_ERR_ARG (fewer samples than ranks: some rank's shard of every epoch would be empty). Local, the
 * same on every rank. */
ann_status ann_data_check_shards(const ann_dataset *dataset, int size) ANN_MUST_CHECK;
/* May a model made for `train` be evaluated on `test`? Errors: ANN_ERR_FORMAT (a field is missing, of another
   dtype or shape, or a label is outside the classes of `train`). Local. */
ann_status ann_data_check_match(const ann_dataset *train, const ann_dataset *test) ANN_MUST_CHECK;

/* ---- the loader: batches of one rank's shard, read ahead by the I/O thread ---- */

typedef struct ann_loader ann_loader;

typedef struct ann_loader_options {
    const ann_dataset *dataset;
    ann_order order;
    uint64_t seed;
    int rank, size;
    int64_t global_batch;   /* positions per step, over all ranks */
    int64_t first_position; /* where the stream starts (resume) */
    int64_t end_position;   /* the last batch is cut here; must be > first_position */
    int depth;              /* batches read ahead, >= 1; 0 means 2 */
} ann_loader_options;

/* A batch is valid until the next ann_loader_next. Rank r has positions first + [r*n/size, (r+1)*n/size) of a
 * global batch of n. */
typedef struct ann_batch {
    int64_t global_first, global_count; /* positions of the whole batch */
    int64_t first, count;               /* this rank's positions; count may be 0 in the last, cut batch */
    const int64_t *positions;  /* [count], 64-byte aligned; they are the sample ids of Philox draws */
    const int64_t *samples;    /* [count] indices in the dataset */
    const void *const *fields; /* [field][count, ...], in the dataset's order, 64-byte aligned */
} ann_batch;

/* Starts the I/O thread. Errors: ANN_ERR_MEMORY, ANN_ERR_ARG. Local. */
ann_status ann_loader_new(ann_loader **out, const ann_loader_options *options) ANN_MUST_CHECK;
/* The next batch, or *out = NULL at the end. Waits for the I/O thread only if it is behind. A read error is
   returned here, after the batches before it, and by every call from then on. Local. */
ann_status ann_loader_next(ann_loader *loader, const ann_batch **out) ANN_MUST_CHECK;
/* Time that ann_loader_next has waited so far. */
int64_t ann_loader_wait_ns(const ann_loader *loader);
void ann_loader_free(ann_loader *loader);

/* The ledger: a commutative hash of the (epoch, sample) pairs used. Adding all ranks' ledgers (wrapping sums
   of both words) and comparing with the expected one proves that each sample of each epoch was used exactly
   once. */
typedef struct ann_ledger {
    uint64_t sum, count;
} ann_ledger;
void ann_ledger_add(ann_ledger *ledger, int64_t epoch, const int64_t *samples, int64_t n);
/* The same for a batch of a stream over `samples` samples, which may straddle two epochs. */
void ann_ledger_add_batch(ann_ledger *ledger, const ann_batch *batch, int64_t samples);
/* The ledger of positions [first, end) of a shuffled stream over `samples` samples, each used once. Cost:
 * O(end - first). */
ann_ledger ann_ledger_expected(uint64_t seed, int64_t samples, int64_t first, int64_t end);

#endif
