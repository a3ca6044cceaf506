/* Evaluation: each sample of the test set once (pass.h). The sums of batches are added up in the order of the
   file, so that the result has the same bits on any number of ranks. */
#include <math.h>
#include <stdlib.h>
#include "train/pass.h"

/* Of one batch. */
typedef struct batch_sums {
    double loss, correct;
} batch_sums;

static void take(void *to, const anni_step *step, int64_t at, int64_t count) {
    batch_sums *sums = to;
    (void)count;
    sums[at / ANNI_EVAL_BATCH] =
        (batch_sums){(double)*step->loss_sum, step->correct ? (double)*step->correct : NAN};
}

/* A phase that adapts to a target domain is tested on that alone. */
void anni_evaluate_range(const anni_phase *phase, int64_t *first, int64_t *count) {
    *first = 0;
    *count = ann_dataset_samples(phase->test);
    if (anni_method_has_target(phase->config))
        ann_dataset_source_range(phase->test, ann_dataset_source_count(phase->test) - 1, first, count);
}

static anni_pass pass_of(const anni_phase *phase, int stage, batch_sums *sums) {
    anni_pass pass = {
        .dataset = phase->test, .stage = stage, .graph = anni_eval_graph, .take = take, .to = sums};
    anni_evaluate_range(phase, &pass.first, &pass.count);
    return pass;
}

void anni_evaluate_share(const anni_phase *phase, int64_t *first, int64_t *count) {
    const anni_pass pass = pass_of(phase, 0, NULL);
    anni_pass_share(&pass, phase->run, first, count);
}

/* This rank's batches. */
static ann_status run_share(batch_sums *sums, const anni_phase *phase, ann_store *store, int stage) {
    if (!sums) return ann_error(ANN_ERR_MEMORY, "no memory for the sums of an evaluation");
    const anni_pass pass = pass_of(phase, stage, sums);
    return anni_pass_run(&pass, phase, store);
}

ann_status anni_evaluate(anni_metrics *out, const anni_phase *phase, ann_store *store, int stage) {
    ann_comm *comm = phase->run->comm;
    const anni_pass pass = pass_of(phase, stage, NULL);
    const int64_t samples = pass.count, batches = (samples - 1) / ANNI_EVAL_BATCH + 1;
    if (!anni_method_is_tested(phase->config)) {
        *out = (anni_metrics){NAN, NAN};
        return ANN_OK;
    }
    batch_sums *sums = calloc((size_t)batches, sizeof *sums), all = {0, 0};
    ann_status status = ann_agree(comm, run_share(sums, phase, store, stage));
    /* each sum is one rank's and 0 on the others: this gathers */
    if (status == ANN_OK) status = ann_comm_allreduce(comm, sums, batches * 2, ANN_F64);
    for (int64_t i = 0; i < batches && status == ANN_OK; i++) {
        all.loss += sums[i].loss;
        all.correct += sums[i].correct;
    }
    free(sums);
    *out = (anni_metrics){all.loss / (double)samples, all.correct / (double)samples};
    return status;
}
