#include "ckpt/snapshot.h"

#include <stdio.h>
#include <string.h>
#include "ckpt/image.h"

/* ---- layout: a dataset "block-N" for each block of which this shard has a range ---- */

static hid_t create_dataset(hid_t file, const char *name, ann_dtype dtype, int64_t elems) {
    const hsize_t extent = (hsize_t)elems;
    const hid_t space = H5Screate_simple(1, &extent, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = -1;
    if (space >= 0 && creation >= 0 && H5Pset_layout(creation, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER) >= 0)
        dataset = H5Dcreate2(file, name, anni_image_type(dtype), space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (creation >= 0) H5Pclose(creation);
    if (space >= 0) H5Sclose(space);
    return dataset;
}

static ann_status describe(hid_t dataset, const anni_block *block, int64_t begin) {
    ANN_TRY(anni_image_attr_str(dataset, "block", block->name));
    ANN_TRY(anni_image_attr_i64(dataset, "block_elems", block->elems));
    return anni_image_attr_i64(dataset, "begin", begin);
}

/* *offset_bytes: where the dataset is. */
static ann_status lay_out_block(int64_t *offset_bytes, hid_t file, const anni_span *span,
                                const anni_block *block, int index) {
    char name[32];
    (void)snprintf(name, sizeof name, "block-%06d", index);
    const hid_t dataset = create_dataset(file, name, block->dtype, span->elems);
    if (dataset < 0) return anni_image_error(name);
    *offset_bytes = (int64_t)H5Dget_offset(dataset);
    const ann_status status =
        *offset_bytes > 0 ? describe(dataset, block, span->begin) : anni_image_error(name);
    H5Dclose(dataset);
    return status;
}

/* `fixed`: the spans have their places, which must come out again. */
static ann_status lay_out_blocks(hid_t file, const anni_snapshot *s, const anni_manifest *m, bool fixed) {
    ANN_TRY(anni_image_attr_str(file, "format", "annulus-checkpoint-shard"));
    ANN_TRY(anni_image_attr_i64(file, "step", m->step));
    ANN_TRY(anni_image_attr_i64(file, "shard", s->shard));
    ANN_TRY(anni_image_attr_i64(file, "shards", m->shard_count));
    int64_t offset = 0, end = 0;
    for (int i = 0; i < m->block_count; i++) {
        anni_span *span = &s->spans[i];
        if (span->elems == 0) continue;
        ANN_TRY(lay_out_block(&offset, file, span, &m->blocks[i], i));
        if (offset < end || (fixed && offset != span->offset_bytes))
            return ann_error(ANN_ERR_INTERNAL, "HDF5 placed block %s out of order", m->blocks[i].name);
        span->offset_bytes = offset;
        end = offset + (int64_t)span->bytes;
    }
    return ANN_OK;
}

static ann_status lay_out(anni_image *image, const anni_snapshot *s, const anni_manifest *m, bool fixed) {
    size_t metadata_bytes = 4096;
    for (int i = 0; i < m->block_count; i++)
        metadata_bytes += 768 + strlen(m->blocks[i].name); /* measured: 450 and the name */
    ANN_TRY(anni_image_begin(image, metadata_bytes));
    return anni_image_end(image, lay_out_blocks(image->file, s, m, fixed));
}

/* ---- before the first checkpoint ---- */

static ann_status find_spans(anni_snapshot *s, const anni_manifest *m) {
    s->spans = ann_arena_alloc(m->arena, (size_t)(m->block_count + 1) * sizeof *s->spans);
    if (!s->spans) return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's layout");
    for (int i = 0; i < m->block_count; i++) {
        anni_span *span = &s->spans[i];
        anni_shard_range(&span->begin, &span->elems, m->blocks[i].elems, s->shard, m->shard_count);
        span->bytes = (size_t)span->elems * ann_dtype_bytes(m->blocks[i].dtype);
    }
    return ANN_OK;
}

static void place_pieces(anni_shard *shard, const anni_manifest *m, const anni_span *spans) {
    for (int i = 0; i < shard->piece_count; i++) {
        anni_piece *piece = &shard->pieces[i];
        const ann_tensor_info *t = &m->tensors[piece->tensor];
        const anni_span *s = &spans[t->block.id];
        const int64_t first = t->offset_elems + piece->begin - s->begin; /* in the dataset */
        piece->offset_bytes = s->offset_bytes + first * (int64_t)ann_dtype_bytes(t->dtype);
    }
}

ann_status anni_snapshot_init(anni_snapshot *out, anni_manifest *manifest, int shard) {
    anni_image image;
    void *data;
    *out = (anni_snapshot){.shard = shard};
    ANN_TRY(find_spans(out, manifest));
    ANN_TRY(lay_out(&image, out, manifest, false));
    out->file_bytes = image.file_bytes;
    out->bytes = ann_align_up((size_t)image.file_bytes, ANNI_PAGE_BYTES);
    anni_image_free(&image);
    /* What is smaller than a huge page is only aligned to a cache line by ann_mem_alloc. */
    ANN_TRY(ann_mem_alloc(&data, ann_align_up(out->bytes, (size_t)2 << 20)));
    out->data = data;
    for (size_t at = 0; at < out->bytes; at += ANNI_PAGE_BYTES) ((volatile char *)out->data)[at] = 0;
    place_pieces(&manifest->shards[shard], manifest, out->spans);
    manifest->shards[shard].file_bytes = out->file_bytes;
    return ANN_OK;
}

void anni_snapshot_fini(anni_snapshot *snapshot) {
    ann_mem_free(snapshot->data, ann_align_up(snapshot->bytes, (size_t)2 << 20));
    snapshot->data = NULL;
}

/* ---- for each checkpoint ---- */

void anni_snapshot_take(anni_snapshot *snapshot, const anni_manifest *manifest, const ann_store *store) {
    for (int i = 0; i < manifest->block_count; i++) {
        const anni_span *s = &snapshot->spans[i];
        if (s->elems == 0) continue;
        const char *block = ann_store_block_data(store, (ann_block){manifest->blocks[i].in_store});
        memcpy(snapshot->data + s->offset_bytes,
               block + (size_t)s->begin * ann_dtype_bytes(manifest->blocks[i].dtype), s->bytes);
    }
}

/* Bytes [from, to) of the file: what the image has of them, then zeros. */
static void fill_gap(char *data, const anni_image *image, int64_t from, int64_t to) {
    const int64_t in_image = (int64_t)image->bytes < to ? (int64_t)image->bytes : to;
    const int64_t copied = in_image > from ? in_image - from : 0;
    if (copied > 0) memcpy(data + from, (const char *)image->data + from, (size_t)copied);
    memset(data + from + copied, 0, (size_t)(to - from - copied));
}

ann_status anni_snapshot_label(anni_snapshot *snapshot, const anni_manifest *manifest) {
    anni_image image;
    ANN_TRY(lay_out(&image, snapshot, manifest, true));
    int64_t at = 0;
    const bool same = image.file_bytes == snapshot->file_bytes;
    for (int i = 0; same && i < manifest->block_count; i++) {
        const anni_span *s = &snapshot->spans[i];
        if (s->elems == 0) continue;
        fill_gap(snapshot->data, &image, at, s->offset_bytes);
        at = s->offset_bytes + (int64_t)s->bytes;
    }
    if (same) fill_gap(snapshot->data, &image, at, snapshot->file_bytes);
    anni_image_free(&image);
    return same ? ANN_OK : ann_error(ANN_ERR_INTERNAL, "HDF5 lays a shard out in two ways");
}
