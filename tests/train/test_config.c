/* Run files: what is above phases, the good file read key by key, and bad ones with their exact errors. */
#include "train/good_file.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "support/check.h"
#include "train/config.h"

static void test_good_file(void **state) {
    (void)state;
    ann_run_config *c;
    if (ann_run_config_parse(&c, "run.yaml", good_file, NULL, 0) != ANN_OK) fail_msg("%s", ann_error_text());
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
    assert_int_equal(c->comm_bucket_bytes, 1048576);
    assert_string_equal(c->text, good_file);
    assert_true(c->hash == ann_hash_str(good_file));
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

static void test_checkpoints(void **state) {
    (void)state;
    ann_run_config *c;
    const char *const sets[] = {"checkpoint={every: 10 min, when_busy: wait, keep: 5, keep_every: 10, best: "
                                "test_accuracy, writers: node}"};
    if (ann_run_config_parse(&c, "run.yaml", good_file, sets, 1) != ANN_OK) fail_msg("%s", ann_error_text());
    assert_int_equal(c->checkpoint.every.kind, ANN_CADENCE_SECONDS);
    assert_true(c->checkpoint.every.seconds == 600);
    assert_int_equal(c->checkpoint.when_busy, ANN_WHEN_BUSY_WAIT);
    assert_int_equal(c->checkpoint.keep, 5);
    assert_int_equal(c->checkpoint.keep_every, 10);
    assert_int_equal(c->checkpoint.best, ANN_BEST_TEST_ACCURACY);
    assert_int_equal(c->checkpoint.writers, -1);
    ann_run_config_free(c);
    const char *const auto_two[] = {"checkpoint.every=auto", "checkpoint.writers=2"};
    if (ann_run_config_parse(&c, "run.yaml", good_file, auto_two, 2) != ANN_OK)
        fail_msg("%s", ann_error_text());
    assert_int_equal(c->checkpoint.every.kind, ANN_CADENCE_AUTO);
    assert_int_equal(c->checkpoint.writers, 2);
    ann_run_config_free(c);
}

/* Parts of the training split alone, and splits without a source. */
static void test_parts_of_sources(void **state) {
    (void)state;
    const char *const sets[] = {"data={sources: [{path: /bin/sh, test: none}, "
                                "{path: /bin/ls, limit: 50, labels: hide, train: {x: a}}, "
                                "{path: /bin/ls, limit: 7, test: train, labels: hide}]}"};
    ann_run_config *c;
    if (ann_run_config_parse(&c, "run.yaml", good_file, sets, 1) != ANN_OK) fail_msg("%s", ann_error_text());
    const ann_data_source *train = c->data->train, *test = c->data->test;
    assert_true(train[0].limit == 0 && !train[0].hides_labels && !train[0].left_out);
    assert_true(test[0].left_out);
    assert_true(train[1].limit == 50 && train[1].hides_labels && train[1].field_count == 1);
    assert_true(test[1].limit == 0 && !test[1].hides_labels && test[1].field_count == 0 && !test[1].left_out);
    assert_true(train[2].limit == 7 && train[2].hides_labels);
    assert_true(test[2].limit == 7 && !test[2].hides_labels);
    assert_string_equal(test[2].split, "train");
    ann_run_config_free(c);
}

/* Each source takes what it does not say from all of them; a phase may have its own data. */
static void test_data(void **state) {
    (void)state;
    const char *const sets[] = {
        "data={sources: [/proc/self/exe, {path: /bin/sh, shape: [4, 4], test: {x: b}}], "
        "train: {x: a/x, y: a/y}, shape: [16], memory: hold, cache_mb: 7}",
        "phases.cnn.data={path: /bin/ls}", "phases.cnn.loss=mse", "phases.cnn.target=y"};
    ann_run_config *c;
    if (ann_run_config_parse(&c, "run.yaml", good_file, sets, 4) != ANN_OK) fail_msg("%s", ann_error_text());
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

static void test_overrides(void **state) {
    (void)state;
    ann_run_config *c;
    const char *const sets[] = {"seed=2", "output=elsewhere", "phases.cnn.program[0].lr=0.5"};
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", good_file, sets, 3), ANN_OK);
    assert_int_equal(c->seed, 2);
    assert_string_equal(c->output, "elsewhere");
    assert_true(c->phases[2].program[0].schedule.lr == 0.5);
    assert_non_null(strstr(c->text, "# --set seed=2\n"));
    assert_true(c->hash != ann_hash_str(good_file));
    ann_run_config_free(c);
}

static const bad_file bad_files[] = {
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
    {"{path: /proc/self/exe}", "{sources: [{path: /proc/self/exe, test: none}]}",
     "run.yaml:4:7: data: with test: none there is no file left for the test split"},
    {"{path: /proc/self/exe}", "{sources: [{path: /proc/self/exe, test: nine}]}",
     "run.yaml:4:47: data.sources[0].test: found 'nine', accepted is a map"},
    {"{path: /proc/self/exe}", "{sources: [{path: /proc/self/exe, limit: -1}]}",
     "run.yaml:4:48: data.sources[0].limit: '-1' is out of range, accepted is an integer from 0 to "
     "1000000000000"},
    {"{path: /proc/self/exe}", "{sources: [{path: /proc/self/exe, labels: none}]}",
     "run.yaml:4:49: data.sources[0].labels: found 'none', accepted is keep, hide"},
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
     "run.yaml:8:7: models.encoder[1].lstm: unknown layer, accepted are: dense, conv2d, conv_transpose2d, "
     "max_pool, avg_pool, "
     "global_avg_pool, flatten, unflatten, upsample, batch_norm, layer_norm, dropout, noise, activation"},
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
     "tanh, softmax, softplus"},
    {"dropout: {name: drop1, p: 0.5}", "noise: {name: drop1, kind: salt, amount: 0.5}",
     "run.yaml:19:34: models.lenet[5].noise.kind: found 'salt', accepted is mask, gaussian, salt_pepper"},
    {"dropout: {name: drop1, p: 0.5}", "noise: {name: drop1, kind: mask, amount: 1}",
     "run.yaml:19:48: models.lenet[5].noise.amount: 1 is no probability that mask accepts, which are from 0 "
     "to 0.999"},
    {"dropout: {name: drop1, p: 0.5}", "noise: {name: drop1, kind: gaussian, amount: -1}",
     "run.yaml:19:52: models.lenet[5].noise.amount: '-1' is out of range, accepted is a number from 0 to "
     "1000000"},
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
};

static void test_bad_files(void **state) {
    (void)state;
    check_bad_files(bad_files, sizeof bad_files / sizeof bad_files[0]);
}

static void test_bad_override(void **state) {
    (void)state;
    ann_run_config *c;
    const char *const sets[] = {"phases.cnn.batch=0"};
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", good_file, sets, 1), ANN_ERR_CONFIG);
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
        cmocka_unit_test(test_good_file),    cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_data),         cmocka_unit_test(test_parts_of_sources),
        cmocka_unit_test(test_overrides),    cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_bad_override), cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
