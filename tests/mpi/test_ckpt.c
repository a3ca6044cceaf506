// ranks: 1 2 3 4
/* Checkpoints written and found by several ranks, read by each alone, and failures that only one rank meets.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <mpi.h>
#include "ckpt/tools.h"
#include "support/check.h"
#include "support/ckpt_sample.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"

/* The names in path as rank 0 sees them; the same text on every rank. */
static const char *names_in(const char *path) {
    static char names[1024];
    if (rank == 0) {
        char *list = scratch_exists(path) ? scratch_list(path) : strdup("nothing");
        (void)snprintf(names, sizeof names, "%s", list);
        free(list);
    }
    MPI_Bcast(names, sizeof names, MPI_CHAR, 0, MPI_COMM_WORLD);
    return names;
}

static void writes_and_reads(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES] = "?", expected[256] = "manifest.yaml ";
    scratch_path(sub, "%s/run", dir);
    assert_all_ranks(ann_ckpt_latest(comm, sub, path, sizeof path) == ANN_OK && path[0] == '\0');
    for (int64_t step = 1; step <= 3; step++)
        assert_all_ranks(ckpt_sample_write(comm, sub, step, 10 + step, 2) == ANN_OK);
    assert_all_ranks(strcmp(names_in(sub), "latest latest.h5 step-0000000002 step-0000000003 ") == 0);
    assert_all_ranks(ann_ckpt_latest(comm, sub, path, sizeof path) == ANN_OK);
    assert_all_ranks(strcmp(path + strlen(sub), "/step-0000000003") == 0);
    assert_all_ranks(ckpt_sample_tag(path) == 13);
    for (int r = 0; r < size; r++) {
        const size_t n = strlen(expected);
        (void)snprintf(expected + n, sizeof expected - n, "shard-%04d.h5 ", r);
    }
    strcat(expected, "whole.h5 ");
    assert_all_ranks(strcmp(names_in(path), expected) == 0);
    const int h5py = rank == 0 ? ckpt_sample_h5py(path, 13, dir) : 1;
    if (h5py < 0) print_message("not compared through h5py: /usr/bin/python3 has none\n");
    assert_all_ranks(h5py != 0);
}

/* Written by all, found and continued by one; written by one, found by all. */
static void other_numbers_of_ranks(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    ann_comm *self = NULL;
    assert_all_ranks(ann_comm_self(&self) == ANN_OK);
    scratch_path(sub, "%s/other", dir);
    assert_all_ranks(ckpt_sample_write(comm, sub, 1, 21, 0) == ANN_OK);
    assert_all_ranks(ann_ckpt_latest(self, sub, path, sizeof path) == ANN_OK && ckpt_sample_tag(path) == 21);
    const ann_status alone = rank == 0 ? ckpt_sample_write(self, sub, 2, 22, 0) : ANN_OK;
    assert_all_ranks(alone == ANN_OK);
    assert_all_ranks(ann_ckpt_latest(comm, sub, path, sizeof path) == ANN_OK && ckpt_sample_tag(path) == 22);
    ann_comm_free(self);
}

/* More ranks than elements: most ranges are empty. */
static void a_tiny_store(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    ann_store *store;
    ann_tensor tensor;
    ann_ckpt *ckpt = NULL;
    double value = 0;
    const ann_shape one = ANN_SHAPE(1);
    bool good = ann_store_new(&store, 1) == ANN_OK &&
                ann_store_declare(&tensor, store, "x", ANN_F64, &one, ANN_ROLE_STATE,
                                  (ann_init){.kind = ANN_INIT_CONST, .scale = 2.5}) == ANN_OK &&
                ann_store_commit(store) == ANN_OK;
    assert_all_ranks(good);
    assert_all_ranks(ann_ckpt_write(comm, dir, 5, store, NULL, 0) == ANN_OK);
    good = ann_ckpt_open(&ckpt, scratch_path(path, "%s/step-0000000005", dir)) == ANN_OK &&
           ann_ckpt_read(ckpt, "x", &value) == ANN_OK && value == 2.5;
    assert_all_ranks(good);
    ann_ckpt_close(ckpt);
    ann_store_free(store);
}

