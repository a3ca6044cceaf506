/* Running a plan. A step is a list of instructions, of which some start a reduction and some first wait for
   one. A rank that fails stops computing, but starts and waits for every reduction that is left: so all ranks
   leave the step together, and know.

   Before the first instruction that changes the store, the ranks vote. By then each of them has started all
   reductions that come before, so everything that could fail has been done; the update of a bucket can follow
   as soon as its own sum is there, while the sums of others are still under way. */
#include "exec/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernel/sum.h"

typedef struct step {
    ann_plan *plan;
    const ann_channel_ops *ops; /* NULL: one rank */
    ann_status status;          /* the first failure; computing stops there */
    bool nonfinite;             /* of this rank, in any reduction so far */
    bool voted, wrote;
} step;

/* ---- trace ---- */

static int64_t now(const step *s) { return s->plan->options.trace ? ann_clock_ns() : 0; }

/* The event ends now. */
static void record(const step *s, ann_event event) {
    ann_trace *trace = s->plan->options.trace;
    if (!trace) return;
    event.end_ns = ann_clock_ns();
    if (trace->count < trace->room) trace->events[trace->count++] = event;
    else trace->dropped++;
}

static void record_plain(const step *s, ann_event_kind kind, const char *label, int64_t begin_ns) {
    record(s, (ann_event){.kind = kind, .message = -1, .label = label, .begin_ns = begin_ns});
}

static void record_start(const step *s, anni_instr *instr, int64_t begin_ns) {
    ann_trace *trace = s->plan->options.trace;
    if (!trace) return;
    instr->number = trace->messages++;
    record(s, (ann_event){.kind = ANN_EVENT_START,
                          .message = instr->number,
                          .label = instr->label,
                          .begin_ns = begin_ns});
}

static void record_wait(const step *s, const anni_instr *instr, int request, int64_t begin_ns) {
    if (!s->plan->options.trace) return;
    record(s, (ann_event){.kind = ANN_EVENT_WAIT,
                          .message = instr->number,
                          .label = instr->label,
                          .begin_ns = begin_ns,
                          .done_ns = s->ops->done_ns ? s->ops->done_ns(s->ops->self, request) : 0});
}

/* ---- reductions ---- */

/* Puts what this rank brings into the message, unless that is where it lies. Alone, it gets nothing from
   others. */
static void bring(const anni_instr *instr, const ann_message *message, bool alone) {
    const ann_kernel_call *call = &instr->call;
    const size_t size = ann_dtype_bytes(message->dtype), bytes = (size_t)message->elems * size;
    if (call->in[0] == message->data) return;
    if (message->collective != ANN_COLLECTIVE_ALLGATHER) {
        memcpy(message->data, call->in[0], bytes);
        return;
    }
    if (alone) memset(message->data, 0, bytes);
    memcpy((char *)message->data + (size_t)call->attrs->chunk.begin * size, call->in[0],
           (size_t)call->attrs->chunk.count * size);
}

/* Returns a failure of communication itself. */
static ann_status start_reduce(step *s, anni_instr *instr) {
    const int64_t begin_ns = now(s);
    const ann_message message = anni_message_of(instr);
    if (s->status == ANN_OK) bring(instr, &message, !s->ops);
    const bool nonfinite = s->status == ANN_OK && s->plan->options.check_finite &&
                           message.collective != ANN_COLLECTIVE_ALLGATHER &&
                           !ann_all_finite(message.data, message.elems, message.dtype);
    if (!s->ops) {
        if (nonfinite) s->status = ann_error(ANN_ERR_NUMERIC, "%s: a gradient is not finite", instr->label);
        return ANN_OK;
    }
    s->nonfinite = s->nonfinite || nonfinite;
    const ann_outcome mine = {.failed = s->status != ANN_OK, .nonfinite = nonfinite};
    s->plan->in_flight++;
    ANN_TRY(s->ops->start(s->ops->self, &message, mine, &instr->request));
    record_start(s, instr, begin_ns);
    return ANN_OK;
}

