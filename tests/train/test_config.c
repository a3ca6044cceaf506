/* Run files: the good one read key by key, and a table of bad ones with their exact errors. Each bad file is
   the good one with one override or one text replaced, so that line and column are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hash.h"
#include "support/check.h"
#include "train/config.h"

/* data.path must be a readable file: this test's own program is one. */
static const char *const good =
    "name: fashion\n"
    "seed: 7\n"
    "output: runs/fashion\n"
    "data: {path: /proc/self/exe}\n"
    "models:\n"
    "  encoder:\n"
    "    - dense: {name: fc1, units: 512, activation: relu}\n"
    "    - dense: {name: fc2, units: 64}\n"
    "  decoder:\n"
    "    - dense: {name: fc1, units: 784}\n"
    "  head:\n"
    "    - dense: {name: fc, units: 10}\n"
    "  lenet:\n"
    "    - conv2d: {name: conv1, channels: 32, kernel: [5, 3], padding: 2, activation: relu}\n"
    "    - batch_norm: {name: bn1}\n"
    "    - max_pool: {kernel: 2}\n"
    "    - activation: {kind: leaky_relu, slope: 0.2}\n"
    "    - flatten:\n"
    "    - dropout: {name: drop1, p: 0.5}\n"
    "phases:\n"
    "  - name: pretrain\n"
    "    kind: pretrain\n"
    "    model: [encoder, decoder]\n"
    "    loss: bce\n"
    "    noise: {mask: 0.3}\n"
    "    batch: 256\n"
    "    program:\n"
    "      - {epochs: 5, lr: 0.001, schedule: {kind: cosine, warmup_steps: 100}}\n"
    "  - name: transfer\n"
    "    kind: transfer\n"
    "    model: [encoder, head]\n"
    "    loss: cross_entropy\n"
    "    labels: 1000\n"
    "    load: {from: pretrain, tensors: 'encoder/*'}\n"
    "    batch: 64\n"
    "    init: xavier\n"
    "    optimizer: {kind: nesterov, momentum: 0.8, clip_norm: 5}\n"
    "    program:\n"
    "      - {name: frozen, train: 'head/*', steps: 100, lr: 0.01}\n"
    "      - {epochs: 3, lr: 0.001, schedule: {kind: step, period_steps: 50, factor: 0.5}}\n"
    "  - name: cnn\n"
    "    kind: supervised\n"
    "    model: [lenet, head]\n"
    "    loss: cross_entropy\n"
    "    input: standardize\n"
    "    batch: 128\n"
    "    program: [{epochs: 10, lr: 0.001}]\n";

static void test_good_file(void **state) {
    (void)state;
    ann_run_config *c;
    if (ann_run_config_parse(&c, "run.yaml", good, NULL, 0) != ANN_OK) fail_msg("%s", ann_error_text());
    assert_string_equal(c->name, "fashion");
    assert_int_equal(c->seed, 7);
    assert_string_equal(c->output, "runs/fashion");
    assert_int_equal(c->checkpoint.every.kind, ANN_CADENCE_NEVER);
    assert_int_equal(c->checkpoint.keep, 3);
    assert_int_equal(c->checkpoint.keep_every, 0);
    assert_int_equal(c->checkpoint.best, ANN_BEST_NONE);
    assert_int_equal(c->checkpoint.when_busy, ANN_WHEN_BUSY_SKIP);
    assert_int_equal(c->checkpoint.writers, 0);
    assert_true(c->checkpoint.mtbf_hours == 24);
    assert_int_equal(c->log_every_steps, 50);
    assert_true(c->comm_timeout_s == 60.0);
    assert_int_equal(c->comm_bucket_bytes, 4194304);
    assert_string_equal(c->text, good);
    assert_true(c->hash == ann_hash_str(good));
    assert_string_equal(c->path, "run.yaml");
    assert_int_equal(c->block_count, 4);
    const ann_layer_config *fc1 = &c->blocks[0].layers[0], *conv = &c->blocks[3].layers[0];
    assert_string_equal(fc1->name, "fc1");
    assert_int_equal(fc1->units, 512);
    assert_int_equal(fc1->activation, ANN_ACTIVATION_RELU);
    assert_true(fc1->bias);
    assert_int_equal(conv->kind, ANN_LAYER_CONV2D);
    assert_int_equal(conv->kernel[0], 5);
    assert_int_equal(conv->kernel[1], 3);
    assert_int_equal(conv->padding[1], 2);
    assert_int_equal(conv->stride[0], 1);
    assert_int_equal(conv->dilation[1], 1);
    assert_int_equal(conv->groups, 1);
    assert_true(conv->bias);
    assert_true(c->blocks[3].layers[1].eps == 1e-5);
    assert_int_equal(c->blocks[3].layers[2].stride[1], 2);
    assert_true(c->blocks[3].layers[3].slope == 0.2);
    assert_int_equal(c->blocks[3].layers[4].kind, ANN_LAYER_FLATTEN);
    assert_string_equal(c->blocks[3].layers[4].name, "");
    assert_true(c->blocks[3].layers[5].p == 0.5);
    ann_run_config_free(c);
    ann_run_config_free(NULL);
}

