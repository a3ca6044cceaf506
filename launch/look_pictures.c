/* What an autoencoder makes of samples, and of codes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/philox.h"
#include "datasets/figure.h"
#include "datasets/sheet.h"
#include "look.h"

/* Images of a sheet: in a row; rows of samples with their reconstructions; of draws; of walks between two
   samples, which are the first and the last of the row. */
enum { COLUMNS = 16, RECONSTRUCTED = 3, DRAWN = 5, WALKS = 8, STEPS = 8 };

static const ann_field_info *x_of(const look *l) {
    return ann_dataset_field(l->facts->test, ann_dataset_find(l->facts->test, "x"));
}

static size_t elems_of(const look *l) { return (size_t)ann_shape_elems(&x_of(l)->shape); }

/* out[elements]: a test sample in the units of reconstructions. */
static ann_status read_sample(float *out, const look *l, int64_t sample) {
    const ann_field_info *x = x_of(l);
    const int field = ann_dataset_find(l->facts->test, "x");
    void *raw = malloc(elems_of(l) * ann_dtype_bytes(x->dtype));
    if (!raw) return ann_error(ANN_ERR_MEMORY, "out of memory");
    const ann_status status = ann_dataset_read(l->facts->test, field, &sample, 1, raw);
    const double scale = x->dtype == ANN_U8 ? 1.0 / 255 : 1;
    for (int64_t i = 0; i < (int64_t)elems_of(l) && status == ANN_OK; i++)
        out[i] = (float)(ann_elem_get(raw, x->dtype, i) * scale);
    free(raw);
    return status;
}

static ann_status draw_sheet(const look *l, const float *images, int count, int columns, const char *file,
                             const char *what) {
    char path[LOOK_PATH_BYTES], title[256];
    const ann_shape *shape = &x_of(l)->shape;
    snprintf(title, sizeof title, "%s: %s", l->facts->phase->name, what);
    const anni_tiles tiles = {.x = images,
                              .dtype = ANN_F32,
                              .shape = *shape,
                              .count = count,
                              .group = 1,
                              .columns = columns,
                              .title = title};
    ANN_TRY(anni_sheet_write(&tiles, look_path(path, l, file)));
    look_wrote(path);
    return ANN_OK;
}

/* ---- reconstructions ---- */

/* Rows of samples, each above the row of their reconstructions. */
static ann_status draw_pairs(const look *l, const int64_t *ids, const float *made, int columns, int rows) {
    const size_t row = (size_t)columns * elems_of(l);
    float *sheet = calloc(2 * row * (size_t)rows, sizeof *sheet);
    ann_status status = sheet ? ANN_OK : ann_error(ANN_ERR_MEMORY, "out of memory");
    for (int r = 0; r < rows && status == ANN_OK; r++) {
        float *above = sheet + 2 * row * (size_t)r;
        for (int c = 0; c < columns && status == ANN_OK; c++)
            status = read_sample(above + (size_t)c * elems_of(l), l, ids[r * columns + c]);
        memcpy(above + row, made + row * (size_t)r, row * sizeof *sheet);
    }
    if (status == ANN_OK)
        status = draw_sheet(l, sheet, 2 * columns * rows, columns, "reconstruct.png",
                            "test samples, each above its reconstruction");
    free(sheet);
    return status;
}

static void print_error(const look *l, const float *error) {
    const ann_look_facts *f = l->facts;
    double sum = 0;
    for (int64_t i = 0; i < f->tested; i++) sum += (double)error[f->tested_first + i];
    printf("reconstruction error %.6f, mean square over %" PRId64 " test samples\n", sum / (double)f->tested,
           f->tested);
}