static void heed(step *s, ann_outcome all, const char *label) {
    if (s->status != ANN_OK) return;
    if (all.failed) s->status = ann_error(ANN_ERR_PEER, "another rank failed in this step");
    else if (all.nonfinite)
        s->status = ann_error(ANN_ERR_NUMERIC, "%s: a gradient or the loss is not finite", label);
}

static ann_status wait_reduce(step *s, anni_instr *instr) {
    ann_outcome all = {false, false};
    if (!s->ops || instr->request < 0) return ANN_OK;
    const int64_t begin_ns = now(s);
    const ann_status status = s->ops->wait(s->ops->self, instr->request, &all);
    record_wait(s, instr, instr->request, begin_ns);
    instr->request = -1;
    s->plan->in_flight--;
    if (status == ANN_OK) heed(s, all, instr->label);
    return status;
}

/* Of the outputs that are there: a loss may be infinite while its gradient is not. */
static bool outputs_finite(const ann_plan *plan) {
    for (int i = 0; i < plan->n_results; i++) {
        const anni_result *r = &plan->results[i];
        if (r->before_writes && !ann_all_finite(r->data, r->elems, r->dtype)) return false;
    }
    return true;
}

static ann_status vote(step *s) {
    int request;
    ann_outcome all = {false, false};
    const ann_message message = {
        .data = s->plan->vote, .dtype = ANN_F64, .label = "the vote before the update"};
    s->voted = true;
    if (s->status == ANN_OK && s->plan->options.check_finite && !outputs_finite(s->plan)) s->nonfinite = true;
    const ann_outcome mine = {.failed = s->status != ANN_OK, .nonfinite = s->nonfinite};
    if (!s->ops) {
        heed(s, mine, "an output");
        return ANN_OK;
    }
    const int64_t begin_ns = now(s);
    ANN_TRY(s->ops->start(s->ops->self, &message, mine, &request));
    ANN_TRY(s->ops->wait(s->ops->self, request, &all));
    record_plain(s, ANN_EVENT_VOTE, message.label, begin_ns);
    heed(s, all, message.label);
    return ANN_OK;
}

static ann_status wait_for_operands(step *s, const anni_instr *instr) {
    for (int i = 0; i < instr->n_waits; i++) ANN_TRY(wait_reduce(s, instr->waits[i]));
    return ANN_OK;
}

/* ---- instructions ---- */

/* Gradients that were not computed right in the pack are copied there. Gaps are zeroed each time: another
   plan may have used the same memory. Inputs are in the order of their offsets. */
static void pack(const ann_kernel_call *call) {
    const size_t size = ann_dtype_bytes(call->out_dtype);
    char *out = call->out;
    size_t end = 0;
    for (int i = 0; i < call->n_in; i++) {
        const size_t at = (size_t)call->attrs->pack.offsets[i] * size;
        const size_t bytes = (size_t)ann_shape_elems(&call->in_shape[i]) * size;
        memset(out + end, 0, at - end);
        if (out + at != call->in[i]) memcpy(out + at, call->in[i], bytes);
        end = at + bytes;
    }
    memset(out + end, 0, (size_t)ann_shape_elems(&call->out_shape) * size - end);
}

static ann_status run_instr(step *s, anni_instr *instr) {
    if (instr->writes && !s->voted) ANN_TRY(vote(s));
    ANN_TRY(wait_for_operands(s, instr));
    if (instr->kind == ANNI_REDUCE) return start_reduce(s, instr);
    if (s->status != ANN_OK) return ANN_OK;
    const int64_t begin_ns = now(s);
    s->wrote = s->wrote || instr->writes;
    const bool away = s->plan->in_flight > 0 && s->ops->away;
    if (away) s->ops->away(s->ops->self);
    if (instr->kind == ANNI_PACK) pack(&instr->call);
    else s->status = instr->kernel->run(&instr->call);
    if (away) s->ops->back(s->ops->self);
    record_plain(s, ANN_EVENT_COMPUTE, instr->label, begin_ns);
    if (s->status != ANN_OK) anni_error_frame(__FILE__, __LINE__, instr->label);
    return ANN_OK;
}

