#include "leader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent.h"
#include "base/version.h"

struct leader {
    leader_options options;
    const ann_run_config *config;
    ann_coord_server *server; /* NULL: not started, or another one leads */
    agent *agent;
    char dir[4096], instance[160];
};

static const double LAST_WORDS_S = 5; /* for what has not been told at the end */

/* ---- starting ---- */

/* Jobs of one batch job, of one supervisor, or with a coordinator of their own in one output folder follow
   each other. Others may work on the run at the same time. */
static void name_instance(leader *l) {
    const char *slurm = getenv("SLURM_JOB_ID"), *supervisor = getenv("ANNULUS_SUPERVISOR");
    if (slurm) (void)snprintf(l->instance, sizeof l->instance, "slurm-%.100s", slurm);
    else if (!l->options.address) (void)snprintf(l->instance, sizeof l->instance, "%s", "embedded");
    else if (supervisor) (void)snprintf(l->instance, sizeof l->instance, "supervisor-%.100s", supervisor);
}

/* Slurm has started the job again, not a person. */
static bool is_restart(void) {
    const char *count = getenv("SLURM_RESTART_COUNT"), *chain = getenv("ANNULUS_CHAIN");
    return (count && atoi(count) > 0) || (chain && atoi(chain) > 0);
}

static ann_status start_server(leader *l) {
    (void)snprintf(l->dir, sizeof l->dir, "%s/coordinator", l->config->output);
    (void)mkdir(l->dir, 0700);
    const ann_coord_server_options options = {.listen = "127.0.0.1:0", .dir = l->dir, .plain = true};
    return ann_coord_server_start(&l->server, &options);
}

/* By the agent's thread, when the run's output folder is there. */
static ann_status connect(void *self, ann_coord_client **client) {
    leader *l = self;
    const bool embedded = !l->options.address;
    if (embedded && !l->server) ANN_TRY(start_server(l));
    const ann_coord_client_options options = {.address = embedded ? ann_coord_server_address(l->server)
                                                                  : l->options.address,
                                              .dir = embedded ? l->dir : l->options.dir,
                                              .plain = embedded || l->options.plain};
    return ann_coord_client_open(client, &options);
}

static void release(leader *l) {
    ann_coord_server_stop(l->server);
    free(l);
}

ann_status leader_begin(leader **out, const leader_options *options, ann_comm *comm,
                        const ann_run_config *config, const ann_train_options *train) {
    *out = NULL;
    if (options->none || ann_comm_rank(comm) != 0) return ANN_OK;
    leader *l = calloc(1, sizeof *l);
    if (!l) return ann_error(ANN_ERR_MEMORY, "no memory for the run's leader");
    l->options = *options;
    l->config = config;
    name_instance(l);
    const agent_options to = {.connect = connect,
                              .context = l,
                              .instance = l->instance,
                              .version = ann_revision(),
                              .config = config,
                              .comm = comm,
                              .from = train->from,
                              .only = train->only,
                              .only_count = train->only_count,
                              .resume = train->resume,
                              .unattended = is_restart()};
    const ann_status status = agent_start(&l->agent, &to);
    if (status == ANN_OK) *out = l;
    else release(l);
    return status;
}

const ann_lead *leader_lead(leader *l) { return l ? agent_lead(l->agent) : NULL; }

void leader_end(leader *l, ann_status status) {
    char text[512];
    if (!l) return;
    (void)snprintf(text, sizeof text, "%s", status == ANN_OK ? "" : ann_error_text());
    agent_end(l->agent, ann_status_exit_code(status), text, LAST_WORDS_S);
    release(l);
    if (status != ANN_OK) (void)ann_error(status, "%s", text);
}
