/* The methods that tests/mpi/test_method.c trains: each is a phase of a run file over two sources, of which
   the second one is the target. Blocks are those of its run file. The phase is of kind pretrain where the
   loss takes no labels. Checkpoints are made after 3 steps: of two stages, within the one that has 4. */
#define TWO_THEN_FOUR "{ steps: 2, lr: 0.02 }, { steps: 4, lr: 0.02 }"
#define FOUR_THEN_TWO "{ steps: 4, lr: 0.02 }, { steps: 2, lr: 0.02 }"

static const struct method_case {
    const char *name;  /* of the run and of its golden curve */
    const char *model; /* phases[].model */
    const char *loss;
    const char *method;  /* phases[].method */
    const char *extra;   /* further keys of the phase, each with a comma behind it */
    const char *program; /* of 6 steps; NULL: one stage */
} method_cases[] = {
    {"svm", "encoder, head", "cross_entropy", "svm: {}", "", NULL},
    {"cdan", "encoder, head", "cross_entropy", "cdan: { discriminator: joint }", "", NULL},
    {"drcn", "encoder, head", "cross_entropy", "drcn: { decoder: decoder }", "noise: { mask: 0.2 },", NULL},
    {"dann", "encoder, head", "cross_entropy", "dann: { discriminator: discriminator }", "", NULL},
    {"sparse", "units, decoder", "mse", "sparse: { target: 0.2, weight: 0.1 }", "", NULL},
    {"contractive", "units, decoder", "bce", "contractive: { weight: 0.1 }", "noise: { mask: 0.2 },", NULL},
    {"contractive_exact", "encoder, decoder", "bce", "contractive: { weight: 0.1, form: gradient }", "",
     NULL},
    {"contractive_probes", "encoder, decoder", "bce",
     "contractive: { weight: 0.1, form: gradient, probes: 3 }", "", NULL},
    {"variational", "encoder, decoder", "bce", "variational: { beta: 0.5 }", "", NULL},
    {"layerwise", "encoder, upper", "mse", "layerwise: { decoders: [decoder, lower] }", "", TWO_THEN_FOUR},
    {"layerwise_denoising", "units, upper", "bce",
     "layerwise: { layer: denoising, noise: 0.3, decoders: [decoder, lower] }", "", FOUR_THEN_TWO},
    {"layerwise_cd", "units, upper", "mse", "layerwise: { layer: rbm, gibbs_steps: 2 }", "", FOUR_THEN_TWO},
    {"layerwise_pcd", "units, upper", "mse", "layerwise: { layer: rbm, persistent: true }", "",
     TWO_THEN_FOUR},
};
