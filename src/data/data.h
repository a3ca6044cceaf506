/* Datasets: HDF5 files with named fields, subsets, order, prefetch.

   File layout (datasets/README.md has it whole): in each of the groups /train and /test every HDF5 dataset
   whose first extent is the number of samples is a field. "x" is the input and must be there; "y" as
   integers of rank 1 is the class label. Files made by others are read too, by naming their datasets
   (ann_data_source), and so are several files one after the other, and virtual-dataset indexes of many files.

   Which sample stands at which position of the training stream: data/order.h. */
#ifndef ANN_DATA_DATA_H
#define ANN_DATA_DATA_H

#include "data/augment.h"
#include "data/order.h"
#include "tensor/tensor.h"

typedef struct ann_dataset ann_dataset;

/* ---- fields ---- */

typedef struct ann_field_info {
    const char *name; /* "x", "y", "mask", "domain", "weight" ... */
    ann_dtype dtype;  /* as delivered: u8, f32 or i32 */
    ann_shape shape;  /* of one sample: [28,28,1]; a scalar for class labels */
    int channels;     /* length of mean and std: 0 (the file has none), 1, or the last extent of shape */
    const double *mean, *std; /* normalisation, of x / 255 for u8 */
} ann_field_info;

/* Where a field lies in someone else's file: "x" is "train/data". */
typedef struct ann_field_source {
    const char *name, *path;
} ann_field_source;

typedef struct ann_data_source {
    const char *path;               /* an HDF5 file, or an index of virtual datasets over many of them */
    const ann_field_source *fields; /* NULL: each dataset of the group of the split is a field */
    int field_count;
    ann_shape shape;   /* of one sample of "x"; rank 0: as stored */
    const char *split; /* the group, if it is not that of the options; NULL: it is */
    /* Use only the first `limit` samples of a keyed order of this source (0: all). A larger limit of the same
       subset_seed contains a smaller one. */
    int64_t limit;
    /* The class labels of its samples are -1 to whoever asks; the file's are checked for nothing, do not say
       how many classes there are, and count for the checksum alone. */
    bool hides_labels;
    bool left_out; /* none of its samples is used; the numbers of the others' domains stay */
} ann_data_source;

/* Opens one split. limit: use only the first `limit` samples of a keyed order of the split (0: all) - for
   few-label experiments; with `balanced`, equally many of each class (the remainder goes to the first
   classes). Samples of a subset are numbered 0..limit-1. A larger subset of the same seed contains a smaller
   one. The files may be replaced by rename while they are open, but not truncated. Errors, each one line that
   names file and dataset: ANN_ERR_NOT_FOUND (missing file), ANN_ERR_IO (unreadable), ANN_ERR_FORMAT (not
   HDF5, truncated, wrong rank, dtype, or unequal sample counts; sources that differ in fields, shapes or
   class names), ANN_ERR_NUMERIC (a f32 field holds NaN or Inf: names the sample), ANN_ERR_CORRUPT (a label
   outside the classes), ANN_ERR_ARG (limit above the number of samples, or of a class; `balanced`
   where labels are hidden; all sources left out), ANN_ERR_MEMORY. Local. */
typedef struct ann_dataset_options {
    const ann_data_source *sources; /* their samples are numbered one source after the other */
    int source_count;  /* with more than one, a field "domain" (the source's index, i32) is added if there is
                          none */
    const char *split; /* "train" or "test": the group of sources without named fields */
    int64_t limit;
    bool balanced;
    uint64_t subset_seed;
    int64_t cache_bytes; /* of decoded blocks of chunked or compressed fields; 0: 256 MiB */
} ann_dataset_options;
ann_status ann_dataset_open(ann_dataset **out, const ann_dataset_options *options) ANN_MUST_CHECK;
void ann_dataset_close(ann_dataset *dataset);
int64_t ann_dataset_samples(const ann_dataset *dataset);
int ann_dataset_source_count(const ann_dataset *dataset);
/* Samples [first, first + count) come from this source (before the options' limit, which mixes them). */
void ann_dataset_source_range(const ann_dataset *dataset, int source, int64_t *first, int64_t *count);
int ann_dataset_field_count(const ann_dataset *dataset);
const ann_field_info *ann_dataset_field(const ann_dataset *dataset, int i);
int ann_dataset_find(const ann_dataset *dataset, const char *name);        /* -1 if absent */
int ann_dataset_classes(const ann_dataset *dataset);                       /* 0 if unlabelled */
const char *ann_dataset_class_name(const ann_dataset *dataset, int label); /* NULL if it has none */
int32_t ann_dataset_label(const ann_dataset *dataset, int64_t sample);     /* -1 if unlabelled or hidden */
bool ann_dataset_hides_labels(const ann_dataset *dataset);                 /* of any source */
/* Of the whole split, as the file's attribute says it; computed at open where there is none. With several
   sources: of all of theirs. */
uint64_t ann_dataset_checksum(const ann_dataset *dataset);
/* The same from the data: XXH3 of x as delivered, and that as the seed of XXH3 of y; it does not depend on
   how the file stores them. Reads the whole split. Errors: those of ann_dataset_read; ANN_ERR_ARG (labels
   that are hidden). Local. */
ann_status ann_dataset_compute_checksum(uint64_t *out, const ann_dataset *dataset) ANN_MUST_CHECK;
/* XXH3 of one field of the whole split, as delivered. A file of ours states it, for all fields but y, in
   the attribute "checksum" of the field: false if it does not (or if there are several sources). Local. */
