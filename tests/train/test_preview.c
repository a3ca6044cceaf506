/* The samples that `annulus data sample --run` shows are those of the phase's order and epoch, augmented as
   the loader does it. */
#include "train/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "support/tiny_data.h"

enum { PIXELS = TINY_SIDE * TINY_SIDE };

static const char run_file[] = "name: tiny\n"
                               "output: %s/out\n"
                               "data: { path: %s/tiny.h5 }\n"
                               "models: { net: [flatten: {}, dense: { name: out, units: 4 }] }\n"
                               "phases:\n"
                               "  - { name: plain, kind: supervised, model: [net], loss: cross_entropy, "
                               "batch: 24, program: [{ steps: 1, lr: 1 }] }\n"
                               "  - { name: noisy, kind: supervised, model: [net], loss: cross_entropy, "
                               "batch: 24, program: [{ steps: 1, lr: 1 }],\n"
                               "      augment: [gaussian: { sigma: 0.2 }, mixup: { alpha: 1 }] }\n";

static ann_run_config *load(void) {
    char text[sizeof run_file + 2 * SCRATCH_PATH_BYTES];
    ann_run_config *config;
    snprintf(text, sizeof text, run_file, run_dir, run_dir);
    check_ok(ann_run_config_parse(&config, "tiny.yaml", text, NULL, 0));
    return config;
}

/* By the number of the sample in the dataset. */
typedef struct seen {
    int count, times[TINY_TRAIN], raw;
    uint8_t x[TINY_TRAIN][PIXELS];
} seen;

static ann_status keep(void *to, const ann_train_samples *s) {
    seen *out = to;
    *out = (seen){.count = s->count};
    for (int i = 0; i < s->count; i++) {
        uint8_t stored[PIXELS];
        const uint8_t *x = (const uint8_t *)s->x + i * PIXELS;
        ANN_TRY(ann_dataset_read(s->train, ann_dataset_find(s->train, "x"), &s->samples[i], 1, stored));
        out->times[s->samples[i]]++;
        out->raw += memcmp(x, stored, PIXELS) == 0;
        memcpy(out->x[s->samples[i]], x, PIXELS);
    }
    return ANN_OK;
}

static int same_samples(const seen *a, const seen *b) {
    int same = 0;
    for (int i = 0; i < TINY_TRAIN; i++) same += memcmp(a->x[i], b->x[i], PIXELS) == 0;
    return same;
}

static void whole_epochs(void **state) {
    (void)state;
    static seen plain, first, again, second;
    ann_run_config *config = load();
    /* more than there are: all of them once */
    check_ok(ann_train_preview(config, "plain", 0, 1000, keep, &plain));
    check_ok(ann_train_preview(config, "noisy", 0, 1000, keep, &first));
    check_ok(ann_train_preview(config, "noisy", 0, 1000, keep, &again));
    check_ok(ann_train_preview(config, "noisy", 1, 1000, keep, &second));
    for (int i = 0; i < TINY_TRAIN; i++)
        assert_true(plain.times[i] == 1 && first.times[i] == 1 && second.times[i] == 1);
    assert_int_equal(plain.raw, TINY_TRAIN);
    assert_int_equal(first.raw, 0);
    assert_int_equal(same_samples(&first, &again), TINY_TRAIN);
    assert_int_equal(same_samples(&first, &second), 0);
    ann_run_config_free(config);
}

static void a_few(void **state) {
    (void)state;
    static seen few, all;
    ann_run_config *config = load();
    check_ok(ann_train_preview(config, "noisy", 0, 5, keep, &few));
    check_ok(ann_train_preview(config, "noisy", 0, 1000, keep, &all));
    assert_int_equal(few.count, 5);
    int same = 0;
    for (int i = 0; i < TINY_TRAIN; i++) same += few.times[i] == 1 && memcmp(few.x[i], all.x[i], PIXELS) == 0;
    assert_int_equal(same, 5);
    ann_run_config_free(config);
}

static ann_status refuse(void *to, const ann_train_samples *s) {
    (void)to, (void)s;
    return ann_error(ANN_ERR_IO, "no paper");
}

static void failures(void **state) {
    (void)state;
    ann_run_config *config = load();
    assert_int_equal(ann_train_preview(config, "none", 0, 5, keep, NULL), ANN_ERR_NOT_FOUND);
    assert_string_equal(ann_error_text(), "tiny.yaml: there is no phase \"none\"");
    assert_int_equal(ann_train_preview(config, "plain", 0, 5, refuse, NULL), ANN_ERR_IO);
    ann_run_config_free(config);
}

/* Where the target is an image, x must not move. */
static void target_that_is_an_image(void **state) {
    (void)state;
    static const char text[] =
        "name: tiny\n"
        "output: %s/out\n"
        "data: { path: %s/tiny.h5, train: { x: train/x, y: train/x }, test: { x: test/x, y: test/x } }\n"
        "models: { net: [flatten: {}, dense: { name: out, units: 64 }] }\n"
        "phases:\n"
        "  - { name: p, kind: supervised, model: [net], loss: mse, target: y, batch: 24, program: [{ steps: "
        "1, lr: 1 }],\n"
        "      augment: [gaussian: { sigma: 0.1 }%s] }\n";
    for (int moved = 0; moved < 2; moved++) {
        static seen s;
        char yaml[sizeof text + 2 * SCRATCH_PATH_BYTES + 16];
        ann_run_config *config;
        snprintf(yaml, sizeof yaml, text, run_dir, run_dir, moved ? ", flip: {}" : "");
        check_ok(ann_run_config_parse(&config, "tiny.yaml", yaml, NULL, 0));
        assert_int_equal(ann_train_preview(config, "p", 0, 5, keep, &s), moved ? ANN_ERR_CONFIG : ANN_OK);
        if (moved)
            assert_string_equal(
                ann_error_text(),
                "tiny.yaml:7:43: phases[0].augment[1].flip: moves x and not its target y, which is "
                "[8,8,1]; accepted are ops that move nothing");
        ann_run_config_free(config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_epochs),
        cmocka_unit_test(a_few),
        cmocka_unit_test(failures),
        cmocka_unit_test(target_that_is_an_image),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
