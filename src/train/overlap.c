/* Measuring what communication costs. Each step is run three times on the same batch, between barriers:
   without communication, the messages alone, and as in training; so noise of the machine hits all three
   alike. The learning rate is 0, so that no step changes what the next one computes. */
#include "train/overlap.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/median.h"
#include "train/phase.h"

enum { WARM_UP_STEPS = 3, KEPT_STEPS = 3, EVENTS_MAX = 1 << 16 };

/* What a rank notes of a step, in seconds; behind these, three for each message. */
enum { STEP, COMPUTE, ALONE, WAIT, VOTE, START, PROGRESS, LONGEST, MESSAGES };
enum { MESSAGE_START, MESSAGE_DONE, MESSAGE_WAIT, PER_MESSAGE };

typedef struct measurement {
    anni_phase *phase;
    ann_comm *comm;
    int size, steps, width; /* width: numbers of a step */
    ann_store *store;
    anni_micro talking, silent;
    void *shared;
    anni_scalars scalars;
    ann_loader *loader;
    ann_trace trace;
    ann_message *messages; /* of a step */
    int *requests;
    int n_messages;
    double *mine, *all; /* [steps][width], and by rank */
    double *column;     /* [steps] scratch */
    ann_overlap_message *shown;
    ann_overlap report;
    double longest_s; /* on this rank, in any step */
} measurement;

/* ---- setting up ---- */

static ann_status make_graphs(measurement *m, size_t *shared_bytes) {
    const int64_t batch = m->phase->config->batch;
    ANN_TRY(ann_store_new(&m->store, m->phase->run->config->seed));
    ANN_TRY(anni_micro_declare(&m->talking, m->store, m->phase, 0, batch, 0));
    ANN_TRY(anni_micro_declare(&m->silent, m->store, m->phase, 0, batch, 0));
    ANN_TRY(ann_store_commit(m->store));
    ANN_TRY(anni_micro_lower(&m->talking, m->phase, shared_bytes));
    return anni_micro_lower(&m->silent, m->phase, shared_bytes);
}

static const ann_plan *plan_of(const measurement *m, int micro_batch) {
    return m->talking.steps[ann_optim_part_kind(micro_batch, m->talking.count)].plan;
}

static ann_status allocate(measurement *m) {
    for (int i = 0; i < m->talking.count; i++) m->n_messages += ann_plan_message_count(plan_of(m, i));
    m->width = MESSAGES + PER_MESSAGE * m->n_messages;
    const size_t numbers = (size_t)m->steps * (size_t)m->width, n = (size_t)m->n_messages + 1;
    m->mine = calloc(numbers, sizeof *m->mine);
    m->all = calloc(numbers * (size_t)m->size, sizeof *m->all);
    m->column = calloc((size_t)m->steps, sizeof *m->column);
    m->messages = calloc(n, sizeof *m->messages);
    m->requests = calloc(n, sizeof *m->requests);
    m->shown = calloc(n, sizeof *m->shown);
    m->trace = (ann_trace){.events = calloc(EVENTS_MAX, sizeof(ann_event)), .room = EVENTS_MAX};
    if (!m->mine || !m->all || !m->column || !m->messages || !m->requests || !m->shown || !m->trace.events)
        return ann_error(ANN_ERR_MEMORY, "no memory for what %d steps take", m->steps);
    for (int i = 0, at = 0; i < m->talking.count; i++)
        for (int k = 0; k < ann_plan_message_count(plan_of(m, i)); k++)
            m->messages[at++] = ann_plan_message(plan_of(m, i), k);
    return ANN_OK;
}

/* Batches that are not whole are passed over, and there may be as many of them as of the others. */
static ann_status start_loader(measurement *m) {
    const anni_run *run = m->phase->run;
    const int64_t batches = 2 * ((int64_t)m->steps + WARM_UP_STEPS);
    const ann_loader_options options = {.dataset = m->phase->train,
                                        .order = m->phase->order,
                                        .rank = run->rank,
                                        .size = run->size,
                                        .end_position = ann_order_after(m->phase->order, 0, batches),
                                        .max_threads = run->threads,
                                        .augment = m->phase->augment,
                                        .views = anni_method_has_two_views(m->phase->config) ? 2 : 1};
    return ann_loader_new(&m->loader, &options);
}