static ann_status progress(step *s) {
    if (!s->plan->in_flight) return ANN_OK;
    const int64_t begin_ns = now(s);
    ANN_TRY(s->ops->progress(s->ops->self));
    record_plain(s, ANN_EVENT_PROGRESS, "progress", begin_ns);
    return ANN_OK;
}

static ann_status run_all(step *s) {
    ann_plan *plan = s->plan;
    for (int i = 0; i < plan->n_instrs; i++) {
        anni_instr *instr = &plan->instrs[i];
        const int64_t begin = plan->options.profile ? ann_clock_ns() : 0;
        ANN_TRY(run_instr(s, instr));
        ANN_TRY(progress(s));
        if (!plan->options.profile) continue;
        instr->spent_ns += ann_clock_ns() - begin;
        instr->runs++;
    }
    for (int i = 0; i < plan->n_last_waits; i++) ANN_TRY(wait_reduce(s, plan->last_waits[i]));
    return ANN_OK;
}

ann_status ann_plan_run(ann_plan *plan, ann_status inject) {
    step s = {.plan = plan, .ops = plan->options.channels, .status = inject};
    for (int i = 0; i < plan->n_inputs && s.status == ANN_OK; i++)
        if (!plan->inputs[i].bound)
            s.status = ann_error(ANN_ERR_ARG, "input %s is not bound", plan->inputs[i].name);
    const ann_status broken = run_all(&s);
    const ann_status status = broken != ANN_OK ? broken : s.status;
    if (status != ANN_OK && s.wrote) plan->torn = true;
    return status;
}

/* ---- profile ---- */

static int slowest_first(const void *a, const void *b) {
    const anni_instr *x = *(anni_instr *const *)a, *y = *(anni_instr *const *)b;
    return x->spent_ns < y->spent_ns ? 1 : x->spent_ns > y->spent_ns ? -1 : 0;
}

void ann_plan_profile(ann_plan *plan, void (*write)(void *to, const char *text), void *to) {
    char line[512];
    anni_instr **sorted = malloc((size_t)(plan->n_instrs + 1) * sizeof *sorted);
    int64_t total = 0, runs = 0;
    if (!sorted) return;
    for (int i = 0; i < plan->n_instrs; i++) {
        sorted[i] = &plan->instrs[i];
        total += sorted[i]->spent_ns;
        runs = sorted[i]->runs > runs ? sorted[i]->runs : runs;
    }
    qsort(sorted, (size_t)plan->n_instrs, sizeof *sorted, slowest_first);
    snprintf(line, sizeof line, "%d instructions, %lld runs, %.3f ms per run, plan block %.1f MB\n",
             plan->n_instrs, (long long)runs, runs ? (double)total / (double)runs / 1e6 : 0,
             (double)plan->block_bytes / 1e6);
    write(to, line);
    for (int i = 0; i < plan->n_instrs; i++) {
        anni_instr *instr = sorted[i];
        if (!instr->runs) continue;
        snprintf(line, sizeof line, "%10.1f us %5.1f %%  %s\n",
                 (double)instr->spent_ns / (double)instr->runs / 1e3,
                 total ? 100.0 * (double)instr->spent_ns / (double)total : 0, instr->label);
        write(to, line);
        instr->spent_ns = instr->runs = 0;
    }
    free(sorted);
}

static double mean_s(const anni_instr *instr) {
    return instr->runs ? 1e-9 * (double)instr->spent_ns / (double)instr->runs : 0;
}

double ann_plan_message_s(const ann_plan *plan, int index) {
    double seconds = 0;
    for (int i = 0; i < plan->n_instrs; i++) {
        if (plan->instrs[i].kind == ANNI_REDUCE && index-- == 0) break;
        seconds += mean_s(&plan->instrs[i]);
    }
    return seconds;
}

double ann_plan_update_s(const ann_plan *plan) {
    double seconds = 0;
    bool writes = false;
    for (int i = 0; i < plan->n_instrs; i++) {
        writes = writes || plan->instrs[i].writes;
        if (writes) seconds += mean_s(&plan->instrs[i]);
    }
    return seconds;
}
