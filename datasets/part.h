/* One dataset file while it is being written: OUT.part, which becomes OUT when it is complete. Private to
   datasets/.

   HDF5 1.10 crashes at the end of the process if closing a file failed, so the disk must not become full
   while it writes: the space of the whole file is reserved first, and what HDF5 writes after the first close
   is overwritten in place. The values of contiguous fields do not go through HDF5 at all, but to the place
   that it gave them: so the file is a closed one all the time, and a killed import goes on in it. */
#ifndef ANN_DATASETS_PART_H
#define ANN_DATASETS_PART_H

#include "data/h5.h"
#include "datasets/write.h"

ann_status anni_io_error(const char *path) ANN_MUST_CHECK; /* of errno */
const char *anni_base_name(const char *path);              /* without folders */

typedef struct anni_group {
    const char *name;                 /* of the split */
    int64_t capacity;                 /* samples there is room for */
    hid_t fields[ANNI_MAX_FIELDS];    /* chunked: open datasets */
    int64_t offsets[ANNI_MAX_FIELDS]; /* contiguous: where the values begin in the file */
} anni_group;

typedef struct anni_part {
    const ann_import_options *options;
    const anni_source *source;
    ann_arena *arena;
    const char *path; /* OUT */
    const char *part; /* OUT.part */
    bool is_shard; /* of a dataset whose index holds what concerns the whole: normalisation and provenance */
    anni_group groups[ANNI_MAX_SPLITS];
    int group_count;
    bool is_open;
    int fd;     /* contiguous */
    hid_t file; /* chunked */
} anni_part;

/* Prepares `part`; name and capacity of its groups are set by the caller before create or reopen. */
void anni_part_init(anni_part *part, const ann_import_options *options, const anni_source *source,
                    ann_arena *arena, const char *path, const char *part_path);
/* Makes the file. Errors: ANN_ERR_NOSPACE, ANN_ERR_IO, ANN_ERR_MEMORY; nothing is left then. */
ann_status anni_part_create(anni_part *part) ANN_MUST_CHECK;
/* Opens what an interrupted import left (contiguous only); *found: whether it is there and whole. */
ann_status anni_part_reopen(anni_part *part, bool *found) ANN_MUST_CHECK;
/* Samples [first, first+n) of a group; values[f]: field f of all n. */
ann_status anni_part_write(anni_part *part, int group, int64_t first, int64_t n,
                           void *const *values) ANN_MUST_CHECK;
/* Returns when all that was written is on the disk (contiguous only). */
ann_status anni_part_sync(anni_part *part) ANN_MUST_CHECK;
/* Makes the file complete with rows[g] samples of each group, and renames it. */
ann_status anni_part_commit(anni_part *part, const int64_t *rows, int64_t skipped) ANN_MUST_CHECK;
/* Closes it; the file stays (contiguous: so that it can be reopened) or goes. */
void anni_part_close(anni_part *part, bool remove);

/* Makes the index of shards: a file whose fields are virtual datasets over the files of anni_shard_path,
   which lie beside it. The groups' capacity is their number of samples. */
ann_status anni_index_write(anni_part *part, int64_t skipped) ANN_MUST_CHECK;
/* OUT-SPLIT-00003.h5 for OUT.h5. NULL when memory is exhausted. */
char *anni_shard_path(const char *out, const char *split, int64_t shard, ann_arena *arena);

/* ---- shared by the parts of the writer ---- */

hid_t anni_type_stored(anni_type type);
hid_t anni_create_group(hid_t file, const char *name);
hid_t anni_create_h5(const char *path, bool is_index); /* with the settings of every file here */
/* The attributes of the file; those that are known at the end get their place. */
ann_status anni_put_attributes(const anni_part *part, hid_t file) ANN_MUST_CHECK;
ann_status anni_put_field_attributes(const anni_part *part, const anni_field *field,
                                     hid_t dataset) ANN_MUST_CHECK;
/* Their values: normalisation, checksums, provenance, skipped. Reads all data of the file once. */
ann_status anni_finish(const anni_part *part, int64_t skipped) ANN_MUST_CHECK;
/* To the disk, and renamed; then the folder to the disk. */
ann_status anni_rename_into_place(const anni_part *part) ANN_MUST_CHECK;
/* A hash of each input file; "NAME xxh3:HASH". */
ann_status anni_hash_file(uint64_t *out, const char *path) ANN_MUST_CHECK;

#endif
