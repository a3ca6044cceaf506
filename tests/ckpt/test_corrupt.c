/* Damage of every kind to every file of a checkpoint is noticed and named, and the older checkpoint is used
 * instead. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/log.h"
#include "base/philox.h"
#include "support/check.h"
#include "support/ckpt_sample.h"
#include "support/scratch.h"

static ann_comm *comm;
static char dir[SCRATCH_PATH_BYTES], good[SCRATCH_PATH_BYTES]; /* good: the newest checkpoint in dir */

static int setup(void **state) {
    (void)state;
    scratch_make(dir);
    scratch_path(good, "%s/step-0000000002", dir);
    check_ok(ann_comm_self(&comm));
    check_ok(ckpt_sample_write(comm, dir, 1, 1, 0));
    check_ok(ckpt_sample_write(comm, dir, 2, 2, 0));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    ann_log_setup(ANN_LOG_INFO, 0);
    ann_comm_free(comm);
    scratch_remove(dir);
    return 0;
}

/* Opening fails as it should, and the text names `word`. */
static void expect_bad(const char *word) {
    ann_ckpt *ckpt;
    const ann_status status = ann_ckpt_open(&ckpt, good);
    if (status != ANN_ERR_CORRUPT && status != ANN_ERR_FORMAT)
        fail_msg("%s: %s", word, ann_status_name(status));
    if (!strstr(ann_error_text(), word)) fail_msg("\"%s\" is not in \"%s\"", word, ann_error_text());
    assert_null(strchr(ann_error_text(), '\n'));
    assert_null(ckpt);
}

static void expect_fallback(void) {
    char path[SCRATCH_PATH_BYTES];
    check_ok(ann_ckpt_latest(comm, dir, path, sizeof path));
    assert_string_equal(path + strlen(dir), "/step-0000000001");
}

static void flip(const char *path, size_t at) {
    unsigned char byte = 0;
    const int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &byte, 1, (off_t)at) == 1);
    byte ^= (unsigned char)(1u << at % 8);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

/* Every `stride`-th byte, cut and flipped; one byte more; none at all. */
static void damage(const char *file, size_t stride) {
    char path[SCRATCH_PATH_BYTES];
    size_t bytes;
    char *data = scratch_read(&bytes, scratch_path(path, "%s/%s", good, file));
    for (size_t at = 0; at < bytes; at += stride) {
        flip(path, at);
        expect_bad(file);
        flip(path, at);
    }
    for (size_t left = 0; left < bytes; left += 7 * stride) {
        scratch_write(path, data, left);
        expect_bad(file);
    }
    scratch_write(path, data, bytes + 1); /* with the NUL that scratch_read put there */
    expect_bad(file);
    expect_fallback();
    assert_int_equal(remove(path), 0);
    expect_bad(file);
    expect_fallback();
    scratch_write(path, data, bytes);
    free(data);
    assert_int_equal(ckpt_sample_tag(good), 2);
}

static void every_byte_counts(void **state) {
    (void)state;
    ann_log_setup(ANN_LOG_ERROR, 0);
    damage("shard-0000.h5", 61);
    damage("manifest.yaml", 151);
    ann_log_setup(ANN_LOG_INFO, 0);
}

static void a_damaged_tensor_is_named(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    size_t bytes;
    ann_store *store = ckpt_sample_store(2);
    char *data = scratch_read(&bytes, scratch_path(path, "%s/shard-0000.h5", good));
    for (int t = 0; t < ann_store_count(store); t++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){t});
        const size_t n = (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
        if (n < 8) continue; /* a few bytes may also stand elsewhere */
        const char *found = memmem(data, bytes, ann_store_data(store, (ann_tensor){t}), n);
        assert_non_null(found);
        const size_t edges[] = {0, n / 2, n - 1};
        for (int i = 0; i < 3; i++) {
            flip(path, (size_t)(found - data) + edges[i]);
            expect_bad(info->name);
            flip(path, (size_t)(found - data) + edges[i]);
        }
    }
    free(data);
    ann_store_free(store);
    assert_int_equal(ckpt_sample_tag(good), 2);
}

/* What `act` writes on stderr; free it. */
static char *stderr_of(void (*act)(void)) {
    char path[SCRATCH_PATH_BYTES];
    const int saved = dup(STDERR_FILENO);
    const int fd = open(scratch_path(path, "%s/stderr", dir), O_RDWR | O_CREAT | O_TRUNC, 0666);
    assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    act();
    (void)dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    return scratch_read(NULL, path);
}

