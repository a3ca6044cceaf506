/* Lineage as functions: the key of a phase changes with what decides its results and with nothing else; the
   map is read back as it was printed; what has changed is found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "ckpt/ckpt.h"
#include "support/check.h"
#include "train/internal.h"

/* data.path must be a readable file. */
static const char run_file[] =
    "name: run\n"
    "seed: 3\n"
    "output: out\n"
    "data: { path: /proc/self/exe }\n"
    "models:\n"
    "  encoder:\n"
    "    - dense: { name: fc1, units: 20, activation: relu }\n"
    "    - dropout: { name: drop, p: 0.2 }\n"
    "  decoder:\n"
    "    - dense: { name: out, units: 64 }\n"
    "  head:\n"
    "    - dense: { name: out, units: 4 }\n"
    "phases:\n"
    "  - { name: pre, kind: pretrain, model: [encoder, decoder], loss: mse, batch: 40,\n"
    "      program: [{ name: only, epochs: 2, lr: 0.005 }] }\n"
    "  - { name: fine, kind: transfer, model: [encoder, head], loss: cross_entropy, batch: 30,\n"
    "      load: { from: pre, tensors: \"encoder/*\" }, stop: { early: { patience: 3 } },\n"
    "      program: [{ name: only, epochs: 3, lr: 0.005 }] }\n";

static void keys(uint64_t out[2], const char *set) {
    ann_run_config *config;
    check_ok(ann_run_config_parse(&config, "run.yaml", run_file, &set, set ? 1 : 0));
    for (int i = 0; i < 2; i++) check_ok(ann_lineage_key(&out[i], config, i));
    ann_run_config_free(config);
}

static void key_is_of_what_matters(void **state) {
    (void)state;
    static const struct {
        const char *set;
        bool pre, fine; /* whether that phase's key changes */
    } all[] = {
        {"seed=4", true, true},
        {"models.encoder[0].dense.units=21", true, true},
        {"models.encoder[0].dense.activation=tanh", true, true},
        {"models.encoder[1].dropout.p=0.3", true, true},
        {"models.encoder[1]={noise: {name: drop, kind: mask, amount: 0.2}}", true, true},
        {"models.decoder[0].dense.units=63", true, false},
        {"models.head[0].dense.units=5", false, true},
        {"phases.pre.loss=bce", true, false},
        {"phases.pre.input=standardize", true, false},
        {"phases.pre.noise={mask: 0.1}", true, false},
        {"phases.pre.batch=41", true, false},
        {"phases.pre.accumulate=2", true, false},
        {"phases.pre.init=xavier", true, false},
        {"phases.pre.augment=[{flip: {}}]", true, false},
        {"phases.pre.sampling={remainder: drop}", true, false},
        {"phases.pre.optimizer={kind: sgd}", true, false},
        {"phases.pre.optimizer={clip_norm: 1}", true, false},
        {"phases.pre.compress={method: bf16}", true, false},
        {"phases.pre.sync={every: 5}", true, false},
        {"phases.pre.reduction={order: invariant, shards: 8}", true, false},
        {"phases.pre.on_nonfinite={policy: skip}", true, false},
        {"phases.pre.stop={wall_time: 1 h}", true, false},
        {"phases.pre.program[0].lr=0.006", true, false},
        {"phases.pre.program[0].epochs=3", true, false},
        {"phases.pre.program[0].train=decoder/*", true, false},
        {"phases.pre.program[0].schedule={kind: cosine}", true, false},
        {"phases.fine.labels=100", false, true},
        {"phases.fine.load.tensors=encoder/fc1/*", false, true},
        {"phases.fine.stop.early.patience=4", false, true},
        {"phases.fine.stop.early.min_delta=0.1", false, true},
        {"phases.fine.stop.early.metric=test_accuracy", false, true},
        {"phases.fine.stop.early.restore_best=false", false, true},
        {"phases.fine.stop.every=10 steps", false, true},
        {"phases.fine.stop.target={metric: test_accuracy, reach: 0.9}", false, true},
        /* and what does not */
        {"name=other", false, false},
        {"output=elsewhere", false, false},
        {"data.path=/proc/self/status", false, false},
        {"data.cache_mb=1", false, false},
        {"data.memory=hold", false, false},
        {"log.every_steps=1", false, false},
        {"checkpoint={every: 10 steps, keep: 1, best: test_loss, writers: 1}", false, false},
        {"comm={timeout_s: 5, shared_memory: false, zero: true, calibrate: never, bucket_bytes: 2048}", false,
         false},
        {"comm.check_every=1", false, false},
        {"phases.fine.load.strict=true", false, false},
        {"phases.fine.stop.every=1 epochs", false, false},
    };
    uint64_t base[2], again[2], with[2];
    keys(base, NULL);
    keys(again, NULL);
    assert_true(base[0] == again[0] && base[1] == again[1] && base[0] != base[1]);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        keys(with, all[i].set);
        if ((with[0] != base[0]) != all[i].pre) fail_msg("%s: the key of pre", all[i].set);
        if ((with[1] != base[1]) != all[i].fine) fail_msg("%s: the key of fine", all[i].set);
    }
}

