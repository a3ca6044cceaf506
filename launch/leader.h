/* Who leads a job: the coordinator at an address, or one that rank 0 holds itself while the job lasts. */
#ifndef ANNULUS_LAUNCH_LEADER_H
#define ANNULUS_LAUNCH_LEADER_H

#include "cli.h"
#include "train/train.h"

typedef struct leader_options {
    const char *address; /* HOST:PORT; NULL: rank 0 holds a coordinator, in OUTPUT/coordinator */
    const char *dir;     /* credentials for `address` */
    bool plain;          /* no TLS for `address` */
    bool none;           /* nobody leads */
} leader_options;

/* Options of a command line, for a list of cli_option, and what --help says of them. */
#define LEADER_CLI(options)                                                                                  \
    {.name = "--coordinator", .value = &(options).address},                                                  \
        {.name = "--coordinator-dir", .value = &(options).dir},                                              \
        {.name = "--coordinator-plain", .flag = &(options).plain}, {                                         \
        .name = "--no-coordinator", .flag = &(options).none                                                  \
    }
#define LEADER_HELP                                                                                          \
    "  --coordinator HOST:PORT  this coordinator leads the run, instead of one that rank 0 holds in\n"       \
    "                 OUTPUT/coordinator (on the loopback interface): `annulus ctl --state "                 \
    "OUTPUT/coordinator`\n"                                                                                  \
    "                 shows and steers the run\n"                                                            \
    "  --coordinator-dir DIR    with the certificate or token in DIR\n"                                      \
    "  --coordinator-plain      without TLS, on a loopback address\n"                                        \
    "  --no-coordinator         nobody leads the run\n"

typedef struct leader leader;
/* `train`: what the run is going to be given. On ranks other than 0 nothing is made. The coordinator and the
   agent start when the first phase does. Local. Errors: ANN_ERR_MEMORY. */
ann_status leader_begin(leader **out, const leader_options *options, ann_comm *comm,
                        const ann_run_config *config, const ann_train_options *train) ANN_MUST_CHECK;
/* NULL where nobody leads. */
const ann_lead *leader_lead(leader *l);
/* `status`: how the run ended. */
void leader_end(leader *l, ann_status status);

#endif
