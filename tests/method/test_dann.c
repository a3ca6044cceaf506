/* DANN against PyTorch. */
#include "support/check.h"

#include "bench.h"
#include "dann_values.h"

static void loss_and_gradients(void **state) {
    (void)state;
    const bench_case c = {
        .config = {.kind = ANN_METHOD_DANN, .discriminator = "discriminator", .weight = 0.7},
        .progress = 0.3,
        .loss = dann_loss,
        .gradients = dann_gradients,
        .gradient_count = sizeof dann_gradients / sizeof dann_gradients[0]};
    bench_check(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(loss_and_gradients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