static const ann_lineage sample = {
    .phase = "fine",
    .version = "0.1.0",
    .revision = "946b9d4aabcd-dirty",
    .key = 0x0123456789abcdef,
    .train_data = 0xffffffffffffffff,
    .test_data = 1,
    .parent_count = 2,
    .parents = {{"pre", "../pre/step-0000000013", 13, 0x8000000000000000, 5},
                {"", "/tmp/a \"strange\": {name}, # \\ \t\n\xC3\xA9.npz", -1, 0, 77}}};

static void same_parents(const ann_lineage *a, const ann_lineage *b) {
    assert_int_equal(a->parent_count, b->parent_count);
    for (int i = 0; i < a->parent_count; i++) {
        assert_string_equal(a->parents[i].phase, b->parents[i].phase);
        assert_string_equal(a->parents[i].path, b->parents[i].path);
        assert_true(a->parents[i].step == b->parents[i].step);
        assert_true(a->parents[i].key == b->parents[i].key);
        assert_true(a->parents[i].content == b->parents[i].content);
    }
}

static void read_back_as_printed(void **state) {
    (void)state;
    char *text;
    ann_meta *meta;
    ann_lineage found;
    check_ok(ann_lineage_print(&text, &sample));
    check_ok(ann_meta_new(&meta));
    check_ok(ann_meta_set_str(meta, "lineage", text));
    check_ok(ann_lineage_read(&found, meta));
    assert_string_equal(found.phase, sample.phase);
    assert_string_equal(found.version, sample.version);
    assert_string_equal(found.revision, sample.revision);
    assert_true(found.key == sample.key && found.train_data == sample.train_data &&
                found.test_data == sample.test_data);
    same_parents(&found, &sample);
    assert_true(ann_lineage_id(&found) == ann_lineage_id(&sample));
    free(text);
    ann_meta_free(meta);
}

static void damaged_maps_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "7",
        "[1, 2]",
        "{",
        "phase: a",
        "{phase: a, key: 0x1, data: {train: 0x1, test: 0x2}, code: {version: 1, revision: 2}}",
        "{phase: a, key: 1, data: {train: 0x1, test: 0x2}, code: {version: 1, revision: 2}, parents: []}",
        "{phase: a, key: 0x1, data: {train: 0x1, test: 0xg}, code: {version: 1, revision: 2}, parents: []}",
        "{phase: a, key: 0x1, data: {train: 0x1}, code: {version: 1, revision: 2}, parents: []}",
        "{phase: a, key: 0x1, data: {train: 0x1, test: 0x2}, code: {version: 1, revision: 2}, parents: [{}]}",
        "{phase: a, key: 0x1, data: {train: 0x1, test: 0x2}, code: {version: 1, revision: 2}, parents: [{}, "
        "{}, {}, "
        "{}, {}]}"};
    ann_lineage found;
    ann_meta *meta;
    check_ok(ann_meta_new(&meta));
    assert_int_equal(ann_lineage_read(&found, meta), ANN_ERR_NOT_FOUND);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        check_ok(ann_meta_set_str(meta, "lineage", bad[i]));
        if (ann_lineage_read(&found, meta) != ANN_ERR_FORMAT) fail_msg("'%s' is accepted", bad[i]);
    }
    ann_meta_free(meta);
}

static ann_lineage_change change_to(const ann_lineage *now, const ann_lineage *then, const char *words) {
    char text[512] = "";
    const ann_lineage_change found = ann_lineage_compare(text, sizeof text, now, then);
    if (found != ANN_LINEAGE_SAME && !strstr(text, words)) fail_msg("%s", text);
    return found;
}

static ann_lineage_change change(const ann_lineage *then, const char *words) {
    return change_to(&sample, then, words);
}

static void changes_are_found(void **state) {
    (void)state;
    const uint64_t id = ann_lineage_id(&sample);
    ann_lineage then = sample;
    then.key++;
    assert_int_equal(change(&then, "configuration"), ANN_LINEAGE_CONFIG);
    assert_true(ann_lineage_id(&then) != id);
    then = sample;
    then.train_data++;
    assert_int_equal(change(&then, "its training data"), ANN_LINEAGE_DATA);
    then = sample;
    then.test_data++;
    assert_int_equal(change(&then, "its test data"), ANN_LINEAGE_DATA);
    then = sample;
    then.parents[0].content++;
    assert_int_equal(change(&then, "its parent pre "), ANN_LINEAGE_PARENT);
    assert_true(ann_lineage_id(&then) != id);
    then = sample;
    then.parent_count = 1;
    assert_int_equal(change(&then, "from 2 checkpoints or files"), ANN_LINEAGE_PARENT);
    then = sample;
    then.parents[0].key++; /* and yet it came to the same */
    then.revision[0]++;
    assert_int_equal(change(&then, ""), ANN_LINEAGE_SAME);
    assert_true(ann_lineage_id(&then) != id);
    then = sample;
    then.parents[1].path[1]++;
    assert_int_equal(change(&then, ""), ANN_LINEAGE_SAME);
    assert_true(ann_lineage_id(&then) == id);
}

