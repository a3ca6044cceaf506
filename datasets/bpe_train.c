/* Training of byte-pair encoding. The texts become a table of different pieces ("words") with their counts.
   For every pair of neighbouring tokens we keep how often it occurs and the words that it once occurred in,
   so a merge visits those words alone. */
#include "datasets/bpe.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

typedef struct word {
    const uint8_t *text; /* in the texts */
    int32_t size;        /* bytes */
    int32_t length;      /* tokens */
    int64_t count;
    int64_t first; /* of its tokens */
} word;

typedef struct pair {
    int32_t left, right;
    int64_t count;
    int64_t places; /* the newest of its places, -1: none */
} pair;

typedef struct place {
    int32_t word;
    int64_t before; /* -1: none */
} place;

/* What the heap is ordered by. An entry's count may be out of date, and is too large then, never too small:
 * only pairs with the token that was just made become more frequent. */
typedef struct entry {
    int64_t count;
    int32_t left, right, pair;
} entry;

/* A growing array and, for the first two, a table of open addressing with indices into it (-1: empty). */
typedef struct trainer {
    word *words;
    int64_t word_count, word_room;
    int32_t *word_table;
    uint64_t word_mask;
    pair *pairs;
    int64_t pair_count, pair_room;
    int32_t *pair_table;
    uint64_t pair_mask;
    place *places;
    int64_t place_count, place_room;
    entry *heap;
    int64_t heap_count, heap_room;
    int32_t *tokens; /* of all words */
    int32_t (*merges)[2];
    int merge_count;
} trainer;

static ann_status no_memory(void) {
    return ann_error(ANN_ERR_MEMORY, "out of memory for the pieces of the text");
}

/* Makes room for one more. */
static ann_status grow(void *array, int64_t count, int64_t *room, size_t size) {
    if (count < *room) return ANN_OK;
    if (count >= INT32_MAX) return ann_error(ANN_ERR_ARG, "the text has too many different pieces");
    const int64_t more = *room == 0 ? 1024 : 2 * *room;
    void *old, *grown;
    memcpy(&old, array, sizeof old);
    grown = realloc(old, (size_t)more * size);
    if (grown == NULL) return no_memory();
    memcpy(array, &grown, sizeof grown);
    *room = more;
    return ANN_OK;
}

/* ---- words ---- */

static uint64_t hash_word(const word *w) { return ann_hash(w->text, (size_t)w->size, 0); }

static ann_status new_table(int32_t **table, uint64_t *mask, uint64_t slots) {
    free(*table);
    *table = malloc(slots * sizeof **table);
    if (*table == NULL) return no_memory();
    memset(*table, 0xFF, slots * sizeof **table);
    *mask = slots - 1;
    return ANN_OK;
}

static int32_t *find_word(const trainer *t, const word *w) {
    uint64_t i = hash_word(w) & t->word_mask;
    for (; t->word_table[i] >= 0; i = (i + 1) & t->word_mask) {
        const word *have = &t->words[t->word_table[i]];
        if (have->size == w->size && memcmp(have->text, w->text, (size_t)w->size) == 0) break;
    }
    return &t->word_table[i];
}

static ann_status rehash_words(trainer *t) {
    ANN_TRY(new_table(&t->word_table, &t->word_mask, 2 * (t->word_mask + 1)));
    for (int64_t i = 0; i < t->word_count; i++) *find_word(t, &t->words[i]) = (int32_t)i;
    return ANN_OK;
}

static ann_status count_word(trainer *t, anni_bytes piece) {
    const word w = {
        .text = piece.data, .size = (int32_t)piece.size, .length = (int32_t)piece.size, .count = 1};
    int32_t *slot = find_word(t, &w);
    if (*slot >= 0) {
        t->words[*slot].count++;
        return ANN_OK;
    }
    ANN_TRY(grow(&t->words, t->word_count, &t->word_room, sizeof *t->words));
    *slot = (int32_t)t->word_count;
    t->words[t->word_count++] = w;
    return 2 * (uint64_t)t->word_count > t->word_mask ? rehash_words(t) : ANN_OK;
}

static ann_status count_words(trainer *t, anni_bytes text) {
    for (size_t at = 0; at < text.size;) {
        const anni_bytes rest = {text.data + at, text.size - at};
        const anni_bytes piece = {rest.data, anni_bpe_piece(rest)};
        if (piece.size > 1) ANN_TRY(count_word(t, piece));
        at += piece.size;
    }
    return ANN_OK;
}

