#include "datasets/bpe.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Merges are found by their pair in a table of open addressing that is at most half full. */
typedef struct slot {
    int32_t left, right;
    int32_t merge; /* -1: empty */
} slot;

struct anni_bpe {
    int count;            /* of merges */
    int32_t (*merges)[2]; /* [count] */
    int64_t *offsets;     /* [256 + count + 1]: token t is bytes[offsets[t] .. offsets[t+1]) */
    uint8_t *bytes;
    slot *table;
    uint32_t mask;
};

enum { NO_MERGE = INT32_MAX };

/* ---- pieces ---- */

enum { LETTER, DIGIT, SPACE, OTHER };

static int kind(uint8_t c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 128) return LETTER;
    if (c >= '0' && c <= '9') return DIGIT;
    if (c == ' ' || (c >= '\t' && c <= '\r')) return SPACE;
    return OTHER;
}

size_t anni_bpe_piece(anni_bytes text) {
    const size_t limit = text.size < ANNI_BPE_PIECE ? text.size : ANNI_BPE_PIECE;
    size_t start = 0;
    if (limit == 0) return 0;
    if (kind(text.data[0]) == SPACE) {
        size_t end = 1;
        while (end < limit && kind(text.data[end]) == SPACE) end++;
        if (end == text.size || kind(text.data[end]) == SPACE || text.data[end - 1] != ' ') return end;
        if (end > 1) return end - 1; /* the last space opens the next piece */
        start = 1;
    }
    size_t end = start + 1;
    while (end < limit && kind(text.data[end]) == kind(text.data[start])) end++;
    return end;
}

/* ---- merges ---- */

static uint32_t hash_pair(int32_t left, int32_t right) {
    const uint64_t key = ((uint64_t)(uint32_t)left << 32) | (uint32_t)right;
    return (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 32);
}

/* The slot of a pair, or the empty one where it would be. */
static slot *find_slot(const anni_bpe *bpe, int32_t left, int32_t right) {
    uint32_t i = hash_pair(left, right) & bpe->mask;
    while (bpe->table[i].merge >= 0 && (bpe->table[i].left != left || bpe->table[i].right != right))
        i = (i + 1) & bpe->mask;
    return &bpe->table[i];
}

static int32_t find_merge(const anni_bpe *bpe, int32_t left, int32_t right) {
    const int32_t merge = find_slot(bpe, left, right)->merge;
    return merge < 0 ? NO_MERGE : merge;
}

static int64_t token_size(const anni_bpe *bpe, int32_t token) {
    return bpe->offsets[token + 1] - bpe->offsets[token];
}

/* Lengths first: what a hostile file asks for is refused before it is allocated. */
static ann_status measure(anni_bpe *bpe, const char *name) {
    for (int32_t t = 0; t < ANNI_BPE_BYTES; t++) bpe->offsets[t + 1] = t + 1;
    for (int m = 0; m < bpe->count; m++) {
        const int32_t left = bpe->merges[m][0], right = bpe->merges[m][1], token = ANNI_BPE_BYTES + m;
        const int64_t size = token_size(bpe, left) + token_size(bpe, right);
        if (size > ANNI_BPE_PIECE) {
            return ann_error(ANN_ERR_FORMAT, "%s: merge %d makes a token of %lld bytes, accepted: up to %d",
                             name, m, (long long)size, ANNI_BPE_PIECE);
        }
        bpe->offsets[token + 1] = bpe->offsets[token] + size;
        slot *s = find_slot(bpe, left, right);
        if (s->merge >= 0) {
            return ann_error(ANN_ERR_FORMAT, "%s: merge %d joins the same tokens as merge %d", name, m,
                             s->merge);
        }
        *s = (slot){left, right, m};
    }
    return ANN_OK;
}

static void spell(anni_bpe *bpe) {
    for (int t = 0; t < ANNI_BPE_BYTES; t++) bpe->bytes[t] = (uint8_t)t;
    for (int m = 0; m < bpe->count; m++) {
        uint8_t *at = bpe->bytes + bpe->offsets[ANNI_BPE_BYTES + m];
        const anni_bytes left = anni_bpe_token(bpe, bpe->merges[m][0]);
        const anni_bytes right = anni_bpe_token(bpe, bpe->merges[m][1]);
        memcpy(at, left.data, left.size);
        memcpy(at + left.size, right.data, right.size);
    }
}

