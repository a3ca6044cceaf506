/* annulus look */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli.h"
#include "look.h"

static const char help[] =
    "annulus look shows what a phase of a run has learned, as pictures and a few figures. Labels only judge "
    "and "
    "colour.\n\n"
    "usage: annulus look [OPTION...] RUN.yaml\n\n"
    "scatter.png      test samples by their features, coloured by class; of several sources also training "
    "samples "
    "of\n"
    "                 the others than the last. Phases of kind adapt: before.png and after.png\n"
    "confusion.png    of classifiers, with accuracy, recall and precision\n"
    "reconstruct.png  of autoencoders, with the mean squared error (bytes are 0 to 1)\n"
    "samples.png, interpolate.png  of variational autoencoders: decoded draws of N(0, 1); walks between "
    "samples\n"
    "Where data have labels, the features are judged by 20 nearest neighbours (cosine) and by a linear "
    "probe\n"
    "(standardized features, l2 1e-4), both of at most 10000 training and 10000 test samples.\n\n"
    "options:\n"
    "  --phase NAME       the phase (default: the first)\n"
    "  --out FOLDER       where pictures go (default: OUTPUT/PHASE/look); those of the same name are "
    "replaced\n"
    "  --checkpoint PATH  a checkpoint or a file of tensors (default: the phase's newest checkpoint)\n"
    "  --samples N        in scatter plots at most, 4 to 10000 (default 1500; t-SNE takes N^2 time and "
    "memory)\n"
    "  --pca              two principal components instead of t-SNE\n"
    "  --anomaly CLASSES  of autoencoders: how well the error finds these classes (0,1 or names): roc.png\n"
    "  --set KEY=VALUE    replace a value of the run file, as in annulus train; may be repeated\n"
    "  --help             this text\n";

const char *look_path(char buf[LOOK_PATH_BYTES], const look *l, const char *name) {
    snprintf(buf, LOOK_PATH_BYTES, "%s/%s", l->folder, name);
    return buf;
}

void look_wrote(const char *path) { printf("wrote %s\n", path); }

static ann_status make_folder(look *l) {
    const look_request *r = l->request;
    const int n = r->out ? snprintf(l->folder, sizeof l->folder, "%s", r->out)
                         : snprintf(l->folder, sizeof l->folder, "%s/%s/look", l->config->output,
                                    l->facts->phase->name);
    if (n >= (int)sizeof l->folder)
        return ann_error(ANN_ERR_CONFIG, "--out: %.64s... is too long", l->folder);
    if (mkdir(l->folder, 0777) == 0 || errno == EEXIST) return ANN_OK;
    return ann_error(errno == ENOENT ? ANN_ERR_NOT_FOUND : ANN_ERR_IO, "%s: %s", l->folder, strerror(errno));
}

static ann_status show(look *l) {
    ANN_TRY(make_folder(l));
    ANN_TRY(ann_look_see(&l->train, l->phase, l->facts->train));
    ANN_TRY(ann_look_see(&l->test, l->phase, l->facts->test));
    ANN_TRY(look_confusion(l));
    ANN_TRY(look_probe(l));
    ANN_TRY(look_pictures(l));
    return look_scatter(l);
}

static ann_status open_and_show(const look_request *r, const ann_run_config *config) {
    look l = {.request = r, .config = config};
    const ann_look_options options = {
        .config = config, .phase = r->phase ? r->phase : config->phases[0].name, .checkpoint = r->checkpoint};
    ANN_TRY(ann_look_open(&l.phase, &options));
    l.facts = ann_look_facts_of(l.phase);
    printf("phase %s: %s\n", l.facts->phase->name, l.facts->weights);
    const ann_status status = show(&l);
    ann_look_view_free(&l.train);
    ann_look_view_free(&l.test);
    ann_look_close(l.phase);
    return status;
}

static int load_and_show(const look_request *r) {
    ann_run_config *config = NULL;
    ann_status status = ann_run_config_load(&config, r->path, r->sets, r->set_count);
    if (status == ANN_OK && r->phase && ann_run_config_find_phase(config, r->phase) < 0)
        status = ann_error(ANN_ERR_CONFIG, "%s has no phase '%s'", config->path, r->phase);
    if (status == ANN_OK) status = open_and_show(r, config);
    ann_run_config_free(config);
    return status == ANN_OK ? 0 : cli_fail(status);
}

int cmd_look(int argc, char **argv) {
    const char *samples = "1500";
    look_request r = {.sets = calloc((size_t)argc, sizeof *r.sets)};
    if (!r.sets) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    const cli_option options[] = {{.name = "--phase", .value = &r.phase},
                                  {.name = "--out", .value = &r.out},
                                  {.name = "--checkpoint", .value = &r.checkpoint},
                                  {.name = "--samples", .value = &samples},
                                  {.name = "--pca", .flag = &r.pca},
                                  {.name = "--anomaly", .value = &r.anomaly},
                                  {.name = "--set", .list = r.sets, .list_count = &r.set_count}};
    const cli c = {"annulus look", help, options, sizeof options / sizeof options[0]};
    int count, code = ann_status_exit_code(ANN_ERR_CONFIG);
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed == CLI_HELP) code = 0;
    else if (parsed == CLI_GO && count != 1) code = cli_wrong(&c, "one run file is needed, found %d", count);
    else if (parsed == CLI_GO && cli_int(&c, "--samples", samples, 4, 10000, &r.samples)) {
        r.path = argv[0];
        code = load_and_show(&r);
    }
    free(r.sets);
    return code;
}