static ann_status spell_words(trainer *t) {
    int64_t total = 0;
    for (int64_t i = 0; i < t->word_count; i++) {
        t->words[i].first = total;
        total += t->words[i].size;
    }
    t->tokens = calloc((size_t)total + 1, sizeof *t->tokens);
    if (t->tokens == NULL) return no_memory();
    for (int64_t i = 0; i < t->word_count; i++) {
        const word *w = &t->words[i];
        for (int32_t k = 0; k < w->size; k++) t->tokens[w->first + k] = w->text[k];
    }
    return ANN_OK;
}

/* ---- pairs ---- */

static int32_t *find_pair(const trainer *t, int32_t left, int32_t right) {
    const uint64_t key = (((uint64_t)(uint32_t)left << 32) | (uint32_t)right) * 0x9E3779B97F4A7C15u;
    uint64_t i = (key >> 24) & t->pair_mask;
    for (; t->pair_table[i] >= 0; i = (i + 1) & t->pair_mask) {
        const pair *have = &t->pairs[t->pair_table[i]];
        if (have->left == left && have->right == right) break;
    }
    return &t->pair_table[i];
}

static ann_status rehash_pairs(trainer *t) {
    ANN_TRY(new_table(&t->pair_table, &t->pair_mask, 2 * (t->pair_mask + 1)));
    for (int64_t i = 0; i < t->pair_count; i++)
        *find_pair(t, t->pairs[i].left, t->pairs[i].right) = (int32_t)i;
    return ANN_OK;
}

static ann_status add_place(trainer *t, pair *p, int32_t w) {
    if (p->places >= 0 && t->places[p->places].word == w) return ANN_OK;
    ANN_TRY(grow(&t->places, t->place_count, &t->place_room, sizeof *t->places));
    t->places[t->place_count] = (place){w, p->places};
    p->places = t->place_count++;
    return ANN_OK;
}

/* Counts one more pair of neighbours, in word w; `fresh`: w is no place of it yet, or it is the newest one.
 */
static ann_status add_pair(trainer *t, int32_t left, int32_t right, int32_t w, bool fresh) {
    int32_t *slot = find_pair(t, left, right);
    if (*slot < 0) {
        ANN_TRY(grow(&t->pairs, t->pair_count, &t->pair_room, sizeof *t->pairs));
        *slot = (int32_t)t->pair_count;
        t->pairs[t->pair_count++] = (pair){left, right, 0, -1};
        if (2 * (uint64_t)t->pair_count > t->pair_mask) {
            ANN_TRY(rehash_pairs(t));
            slot = find_pair(t, left, right);
        }
    }
    pair *p = &t->pairs[*slot];
    p->count += t->words[w].count;
    return fresh ? add_place(t, p, w) : ANN_OK;
}

/* ---- the heap: most frequent first, then the smallest left, then the smallest right token ---- */

static bool goes_before(const entry *a, const entry *b) {
    if (a->count != b->count) return a->count > b->count;
    return a->left != b->left ? a->left < b->left : a->right < b->right;
}

static void sift_down(trainer *t, int64_t at) {
    const entry moved = t->heap[at];
    for (int64_t child; (child = 2 * at + 1) < t->heap_count; at = child) {
        if (child + 1 < t->heap_count && goes_before(&t->heap[child + 1], &t->heap[child])) child++;
        if (!goes_before(&t->heap[child], &moved)) break;
        t->heap[at] = t->heap[child];
    }
    t->heap[at] = moved;
}

static ann_status push(trainer *t, int32_t index) {
    ANN_TRY(grow(&t->heap, t->heap_count, &t->heap_room, sizeof *t->heap));
    const pair *p = &t->pairs[index];
    const entry pushed = {p->count, p->left, p->right, index};
    int64_t at = t->heap_count++;
    for (; at > 0 && goes_before(&pushed, &t->heap[(at - 1) / 2]); at = (at - 1) / 2)
        t->heap[at] = t->heap[(at - 1) / 2];
    t->heap[at] = pushed;
    return ANN_OK;
}