static void falling_back_is_logged(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    flip(scratch_path(path, "%s/shard-0000.h5", good), 100);
    char *text = stderr_of(expect_fallback);
    assert_non_null(strstr(text, "warning: checkpoint step-0000000002 is not used: "));
    assert_non_null(strstr(text, "shard-0000.h5: wrong checksum"));
    free(text);
    flip(path, 100);
}

static void expect_good(void) { assert_int_equal(ckpt_sample_tag(good), 2); }

/* whole.h5 is for others: the checkpoint opens without it, with a warning. */
static void the_virtual_file_is_not_needed(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    size_t bytes;
    char *data = scratch_read(&bytes, scratch_path(path, "%s/whole.h5", good));
    for (int kind = 0; kind < 3; kind++) {
        if (kind == 0) flip(path, bytes / 2);
        if (kind == 1) scratch_write(path, data, bytes / 2);
        if (kind == 2) assert_int_equal(remove(path), 0);
        char *text = stderr_of(expect_good);
        assert_non_null(strstr(text, "warning: "));
        assert_non_null(strstr(text, "whole.h5 is damaged"));
        free(text);
    }
    scratch_write(path, data, bytes);
    free(data);
    char *text = stderr_of(expect_good);
    assert_string_equal(text, "");
    free(text);
}

/* ---- manifests whose checksum is right and whose text is not ---- */

#define TAIL_BYTES 29

/* Writes text with a fresh checksum line. */
static void forge(const char *path, const char *text, size_t bytes) {
    char *forged = malloc(bytes + TAIL_BYTES + 1);
    assert_non_null(forged);
    memcpy(forged, text, bytes);
    (void)snprintf(forged + bytes, TAIL_BYTES + 1, "checksum: 0x%016" PRIx64 "\n", ann_hash(text, bytes, 0));
    scratch_write(path, forged, bytes + TAIL_BYTES);
    free(forged);
}

/* text with its first `from` after `after` replaced by `to`; free it. */
static char *edited(const char *text, const char *after, const char *from, const char *to) {
    const char *start = strstr(text, after);
    const char *at = start ? strstr(start, from) : NULL;
    assert_non_null(at);
    char *out = malloc(strlen(text) + strlen(to) + 1);
    assert_non_null(out);
    memcpy(out, text, (size_t)(at - text));
    strcpy(out + (at - text), to);
    strcat(out, at + strlen(from));
    return out;
}

static void wrong_manifests_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *after, *from, *to, *word;
    } edits[] = {
        {"format:", "checkpoint-1", "checkpoint-2", "\"format\""},
        {"serial:", "serial: 2", "serial: -2", "\"serial\""},
        {"step:", "step: 2", "step: 99999999999999999999", "\"step\""},
        {"step:", "step: 2", "stop: 2", "\"step\""},
        {"step:", "step: 2", "step: 2x", "\"step\""},
        {"blocks:", "f32", "f33", "\"dtype\""},
        {"blocks:", "elems: ", "elems: -", "\"elems\""},
        {"tensors:", "[37, 53]", "[37, 530000]", "\"shape\""},
        {"tensors:", "[37, 53]", "[37, 0]", "\"shape\""},
        {"tensors:", "[37, 53]", "[37, 54]", "element"},
        {"tensors:", "[37, 53]", "[1,1,1,1,1,1,1,37, 53]", "\"shape\""},
        {"tensors:", "[37, 53]", "[4294967296, 4294967296, 4294967296]", "\"shape\""},
        {"tensors:", "role: param", "role: king", "\"role\""},
        {"tensors:", "block: 0", "block: 77", "\"block\""},
        {"tensors:", "offset: 0", "offset: 1000000", "\"offset\""},
        {"shards:", "shard-0000.h5", "../shard-0000.h5", "\"file\""},
        {"shards:", "rest_xxh3: 0x", "rest_xxh3: 0x0", "\"rest_xxh3\""},
        {"shards:", "tensor: 0", "tensor: 5000", "\"tensor\""},
        {"shards:", "begin: 0", "begin: 1", "\"elems\""},
        {"shards:", "elems: 1961", "elems: 1960", "element 1960 of tensor encoder/fc1/weight"},
        {"shards:", "elems: 1961, offset: ", "elems: 1961, offset: 9", "\"offset\""},
        {"whole:", "bytes", "size", "\"bytes\""},
        {"meta:", "key", "kay", "\"key\""},
        {"meta:", "meta:", "meta: {", "not YAML"},
    };
    char path[SCRATCH_PATH_BYTES];
    size_t bytes;
    char *text = scratch_read(&bytes, scratch_path(path, "%s/manifest.yaml", good));
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        text[bytes - TAIL_BYTES] = '\0';
        char *wrong = edited(text, edits[i].after, edits[i].from, edits[i].to);
        forge(path, wrong, strlen(wrong));
        free(wrong);
        ann_ckpt *ckpt;
        const ann_status status = ann_ckpt_open(&ckpt, good);
        if (status != ANN_ERR_FORMAT || !strstr(ann_error_text(), edits[i].word))
            fail_msg("%s -> %s: %s: %s", edits[i].from, edits[i].to, ann_status_name(status),
                     ann_error_text());
        ann_ckpt_close(ckpt);
    }
    text[bytes - TAIL_BYTES] = 'c';
    scratch_write(path, text, bytes);
    free(text);
    assert_int_equal(ckpt_sample_tag(good), 2);
}

