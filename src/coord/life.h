/* The life of runs, phases and jobs: who holds which phase, and what follows from what. Within a transaction.
 */
#ifndef ANN_COORD_LIFE_H
#define ANN_COORD_LIFE_H

#include "coord/registry.h"

typedef struct anni_job {
    int64_t id, run, state;
    char *run_name, *phase; /* phase: the one it holds, or "" */
    char *wants;            /* names of the phases it is for, each behind a newline; "": any */
} anni_job;

/* The job of this number. Errors: ANN_ERR_NOT_FOUND. */
ann_status anni_job_find(anni_registry *r, anni_job *job, int64_t id, ann_arena *arena) ANN_MUST_CHECK;
/* The same for a job that speaks: it is heard of; one that was lost lives again, if nobody else holds its
   phase, and *over says that it may not go on. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_CONFIG if it has left. */
ann_status anni_job_heard(anni_registry *r, anni_job *job, bool *over, int64_t id,
                          ann_arena *arena) ANN_MUST_CHECK;
/* A job is over: its phases are free, its deliveries wait for the next one, and an event of this kind tells
 * of it. */
ann_status anni_job_over(anni_registry *r, const anni_job *job, Annulus__V1__JobState state,
                         const char *event, const char *text) ANN_MUST_CHECK;

/* Adds the phases to a run; those that are there keep their state, unless they were done with other inputs.
 */
ann_status anni_phases_merge(anni_registry *r, int64_t run, size_t count,
                             Annulus__V1__PhaseSpec *const *phases, ann_arena *arena) ANN_MUST_CHECK;
/* Names are right and different, and each `after` names a phase further up. Errors: ANN_ERR_ARG. */
ann_status anni_phases_check(size_t count, Annulus__V1__PhaseSpec *const *phases) ANN_MUST_CHECK;
/* The phases that a job is for begin again, unless another job works on them; what they had is forgotten. */
ann_status anni_phases_renew(anni_registry *r, const anni_job *job) ANN_MUST_CHECK;
/* Gives a phase to a live job, or says why there is none. */
ann_status anni_assign(anni_registry *r, anni_job *job, Annulus__V1__Assignment *out,
                       ann_arena *arena) ANN_MUST_CHECK;
/* A live job works on a phase, whether it was given to it or not: it holds it now, unless *other: another job
   does. One that is done stays so. */
ann_status anni_phase_enter(anni_registry *r, anni_job *job, char *phase, bool *other) ANN_MUST_CHECK;
/* Gives the phase `job->phase` to the job; *mine says whether nobody else holds it. */
ann_status anni_phase_hold(anni_registry *r, const anni_job *job, bool *mine) ANN_MUST_CHECK;

/* A request from a row with the columns id, kind, step, value, author, time_ms; NULL if there is no memory.
 */
Annulus__V1__ControlItem *anni_control_item(sqlite3_stmt *rows, ann_arena *arena);

/* Recomputes a run's state from its jobs and phases, and makes an event of what is new. */
ann_status anni_run_settle(anni_registry *r, int64_t run) ANN_MUST_CHECK;

#endif
