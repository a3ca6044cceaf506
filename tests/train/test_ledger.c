/* The check of a checkpoint's ledger: it knows a right one of every order that needs no dataset, and any
   other number is damage. */
#include <stdio.h>
#include <string.h>
#include "data/data.h"
#include "support/check.h"
#include "support/scratch.h"
#include "train/train.h"

static char dir[SCRATCH_PATH_BYTES];
static ann_comm *comm;
static ann_store *store; /* of one tensor */

static int setup(void **state) {
    (void)state;
    ann_tensor tensor;
    ann_block block;
    const ann_shape shape = ANN_SHAPE(4);
    scratch_make(dir);
    check_ok(ann_comm_self(&comm));
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_store_declare(&tensor, store, "w", ANN_F32, &shape, ANN_ROLE_PARAM, (ann_init){.scale = 1}));
    check_ok(ann_store_group(&block, store, "params", &tensor, 1));
    check_ok(ann_store_commit(store));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    ann_store_free(store);
    ann_comm_free(comm);
    scratch_remove(dir);
    return 0;
}

typedef struct numbers {
    ann_order_options order;
    int64_t position, sum_off, count_off; /* how far the ledger is from the right one */
    bool without;                         /* any order at all */
} numbers;

static ann_meta *make_meta(const numbers *n) {
    const ann_order_options *o = &n->order;
    ann_order *order;
    ann_meta *meta;
    check_ok(ann_order_new(&order, o));
    const ann_ledger right = ann_ledger_expected(order, 0, n->position);
    ann_order_free(order);
    check_ok(ann_meta_new(&meta));
    const struct {
        const char *key;
        int64_t value;
    } values[] = {{"position", n->position},
                  {"ledger_sum", (int64_t)right.sum + n->sum_off},
                  {"ledger_count", (int64_t)right.count + n->count_off},
                  {"order_kind", (int64_t)o->kind},
                  {"order_seed", (int64_t)o->seed},
                  {"order_samples", o->samples},
                  {"order_batch", o->batch},
                  {"order_remainder", (int64_t)o->remainder},
                  {"order_block", o->block},
                  {"order_window", o->window},
                  {"order_lanes", o->lanes}};
    for (size_t i = 0; i < (n->without ? 3 : sizeof values / sizeof values[0]); i++)
        check_ok(ann_meta_set_i64(meta, values[i].key, values[i].value));
    return meta;
}

static void says(numbers n, ann_status want, const char *words) {
    static int step;
    char line[512] = "", path[SCRATCH_PATH_BYTES];
    ann_ckpt *ckpt;
    n.order.seed = 9;
    ann_meta *meta = make_meta(&n);
    check_ok(ann_ckpt_write(comm, dir, ++step, store, meta, 1));
    check_ok(ann_ckpt_latest(comm, dir, path, sizeof path));
    check_ok(ann_ckpt_open(&ckpt, path));
    const ann_status status = ann_train_check_ledger(ckpt, line, sizeof line);
    const char *text = status == ANN_OK ? line : ann_error_text();
    if (status != want || !strstr(text, words) || strchr(text, '\n'))
        fail_msg("%s: \"%s\", wanted \"%s\"", ann_status_name(status), text, words);
    ann_ckpt_close(ckpt);
    ann_meta_free(meta);
}

static void test_right_ledgers(void **state) {
    (void)state;
    const ann_order_options shuffled = {.kind = ANN_ORDER_SHUFFLED, .samples = 50, .batch = 8};
    const ann_order_options dropped = {
        .kind = ANN_ORDER_SHUFFLED, .samples = 50, .batch = 8, .remainder = ANN_REMAINDER_DROP, .lanes = 4};
    const ann_order_options windows = {
        .kind = ANN_ORDER_WINDOW, .samples = 50, .batch = 8, .block = 7, .window = 3};
    says((numbers){shuffled, 0, 0, 0, false}, ANN_OK,
         "ledger ok: 50 samples x 0 epochs each used exactly once");
    says((numbers){shuffled, 100, 0, 0, false}, ANN_OK,
         "ledger ok: 50 samples x 2 epochs each used exactly once");
    says((numbers){windows, 113, 0, 0, false}, ANN_OK,
         "50 samples x 2 epochs and 13 of the next each used exactly once");
    says((numbers){dropped, 104, 0, 0, false}, ANN_OK,
         "ledger ok: 48 samples x 2 epochs and 8 of the next each used exactly once; 2 of each epoch left "
         "out");
    says((numbers){shuffled, 100, 0, 0, true}, ANN_OK, "ledger not checked: the checkpoint has none");
}

static void test_damage(void **state) {
    (void)state;
    const ann_order_options o = {.kind = ANN_ORDER_SHUFFLED, .samples = 50, .batch = 8};
    says((numbers){o, 100, 1, 0, false}, ANN_ERR_CORRUPT, "ledger: 100 samples, sum ");
    says((numbers){o, 100, 0, -1, false}, ANN_ERR_CORRUPT, "ledger: 99 samples, sum ");
    says((numbers){o, 16, -1, 1, false}, ANN_ERR_CORRUPT, "position 16 needs 16, sum ");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_right_ledgers), cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
