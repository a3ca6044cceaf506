/* Run files whose pre-training says something of the code, or goes layer by layer; and bad ones with their
   exact errors. */
#include "train/good_file.h"

#include <stdlib.h>
#include "support/check.h"
#include "train/config.h"

#define NOISE "    noise: {mask: 0.3}\n"
#define PROGRAM                                                                                              \
    "    batch: 256\n    program:\n      - {epochs: 5, lr: 0.001, schedule: {kind: cosine, warmup_steps: "   \
    "100}}\n"
#define STAGES "    batch: 256\n    program: [{epochs: 5, lr: 0.001}, {epochs: 5, lr: 0.001}]\n"
static const ann_method_config *parse(ann_run_config **config, const char *from, const char *to) {
    char *text = good_file_with(from, to);
    check_ok(ann_run_config_parse(config, "run.yaml", text, NULL, 0));
    free(text);
    return &(*config)->phases[0].method;
}

static void defaults(void **state) {
    (void)state;
    ann_run_config *c;
    const ann_method_config *m = parse(&c, NOISE, NOISE "    method: {sparse: {}}\n");
    assert_int_equal(m->kind, ANN_METHOD_SPARSE);
    assert_true(m->target == 0.05 && m->weight == 0.001);
    ann_run_config_free(c);
    m = parse(&c, NOISE, NOISE "    method: {contractive: {}}\n");
    assert_int_equal(m->form, ANN_METHOD_CLOSED);
    assert_true(m->weight == 0.0001 && m->probes == 0);
    ann_run_config_free(c);
    m = parse(&c, NOISE, NOISE "    method: {variational: {beta: 4}}\n");
    assert_true(m->beta == 4);
    ann_run_config_free(c);
}

static void layer_by_layer(void **state) {
    (void)state;
    ann_run_config *c;
    const ann_method_config *m = parse(
        &c, NOISE PROGRAM, "    method: {layerwise: {layer: denoising, decoders: [decoder, head]}}\n" STAGES);
    assert_int_equal(m->layer, ANN_METHOD_DENOISING);
    assert_true(m->noise == 0.25);
    assert_int_equal(m->decoder_count, 2);
    assert_string_equal(m->decoders[0], "decoder");
    assert_string_equal(m->decoders[1], "head");
    ann_run_config_free(c);
    m = parse(&c, NOISE PROGRAM, "    method: {layerwise: {layer: rbm, persistent: true}}\n" STAGES);
    assert_int_equal(m->layer, ANN_METHOD_RBM);
    assert_true(m->persistent && m->gibbs_steps == 1 && m->decoder_count == 0);
    ann_run_config_free(c);
}

static void mistakes(void **state) {
    (void)state;
    static const bad_file files[] = {
        {"    input: standardize\n", "    method: {sparse: {}}\n",
         "run.yaml:45:14: phases[2].method.sparse: it is for kind pretrain"},
        {NOISE, "    method: {contractive: {probes: 3}}\n",
         "run.yaml:25:28: phases[0].method.contractive.probes: it is for form: gradient"},
        {NOISE PROGRAM, "    method: {layerwise: {layer: rbm, noise: 0.1}}\n" STAGES,
         "run.yaml:25:38: phases[0].method.layerwise.noise: it is for layer: denoising"},
        {NOISE PROGRAM, "    method: {layerwise: {layer: rbm, decoders: [head]}}\n" STAGES,
         "run.yaml:25:38: phases[0].method.layerwise.decoders: a Boltzmann machine decodes by its own "
         "weights"},
        {NOISE PROGRAM, "    method: {layerwise: {gibbs_steps: 2, decoders: [decoder, head]}}\n" STAGES,
         "run.yaml:25:26: phases[0].method.layerwise.gibbs_steps: it is for layer: rbm"},
        {NOISE PROGRAM, "    method: {layerwise: {decoders: [decoder]}}\n" STAGES,
         "run.yaml:25:36: phases[0].method.layerwise.decoders: accepted is a decoder for each of the model's "
         "2 blocks, found 1"},
        {NOISE PROGRAM, "    method: {layerwise: {decoders: [decoder, haed]}}\n" STAGES,
         "run.yaml:25:46: phases[0].method.layerwise.decoders[1]: there is no block 'haed' in models, did "
         "you mean 'head'?"},
        {NOISE PROGRAM, "    method: {layerwise: {}}\n" STAGES,
         "run.yaml:25:25: phases[0].method.layerwise: accepted is a decoder for each of the model's 2 "
         "blocks, found 0"},
        {NOISE PROGRAM, "    method: {layerwise: {layer: rbm}}\n" PROGRAM,
         "run.yaml:28:7: phases[0].program: accepted is a stage for each of the model's 2 blocks, found 1"},
        {NOISE PROGRAM,
         "    method: {layerwise: {layer: rbm}}\n    batch: 256\n    program: [{epochs: 5, lr: 0.1}, {train: "
         "'head/*', epochs: 5, lr: 0.1}]\n",
         "run.yaml:27:38: phases[0].program[1].train: layerwise trains block 'decoder' in this stage; "
         "accepted is without"},
        {NOISE PROGRAM, NOISE "    method: {layerwise: {layer: rbm}}\n" STAGES,
         "run.yaml:25:5: phases[0].noise: layerwise adds its own to the input of each layer, with layer: "
         "denoising"},
        {"    loss: bce\n" NOISE PROGRAM,
         "    loss: mse\n    input: standardize\n    method: {layerwise: {layer: rbm}}\n" STAGES,
         "run.yaml:26:14: phases[0].method.layerwise: a Boltzmann machine needs inputs from 0 to 1; accepted "
         "with it is input: scale"},
        {NOISE PROGRAM,
         "    method: {layerwise: {layer: rbm}}\n"
         "    stop: {every: 1 epoch, early: {patience: 2}}\n" STAGES,
         "run.yaml:25:14: phases[0].method.layerwise: each stage is tested by an error of its own; accepted "
         "is without stop.early and stop.target"},
    };
    check_bad_files(files, sizeof files / sizeof files[0]);
}

static void refused(const char *method, const char *set, const char *error) {
    const char *const sets[] = {"checkpoint.best=test_loss", set};
    char *text = good_file_with(NOISE PROGRAM, method);
    ann_run_config *c;
    assert_int_equal(ann_run_config_parse(&c, "run.yaml", text, sets, 2), ANN_ERR_CONFIG);
    assert_string_equal(ann_error_text(), error);
    free(text);
}

/* Mistakes that are made in two places. */
static void what_does_not_go_together(void **state) {
    (void)state;
    refused("    method: {layerwise: {decoders: [decoder, head]}}\n" STAGES,
            "models.head=[dense: {name: fc, units: 512, activation: tanh}]",
            "run.yaml:25:46: phases[0].method.layerwise.decoders[1]: bce takes logits, and 'head' ends in "
            "tanh; accepted is a layer without activation");
    refused("    method: {layerwise: {layer: rbm}}\n" STAGES,
            "phases.transfer.load={from: pretrain, tensors: 'encoder/*', checkpoint: best}",
            "--set phases.transfer.load={from: pretrain, tensors: 'encoder/*', checkpoint: best}: "
            "phases[1].load.checkpoint: each stage of 'pretrain' is tested by an error of its own; accepted "
            "is last");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(layer_by_layer),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(what_does_not_go_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