static ann_status make_plans(measurement *m) {
    const anni_use talking = {.training = true, .shared = m->shared, .trace = &m->trace};
    const anni_use silent = {.training = true, .alone = true, .shared = m->shared};
    m->scalars = (anni_scalars){.step = 1, .loss_scale = 1, .loss_unscale = 1};
    ANN_TRY(anni_micro_plan(&m->talking, m->phase, &m->scalars, talking));
    ANN_TRY(anni_micro_plan(&m->silent, m->phase, &m->scalars, silent));
    ANN_TRY(allocate(m));
    return start_loader(m);
}

/* Collective. */
static ann_status prepare(measurement *m) {
    size_t shared_bytes = 0;
    ANN_TRY(ann_agree(m->comm, make_graphs(m, &shared_bytes)));
    ANN_TRY(ann_comm_alloc(m->comm, &m->shared, shared_bytes));
    if (m->phase->config->reduction.order == ANN_REDUCTION_INVARIANT)
        ANN_TRY(ann_comm_set_sum_order(m->comm, ANN_SUM_ORDER_TREE));
    return ann_agree(m->comm, make_plans(m));
}

/* Collective. */
static void finish(measurement *m) {
    ann_loader_free(m->loader);
    anni_micro_free(&m->talking);
    anni_micro_free(&m->silent);
    if (m->shared) ann_comm_release(m->comm, m->shared);
    const ann_status restored = ann_comm_set_sum_order(m->comm, ANN_SUM_ORDER_ANY);
    (void)restored; /* any number of ranks can sum in any order */
    ann_store_free(m->store);
    free(m->trace.events);
    free(m->messages);
    free(m->requests);
    free(m->shown);
    free(m->mine);
    free(m->all);
    free(m->column);
}

/* ---- a step ---- */

static double seconds(int64_t ns) { return 1e-9 * (double)ns; }

static bool overlap_in_memory(const ann_message *a, const ann_message *b) {
    const uintptr_t x = (uintptr_t)a->data, y = (uintptr_t)b->data;
    const size_t x_bytes = (size_t)(a->elems + ANN_MESSAGE_SLOTS) * ann_dtype_bytes(a->dtype);
    const size_t y_bytes = (size_t)(b->elems + ANN_MESSAGE_SLOTS) * ann_dtype_bytes(b->dtype);
    return x < y + y_bytes && y < x + x_bytes;
}

static ann_status wait_alone(measurement *m, int i) {
    ann_outcome all;
    const ann_channel_ops *ops = ann_comm_channel_ops(m->comm);
    if (m->requests[i] < 0) return ANN_OK;
    const int request = m->requests[i];
    m->requests[i] = -1;
    return ops->wait(ops->self, request, &all);
}

/* All messages at once, but for those that share memory with one before. */
static ann_status send_alone(measurement *m) {
    const ann_channel_ops *ops = ann_comm_channel_ops(m->comm);
    for (int i = 0; i < m->n_messages; i++) {
        for (int k = 0; k < i; k++)
            if (overlap_in_memory(&m->messages[i], &m->messages[k])) ANN_TRY(wait_alone(m, k));
        ANN_TRY(ops->start(ops->self, &m->messages[i], (ann_outcome){false, false}, &m->requests[i]));
    }
    for (int i = 0; i < m->n_messages; i++) ANN_TRY(wait_alone(m, i));
    return ANN_OK;
}

static void note_event(measurement *m, double *row, const ann_event *event, int64_t step_begin_ns) {
    const double took_s = seconds(event->end_ns - event->begin_ns);
    double *message = row + MESSAGES + PER_MESSAGE * (event->message > 0 ? event->message : 0);
    switch (event->kind) {
    case ANN_EVENT_COMPUTE:
        if (took_s > row[LONGEST]) row[LONGEST] = took_s;
        if (took_s > m->longest_s) {
            m->longest_s = took_s;
            m->report.longest = event->label;
        }
        break;
    case ANN_EVENT_PROGRESS: row[PROGRESS] += took_s; break;
    case ANN_EVENT_START:
        row[START] += took_s;
        message[MESSAGE_START] = seconds(event->begin_ns - step_begin_ns);
        break;
    case ANN_EVENT_WAIT:
        row[WAIT] += took_s;
        message[MESSAGE_WAIT] = took_s;
        message[MESSAGE_DONE] = seconds((event->done_ns ? event->done_ns : event->end_ns) - step_begin_ns);
        break;
    case ANN_EVENT_VOTE:
        row[WAIT] += took_s;
        row[VOTE] += took_s;
        break;
    }
}

