/* What a run file will need: checkpoints, and memory shared within a host. */
#include <stdlib.h>
#include "doctor.h"
#include "pass/pass.h"
#include "train/train.h"

/* Everything but what is dead between steps; files are a little larger. */
static double stored_bytes(const ann_store *store) {
    double bytes = 65536;
    for (int i = 0; i < ann_store_count(store); i++) {
        const ann_tensor_info *t = ann_store_info(store, (ann_tensor){i});
        if (t->role != ANN_ROLE_SCRATCH)
            bytes += (double)ann_shape_elems(&t->shape) * (double)ann_dtype_bytes(t->dtype);
    }
    return bytes;
}

static ann_status window_bytes(size_t *out, const ann_run_config *config, const ann_graph *graph) {
    const ann_pass_options options = {.bucket = {config->comm_bucket_bytes, config->comm_bucket_bytes},
                                      .fuse = true};
    ann_graph *lowered;
    ANN_TRY(ann_pass_standard(&lowered, graph, &options));
    const ann_status status = ann_plan_shared_bytes(out, lowered);
    ann_graph_free(lowered);
    return status;
}

/* How many checkpoints of a phase there are at most: those that stay, and one that is being written. */
static double stay(const ann_checkpoint_config *c) { return c->keep + (c->best != ANN_BEST_NONE) + 1.0; }

static ann_status add_phase(doctor_need_facts *f, const ann_run_config *config, const ann_phase_config *phase,
                            int size) {
    ann_graph *graph = NULL;
    ann_store *store = NULL;
    size_t window = 0;
    if (phase->kind == ANN_PHASE_EXPORT) return ANN_OK; /* it has no model of its own */
    ANN_TRY(ann_train_graph(&graph, &store, config, phase->name, 0, size));
    const double bytes = stored_bytes(store);
    const ann_status status = config->comm_shared_memory ? window_bytes(&window, config, graph) : ANN_OK;
    ann_graph_free(graph);
    ann_store_free(store);
    f->output_bytes += bytes * stay(&config->checkpoint);
    if (bytes > f->checkpoint_bytes) f->checkpoint_bytes = bytes;
    if ((double)window > f->window_bytes) f->window_bytes = (double)window;
    return status;
}

ann_status doctor_need_find(doctor_need_facts *f, const ann_run_config *config, int size) {
    doctor_need_facts need = {.all_stay = config->checkpoint.keep == 0};
    for (int i = 0; i < config->phase_count; i++) ANN_TRY(add_phase(&need, config, &config->phases[i], size));
    *f = need;
    return ANN_OK;
}
