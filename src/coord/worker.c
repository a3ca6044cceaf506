#include "coord/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/log.h"
#include "coord/message.h"

enum { MOST_WAITING = 50000, GROUP = 1024 };
static const size_t MOST_WAITING_BYTES = (size_t)128 << 20;

struct anni_coord_worker {
    anni_coord_worker_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t more;
    anni_task *first, **last;
    int waiting;
    size_t waiting_bytes;
    bool stop;
};

void anni_task_free(anni_task *task) {
    if (!task) return;
    free(task->bytes);
    free(task->refused);
    free(task->why);
    free(task->text);
    free(task->reply_bytes);
    free(task);
}

bool anni_coord_worker_add(anni_coord_worker *w, anni_task *task) {
    pthread_mutex_lock(&w->mutex);
    const bool room = w->waiting < MOST_WAITING && w->waiting_bytes + task->size <= MOST_WAITING_BYTES;
    if (room) {
        task->next = NULL;
        *w->last = task;
        w->last = &task->next;
        w->waiting++;
        w->waiting_bytes += task->size;
        pthread_cond_signal(&w->more);
    }
    pthread_mutex_unlock(&w->mutex);
    return room;
}

/* Takes up to GROUP tasks; waits up to a second for one. */
static anni_task *take_group(anni_coord_worker *w, bool *stop) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&w->mutex);
    int code = 0;
    while (!w->first && !w->stop && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&w->more, &w->mutex, &until);
    anni_task *group = w->first, **end = &w->first;
    for (int i = 0; i < GROUP && *end; i++) {
        w->waiting--;
        w->waiting_bytes -= (*end)->size;
        end = &(*end)->next;
    }
    w->first = *end;
    *end = NULL;
    if (!w->first) w->last = &w->first;
    *stop = w->stop && !group;
    pthread_mutex_unlock(&w->mutex);
    return group;
}

/* ---- one task ---- */

static void *arena_alloc(void *arena, size_t bytes) { return ann_arena_alloc(arena, bytes); }
static void arena_keep(void *arena, void *p) {
    (void)arena;
    (void)p;
}

static ann_status pack_reply(anni_task *task, const ProtobufCMessage *reply) {
    task->reply_size = protobuf_c_message_get_packed_size(reply);
    task->reply_bytes = malloc(task->reply_size ? task->reply_size : 1);
    if (!task->reply_bytes) return ann_error(ANN_ERR_MEMORY, "no memory for a reply");
    protobuf_c_message_pack(reply, task->reply_bytes);
    return ANN_OK;
}

static ann_status answer_in(anni_registry *r, anni_task *task, ann_arena *arena) {
    ProtobufCAllocator allocator = {arena_alloc, arena_keep, arena};
    ProtobufCMessage *request;
    ANN_TRY(anni_message_read(&request, task->method->request, &allocator, task->size, task->bytes));
    ProtobufCMessage *reply = ann_arena_alloc(arena, task->method->reply->sizeof_message);
    if (!reply) return ann_error(ANN_ERR_MEMORY, "no memory for a reply");
    protobuf_c_message_init(task->method->reply, reply);
    ANN_TRY(task->method->handle(r, &task->caller, arena, request, reply));
    return pack_reply(task, reply);
}

static void set_failure(anni_task *task, ann_status status) {
    free(task->reply_bytes);
    free(task->text);
    task->reply_bytes = NULL;
    task->status = status;
    task->text = strdup(ann_error_text());
}

ann_status anni_task_answer(anni_registry *r, anni_task *task) {
    ann_arena *arena;
    if (task->refused) return anni_audit(r, "", task->caller.author, task->refused, task->why, "refused");
    ANN_TRY(ann_arena_new(&arena));
    const ann_status status = answer_in(r, task, arena);
    ann_arena_free(arena);
    return status;
}

static void reply_and_free(anni_task *task) {
    if (task->reply) {
        task->reply(task->call, task->status, task->text ? task->text : "", task->reply_bytes,
                    task->reply_size);
        task->reply_bytes = NULL;
    }
    anni_task_free(task);
}

