#include "data_sample.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/log.h"
#include "cli.h"
#include "datasets/sample.h"
#include "datasets/sheet.h"
#include "train/train.h"

static ann_status show(void *to, const ann_train_samples *samples) {
    const data_sample_run_request *r = to;
    const ann_field_info *x = ann_dataset_field(samples->train, ann_dataset_find(samples->train, "x"));
    const anni_samples shown = {.dataset = samples->train,
                                .field = x,
                                .count = samples->count,
                                .group = 1,
                                .ids = (int64_t *)(uintptr_t)samples->samples,
                                .values = (void *)(uintptr_t)samples->x};
    char title[512];
    if (!anni_sheet_can_show(&x->shape)) {
        anni_samples_print_table(&shown, cli_print, NULL);
        return ANN_OK;
    }
    snprintf(title, sizeof title, "%s  phase %s, epoch %" PRId64 ": the first %d samples", r->path, r->phase,
             r->epoch, samples->count);
    ANN_TRY(anni_samples_draw(&shown, title, r->out));
    ann_log_line(ANN_LOG_INFO, "%s: %d training samples of phase %s", r->out, samples->count, r->phase);
    return ANN_OK;
}

int data_sample_run(const data_sample_run_request *request) {
    data_sample_run_request r = *request;
    ann_run_config *config;
    ann_status status = ann_run_config_load(&config, r.path, NULL, 0);
    if (status == ANN_OK) {
        if (r.phase == NULL) r.phase = config->phases[0].name;
        status = ann_train_preview(config, r.phase, r.epoch, r.count, show, &r);
        ann_run_config_free(config);
    }
    return status == ANN_OK ? 0 : cli_fail(status);
}
