/* Checkpoints of parameters with two moments each, as Adam has them: seconds of writing (from the snapshot to
   the commit, on disk), of verifying, of loading, and what training waits for, beside one memcpy of the same
   bytes.

       bench_ckpt DIR MIB ROUNDS WHAT...      WHAT: copy write keep load-cold load-warm train

   Each WHAT prints "name seconds bytes" per round; `write` removes what it wrote, `keep` leaves DIR/step-*
   for `load-*`. `train` runs a loop over the same memory and writes checkpoints beside it: "train-stall" is
   what one held the loop up for, "train-step-alone" and "train-step-beside" are mean steps without and with
   one being written. With mpirun each rank holds all of it; rank 0 prints. */
#include <fcntl.h>
#include <glob.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "ckpt/ckpt.h"

enum { TENSORS = 50, BLOCKS = 3, STEPS = 40 };
static const char *dir;
static ann_comm *comm;
static ann_store *store;
static size_t bytes; /* of all blocks */
static int writers;  /* as in ann_ckpt_options; from the environment: WRITERS */

static double seconds_since(int64_t start) { return 1e-9 * (double)(ann_clock_ns() - start); }

static void tell(const char *name, double seconds) {
    if (ann_comm_rank(comm) != 0) return;
    printf("%s %.6f %zu\n", name, seconds, bytes);
    (void)fflush(stdout);
}

/* ---- the state ---- */

static ann_status make_store(int64_t mib) {
    ann_tensor tensors[TENSORS];
    ann_block block, moment;
    const ann_shape shape = ANN_SHAPE((mib << 20) / BLOCKS / TENSORS / 4096, 1024);
    ANN_TRY(ann_store_new(&store, 1));
    for (int i = 0; i < TENSORS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "layer%d/weight", i);
        ANN_TRY(ann_store_declare(&tensors[i], store, name, ANN_F32, &shape, ANN_ROLE_PARAM,
                                  (ann_init){.kind = ANN_INIT_UNIFORM, .scale = 1}));
    }
    ANN_TRY(ann_store_group(&block, store, "params", tensors, TENSORS));
    ANN_TRY(ann_store_group_like(&moment, store, "m", block));
    ANN_TRY(ann_store_group_like(&moment, store, "v", block));
    ANN_TRY(ann_store_commit(store));
    for (int b = 1; b < BLOCKS; b++) /* zeros would be kind to disks that compress */
        memcpy(ann_store_block_data(store, (ann_block){b}), ann_store_block_data(store, (ann_block){0}),
               (size_t)ann_store_block_elems(store, (ann_block){0}) * sizeof(float));
    bytes = BLOCKS * (size_t)ann_store_block_elems(store, (ann_block){0}) * sizeof(float);
    return ANN_OK;
}

/* ---- what is measured ---- */

static ann_status copy(void) {
    void *to;
    const size_t each = bytes / BLOCKS;
    ANN_TRY(ann_mem_alloc(&to, bytes));
    memset(to, 1, bytes);
    const int64_t start = ann_clock_ns();
    for (int b = 0; b < BLOCKS; b++)
        memcpy((char *)to + (size_t)b * each, ann_store_block_data(store, (ann_block){b}), each);
    tell("copy", seconds_since(start));
    ann_mem_free(to, bytes);
    return ANN_OK;
}

static ann_status make_writer(ann_ckpt_writer **out) {
    const ann_ckpt_options options = {.dir = dir, .writers = writers, .finite = true, .keep = {.last = 1}};
    return ann_ckpt_writer_new(comm, out, store, &options);
}

static ann_status write_one(void) {
    ann_ckpt_writer *writer;
    ANN_TRY(make_writer(&writer));
    ann_status status = ann_ckpt_writer_begin(comm, writer, 1, NULL);
    if (status == ANN_OK) status = ann_ckpt_writer_wait(comm, writer);
    const ann_ckpt_report report = ann_ckpt_writer_report(writer);
    ann_ckpt_writer_free(writer);
    tell("write-snapshot", report.stall_s);
    tell("write", report.stall_s + report.commit_s);
    tell("write-verified", report.stall_s + report.write_s);
    return status;
}

static void forget_pages(void) {
    char pattern[4200];
    glob_t found;
    (void)snprintf(pattern, sizeof pattern, "%s/step-*/*", dir);
    if (glob(pattern, 0, NULL, &found) != 0) return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const int fd = open(found.gl_pathv[i], O_RDONLY);
        if (fd < 0) continue;
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
    globfree(&found);
}

