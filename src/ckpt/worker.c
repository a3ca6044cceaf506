#include "ckpt/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void finish(anni_worker *worker, ann_status status) {
    worker->status = status;
    (void)snprintf(worker->text, sizeof worker->text, "%s", status == ANN_OK ? "" : ann_error_text());
    (void)pthread_mutex_lock(&worker->mutex);
    worker->done = true;
    (void)pthread_cond_signal(&worker->ended);
    (void)pthread_mutex_unlock(&worker->mutex);
}

static void *run(void *data) {
    anni_worker *worker = data;
    finish(worker, worker->work(worker->of));
    return NULL;
}

ann_status anni_worker_init(anni_worker *worker) {
    pthread_condattr_t attr;
    *worker = (anni_worker){.done = true};
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    const int failed = pthread_mutex_init(&worker->mutex, NULL) || pthread_cond_init(&worker->ended, &attr);
    (void)pthread_condattr_destroy(&attr);
    return failed ? ann_error(ANN_ERR_MEMORY, "no memory for a thread") : ANN_OK;
}

void anni_worker_fini(anni_worker *worker) {
    if (worker->running) (void)pthread_join(worker->thread, NULL);
    (void)pthread_cond_destroy(&worker->ended);
    (void)pthread_mutex_destroy(&worker->mutex);
}

void anni_worker_start(anni_worker *worker, anni_work work, void *of) {
    sigset_t all, before;
    worker->work = work;
    worker->of = of;
    worker->status = ANN_OK;
    worker->done = !work;
    if (!work) return;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&worker->thread, NULL, run, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->running = !failed;
    if (failed) finish(worker, ann_error(ANN_ERR_MEMORY, "no thread can be started: %s", strerror(failed)));
}

bool anni_worker_done(anni_worker *worker) {
    (void)pthread_mutex_lock(&worker->mutex);
    const bool done = worker->done;
    (void)pthread_mutex_unlock(&worker->mutex);
    return done;
}

void anni_worker_wait(anni_worker *worker, int64_t at_most_ns) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + at_most_ns;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_mutex_lock(&worker->mutex);
    while (!worker->done && pthread_cond_timedwait(&worker->ended, &worker->mutex, &until) != ETIMEDOUT)
        ;
    (void)pthread_mutex_unlock(&worker->mutex);
}

ann_status anni_worker_join(anni_worker *worker) {
    if (worker->running) (void)pthread_join(worker->thread, NULL);
    worker->running = false;
    return worker->status == ANN_OK ? ANN_OK : ann_error(worker->status, "%s", worker->text);
}