static ann_status reconstruct(const look *l, float *error) {
    const ann_look_facts *f = l->facts;
    const int64_t samples = f->tested;
    const bool shown = anni_sheet_can_show(&x_of(l)->shape);
    const int columns = samples < COLUMNS ? (int)samples : COLUMNS;
    const int rows = samples / columns < RECONSTRUCTED ? (int)(samples / columns) : RECONSTRUCTED;
    const int count = shown ? columns * rows : 0;
    int64_t ids[COLUMNS * RECONSTRUCTED] = {0};
    float *made = calloc((size_t)count * elems_of(l) + 1, sizeof *made);
    if (!made) return ann_error(ANN_ERR_MEMORY, "out of memory");
    for (int i = 0; i < count; i++) ids[i] = f->tested_first + look_choose(samples, i);
    ann_status status = ann_look_reconstruct(l->phase, error, ids, count, made);
    if (status == ANN_OK) print_error(l, error);
    if (status == ANN_OK && shown) status = draw_pairs(l, ids, made, columns, rows);
    free(made);
    return status;
}

/* ---- anomalies ---- */

/* The class of a number or a name of `length` bytes. */
static ann_status find_class(int *out, const look *l, const char *text, size_t length) {
    const int classes = ann_dataset_classes(l->facts->train);
    char word[128], number[16];
    snprintf(word, sizeof word, "%.*s", (int)length, text);
    for (*out = 0; *out < classes; (*out)++) {
        const char *name = ann_dataset_class_name(l->facts->train, *out);
        snprintf(number, sizeof number, "%d", *out);
        if (strcmp(word, number) == 0 || (name && strcmp(word, name) == 0)) return ANN_OK;
    }
    return ann_error(ANN_ERR_CONFIG,
                     "--anomaly: there is no class '%s', accepted are numbers from 0 to %d and names", word,
                     classes - 1);
}

static ann_status find_classes(bool *anomalous, const look *l) {
    const char *text = l->request->anomaly;
    for (;; text++) {
        int found;
        const size_t length = strcspn(text, ",");
        ANN_TRY(find_class(&found, l, text, length));
        anomalous[found] = true;
        text += length;
        if (*text == '\0') return ANN_OK;
    }
}

static ann_status draw_roc(const look *l, const float *score, const bool *positive, int64_t n) {
    char path[LOOK_PATH_BYTES], title[256];
    ann_roc roc;
    ANN_TRY(ann_roc_make(&roc, score, positive, n));
    printf("anomalies (class %s) by their reconstruction error: area under the ROC curve %.4f\n",
           l->request->anomaly, roc.area);
    snprintf(title, sizeof title, "%s: class %s, area %.4f", l->facts->phase->name, l->request->anomaly,
             roc.area);
    const anni_curve curve = {.x = roc.false_rate, .y = roc.true_rate, .points = roc.points};
    const anni_chart chart = {.curve = &curve,
                              .curves = 1,
                              .unit = true,
                              .x_name = "share of the others taken for anomalies",
                              .y_name = "share of anomalies found",
                              .title = title};
    const ann_status status = anni_figure_chart(&chart, look_path(path, l, "roc.png"));
    if (status == ANN_OK) look_wrote(path);
    ann_roc_free(&roc);
    return status;
}

static ann_status find_and_draw(const look *l, const float *error, bool *anomalous, bool *positive,
                                float *score) {
    const ann_look_facts *f = l->facts;
    int64_t n = 0;
    if (!anomalous || !positive || !score) return ann_error(ANN_ERR_MEMORY, "out of memory");
    ANN_TRY(find_classes(anomalous, l));
    for (int64_t i = f->tested_first; i < f->tested_first + f->tested; i++) {
        const int32_t label = ann_dataset_label(f->test, i);
        if (label < 0) continue;
        score[n] = error[i];
        positive[n++] = anomalous[label];
    }
    return draw_roc(l, score, positive, n);
}

static ann_status anomalies(const look *l, const float *error) {
    const size_t n = (size_t)l->facts->tested + 1, classes = (size_t)ann_dataset_classes(l->facts->train);
    if (!l->request->anomaly) return ANN_OK;
    if (classes == 0)
        return ann_error(ANN_ERR_CONFIG, "--anomaly: the data of phase %s have no labels",
                         l->facts->phase->name);
    bool *anomalous = calloc(classes, sizeof *anomalous), *positive = calloc(n, sizeof *positive);
    float *score = calloc(n, sizeof *score);
    const ann_status status = find_and_draw(l, error, anomalous, positive, score);
    free(anomalous);
    free(positive);
    free(score);
    return status;
}