static void test_phases_of_good_file(void **state) {
    (void)state;
    ann_run_config *c;
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", good, NULL, 0), ANN_OK);
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
    const char *at = strstr(good, "phases:\n") + strlen("phases:\n");
    snprintf(
        text, sizeof text,
        "%.*s  - {name: a, kind: evaluate, load: {from: cnn}, after: [transfer, pretrain]}\n"
        "  - {name: b, kind: evaluate, load: {from: pretrain}, loss: mse, data: {path: /proc/self/exe}}\n"
        "  - {name: c, kind: export, load: {from: cnn}, file: c.h5, resources: {ranks: 4, nodes: 2, "
        "threads: 3}}\n%s",
        (int)(at - good), good, at);
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

static void test_checkpoints(void **state) {
    (void)state;
    ann_run_config *c;
    const char *const sets[] = {"checkpoint={every: 10 min, when_busy: wait, keep: 5, keep_every: 10, best: "
                                "test_accuracy, writers: node}"};
    if (ann_run_config_parse(&c, "run.yaml", good, sets, 1) != ANN_OK) fail_msg("%s", ann_error_text());
    assert_int_equal(c->checkpoint.every.kind, ANN_CADENCE_SECONDS);
    assert_true(c->checkpoint.every.seconds == 600);
    assert_int_equal(c->checkpoint.when_busy, ANN_WHEN_BUSY_WAIT);
    assert_int_equal(c->checkpoint.keep, 5);
    assert_int_equal(c->checkpoint.keep_every, 10);
    assert_int_equal(c->checkpoint.best, ANN_BEST_TEST_ACCURACY);
    assert_int_equal(c->checkpoint.writers, -1);
    ann_run_config_free(c);
    const char *const auto_two[] = {"checkpoint.every=auto", "checkpoint.writers=2"};
    if (ann_run_config_parse(&c, "run.yaml", good, auto_two, 2) != ANN_OK) fail_msg("%s", ann_error_text());
    assert_int_equal(c->checkpoint.every.kind, ANN_CADENCE_AUTO);
    assert_int_equal(c->checkpoint.writers, 2);
    ann_run_config_free(c);
}

static void test_overrides(void **state) {
    (void)state;
    ann_run_config *c;
    const char *const sets[] = {"seed=2", "output=elsewhere", "phases.cnn.program[0].lr=0.5"};
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", good, sets, 3), ANN_OK);
    assert_int_equal(c->seed, 2);
    assert_string_equal(c->output, "elsewhere");
    assert_true(c->phases[2].program[0].schedule.lr == 0.5);
    assert_non_null(strstr(c->text, "# --set seed=2\n"));
    assert_true(c->hash != ann_hash_str(good));
    ann_run_config_free(c);
}

/* `from` in the good file, which must be there, replaced by `to`. */
static const struct {
    const char *from, *to, *error;
} bad_files[] = {
    {"seed: 7", "sede: 7", "run.yaml:2:1: sede: unknown key, did you mean 'seed'?"},
    {"seed: 7", "flavour: 7",
     "run.yaml:2:1: flavour: unknown key, accepted are: name, seed, output, data, checkpoint, log, comm, "
     "models, phases"},
    {"seed: 7", "name: x", "run.yaml:2:1: name: the key is given twice, first in line 1"},
    {"seed: 7", "seed: many",
     "run.yaml:2:7: seed: found 'many', accepted is an integer from 0 to 9000000000000000000"},
    {"seed: 7", "seed: -1",
     "run.yaml:2:7: seed: '-1' is out of range, accepted is an integer from 0 to 9000000000000000000"},
    {"seed: 7", "seed: [7]",
     "run.yaml:2:7: seed: found a list, accepted is an integer from 0 to 9000000000000000000"},
    {"seed: 7", "seed: 7: 8", "run.yaml:2:8: not valid YAML: invalid nested block mapping on the same line"},
    {"seed: 7", "comm: {timeout_s: 0}",
     "run.yaml:2:19: comm.timeout_s: '0' is out of range, accepted is a number from 0.1 to 86400"},
    {"seed: 7", "checkpoint: {every: 500}",
     "run.yaml:2:21: checkpoint.every: found '500', accepted is a number of steps, epochs, s, min or h, such "
     "as 500 steps or 10 min; or auto, or never"},
    {"seed: 7", "checkpoint: {every: [5, steps]}",
     "run.yaml:2:21: checkpoint.every: found a list, accepted is a number of steps, epochs, s, min or h, "
     "such "
     "as 500 steps or 10 min; or auto, or never"},
    {"seed: 7", "checkpoint: {every_steps: 500}",
     "run.yaml:2:14: checkpoint.every_steps: unknown key, accepted are: every, mtbf_hours, when_busy, keep, "
     "keep_every, best, writers"},
    {"seed: 7", "checkpoint: {mtbf_hours: 0}",
     "run.yaml:2:26: checkpoint.mtbf_hours: '0' is out of range, accepted is a number from 0.001 to 1000000"},
    {"seed: 7", "checkpoint: {when_busy: queue}",
     "run.yaml:2:25: checkpoint.when_busy: found 'queue', accepted is skip, wait"},
    {"seed: 7", "checkpoint: {keep_every: -1}",
     "run.yaml:2:26: checkpoint.keep_every: '-1' is out of range, accepted is an integer from 0 to 1000000"},
    {"seed: 7", "checkpoint: {best: loss}",
     "run.yaml:2:20: checkpoint.best: found 'loss', accepted is none, test_loss, test_accuracy, train_loss"},
    {"seed: 7", "checkpoint: {writers: 0}",
     "run.yaml:2:23: checkpoint.writers: found '0', accepted is a number of ranks from 1, or rank, or node"},
    {"seed: 7", "log: 5", "run.yaml:2:6: log: found '5', accepted is a map"},
    {"name: fashion\n", "name: my run\n",
     "run.yaml:1:7: name: found 'my run', accepted is a name of letters, digits, '-', '_' and '.'"},
    {"name: fashion\n", "name:\n",
     "run.yaml:1:1: name: found nothing, accepted is a name of letters, digits, '-', '_' and '.'"},
    {"name: fashion\n", "",
     "run.yaml:1:1: the key 'name' is missing, accepted is a name of letters, digits, '-', '_' and '.'"},
    {"{path: /proc/self/exe}", "{}",
     "run.yaml:4:7: data: accepted is exactly one of path and sources, found neither"},
    {"/proc/self/exe", "/nonexistent.h5",
     "run.yaml:4:14: data.path: '/nonexistent.h5': No such file or directory, accepted is an HDF5 file"},
    {"/proc/self/exe", "/", "run.yaml:4:14: data.path: '/' is no file, accepted is an HDF5 file"},
    {"data: {path: /proc/self/exe}\n", "",
     "run.yaml:20:5: phases[0]: the key 'data' is missing, here and at the top level"},
    {"{path: /proc/self/exe}", "{path: /proc/self/exe, sources: [/proc/self/exe]}",
     "run.yaml:4:7: data: accepted is exactly one of path and sources, found both"},
    {"{path: /proc/self/exe}", "{sources: []}",
     "run.yaml:4:17: data.sources: is empty, accepted is at least one file"},
    {"{path: /proc/self/exe}", "{sources: [/proc/self/exe, /none]}",
     "run.yaml:4:34: data.sources[1]: '/none': No such file or directory, accepted is an HDF5 file"},
    {"{path: /proc/self/exe}", "{sources: [{shape: [2]}]}",
     "run.yaml:4:18: data.sources[0]: the key 'path' is missing, accepted is a text"},
    {"{path: /proc/self/exe}", "{sources: [{path: /proc/self/exe, test: [x]}]}",
     "run.yaml:4:47: data.sources[0].test: found a list, accepted is a map"},
    {"{path: /proc/self/exe}", "{path: /proc/self/exe, train: {y: a}}",
     "run.yaml:4:37: data.train: names no field x, accepted is a map such as {x: train/data, y: "
     "train/target}"},
    {"{path: /proc/self/exe}", "{path: /proc/self/exe, shape: []}",
     "run.yaml:4:37: data.shape: has 0 extents, accepted are 1 to 7"},
    {"{path: /proc/self/exe}", "{path: /proc/self/exe, shape: [2, 0]}",
     "run.yaml:4:41: data.shape[1]: is out of range, accepted is an extent from 1 on"},
    {"{path: /proc/self/exe}", "{path: /proc/self/exe, memory: swap}",
     "run.yaml:4:38: data.memory: found 'swap', accepted is map, hold"},
    {"{path: /proc/self/exe}", "{path: /proc/self/exe, cache_mb: 0}",
     "run.yaml:4:40: data.cache_mb: '0' is out of range, accepted is an integer from 1 to 10000000"},
    {"batch: 64", "data: {path: /none}\n    batch: 64",
     "run.yaml:35:18: phases[1].data.path: '/none': No such file or directory, accepted is an HDF5 file"},
    {"loss: bce", "loss: bce\n    target: y",
     "run.yaml:25:13: phases[0].target: kind pretrain uses no y; accepted is input"},
    {"batch: 128", "target: y\n    batch: 128",
     "run.yaml:46:13: phases[2].target: cross_entropy takes labels by itself; target is for mse and bce"},
    /* blocks */
    {"- dense: {name: fc2, units: 64}", "- dens: {name: fc2, units: 64}",
     "run.yaml:8:7: models.encoder[1].dens: unknown layer, did you mean 'dense'?"},
    {"- dense: {name: fc2, units: 64}", "- lstm: {name: fc2}",
     "run.yaml:8:7: models.encoder[1].lstm: unknown layer, accepted are: dense, conv2d, max_pool, avg_pool, "
     "global_avg_pool, flatten, batch_norm, dropout, activation"},
    {"- dense: {name: fc2, units: 64}", "- dense",
     "run.yaml:8:7: models.encoder[1]: found 'dense', accepted is a map"},
    {"- dense: {name: fc2, units: 64}", "- {dense: {name: a, units: 1}, flatten: {}}",
     "run.yaml:8:7: models.encoder[1]: a layer is a map of one kind, such as dense: {name: fc1, units: 64}"},
    {"name: fc2, units: 64", "name: fc1, units: 64",
     "run.yaml:8:21: models.encoder[1].dense.name: the block 'encoder' has a layer 'fc1' already, names are "
     "unique in a block"},
    {"name: fc2, units: 64", "name: fc2",
     "run.yaml:8:7: models.encoder[1].dense: the key 'units' is missing, accepted is an integer from 1 to "
     "100000000"},
    {"units: 512, activation: relu", "units: 512, activation: rely",
     "run.yaml:7:50: models.encoder[0].dense.activation: found 'rely', accepted is none, relu, leaky_relu, "
     "elu, sigmoid, "
     "tanh, softmax"},
    {"kernel: [5, 3]", "kernel: [5, 3, 1]",
     "run.yaml:14:51: models.lenet[0].conv2d.kernel: found a list, accepted is an integer from 1 to 4096, or "
     "two [h, w]"},
    {"kernel: [5, 3]", "kernel: [5, 0]",
     "run.yaml:14:55: models.lenet[0].conv2d.kernel[1]: '0' is out of range, accepted is an integer from 1 "
     "to 4096, or two [h, w]"},
    {"padding: 2", "groups: 3",
     "run.yaml:14:67: models.lenet[0].conv2d.groups: 3 groups do not divide 32 channels"},
    {"max_pool: {kernel: 2}", "max_pool: {kernel: 16}",
     "run.yaml:16:26: models.lenet[2].max_pool.kernel: a window of 256 elements is too large, accepted are "
     "up to 255"},
    {"max_pool: {kernel: 2}", "max_pool: {kernel: 2, padding: 2}",
     "run.yaml:16:38: models.lenet[2].max_pool.padding: the padding is not smaller than the kernel"},
    {"p: 0.5", "p: 1",
     "run.yaml:19:33: models.lenet[5].dropout.p: '1' is out of range, accepted is a number from 0 to 0.999"},
    /* phases */
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
     "run.yaml:41:5: phases[2]: the key 'data' is missing: kind adapt needs data of its own"},
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
    /* sampling */
    {"    batch: 256\n", "    batch: 256\n    sampling: {order: shuffled}\n",
     "run.yaml:27:23: phases[0].sampling.order: found 'shuffled', accepted is sequential, shuffle, window"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {ordr: window}\n",
     "run.yaml:27:16: phases[0].sampling.ordr: unknown key, did you mean 'order'?"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {order: window, block: 0}\n",
     "run.yaml:27:38: phases[0].sampling.block: '0' is out of range, accepted is an integer from 1 to "
     "1000000000000"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {block: 64}\n",
     "run.yaml:27:16: phases[0].sampling.block: it is for order: window"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {window: 64}\n",
     "run.yaml:27:16: phases[0].sampling.window: it is for order: window"},
    {"    batch: 256\n", "    batch: 256\n    accumulate: 0\n",
     "run.yaml:27:17: phases[0].accumulate: '0' is out of range, accepted is an integer from 1 to 65536"},
    {"    batch: 256\n", "    batch: 256\n    reduction: {shards: 4}\n",
     "run.yaml:27:17: phases[0].reduction.shards: it is for order: invariant"},
    {"    batch: 256\n", "    batch: 256\n    reduction: {order: any, threads: 2}\n",
     "run.yaml:27:29: phases[0].reduction.threads: it is for order: invariant"},
    {"    batch: 256\n", "    batch: 256\n    reduction: {order: invariant, shards: 6}\n",
     "run.yaml:27:43: phases[0].reduction.shards: 6 is no power of two"},
    {"    batch: 256\n", "    batch: 252\n    reduction: {order: invariant}\n",
     "run.yaml:26:12: phases[0].batch: 252 samples are no multiple of 8 reduction.shards"},
    {"    batch: 256\n", "    batch: 256\n    reduction: {order: invariant}\n    accumulate: 2\n",
     "run.yaml:28:17: phases[0].accumulate: an invariant reduction has micro-batches of its own, "
     "reduction.shards; accepted is 1"},
    {"    batch: 256\n", "    batch: 256\n    reduction: {order: invariant}\n    sync: {every: 2}\n",
     "run.yaml:28:11: phases[0].sync: ranks that train apart depend on their number; accepted without an "
     "invariant reduction"},
    {"    batch: 256\n", "    batch: 256\n    sync: {outer_lr: 0.7}\n",
     "run.yaml:27:12: phases[0].sync.outer_lr: it needs sync.every"},
    {"    batch: 256\n", "    batch: 256\n    sync: {every: 2, outer_momentum: 1}\n",
     "run.yaml:27:38: phases[0].sync.outer_momentum: '1' is out of range, accepted is a number from 0 to "
     "0.999999"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {remainder: pad}\n",
     "run.yaml:27:27: phases[0].sampling.remainder: found 'pad', accepted is carry, cut, drop"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {lanes: 2}\n",
     "run.yaml:27:16: phases[0].sampling.lanes: lanes need remainder: cut or drop, so that all end together"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {lanes: 3, remainder: cut}\n",
     "run.yaml:27:23: phases[0].sampling.lanes: 3 lanes do not divide a batch of 256"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {order: sequential, lanes: 2, remainder: cut}\n",
     "run.yaml:27:35: phases[0].sampling.lanes: in sequential order a rank's share is no lane, accepted is "
     "1"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {balance: domain}\n",
     "run.yaml:27:25: phases[0].sampling.balance: found 'domain', accepted is none, class, source, weight"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {balance: class, order: window}\n",
     "run.yaml:27:32: phases[0].sampling.order: with a balance each sample is drawn, accepted is order: "
     "shuffle"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {balance: class, remainder: cut}\n",
     "run.yaml:27:32: phases[0].sampling.remainder: with a balance there are no epochs to cut or drop, "
     "accepted is carry"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {balance: weight, shares: [1, 2]}\n",
     "run.yaml:27:33: phases[0].sampling.shares: they are for balance: class or source"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {balance: source, shares: [1, two]}\n",
     "run.yaml:27:45: phases[0].sampling.shares[1]: accepted is an integer from 0 to 1000000"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {balance: source, shares: [0, 0]}\n",
     "run.yaml:27:41: phases[0].sampling.shares: all shares are 0"},
    {"    batch: 256\n", "    batch: 256\n    sampling: {balance: source, shares: 3}\n",
     "run.yaml:27:41: phases[0].sampling.shares: found '3', accepted is a list"},
    {"momentum: 0.8", "beta1: 0.8",
     "run.yaml:37:33: phases[1].optimizer.beta1: nesterov does not use it; it is for adam, adamw"},
    {"batch: 128\n", "batch: 128\n    compress: {method: topk, rank: 3}\n",
     "run.yaml:47:30: phases[2].compress.rank: method topk does not use it; it is for powersgd"},
    {"batch: 128\n", "batch: 128\n    compress: {error_feedback: false}\n",
     "run.yaml:47:16: phases[2].compress.error_feedback: method none does not use it; it is for bf16, f16, "
     "topk, "
     "powersgd"},
    {"batch: 128\n", "batch: 128\n    compress: {method: topk, fraction: 0}\n",
     "run.yaml:47:40: phases[2].compress.fraction: '0' is out of range, accepted is a number from 1e-06 to "
     "1"},
    {"batch: 128\n", "batch: 128\n    compress: {method: powersdg}\n",
     "run.yaml:47:24: phases[2].compress.method: found 'powersdg', accepted is none, bf16, f16, topk, "
     "powersgd"},
    {"program: [{epochs: 10, lr: 0.001}]\n",
     "compress: {method: f16}\n    program: [{epochs: 10, lr: 0.001}]\ncomm: {zero: true}\n",
     "run.yaml:47:15: phases[2].compress: with comm.zero gradients are sent as they are; accepted is method: "
     "none"},
    {"train: 'head/*'", "train: 'encodr/*'",
     "run.yaml:39:31: phases[1].program[0].train: 'encodr/*' matches no parameter of the model; they are "
     "called "
     "BLOCK/LAYER/weight, such as encoder/fc1/weight"},
    {"steps: 100, lr", "steps: 100, epochs: 1, lr",
     "run.yaml:39:9: phases[1].program[0]: accepted is exactly one of epochs and steps, found both"},
    {"steps: 100, lr", "lr",
     "run.yaml:39:9: phases[1].program[0]: accepted is exactly one of epochs and steps, found neither"},
    {"name: frozen", "name: stage2",
     "run.yaml:40:9: phases[1].program[1]: the phase has a stage 'stage2' already"},
    {"period_steps: 50, ", "",
     "run.yaml:40:42: phases[1].program[1].schedule: the kind step needs period_steps"},
    {"warmup_steps: 100", "final_lr: 1",
     "run.yaml:28:67: phases[0].program[0].schedule.final_lr: is above lr 0.001"},
    {"lr: 0.001}]", "lr: fast}]",
     "run.yaml:47:32: phases[2].program[0].lr: found 'fast', accepted is a number from 0 to 1000000"},
    /* augmentation */
    {"batch: 128\n", "batch: 128\n    augment: [flip]\n",
     "run.yaml:47:15: phases[2].augment[0]: found 'flip', accepted is a map"},
    {"batch: 128\n", "batch: 128\n    augment: [{flip: {}, blur: {}}]\n",
     "run.yaml:47:15: phases[2].augment[0]: an op is a map of one kind, such as flip: {horizontal: 0.5}"},
    {"batch: 128\n", "batch: 128\n    augment: [flop: {}]\n",
     "run.yaml:47:15: phases[2].augment[0].flop: unknown op, did you mean 'flip'?"},
    {"batch: 128\n", "batch: 128\n    augment: [shear: {}]\n",
     "run.yaml:47:15: phases[2].augment[0].shear: unknown op, accepted are: flip, shift, crop, resized_crop, "
     "rotate, zoom, brightness, contrast, jitter, grayscale, pca_colour, gaussian, mask, salt_pepper, erase, "
     "blur, mixup"},
    {"batch: 128\n", "batch: 128\n    augment: [crop: {}]\n",
     "run.yaml:47:15: phases[2].augment[0].crop: the key 'padding' is missing, accepted is an integer from 0 "
     "to 4096, or two [h, w]"},
    {"batch: 128\n", "batch: 128\n    augment: [crop: {padding: 4, border: wrap}]\n",
     "run.yaml:47:42: phases[2].augment[0].crop.border: found 'wrap', accepted is fill, edge, reflect"},
    {"batch: 128\n", "batch: 128\n    augment: [flip: {horizontal: 2}]\n",
     "run.yaml:47:34: phases[2].augment[0].flip.horizontal: '2' is out of range, accepted is a number from 0 "
     "to 1"},
    {"batch: 128\n", "batch: 128\n    augment: [zoom: {scale: [2, 1]}]\n",
     "run.yaml:47:29: phases[2].augment[0].zoom.scale: 2 is above 1, accepted is [low, high]"},
    {"batch: 128\n", "batch: 128\n    augment: [zoom: {scale: [1, 2, 3]}]\n",
     "run.yaml:47:29: phases[2].augment[0].zoom.scale: found a list, accepted is a number from 0.01 to 100, "
     "or two [low, high]"},
    {"batch: 128\n", "batch: 128\n    augment: [zoom: {scale: [1, big]}]\n",
     "run.yaml:47:33: phases[2].augment[0].zoom.scale[1]: found 'big', accepted is a number from 0.01 to "
     "100, or two [low, high]"},
    {"batch: 128\n", "batch: 128\n    augment: [jitter: {hue: 0.6}]\n",
     "run.yaml:47:29: phases[2].augment[0].jitter.hue: '0.6' is out of range, accepted is a number from 0 to "
     "0.5"},
    {"batch: 128\n", "batch: 128\n    augment: [flip: {p: 0.5}]\n",
     "run.yaml:47:22: phases[2].augment[0].flip.p: unknown key, accepted are: horizontal, vertical"},
    {"batch: 128\n", "batch: 128\n    augment: {flip: {}}\n",
     "run.yaml:47:14: phases[2].augment: found a map, accepted is a list"},
    {"batch: 128\n", "batch: 128\n    augment: [mixup: {alpha: 1}, flip: {}]\n",
     "run.yaml:47:15: phases[2].augment[0].mixup: is not the last op; each sample is augmented before it is "
     "mixed"},
    {"batch: 256\n", "batch: 256\n    augment: [mixup: {alpha: 1}]\n",
     "run.yaml:27:15: phases[0].augment[0].mixup: mixes labels, and the loss bce uses none"},
};

