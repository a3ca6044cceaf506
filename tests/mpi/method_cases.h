/* The methods that tests/mpi/test_method.c trains: each is a phase of a run file over two sources, of which
   the second one is the target. Blocks are those of its run file. The phase is of kind pretrain where the
   loss takes no labels. Checkpoints are made after 3 steps: of two stages, within the one that has 4. */
#define TWO_THEN_FOUR "{ steps: 2, lr: 0.02 }, { steps: 4, lr: 0.02 }"
#define FOUR_THEN_TWO "{ steps: 4, lr: 0.02 }, { steps: 2, lr: 0.02 }"
#define VIEWS "augment: [crop: { padding: 1 }, brightness: { strength: 0.4 }],"

static const struct method_case {
    const char *name;    /* of the run and of its golden curve */
    const char *model;   /* phases[].model */
    const char *loss;    /* key of the phase, with a comma behind it, or "" */
    const char *method;  /* phases[].method */
    const char *extra;   /* further keys of the phase, each with a comma behind it */
    const char *program; /* of 6 steps; NULL: one stage */
} method_cases[] = {
    {"svm", "encoder, head", "loss: cross_entropy,", "svm: {}", "", NULL},
    {"l2sp", "encoder, head", "loss: cross_entropy,", "l2sp: {}", "", NULL},
    {"distill", "encoder, head", "loss: cross_entropy,", "distill: { teacher: tutor }", "", NULL},
    {"mean_teacher", "encoder, head", "loss: cross_entropy,", "mean_teacher: { momentum: 0.8 }", VIEWS, NULL},
    {"adda", "encoder, narrow, head", "loss: cross_entropy,",
     "adda: { discriminator: discriminator, features: narrow }", "", NULL},
    {"mcd", "encoder, head", "loss: cross_entropy,", "mcd: { second: second, repeats: 2 }", "", NULL},
    {"mmd", "encoder, head", "loss: cross_entropy,", "mmd: { logits: true, ramp: true }", "", NULL},
    {"mmd_linear", "encoder, head", "loss: cross_entropy,", "mmd: { form: linear }", "", NULL},
    {"jan", "encoder, head", "loss: cross_entropy,", "jan: { kernels: 3 }", "", NULL},
    {"coral", "encoder, head", "loss: cross_entropy,", "coral: { weight: 20 }", "", NULL},
    {"deepjdot", "encoder, head", "loss: cross_entropy,", "deepjdot: { alpha: 0.1, lambda: 0.5 }", "", NULL},
    {"entropy", "encoder, head", "loss: cross_entropy,", "entropy: { weight: 0.5, diversity: 0.7 }", "",
     NULL},
    {"mcc", "encoder, head", "loss: cross_entropy,", "mcc: {}", "", NULL},
    {"reweight", "encoder, head", "loss: cross_entropy,", "reweight: { power: 0.5 }", "", NULL},
    {"reweight_kmm", "encoder, head", "loss: cross_entropy,", "reweight: { by: kmm, bound: 3 }", "", NULL},
    {"self_training", "encoder, head", "loss: cross_entropy,", "self_training: { threshold: 0.3 }", "", NULL},
    {"self_training_balanced", "encoder, head", "loss: cross_entropy,", "self_training: { share: 0.4 }", "",
     NULL},
    {"shot", "encoder, head", "loss: cross_entropy,", "shot: {}", "", NULL},
    {"adabn", "encoder, head", "loss: cross_entropy,", "adabn: {}", "", NULL},
    {"tent", "encoder, head", "loss: cross_entropy,", "tent: {}", "",
     "{ steps: 6, lr: 0.02, train: '*/gamma,*/beta' }"},
    {"cdan", "encoder, head", "loss: cross_entropy,", "cdan: { discriminator: joint }", "", NULL},
    {"drcn", "encoder, head", "loss: cross_entropy,", "drcn: { decoder: decoder }", "noise: { mask: 0.2 },",
     NULL},
    {"dann", "encoder, head", "loss: cross_entropy,", "dann: { discriminator: discriminator }", "", NULL},
    {"dann_groups", "encoder, head", "loss: cross_entropy,", "dann: { discriminator: discriminator }",
     "choice: {}, stop: { every: 1 steps },",
     "{ steps: 6, lr: 0.02, groups: [{ match: discriminator/*, lr: 10 }, { match: encoder/*, lr: 0.1 }, "
     "{ match: '*' }] }"},
    {"sparse_conv", "units, images", "loss: bce,", "sparse: { target: 0.4, weight: 0.1 }",
     "noise: { gaussian: 0.1, mask: 0.1, salt_pepper: 0.1 },", NULL},
    {"sparse", "units, decoder", "loss: mse,", "sparse: { target: 0.2, weight: 0.1 }", "", NULL},
    {"contractive", "units, decoder", "loss: bce,", "contractive: { weight: 0.1 }", "noise: { mask: 0.2 },",
     NULL},
    {"contractive_exact", "encoder, decoder", "loss: bce,", "contractive: { weight: 0.1, form: gradient }",
     "", NULL},
    {"contractive_probes", "encoder, decoder", "loss: bce,",
     "contractive: { weight: 0.1, form: gradient, probes: 3 }", "", NULL},
    {"variational", "encoder, decoder", "loss: bce,", "variational: { beta: 0.5 }", "", NULL},
    {"layerwise", "encoder, upper", "loss: mse,", "layerwise: { decoders: [decoder, lower] }", "",
     TWO_THEN_FOUR},
    {"layerwise_denoising", "units, upper", "loss: bce,",
     "layerwise: { layer: denoising, noise: 0.3, decoders: [decoder, lower] }", "", FOUR_THEN_TWO},
    {"layerwise_cd", "units, upper", "loss: mse,", "layerwise: { layer: rbm, gibbs_steps: 2 }", "",
     FOUR_THEN_TWO},
    {"layerwise_pcd", "units, upper", "loss: mse,", "layerwise: { layer: rbm, persistent: true }", "",
     TWO_THEN_FOUR},
    {"simclr", "encoder, narrow", "", "simclr: { projector: projector, temperature: 0.2 }", VIEWS, NULL},
    {"byol", "encoder, narrow", "", "byol: { projector: projector, predictor: predictor, momentum: 0.8 }",
     VIEWS, NULL},
    {"moco", "encoder, narrow", "",
     "moco: { projector: projector, temperature: 0.2, momentum: 0.8, queue: 40 }", VIEWS, NULL},
    {"masked", "encoder, decoder", "loss: bce,", "masked: { patch: [3, 2], ratio: 0.6 }", "", NULL},
};