/* Collective; a failure is every rank's. */
static ann_status run_talking(measurement *m, const ann_batch *batch, double *row) {
    anni_sums sums = {0};
    const int first = m->trace.count;
    m->trace.messages = m->trace.dropped = 0;
    const int64_t begin_ns = ann_clock_ns();
    const ann_status status = anni_micro_run(&m->talking, batch, ANN_OK, &sums);
    const int64_t end_ns = ann_clock_ns();
    ANN_TRY(ann_agree(m->comm, status == ANN_ERR_PEER ? ANN_OK : status));
    if (m->trace.dropped > 0)
        return ann_error(ANN_ERR_UNSUPPORTED, "a step of more than %d events cannot be measured",
                         EVENTS_MAX / KEPT_STEPS);
    if (!row) return ANN_OK;
    row[STEP] = seconds(end_ns - begin_ns);
    for (int i = first; i < m->trace.count; i++) note_event(m, row, &m->trace.events[i], begin_ns);
    return ANN_OK;
}

static ann_status next_batch(measurement *m, const ann_batch **batch) {
    do {
        ANN_TRY(ann_loader_next(m->loader, batch));
        if (!*batch)
            return ann_error(ANN_ERR_CONFIG, "phase %s: too few whole batches of %lld samples",
                             m->phase->config->name, (long long)m->phase->config->batch);
    } while ((*batch)->global_count != m->phase->config->batch);
    return ANN_OK;
}

/* row: NULL for a step that does not count. Collective. */
static ann_status run_step(measurement *m, double *row) {
    const ann_batch *batch = NULL;
    anni_sums sums = {0};
    ANN_TRY(ann_agree(m->comm, next_batch(m, &batch)));
    int64_t begin_ns = ann_clock_ns();
    ann_status status = anni_micro_run(&m->silent, batch, ANN_OK, &sums);
    if (row) row[COMPUTE] = seconds(ann_clock_ns() - begin_ns);
    ANN_TRY(ann_agree(m->comm, status));
    ANN_TRY(ann_comm_barrier(m->comm));
    begin_ns = ann_clock_ns();
    ANN_TRY(send_alone(m));
    if (row) row[ALONE] = seconds(ann_clock_ns() - begin_ns);
    ANN_TRY(ann_comm_barrier(m->comm));
    return run_talking(m, batch, row);
}

static ann_status run_steps(measurement *m) {
    for (int i = -WARM_UP_STEPS; i < m->steps; i++) {
        if (i <= m->steps - KEPT_STEPS) m->trace.count = 0;
        ANN_TRY(run_step(m, i < 0 ? NULL : m->mine + (size_t)i * (size_t)m->width));
    }
    return ann_comm_allgather(m->comm, m->all, m->mine, (size_t)m->steps * (size_t)m->width * sizeof *m->all);
}

/* ---- summing up ---- */

typedef enum over_ranks { MOST, MEAN, LEAST } over_ranks;

static double of_step(const measurement *m, int step, int column, over_ranks how) {
    double sum = 0, most = 0, least = 0;
    for (int r = 0; r < m->size; r++) {
        const double x =
            m->all[((size_t)r * (size_t)m->steps + (size_t)step) * (size_t)m->width + (size_t)column];
        sum += x;
        if (r == 0 || x > most) most = x;
        if (r == 0 || x < least) least = x;
    }
    return how == MOST ? most : how == LEAST ? least : sum / m->size;
}

static double median(measurement *m, int column, over_ranks how) {
    for (int i = 0; i < m->steps; i++) m->column[i] = of_step(m, i, column, how);
    return ann_median(m->column, m->steps);
}

static double median_of(measurement *m, double (*of)(const measurement *m, int step)) {
    for (int i = 0; i < m->steps; i++) m->column[i] = of(m, i);
    return ann_median(m->column, m->steps);
}

static double lateness(const measurement *m, int step) {
    return of_step(m, step, WAIT, MEAN) - of_step(m, step, WAIT, LEAST);
}

