#include "coord/core.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <stdbool.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

/* absl::SetMutexDeadlockDetectionMode. Debian builds Abseil with the check that every lock is taken in one
   order: a graph of all locks under a lock of its own, 6 % of all processor time in tests/bench/coord_load.
   NULL where it has another name. */
extern void
check_lock_order(int mode) __asm__("_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE")
    __attribute__((weak));
enum { CHECK_NOTHING = 0 };

enum { KNOWN = 64 };
static const int64_t AGAIN_NS = (int64_t)60 * 1000000000;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint64_t text;
    int64_t then_ns;
} known[KNOWN];

/* Was this text logged within the last minute? If not, it counts as logged. */
static bool said_lately(const char *text) {
    const uint64_t hash = ann_hash_str(text);
    const int64_t now = ann_clock_ns();
    pthread_mutex_lock(&mutex);
    const bool lately = known[hash % KNOWN].text == hash && now - known[hash % KNOWN].then_ns < AGAIN_NS;
    if (!lately) {
        known[hash % KNOWN].text = hash;
        known[hash % KNOWN].then_ns = now;
    }
    pthread_mutex_unlock(&mutex);
    return lately;
}

static void write_line(gpr_log_func_args *args) {
    const bool error = args->severity == GPR_LOG_SEVERITY_ERROR;
    if (!said_lately(args->message))
        ann_log_line(error ? ANN_LOG_WARN : ANN_LOG_DEBUG, "grpc: %s", args->message);
}

void anni_core_begin(void) {
    gpr_set_log_function(write_line);
    if (check_lock_order) check_lock_order(CHECK_NOTHING);
    grpc_init();
}
