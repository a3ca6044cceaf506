/* What the files of `annulus look` share: one phase, the pictures and figures of it. Each look_* function
   prints its figures, and a line for each picture that it has written. */
#ifndef ANNULUS_LAUNCH_LOOK_H
#define ANNULUS_LAUNCH_LOOK_H

#include "method/judge.h"
#include "train/look.h"

enum { LOOK_PATH_BYTES = 4096 };

typedef struct look_request {
    const char *path, *phase, *checkpoint, *anomaly; /* phase NULL: the first */
    const char *out;                                 /* NULL: the phase's folder, look */
    const char **sets;
    int set_count;
    int64_t samples; /* of a scatter plot, at most */
    bool pca;
} look_request;

typedef struct look {
    const look_request *request;
    const ann_run_config *config;
    ann_look *phase;
    const ann_look_facts *facts;
    ann_look_view train, test;
    char folder[LOOK_PATH_BYTES / 2];
} look;

/* The path of a picture. */
const char *look_path(char buf[LOOK_PATH_BYTES], const look *l, const char *name);
void look_wrote(const char *path);

/* ---- look_rows.c: some samples ---- */

/* Features of samples that were chosen by a keyed order, so that all that is chosen is the same each time. */
typedef struct look_rows {
    float *x;        /* [n, d] */
    int32_t *label;  /* [n] */
    uint8_t *domain; /* [n]: 1 for the target's, of several sources the last */
    int64_t n, d;
} look_rows;

typedef enum look_domain { LOOK_ALL, LOOK_SOURCE, LOOK_TARGET } look_domain;
typedef struct look_which {
    int64_t first, count; /* rows of a view */
    look_domain domain;
    bool labelled; /* only those with a label */
    int64_t most;
} look_which;

/* The rows of a view, all of them. */
look_which look_whole(const ann_look_view *view);
/* Appends them. Errors: ANN_ERR_MEMORY. Free with look_rows_free, also after an error. */
ann_status look_rows_add(look_rows *rows, const ann_look_view *view, const look_which *which) ANN_MUST_CHECK;
void look_rows_free(look_rows *rows);
ann_features look_features(const look_rows *rows);
/* The i-th of n samples in the keyed order. */
int64_t look_choose(int64_t n, int64_t i);

/* ---- the parts ---- */

/* confusion.png; accuracy, recall and precision of the classifier on what the phase is tested on. */
ann_status look_confusion(const look *l) ANN_MUST_CHECK;
/* What a linear probe and nearest neighbours make of the features. */
ann_status look_probe(const look *l) ANN_MUST_CHECK;
/* scatter.png; of a phase of kind adapt before.png and after.png. */
ann_status look_scatter(const look *l) ANN_MUST_CHECK;
/* reconstruct.png, the error; roc.png; samples.png and interpolate.png. */
ann_status look_pictures(const look *l) ANN_MUST_CHECK;

#endif
