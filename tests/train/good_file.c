#include "train/good_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "support/check.h"
#include "train/config.h"

/* data.path must be a readable file: this test's own program is one. */
const char *const good_file =
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

char *good_file_with(const char *from, const char *to) {
    const char *at = strstr(good_file, from);
    assert_non_null(at);
    const size_t size = strlen(good_file) + strlen(to) + 1;
    char *text = malloc(size);
    snprintf(text, size, "%.*s%s%s", (int)(at - good_file), good_file, to, at + strlen(from));
    return text;
}

void check_bad_files(const bad_file *files, size_t count) {
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        char *text = good_file_with(files[i].from, files[i].to);
        ann_run_config *config = NULL;
        ann_error_clear();
        const ann_status status = ann_run_config_parse(&config, "run.yaml", text, NULL, 0);
        if (status != ANN_ERR_CONFIG || config || strcmp(ann_error_text(), files[i].error) != 0) {
            print_error("%s -> %s\n  gives  %s\n  wanted %s\n", files[i].from, files[i].to, ann_error_text(),
                        files[i].error);
            wrong++;
        }
        ann_run_config_free(config);
        free(text);
    }
    assert_int_equal(wrong, 0);
}