static char *replaced(const char *from, const char *to) {
    const char *at = strstr(good, from);
    assert_non_null(at);
    const size_t size = strlen(good) + strlen(to) + 1;
    char *text = malloc(size);
    snprintf(text, size, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    return text;
}

static void test_bad_files(void **state) {
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        char *text = replaced(bad_files[i].from, bad_files[i].to);
        ann_run_config *config = NULL;
        ann_error_clear();
        const ann_status status = ann_run_config_parse(&config, "run.yaml", text, NULL, 0);
        if (status != ANN_ERR_CONFIG || config || strcmp(ann_error_text(), bad_files[i].error) != 0) {
            print_error("%s -> %s\n  gives  %s\n  wanted %s\n", bad_files[i].from, bad_files[i].to,
                        ann_error_text(), bad_files[i].error);
            wrong++;
        }
        ann_run_config_free(config);
        free(text);
    }
    assert_int_equal(wrong, 0);
}

static void test_sampling(void **state) {
    (void)state;
    ann_run_config *c;
    char *text =
        replaced("    batch: 256\n",
                 "    batch: 256\n    sampling: {order: window, block: 32, lanes: 4, remainder: drop}\n");
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", text, NULL, 0), ANN_OK);
    const ann_sampling_config *s = &c->phases[0].sampling, *plain = &c->phases[1].sampling;
    assert_int_equal(s->order, ANN_ORDER_WINDOW);
    assert_int_equal(s->block, 32);
    assert_int_equal(s->window, 128);
    assert_int_equal(s->lanes, 4);
    assert_int_equal(s->remainder, ANN_REMAINDER_DROP);
    assert_int_equal(plain->order, ANN_ORDER_SHUFFLED);
    assert_int_equal(plain->lanes, 1);
    assert_int_equal(plain->remainder, ANN_REMAINDER_CARRY);
    assert_int_equal(plain->balance, ANN_BALANCE_NONE);
    ann_run_config_free(c);
    free(text);
    text = replaced("    batch: 256\n", "    batch: 256\n    sampling: {balance: source, shares: [3, 1]}\n");
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", text, NULL, 0), ANN_OK);
    assert_int_equal(c->phases[0].sampling.balance, ANN_BALANCE_SOURCE);
    assert_int_equal(c->phases[0].sampling.share_count, 2);
    assert_int_equal(c->phases[0].sampling.shares[0], 3);
    ann_run_config_free(c);
    free(text);
}

