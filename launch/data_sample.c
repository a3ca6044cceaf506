/* annulus data sample */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "datasets/sample.h"
#include "datasets/sheet.h"
#include "cli.h"
#include "cmd_data.h"
#include "data_sample.h"
#include "data_text.h"

static const char help[] =
    "annulus data sample shows some samples of a dataset: images as a contact sheet (PNG), text as text, "
    "other "
    "data as a table.\nOf labelled data, as many of each class.\n\n"
    "usage: annulus data sample [OPTION...] FILE\n"
    "       annulus data sample [OPTION...] --run RUN.yaml\n\n"
    "options:\n"
    "  --split NAME       train (default) or test\n"
    "  --count N          samples (default: 60 images, 4 texts or 20 rows)\n"
    "  --seed K           choose others (default 0)\n"
    "  --out SHEET.png    the contact sheet (default sheet.png); it is replaced if it exists\n"
    "  --field NAME=PATH  in a file that is not of annulus's layout: the field (x, y ...) is this dataset; "
    "may "
    "be repeated\n"
    "  --shape H,W,C      the shape of one sample of x, where the file has another\n"
    "  --run RUN.yaml     show the training samples of a run as its ranks get them, augmented and in "
    "their order;\n                     of two that are mixed, the label of the first\n"
    "  --phase NAME       of --run: the phase (default: the first one)\n"
    "  --epoch E          of --run: the epoch, from 0 (default 0)\n"
    "  --help             this text\n";

enum { IMAGES = 60, TEXTS = 4, ROWS = 20, MAX_COUNT = 10000 };

typedef struct request {
    const char *path, *split, *out;
    int64_t count; /* 0: as many as suit the kind of data */
    int64_t seed;
    ann_data_source source;
} request;

/* ---- the command line ---- */

static bool parse_fields(const cli *c, ann_field_source *fields, const char **texts, int count) {
    for (int i = 0; i < count; i++) {
        if (data_text_field(&fields[i], texts[i])) continue;
        cli_wrong(c, "--field: found '%s', accepted is NAME=PATH", texts[i]);
        return false;
    }
    return true;
}

static bool parse_shape(const cli *c, ann_shape *shape, const char *text) {
    if (data_text_shape(shape, text)) return true;
    cli_wrong(c, "--shape: found '%s', accepted are extents such as 28,28,1", text);
    return false;
}

/* ---- showing ---- */

static ann_status draw(const request *r, const anni_samples *samples, int64_t all) {
    char title[512];
    const char *base = strrchr(r->path, '/');
    const char *split = r->source.field_count > 0 ? "" : r->split; /* named fields say it themselves */
    snprintf(title, sizeof title, "%s  %s%s%d of %" PRId64 " samples", base == NULL ? r->path : base + 1,
             split, split[0] != '\0' ? ": " : "", samples->count, all);
    ANN_TRY(anni_samples_draw(samples, title, r->out));
    ann_log_line(ANN_LOG_INFO, "%s: %d of %" PRId64 " samples", r->out, samples->count, all);
    return ANN_OK;
}

static ann_status show(const request *r, const ann_dataset *dataset, const anni_vocabulary *vocabulary) {
    const int x = ann_dataset_find(dataset, "x");
    const bool image = x >= 0 && anni_sheet_can_show(&ann_dataset_field(dataset, x)->shape);
    const bool text = vocabulary->count > 0;
    const int usual = text ? TEXTS : image ? IMAGES : ROWS;
    anni_samples samples;
    ANN_TRY(anni_samples_choose(&samples, dataset, r->count > 0 ? (int)r->count : usual, (uint64_t)r->seed));
    ann_status status = ANN_OK;
    if (text) status = anni_samples_print_text(&samples, vocabulary, cli_print, NULL);
    else if (image) status = draw(r, &samples, ann_dataset_samples(dataset));
    else anni_samples_print_table(&samples, cli_print, NULL);
    anni_samples_fini(&samples);
    return status;
}

static ann_status open_and_show(const request *r) {
    anni_vocabulary vocabulary;
    ann_dataset *dataset;
    const ann_dataset_options options = {.sources = &r->source, .source_count = 1, .split = r->split};
    ANN_TRY(anni_vocabulary_read(&vocabulary, r->path));
    ann_status status = ann_dataset_open(&dataset, &options);
    if (status == ANN_OK) {
        status = show(r, dataset, &vocabulary);
        ann_dataset_close(dataset);
    }
    anni_vocabulary_fini(&vocabulary);
    return status;
}

static int run(int argc, char **argv, const char **field_texts, ann_field_source *fields) {
    request r = {.split = "train", .out = "sheet.png"};
    const char *count_text = NULL, *seed_text = "0", *shape_text = NULL, *epoch_text = "0";
    data_sample_run_request training = {0};
    const cli_option options[] = {
        {.name = "--split", .value = &r.split},
        {.name = "--count", .value = &count_text},
        {.name = "--seed", .value = &seed_text},
        {.name = "--out", .value = &r.out},
        {.name = "--field", .list = field_texts, .list_count = &r.source.field_count},
        {.name = "--shape", .value = &shape_text},
        {.name = "--run", .value = &training.path},
        {.name = "--phase", .value = &training.phase},
        {.name = "--epoch", .value = &epoch_text},
    };
    const cli c = {"annulus data sample", help, options, sizeof options / sizeof options[0]};
    int count;
    const int wrong = ann_status_exit_code(ANN_ERR_CONFIG);
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return parsed == CLI_HELP ? 0 : wrong;
    if (count_text != NULL && !cli_int(&c, "--count", count_text, 1, MAX_COUNT, &r.count)) return wrong;
    if (!cli_int(&c, "--seed", seed_text, 0, INT64_MAX, &r.seed)) return wrong;
    if (shape_text != NULL && !parse_shape(&c, &r.source.shape, shape_text)) return wrong;
    if (!parse_fields(&c, fields, field_texts, r.source.field_count)) return wrong;
    if (!cli_int(&c, "--epoch", epoch_text, 0, 1000000, &training.epoch)) return wrong;
    if (training.path != NULL) {
        if (count != 0)
            return cli_wrong(&c, "--run names a run file, and '%s' is one file too many", argv[0]);
        training.count = r.count > 0 ? (int)r.count : IMAGES;
        training.out = r.out;
        return data_sample_run(&training);
    }
    if (count != 1) return cli_wrong(&c, "one file is needed, found %d", count);
    r.path = r.source.path = argv[0];
    if (r.source.field_count > 0) r.source.fields = fields;
    const ann_status status = open_and_show(&r);
    return status == ANN_OK ? 0 : cli_fail(status);
}

int cmd_data_sample(int argc, char **argv) {
    const char **texts = calloc((size_t)argc, sizeof *texts);
    ann_field_source *fields = calloc((size_t)argc, sizeof *fields);
    int code;
    if (texts == NULL || fields == NULL) code = cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    else code = run(argc, argv, texts, fields);
    free(texts);
    free(fields);
    return code;
}