bool ann_dataset_field_checksum(uint64_t *out, const ann_dataset *dataset, int field);
ann_status ann_dataset_compute_field_checksum(uint64_t *out, const ann_dataset *dataset,
                                              int field) ANN_MUST_CHECK;
/* What stands beside the fields and is none, one line each such as "/train/names: strings"; NULL after the
 * last. */
const char *ann_dataset_skipped(const ann_dataset *dataset, int i);
/* Copies field `field` of samples ids[0..n) into out, row by row. Errors: ANN_ERR_ARG (id out of range).
 * Local, thread-safe. */
ann_status ann_dataset_read(const ann_dataset *dataset, int field, const int64_t *ids, int64_t n,
                            void *out) ANN_MUST_CHECK;
/* A hint that samples [first, first + count) will be read soon. Cheap. Local, thread-safe. */
void ann_dataset_prefetch(const ann_dataset *dataset, int64_t first, int64_t count);
/* Reads samples [first, first + count) of every field into memory, once. From then on reads are served from
   there, and one outside the range is ANN_ERR_ARG. Not to be called while others read. Errors: ANN_ERR_ARG,
   ANN_ERR_MEMORY, those of reading. Local. */
ann_status ann_dataset_hold(ann_dataset *dataset, int64_t first, int64_t count) ANN_MUST_CHECK;
/* Errors: ANN_ERR_ARG (fewer samples than ranks: some rank's shard of every epoch would be empty). Local, the
 * same on every rank. */
ann_status ann_data_check_shards(const ann_dataset *dataset, int size) ANN_MUST_CHECK;
/* May a model made for `train` be evaluated on `test`? Errors: ANN_ERR_FORMAT (x or y is missing, a field is
   of another dtype or shape, or a label is outside the classes of `train`). Local. */
ann_status ann_data_check_match(const ann_dataset *train, const ann_dataset *test) ANN_MUST_CHECK;

/* ---- shards ---- */

/* Rank's share of the n positions from `first` on: [first + rank*n/size, first + (rank+1)*n/size). Local. */
void ann_data_shard(int64_t *shard_first, int64_t *shard_count, int64_t first, int64_t n, int rank, int size);

/* ---- the loader: batches of one rank's shard, read ahead by threads of its own ---- */

typedef struct ann_loader ann_loader;

typedef struct ann_loader_options {
    const ann_dataset *dataset;
    const ann_order *order; /* over the dataset's samples; its batch is that of all ranks */
    int rank, size;
    int64_t first_position; /* where the stream starts (resume) */
    int64_t end_position;   /* the last batch is cut here; must be > first_position */
    int depth;              /* batches read ahead; 0: adapts, from 2 to 64 (in at most 256 MiB) */
    int threads;            /* that read; 0: adapts, from 1 to max_threads */
    int max_threads;        /* 0: 1 */
    const ann_augment
        *augment; /* of field "x", by the same threads; NULL: none. It must outlive the loader */
    int views;    /* 0 or 1: one; 2: also "x2", the same samples augmented on their own */
} ann_loader_options;

/* A batch is valid until the next ann_loader_next. Rank r has positions first + [r*n/size, (r+1)*n/size) of a
 * global batch of n. */
typedef struct ann_batch {
    int64_t global_first, global_count; /* positions of the whole batch */
    int64_t first, count;               /* this rank's positions; count may be 0 in the last, cut batch */
    const int64_t *positions;  /* [count], 64-byte aligned; they are the sample ids of Philox draws */
    const int64_t *samples;    /* [count] indices in the dataset */
    const int64_t *epochs;     /* [count] what ann_order_at says */
    const void *const *fields; /* [field][count, ...], in the dataset's order, 64-byte aligned */
    const void *x2;            /* like field "x", the second of two views; NULL: there is one view */
    /* Of a mixup, [count] each, 64-byte aligned: the partner's label (-1: unlabelled) and lambda; NULL: there
     * is none. */
    const int32_t *y2;
    const float *mix;
} ann_batch;

/* Starts reading. The dataset and the order must outlive the loader. With a WINDOW order the blocks of the
 * next window are asked for (ann_dataset_prefetch) at each window's start. Errors: ANN_ERR_MEMORY,
 * ANN_ERR_ARG. Local. */
ann_status ann_loader_new(ann_loader **out, const ann_loader_options *options) ANN_MUST_CHECK;
/* The next batch, or *out = NULL at the end. Waits only if reading is behind. A read error is
   returned here, after the batches before it, and by every call from then on. Local. */
ann_status ann_loader_next(ann_loader *loader, const ann_batch **out) ANN_MUST_CHECK;
/* Time that ann_loader_next has waited so far. */
int64_t ann_loader_wait_ns(const ann_loader *loader);
/* To where they have adapted. */
int ann_loader_depth(const ann_loader *loader);
int ann_loader_threads(const ann_loader *loader);
void ann_loader_free(ann_loader *loader);

/* The ledger: a commutative hash of the (epoch, sample) pairs used. Adding all ranks' ledgers (wrapping sums
   of both words) and comparing with the expected one proves that each draw of the order was used exactly
   once: of an exact order (ann_order_exact), each sample of each epoch. */
typedef struct ann_ledger {
    uint64_t sum, count;
} ann_ledger;
void ann_ledger_add(ann_ledger *ledger, int64_t epoch, const int64_t *samples, int64_t n);
void ann_ledger_add_batch(ann_ledger *ledger, const ann_batch *batch);
/* The ledger of positions [first, end), each used once. Cost: O(end - first). */
ann_ledger ann_ledger_expected(const ann_order *order, int64_t first, int64_t end);

#endif