/* Takes the most frequent pair out; -1 if none occurs twice. */
static int32_t pop(trainer *t) {
    while (t->heap_count > 0) {
        entry *top = &t->heap[0];
        const int64_t count = t->pairs[top->pair].count;
        if (top->count == count && count >= 2) {
            const int32_t best = top->pair;
            *top = t->heap[--t->heap_count];
            sift_down(t, 0);
            return best;
        }
        top->count = count;
        if (count < 2) *top = t->heap[--t->heap_count];
        sift_down(t, 0);
    }
    return -1;
}

/* ---- merging ---- */

/* Takes the word's pairs out of the counts, joins, and counts the pairs that it has now. */
static ann_status rewrite_word(trainer *t, int32_t index, int32_t left, int32_t right, int32_t made) {
    word *w = &t->words[index];
    int32_t *tokens = t->tokens + w->first, kept = 0;
    bool has = false;
    for (int32_t i = 0; i + 1 < w->length; i++) has |= tokens[i] == left && tokens[i + 1] == right;
    if (!has) return ANN_OK;
    for (int32_t i = 0; i + 1 < w->length; i++)
        t->pairs[*find_pair(t, tokens[i], tokens[i + 1])].count -= w->count;
    for (int32_t i = 0; i < w->length; i++) {
        const bool joins = i + 1 < w->length && tokens[i] == left && tokens[i + 1] == right;
        tokens[kept++] = joins ? made : tokens[i];
        i += joins;
    }
    w->length = kept;
    for (int32_t i = 0; i + 1 < kept; i++) {
        const bool fresh = tokens[i] == made || tokens[i + 1] == made;
        ANN_TRY(add_pair(t, tokens[i], tokens[i + 1], index, fresh));
    }
    return ANN_OK;
}

static ann_status merge(trainer *t, int32_t best) {
    const pair p = t->pairs[best];
    const int64_t first_new = t->pair_count;
    const int32_t made = ANNI_BPE_BYTES + t->merge_count;
    t->merges[t->merge_count][0] = p.left;
    t->merges[t->merge_count++][1] = p.right;
    for (int64_t i = p.places; i >= 0; i = t->places[i].before)
        ANN_TRY(rewrite_word(t, t->places[i].word, p.left, p.right, made));
    for (int64_t i = first_new; i < t->pair_count; i++) ANN_TRY(push(t, (int32_t)i));
    return ANN_OK;
}

static ann_status train(trainer *t, const anni_bytes *texts, int text_count, int merges) {
    t->merges = malloc(((size_t)merges + 1) * sizeof *t->merges);
    if (t->merges == NULL) return no_memory();
    ANN_TRY(grow(&t->words, 0, &t->word_room, sizeof *t->words));
    ANN_TRY(new_table(&t->word_table, &t->word_mask, 1024));
    ANN_TRY(new_table(&t->pair_table, &t->pair_mask, 1024));
    for (int i = 0; i < text_count; i++) ANN_TRY(count_words(t, texts[i]));
    ANN_TRY(spell_words(t));
    for (int64_t w = 0; w < t->word_count; w++) {
        const int32_t *tokens = t->tokens + t->words[w].first;
        for (int32_t i = 0; i + 1 < t->words[w].length; i++)
            ANN_TRY(add_pair(t, tokens[i], tokens[i + 1], (int32_t)w, true));
    }
    for (int64_t i = 0; i < t->pair_count; i++) ANN_TRY(push(t, (int32_t)i));
    while (t->merge_count < merges) {
        const int32_t best = pop(t);
        if (best < 0) break;
        ANN_TRY(merge(t, best));
    }
    return ANN_OK;
}

ann_status anni_bpe_train(anni_bpe **out, const anni_bytes *texts, int text_count, int vocabulary) {
    *out = NULL;
    if (vocabulary < ANNI_BPE_BYTES || vocabulary > ANNI_BPE_MAX_VOCABULARY)
        return ann_error(ANN_ERR_ARG, "a vocabulary of %d tokens, accepted: %d to %d", vocabulary,
                         ANNI_BPE_BYTES, ANNI_BPE_MAX_VOCABULARY);
    trainer t = {0};
    ann_status status = train(&t, texts, text_count, vocabulary - ANNI_BPE_BYTES);
    if (status == ANN_OK)
        status = anni_bpe_make(out, (const int32_t(*)[2])t.merges, t.merge_count, "the trained merges");
    free(t.words);
    free(t.word_table);
    free(t.pairs);
    free(t.pair_table);
    free(t.places);
    free(t.heap);
    free(t.tokens);
    free(t.merges);
    return status;
}
