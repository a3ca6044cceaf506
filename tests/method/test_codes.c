/* Methods that say something of the code, against PyTorch: sparse, contractive, variational. */
#include "support/check.h"

#include "bench.h"
#include "codes_values.h"

#define EXPECT(name)                                                                                         \
    .loss = name##_loss, .gradients = name##_gradients,                                                      \
    .gradient_count = sizeof name##_gradients / sizeof name##_gradients[0]

static const char *const units[] = {"units", "decoder"}, *const encoder[] = {"encoder", "decoder"},
                         *const code[] = {"code", "decoder"};

static void sparse(void **state) {
    (void)state;
    const bench_case c = {.config = {.kind = ANN_METHOD_SPARSE, .target = 0.1, .weight = 0.7},
                          .model = units,
                          .model_count = 2,
                          .likeness = ANN_METHOD_BCE,
                          .noisy = true,
                          EXPECT(sparse)};
    bench_check(&c);
}

/* One loss, in closed form and by gradients of gradients. */
static void both_forms_of_contraction(void **state) {
    (void)state;
    bench_case c = {.config = {.kind = ANN_METHOD_CONTRACTIVE, .weight = 0.7},
                    .model = units,
                    .model_count = 2,
                    .noisy = true,
                    EXPECT(contractive_units)};
    c.config.form = ANN_METHOD_CLOSED;
    bench_check(&c);
    c.config.form = ANN_METHOD_GRADIENT;
    bench_check(&c);
}

static void contraction_of_any_code(void **state) {
    (void)state;
    const bench_case c = {
        .config = {.kind = ANN_METHOD_CONTRACTIVE, .weight = 0.7, .form = ANN_METHOD_GRADIENT},
        .model = encoder,
        .model_count = 2,
        .noisy = true,
        EXPECT(contractive_encoder)};
    bench_check(&c);
}

static void contraction_along_probes(void **state) {
    (void)state;
    const bench_case c = {
        .config = {.kind = ANN_METHOD_CONTRACTIVE, .weight = 0.7, .form = ANN_METHOD_GRADIENT, .probes = 2},
        .model = encoder,
        .model_count = 2,
        .noisy = true,
        EXPECT(contractive_probes)};
    bench_check(&c);
}

static void variational(void **state) {
    (void)state;
    const bench_case bernoulli = {.config = {.kind = ANN_METHOD_VARIATIONAL, .beta = 1},
                                  .model = code,
                                  .model_count = 2,
                                  .likeness = ANN_METHOD_BCE,
                                  .noisy = true,
                                  EXPECT(variational_bce)};
    const bench_case normal = {.config = {.kind = ANN_METHOD_VARIATIONAL, .beta = 0.3},
                               .model = code,
                               .model_count = 2,
                               .noisy = true,
                               EXPECT(variational_mse)};
    const bench_case tested = {.config = {.kind = ANN_METHOD_VARIATIONAL, .beta = 0.3},
                               .model = code,
                               .model_count = 2,
                               .noisy = true,
                               .evaluates = true,
                               EXPECT(variational_test)};
    bench_check(&bernoulli);
    bench_check(&normal);
    bench_check(&tested);
}

static void codes_that_do_not_fit(void **state) {
    (void)state;
    const bench_case closed = {.config = {.kind = ANN_METHOD_CONTRACTIVE, .form = ANN_METHOD_CLOSED},
                               .model = encoder,
                               .model_count = 2};
    const bench_case odd = {
        .config = {.kind = ANN_METHOD_VARIATIONAL, .features = "projector"},
        .model = (const char *const[]){"encoder", "projector", "decoder"},
        .model_count = 3,
    };
    const bench_case tanh = {
        .config = {.kind = ANN_METHOD_SPARSE, .target = 0.1}, .model = encoder, .model_count = 2};
    bench_refuses(&closed, "contractive: form: closed is for a code of one dense layer with activation: "
                           "sigmoid; accepted for others is form: gradient");
    bench_refuses(&odd, "variational: the features are [8,3]; accepted is [batch, 2 K], K means and K "
                        "logarithms of variances");
    bench_refuses(&tanh, "sparse: the code must be of sigmoid units");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sparse),
        cmocka_unit_test(both_forms_of_contraction),
        cmocka_unit_test(contraction_of_any_code),
        cmocka_unit_test(contraction_along_probes),
        cmocka_unit_test(variational),
        cmocka_unit_test(codes_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
