/* annulus lineage */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "base/text.h"
#include "cli.h"
#include "train/lineage.h"
#include "train/requests.h"

static const char help[] =
    "annulus lineage prints from where a checkpoint came: its phase, the key of its configuration, its data "
    "and code,\n"
    "requests of operators that changed what it learnt (learning rate, author, time, step), and the "
    "checkpoints or\n"
    "files from which it took tensors (phases[].load); then the same of those that are still on disk, back "
    "to the\n"
    "roots. Each of them is read, and compared with the content that was recorded when it was used.\n\n"
    "usage: annulus lineage [--json] PATH\n\n"
    "PATH is a checkpoint, or a folder that stands for its newest one, as in annulus ckpt.\n\n"
    "All hashes are XXH3-64. key: of everything in the configuration that decides the phase's results; data: "
    "the\n"
    "checksums of training and test set; id: of all of this together, as in the results in metrics.jsonl.\n\n"
    "options:\n"
    "  --json     one JSON object per checkpoint and line, for programs\n"
    "  --help     this text\n\n"
    "The exit code is 1 if a parent that is still on disk has not the recorded content any more, else 0.\n";

static const char *const state_name[] = {
    [ANN_PARENT_SAME] = "same", [ANN_PARENT_GONE] = "gone", [ANN_PARENT_CHANGED] = "changed"};
static const char *const state_text[] = {[ANN_PARENT_SAME] = "as recorded",
                                         [ANN_PARENT_GONE] = "not there any more",
                                         [ANN_PARENT_CHANGED] = "HAS OTHER CONTENT NOW"};

enum { MOST_GENERATIONS = 100 };

typedef struct chain {
    bool json;
    int changed; /* parents */
} chain;

/* Where a parent is looked for, and what is there. */
typedef struct located {
    char path[ANN_CKPT_PATH_BYTES];
    ann_parent_state state;
} located;

/* What is there of a checkpoint, and of its parents. */
typedef struct entry {
    const char *path;
    ann_ckpt *ckpt;
    bool has_lineage;
    ann_lineage lineage;
    located parents[ANN_LINEAGE_PARENTS];
    ann_requests requests;
} entry;

static int64_t time_of(const char *path) {
    char manifest[ANN_CKPT_PATH_BYTES + 16];
    struct stat st;
    snprintf(manifest, sizeof manifest, "%s/manifest.yaml", path);
    return stat(manifest, &st) == 0 ? (int64_t)st.st_mtime : 0;
}

/* ---- for people ---- */

/* "2026-11-26 19:30:00"; "-" for 0. Returns buf. */
static const char *time_text(char *buf, size_t size, int64_t unix_s) {
    const time_t time_s = (time_t)unix_s;
    struct tm parts;
    if (!unix_s || !localtime_r(&time_s, &parts) || !strftime(buf, size, "%Y-%m-%d %H:%M:%S", &parts))
        snprintf(buf, size, "-");
    return buf;
}

static void print_requests(const ann_requests *r) {
    char when[32];
    if (r->dropped > 0) printf("  request  %" PRId64 " earlier ones are not kept\n", r->dropped);
    for (int i = 0; i < r->count; i++) {
        const ann_control *c = &r->items[i].control;
        printf("  request  behind step %" PRId64 ": %s %.6g, by %s at %s\n", r->items[i].step,
               ann_control_name(c->kind), c->value, c->author,
               time_text(when, sizeof when, c->asked_ms / 1000));
    }
}

static void print_parent(const ann_lineage_parent *p, const char *path, ann_parent_state state) {
    printf("  parent   %s", p->phase[0] ? p->phase : "a file");
    if (p->step >= 0) printf(", step %" PRId64, p->step);
    if (p->key) printf(", key %016" PRIx64, p->key);
    printf("\n           %s\n           content %016" PRIx64 ": %s\n", path, p->content, state_text[state]);
}

static void print_text(const entry *e) {
    const ann_lineage *l = &e->lineage;
    char when[32];
    printf("%s\n  step     %" PRId64 ", written %s\n", e->path, ann_ckpt_step(e->ckpt),
           time_text(when, sizeof when, time_of(e->path)));
    if (!e->has_lineage) {
        printf("  it was made by no phase, or by an earlier version: its lineage is not known\n");
        return;
    }
    printf("  phase    %s\n  key      %016" PRIx64 "\n  data     %016" PRIx64 " (train) %016" PRIx64
           " (test)\n  code     annulus %s (%s)\n  id       %016" PRIx64 "\n",
           l->phase, l->key, l->train_data, l->test_data, l->version, l->revision, ann_lineage_id(l));
    print_requests(&e->requests);
    if (l->parent_count == 0) printf("  parent   none: it began with initial values\n");
    for (int i = 0; i < l->parent_count; i++)
        print_parent(&l->parents[i], e->parents[i].path, e->parents[i].state);
}

/* ---- for programs ---- */

