/* annulus data import */
#include "data_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "cmd_data.h"
#include "menu.h"

/* ---- progress ---- */

enum { BAR = 30, REDRAW_NS = 100 * 1000 * 1000 };
#define LINE_NS ((int64_t)10 * 1000 * 1000 * 1000) /* between lines that are no bar */

static double rate(const import_args *args, int64_t done, int64_t now_ns) {
    const double seconds = (double)(now_ns - args->start_ns) * 1e-9;
    return seconds > 0 ? (double)(done - args->start_done) / seconds : 0;
}

static void draw_bar(const import_args *args, int64_t done, int64_t total, int64_t now_ns) {
    const double per_second = rate(args, done, now_ns);
    const int filled = (int)(BAR * done / total);
    char bar[BAR + 1] = "";
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)filled);
    fprintf(stderr, "\r[%s] %3d %%  %lld of %lld records", bar, (int)(100 * done / total), (long long)done,
            (long long)total);
    if (per_second > 0)
        fprintf(stderr, ", %.0f/s, %.0f s left", per_second, (double)(total - done) / per_second);
    fprintf(stderr, "   %s", done == total ? "\n" : "");
}

static void show_line(const import_args *args, int64_t done, int64_t total, int64_t now_ns) {
    char speed[48] = "";
    const double per_second = rate(args, done, now_ns);
    if (per_second > 0) snprintf(speed, sizeof speed, ", %.0f/s", per_second);
    ann_log_line(ANN_LOG_INFO, "%lld of %lld records (%d %%)%s", (long long)done, (long long)total,
                 (int)(100 * done / total), speed);
}

/* One line that is redrawn on a terminal; elsewhere a line now and then, and one at the end. */
static void show_progress(void *to, int64_t done, int64_t total, int64_t bytes) {
    import_args *args = to;
    const int64_t now_ns = ann_clock_ns();
    const bool is_terminal = isatty(STDERR_FILENO);
    (void)bytes;
    if (args->start_done < 0 || done < args->start_done) { /* the first call for a file */
        args->start_done = done;
        args->start_ns = now_ns;
    }
    if (done < total && now_ns - args->shown_ns < (is_terminal ? REDRAW_NS : LINE_NS)) return;
    args->shown_ns = now_ns;
    if (is_terminal) draw_bar(args, done, total, now_ns);
    else show_line(args, done, total, now_ns);
}

static void show_note(void *to, const char *line) {
    (void)to;
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
    ann_log_line(ANN_LOG_INFO, "%s", line);
}

/* ---- options ---- */

/* Cuts text at its commas. */
static bool split_classes(import_args *args) {
    int count = 1;
    for (const char *p = args->classes; *p; p++) count += *p == ',';
    args->class_text = strdup(args->classes);
    args->class_names = calloc((size_t)count, sizeof *args->class_names);
    if (!args->class_text || !args->class_names) return false;
    char *p = args->class_text;
    for (int i = 0; p && i < count; i++) {
        args->class_names[i] = p;
        p = strchr(p, ',');
        if (p) *p++ = '\0';
    }
    args->options.classes = args->class_names;
    args->options.class_count = count;
    return true;
}

static bool read_fraction(const cli *c, const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    if (*text && !*end && *out > 0 && *out < 1) return true;
    cli_wrong(c, "--test-fraction: found '%s', accepted is a number above 0 and below 1", text);
    return false;
}

static bool read_options(import_args *args, const cli *c) {
    int64_t level = 0;
    ann_import_options *o = &args->options;
    if (args->test_fraction && !read_fraction(c, args->test_fraction, &o->test_fraction)) return false;
    if (args->shard && !cli_int(c, "--shard", args->shard, 1, INT64_MAX, &o->shard)) return false;
    if (args->compress && !cli_int(c, "--compress", args->compress, 1, 9, &level)) return false;
    if (args->chunk && !cli_int(c, "--chunk", args->chunk, 1, INT32_MAX, &o->chunk)) return false;
    o->compress = (int)level;
    if (args->chunk && level == 0) {
        cli_wrong(c, "--chunk is for --compress");
        return false;
    }
    return true;
}

bool import_begin(import_args *args, int *code, const char *command, const char *help, const cli_option *own,
                  int own_count, int argc, char **argv, int *count) {
    const int64_t now_ns = ann_clock_ns();
    *args = (import_args){.start_done = -1, .start_ns = now_ns, .shown_ns = now_ns};
    const cli_option common[] = {{.name = "--name", .value = &args->options.name},
                                 {.name = "--classes", .value = &args->classes},
                                 {.name = "--test-fraction", .value = &args->test_fraction},
                                 {.name = "--shard", .value = &args->shard},
                                 {.name = "--compress", .value = &args->compress},
                                 {.name = "--chunk", .value = &args->chunk},
                                 {.name = "--skip-bad", .flag = &args->options.skip_bad}};
    const int common_count = sizeof common / sizeof common[0];
    cli_option all[IMPORT_MAX_OPTIONS];
    for (int i = 0; i < own_count; i++) all[i] = own[i];
    memcpy(all + own_count, common, sizeof common);
    const cli c = {command, help, all, own_count + common_count};
    const cli_result parsed = cli_parse(&c, argc, argv, count);
    *code = parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG);
    if (parsed != CLI_GO || !read_options(args, &c)) return false;
    args->options.progress = show_progress;
    args->options.note = show_note;
    args->options.to = args;
    if (!args->classes || split_classes(args)) return true;
    *code = import_end(args, ann_error(ANN_ERR_MEMORY, "out of memory"));
    return false;
}

int import_end(import_args *args, ann_status status) {
    free(args->class_text);
    free(args->class_names);
    if (status != ANN_OK && args->shown_ns > args->start_ns && isatty(STDERR_FILENO)) fputs("\n", stderr);
    return status == ANN_OK ? 0 : cli_fail(status);
}

int import_wrong(import_args *args, const char *command, const char *text) {
    const cli c = {command, NULL, NULL, 0};
    free(args->class_text);
    free(args->class_names);
    return cli_wrong(&c, "%s", text);
}

/* ---- formats ---- */

static const menu_item formats[] = {
    {"idx", "FOLDER OUT.h5", "IDX files (MNIST and its relatives)", cmd_import_idx},
    {"cifar", "FOLDER OUT.h5", "CIFAR-10 and CIFAR-100, binary version", cmd_import_cifar},
    {"csv", "FILE... OUT.h5", "comma-separated values, types inferred and shown", cmd_import_csv},
    {"npy", "--x FILE OUT.h5", "numpy's arrays, one file for each field", cmd_import_npy},
    {"images", "FOLDER OUT.h5", "folders of PNG and JPEG files, one a class", cmd_import_images},
    {"hdf5", "IN.h5 OUT.h5", "somebody's HDF5 file of images", cmd_import_hdf5},
    {"text", "TEXT... OUT.h5", "texts as bytes, characters or byte pairs", cmd_import_text},
};

int cmd_data_import(int argc, char **argv) {
    const menu m = {.command = "annulus data import",
                    .item = "format",
                    .about = "makes an HDF5 dataset of files of another format.",
                    .notes = "",
                    .items = formats,
                    .count = sizeof formats / sizeof formats[0]};
    return menu_run(&m, argc, argv);
}