static void test_synchronising(void **state) {
    (void)state;
    ann_run_config *c;
    char *text = replaced("    batch: 256\n",
                          "    batch: 256\n    accumulate: 4\n    sync: {every: 20, outer_lr: 0.7}\n");
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", text, NULL, 0), ANN_OK);
    const ann_phase_config *set = &c->phases[0], *plain = &c->phases[1];
    assert_int_equal(set->accumulate, 4);
    assert_int_equal(set->sync.every, 20);
    assert_true(set->sync.outer.lr == 0.7 && set->sync.outer.momentum == 0);
    assert_int_equal(plain->accumulate, 1);
    assert_int_equal(plain->sync.every, 0);
    assert_int_equal(plain->reduction.order, ANN_REDUCTION_ANY);
    ann_run_config_free(c);
    free(text);
    text = replaced("    batch: 256\n", "    batch: 256\n    reduction: {order: invariant, shards: 16}\n");
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", text, NULL, 0), ANN_OK);
    assert_int_equal(c->phases[0].reduction.order, ANN_REDUCTION_INVARIANT);
    assert_int_equal(c->phases[0].reduction.shards, 16);
    assert_int_equal(c->phases[0].reduction.threads, 1);
    ann_run_config_free(c);
    free(text);
}

static void test_augment_of_phase(void **state) {
    (void)state;
    ann_run_config *c;
    char *text = replaced("batch: 128\n", "batch: 128\n"
                                          "    augment:\n"
                                          "      - flip:\n"
                                          "      - crop: {padding: [4, 2], border: reflect}\n"
                                          "      - erase: {random: false, fill: 0.5}\n"
                                          "      - blur: {sigma: 1.5}\n"
                                          "      - mixup: {alpha: 0.2}\n");
    check_ok(ann_run_config_parse(&c, "run.yaml", text, NULL, 0));
    const ann_phase_config *phase = &c->phases[2];
    assert_int_equal(c->phases[0].augment_count, 0);
    assert_int_equal(phase->augment_count, 5);
    const ann_augment_op *flip = &phase->augment[0].op, *crop = &phase->augment[1].op;
    const ann_augment_op *erase = &phase->augment[2].op, *blur = &phase->augment[3].op;
    assert_int_equal(flip->kind, ANN_AUGMENT_FLIP);
    assert_true(flip->horizontal == 0.5 && flip->vertical == 0);
    assert_int_equal(crop->kind, ANN_AUGMENT_CROP);
    assert_true(crop->pixels[0] == 4 && crop->pixels[1] == 2 && crop->p == 1 && crop->fill == 0);
    assert_int_equal(crop->border, ANN_BORDER_REFLECT);
    assert_int_equal(erase->kind, ANN_AUGMENT_ERASE);
    assert_true(erase->p == 0.5 && !erase->random_fill && erase->fill == 0.5);
    assert_true(erase->scale[0] == 0.02 && erase->scale[1] == 0.4 && erase->ratio[0] == 0.3);
    assert_true(blur->blur[0] == 1.5 && blur->blur[1] == 1.5);
    assert_int_equal(phase->augment[4].op.kind, ANN_AUGMENT_MIXUP);
    assert_true(phase->augment[4].op.alpha == 0.2 && phase->augment[4].op.p == 1);
    ann_run_config_free(c);
    free(text);
}

