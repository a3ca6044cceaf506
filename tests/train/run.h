/* Runs of small run files on one rank, for the tests of this folder. */
#ifndef TESTS_TRAIN_RUN_H
#define TESTS_TRAIN_RUN_H

#include "support/check.h"

#include "support/scratch.h"
#include "train/train.h"

/* A folder with tiny.h5 (support/tiny_data.h), as CMocka's group set-up and tear-down. */
int run_setup(void **state);
int run_teardown(void **state);
extern char run_dir[SCRATCH_PATH_BYTES];

/* Two phases over the tiny dataset, output in run_dir/NAME: "pre" (denoising autoencoder) and "fine" (its
   encoder with a new head and batch norm; stage "head", then "all"). */
typedef struct run_options {
    const char *name;
    const char *sets[8]; /* "key=value", as after --set */
    bool resume;
    bool (*stop)(void), (*save)(void);
    int64_t deadline_ns;
} run_options;

/* The status of the run; lines that were printed are in run_printed(). */
ann_status run_train(const run_options *options);
const char *run_printed(void);
/* The number behind the i-th `"key":` in the metrics of all phases, "pre" first; NAN if there are fewer. */
double run_metric(const char *name, const char *key, int i);
int run_metric_count(const char *name, const char *key);

#endif
