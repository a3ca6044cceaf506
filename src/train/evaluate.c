/* Evaluation: each sample of the test set once, in the file's order. The test set is cut into batches
   ANNI_EVAL_BATCH apart, whatever the number of ranks; the ranks share the batches out, and their sums are
   added up in the order of the file. So the result has the same bits on any number of ranks (with as many
   threads each). */
#include "train/internal.h"

#include <math.h>
#include <stdlib.h>

/* Of one batch. */
typedef struct batch_sums {
    double loss, correct;
} batch_sums;

/* What is evaluated. */
typedef struct subject {
    const anni_phase *phase;
    ann_store *store;
    int stage;
} subject;

static ann_status run_batches(batch_sums *sums, ann_loader *loader, anni_step *step) {
    for (;;) {
        const ann_batch *batch;
        ANN_TRY(ann_loader_next(loader, &batch));
        if (!batch) return ANN_OK;
        anni_rows rows;
        ANN_TRY(anni_step_bind(step, anni_step_rows(&rows, step, batch)));
        ANN_TRY(ann_plan_run(step->plan, ANN_OK));
        sums[batch->first / ANNI_EVAL_BATCH] =
            (batch_sums){(double)*step->loss_sum, step->correct ? (double)*step->correct : NAN};
    }
}

/* Samples [first, end) in batches of one size. */
static ann_status run_range(batch_sums *sums, const subject *of, int64_t first, int64_t end, int64_t batch) {
    const anni_phase *phase = of->phase;
    const ann_order_options in_file = {
        .kind = ANN_ORDER_SEQUENTIAL, .samples = ann_dataset_samples(phase->test), .batch = batch};
    ann_loader_options options = {.dataset = phase->test,
                                  .rank = 0,
                                  .size = 1,
                                  .first_position = first,
                                  .end_position = end,
                                  .max_threads = phase->run->threads};
    if (first == end) return ANN_OK;
    ann_graph *graph;
    ann_order *order;
    ann_loader *loader = NULL;
    anni_step step;
    ANN_TRY(anni_eval_graph(&graph, of->store, phase, of->stage, batch));
    ann_status status = anni_lower(&graph, phase, NULL);
    if (status == ANN_OK) status = anni_step_new(&step, phase, graph, (anni_use){.training = false});
    ann_graph_free(graph);
    if (status != ANN_OK) return status;
    status = ann_order_new(&order, &in_file);
    options.order = order;
    if (status == ANN_OK) status = ann_loader_new(&loader, &options);
    if (status == ANN_OK) status = run_batches(sums, loader, &step);
    ann_loader_free(loader);
    ann_order_free(order);
    anni_step_free(&step);
    return status;
}

static int64_t batches_of(const anni_phase *phase) {
    return (ann_dataset_samples(phase->test) - 1) / ANNI_EVAL_BATCH + 1;
}

void anni_evaluate_share(const anni_phase *phase, int64_t *first, int64_t *count) {
    const int64_t samples = ann_dataset_samples(phase->test), batches = batches_of(phase);
    ann_data_shard(first, count, 0, batches, phase->run->rank, phase->run->size);
    const int64_t end = *first + *count < batches ? (*first + *count) * ANNI_EVAL_BATCH : samples;
    *first *= ANNI_EVAL_BATCH;
    *count = *count > 0 ? end - *first : 0;
}

/* This rank's batches. */
static ann_status run_share(batch_sums *sums, const subject *of) {
    int64_t first, count;
    if (!sums) return ann_error(ANN_ERR_MEMORY, "no memory for the sums of an evaluation");
    anni_evaluate_share(of->phase, &first, &count);
    if (count == 0) return ANN_OK;
    const int64_t end = first + count, whole_end = first + (end - first) / ANNI_EVAL_BATCH * ANNI_EVAL_BATCH;
    ANN_TRY(run_range(sums, of, first, whole_end, ANNI_EVAL_BATCH));
    return run_range(sums, of, whole_end, end, end - whole_end);
}

ann_status anni_evaluate(anni_metrics *out, const anni_phase *phase, ann_store *store, int stage) {
    ann_comm *comm = phase->run->comm;
    const int64_t samples = ann_dataset_samples(phase->test), batches = batches_of(phase);
    if (!anni_method_is_tested(phase->config)) {
        *out = (anni_metrics){NAN, NAN};
        return ANN_OK;
    }
    batch_sums *sums = calloc((size_t)batches, sizeof *sums), all = {0, 0};
    ann_status status = ann_agree(comm, run_share(sums, &(subject){phase, store, stage}));
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