/* Changes a few bytes, or moves or drops a piece of the text, at random places. */
static size_t mutate(char *text, size_t bytes, uint32_t round) {
    static const char alphabet[] = "0123456789-,:[]{}\"' \nxa#&*!|>%@\\\t\x80\xFF";
    const int changes = 1 + (int)(ann_random_u32(1, 0, round, 0) % 4);
    for (int i = 0; i < changes && bytes > 100; i++) {
        const uint32_t kind = ann_random_u32(1, 1, round, (uint64_t)i) % 4;
        const size_t at = ann_random_u32(1, 2, round, (uint64_t)i) % (bytes - 50);
        const size_t n = 1 + ann_random_u32(1, 3, round, (uint64_t)i) % 40;
        if (kind < 2) text[at] = alphabet[ann_random_u32(1, 4, round, (uint64_t)i) % (sizeof alphabet - 1)];
        else if (kind == 2) {
            memmove(text + at, text + at + n, bytes - at - n);
            bytes -= n;
        } else memmove(text + at, text + at + n, n < bytes - at - n ? n : bytes - at - n);
    }
    return bytes;
}

/* However wrong the text, reading it ends with a status; what is accepted can be read. */
static void any_manifest_is_survived(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES], sub[SCRATCH_PATH_BYTES], mine[SCRATCH_PATH_BYTES];
    size_t bytes;
    int accepted = 0, refused = 0;
    ann_meta *meta;
    ann_store *store = ckpt_sample_store(3), *into = ckpt_sample_store(0);
    check_ok(ann_meta_new(&meta));
    check_ok(ann_meta_set_f64(meta, "f", 0.1));
    check_ok(ann_meta_set_str(meta, "s", "some text"));
    scratch_path(sub, "%s/fuzz", dir);
    check_ok(ann_ckpt_write(comm, sub, 1, store, meta, 0));
    scratch_path(mine, "%s/step-0000000001", sub);
    char *text = scratch_read(&bytes, scratch_path(path, "%s/manifest.yaml", mine));
    char *copy = malloc(bytes);
    assert_non_null(copy);
    ann_log_setup(ANN_LOG_ERROR, 0);
    for (uint32_t round = 0; round < 1500; round++) {
        memcpy(copy, text, bytes);
        forge(path, copy, mutate(copy, bytes - TAIL_BYTES, round));
        ann_ckpt *ckpt;
        const ann_status status = ann_ckpt_open(&ckpt, mine);
        if (status == ANN_OK) {
            accepted++;
            const ann_status restored = ann_ckpt_restore(ckpt, into);
            assert_true(restored == ANN_OK || restored == ANN_ERR_NOT_FOUND);
        } else refused += status == ANN_ERR_FORMAT || status == ANN_ERR_CORRUPT;
        ann_ckpt_close(ckpt);
        if (status != ANN_OK && status != ANN_ERR_FORMAT && status != ANN_ERR_CORRUPT &&
            status != ANN_ERR_ARG)
            fail_msg("round %u: %s: %s", round, ann_status_name(status), ann_error_text());
    }
    ann_log_setup(ANN_LOG_INFO, 0);
    assert_true(accepted > 0 && refused > 0);
    free(copy);
    free(text);
    ann_meta_free(meta);
    ann_store_free(store);
    ann_store_free(into);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_counts),           cmocka_unit_test(a_damaged_tensor_is_named),
        cmocka_unit_test(falling_back_is_logged),      cmocka_unit_test(the_virtual_file_is_not_needed),
        cmocka_unit_test(wrong_manifests_are_refused), cmocka_unit_test(any_manifest_is_survived),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
