/* The methods that tests/mpi/test_method.c trains: each is a phase of a run file over two sources, of which
   the second one is the target. Blocks are those of its run file. */
static const struct method_case {
    const char *name;  /* of the run and of its golden curve */
    const char *model; /* phases[].model */
    const char *loss;
    const char *method; /* phases[].method */
    const char *extra;  /* further keys of the phase, each with a comma behind it */
} method_cases[] = {
    {"svm", "encoder, head", "cross_entropy", "svm: {}", ""},
    {"cdan", "encoder, head", "cross_entropy", "cdan: { discriminator: joint }", ""},
    {"drcn", "encoder, head", "cross_entropy", "drcn: { decoder: decoder }", "noise: { mask: 0.2 },"},
    {"dann", "encoder, head", "cross_entropy", "dann: { discriminator: discriminator }", ""},
};
