/* Samples in the plane, near each other where the model takes them for alike. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "datasets/figure.h"
#include "look.h"

/* Of several sources, half of the samples from the target: test samples, as far as there are some. */
static ann_status choose(look_rows *rows, const look *l, const ann_look_view *train,
                         const ann_look_view *test) {
    look_which source = look_whole(train), target = look_whole(test);
    target.most = l->request->samples;
    if (l->facts->phase->data->source_count < 2) return look_rows_add(rows, test, &target);
    source.domain = LOOK_SOURCE;
    target.domain = LOOK_TARGET;
    source.most = target.most = l->request->samples / 2;
    ANN_TRY(look_rows_add(rows, train, &source));
    return look_rows_add(rows, test, &target);
}

/* ---- the plane ---- */

static ann_status project(float *xy, const ann_features *f, int threads) {
    ann_pca pca;
    ANN_TRY(ann_pca_fit(&pca, f, 2, threads));
    const ann_status status = ann_pca_project(xy, &pca, f, threads);
    ann_pca_free(&pca);
    return status;
}

static ann_status embed(float *xy, const look *l, const look_rows *rows) {
    const ann_features f = look_features(rows);
    const ann_tsne_options options = {.threads = l->facts->threads};
    if (l->request->pca) return project(xy, &f, l->facts->threads);
    return ann_tsne_embed(xy, NULL, &f, &options);
}

/* ---- the picture ---- */

/* "data/mnist.h5" is mnist. */
static void source_name(char buf[64], const ann_data_config *data, int source) {
    const char *path = data->train[source].path, *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    snprintf(buf, 64, "%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
}

static ann_status draw(const look *l, const look_rows *rows, const float *xy, const char *file,
                       const char *title) {
    const ann_data_config *data = l->facts->phase->data;
    const int all = ann_dataset_classes(l->facts->train);
    char path[LOOK_PATH_BYTES], source[64], target[64];
    const char *names[ANNI_FIGURE_CLASSES];
    anni_scatter s = {.xy = xy, .label = rows->label, .n = rows->n, .title = title};
    s.classes = all < ANNI_FIGURE_CLASSES ? all : ANNI_FIGURE_CLASSES;
    for (int64_t i = 0; i < rows->n; i++) /* there is no colour for more classes */
        if (rows->label[i] >= s.classes) rows->label[i] = -1;
    for (int c = 0; c < s.classes; c++) names[c] = ann_dataset_class_name(l->facts->train, c);
    if (s.classes > 0 && names[0]) s.class_name = names;
    if (data->source_count > 1) {
        snprintf(source, sizeof source, "the others");
        if (data->source_count == 2) source_name(source, data, 0);
        source_name(target, data, data->source_count - 1);
        s.domain = rows->domain;
        s.domain_name[0] = source;
        s.domain_name[1] = target;
    }
    ANN_TRY(anni_figure_scatter(&s, look_path(path, l, file)));
    look_wrote(path);
    return ANN_OK;
}

static ann_status embed_and_draw(const look *l, const look_rows *rows, const char *file, const char *when) {
    char title[256];
    float *xy = calloc((size_t)rows->n * 2 + 1, sizeof *xy);
    if (!xy) return ann_error(ANN_ERR_MEMORY, "out of memory");
    snprintf(title, sizeof title, "%s%s: %s of %" PRId64 " features, %" PRId64 " samples",
             l->facts->phase->name, when, l->request->pca ? "PCA" : "t-SNE", rows->d, rows->n);
    ann_status status = embed(xy, l, rows);
    if (status == ANN_OK) status = draw(l, rows, xy, file, title);
    free(xy);
    return status;
}

static ann_status scatter(const look *l, const ann_look_view *train, const ann_look_view *test,
                          const char *file, const char *when) {
    look_rows rows = {.n = 0};
    ann_status status = choose(&rows, l, train, test);
    if (status == ANN_OK && (rows.n < 4 || rows.d < 2))
        printf("%s is left out: it needs two features and four samples\n", file);
    else if (status == ANN_OK) status = embed_and_draw(l, &rows, file, when);
    look_rows_free(&rows);
    return status;
}

/* ---- before and after ---- */

static ann_status scatter_with(const look *l, ann_look *before) {
    ann_look_view train, test = {.inside = NULL};
    ann_status status = ann_look_see(&train, before, ann_look_facts_of(before)->train);
    if (status == ANN_OK) status = ann_look_see(&test, before, ann_look_facts_of(before)->test);
    if (status == ANN_OK) status = scatter(l, &train, &test, "before.png", " before");
    ann_look_view_free(&train);
    ann_look_view_free(&test);
    return status;
}

static ann_status scatter_before(const look *l) {
    const ann_look_options options = {.config = l->config, .phase = l->facts->phase->name, .before = true};
    ann_look *before;
    ANN_TRY(ann_look_open(&before, &options));
    printf("before: %s\n", ann_look_facts_of(before)->weights);
    const ann_status status = scatter_with(l, before);
    ann_look_close(before);
    return status;
}

ann_status look_scatter(const look *l) {
    if (l->facts->phase->kind != ANN_PHASE_ADAPT) return scatter(l, &l->train, &l->test, "scatter.png", "");
    ANN_TRY(scatter_before(l));
    return scatter(l, &l->train, &l->test, "after.png", " after");
}
