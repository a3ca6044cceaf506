/* The threads that use the registry. Requests wait in a bounded queue; the writer answers all that wait as
   one transaction, and a reply is handed over after the commit. A reader answers each from one snapshot. */
#ifndef ANN_COORD_WORKER_H
#define ANN_COORD_WORKER_H

#include "coord/methods.h"

typedef struct anni_coord_worker anni_coord_worker;
typedef struct anni_task anni_task;

/* Serialised reply (owner: the callee, free), or the status and text of a failure. */
typedef void (*anni_reply_fn)(void *call, ann_status status, const char *text, uint8_t *bytes, size_t size);
/* Anything else that is to be done with the registry, on the worker's thread, outside of transactions. */
typedef void (*anni_work_fn)(anni_registry *r, void *context);

struct anni_task {
    anni_task *next;
    const anni_method *method; /* NULL: `work`, or a line of the audit log in `refused` */
    anni_caller caller;
    void *call;
    anni_reply_fn reply;
    anni_work_fn work;
    char *refused, *why; /* of a request that was refused: its method, the reason */
    uint8_t *bytes;
    size_t size;
    /* the answer */
    ann_status status;
    char *text;
    uint8_t *reply_bytes;
    size_t reply_size;
};

typedef struct anni_coord_worker_options {
    anni_registry *registry; /* the worker's alone from now on; borrowed */
    bool writes;
    /* For the writer: what a transaction has made, after its commit. */
    void (*publish)(void *context, const anni_fresh *fresh, int count);
    void *context;
} anni_coord_worker_options;

/* Owner: the caller, anni_coord_worker_stop, which answers what waits first. */
ann_status anni_coord_worker_start(anni_coord_worker **out,
                                   const anni_coord_worker_options *options) ANN_MUST_CHECK;
void anni_coord_worker_stop(anni_coord_worker *w);
/* Never blocks; false if too much waits already, and the task is still the caller's, else it is the worker's,
 * with its bytes. */
bool anni_coord_worker_add(anni_coord_worker *w, anni_task *task);
void anni_task_free(anni_task *task);
/* What a worker does with a task's bytes, in a transaction that is open: decodes, checks, answers; the reply
 * is in the task. */
ann_status anni_task_answer(anni_registry *r, anni_task *task) ANN_MUST_CHECK;

#endif
