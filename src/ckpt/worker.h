/* A thread that does one piece of work at a time and brings its status and error text home. It takes no
   signals. Local. */
#ifndef ANN_CKPT_WORKER_H
#define ANN_CKPT_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

typedef ann_status (*anni_work)(void *of);

typedef struct anni_worker {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    pthread_t thread;
    bool running; /* the thread has been started and not yet been joined */
    bool done;    /* under mutex */
    anni_work work;
    void *of;
    ann_status status;
    char text[1024]; /* of a failure */
} anni_worker;

ann_status anni_worker_init(anni_worker *worker) ANN_MUST_CHECK;
/* Waits for what is under way. */
void anni_worker_fini(anni_worker *worker);
/* Starts work(of) on a thread; NULL: there is nothing to do, which is done at once. Where no thread can be
   had, the work ends with ANN_ERR_MEMORY. */
void anni_worker_start(anni_worker *worker, anni_work work, void *of);
bool anni_worker_done(anni_worker *worker);
/* Waits at most this long for the end of the work. */
void anni_worker_wait(anni_worker *worker, int64_t at_most_ns);
/* Waits for the end of the work and returns its status, with its text as this thread's error. */
ann_status anni_worker_join(anni_worker *worker) ANN_MUST_CHECK;

#endif