/* A parent that is gone is judged by its key. */
static void parents_without_content(void **state) {
    (void)state;
    ann_lineage now = sample, then = sample;
    now.parents[0].content = 0;
    assert_int_equal(change_to(&now, &then, ""), ANN_LINEAGE_SAME);
    then.parents[0].content++;
    assert_int_equal(change_to(&now, &then, ""), ANN_LINEAGE_SAME);
    then.parents[0].key++;
    assert_int_equal(change_to(&now, &then, "its parent pre had another configuration"), ANN_LINEAGE_PARENT);
}

/* ---- whether a checkpoint still counts ---- */

static const ann_data_config data = {.path = "data.h5"};
static const ann_phase_config fine = {.name = "fine", .data = &data};
static const ann_run_config config = {.path = "run.yaml"};

static anni_phase new_phase(anni_run *run) {
    anni_phase phase = {
        .run = run, .config = &fine, .facts = (char *)(uintptr_t) "batch = 30\n", .lineage = sample};
    *run = (anni_run){.config = &config, .rank = 0};
    return phase;
}

/* Its metadata, with the facts if the key is another. */
static ann_meta *meta_of(const ann_lineage *then) {
    char *text;
    ann_meta *meta;
    check_ok(ann_lineage_print(&text, then));
    check_ok(ann_meta_new(&meta));
    check_ok(ann_meta_set_str(meta, "lineage", text));
    check_ok(ann_meta_set_str(meta, "facts", then->key == sample.key ? "batch = 30\n" : "batch = 20\n"));
    free(text);
    return meta;
}

/* Of a finished phase and of an unfinished one: the status, and what phase->changed says. */
static void judged(const ann_lineage *then, const char *finished, ann_status status, const char *unfinished,
                   bool warns) {
    for (int i = 0; i < 2; i++) {
        anni_run run;
        anni_phase phase = new_phase(&run);
        ann_meta *meta = meta_of(then);
        assert_int_equal(anni_lineage_check(&phase, meta, i == 0, "step-7"), i == 0 ? ANN_OK : status);
        const char *says = i == 1 && status != ANN_OK ? ann_error_text() : phase.changed;
        const char *want = i == 0 ? finished : unfinished;
        if (want[0] ? !strstr(says, want) : says[0]) fail_msg("'%s', not '%s'", says, want);
        assert_int_equal(phase.warned, warns);
        ann_meta_free(meta);
    }
}

static void finished_runs_again_and_unfinished_is_refused(void **state) {
    (void)state;
    static const char batches[] =
        "the run file says \"batch = 30\", the checkpoint was made with \"batch = 20\"";
    ann_lineage then = sample;
    judged(&then, "", ANN_OK, "", false);
    then.revision[0]++;
    judged(&then, "", ANN_OK, "", true);
    then = sample;
    then.key++;
    judged(&then, batches, ANN_ERR_CONFIG, batches, false);
    then = sample;
    then.train_data++;
    judged(&then, "its training data", ANN_ERR_CONFIG,
           "run.yaml: cannot resume from step-7: it was trained on other", false);
    then = sample;
    then.parents[0].content++;
    judged(&then, "its parent pre ", ANN_OK, "its parent pre ", false);
}

/* Checkpoints of before there was lineage tell of configuration and training data. */
static void checkpoints_of_before(void **state) {
    (void)state;
    static const char same[] = "batch = 30\n", other[] = "batch = 20\n";
    for (int i = 0; i < 3; i++) {
        anni_run run;
        anni_phase phase = new_phase(&run);
        ann_meta *meta;
        phase.lineage.key = ann_hash_str(same);
        check_ok(ann_meta_new(&meta));
        check_ok(ann_meta_set_str(meta, "facts", i == 1 ? other : same));
        check_ok(ann_meta_set_i64(meta, "dataset_checksum", (int64_t)sample.train_data + (i == 2)));
        check_ok(anni_lineage_check(&phase, meta, true, "step-7"));
        assert_int_equal(phase.changed[0] != '\0', i > 0);
        ann_meta_free(meta);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(key_is_of_what_matters),
                                       cmocka_unit_test(read_back_as_printed),
                                       cmocka_unit_test(damaged_maps_are_refused),
                                       cmocka_unit_test(changes_are_found),
                                       cmocka_unit_test(parents_without_content),
                                       cmocka_unit_test(finished_runs_again_and_unfinished_is_refused),
                                       cmocka_unit_test(checkpoints_of_before)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
