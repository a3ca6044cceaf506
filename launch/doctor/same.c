/* The same program, run file and data on all ranks. */
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "data/data.h"
#include "doctor.h"

static ann_status add_split(uint64_t *hash, const ann_data_source *sources, int count, const char *split) {
    ann_dataset *dataset;
    ANN_TRY(ann_dataset_open(
        &dataset, &(ann_dataset_options){.sources = sources, .source_count = count, .split = split}));
    const uint64_t one[2] = {ann_dataset_checksum(dataset), (uint64_t)ann_dataset_samples(dataset)};
    *hash = ann_hash(one, sizeof one, *hash);
    ann_dataset_close(dataset);
    return ANN_OK;
}

/* Content as the files state it, or as it is where they do not. */
static ann_status hash_data(uint64_t *hash, const ann_run_config *config) {
    *hash = 0;
    for (int i = 0; i < config->phase_count; i++) {
        const ann_data_config *data = config->phases[i].data;
        bool seen = false;
        for (int k = 0; k < i; k++) seen = seen || config->phases[k].data == data;
        if (seen) continue;
        ANN_TRY(add_split(hash, data->train, data->source_count, "train"));
        ANN_TRY(add_split(hash, data->test, data->source_count, "test"));
    }
    return ANN_OK;
}

void doctor_same_find(doctor_same_facts *f, const doctor_request *request, const ann_run_config *config,
                      bool first_of_host) {
    if (ann_hash_file(&f->program, "/proc/self/exe") != ANN_OK) f->program = 0;
    f->run_given = request->path != NULL;
    f->run_good = config != NULL;
    if (!config) return;
    f->run = config->hash;
    if (request->quick || !first_of_host) return;
    if (hash_data(&f->data, config) == ANN_OK) f->data_known = true;
    else doctor_copy(f->complaint, sizeof f->complaint, ann_error_text());
}

/* ---- judgement ---- */

static void judge_program(doctor_report *report, const doctor_facts *all, int n) {
    bool same = true;
    for (int i = 0; i < n; i++) {
        if (all[i].same.program == 0) {
            doctor_say_rank(report, i, DOCTOR_NOTE, "program", NULL,
                            "unknown: the program cannot read itself");
            same = false;
        } else if (all[0].same.program && all[i].same.program != all[0].same.program) {
            doctor_say_rank(report, i, DOCTOR_ERROR, "program",
                            "install the same build on all hosts, and start it by its path",
                            "runs another program than rank 0");
            same = false;
        }
    }
    if (same && n > 1) doctor_say_job(report, DOCTOR_OK, "program", NULL, "the same on all ranks");
}

/* A file that rank 0 could read, but of which it could not build a model, is the same mistake everywhere. */
static bool judge_model(doctor_report *report, const doctor_facts *all) {
    const doctor_same_facts *f = &all[0].same;
    if (f->run_good || f->run == 0) return true;
    doctor_say_job(report, DOCTOR_ERROR, "run file", "annulus train --check RUN.yaml", "%s", f->complaint);
    return false;
}

static void judge_run(doctor_report *report, const doctor_facts *all, int n) {
    bool same = judge_model(report, all);
    for (int i = 0; i < n; i++) {
        const doctor_same_facts *f = &all[i].same;
        if (f->run == 0) {
            doctor_say_rank(report, i, DOCTOR_ERROR, "run file", "annulus train --check RUN.yaml", "%s",
                            f->complaint);
            same = false;
        } else if (all[0].same.run != 0 && f->run != all[0].same.run) {
            doctor_say_rank(report, i, DOCTOR_ERROR, "run file",
                            "put it where all hosts see the same file, and name it by its whole path",
                            "another text than rank 0 reads");
            same = false;
        }
    }
    if (same)
        doctor_say_job(report, DOCTOR_OK, "run file", NULL, "good%s",
                       n > 1 ? ", and the same on all ranks" : "");
}

static void judge_data(doctor_report *report, const doctor_facts *all, int n) {
    bool known = true, same = true;
    for (int i = 0; i < n; i++) {
        const doctor_same_facts *f = &all[i].same;
        if (!all[i].first || !f->run_good) continue;
        known = known && f->data_known;
        if (!f->data_known && f->complaint[0])
            doctor_say_host(report, i, DOCTOR_ERROR, "datasets", "annulus data verify FILE", "%s",
                            f->complaint);
        else if (f->data_known && all[0].same.data_known && f->data != all[0].same.data) {
            doctor_say_host(report, i, DOCTOR_ERROR, "datasets",
                            "copy the files anew (annulus data info names their checksums)",
                            "other content than on rank 0's host");
            same = false;
        }
    }
    if (known && same && all[0].same.run_good)
        doctor_say_job(report, DOCTOR_OK, "datasets", NULL, "readable%s",
                       all[0].hosts > 1 ? ", with the same content on all hosts" : "");
}

void doctor_same_judge(doctor_report *report, const doctor_facts *all, int n) {
    judge_program(report, all, n);
    if (!all[0].same.run_given) return;
    judge_run(report, all, n);
    judge_data(report, all, n);
}
