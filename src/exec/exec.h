/* A plan: one compiled kind of step over a store, run many times. Nothing is allocated while it runs. Local,
   but for the collectives of the graph, which it issues through the table of channel operations given at plan
   time. */
#ifndef ANN_EXEC_EXEC_H
#define ANN_EXEC_EXEC_H

#include "graph/graph.h"
#include "kernel/kernel.h"

/* How a plan reduces: comm fills it in (ann_comm_channel_ops). All functions get `self`.
   A reduction is a message of `elems` elements plus one trailing element, the fault slot: `data` has room for
   elems + 1. A rank that has failed starts the reductions it still owes with fault = true and whatever is in
   `data`; after wait, *fault tells whether any rank did. */
typedef struct ann_channel_ops {
    void *self;
    int size;
    ann_status (*start)(void *self, int32_t channel, void *data, int64_t elems, ann_dtype dtype, bool fault,
                        int *request);
    ann_status (*progress)(void *self); /* makes progress on all requests; cheap, never blocks */
    ann_status (*wait)(void *self, int request, bool *fault);
    void (*where)(void *self, const char *text); /* what the rank is doing, for the watchdog, until the next
                                                    call; NULL: nothing special */
} ann_channel_ops;

typedef struct ann_plan_options {
    int threads; /* 0: 1 */
    ann_kernel_policy policy;
    const ann_channel_ops *channels; /* NULL: one rank, allreduce is the identity */
    bool profile;                    /* record time per instruction */
} ann_plan_options;

typedef struct ann_plan ann_plan;

/* Compiles a graph that has been through the passes (composites without a kernel expanded). Allocates
   everything. The graph may be freed afterwards; its store must be committed and outlive the plan. Errors:
   ANN_ERR_MEMORY, ANN_ERR_UNSUPPORTED (no kernel). */
ann_status ann_plan_new(ann_plan **out, const ann_graph *graph,
                        const ann_plan_options *options) ANN_MUST_CHECK;
void ann_plan_free(ann_plan *plan);

/* Points an input at the caller's memory (64-byte aligned, of the node's size), which must stay unchanged
   while a run reads it. Every input must be bound before the first run. Errors: ANN_ERR_NOT_FOUND (no such
   input). */
ann_status ann_plan_bind(ann_plan *plan, const char *name, const void *data) ANN_MUST_CHECK;
bool ann_plan_has_input(const ann_plan *plan, const char *input);

/* The memory of a named output, valid until the next run; NULL if there is no such output. */
const void *ann_plan_output(const ann_plan *plan, const char *name);

/* Runs one step. If a kernel fails here, or `inject` != ANN_OK (something failed before the step began: the
   rank joins as failed), the rank still takes part in every reduction, and all ranks return an error: the
   failing one its own, the others ANN_ERR_PEER; no store tensor has been changed unless ann_plan_torn says
   so. */
ann_status ann_plan_run(ann_plan *plan, ann_status inject) ANN_MUST_CHECK;
/* True if a failed run had already changed some store tensors: they must be reloaded from a checkpoint. */
bool ann_plan_torn(const ann_plan *plan);

/* Memory of the plan block; of it, communication buffers. */
size_t ann_plan_bytes(const ann_plan *plan);
/* Time per instruction since the last call, as a table (needs options.profile). */
void ann_plan_profile(ann_plan *plan, void (*write)(void *to, const char *text), void *to);

#endif
