// ranks: 2 3 4
/* One flipped bit on one rank: all ranks say on which, in which tensor, and since when. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include "support/check.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "train/desync.h"

enum { TENSORS = 4 };
static const char *const names[TENSORS] = {"net/a/weight", "net/a/bias", "net/b/weight", "error/params"};
static uint64_t hashes[16];

static int setup(void **state) { return stage_of_all_ranks(state); }

static ann_store *new_store(void) {
    ann_store *store;
    ann_tensor tensor;
    if (ann_store_new(&store, 5) != ANN_OK) return NULL;
    ann_status status = ANN_OK;
    for (int i = 0; i < TENSORS && status == ANN_OK; i++)
        status = ann_store_declare(&tensor, store, names[i], ANN_F32, &ANN_SHAPE(17 + i), ANN_ROLE_PARAM,
                                   (ann_init){ANN_INIT_UNIFORM, 1});
    if (status == ANN_OK) status = ann_store_commit(store);
    return status == ANN_OK ? store : NULL;
}

static ann_status check_at(ann_store *store, int64_t step, int64_t last_good) {
    return anni_desync_check(
        comm, store,
        &(anni_desync){
            .phase = "cnn", .step = step, .last_good = last_good, .differs = "error/*", .scratch = hashes});
}

static void flip(ann_store *store, const char *name, int64_t element) {
    uint32_t *words = ann_store_data(store, ann_store_find(store, name));
    words[element] ^= 1u << 3;
}

static void equal_stores_pass(void **state) {
    (void)state;
    ann_store *store = new_store();
    assert_all_ranks(store != NULL);
    assert_all_ranks(check_at(store, 1, -1) == ANN_OK);
    flip(store, "net/a/bias", 3); /* on all ranks: still equal */
    assert_all_ranks(check_at(store, 2, 1) == ANN_OK);
    if (rank == size - 1) flip(store, "error/params", 0); /* may differ */
    assert_all_ranks(check_at(store, 3, 2) == ANN_OK);
    ann_store_free(store);
}

static void a_flipped_bit_is_named(void **state) {
    (void)state;
    for (int odd = 0; odd < size; odd++) {
        if (size == 2 && odd == 0) continue; /* of two ranks, the lower one is believed */
        for (int t = 0; t < TENSORS - 1; t++) {
            ann_store *store = new_store();
            char who[64];
            assert_all_ranks(store != NULL);
            if (rank == odd) flip(store, names[t], 16 + t); /* its last element */
            const ann_status status = check_at(store, 200, 100);
            (void)snprintf(who, sizeof who, " differs on rank %d (host ", odd);
            const char *text = ann_error_text();
            const bool good = status == ANN_ERR_DESYNC && strncmp(text, "phase cnn, step 200: ", 21) == 0 &&
                              strncmp(text + 21, names[t], strlen(names[t])) == 0 && strstr(text, who) &&
                              strstr(text, "the same at step 100 (1 of 4 tensors differ)");
            if (!good) (void)fprintf(stderr, "%s: %s\n", ann_status_name(status), text);
            assert_all_ranks(good);
            if (rank == odd) flip(store, names[t], 16 + t);
            assert_all_ranks(check_at(store, 201, 200) == ANN_OK);
            ann_store_free(store);
        }
    }
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_stores_pass),
        cmocka_unit_test(a_flipped_bit_is_named),
    };
    const int failed = cmocka_run_group_tests(tests, setup, stage_end);
    MPI_Finalize();
    return failed;
}