/* ---- groups ---- */

/* A request that fails fails alone; what is returned concerns the whole transaction. */
static ann_status write_one(anni_registry *r, anni_task *task) {
    const int fresh = r->fresh_count;
    ANN_TRY(anni_registry_try(r));
    task->status = anni_task_answer(r, task);
    if (task->status == ANN_OK) return anni_registry_keep(r);
    set_failure(task, task->status);
    return anni_registry_undo(r, fresh);
}

static ann_status lose_silent(anni_registry *r) {
    int lost;
    ANN_TRY(anni_lose_silent(r, &lost));
    if (lost)
        ann_log_line(ANN_LOG_WARN, "coordinator: %d job%s lost: silent for too long", lost,
                     lost == 1 ? " is" : "s are");
    return ANN_OK;
}

static ann_status write_all(anni_registry *r, anni_task *group, bool tick) {
    ANN_TRY(anni_registry_begin(r));
    ann_status status = tick ? lose_silent(r) : ANN_OK;
    if (tick && status == ANN_OK) status = anni_prune(r);
    for (anni_task *task = group; task && status == ANN_OK; task = task->next) status = write_one(r, task);
    if (status != ANN_OK) {
        anni_registry_abandon(r);
        return status;
    }
    return anni_registry_commit(r);
}

static void write_group(anni_coord_worker *w, anni_task *group, bool tick) {
    anni_registry *r = w->options.registry;
    const ann_status status = write_all(r, group, tick);
    if (status != ANN_OK) {
        ann_log_line(ANN_LOG_ERROR, "coordinator: nothing could be written: %s", ann_error_text());
        for (anni_task *task = group; task; task = task->next) set_failure(task, status);
    } else if (r->fresh_count) {
        w->options.publish(w->options.context, r->fresh, r->fresh_count);
    }
    for (anni_task *task = group, *next; task; task = next) {
        next = task->next;
        reply_and_free(task);
    }
}

static ann_status read_one(anni_registry *r, anni_task *task) {
    ANN_TRY(anni_db_run(r->db, "BEGIN", ""));
    const ann_status status = anni_task_answer(r, task);
    if (status != ANN_OK) set_failure(task, status);
    ANN_TRY(anni_db_run(r->db, "COMMIT", ""));
    return status;
}

static void read_group(anni_registry *r, anni_task *group) {
    for (anni_task *task = group, *next; task; task = next) {
        next = task->next;
        if (task->method) {
            const ann_status status = read_one(r, task);
            if (status != ANN_OK) set_failure(task, status);
        } else {
            task->work(r, task->call);
        }
        reply_and_free(task);
    }
}

static void *work(void *arg) {
    anni_coord_worker *w = arg;
    struct timespec now, ticked = {0};
    for (;;) {
        bool stop;
        anni_task *group = take_group(w, &stop);
        if (stop) return NULL;
        clock_gettime(CLOCK_MONOTONIC, &now);
        const bool tick = w->options.writes && now.tv_sec != ticked.tv_sec;
        if (tick) ticked = now;
        if (w->options.writes && (group || tick)) write_group(w, group, tick);
        else read_group(w->options.registry, group);
    }
}

ann_status anni_coord_worker_start(anni_coord_worker **out, const anni_coord_worker_options *options) {
    anni_coord_worker *w = calloc(1, sizeof *w);
    pthread_condattr_t monotonic;
    *out = NULL;
    if (!w) return ann_error(ANN_ERR_MEMORY, "cannot allocate a worker");
    w->options = *options;
    w->last = &w->first;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->more, &monotonic);
    pthread_condattr_destroy(&monotonic);
    const int code = pthread_create(&w->thread, NULL, work, w);
    if (code != 0) {
        free(w);
        return ann_error(ANN_ERR_MEMORY, "cannot start a thread: %s", strerror(code));
    }
    *out = w;
    return ANN_OK;
}

void anni_coord_worker_stop(anni_coord_worker *w) {
    if (!w) return;
    pthread_mutex_lock(&w->mutex);
    w->stop = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}
