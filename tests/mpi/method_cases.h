/* The methods that tests/mpi/test_method.c trains: each is a phase of a run file over two sources, of which
   the second one is the target. Blocks are those of its run file. The phase is of kind pretrain where the
   loss takes no labels. */
#define VIEWS "augment: [crop: { padding: 1 }, brightness: { strength: 0.4 }],"

static const struct method_case {
    const char *name;   /* of the run and of its golden curve */
    const char *model;  /* phases[].model */
    const char *loss;   /* key of the phase, with a comma behind it, or "" */
    const char *method; /* phases[].method */
    const char *extra;  /* further keys of the phase, each with a comma behind it */
} method_cases[] = {
    {"dann", "encoder, head", "loss: cross_entropy,", "dann: { discriminator: discriminator }", ""},
    {"simclr", "encoder, narrow", "", "simclr: { projector: projector, temperature: 0.2 }", VIEWS},
    {"byol", "encoder, narrow", "", "byol: { projector: projector, predictor: predictor, momentum: 0.8 }",
     VIEWS},
    {"moco", "encoder, narrow", "",
     "moco: { projector: projector, temperature: 0.2, momentum: 0.8, queue: 40 }", VIEWS},
    {"masked", "encoder, decoder", "loss: bce,", "masked: { patch: [3, 2], ratio: 0.6 }", ""},
};