/* Status and text of a write at step 2 are the same everywhere, and sub is as after step 1. */
static void expect_failure(const char *sub, ann_status found, ann_status expected, const char *word) {
    char texts[2][1024], path[SCRATCH_PATH_BYTES];
    (void)snprintf(texts[0], sizeof texts[0], "%s", ann_error_text());
    memcpy(texts[1], texts[0], sizeof texts[0]);
    MPI_Bcast(texts[1], sizeof texts[1], MPI_CHAR, 0, MPI_COMM_WORLD);
    assert_all_ranks(found == expected);
    assert_all_ranks(strcmp(texts[0], texts[1]) == 0 && strstr(texts[0], word) && !strchr(texts[0], '\n'));
    assert_all_ranks(strcmp(names_in(sub), "latest latest.h5 step-0000000001 ") == 0);
    assert_all_ranks(ann_ckpt_latest(comm, sub, path, sizeof path) == ANN_OK && ckpt_sample_tag(path) == 31);
}

/* `culprit` may not write files of more than `limit` bytes, which is what a full disk looks like to it alone.
 */
static ann_status write_limited(const char *sub, int culprit, rlim_t limit) {
    struct rlimit before, low;
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    low = before;
    low.rlim_cur = limit;
    if (rank == culprit) setrlimit(RLIMIT_FSIZE, &low);
    const ann_status status = ckpt_sample_write(comm, sub, 2, 32, 1);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    return status;
}

static void no_space_on_one_rank(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], word[64];
    scratch_path(sub, "%s/full", dir);
    assert_all_ranks(ckpt_sample_write(comm, sub, 1, 31, 0) == ANN_OK);
    static const rlim_t limits[] = {0, 3000, 10000};
    for (int culprit = 0; culprit < size; culprit++)
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            (void)snprintf(word, sizeof word, "shard-%04d.h5: cannot write: File too large", culprit);
            expect_failure(sub, write_limited(sub, culprit, limits[i]), ANN_ERR_NOSPACE, word);
        }
    /* Rank 0's shard fits, its manifest does not. */
    expect_failure(sub, write_limited(sub, 0, 180000), ANN_ERR_NOSPACE, "manifest.yaml.tmp: cannot write");
    assert_all_ranks(ckpt_sample_write(comm, sub, 2, 32, 1) == ANN_OK);
    assert_all_ranks(strcmp(names_in(sub), "latest latest.h5 step-0000000002 ") == 0);
}

static void a_directory_that_cannot_be_prepared(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES], below[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/blocked", dir);
    scratch_path(path, "%s/step-0000000002.part", sub);
    assert_all_ranks(ckpt_sample_write(comm, sub, 1, 31, 0) == ANN_OK);
    const bool made =
        rank != 0 || (mkdir(path, 0777) == 0 && mkdir(scratch_path(below, "%s/mine", path), 0777) == 0);
    assert_all_ranks(made);
    const ann_status status = ckpt_sample_write(comm, sub, 2, 32, 0);
    const bool unblocked = rank != 0 || (rmdir(below) == 0 && rmdir(path) == 0);
    assert_all_ranks(unblocked);
    expect_failure(sub, status, ANN_ERR_IO, "step-0000000002.part: cannot remove");
}

static void ranks_that_differ(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/differ", dir);
    assert_all_ranks(ckpt_sample_write(comm, sub, 1, 31, 0) == ANN_OK);
    const bool odd = rank == size - 1 && size > 1;
    const ann_status other_step = ckpt_sample_write(comm, sub, odd ? 3 : 2, 32, 0);
    if (size > 1) expect_failure(sub, other_step, ANN_ERR_ARG, "another step or store than on rank 0");
    else assert_int_equal(other_step, ANN_OK);
    const ann_status bad_argument = ckpt_sample_write(comm, rank == size - 1 ? "" : sub, 2, 32, 0);
    assert_all_ranks(bad_argument == ANN_ERR_ARG);
}

/* ---- beside training ---- */

/* Fewer writers than ranks: fewer shards, the same tensors; the store changes as soon as the snapshot is
 * taken. */
