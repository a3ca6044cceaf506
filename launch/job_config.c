/* The run file of a job: read by every rank, and the same for all of them. */
#include <stdio.h>
#include "cli.h"
#include "job.h"
#include "train/train.h"

/* The timeout is a key of the run file, which the ranks read before they know it: until then the default
 * holds. */
#define LOAD_TIMEOUT_S 60.0

/* All ranks must have read the same run file. Collective. */
static ann_status compare_configs(ann_comm *comm, const ann_run_config *config) {
    uint64_t first = config->hash;
    ANN_TRY(ann_comm_broadcast(comm, &first, sizeof first, 0));
    return ann_agree(
        comm, first == config->hash
                  ? ANN_OK
                  : ann_error(ANN_ERR_CONFIG, "%s: this rank reads another text than rank 0", config->path));
}

/* Reads the run file on every rank and agrees on the outcome. The error's text is this rank's own if it has
   one, so that rank 0 prints "file:line:column: ...". Collective. */
static ann_status load_everywhere(ann_run_config **out, ann_comm *comm, const char *path, const char **sets,
                                  int set_count) {
    char own[1024] = "";
    const ann_status local = ann_run_config_load(out, path, sets, set_count);
    if (local != ANN_OK) snprintf(own, sizeof own, "%s", ann_error_text());
    const ann_status status = ann_agree(comm, local);
    if (status != ANN_OK) return own[0] ? ann_error(status, "%s", own) : status;
    return compare_configs(comm, *out);
}

ann_status job_config(ann_run_config **out, ann_comm **comm, const job *j, const char *path,
                      const char **sets, int set_count) {
    ANN_TRY(job_comm(comm, j, LOAD_TIMEOUT_S));
    ANN_TRY(load_everywhere(out, *comm, path, sets, set_count));
    ann_comm_free(*comm);
    *comm = NULL;
    return job_comm(comm, j, (*out)->comm_timeout_s);
}

/* A wait that ended without an answer: the other ranks cannot be brought to an orderly end. */
static bool is_lost(const job *j, ann_status status) {
    return j->size > 1 && (status == ANN_ERR_TIMEOUT || status == ANN_ERR_COMM);
}

int job_finish(const job *j, ann_comm *comm, ann_run_config *config, ann_status status) {
    int code = ann_status_exit_code(status);
    const bool lost = is_lost(j, status);
    if (!lost) ann_comm_free(comm);
    if (status != ANN_OK && (j->rank == 0 || lost)) code = cli_fail(status);
    ann_run_config_free(config);
    return lost ? job_abort(j, code) : job_end(j, code);
}
