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

enum { LEADER_OPTIONS = 4 };
/* Fills in the options of a command line, and what --help says of them. */
void leader_cli(cli_option out[LEADER_OPTIONS], leader_options *options);
extern const char leader_help[];

typedef struct leader leader;
/* On ranks other than 0 nothing is made. The coordinator and the agent start when the first phase does.
   Local. Errors: ANN_ERR_MEMORY. */
ann_status leader_begin(leader **out, const leader_options *options, ann_comm *comm,
                        const ann_run_config *config, bool resume) ANN_MUST_CHECK;
/* NULL where nobody leads. */
const ann_lead *leader_lead(leader *l);
/* `status`: how the run ended. */
void leader_end(leader *l, ann_status status);

#endif