static void some_ranks_write(void **state) {
    (void)state;
    static const int counts[] = {1, 2, ANN_CKPT_EACH_NODE, ANN_CKPT_EACH_RANK, 7};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
        const int count = counts[i], expected = count == ANN_CKPT_EACH_NODE                   ? 1
                                                : count == ANN_CKPT_EACH_RANK || count > size ? size
                                                                                              : count;
        const ann_ckpt_options options = {.dir = scratch_path(sub, "%s/writers%zu", dir, i),
                                          .writers = count,
                                          .finite = true,
                                          .keep = {.last = 1}};
        for (int64_t step = 1; step <= 2; step++)
            assert_all_ranks(ckpt_sample_write_beside(comm, &options, step, 50 + step) == ANN_OK);
        assert_all_ranks(strcmp(names_in(sub), "latest latest.h5 step-0000000002 ") == 0);
        assert_all_ranks(ann_ckpt_latest(comm, sub, path, sizeof path) == ANN_OK &&
                         ckpt_sample_tag(path) == 52);
        int shards = 0;
        for (const char *p = names_in(path); (p = strstr(p, "shard-")); p++) shards++;
        assert_all_ranks(shards == expected);
        const int h5py = rank == 0 ? ckpt_sample_h5py(path, 52, dir) : 1;
        assert_all_ranks(h5py != 0);
    }
}

/* One writer after the other meets a full disk; the next attempt with the same writer gets through. */
static void an_attempt_fails_and_the_next_does_not(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    const ann_ckpt_options options = {.dir = scratch_path(sub, "%s/again", dir), .keep = {.last = 1}};
    ann_store *store = ckpt_sample_store(61);
    ann_meta *meta = ckpt_sample_meta(61);
    ann_ckpt_writer *writer = NULL;
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_all_ranks(store && meta && ann_ckpt_writer_new(comm, &writer, store, &options) == ANN_OK);
    for (int culprit = 0; culprit < size; culprit++) {
        struct rlimit before, low;
        bool busy = true, same = true;
        getrlimit(RLIMIT_FSIZE, &before);
        low = before;
        low.rlim_cur = 5000;
        if (rank == culprit) setrlimit(RLIMIT_FSIZE, &low);
        ann_status status = ann_ckpt_writer_begin(comm, writer, 1 + culprit, meta);
        while (status == ANN_OK && busy) status = ann_ckpt_writer_poll(comm, writer, &busy);
        setrlimit(RLIMIT_FSIZE, &before);
        const ann_ckpt_report report = ann_ckpt_writer_report(writer);
        same = report.status == ANN_ERR_NOSPACE && report.step == 1 + culprit &&
               strstr(report.text, "File too large");
        assert_all_ranks(status == ANN_OK && same);
        assert_all_ranks(ann_ckpt_writer_wait(comm, writer) == ANN_ERR_NOSPACE);
        assert_all_ranks(strcmp(names_in(sub), "nothing") == 0);
    }
    assert_all_ranks(ann_ckpt_writer_begin(comm, writer, 9, meta) == ANN_OK);
    assert_all_ranks(ann_ckpt_writer_begin(comm, writer, 10, meta) == ANN_ERR_ARG); /* it is busy */
    assert_all_ranks(ann_ckpt_writer_wait(comm, writer) == ANN_OK);
    assert_all_ranks(ann_ckpt_latest(comm, sub, path, sizeof path) == ANN_OK && ckpt_sample_tag(path) == 61);
    ann_ckpt_writer_free(writer);
    signal(SIGXFSZ, handler);
    ann_meta_free(meta);
    ann_store_free(store);
}

/* Every rank's shard damaged in turn: all ranks fall back to the same older checkpoint. */
static void falls_back(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES], shard[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/back", dir);
    assert_all_ranks(ckpt_sample_write(comm, sub, 1, 41, 0) == ANN_OK);
    for (int victim = 0; victim < size; victim++) {
        assert_all_ranks(ckpt_sample_write(comm, sub, 2, 42, 0) == ANN_OK);
        scratch_path(shard, "%s/step-0000000002/shard-%04d.h5", sub, victim);
        assert_all_ranks(rank != 0 || truncate(shard, 4000) == 0);
        assert_all_ranks(ann_ckpt_latest(comm, sub, path, sizeof path) == ANN_OK);
        assert_all_ranks(strcmp(path + strlen(sub), "/step-0000000001") == 0);
        assert_all_ranks(ckpt_sample_tag(path) == 41);
    }
}

static bool flip(const char *path, off_t at) {
    unsigned char byte = 0;
    const int fd = open(path, O_RDWR);
    const bool read = fd >= 0 && pread(fd, &byte, 1, at) == 1;
    byte ^= 4;
    const bool written = read && pwrite(fd, &byte, 1, at) == 1;
    if (fd >= 0) close(fd);
    return written;
}

