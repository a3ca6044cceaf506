// ranks: 1 2 3 4
// timeout: 300
/* Every order of samples, trained on this number of ranks, against the same run on one rank (which rank 0
   does alone): the losses agree as closely as sums in another order can, the ledgers are right, and what is
   stopped in the middle of an epoch goes on on any number of ranks as if it had not been. Evaluation is the
   same to the bit. */
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include "base/philox.h"
#include "support/check.h"
#include "support/curve.h"
#include "support/mpi_verdict.h"
#include "support/scratch.h"
#include "train/train.h"

enum { TRAIN = 250, TEST = 1100, PIXELS = 64, CLASSES = 4, MAX_STEPS = 64 };

static ann_comm *world, *self;
static int rank, size;
static char dir[SCRATCH_PATH_BYTES];

/* ---- a dataset with all fields that sampling looks at ---- */

static void put(hid_t group, const char *name, hid_t type, int dims_count, hsize_t n, const void *data) {
    const hsize_t dims[4] = {n, 8, 8, 1};
    const hid_t space = H5Screate_simple(dims_count, dims, NULL);
    const hid_t set = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Dclose(set);
    H5Sclose(space);
}

static void put_split(hid_t file, const char *name, int n) {
    static uint8_t x[TEST][PIXELS], y[TEST];
    static int32_t domain[TEST];
    static float weight[TEST];
    for (int i = 0; i < n; i++) {
        y[i] = (uint8_t)(i * 7 / 3 % CLASSES);
        domain[i] = i >= 2 * n / 3;
        weight[i] = (float)(i % 5);
        for (int j = 0; j < PIXELS; j++) {
            const bool bright = j / (PIXELS / CLASSES) == y[i];
            x[i][j] = (uint8_t)(ann_random_uniform(5, (uint32_t)n, (uint64_t)i, (uint64_t)j) *
                                (bright ? 255 : 150));
        }
    }
    const hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put(group, "x", H5T_NATIVE_UINT8, 4, (hsize_t)n, x);
    put(group, "y", H5T_NATIVE_UINT8, 1, (hsize_t)n, y);
    put(group, "domain", H5T_NATIVE_INT32, 1, (hsize_t)n, domain);
    put(group, "weight", H5T_NATIVE_FLOAT, 1, (hsize_t)n, weight);
    H5Gclose(group);
}

