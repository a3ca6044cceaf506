/* Byte-pair encoding against a naive implementation: same merges, same tokens, exact round trips. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/philox.h"
#include "datasets/bpe.h"
#include "fixture.h"

enum { SMALL = 3000, MAX_MERGES = 200 };

static anni_bytes text_of(const char *text) { return (anni_bytes){(const uint8_t *)text, strlen(text)}; }

/* Bytes from `kinds` of some alphabet, so that runs, overlaps ("aaaa") and ties are frequent. */
static void fill(uint8_t *out, size_t size, const char *alphabet, size_t kinds, uint64_t seed) {
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)alphabet[ann_random_u32(seed, 0, i, 0) % (uint32_t)kinds];
}

/* ---- pieces ---- */

static void check_pieces(const char *text, const char *const *want) {
    anni_bytes rest = text_of(text);
    while (rest.size > 0) {
        const size_t size = anni_bpe_piece(rest);
        assert_non_null(*want);
        if (size != strlen(*want) || memcmp(rest.data, *want, size) != 0)
            fail_msg("piece \"%.*s\" of \"%s\", not \"%s\"", (int)size, (const char *)rest.data, text, *want);
        rest.data += size;
        rest.size -= size;
        want++;
    }
    assert_null(*want);
}

static void test_pieces(void **state) {
    (void)state;
    check_pieces("of the  day.\n", (const char *[]){"of", " the", " ", " day", ".", "\n", NULL});
    check_pieces("a1 22?! b", (const char *[]){"a", "1", " 22", "?!", " b", NULL});
    check_pieces(" \n x \n", (const char *[]){" \n", " x", " \n", NULL});
    check_pieces("\tx\xC3\xA9y ", (const char *[]){"\t", "x\xC3\xA9y", " ", NULL});
    check_pieces("", (const char *[]){NULL});
    char runs[1001];
    for (size_t i = 0; i < 2; i++) {
        memset(runs, i == 0 ? 'a' : ' ', 1000);
        runs[1000] = '\0';
        anni_bytes rest = text_of(runs);
        for (size_t left = 1000; left > 0; left -= left < ANNI_BPE_PIECE ? left : ANNI_BPE_PIECE) {
            rest = (anni_bytes){(const uint8_t *)runs + 1000 - left, left};
            assert_int_equal(anni_bpe_piece(rest), left < ANNI_BPE_PIECE ? left : ANNI_BPE_PIECE);
        }
    }
}

/* ---- the naive implementation: all neighbours counted anew for each merge ---- */

typedef struct naive {
    int32_t tokens[SMALL];
    bool opens[SMALL]; /* a piece begins here */
    int count;
    int32_t merges[MAX_MERGES][2];
    int merge_count;
} naive;

static void naive_load(naive *n, anni_bytes text) {
    n->count = (int)text.size;
    for (size_t at = 0; at < text.size;) {
        const size_t size = anni_bpe_piece((anni_bytes){text.data + at, text.size - at});
        for (size_t i = 0; i < size; i++) {
            n->tokens[at + i] = text.data[at + i];
            n->opens[at + i] = i == 0;
        }
        at += size;
    }
}

static bool is_pair(const naive *n, int i) { return i + 1 < n->count && !n->opens[i + 1]; }

static void naive_join(naive *n, int32_t left, int32_t right, int32_t made) {
    int kept = 0;
    for (int i = 0; i < n->count; i++, kept++) {
        const bool joins = is_pair(n, i) && n->tokens[i] == left && n->tokens[i + 1] == right;
        n->tokens[kept] = joins ? made : n->tokens[i];
        n->opens[kept] = n->opens[i];
        i += joins;
    }
    n->count = kept;
}

static int naive_count(const naive *n, int32_t left, int32_t right) {
    int count = 0;
    for (int i = 0; i < n->count; i++)
        count += is_pair(n, i) && n->tokens[i] == left && n->tokens[i + 1] == right;
    return count;
}

static bool naive_step(naive *n) {
    int best = -1, most = 1;
    for (int i = 0; i < n->count; i++) {
        if (!is_pair(n, i)) continue;
        const int32_t left = n->tokens[i], right = n->tokens[i + 1];
        const int count = naive_count(n, left, right);
        const bool smaller =
            best >= 0 && (left < n->tokens[best] || (left == n->tokens[best] && right < n->tokens[best + 1]));
        if (count > most || (count == most && count >= 2 && smaller)) best = i, most = count;
    }
    if (best < 0) return false;
    const int32_t left = n->tokens[best], right = n->tokens[best + 1];
    n->merges[n->merge_count][0] = left;
    n->merges[n->merge_count][1] = right;
    naive_join(n, left, right, ANNI_BPE_BYTES + n->merge_count++);
    return true;
}