/* Every op is a section of its own name, and its required keys are all it needs. */
static void test_every_op(void **state) {
    (void)state;
    static const char *const required[ANN_AUGMENT_KIND_COUNT] = {
        [ANN_AUGMENT_SHIFT] = "pixels: 1",         [ANN_AUGMENT_CROP] = "padding: 1",
        [ANN_AUGMENT_ROTATE] = "degrees: 1",       [ANN_AUGMENT_ZOOM] = "scale: 1",
        [ANN_AUGMENT_BRIGHTNESS] = "strength: 1",  [ANN_AUGMENT_CONTRAST] = "strength: 1",
        [ANN_AUGMENT_GAUSSIAN] = "sigma: 1",       [ANN_AUGMENT_MASK] = "fraction: 1",
        [ANN_AUGMENT_SALT_PEPPER] = "fraction: 1", [ANN_AUGMENT_MIXUP] = "alpha: 1"};
    for (int k = 0; k < ANN_AUGMENT_KIND_COUNT; k++) {
        char item[160];
        ann_run_config *c;
        snprintf(item, sizeof item, "batch: 128\n    augment: [%s: {%s}]\n",
                 ann_augment_kind_name((ann_augment_kind)k), required[k] ? required[k] : "");
        char *text = replaced("batch: 128\n", item);
        check_ok(ann_run_config_parse(&c, "run.yaml", text, NULL, 0));
        const ann_augment_op *op = &c->phases[2].augment[0].op;
        const ann_augment_options options = {.dtype = ANN_U8,
                                             .shape = ANN_SHAPE(8, 8, 3),
                                             .ops = op,
                                             .op_count = 1,
                                             .pca = &(ann_colour_pca){{0}, {{0}}}};
        ann_augment *augment;
        assert_int_equal(op->kind, k);
        check_ok(ann_augment_new(&augment, &options));
        ann_augment_free(augment);
        ann_run_config_free(c);
        free(text);
    }
}