static ann_status load(const char *name, bool cold) {
    char path[4200];
    ann_ckpt *ckpt;
    (void)snprintf(path, sizeof path, "%s/step-0000000001", dir);
    if (cold) forget_pages();
    const int64_t start = ann_clock_ns();
    ANN_TRY(ann_ckpt_peek(&ckpt, path));
    const ann_status status = ann_ckpt_restore(ckpt, store);
    tell(name, seconds_since(start));
    ann_ckpt_close(ckpt);
    return status;
}

/* An update as an optimizer makes it: reads and writes all of the state. */
static void step(void) {
    float *p = ann_store_block_data(store, (ann_block){0}), *m = ann_store_block_data(store, (ann_block){1}),
          *v = ann_store_block_data(store, (ann_block){2});
    const int64_t n = ann_store_block_elems(store, (ann_block){0});
    for (int64_t i = 0; i < n; i++) {
        const float g = 0.01f * p[i];
        m[i] = 0.9f * m[i] + 0.1f * g;
        v[i] = 0.999f * v[i] + 0.001f * g * g;
        p[i] -= 1e-3f * m[i] / (v[i] + 1.0f);
    }
}

static ann_status train(void) {
    ann_ckpt_writer *writer;
    double alone_s = 0, beside_s = 0;
    int alone = 0, beside = 0;
    ANN_TRY(make_writer(&writer));
    ann_status status = ANN_OK;
    for (int i = 0; i < STEPS && status == ANN_OK; i++) {
        bool busy = false;
        if (i % 20 == 4) {
            status = ann_ckpt_writer_begin(comm, writer, 1, NULL);
            if (status == ANN_OK) tell("train-stall", ann_ckpt_writer_report(writer).stall_s);
        }
        const int64_t start = ann_clock_ns();
        const bool writing = ann_ckpt_writer_busy(writer);
        step();
        if (status == ANN_OK) status = ann_ckpt_writer_poll(comm, writer, &busy);
        *(writing ? &beside_s : &alone_s) += seconds_since(start);
        *(writing ? &beside : &alone) += 1;
    }
    if (status == ANN_OK && ann_ckpt_writer_busy(writer)) status = ann_ckpt_writer_wait(comm, writer);
    ann_ckpt_writer_free(writer);
    tell("train-step-alone", alone_s / (alone ? alone : 1));
    tell("train-step-beside", beside_s / (beside ? beside : 1));
    return status;
}

static void clear(void) {
    char command[8300];
    if (ann_comm_barrier(comm) != ANN_OK || ann_comm_rank(comm) != 0) return;
    (void)snprintf(command, sizeof command, "rm -rf '%s'/step-* '%s'/latest*", dir, dir);
    if (system(command) != 0) fprintf(stderr, "cannot clear %s\n", dir);
}

static ann_status run(const char *what) {
    if (strcmp(what, "copy") == 0) return copy();
    if (strcmp(what, "load-cold") == 0) return load(what, true);
    if (strcmp(what, "load-warm") == 0) return load(what, false);
    if (strcmp(what, "keep") == 0) return write_one();
    if (strcmp(what, "write") != 0 && strcmp(what, "train") != 0)
        return ann_error(ANN_ERR_ARG, "there is no %s", what);
    const ann_status status = what[0] == 'w' ? write_one() : train();
    clear();
    return status;
}

int main(int argc, char **argv) {
    int level;
    if (argc < 5) {
        fprintf(stderr, "usage: bench_ckpt DIR MIB ROUNDS copy|write|keep|load-cold|load-warm|train ...\n");
        return 2;
    }
    const bool mpi = getenv("OMPI_COMM_WORLD_SIZE") != NULL;
    if (mpi) MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    dir = argv[1];
    writers = getenv("WRITERS") ? atoi(getenv("WRITERS")) : ANN_CKPT_EACH_RANK;
    ann_status status = mpi ? ann_comm_world(&comm, 60) : ann_comm_self(&comm);
    if (status == ANN_OK) status = make_store(atoll(argv[2]));
    for (int round = 0; round < atoi(argv[3]); round++)
        for (int i = 4; i < argc && status == ANN_OK; i++) status = run(argv[i]);
    if (status != ANN_OK) fprintf(stderr, "%s\n", ann_error_text());
    ann_store_free(store);
    ann_comm_free(comm);
    if (mpi) MPI_Finalize();
    return status == ANN_OK ? 0 : 1;
}