static void compare_with_naive(anni_bytes text, int merges) {
    static naive n;
    static int32_t tokens[SMALL + ANNI_BPE_PIECE];
    memset(&n, 0, sizeof n);
    naive_load(&n, text);
    while (n.merge_count < merges && naive_step(&n)) {
    }
    anni_bpe *bpe;
    check_ok(anni_bpe_train(&bpe, &text, 1, ANNI_BPE_BYTES + merges));
    assert_int_equal(anni_bpe_vocabulary(bpe), ANNI_BPE_BYTES + n.merge_count);
    for (int m = 0; m < n.merge_count; m++) assert_memory_equal(anni_bpe_merge(bpe, m), n.merges[m], 8);
    size_t used;
    const int64_t count = anni_bpe_encode(bpe, text, tokens, SMALL + ANNI_BPE_PIECE, &used);
    assert_int_equal(used, text.size);
    assert_int_equal(count, n.count);
    assert_memory_equal(tokens, n.tokens, (size_t)count * sizeof *tokens);
    anni_bpe_free(bpe);
}

static void test_against_naive(void **state) {
    (void)state;
    static uint8_t text[SMALL];
    const char *const alphabets[] = {"ab", "aab ", "the cat, 12\n", "a"};
    for (uint64_t seed = 0; seed < 12; seed++) {
        const char *alphabet = alphabets[seed % 4];
        const size_t size = 20 + (size_t)(ann_random_u32(seed, 1, 0, 0) % 600);
        fill(text, size, alphabet, strlen(alphabet), seed);
        compare_with_naive((anni_bytes){text, size}, 40);
    }
    compare_with_naive(text_of("low low low low low lower lower newest newest newest newest newest newest "
                               "widest widest widest"),
                       MAX_MERGES);
}

/* ---- round trips ---- */

static void check_round_trip(const anni_bpe *bpe, anni_bytes text, int64_t room) {
    int32_t *tokens = malloc((size_t)room * sizeof *tokens);
    uint8_t *back = malloc(text.size + 1);
    size_t at = 0, whole = 0;
    assert_true(tokens != NULL && back != NULL);
    while (at < text.size) {
        size_t used, size;
        const anni_bytes rest = {text.data + at, text.size - at};
        const int64_t count = anni_bpe_encode(bpe, rest, tokens, room, &used);
        assert_true(used > 0 && count > 0 && count <= room);
        check_ok(anni_bpe_decode(bpe, tokens, count, back + whole, text.size - whole, &size));
        at += used;
        whole += size;
    }
    assert_int_equal(whole, text.size);
    assert_memory_equal(back, text.data, text.size);
    free(tokens);
    free(back);
}

static void test_round_trip_of_random_bytes(void **state) {
    (void)state;
    enum { BYTES = 200000 };
    uint8_t *bytes = malloc(BYTES);
    assert_non_null(bytes);
    for (size_t i = 0; i < BYTES; i++) bytes[i] = (uint8_t)ann_random_u32(7, 0, i, 0);
    for (size_t i = 1000; i < 3000; i++) bytes[i] = 'a'; /* longer than a piece */
    const anni_bytes text = {bytes, BYTES};
    anni_bpe *bpe;
    check_ok(anni_bpe_train(&bpe, &text, 1, 600));
    assert_int_equal(anni_bpe_vocabulary(bpe), 600);
    check_round_trip(bpe, text, BYTES + ANNI_BPE_PIECE);
    check_round_trip(bpe, text, ANNI_BPE_PIECE);
    anni_bpe_free(bpe);
    check_ok(anni_bpe_train(&bpe, NULL, 0, 300)); /* nothing learnt: bytes */
    assert_int_equal(anni_bpe_vocabulary(bpe), 256);
    check_round_trip(bpe, text, BYTES + ANNI_BPE_PIECE);
    anni_bpe_free(bpe);
    free(bytes);
}

static void test_tinyshakespeare(void **state) {
    (void)state;
    const char *folder = getenv("ANNULUS_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/tinyshakespeare.txt", folder != NULL ? folder : "../shared/datasets");
    anni_bytes text;
    if (anni_bytes_map(&text, path) != ANN_OK) {
        print_message("skipped: %s\n", ann_error_text());
        skip();
    }
    anni_bpe *bpe;
    check_ok(anni_bpe_train(&bpe, &text, 1, 1000));
    assert_int_equal(anni_bpe_vocabulary(bpe), 1000);
    check_round_trip(bpe, text, 100000);
    /* The first merges by counting with another program (tests/reference/count_pairs.py): " t", "he", " a".
     */
    static const char *const first[] = {" t", "he", " a"};
    for (int m = 0; m < 3; m++) {
        const anni_bytes token = anni_bpe_token(bpe, ANNI_BPE_BYTES + m);
        assert_int_equal(token.size, strlen(first[m]));
        assert_memory_equal(token.data, first[m], token.size);
    }
    anni_bpe_free(bpe);
    anni_bytes_unmap(&text);
}