/* ---- codes ---- */

static ann_status draw_samples(const look *l, float *codes, float *images) {
    const int count = COLUMNS * DRAWN;
    const int64_t width = l->facts->width;
    for (int64_t i = 0; i < count * width; i++)
        codes[i] = (float)ann_random_normal(0, 0, (uint64_t)(i / width), (uint64_t)(i % width));
    ANN_TRY(ann_look_decode(l->phase, images, codes, count));
    return draw_sheet(l, images, count, COLUMNS, "samples.png", "decoded draws of N(0, 1)");
}

/* Two test samples of walk number `walk`. */
static void ends_of(int64_t ends[2], const look *l, int walk) {
    for (int e = 0; e < 2; e++)
        ends[e] = l->facts->tested_first + look_choose(l->facts->tested, (2 * walk + e) % l->facts->tested);
}

/* Row by row: a sample, what is decoded on the straight line from its code to the other one's, the other. */
static ann_status draw_walks(const look *l, float *codes, float *images, float *sheet) {
    const size_t width = (size_t)l->facts->width, elems = elems_of(l);
    int64_t ends[2];
    for (int w = 0; w < WALKS; w++) {
        ends_of(ends, l, w);
        const float *a = l->test.seen.features + (size_t)ends[0] * width;
        const float *b = l->test.seen.features + (size_t)ends[1] * width;
        for (int s = 0; s < STEPS; s++)
            for (size_t j = 0; j < width; j++)
                codes[(size_t)(w * STEPS + s) * width + j] = a[j] + (b[j] - a[j]) * (float)s / (STEPS - 1);
    }
    ANN_TRY(ann_look_decode(l->phase, images, codes, WALKS * STEPS));
    for (int w = 0; w < WALKS; w++) {
        float *row = sheet + (size_t)(w * (STEPS + 2)) * elems;
        ends_of(ends, l, w);
        ANN_TRY(read_sample(row, l, ends[0]));
        memcpy(row + elems, images + (size_t)(w * STEPS) * elems, STEPS * elems * sizeof *row);
        ANN_TRY(read_sample(row + (STEPS + 1) * elems, l, ends[1]));
    }
    return draw_sheet(l, sheet, WALKS * (STEPS + 2), STEPS + 2, "interpolate.png",
                      "from the test sample on the left to the one on the right");
}

static ann_status draw_codes(const look *l) {
    enum { MOST = COLUMNS * DRAWN > WALKS * (STEPS + 2) ? COLUMNS * DRAWN : WALKS * (STEPS + 2) };
    if (!l->facts->generates || !anni_sheet_can_show(&x_of(l)->shape)) return ANN_OK;
    float *codes = calloc(MOST * (size_t)l->facts->width, sizeof *codes),
          *images = calloc(MOST * elems_of(l), sizeof *images),
          *sheet = calloc(MOST * elems_of(l), sizeof *sheet);
    ann_status status = codes && images && sheet ? ANN_OK : ann_error(ANN_ERR_MEMORY, "out of memory");
    if (status == ANN_OK) status = draw_samples(l, codes, images);
    if (status == ANN_OK) status = draw_walks(l, codes, images, sheet);
    free(codes);
    free(images);
    free(sheet);
    return status;
}

ann_status look_pictures(const look *l) {
    if (!l->facts->reconstructs) {
        if (!l->request->anomaly) return ANN_OK;
        return ann_error(ANN_ERR_CONFIG, "--anomaly: phase %s reconstructs nothing", l->facts->phase->name);
    }
    float *error = calloc((size_t)l->test.seen.samples + 1, sizeof *error);
    if (!error) return ann_error(ANN_ERR_MEMORY, "out of memory");
    ann_status status = reconstruct(l, error);
    if (status == ANN_OK) status = anomalies(l, error);
    if (status == ANN_OK) status = draw_codes(l);
    free(error);
    return status;
}
