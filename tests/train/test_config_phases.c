/* Phases of run files: kinds, models, losses, what is loaded, resources; and bad ones with their exact
   errors. */
#include "train/good_file.h"

#include <stdio.h>
#include <string.h>
#include "support/check.h"
#include "train/config.h"

static void test_phases_of_good_file(void **state) {
    (void)state;
    ann_run_config *c;
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", good_file, NULL, 0), ANN_OK);
    assert_int_equal(c->phase_count, 3);
    const ann_phase_config *pretrain = &c->phases[0], *transfer = &c->phases[1], *cnn = &c->phases[2];
    assert_int_equal(pretrain->kind, ANN_PHASE_PRETRAIN);
    assert_int_equal(pretrain->loss, ANN_LOSS_BCE);
    assert_true(pretrain->mask_noise == 0.3);
    assert_null(pretrain->load_from);
    assert_int_equal(pretrain->optimizer.kind, ANN_OPTIM_ADAM);
    assert_true(pretrain->optimizer.beta2 == 0.999);
    assert_int_equal(pretrain->optimizer.compress.method, ANN_COMPRESS_NONE);
    assert_true(pretrain->optimizer.compress.error_feedback);
    assert_ptr_equal(pretrain->model[1], &c->blocks[1]);
    assert_string_equal(pretrain->program[0].name, "stage1");
    assert_string_equal(pretrain->program[0].train, "*");
    assert_int_equal(pretrain->program[0].schedule.kind, ANN_SCHEDULE_COSINE);
    assert_int_equal(pretrain->program[0].schedule.warmup_steps, 100);
    assert_string_equal(transfer->load_from, "pretrain");
    assert_string_equal(transfer->load_tensors, "encoder/*");
    assert_int_equal(transfer->labels, 1000);
    assert_int_equal(transfer->init, ANN_NN_XAVIER);
    assert_int_equal(transfer->optimizer.kind, ANN_OPTIM_NESTEROV);
    assert_true(transfer->optimizer.clip_norm == 5.0);
    assert_int_equal(transfer->stage_count, 2);
    assert_string_equal(transfer->program[0].name, "frozen");
    assert_int_equal(transfer->program[0].steps, 100);
    assert_int_equal(transfer->program[0].epochs, 0);
    assert_string_equal(transfer->program[1].name, "stage2");
    assert_true(transfer->program[1].schedule.factor == 0.5);
    assert_int_equal(cnn->input, ANN_INPUT_STANDARDIZE);
    assert_int_equal(ann_run_config_find_phase(c, "cnn"), 2);
    assert_int_equal(ann_run_config_find_phase(c, "none"), -1);
    assert_string_equal(ann_phase_kind_name(cnn->kind), "supervised");
    assert_string_equal(ann_loss_kind_name(cnn->loss), "cross_entropy");
    assert_string_equal(ann_layer_kind_name(ANN_LAYER_GLOBAL_AVG_POOL), "global_avg_pool");
    assert_string_equal(ann_activation_name(ANN_ACTIVATION_SOFTMAX), "softmax");
    ann_run_config_free(c);
}

/* What a phase without training leaves out is that of the phase that it loads from, wherever that stands. */
static void test_phases_without_training(void **state) {
    (void)state;
    char text[8192];
    const char *at = strstr(good_file, "phases:\n") + strlen("phases:\n");
    snprintf(
        text, sizeof text,
        "%.*s  - {name: a, kind: evaluate, load: {from: cnn}, after: [transfer, pretrain]}\n"
        "  - {name: b, kind: evaluate, load: {from: pretrain}, loss: mse, data: {path: /proc/self/exe}}\n"
        "  - {name: c, kind: export, load: {from: cnn}, file: c.h5, resources: {ranks: 4, nodes: 2, "
        "threads: 3}}\n%s",
        (int)(at - good_file), good_file, at);
    ann_run_config *c;
    if (ann_run_config_parse(&c, "run.yaml", text, NULL, 0) != ANN_OK) fail_msg("%s", ann_error_text());
    const ann_phase_config *a = &c->phases[0], *b = &c->phases[1], *e = &c->phases[2],
                           *pretrain = &c->phases[3], *cnn = &c->phases[5];
    assert_int_equal(a->kind, ANN_PHASE_EVALUATE);
    assert_ptr_equal(a->model, cnn->model);
    assert_int_equal(a->model_count, 2);
    assert_int_equal(a->loss, ANN_LOSS_CROSS_ENTROPY);
    assert_int_equal(a->input, ANN_INPUT_STANDARDIZE);
    assert_ptr_equal(a->data, cnn->data);
    assert_int_equal(a->after_count, 2);
    assert_string_equal(a->after[1], "pretrain");
    assert_int_equal(a->load_checkpoint, ANN_LOAD_LAST);
    assert_ptr_equal(b->model, pretrain->model);
    assert_int_equal(b->loss, ANN_LOSS_MSE);
    assert_ptr_not_equal(b->data, pretrain->data);
    assert_int_equal(e->kind, ANN_PHASE_EXPORT);
    assert_string_equal(e->export_file, "c.h5");
    assert_int_equal(e->resources.ranks, 4);
    assert_int_equal(e->resources.nodes, 2);
    assert_int_equal(e->resources.threads, 3);
    assert_int_equal(cnn->resources.ranks, 0);
    assert_false(ann_phase_is_trained(e->kind));
    assert_true(ann_phase_is_trained(cnn->kind));
    ann_run_config_free(c);
}