/* The status of restoring path's checkpoint; tag: what it holds if that goes well. */
static ann_status restore(const char *path, int64_t tag) {
    ann_ckpt *ckpt;
    ann_store *store = ckpt_sample_store(0);
    ann_status status = store ? ann_ckpt_peek(&ckpt, path) : ANN_ERR_MEMORY;
    if (status == ANN_OK) {
        status = ann_ckpt_restore(ckpt, store);
        ann_ckpt_close(ckpt);
    }
    if (status == ANN_OK && !ckpt_sample_store_is(store, tag)) status = ANN_ERR_INTERNAL;
    ann_store_free(store);
    return ann_agree(comm, status);
}

/* Sizes say nothing about a flipped bit: restoring notices it, and all ranks ask for the one before. */
static void damage_is_found_while_restoring(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES], shard[SCRATCH_PATH_BYTES];
    scratch_path(sub, "%s/restore", dir);
    for (int64_t step = 1; step <= 3; step++)
        assert_all_ranks(ckpt_sample_write(comm, sub, step, 50 + step, 0) == ANN_OK);
    assert_all_ranks(ann_ckpt_candidate(comm, sub, "", path, sizeof path) == ANN_OK);
    assert_all_ranks(strcmp(path + strlen(sub), "/step-0000000003") == 0);
    assert_all_ranks(restore(path, 53) == ANN_OK);
    for (int victim = 3; victim > 0; victim--) {
        scratch_path(shard, "%s/step-000000000%d/shard-%04d.h5", sub, victim, (size - 1) % size);
        const bool flipped = rank != 0 || flip(shard, 40);
        assert_all_ranks(flipped);
        assert_all_ranks(restore(path, 50 + victim) == ANN_ERR_CORRUPT);
        assert_all_ranks(strstr(ann_error_text(), "wrong checksum") != NULL);
        const ann_status status = ann_ckpt_candidate(comm, sub, path, path, sizeof path);
        assert_all_ranks(status == (victim > 1 ? ANN_OK : ANN_ERR_CORRUPT));
        if (victim == 1) break;
        scratch_path(shard, "/step-000000000%d", victim - 1);
        assert_all_ranks(strcmp(path + strlen(sub), shard) == 0);
        assert_all_ranks(restore(path, 50 + victim - 1) == ANN_OK);
    }
}

/* Cut into other numbers of shards by one process, restored and found by all. */
static void shards_do_not_matter(void **state) {
    (void)state;
    char from[ANN_CKPT_PATH_BYTES], sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    static const int shards[] = {1, 3, 2};
    scratch_path(sub, "%s/cut", dir);
    scratch_path(from, "%s/step-0000000001", sub);
    assert_all_ranks(ckpt_sample_write(comm, sub, 1, 61, 0) == ANN_OK);
    for (int i = 0; i < 3; i++) {
        ann_ckpt *ckpt = NULL;
        scratch_path(sub, "%s/cut%d", dir, i);
        ann_status status = rank == 0 ? ann_ckpt_peek(&ckpt, from) : ANN_OK;
        if (rank == 0 && status == ANN_OK) status = ann_ckpt_reshard(from, ckpt, sub, shards[i]);
        ann_ckpt_close(ckpt);
        assert_all_ranks(status == ANN_OK);
        assert_all_ranks(ann_ckpt_latest(comm, sub, path, sizeof path) == ANN_OK &&
                         ckpt_sample_tag(path) == 61);
        assert_all_ranks(restore(path, 61) == ANN_OK);
        assert_all_ranks(ckpt_sample_write(comm, sub, 2, 62, 0) == ANN_OK); /* a job goes on from there */
        assert_all_ranks(ann_ckpt_candidate(comm, sub, "", path, sizeof path) == ANN_OK &&
                         ckpt_sample_tag(path) == 62);
    }
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads),
        cmocka_unit_test(other_numbers_of_ranks),
        cmocka_unit_test(a_tiny_store),
        cmocka_unit_test(no_space_on_one_rank),
        cmocka_unit_test(a_directory_that_cannot_be_prepared),
        cmocka_unit_test(ranks_that_differ),
        cmocka_unit_test(some_ranks_write),
        cmocka_unit_test(an_attempt_fails_and_the_next_does_not),
        cmocka_unit_test(falls_back),
        cmocka_unit_test(damage_is_found_while_restoring),
        cmocka_unit_test(shards_do_not_matter),
    };
    const int failed = cmocka_run_group_tests(tests, stage_of_all_ranks, stage_end);
    MPI_Finalize();
    return failed;
}