/* Each source takes what it does not say from all of them; a phase may have its own data. */
static void test_data(void **state) {
    (void)state;
    const char *const sets[] = {
        "data={sources: [/proc/self/exe, {path: /bin/sh, shape: [4, 4], test: {x: b}}], "
        "train: {x: a/x, y: a/y}, shape: [16], memory: hold, cache_mb: 7}",
        "phases.cnn.data={path: /bin/ls}", "phases.cnn.loss=mse", "phases.cnn.target=y"};
    ann_run_config *c;
    if (ann_run_config_parse(&c, "run.yaml", good, sets, 4) != ANN_OK) fail_msg("%s", ann_error_text());
    const ann_data_config *all = c->phases[0].data, *own = c->phases[2].data;
    assert_ptr_equal(all, c->data);
    assert_ptr_equal(all, c->phases[1].data);
    assert_int_equal(all->source_count, 2);
    assert_true(all->hold);
    assert_int_equal(all->cache_mb, 7);
    assert_string_equal(all->path, "/proc/self/exe");
    assert_string_equal(all->train[1].path, "/bin/sh");
    assert_string_equal(all->test[1].path, "/bin/sh");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(all->train[i].field_count, 2);
        assert_string_equal(all->train[i].fields[1].name, "y");
        assert_string_equal(all->train[i].fields[1].path, "a/y");
        assert_true(ann_shape_equal(&all->train[i].shape, i == 0 ? &ANN_SHAPE(16) : &ANN_SHAPE(4, 4)));
        assert_true(ann_shape_equal(&all->test[i].shape, &all->train[i].shape));
    }
    assert_int_equal(all->test[0].field_count, 0);
    assert_int_equal(all->test[1].field_count, 1);
    assert_string_equal(all->test[1].fields[0].path, "b");
    assert_int_equal(own->source_count, 1);
    assert_string_equal(own->train[0].path, "/bin/ls");
    assert_int_equal(own->train[0].field_count, 0);
    assert_int_equal(own->train[0].shape.rank, 0);
    assert_false(own->hold);
    assert_int_equal(own->cache_mb, 256);
    assert_int_equal(c->phases[2].target, ANN_TARGET_Y);
    assert_int_equal(c->phases[0].target, ANN_TARGET_INPUT);
    ann_run_config_free(c);
}

static void test_bad_override(void **state) {
    (void)state;
    ann_run_config *c;
    const char *const sets[] = {"phases.cnn.batch=0"};
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", good, sets, 1), ANN_ERR_CONFIG);
    assert_string_equal(ann_error_text(),
                        "--set phases.cnn.batch=0: phases[2].batch: '0' is out of range, accepted is an "
                        "integer from 1 to 1000000000");
    assert_null(c);
    assert_int_equal(ann_run_config_load(&c, "/nonexistent/run.yaml", NULL, 0), ANN_ERR_CONFIG);
    assert_null(c);
}

static void count_line(void *to, const char *line) {
    assert_null(strchr(line, '\n'));
    assert_true(strlen(line) < 400);
    ++*(int *)to;
}

static void test_reference(void **state) {
    (void)state;
    int lines = 0;
    ann_run_config_reference(count_line, &lines);
    assert_true(lines > 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_file),
        cmocka_unit_test(test_phases_of_good_file),
        cmocka_unit_test(test_phases_without_training),
        cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_bad_override),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_augment_of_phase),
        cmocka_unit_test(test_every_op),
        cmocka_unit_test(test_synchronising),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