static int setup(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    if (ann_comm_world(&world, 60.0) != ANN_OK || ann_comm_self(&self) != ANN_OK) return -1;
    rank = ann_comm_rank(world);
    size = ann_comm_size(world);
    if (rank == 0) {
        scratch_make(dir);
        const hid_t file =
            H5Fcreate(scratch_path(path, "%s/data.h5", dir), H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
        put_split(file, "train", TRAIN);
        put_split(file, "test", TEST);
        if (H5Fclose(file) < 0) return -1;
    }
    return ann_comm_broadcast(world, dir, sizeof dir, 0) == ANN_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    const bool good = ann_comm_barrier(world) == ANN_OK;
    if (rank == 0) scratch_remove(dir);
    ann_comm_free(self);
    ann_comm_free(world);
    return good ? 0 : -1;
}

/* ---- runs ---- */

static int polls_left; /* until the run is asked to stop; < 0: never */
static bool stop_requested(void) { return polls_left >= 0 && polls_left-- == 0; }

static const char *memory = "map";

static ann_status run(ann_comm *comm, const char *name, const char *sampling, double lr, bool resume) {
    static const char format[] =
        "name: sampled\noutput: %s/%s\ndata: { path: %s/data.h5, memory: %s }\nlog: { every_steps: 1 }\n"
        "models: { net: [flatten: {}, dense: { name: a, units: 24, activation: tanh }, dropout: { name: d, "
        "p: "
        "0.2 }, dense: { name: b, units: 4 }] }\n"
        "phases:\n  - name: only\n    kind: supervised\n    model: [net]\n    loss: cross_entropy\n"
        "    batch: 24\n    sampling: %s\n    optimizer: { kind: momentum }\n"
        "    program: [{ steps: 5, name: warm, lr: %g }, { epochs: 3, lr: %g, schedule: { kind: cosine } "
        "}]\n";
    char text[sizeof format + 3 * SCRATCH_PATH_BYTES];
    const ann_train_options options = {.threads = 1, .resume = resume, .stop_requested = stop_requested};
    ann_run_config *config;
    snprintf(text, sizeof text, format, dir, name, dir, memory, sampling, lr, lr);
    ANN_TRY(ann_run_config_parse(&config, "sampled.yaml", text, NULL, 0));
    const ann_status status = ann_train(comm, config, &options);
    ann_run_config_free(config);
    return status;
}

static bool run_ok(ann_comm *comm, const char *name, const char *sampling, double lr, bool resume) {
    polls_left = -1;
    const ann_status status = run(comm, name, sampling, lr, resume);
    if (status != ANN_OK) fprintf(stderr, "%s: %s: %s\n", name, ann_status_name(status), ann_error_text());
    return status == ANN_OK;
}

/* Float sums of 24 losses in another order, fed back through some 40 steps; the golden curves of
   test_train.c, with five times the steps and batch norm, hold to the same bound. */
static bool same_losses(const char *a, const char *b, int steps) {
    double x[MAX_STEPS], y[MAX_STEPS];
    const int n = curve_read(x, MAX_STEPS, dir, a, "loss"), m = curve_read(y, MAX_STEPS, dir, b, "loss");
    bool same = n == steps && m == steps;
    for (int i = 0; same && i < n; i++) same = fabs(x[i] / y[i] - 1) <= 1e-4;
    if (!same) fprintf(stderr, "%s and %s: %d and %d losses, wanted %d equal ones\n", a, b, n, m, steps);
    return same;
}

/* The last checkpoint of a run on this rank alone. */
static bool open_last(ann_ckpt **ckpt, const char *name) {
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    return ann_ckpt_latest(self, scratch_path(sub, "%s/%s/only", dir, name), path, sizeof path) == ANN_OK &&
           ann_ckpt_open(ckpt, path) == ANN_OK;
}

static bool ledger_says(const char *name, const char *words) {
    char line[512] = "";
    ann_ckpt *ckpt;
    if (!open_last(&ckpt, name)) return false;
    const ann_status status = ann_train_check_ledger(ckpt, line, sizeof line);
    ann_ckpt_close(ckpt);
    const bool good = status == ANN_OK && strstr(line, words);
    if (!good)
        fprintf(stderr, "%s: %s, wanted %s\n", name, status == ANN_OK ? line : ann_error_text(), words);
    return good;
}

static const struct {
    const char *name, *sampling;
    int steps;
    const char *ledger;
} orders[] = {
    {"carry", "{}", 37, "ledger ok: 250 samples x 3 epochs and 120 of the next each used exactly once"},
    {"cut", "{ remainder: cut }", 38, "ledger ok: 250 samples x 3 epochs and 120 of the next each"},
    {"drop", "{ remainder: drop }", 35,
     "ledger ok: 240 samples x 3 epochs and 120 of the next each used exactly once; 10 of each epoch left "
     "out"},
    {"window", "{ order: window, block: 16, window: 3, remainder: cut }", 38, "ledger ok: 250 samples x 3"},
    {"lanes", "{ order: window, block: 7, window: 4, lanes: 4, remainder: cut }", 38,
     "ledger ok: 250 samples"},
    {"sequential", "{ order: sequential }", 37, "ledger ok: 250 samples x 3"},
    {"class", "{ balance: class, shares: [1, 2, 0, 4] }", 37, "ledger ok: 870 draws, each used exactly once"},
    {"source", "{ balance: source }", 37, "ledger ok: 870 draws, each used exactly once"},
    {"weight", "{ balance: weight }", 37, "ledger ok: 870 draws, each used exactly once"},
};
enum { ORDERS = sizeof orders / sizeof orders[0] };

static void same_losses_on_one_rank(void **state) {
    (void)state;
    char alone[32];
    for (int i = 0; i < ORDERS; i++) {
        snprintf(alone, sizeof alone, "%s-alone", orders[i].name);
        assert_all_ranks(run_ok(world, orders[i].name, orders[i].sampling, 0.05, false));
        const bool good = rank != 0 || (run_ok(self, alone, orders[i].sampling, 0.05, false) &&
                                        same_losses(orders[i].name, alone, orders[i].steps) &&
                                        ledger_says(orders[i].name, orders[i].ledger));
        assert_all_ranks(good);
    }
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Held in memory, of each rank's lanes alone: the same bits as read from the file. Lanes that are no multiple
   of the ranks are refused before anything is trained. */
static void held_in_memory(void **state) {
    (void)state;
    static const char sampling[] = "{ order: window, block: 7, window: 4, lanes: 4, remainder: cut }";
    polls_left = -1;
    memory = "hold";
    const ann_status status = run(world, "held", sampling, 0.05, false);
    const ann_status refused = size > 1 ? run(world, "refused", "{}", 0.05, false) : ANN_ERR_CONFIG;
    const bool says = size == 1 || strstr(ann_error_text(), "data.memory: phase only: with 1 lane each of ");
    memory = "map";
    assert_all_ranks(status == (4 % size == 0 ? ANN_OK : ANN_ERR_CONFIG));
    assert_all_ranks(refused == ANN_ERR_CONFIG && says);
    double held[MAX_STEPS] = {0}, mapped[MAX_STEPS] = {0};
    bool same = true;
    if (rank == 0 && status == ANN_OK)
        same = curve_read(held, MAX_STEPS, dir, "held", "loss") == 38 &&
               curve_read(mapped, MAX_STEPS, dir, "lanes", "loss") == 38;
    for (int i = 0; i < 38 && rank == 0 && status == ANN_OK; i++)
        same = same && bits_of(held[i]) == bits_of(mapped[i]);
    assert_all_ranks(same);
}

/* Stopped in the second epoch on all ranks; resumed on one. */
static void stopped_and_resumed(void **state) {
    (void)state;
    for (int i = 1; i < ORDERS; i += 2) {
        char name[32];
        snprintf(name, sizeof name, "%s-stopped", orders[i].name);
        polls_left = 1;
        assert_all_ranks(run(world, name, orders[i].sampling, 0.05, false) == ANN_ERR_STOP);
        const bool good = rank != 0 || (run_ok(self, name, orders[i].sampling, 0.05, true) &&
                                        same_losses(orders[i].name, name, orders[i].steps) &&
                                        ledger_says(name, orders[i].ledger));
        assert_all_ranks(good);
    }
}

/* With a learning rate of 0 the weights are the same bits on any number of ranks; so are loss and accuracy.
 */
static void evaluation_has_the_same_bits(void **state) {
    (void)state;
    static const char *const keys[] = {"test_loss", "test_accuracy"};
    assert_all_ranks(run_ok(world, "still", "{}", 0, false));
    bool good = rank != 0 || run_ok(self, "still-alone", "{}", 0, false);
    for (int i = 0; good && rank == 0 && i < 2; i++) {
        ann_ckpt *a = NULL, *b = NULL;
        double x = 0, y = 1;
        good = open_last(&a, "still") && open_last(&b, "still-alone") &&
               ann_meta_get_f64(ann_ckpt_meta(a), keys[i], &x) == ANN_OK &&
               ann_meta_get_f64(ann_ckpt_meta(b), keys[i], &y) == ANN_OK && bits_of(x) == bits_of(y);
        if (!good) fprintf(stderr, "%s: %.17g and %.17g\n", keys[i], x, y);
        ann_ckpt_close(a);
        ann_ckpt_close(b);
    }
    assert_all_ranks(good);
}

/* The ledger of a weighted order needs the dataset, and says so where it is not there. */
static void missing_data_is_not_success(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES], aside[SCRATCH_PATH_BYTES];
    scratch_path(path, "%s/data.h5", dir);
    scratch_path(aside, "%s/aside.h5", dir);
    const bool good =
        rank != 0 || (rename(path, aside) == 0 && ledger_says("weight", "ledger not checked: ") &&
                      ledger_says("window", "ledger ok: ") && rename(aside, path) == 0);
    assert_all_ranks(good);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_losses_on_one_rank),     cmocka_unit_test(held_in_memory),
        cmocka_unit_test(stopped_and_resumed),         cmocka_unit_test(evaluation_has_the_same_bits),
        cmocka_unit_test(missing_data_is_not_success),
    };
    const int failed = cmocka_run_group_tests(tests, setup, teardown);
    MPI_Finalize();
    return failed;
}