/* ---- the file ---- */

static void test_file(void **state) {
    (void)state;
    const anni_bytes text = text_of("the cat the hat the bat");
    const char *path = fixture_path("small.bpe");
    anni_bpe *bpe, *again;
    check_ok(anni_bpe_train(&bpe, &text, 1, 260));
    check_ok(anni_bpe_write(bpe, path));
    assert_int_equal(fixture_count(".part"), 0);
    check_ok(anni_bpe_read(&again, path));
    assert_int_equal(anni_bpe_vocabulary(again), anni_bpe_vocabulary(bpe));
    for (int m = 0; m < anni_bpe_vocabulary(bpe) - ANNI_BPE_BYTES; m++)
        assert_memory_equal(anni_bpe_merge(again, m), anni_bpe_merge(bpe, m), 8);
    anni_bpe_free(again);
    anni_bpe_free(bpe);
    size_t size;
    uint8_t *bytes = fixture_bytes(path, &size);
    for (size_t cut = 0; cut < size; cut++) { /* no prefix is a file */
        assert_int_not_equal(anni_bpe_parse(&again, (anni_bytes){bytes, cut}, "cut"), ANN_OK);
        assert_null(again);
    }
    for (size_t i = 0; i < size; i++) { /* no damaged byte goes unseen */
        bytes[i] ^= 1;
        assert_int_not_equal(anni_bpe_parse(&again, (anni_bytes){bytes, size}, "damaged"), ANN_OK);
        bytes[i] ^= 1;
    }
    free(bytes);
}

static void test_bad_files(void **state) {
    (void)state;
    static const struct {
        const char *text, *words;
        ann_status status;
    } cases[] = {
        {"", "bad: is no file of `annulus data bpe`", ANN_ERR_FORMAT},
        {"annulus-bpe 2\n", "bad:1: unknown version, accepted: annulus-bpe 1", ANN_ERR_FORMAT},
        {"annulus-bpe 1\nmerges -1\n", "bad:2: accepted: merges N, N from 0 to 1048320", ANN_ERR_FORMAT},
        {"annulus-bpe 1\nmerges 99999999999999999999\n", "bad:2: accepted: merges N", ANN_ERR_FORMAT},
        {"annulus-bpe 1\nmerges 1000000\n", "bad: ends before the last of 1000000 merges", ANN_ERR_FORMAT},
        {"annulus-bpe 1\nmerges 1\n97 256\n", "bad:3: accepted: LEFT RIGHT, two tokens from 0 to 255",
         ANN_ERR_FORMAT},
        {"annulus-bpe 1\nmerges 2\n97 98\n97 \n", "bad:4: accepted: LEFT RIGHT, two tokens from 0 to 256",
         ANN_ERR_FORMAT},
        {"annulus-bpe 1\nmerges 1\n97 98\n", "bad:4: accepted: xxh3 HASH, and the end", ANN_ERR_FORMAT},
        {"annulus-bpe 1\nmerges 1\n97 98\nxxh3 0123456789abcdef\n", "bad: has been changed", ANN_ERR_CORRUPT},
    };
    anni_bpe *bpe;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_fails(anni_bpe_parse(&bpe, text_of(cases[i].text), "bad"), cases[i].status, cases[i].words);
    check_fails(anni_bpe_read(&bpe, fixture_path("none.bpe")), ANN_ERR_NOT_FOUND, "none.bpe: No such file");
    check_fails(anni_bpe_train(&bpe, NULL, 0, 255), ANN_ERR_ARG, "255 tokens, accepted: 256 to 1048576");
    int32_t merges[9][2] = {{97, 97}, {256, 256}};
    for (int m = 2; m < 9; m++) merges[m][0] = merges[m][1] = 255 + m;
    check_fails(anni_bpe_make(&bpe, (const int32_t(*)[2])merges, 9, "bomb"), ANN_ERR_FORMAT,
                "bomb: merge 8 makes a token of 512 bytes, accepted: up to 256");
    merges[1][0] = merges[1][1] = 97;
    check_fails(anni_bpe_make(&bpe, (const int32_t(*)[2])merges, 2, "twice"), ANN_ERR_FORMAT,
                "twice: merge 1 joins the same tokens as merge 0");
    check_ok(anni_bpe_make(&bpe, NULL, 0, "bytes"));
    const int32_t outside[] = {1, 256};
    size_t size;
    check_fails(anni_bpe_decode(bpe, outside, 2, NULL, 0, &size), ANN_ERR_ARG,
                "token 1 is 256, accepted: 0 to 255");
    anni_bpe_free(bpe);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_against_naive),
        cmocka_unit_test(test_round_trip_of_random_bytes),
        cmocka_unit_test(test_tinyshakespeare),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
