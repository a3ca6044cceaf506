/* The agent of a training job: it stands on rank 0 between the run and its coordinator.

   The thread that trains hands it lines of metrics, and takes requests from it, without ever waiting; a
   thread of the agent's own talks to the coordinator. When that is slow, stopped or gone, training goes on;
   what was measured meanwhile is kept and sent when it is back. */
#ifndef ANNULUS_LAUNCH_AGENT_H
#define ANNULUS_LAUNCH_AGENT_H

#include "coord/coord.h"
#include "train/run_graph.h"
#include "train/train.h"

typedef struct agent agent;

typedef struct agent_options {
    /* Makes the client; called by the agent's thread when the first phase begins, and again after a failure.
     */
    ann_status (*connect)(void *context, ann_coord_client **client);
    void *context;
    const char *instance; /* earlier jobs of this instance are over; "": none is */
    const char *version;
    const ann_run_config *config; /* borrowed until agent_end */
    ann_comm *comm;               /* whose hosts are named; used by agent_start alone */
    /* Which phases the job is about, as in ann_train_options. */
    const char *from, *const *only;
    int only_count;
    bool resume;     /* they go on; else they begin anew */
    bool unattended; /* nobody has started the job again: a run that was stopped stays so */
} agent_options;

/* Starts the agent's thread, which connects and registers by itself. On rank 0 alone. Local. Errors:
   ANN_ERR_MEMORY. Owner: the caller, agent_end. */
ann_status agent_start(agent **out, const agent_options *options) ANN_MUST_CHECK;
/* What the run is to be given. Borrowed. */
const ann_lead *agent_lead(agent *a);
/* Sends what is left, for at most `wait_s`, tells the coordinator how the job ends, and ends. NULL is fine.
 */
void agent_end(agent *a, int exit_code, const char *text, double wait_s);

#endif
