/* annulus graph */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "pass/pass.h"
#include "train/train.h"

static const char help[] =
    "annulus graph prints the training graph of a phase as it was built and after each pass.\n\n"
    "usage: annulus graph [OPTION...] RUN.yaml\n\n"
    "options:\n"
    "  --text           one line per node (default)\n"
    "  --dot            Graphviz: one digraph per stage; with --stage, for example: | dot -Tsvg -o "
    "graph.svg\n"
    "  --phase NAME     the phase (default: the first)\n"
    "  --stage NAME     only this stage of the compilation: built, simplify, expand, bucket, fuse or order, "
    "or its number\n"
    "                   (simplify runs several times)\n"
    "  --ranks N        as rank 0 of N ranks sees it (default 1)\n"
    "  --set KEY=VALUE  replace a value of the run file, as in annulus train; may be repeated\n"
    "  --help           this text\n";

typedef struct request {
    bool text, dot;
    const char *phase, *stage;
    int64_t ranks;
    const char **sets;
    int set_count;
} request;

typedef struct printer {
    const request *request;
    int number, printed; /* of stages so far */
    ann_status status;
} printer;

static void write_text(void *to, const char *text) {
    (void)to;
    fputs(text, stdout);
}

/* Is stage number `number`, called `name`, asked for? */
static bool is_wanted(const request *r, int number, const char *name) {
    char digits[16];
    snprintf(digits, sizeof digits, "%d", number);
    return !r->stage || strcmp(r->stage, name) == 0 || strcmp(r->stage, digits) == 0;
}

static void trace(void *to, const char *stage, const ann_graph *graph) {
    printer *p = to;
    const int number = p->number++;
    if (p->status != ANN_OK || !is_wanted(p->request, number, stage)) return;
    char title[64];
    snprintf(title, sizeof title, "%d %s", number, stage);
    p->printed++;
    if (p->request->dot) p->status = ann_graph_print_dot(graph, title, write_text, NULL);
    else p->status = ann_graph_print_text(graph, title, write_text, NULL);
}

static ann_status print_passes(const request *r, const ann_run_config *config, const ann_graph *graph) {
    printer p = {.request = r, .status = ANN_OK};
    const ann_pass_options options = {.bucket = {config->comm_bucket_bytes, config->comm_bucket_bytes},
                                      .eager_updates = r->ranks == 1,
                                      .fuse = true,
                                      .trace = trace,
                                      .to = &p};
    ann_graph *lowered;
    ANN_TRY(ann_pass_standard(&lowered, graph, &options));
    ann_graph_free(lowered);
    ANN_TRY(p.status);
    if (p.printed) return ANN_OK;
    return ann_error(
        ANN_ERR_CONFIG,
        "there is no stage '%s', accepted are built, simplify, expand, bucket, fuse, order and 0 to %d",
        r->stage, p.number - 1);
}

static ann_status print_phase(const request *r, const ann_run_config *config) {
    ann_graph *graph = NULL;
    ann_store *store = NULL;
    const char *phase = r->phase ? r->phase : config->phases[0].name;
    if (ann_run_config_find_phase(config, phase) < 0)
        return ann_error(ANN_ERR_CONFIG, "%s has no phase '%s'", config->path, phase);
    ANN_TRY(ann_train_graph(&graph, &store, config, phase, 0, (int)r->ranks));
    const ann_status status = print_passes(r, config, graph);
    ann_graph_free(graph);
    ann_store_free(store);
    return status;
}

static int print_file(const request *r, const char *path) {
    ann_run_config *config;
    ann_status status = ann_run_config_load(&config, path, r->sets, r->set_count);
    if (status == ANN_OK) status = print_phase(r, config);
    ann_run_config_free(config);
    return status == ANN_OK ? 0 : cli_fail(status);
}

int cmd_graph(int argc, char **argv) {
    const char *ranks = NULL;
    request r = {.ranks = 1, .sets = calloc((size_t)argc, sizeof *r.sets)};
    if (!r.sets) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    const cli_option options[] = {{.name = "--text", .flag = &r.text},
                                  {.name = "--dot", .flag = &r.dot},
                                  {.name = "--phase", .value = &r.phase},
                                  {.name = "--stage", .value = &r.stage},
                                  {.name = "--ranks", .value = &ranks},
                                  {.name = "--set", .list = r.sets, .list_count = &r.set_count}};
    const cli c = {"annulus graph", help, options, sizeof options / sizeof options[0]};
    int count, code = 0;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed == CLI_WRONG) code = ann_status_exit_code(ANN_ERR_CONFIG);
    else if (parsed == CLI_GO) {
        if (count != 1) code = cli_wrong(&c, "one run file is needed, found %d", count);
        else if (r.text && r.dot) code = cli_wrong(&c, "accepted is one of --text and --dot");
        else if (ranks && !cli_int(&c, "--ranks", ranks, 1, 65536, &r.ranks))
            code = ann_status_exit_code(ANN_ERR_CONFIG);
        else code = print_file(&r, argv[0]);
    }
    free(r.sets);
    return code;
}
