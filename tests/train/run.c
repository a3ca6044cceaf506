#include "train/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "support/tiny_data.h"

char run_dir[SCRATCH_PATH_BYTES];
static char printed[1 << 16];

static const char run_file[] =
    "name: tiny\n"
    "seed: 3\n"
    "output: %s/%s\n"
    "data: { path: %s/tiny.h5 }\n"
    "log: { every_steps: 1 }\n"
    "models:\n"
    "  encoder:\n"
    "    - flatten: {}\n"
    "    - dense: { name: fc1, units: 20 }\n"
    "    - batch_norm: { name: bn }\n"
    "    - activation: { kind: relu }\n"
    "  decoder:\n"
    "    - dense: { name: out, units: 64 }\n"
    "  head:\n"
    "    - dropout: { name: drop, p: 0.2 }\n"
    "    - dense: { name: out, units: 4 }\n"
    "phases:\n"
    "  - { name: pre, kind: pretrain, model: [encoder, decoder], loss: bce, noise: { mask: 0.3 }, batch: "
    "40,\n"
    "      program: [{ name: denoise, epochs: 2, lr: 0.005 }] }\n"
    "  - { name: fine, kind: transfer, model: [encoder, head], loss: cross_entropy, labels: 100, batch: 30,\n"
    "      load: { from: pre, tensors: \"encoder/*\" },\n"
    "      program: [{ name: head, train: \"head/*\", steps: 5, lr: 0.01 }, { name: all, epochs: 3, lr: "
    "0.005 }] }\n";

int run_setup(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    scratch_make(run_dir);
    tiny_data_write(scratch_path(path, "%s/tiny.h5", run_dir));
    return 0;
}

int run_teardown(void **state) {
    (void)state;
    scratch_remove(run_dir);
    return 0;
}

static void keep_line(void *to, const char *line) {
    (void)to;
    const size_t used = strlen(printed);
    snprintf(printed + used, sizeof printed - used, "%s\n", line);
}
const char *run_printed(void) { return printed; }

ann_status run_train(const run_options *o) {
    static char text[sizeof run_file + 3 * SCRATCH_PATH_BYTES];
    const ann_train_options options = {.threads = 1,
                                       .resume = o->resume,
                                       .print = keep_line,
                                       .stop_requested = o->stop,
                                       .checkpoint_requested = o->save,
                                       .deadline_ns = o->deadline_ns};
    ann_run_config *config = NULL;
    ann_comm *comm = NULL;
    int sets = 0;
    while (sets < 8 && o->sets[sets]) sets++;
    snprintf(text, sizeof text, run_file, run_dir, o->name, run_dir);
    printed[0] = '\0';
    ann_status status = ann_run_config_parse(&config, "tiny.yaml", text, o->sets, sets);
    if (status == ANN_OK) status = ann_comm_self(&comm);
    if (status == ANN_OK) status = ann_train(comm, config, &options);
    ann_comm_free(comm);
    ann_run_config_free(config);
    return status;
}

/* The text behind the i-th occurrence, or NULL; freed by the caller through *text. */
static const char *find_metric(char **text, const char *name, const char *key, int i) {
    char path[SCRATCH_PATH_BYTES], quoted[64];
    *text = scratch_read_all(scratch_path(path, "%s/%s/{pre,[!p]*}/metrics.jsonl", run_dir, name));
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = *text;
    for (int n = 0; (at = strstr(at, quoted)); n++) {
        at += strlen(quoted);
        if (n == i) return at;
    }
    return NULL;
}

double run_metric(const char *name, const char *key, int i) {
    char *text;
    const char *at = find_metric(&text, name, key, i);
    const double value = at ? strtod(at, NULL) : NAN;
    free(text);
    return value;
}

int run_metric_count(const char *name, const char *key) {
    char *text;
    int n = 0;
    while (find_metric(&text, name, key, n)) {
        free(text);
        n++;
    }
    free(text);
    return n;
}
