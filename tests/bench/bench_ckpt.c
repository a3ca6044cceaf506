/* Checkpoints in GB/s against a plain write and fsync of the same bytes, and a plain read, in turn and on the
   same disk.

   usage: bench_ckpt [MiB [rounds]]; writes below TMPDIR, or /tmp. The first number is the best round, the
   second the median. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "ckpt/ckpt.h"

enum { TENSORS = 8, ROUNDS_MAX = 64, KINDS = 5 };
static const char *const kinds[KINDS] = {"plain write + fsync", "ann_ckpt_write", "plain read",
                                         "ann_ckpt_open", "ann_ckpt_restore"};
static double seconds[KINDS][ROUNDS_MAX];
static char dir[4096], plain[4200], ckpt_path[4200];

static ann_status make_store(ann_store **out, int64_t bytes) {
    ann_tensor tensors[TENSORS];
    ann_block block;
    const ann_shape shape = ANN_SHAPE(bytes / TENSORS / 4096, 1024);
    ANN_TRY(ann_store_new(out, 1));
    for (int i = 0; i < TENSORS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "layer%d/weight", i);
        ANN_TRY(ann_store_declare(&tensors[i], *out, name, ANN_F32, &shape, ANN_ROLE_PARAM,
                                  (ann_init){.kind = ANN_INIT_CONST, .scale = i + 0.1}));
    }
    ANN_TRY(ann_store_group(&block, *out, "params", tensors, TENSORS));
    return ann_store_commit(*out);
}

static ann_status plain_write(const char *data, size_t bytes) {
    const int fd = open(plain, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    bool good = fd >= 0;
    for (size_t at = 0; good && at < bytes;) {
        const ssize_t n = write(fd, data + at, bytes - at);
        good = n > 0;
        at += good ? (size_t)n : 0;
    }
    good = good && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return good ? ANN_OK : ann_error(ANN_ERR_IO, "plain write");
}

static ann_status plain_read(char *data, size_t bytes) {
    const int fd = open(plain, O_RDONLY);
    bool good = fd >= 0;
    for (size_t at = 0; good && at < bytes;) {
        const ssize_t n = read(fd, data + at, bytes - at);
        good = n > 0;
        at += good ? (size_t)n : 0;
    }
    if (fd >= 0) close(fd);
    return good ? ANN_OK : ann_error(ANN_ERR_IO, "plain read");
}

static void lap(int kind, int round, int64_t *since) {
    const int64_t now = ann_clock_ns();
    seconds[kind][round] = (double)(now - *since) * 1e-9;
    *since = ann_clock_ns();
}

static ann_status run(ann_comm *comm, ann_store *store, int rounds) {
    const size_t bytes = (size_t)ann_store_block_elems(store, (ann_block){0}) * 4;
    char *data = ann_store_block_data(store, (ann_block){0});
    for (int round = 0; round < rounds; round++) {
        ann_ckpt *ckpt;
        int64_t since = ann_clock_ns();
        (void)unlink(plain); /* a new file in place of an old one, as the checkpoint's */
        ANN_TRY(plain_write(data, bytes));
        lap(0, round, &since);
        ANN_TRY(ann_ckpt_write(comm, dir, 1, store, NULL, 1));
        lap(1, round, &since);
        ANN_TRY(plain_read(data, bytes));
        lap(2, round, &since);
        ANN_TRY(ann_ckpt_open(&ckpt, ckpt_path));
        lap(3, round, &since);
        const ann_status restored = ann_ckpt_restore(ckpt, store);
        lap(4, round, &since);
        ann_ckpt_close(ckpt);
        ANN_TRY(restored);
    }
    return ANN_OK;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    const int64_t mib = argc > 1 ? atoll(argv[1]) : 256;
    int rounds = argc > 2 ? atoi(argv[2]) : 9;
    if (rounds < 1 || rounds > ROUNDS_MAX || mib < 1) rounds = 9;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/annulus-bench-XXXXXX", tmp ? tmp : "/tmp");
    ann_store *store = NULL;
    ann_comm *comm = NULL;
    bool good = mkdtemp(dir) != NULL;
    (void)snprintf(plain, sizeof plain, "%s/plain", dir);
    (void)snprintf(ckpt_path, sizeof ckpt_path, "%s/step-0000000001", dir);
    good = good && ann_comm_self(&comm) == ANN_OK && make_store(&store, mib << 20) == ANN_OK &&
           run(comm, store, rounds) == ANN_OK;
    if (!good) fprintf(stderr, "%s\n", ann_error_text());
    for (int k = 0; good && k < KINDS; k++) {
        qsort(seconds[k], (size_t)rounds, sizeof(double), compare);
        const double gb = (double)(mib << 20) * 1e-9;
        printf("%-20s best %6.2f GB/s, median %6.2f GB/s\n", kinds[k], gb / seconds[k][0],
               gb / seconds[k][rounds / 2]);
    }
    if (store) {
        const int64_t since = ann_clock_ns();
        const uint64_t hash = ann_hash(ann_store_block_data(store, (ann_block){0}), (size_t)mib << 20, 0);
        printf("%-20s %6.2f GB/s (%016llx)\n", "XXH3 alone",
               (double)(mib << 20) / (double)(ann_clock_ns() - since), (unsigned long long)hash);
    }
    ann_store_free(store);
    ann_comm_free(comm);
    char command[4200];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) == 0 && good ? 0 : 1;
}