/* What is slow for a while is so for the three runs of a batch. */
static double overlap(const measurement *m, int step) {
    const double compute_s = of_step(m, step, COMPUTE, MOST), alone_s = of_step(m, step, ALONE, MOST);
    const double smaller_s = alone_s < compute_s ? alone_s : compute_s;
    return smaller_s > 0 ? (alone_s + compute_s - of_step(m, step, STEP, MOST)) / smaller_s : 0;
}

static void sum_up(measurement *m) {
    ann_overlap *r = &m->report;
    for (int i = 0; i < m->n_messages; i++) {
        const ann_message *sent = &m->messages[i];
        const int64_t bytes = sent->elems * (int64_t)ann_dtype_bytes(sent->dtype);
        const int column = MESSAGES + PER_MESSAGE * i;
        m->shown[i] = (ann_overlap_message){.label = sent->label,
                                            .bytes = bytes,
                                            .algorithm = ann_comm_choose(m->comm, bytes),
                                            .start_s = median(m, column + MESSAGE_START, MEAN),
                                            .done_s = median(m, column + MESSAGE_DONE, MEAN),
                                            .wait_s = median(m, column + MESSAGE_WAIT, MEAN)};
    }
    r->steps = m->steps;
    r->step_s = median(m, STEP, MOST);
    r->compute_s = median(m, COMPUTE, MOST);
    r->alone_s = median(m, ALONE, MOST);
    r->wait_s = median(m, WAIT, MEAN);
    r->late_s = median_of(m, lateness);
    r->overlap = median_of(m, overlap);
    r->vote_s = median(m, VOTE, MEAN);
    r->start_s = median(m, START, MEAN);
    r->progress_s = median(m, PROGRESS, MEAN);
    r->longest_s = median(m, LONGEST, MOST);
    r->message_count = m->n_messages;
    r->messages = m->shown;
    r->events = m->trace.events;
    r->event_count = m->trace.count;
}

static ann_status measure(anni_phase *phase, int steps,
                          ann_status (*show)(void *to, const ann_overlap *report), void *to) {
    int64_t round_trip_ns;
    measurement m = {.phase = phase, .comm = phase->run->comm, .size = phase->run->size, .steps = steps};
    m.report.longest = "";
    ann_status status = prepare(&m);
    if (status == ANN_OK) status = run_steps(&m);
    if (status == ANN_OK) status = ann_comm_clock_offset(m.comm, &m.report.clock_offset_ns, &round_trip_ns);
    if (status == ANN_OK) {
        sum_up(&m);
        status = show(to, &m.report);
    }
    finish(&m);
    return status;
}

static ann_status check(const ann_run_config *config, int index, const char *phase, int size) {
    if (index < 0) return ann_error(ANN_ERR_NOT_FOUND, "%s: there is no phase \"%s\"", config->path, phase);
    if (size == 1) return ann_error(ANN_ERR_CONFIG, "one rank sends nothing: mpirun -n 2");
    if (!ann_phase_is_trained(config->phases[index].kind))
        return ann_error(ANN_ERR_CONFIG, "phase %s: kind %s is not trained", phase,
                         ann_phase_kind_name(config->phases[index].kind));
    if (config->phases[index].sync.every > 0)
        return ann_error(ANN_ERR_CONFIG, "phase %s: ranks train apart (sync), and a step sends nothing",
                         phase);
    return ANN_OK;
}

ann_status ann_train_overlap(ann_comm *comm, const ann_run_config *config, const char *phase_name,
                             const ann_overlap_options *options,
                             ann_status (*show)(void *to, const ann_overlap *report), void *to) {
    const ann_train_options quiet = {0};
    anni_run run = {.comm = comm,
                    .config = config,
                    .options = &quiet,
                    .rank = ann_comm_rank(comm),
                    .size = ann_comm_size(comm),
                    .threads = options->threads > 0 ? options->threads : anni_threads_per_rank(comm)};
    anni_phase phase;
    const int index = ann_run_config_find_phase(config, phase_name);
    ANN_TRY(check(config, index, phase_name, run.size));
    ann_kernel_init();
    ann_status status = ann_agree(comm, anni_phase_open(&phase, &run, index));
    if (status == ANN_OK) status = anni_tuning_begin(&run);
    if (status == ANN_OK) status = measure(&phase, options->steps, show, to);
    anni_phase_close(&phase);
    return status;
}
