/* Evaluation: each sample of the test set once, in the file's order; the ranks share them out. */
#include "train/internal.h"

enum { EVAL_BATCH = 250 };

/* Runs over positions [first, first + batch * k) of this rank's share. */
static ann_status run_range(anni_sums *sums, const anni_phase *phase, ann_store *store, int64_t first,
                            int64_t end, int64_t batch) {
    const ann_order_options in_file = {
        .kind = ANN_ORDER_SEQUENTIAL, .samples = ann_dataset_samples(phase->test), .batch = batch};
    ann_loader_options options = {.dataset = phase->test,
                                  .rank = 0,
                                  .size = 1,
                                  .first_position = first,
                                  .end_position = end,
                                  .max_threads = phase->run->threads};
    if (first == end) return ANN_OK;
    ann_order *order;
    ann_graph *graph;
    ann_loader *loader = NULL;
    anni_step step;
    ANN_TRY(anni_eval_graph(&graph, store, phase, batch));
    ann_status status = anni_step_new(&step, phase, graph, false);
    ann_graph_free(graph);
    if (status != ANN_OK) return status;
    status = ann_order_new(&order, &in_file);
    options.order = order;
    if (status == ANN_OK) status = ann_loader_new(&loader, &options);
    while (status == ANN_OK) {
        const ann_batch *next;
        status = ann_loader_next(loader, &next);
        if (status != ANN_OK || !next) break;
        status = anni_step_bind(&step, next);
        if (status == ANN_OK) status = ann_plan_run(step.plan, ANN_OK);
        if (status == ANN_OK) anni_step_add(sums, &step, next->count);
    }
    ann_loader_free(loader);
    ann_order_free(order);
    anni_step_free(&step);
    return status;
}

ann_status anni_evaluate(anni_metrics *out, const anni_phase *phase, ann_store *store) {
    const anni_run *run = phase->run;
    anni_sums sums = {0};
    int64_t first, count;
    ann_data_shard(&first, &count, 0, ann_dataset_samples(phase->test), run->rank, run->size);
    const int64_t whole = count / EVAL_BATCH * EVAL_BATCH;
    ann_status status = run_range(&sums, phase, store, first, first + whole, EVAL_BATCH);
    if (status == ANN_OK)
        status = run_range(&sums, phase, store, first + whole, first + count, count - whole);
    ANN_TRY(ann_agree(run->comm, status));
    return anni_sums_mean(run->comm, out, &sums);
}
