/* annulus ckpt ls, info, verify, prune */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/log.h"
#include "base/text.h"
#include "ckpt/tools.h"
#include "cli.h"
#include "train/train.h"
#include "cmd_ckpt.h"

static int wrong(cli_result parsed) { return parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG); }

static const char *const state_name[] = {"good", "damaged", "interrupted"};

/* "1.21 GB" */
static char *print_bytes(char *buf, size_t size, int64_t bytes) {
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    int u = 0;
    while (value >= 999.5 && u < 5) {
        value /= 1000;
        u++;
    }
    snprintf(buf, size, u == 0 ? "%.0f %s" : value < 10 ? "%.2f %s" : "%.4g %s", value, unit[u]);
    return buf;
}

static char *print_time(char *buf, size_t size, int64_t time_s) {
    struct tm parts;
    const time_t t = (time_t)time_s;
    if (time_s == 0 || !localtime_r(&t, &parts) || strftime(buf, size, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        snprintf(buf, size, "-");
    return buf;
}

/* ---- ls ---- */

static const char ls_help[] =
    "annulus ckpt ls lists checkpoints, latest made first.\n\n"
    "usage: annulus ckpt ls [--json] PATH\n\n"
    "PATH is the folder of a phase, or a run's output, whose phases are then listed one after the other.\n\n"
    "columns: step; epoch; when it was written; shards (one per writer) and ranks of the job; bytes of all "
    "files;\n"
    "training and test loss, and test accuracy, as they were then; marks (latest, best); state:\n"
    "  good         manifest right, all files there with their sizes (annulus ckpt verify compares the "
    "contents)\n"
    "  damaged      something is missing or wrong; the reason stands below\n"
    "  interrupted  being written right now, or by a job that was killed; the next job removes it\n\n"
    "options:\n"
    "  --json     one JSON object per line, for programs\n"
    "  --help     this text\n";

static bool meta_i64(const ann_ckpt_summary *s, const char *key, int64_t *value) {
    const bool found = s->ckpt && ann_meta_get_i64(ann_ckpt_meta(s->ckpt), key, value) == ANN_OK;
    if (!found) ann_error_clear();
    return found;
}

static double meta_f64(const ann_ckpt_summary *s, const char *key) {
    double value = NAN;
    if (s->ckpt && ann_meta_get_f64(ann_ckpt_meta(s->ckpt), key, &value) != ANN_OK) ann_error_clear();
    return value;
}

/* A number, or "-" where there is none. */
static char *print_real(char *buf, size_t size, const char *fmt, double value) {
    if (isfinite(value)) snprintf(buf, size, fmt, value);
    else snprintf(buf, size, "-");
    return buf;
}

static char *print_i64(char *buf, size_t size, const ann_ckpt_summary *s, const char *key) {
    int64_t value;
    if (meta_i64(s, key, &value)) snprintf(buf, size, "%" PRId64, value);
    else snprintf(buf, size, "-");
    return buf;
}

static void print_row(const ann_ckpt_summary *s) {
    char epoch[32], when[32], ranks[32], bytes[32], train[32], test[32], accuracy[32], shards[32] = "-";
    if (s->ckpt) snprintf(shards, sizeof shards, "%d", ann_ckpt_shard_count(s->ckpt));
    printf("%10" PRId64 " %6s  %-19s %6s %5s %9s  %10s %10s %8s  %-11s%s%s\n", s->step,
           print_i64(epoch, sizeof epoch, s, "epoch"), print_time(when, sizeof when, s->time_s), shards,
           print_i64(ranks, sizeof ranks, s, "ranks"), print_bytes(bytes, sizeof bytes, s->bytes),
           print_real(train, sizeof train, "%.5f", meta_f64(s, "train_loss")),
           print_real(test, sizeof test, "%.5f", meta_f64(s, "test_loss")),
           print_real(accuracy, sizeof accuracy, "%.2f %%", 100 * meta_f64(s, "test_accuracy")),
           state_name[s->state], s->latest ? " latest" : "", s->best ? " best" : "");
    if (s->problem[0]) printf("           %s\n", s->problem);
}

static void json_real(const char *key, double value) {
    if (isfinite(value)) printf(", \"%s\": %.17g", key, value);
    else printf(", \"%s\": null", key);
}

static void json_i64(const ann_ckpt_summary *s, const char *key) {
    int64_t value;
    if (meta_i64(s, key, &value)) printf(", \"%s\": %" PRId64, key, value);
    else printf(", \"%s\": null", key);
}

static void print_json_row(const char *folder, const ann_ckpt_summary *s) {
    printf("{\"folder\": ");
    ann_print_json(stdout, folder);
    printf(", \"name\": \"%s\", \"step\": %" PRId64 ", \"state\": \"%s\", \"time_s\": %" PRId64
           ", \"bytes\": %" PRId64,
           s->name, s->step, state_name[s->state], s->time_s, s->bytes);
    if (s->ckpt)
        printf(", \"serial\": %" PRId64 ", \"shards\": %d, \"tensors\": %d", ann_ckpt_serial(s->ckpt),
               ann_ckpt_shard_count(s->ckpt), ann_ckpt_tensor_count(s->ckpt));
    json_i64(s, "epoch");
    json_i64(s, "ranks");
    json_real("train_loss", meta_f64(s, "train_loss"));
    json_real("test_loss", meta_f64(s, "test_loss"));
    json_real("test_accuracy", meta_f64(s, "test_accuracy"));
    printf(", \"latest\": %s, \"best\": %s", s->latest ? "true" : "false", s->best ? "true" : "false");
    if (s->problem[0]) {
        printf(", \"problem\": ");
        ann_print_json(stdout, s->problem);
    }
    puts("}");
}

static ann_status list_folder(const char *folder, bool json) {
    ann_ckpt_summary *list;
    int count;
    ANN_TRY(ann_ckpt_survey(&list, &count, folder));
    if (!json)
        printf("%s\n%10s %6s  %-19s %6s %5s %9s  %10s %10s %8s  %s\n", folder, "step", "epoch", "written",
               "shards", "ranks", "size", "train loss", "test loss", "accuracy", "state");
    for (int i = 0; i < count; i++) {
        if (json) print_json_row(folder, &list[i]);
        else print_row(&list[i]);
    }
    ann_ckpt_survey_free(list, count);
    return ANN_OK;
}

int cmd_ckpt_ls(int argc, char **argv) {
    bool json = false;
    const cli_option options[] = {{.name = "--json", .flag = &json}};
    const cli c = {"annulus ckpt ls", ls_help, options, 1};
    int count, folder_count;
    char **folders;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return wrong(parsed);
    if (count != 1) return cli_wrong(&c, "one folder is needed, found %d", count);
    ann_status status = ann_ckpt_folders(&folders, &folder_count, argv[0]);
    if (status != ANN_OK) return cli_fail(status);
    for (int i = 0; i < folder_count; i++) {
        if (i > 0 && !json) putchar('\n');
        if (status == ANN_OK) status = list_folder(folders[i], json);
        free(folders[i]);
    }
    free(folders);
    return status == ANN_OK ? 0 : cli_fail(status);
}

/* ---- info ---- */

static const char info_help[] =
    "annulus ckpt info prints what is in a checkpoint: its metadata, and its tensors with dtype, shape, "
    "role,\n"
    "block of memory, bytes and shards. Only the manifest is read.\n\n"
    "usage: annulus ckpt info [--config] PATH\n\n"
    "options:\n"
    "  --config   long texts of the metadata too: the run file and what follows from it\n"
    "  --help     this text\n";

static void print_meta(const ann_meta *meta, bool config) {
    for (int i = 0; i < ann_meta_count(meta); i++) {
        const char *value;
        char buf[32];
        bool is_text;
        const char *key = ann_meta_entry(meta, i, &value, &is_text, buf, sizeof buf);
        if (!strchr(value, '\n') && strlen(value) < 100) printf("  %-18s %s\n", key, value);
        else if (config) printf("  %s:\n%s%s", key, value, value[strlen(value) - 1] == '\n' ? "" : "\n");
        else printf("  %-18s (%zu bytes of text; --config prints it)\n", key, strlen(value));
    }
}

static void print_tensor(const ann_ckpt *ckpt, int i) {
    static const char *const role[] = {"parameter", "state", "moment"};
    const ann_tensor_info *t = ann_ckpt_tensor(ckpt, i);
    char shape[128], bytes[32], shards[32];
    int first, last;
    ann_ckpt_tensor_shards(ckpt, i, &first, &last);
    snprintf(shards, sizeof shards, first == last ? "%d" : "%d-%d", first, last);
    const int64_t size = ann_shape_elems(&t->shape) * (int64_t)ann_dtype_bytes(t->dtype);
    printf("  %-40s %-4s %-20s %-9s %9s  %-7s %s\n", t->name, ann_dtype_name(t->dtype),
           ann_shape_str(shape, sizeof shape, &t->shape), role[t->role],
           print_bytes(bytes, sizeof bytes, size), shards, ann_ckpt_block_name(ckpt, t->block));
}

static void print_info(const ann_ckpt *ckpt, bool config) {
    int64_t elems = 0, bytes;
    char size[32];
    for (int i = 0; i < ann_ckpt_tensor_count(ckpt); i++)
        if (ann_ckpt_tensor(ckpt, i)->role == ANN_ROLE_PARAM)
            elems += ann_shape_elems(&ann_ckpt_tensor(ckpt, i)->shape);
    printf("%s\nstep %" PRId64 ", number %" PRId64 " in its folder, %d tensors, %" PRId64
           " parameters\n\nmetadata\n",
           ann_ckpt_path(ckpt), ann_ckpt_step(ckpt), ann_ckpt_serial(ckpt), ann_ckpt_tensor_count(ckpt),
           elems);
    print_meta(ann_ckpt_meta(ckpt), config);
    printf("\nshards\n");
    for (int i = 0; i < ann_ckpt_shard_count(ckpt); i++) {
        const char *file = ann_ckpt_shard(ckpt, i, &bytes);
        printf("  %3d  %-20s %9s\n", i, file, print_bytes(size, sizeof size, bytes));
    }
    printf("\ntensors\n  %-40s %-4s %-20s %-9s %9s  %-7s %s\n", "name", "type", "shape", "role", "size",
           "shards", "block");
    for (int i = 0; i < ann_ckpt_tensor_count(ckpt); i++) print_tensor(ckpt, i);
}

int cmd_ckpt_info(int argc, char **argv) {
    bool config = false;
    const cli_option options[] = {{.name = "--config", .flag = &config}};
    const cli c = {"annulus ckpt info", info_help, options, 1};
    int count;
    char path[ANN_CKPT_PATH_BYTES];
    ann_ckpt *ckpt;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return wrong(parsed);
    if (count != 1) return cli_wrong(&c, "one checkpoint is needed, found %d", count);
    ann_status status = ann_ckpt_resolve(path, argv[0]);
    if (status == ANN_OK) status = ann_ckpt_peek(&ckpt, path);
    if (status != ANN_OK) return cli_fail(status);
    print_info(ckpt, config);
    ann_ckpt_close(ckpt);
    return 0;
}

/* ---- verify ---- */

static const char verify_help[] =
    "annulus ckpt verify reads all of a checkpoint and compares it with the checksums. Each fault is named "
    "with\n"
    "its file and tensor; with a fault, the newest older checkpoint that is good is named too. The ledger of "
    "the samples\n"
    "that training has used up to there is recomputed and compared as well.\n\n"
    "usage: annulus ckpt verify PATH\n\n"
    "PATH may be a run's output, too: then the newest checkpoint of each phase is verified.\n\n"
    "options:\n"
    "  --help     this text\n\n"
    "The exit code is 0 if all is as it was written, 6 if something differs, 4 if there is no checkpoint.\n";

static void print_fault(void *to, const char *line) {
    (void)to;
    ann_log_line(ANN_LOG_ERROR, "%s", line);
}

static void print_older(const char *path, const ann_ckpt_findings *found) {
    const char *slash = strrchr(path, '/');
    if (found->older[0])
        printf("%s: bad. The newest good one before it is %.*s%s\n", path,
               slash ? (int)(slash - path) + 1 : 0, path, found->older);
    else printf("%s: bad, and there is no good one before it\n", path);
}

/* The samples that the checkpoint's training has used, recomputed. */
static ann_status verify_ledger(const char *path) {
    char line[512];
    ann_ckpt *ckpt;
    ANN_TRY(ann_ckpt_peek(&ckpt, path));
    const ann_status status = ann_train_check_ledger(ckpt, line, sizeof line);
    ann_ckpt_close(ckpt);
    if (status == ANN_OK) printf("%s: %s\n", path, line);
    return status;
}

static int verify(const char *path) {
    char bytes[32];
    ann_ckpt_findings found;
    ann_status status = ann_ckpt_inspect(&found, path, print_fault, NULL);
    if (status != ANN_OK && found.bad == 0) return cli_fail(status);
    if (status != ANN_OK) {
        print_older(path, &found);
        return ann_status_exit_code(status);
    }
    printf("%s: good: %d pieces of tensors in %d shard%s, %s\n", path, found.pieces, found.shards,
           found.shards == 1 ? "" : "s", print_bytes(bytes, sizeof bytes, found.bytes));
    status = verify_ledger(path);
    return status == ANN_OK ? 0 : cli_fail(status);
}

static int verify_newest(const char *path) {
    char found[ANN_CKPT_PATH_BYTES];
    const ann_status status = ann_ckpt_resolve(found, path);
    return status == ANN_OK ? verify(found) : cli_fail(status);
}

/* A checkpoint, or the newest one of each folder that path stands for. */
static int verify_path(const char *path) {
    char **folders;
    int count, code = 0;
    if (ann_ckpt_folders(&folders, &count, path) != ANN_OK) return verify_newest(path);
    for (int i = 0; i < count; i++) {
        const int one = verify_newest(folders[i]);
        code = code ? code : one;
        free(folders[i]);
    }
    free(folders);
    return code;
}

int cmd_ckpt_verify(int argc, char **argv) {
    const cli c = {"annulus ckpt verify", verify_help, NULL, 0};
    int count;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return wrong(parsed);
    if (count != 1) return cli_wrong(&c, "one checkpoint or folder is needed, found %d", count);
    return verify_path(argv[0]);
}

/* ---- prune ---- */

static const char prune_help[] =
    "annulus ckpt prune removes old checkpoints from the folder of a phase. The newest one all of whose "
    "checksums\n"
    "are right is never removed, nor is the best one (file `best` of the folder).\n\n"
    "usage: annulus ckpt prune --keep K [--keep-every N] [--dry-run] FOLDER\n\n"
    "options:\n"
    "  --keep K         how many of the newest good ones stay, at least 1\n"
    "  --keep-every N   those whose number in the folder is a multiple of N stay as well\n"
    "  --dry-run        only say what would be removed\n"
    "  --help           this text\n";

typedef struct pruning {
    bool dry_run;
    int64_t bytes;
    int removed, kept;
} pruning;

static void print_pruned(void *to, const ann_ckpt_summary *item, bool removed) {
    pruning *p = to;
    char bytes[32];
    if (removed) {
        printf("%s  %s  %s\n", item->name, print_bytes(bytes, sizeof bytes, item->bytes),
               p->dry_run ? "would be removed" : "removed");
        p->bytes += item->bytes;
        p->removed++;
    } else p->kept++;
}

int cmd_ckpt_prune(int argc, char **argv) {
    const char *keep_text = NULL, *every_text = "0";
    pruning p = {0};
    const cli_option options[] = {{.name = "--keep", .value = &keep_text},
                                  {.name = "--keep-every", .value = &every_text},
                                  {.name = "--dry-run", .flag = &p.dry_run}};
    const cli c = {"annulus ckpt prune", prune_help, options, sizeof options / sizeof options[0]};
    int count;
    int64_t keep, every;
    char bytes[32];
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return wrong(parsed);
    if (count != 1) return cli_wrong(&c, "one folder is needed, found %d", count);
    if (!keep_text) return cli_wrong(&c, "--keep is missing");
    if (!cli_int(&c, "--keep", keep_text, 1, 1000000, &keep) ||
        !cli_int(&c, "--keep-every", every_text, 0, 1000000000, &every))
        return ann_status_exit_code(ANN_ERR_CONFIG);
    const ann_status status = ann_ckpt_prune(argv[0], (int)keep, (int)every, p.dry_run, print_pruned, &p);
    if (status != ANN_OK) return cli_fail(status);
    printf("%d %s, %d stay, %s %s\n", p.removed, p.dry_run ? "would go" : "removed", p.kept,
           print_bytes(bytes, sizeof bytes, p.bytes), p.dry_run ? "would be freed" : "freed");
    return 0;
}
