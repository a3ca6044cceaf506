/* How a phase trains, in run files: samples and their augmentation, ranks, optimizer, program; and bad ones
   with their exact errors. */
#include "train/good_file.h"

#include <stdio.h>
#include <stdlib.h>
#include "support/check.h"
#include "train/config.h"

static void test_sampling(void **state) {
    (void)state;
    ann_run_config *c;
    char *text = good_file_with(
        "    batch: 256\n",
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
    text = good_file_with("    batch: 256\n",
                          "    batch: 256\n    sampling: {balance: source, shares: [3, 1]}\n");
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
    char *text = good_file_with("    batch: 256\n",
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
    text =
        good_file_with("    batch: 256\n", "    batch: 256\n    reduction: {order: invariant, shards: 16}\n");
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
    char *text = good_file_with("batch: 128\n", "batch: 128\n"
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

static void test_groups_of_parameters(void **state) {
    (void)state;
    ann_run_config *c;
    char *text =
        good_file_with("steps: 100, lr", "groups: [{match: 'head/*', lr: 10}, {match: '*'}], steps: 100, lr");
    check_ok(ann_run_config_parse(&c, "run.yaml", text, NULL, 0));
    const ann_stage_config *stage = &c->phases[1].program[0];
    assert_int_equal(stage->group_count, 2);
    assert_string_equal(stage->groups[0].match, "head/*");
    assert_true(stage->groups[0].lr_factor == 10 && stage->groups[1].lr_factor == 1);
    assert_string_not_equal(stage->groups[0].name, stage->groups[1].name);
    assert_int_equal(c->phases[1].program[1].group_count, 0);
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
        char *text = good_file_with("batch: 128\n", item);
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

static const bad_file bad_files[] = {
    /* order, accumulation, reduction */
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
    /* optimizer, compression, program */
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
    {"steps: 100, lr", "groups: [{match: 'head/*'}, {match: 'decoder/*', lr: 2}], steps: 100, lr",
     "run.yaml:39:77: phases[1].program[0].groups[1].match: 'decoder/*' matches no parameter of the model "
     "that is in no group before"},
    {"steps: 100, lr", "groups: [{match: 'decoder/*'}, {match: '*'}], steps: 100, lr",
     "run.yaml:39:58: phases[1].program[0].groups[0].match: 'decoder/*' matches no parameter of the model"},
    {"steps: 100, lr", "groups: [{match: '*'}, {match: 'head/*', lr: 2}], steps: 100, lr",
     "run.yaml:39:72: phases[1].program[0].groups[1].match: 'head/*' matches no parameter of the model that "
     "is "
     "in no group before"},
    {"steps: 100, lr", "groups: [{lr: 2}], steps: 100, lr",
     "run.yaml:39:50: phases[1].program[0].groups[0]: the key 'match' is missing, accepted is a text"},
    {"steps: 100, lr", "groups: [{match: '*', lr: -1}], steps: 100, lr",
     "run.yaml:39:67: phases[1].program[0].groups[0].lr: '-1' is out of range, accepted is a number from 0 "
     "to "
     "1000000"},
    {"steps: 100, lr", "groups: [{match: '*', factor: 2}], steps: 100, lr",
     "run.yaml:39:63: phases[1].program[0].groups[0].factor: unknown key, accepted are: match, lr"},
    {"steps: 100, lr", "groups: '*', steps: 100, lr",
     "run.yaml:39:49: phases[1].program[0].groups: found '*', accepted is a list"},
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

static void test_bad_files(void **state) {
    (void)state;
    check_bad_files(bad_files, sizeof bad_files / sizeof bad_files[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampling),         cmocka_unit_test(test_synchronising),
        cmocka_unit_test(test_augment_of_phase), cmocka_unit_test(test_groups_of_parameters),
        cmocka_unit_test(test_every_op),         cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