static ann_status make_into(anni_bpe *bpe, const int32_t (*merges)[2], int count, const char *name) {
    uint32_t slots = 16;
    while (slots < 2 * (uint32_t)count + 2) slots *= 2;
    bpe->count = count;
    bpe->mask = slots - 1;
    bpe->merges = malloc(((size_t)count + 1) * sizeof *bpe->merges);
    bpe->offsets = calloc(ANNI_BPE_BYTES + (size_t)count + 1, sizeof *bpe->offsets);
    bpe->table = malloc(slots * sizeof *bpe->table);
    if (bpe->merges == NULL || bpe->offsets == NULL || bpe->table == NULL)
        return ann_error(ANN_ERR_MEMORY, "%s: out of memory", name);
    if (count > 0) memcpy(bpe->merges, merges, (size_t)count * sizeof *bpe->merges);
    for (uint32_t i = 0; i < slots; i++) bpe->table[i].merge = -1;
    ANN_TRY(measure(bpe, name));
    bpe->bytes = malloc((size_t)bpe->offsets[ANNI_BPE_BYTES + count]);
    if (bpe->bytes == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", name);
    spell(bpe);
    return ANN_OK;
}

ann_status anni_bpe_make(anni_bpe **out, const int32_t (*merges)[2], int count, const char *name) {
    *out = NULL;
    anni_bpe *bpe = calloc(1, sizeof *bpe);
    if (bpe == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", name);
    const ann_status status = make_into(bpe, merges, count, name);
    if (status != ANN_OK) {
        anni_bpe_free(bpe);
        return status;
    }
    *out = bpe;
    return ANN_OK;
}

void anni_bpe_free(anni_bpe *bpe) {
    if (bpe == NULL) return;
    free(bpe->merges);
    free(bpe->offsets);
    free(bpe->bytes);
    free(bpe->table);
    free(bpe);
}

int anni_bpe_vocabulary(const anni_bpe *bpe) { return ANNI_BPE_BYTES + bpe->count; }
const int32_t *anni_bpe_merge(const anni_bpe *bpe, int merge) { return bpe->merges[merge]; }

anni_bytes anni_bpe_token(const anni_bpe *bpe, int32_t token) {
    return (anni_bytes){bpe->bytes + bpe->offsets[token], (size_t)token_size(bpe, token)};
}

/* ---- encoding and decoding ---- */

/* Makes one merge wherever ranks say so. ranks[i]: the merge that joins tokens i and i + 1;
 * there is one for the last token, too. */
static int join(const anni_bpe *bpe, int32_t merge, int32_t *tokens, int32_t *ranks, int count) {
    const int32_t made = ANNI_BPE_BYTES + merge;
    int kept = 0;
    for (int i = 0; i < count; i++, kept++) {
        const bool joins = ranks[i] == merge;
        tokens[kept] = joins ? made : tokens[i];
        i += joins;
        ranks[kept] = ranks[i];
    }
    for (int i = 0; i + 1 < kept; i++) {
        if (tokens[i] == made || tokens[i + 1] == made) ranks[i] = find_merge(bpe, tokens[i], tokens[i + 1]);
    }
    return kept;
}

static int encode_piece(const anni_bpe *bpe, const uint8_t *piece, int size, int32_t *tokens) {
    int32_t ranks[ANNI_BPE_PIECE];
    int count = size;
    for (int i = 0; i < count; i++) tokens[i] = piece[i];
    ranks[count - 1] = NO_MERGE;
    for (int i = 0; i + 1 < count; i++) ranks[i] = find_merge(bpe, tokens[i], tokens[i + 1]);
    for (;;) {
        int32_t earliest = NO_MERGE;
        for (int i = 0; i + 1 < count; i++) earliest = ranks[i] < earliest ? ranks[i] : earliest;
        if (earliest == NO_MERGE) return count;
        count = join(bpe, earliest, tokens, ranks, count);
    }
}

int64_t anni_bpe_encode(const anni_bpe *bpe, anni_bytes text, int32_t *tokens, int64_t room, size_t *used) {
    int64_t count = 0;
    *used = 0;
    while (*used < text.size && room - count >= ANNI_BPE_PIECE) {
        const anni_bytes rest = {text.data + *used, text.size - *used};
        const size_t size = anni_bpe_piece(rest);
        count += encode_piece(bpe, rest.data, (int)size, tokens + count);
        *used += size;
    }
    return count;
}

ann_status anni_bpe_decode(const anni_bpe *bpe, const int32_t *tokens, int64_t count, uint8_t *out,
                           size_t room, size_t *size) {
    *size = 0;
    for (int64_t i = 0; i < count; i++) {
        if (tokens[i] < 0 || tokens[i] >= anni_bpe_vocabulary(bpe)) {
            return ann_error(ANN_ERR_ARG, "token %lld is %d, accepted: 0 to %d", (long long)i, tokens[i],
                             anni_bpe_vocabulary(bpe) - 1);
        }
        const anni_bytes token = anni_bpe_token(bpe, tokens[i]);
        if (*size < room) {
            const size_t fits = token.size < room - *size ? token.size : room - *size;
            memcpy(out + *size, token.data, fits);
        }
        *size += token.size;
    }
    return ANN_OK;
}
