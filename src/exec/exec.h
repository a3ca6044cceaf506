/* A plan: one compiled kind of step over a store, run many times. Nothing is allocated while it runs. Local,
   but for the collectives of the graph, which it issues through the table of channel operations given at plan
   time. */
#ifndef ANN_EXEC_EXEC_H
#define ANN_EXEC_EXEC_H

#include "graph/graph.h"
#include "kernel/kernel.h"

typedef enum ann_collective {
    ANN_COLLECTIVE_ALLREDUCE,
    /* Chunk r of the message (ann_chunk_of) becomes its sum over ranks on rank r; the rest is undefined. */
    ANN_COLLECTIVE_REDUCE_SCATTER,
    /* Chunk r comes from rank r. */
    ANN_COLLECTIVE_ALLGATHER
} ann_collective;

/* What is sent, in place. Behind the elements of an ALLREDUCE are ANN_MESSAGE_SLOTS more, for which `data`
   has room: the votes of ann_outcome, which are summed like the others. */
enum { ANN_MESSAGE_SLOTS = 2 };
typedef struct ann_message {
    ann_collective collective;
    int32_t channel;
    void *data;
    int64_t elems; /* without the slots */
    ann_dtype dtype;
    ann_wire wire;     /* ALLREDUCE only */
    int64_t most;      /* SPARSE: as in ann_attrs */
    const char *label; /* for messages to people; borrowed until the request is over; NULL: none */
} ann_message;

/* What a rank says of itself with an ALLREDUCE, and what holds for any rank afterwards; the others carry no
   votes. */
typedef struct ann_outcome {
    bool failed;    /* it has computed nothing, and whatever is in `data` is not to be used */
    bool nonfinite; /* some element of its part is infinite or not a number */
} ann_outcome;

/* How a plan communicates: comm fills it in (ann_comm_channel_ops). All functions get `self`. A rank that has
   failed still starts all the messages that it owes. */
typedef struct ann_channel_ops {
    void *self;
    int rank, size;
    ann_status (*start)(void *self, const ann_message *message, ann_outcome mine, int *request);
    ann_status (*progress)(void *self); /* makes progress on all requests; cheap, never blocks */
    ann_status (*wait)(void *self, int request, ann_outcome *all);
    /* When the request that was waited for last was complete, by ann_clock_ns; NULL: unknown. */
    int64_t (*done_ns)(void *self, int request);
    /* From `away` to `back` the caller computes, and calls nothing else here: requests may make progress by
       themselves. NULL: they do not. */
    void (*away)(void *self);
    void (*back)(void *self);
} ann_channel_ops;

/* What a plan did when. Labels are the plan's. */
typedef enum ann_event_kind {
    ANN_EVENT_COMPUTE,  /* an instruction */
    ANN_EVENT_START,    /* of a message, with the copy to where it is sent from */
    ANN_EVENT_PROGRESS, /* of all messages, between instructions */
    ANN_EVENT_WAIT,     /* for a message */
    ANN_EVENT_VOTE      /* the last wait before the store is changed */
} ann_event_kind;
typedef struct ann_event {
    ann_event_kind kind;
    int message; /* START and WAIT: its number, by the order of starts since the trace was empty; else -1 */
    const char *label;
    int64_t begin_ns, end_ns; /* ann_clock_ns */
    int64_t done_ns;          /* WAIT: when the sum was there; 0: unknown */
} ann_event;
typedef struct ann_trace {
    ann_event *events; /* [room], the caller's */
    int room, count;
    int messages; /* started */
    int dropped;  /* events for which there was no room */
} ann_trace;

typedef struct ann_plan_options {
    int threads; /* 0: 1 */
    ann_kernel_policy policy;
    const ann_channel_ops *channels; /* NULL: one rank, allreduce is the identity */
    bool profile;                    /* record time per instruction */
    bool check_finite; /* look for infinite and NaN elements in what is reduced and in the outputs that come
                          before it: ANN_ERR_NUMERIC on all ranks, and no update is applied */
    /* Where messages are put together: ann_plan_shared_bytes of memory that other ranks of the host can read
       (ann_comm_alloc), which may serve several plans that never run at the same time. NULL: the plan has its
       own. */
    void *shared;
    ann_trace *trace; /* runs append to it; several plans may share it; NULL: they do not, at no cost */
} ann_plan_options;

typedef struct ann_plan ann_plan;

/* Memory that messages of this graph need; see ann_plan_options.shared. Errors: ANN_ERR_MEMORY. */
ann_status ann_plan_shared_bytes(size_t *out, const ann_graph *graph) ANN_MUST_CHECK;

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

/* The messages that a run sends, in the order of their start; those of a plan for one rank as well. `data`
   and `label` are the plan's. */
int ann_plan_message_count(const ann_plan *plan);
ann_message ann_plan_message(const ann_plan *plan, int index);

/* Seconds of a run, in the mean since the last ann_plan_profile, before message `index` is started, and from
   the first instruction that changes the store to the end (needs options.profile). */
double ann_plan_message_s(const ann_plan *plan, int index);
double ann_plan_update_s(const ann_plan *plan);

/* Memory of the plan block, without `shared`. */
size_t ann_plan_bytes(const ann_plan *plan);
/* Time per instruction since the last call, as a table (needs options.profile). */
void ann_plan_profile(ann_plan *plan, void (*write)(void *to, const char *text), void *to);

#endif
