#include "train/pass.h"

static ann_status run_batches(const anni_pass *pass, ann_loader *loader, anni_step *step) {
    for (;;) {
        const ann_batch *batch;
        ANN_TRY(ann_loader_next(loader, &batch));
        if (!batch) return ANN_OK;
        anni_rows rows;
        ANN_TRY(anni_step_bind(step, anni_step_rows(&rows, step, batch)));
        ANN_TRY(ann_plan_run(step->plan, ANN_OK));
        pass->take(pass->to, step, batch->first - pass->first, batch->count);
    }
}

/* Samples [first, end) in batches of one size. */
static ann_status run_range(const anni_pass *pass, const anni_phase *phase, ann_store *store, int64_t first,
                            int64_t end, int64_t batch) {
    const ann_order_options in_file = {
        .kind = ANN_ORDER_SEQUENTIAL, .samples = ann_dataset_samples(pass->dataset), .batch = batch};
    ann_loader_options options = {.dataset = pass->dataset,
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
    ANN_TRY(pass->graph(&graph, store, phase, pass->stage, batch));
    ann_status status = anni_lower(&graph, phase, NULL);
    if (status == ANN_OK) status = anni_step_new(&step, phase, graph, (anni_use){.training = false});
    ann_graph_free(graph);
    if (status != ANN_OK) return status;
    status = ann_order_new(&order, &in_file);
    options.order = order;
    if (status == ANN_OK) status = ann_loader_new(&loader, &options);
    if (status == ANN_OK) status = run_batches(pass, loader, &step);
    ann_loader_free(loader);
    ann_order_free(order);
    anni_step_free(&step);
    return status;
}

void anni_pass_share(const anni_pass *pass, const anni_run *run, int64_t *first, int64_t *count) {
    const int64_t batches = (pass->count - 1) / ANNI_EVAL_BATCH + 1;
    ann_data_shard(first, count, 0, batches, run->rank, run->size);
    const int64_t end = *first + *count < batches ? (*first + *count) * ANNI_EVAL_BATCH : pass->count;
    *count = *count > 0 ? end - *first * ANNI_EVAL_BATCH : 0;
    *first = pass->first + *first * ANNI_EVAL_BATCH;
}

ann_status anni_pass_run(const anni_pass *pass, const anni_phase *phase, ann_store *store) {
    int64_t first, count;
    anni_pass_share(pass, phase->run, &first, &count);
    if (count == 0) return ANN_OK;
    const int64_t end = first + count, whole_end = first + count / ANNI_EVAL_BATCH * ANNI_EVAL_BATCH;
    ANN_TRY(run_range(pass, phase, store, first, whole_end, ANNI_EVAL_BATCH));
    return run_range(pass, phase, store, whole_end, end, end - whole_end);
}