static void json_requests(const ann_requests *r) {
    printf(", \"requests_dropped\": %" PRId64 ", \"requests\": [", r->dropped);
    for (int i = 0; i < r->count; i++) {
        const ann_control *c = &r->items[i].control;
        printf("%s{\"request\": \"%s\", \"value\": %.17g, \"step\": %" PRId64 ", \"author\": ", i ? ", " : "",
               ann_control_name(c->kind), c->value, r->items[i].step);
        ann_print_json(stdout, c->author);
        printf(", \"asked_ms\": %" PRId64 "}", c->asked_ms);
    }
    printf("]");
}

static void json_parents(const entry *e) {
    printf(", \"parents\": [");
    for (int i = 0; i < e->lineage.parent_count; i++) {
        const ann_lineage_parent *p = &e->lineage.parents[i];
        printf("%s{\"phase\": ", i ? ", " : "");
        ann_print_json(stdout, p->phase);
        printf(", \"path\": ");
        ann_print_json(stdout, e->parents[i].path);
        printf(", \"step\": %" PRId64 ", \"key\": \"%016" PRIx64 "\", \"content\": \"%016" PRIx64
               "\", \"state\": \"%s\"}",
               p->step, p->key, p->content, state_name[e->parents[i].state]);
    }
    printf("]");
}

static void print_json(const entry *e) {
    const ann_lineage *l = &e->lineage;
    printf("{\"path\": ");
    ann_print_json(stdout, e->path);
    printf(", \"step\": %" PRId64 ", \"time_s\": %" PRId64 ", \"known\": %s", ann_ckpt_step(e->ckpt),
           time_of(e->path), e->has_lineage ? "true" : "false");
    if (e->has_lineage) {
        printf(", \"phase\": ");
        ann_print_json(stdout, l->phase);
        printf(", \"key\": \"%016" PRIx64 "\", \"train_data\": \"%016" PRIx64
               "\", \"test_data\": \"%016" PRIx64 "\", \"version\": ",
               l->key, l->train_data, l->test_data);
        ann_print_json(stdout, l->version);
        printf(", \"revision\": ");
        ann_print_json(stdout, l->revision);
        printf(", \"id\": \"%016" PRIx64 "\"", ann_lineage_id(l));
        json_requests(&e->requests);
        json_parents(e);
    }
    puts("}");
}

/* ---- the chain ---- */

static ann_status read_entry(entry *e, const char *path) {
    *e = (entry){.path = path};
    ANN_TRY(ann_ckpt_peek(&e->ckpt, path));
    const ann_status status = ann_lineage_read(&e->lineage, ann_ckpt_meta(e->ckpt));
    e->has_lineage = status == ANN_OK;
    if (status == ANN_ERR_NOT_FOUND) ann_error_clear();
    else ANN_TRY(status);
    ANN_TRY(ann_requests_load(&e->requests, ann_ckpt_meta(e->ckpt)));
    for (int i = 0; i < e->lineage.parent_count; i++)
        e->parents[i].state = ann_lineage_look(e->parents[i].path, path, &e->lineage.parents[i]);
    return ANN_OK;
}

static bool is_checkpoint(const ann_lineage_parent *p) { return p->step >= 0; }

static ann_status walk(chain *c, const char *path, int generation);

static ann_status walk_parents(chain *c, const entry *e, int generation) {
    for (int i = 0; i < e->lineage.parent_count; i++) {
        c->changed += e->parents[i].state == ANN_PARENT_CHANGED;
        if (e->parents[i].state == ANN_PARENT_SAME && is_checkpoint(&e->lineage.parents[i]))
            ANN_TRY(walk(c, e->parents[i].path, generation + 1));
    }
    return ANN_OK;
}

/* This checkpoint, then its parents. */
static ann_status walk(chain *c, const char *path, int generation) {
    if (generation == MOST_GENERATIONS)
        return ann_error(ANN_ERR_FORMAT, "%s: there are more than %d generations before it", path,
                         MOST_GENERATIONS);
    entry *e = malloc(sizeof *e);
    if (!e) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its lineage", path);
    ann_status status = read_entry(e, path);
    if (status == ANN_OK && c->json) print_json(e);
    if (status == ANN_OK && !c->json) print_text(e);
    ann_ckpt_close(e->ckpt);
    if (status == ANN_OK) status = walk_parents(c, e, generation);
    free(e);
    return status;
}

int cmd_lineage(int argc, char **argv) {
    chain walked = {0};
    const cli_option options[] = {{.name = "--json", .flag = &walked.json}};
    const cli c = {"annulus lineage", help, options, 1};
    int count;
    char path[ANN_CKPT_PATH_BYTES];
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG);
    if (count != 1) return cli_wrong(&c, "one checkpoint is needed, found %d", count);
    ann_status status = ann_ckpt_resolve(path, argv[0]);
    if (status == ANN_OK) status = walk(&walked, path, 0);
    if (status != ANN_OK) return cli_fail(status);
    return walked.changed > 0 ? 1 : 0;
}
