/* Which phase is next: as the lead says, else in the order of the graph; and none on which another job works.
 */
#include "base/clock.h"
#include "train/deadline.h"
#include "train/phase.h"
#include "train/saver.h"

static const int64_t POLL_NS = 20000000,
                     SILENCE_NS = 2000000000; /* before people are told why nothing happens */

/* What rank 0 has decided. */
typedef struct turn {
    ann_lead_word word; /* FREE with index -1: all is done */
    int index;          /* -1: none */
} turn;

/* Needs that this job is about have finished; the others have been looked for before. */
static bool is_ready(const anni_run *run, int index) {
    for (int from = 0; from < run->graph->count; from++)
        if (run->selected[from] && !run->results[from].finished &&
            ann_run_graph_edge(run->graph, from, index) != ANN_RUN_EDGE_NONE)
            return false;
    return true;
}

static bool is_left(const anni_run *run, int index) {
    return run->selected[index] && !run->results[index].finished;
}

static turn choose(const anni_run *run) {
    turn t = {ANN_LEAD_FREE, -1};
    for (int i = 0; i < run->graph->count; i++) {
        const int index = run->graph->order[i];
        if (!is_left(run, index)) continue;
        t.word = ANN_LEAD_WAIT;
        if (is_ready(run, index) && anni_claim_take(run, run->config->phases[index].name))
            return (turn){ANN_LEAD_PHASE, index};
    }
    return t;
}

/* On rank 0. */
static turn decide(const anni_run *run) {
    const ann_lead *lead = run->options->lead;
    const char *name = "";
    turn t = {lead && lead->assign ? lead->assign(lead->self, &name) : ANN_LEAD_FREE, -1};
    if (t.word == ANN_LEAD_PHASE) t.index = ann_run_config_find_phase(run->config, name);
    if (t.word == ANN_LEAD_FREE || (t.word == ANN_LEAD_PHASE && (t.index < 0 || !is_left(run, t.index))))
        return choose(run);
    if (t.word == ANN_LEAD_PHASE && !anni_claim_take(run, name)) return (turn){ANN_LEAD_WAIT, -1};
    return t;
}

/* While there is nothing to do. Collective. */
static ann_status heed(const anni_run *run) {
    const ann_train_options *o = run->options;
    const double left_s = 1e-9 * (double)(o->deadline_ns - ann_clock_ns());
    const bool late = o->deadline_ns != 0 && anni_deadline_is_near(left_s, 1, &(anni_deadline_cost){-1, 0});
    const bool asked =
        (o->stop_requested && o->stop_requested()) || (run->rank == 0 && anni_control_take(run, "stop.now"));
    const bool stop = asked || (run->rank == 0 && late);
    return ann_agree(run->comm,
                     stop ? ann_error(ANN_ERR_STOP, "stopped while other jobs work on phases of the run")
                          : ANN_OK);
}

ann_status anni_next_phase(anni_run *run, int *index) {
    const int64_t begin_ns = ann_clock_ns();
    bool said = false;
    turn t;
    for (;;) {
        if (run->rank == 0) t = decide(run);
        ANN_TRY(ann_comm_broadcast(run->comm, &t, sizeof t, 0));
        *index = t.index;
        if (t.word == ANN_LEAD_STOP)
            return ann_error(
                ANN_ERR_CONFIG,
                "the run '%s' was stopped, or another job has taken over: --resume takes it up again",
                run->config->name);
        if (t.word != ANN_LEAD_WAIT) return ANN_OK;
        ANN_TRY(heed(run));
        if (!said && ann_clock_ns() - begin_ns > SILENCE_NS) {
            anni_say(run, "waits for other jobs, which work on the phases before");
            said = true;
        }
        if (run->rank == 0) ann_sleep_ns(POLL_NS);
    }
}
