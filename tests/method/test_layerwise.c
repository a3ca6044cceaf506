/* Greedy layer-wise training against PyTorch: what each stage trains, and the draws of its chains. */
#include "support/check.h"

#include "bench.h"
#include "layerwise_values.h"

static const char *const model[] = {"units", "upper"}, *const decoders[] = {"decoder", "lower"};
static const bench_values given[] = {{"units/visible/bias", BENCH_INPUTS, bias_0},
                                     {"upper/visible/bias", BENCH_FEATURES, bias_1},
                                     {"units/chain", BENCH_WHOLE *BENCH_INPUTS, chain_0}};

/* The input of the phase is without noise, whatever phases[].noise says. */
static bench_case stage_of(int stage, ann_method_layer layer) {
    return (bench_case){.config = {.kind = ANN_METHOD_LAYERWISE,
                                   .layer = layer,
                                   .decoders = decoders,
                                   .decoder_count = 2,
                                   .noise = 0.4,
                                   .gibbs_steps = 1},
                        .model = model,
                        .model_count = 2,
                        .stage = stage,
                        .noisy = true,
                        .given = given,
                        .given_count = layer == ANN_METHOD_RBM ? 2 : 0};
}

static void check(bench_case c, double loss, const bench_values *gradients, int count) {
    c.loss = loss;
    c.gradients = gradients;
    c.gradient_count = count;
    bench_check(&c);
}
#define CHECK(c, name)                                                                                       \
    check(c, name##_loss, name##_gradients, sizeof name##_gradients / sizeof name##_gradients[0])

static void autoencoders(void **state) {
    (void)state;
    CHECK(stage_of(0, ANN_METHOD_AUTOENCODER), autoencoder_0);
    CHECK(stage_of(1, ANN_METHOD_AUTOENCODER), autoencoder_1);
}

static void denoising_autoencoder(void **state) {
    (void)state;
    bench_case c = stage_of(1, ANN_METHOD_DENOISING);
    c.likeness = ANN_METHOD_BCE;
    CHECK(c, denoising);
}

static void contrastive_divergence(void **state) {
    (void)state;
    bench_case c = stage_of(1, ANN_METHOD_RBM);
    c.config.gibbs_steps = 3;
    CHECK(stage_of(0, ANN_METHOD_RBM), cd_0);
    CHECK(c, cd_1);
}

/* The batch is smaller than phases[].batch: the last chain stays where it is. */
static void persistent_chains(void **state) {
    (void)state;
    bench_case c = stage_of(0, ANN_METHOD_RBM);
    c.config.gibbs_steps = 2;
    c.config.persistent = true;
    c.given_count = 3;
    CHECK(c, pcd);
}

static void evaluation_of_a_machine(void **state) {
    (void)state;
    bench_case c = stage_of(1, ANN_METHOD_RBM);
    c.evaluates = true;
    CHECK(c, test_mse);
    c.likeness = ANN_METHOD_BCE;
    CHECK(c, test_bce);
}

/* A stage trains its block, and its decoder where it has one. */
static void trained_blocks(void **state) {
    (void)state;
    const ann_method_blocks blocks = {.model = model, .model_count = 2};
    ann_method_config config = {.kind = ANN_METHOD_LAYERWISE, .decoders = decoders, .decoder_count = 2};
    const ann_method m = {.config = &config, .blocks = &blocks, .stage = 1};
    const char *names[ANN_METHOD_BLOCKS];
    assert_int_equal(ann_method_info_of(ANN_METHOD_LAYERWISE)->trains(&m, names), 2);
    assert_string_equal(names[0], "upper");
    assert_string_equal(names[1], "lower");
    config.layer = ANN_METHOD_RBM;
    assert_int_equal(ann_method_info_of(ANN_METHOD_LAYERWISE)->trains(&m, names), 1);
    assert_string_equal(names[0], "upper");
}

static void a_machine_is_one_dense_layer(void **state) {
    (void)state;
    bench_case c = stage_of(0, ANN_METHOD_RBM);
    c.model = (const char *const[]){"encoder", "upper"};
    bench_refuses(&c, "layerwise: block encoder: accepted as a Boltzmann machine is one dense layer with "
                      "activation: sigmoid");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(autoencoders),
        cmocka_unit_test(denoising_autoencoder),
        cmocka_unit_test(contrastive_divergence),
        cmocka_unit_test(persistent_chains),
        cmocka_unit_test(evaluation_of_a_machine),
        cmocka_unit_test(trained_blocks),
        cmocka_unit_test(a_machine_is_one_dense_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
