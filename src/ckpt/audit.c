#include "ckpt/audit.h"

void anni_audit_begin(anni_audit *audit, const anni_manifest *manifest, const anni_shard *shard,
                      uint64_t *piece_hash) {
    audit->manifest = manifest;
    audit->shard = shard;
    audit->piece_hash = piece_hash;
    audit->next = 0;
    audit->at = 0;
    ann_hasher_begin(&audit->piece);
    ann_hasher_begin(&audit->rest);
}

static int64_t piece_end(const anni_audit *audit, const anni_piece *piece) {
    const ann_dtype dtype = audit->manifest->tensors[piece->tensor].dtype;
    return piece->offset_bytes + piece->elems * (int64_t)ann_dtype_bytes(dtype);
}

/* Feeds the first of `left` bytes, up to where a piece begins or ends; returns how many they were. */
static int64_t feed_run(anni_audit *audit, const char *data, int64_t left) {
    const bool any = audit->next < audit->shard->piece_count;
    const anni_piece *piece = any ? &audit->shard->pieces[audit->next] : NULL;
    const bool inside = any && audit->at >= piece->offset_bytes;
    const int64_t border = inside ? piece_end(audit, piece) : any ? piece->offset_bytes : INT64_MAX;
    const int64_t run = border - audit->at < left ? border - audit->at : left;
    ann_hasher_update(inside ? &audit->piece : &audit->rest, data, (size_t)run);
    audit->at += run;
    if (inside && audit->at == border) {
        audit->piece_hash[audit->next++] = ann_hasher_end(&audit->piece);
        ann_hasher_begin(&audit->piece);
    }
    return run;
}

void anni_audit_feed(anni_audit *audit, const void *data, size_t bytes) {
    const char *from = data;
    for (int64_t left = (int64_t)bytes; left > 0;) {
        const int64_t run = feed_run(audit, from, left);
        from += run;
        left -= run;
    }
}

uint64_t anni_audit_rest(const anni_audit *audit) { return ann_hasher_end(&audit->rest); }