static const bad_file bad_files[] = {
    {"model: [encoder, decoder]", "model: [encoder, decodr]",
     "run.yaml:23:22: phases[0].model[1]: there is no block 'decodr' in models, did you mean 'decoder'?"},
    {"model: [encoder, decoder]", "model: []",
     "run.yaml:23:12: phases[0].model: is empty, accepted is at least one block"},
    {"model: [encoder, decoder]", "model: encoder",
     "run.yaml:23:12: phases[0].model: found 'encoder', accepted is a list"},
    {"loss: bce", "loss: cross_entropy",
     "run.yaml:24:11: phases[0].loss: cross_entropy needs labels, and kind pretrain uses none; accepted are "
     "mse, bce"},
    {"loss: bce", "loss: l2",
     "run.yaml:24:11: phases[0].loss: found 'l2', accepted is mse, bce, cross_entropy"},
    {"loss: bce", "loss: bce\n    labels: 10",
     "run.yaml:25:13: phases[0].labels: the loss bce uses no labels; accepted is 0"},
    {"loss: bce", "loss: bce\n    input: standardize",
     "run.yaml:24:11: phases[0].loss: bce needs targets from 0 to 1; accepted with it is input: scale"},
    {"units: 784", "units: 784, activation: sigmoid",
     "run.yaml:24:11: phases[0].loss: bce takes logits, and the model ends in sigmoid; accepted is a layer "
     "without activation"},
    {"units: 10}", "units: 10, activation: softmax}",
     "run.yaml:32:11: phases[1].loss: cross_entropy needs a classifier's logits, and the model ends in dense "
     "with softmax; "
     "accepted is a dense layer without activation"},
    {"kind: supervised\n    model: [lenet, head]\n    loss: cross_entropy",
     "kind: supervised\n    model: [lenet, head]\n    loss: mse",
     "run.yaml:44:11: phases[2].loss: mse uses no labels, and kind supervised needs them; accepted is "
     "cross_entropy, or target: y"},
    {"model: [lenet, head]", "model: [head, lenet]",
     "run.yaml:44:11: phases[2].loss: cross_entropy needs a classifier's logits, and the model ends in "
     "dropout; accepted is a "
     "dense layer without activation"},
    {"name: transfer\n", "name: pretrain\n",
     "run.yaml:29:11: phases[1].name: the run has a phase 'pretrain' already"},
    {"from: pretrain", "from: pretrane",
     "run.yaml:34:18: phases[1].load.from: there is no phase 'pretrane', did you mean 'pretrain'?"},
    {"from: pretrain", "from: cnn",
     "run.yaml:34:32: phases[1].load.tensors: 'encoder/*' matches no tensor that both 'cnn' and 'transfer' "
     "have"},
    {"from: pretrain", "checkpoint: best, from: pretrain",
     "run.yaml:34:24: phases[1].load.checkpoint: no best checkpoint is kept: checkpoint.best is none"},
    {"'encoder/*'", "'decoder/*'",
     "run.yaml:34:37: phases[1].load.tensors: 'decoder/*' matches no tensor that both 'pretrain' and "
     "'transfer' have"},
    {"    load: {from: pretrain, tensors: 'encoder/*'}\n", "",
     "run.yaml:30:11: phases[1].kind: a transfer needs 'load: {from: PHASE, tensors: PATTERN}' with an "
     "earlier phase, or 'load: {file: PATH}'"},
    {"load: {from: pretrain,", "load: {from: pretrain, file: /proc/self/exe,",
     "run.yaml:34:11: phases[1].load: accepted is exactly one of from and file, found both"},
    {"load: {from: pretrain,", "load: {strict: true,",
     "run.yaml:34:11: phases[1].load: accepted is exactly one of from and file, found neither"},
    {"load: {from: pretrain,", "load: {file: /nonexistent/x.npz,",
     "run.yaml:34:18: phases[1].load.file: '/nonexistent/x.npz': No such file or directory"},
    {"load: {from: pretrain, tensors: 'encoder/*'", "load: {file: /proc/self/exe, tensors: 'lenet/*'",
     "run.yaml:34:43: phases[1].load.tensors: 'lenet/*' matches no tensor of 'transfer'"},
    {"load: {from: pretrain,", "load: {from: pretrain, strict: perhaps,",
     "run.yaml:34:36: phases[1].load.strict: found 'perhaps', accepted is true or false"},
    {"load: {from: pretrain,", "load: {from: pretrain, rename: {a.*: b/*/*},",
     "run.yaml:34:42: phases[1].load.rename.a.*: accepted is a name with as many '*' as its key has, or "
     "fewer, "
     "and at most 8"},
    {"load: {from: pretrain,", "load: {from: pretrain, rename: [a],",
     "run.yaml:34:37: phases[1].load.rename[0]: found 'a', accepted is a map"},
    {"load: {from: pretrain,", "load: {from: pretrain, transpose: [],",
     "run.yaml:34:39: phases[1].load.transpose: found a list, accepted is a text"},
    /* kinds and resources */
    {"kind: supervised", "kind: adapt",
     "run.yaml:41:5: phases[2]: the key 'data' is missing: kind adapt without a method needs data of its "
     "own"},
    {"kind: supervised", "kind: adapt\n    data: {path: /proc/self/exe}",
     "run.yaml:42:11: phases[2].kind: an adaptation needs 'load: {from: PHASE, tensors: PATTERN}' with an "
     "earlier phase, or 'load: {file: PATH}'"},
    {"    batch: 128\n", "",
     "run.yaml:41:5: phases[2]: the key 'batch' is missing, accepted is an integer from 1 to 1000000000"},
    {"    model: [lenet, head]\n", "",
     "run.yaml:41:5: phases[2]: the key 'model' is missing, accepted is a list of block names"},
    {"    batch: 128\n", "    batch: 128\n    file: a.npz\n",
     "run.yaml:47:5: phases[2].file: it is for kind export"},
    {"    batch: 128\n", "    batch: 128\n    resources: {ranks: 0}\n",
     "run.yaml:47:24: phases[2].resources.ranks: '0' is out of range, accepted is an integer from 1 to "
     "65536"},
    {"    batch: 128\n", "    batch: 128\n    resources: {nodes: 2, ranks: 5}\n",
     "run.yaml:47:34: phases[2].resources.ranks: 5 ranks cannot be spread evenly over 2 nodes"},
    {"phases:\n", "phases:\n  - {name: test, kind: evaluate}\n",
     "run.yaml:21:5: phases[0]: the key 'load' is missing, accepted is a map, see phases[].load"},
    {"phases:\n", "phases:\n  - {name: test, kind: evaluate, load: {from: cnn}, batch: 4}\n",
     "run.yaml:21:53: phases[0].batch: kind evaluate does not use it"},
    {"phases:\n", "phases:\n  - {name: test, kind: evaluate, load: {file: /proc/self/exe}}\n",
     "run.yaml:21:5: phases[0]: the key 'model' is missing, accepted is a list of block names"},
    {"phases:\n", "phases:\n  - {name: test, kind: evaluate, load: {from: cnn}, model: [encoder]}\n",
     "run.yaml:21:40: phases[0].load: '*' matches no tensor that both 'cnn' and 'test' have"},
    {"phases:\n", "phases:\n  - {name: out, kind: export, load: {from: cnn}}\n",
     "run.yaml:21:5: phases[0]: the key 'file' is missing, accepted is a text"},
    {"phases:\n", "phases:\n  - {name: out, kind: export, load: {from: cnn}, file: a.txt}\n",
     "run.yaml:21:56: phases[0].file: 'a.txt' has no known format, accepted is a name that ends in .npz, "
     ".safetensors or .h5"},
    {"phases:\n", "phases:\n  - {name: out, kind: export, load: {file: /proc/self/exe}, file: a.h5}\n",
     "run.yaml:21:37: phases[0].load: kind export needs 'from' with a phase"},
    {"phases:\n",
     "phases:\n  - {name: a, kind: evaluate, load: {from: b}}\n  - {name: b, kind: evaluate, load: {from: "
     "cnn}}\n",
     "run.yaml:21:44: phases[0].load.from: 'b' is of kind evaluate and leaves no tensors"},
};

static void test_bad_files(void **state) {
    (void)state;
    check_bad_files(bad_files, sizeof bad_files / sizeof bad_files[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases_of_good_file),
        cmocka_unit_test(test_phases_without_training),
        cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
