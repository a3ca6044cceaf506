/* Status codes and the thread-local error record.

   Every fallible function returns ann_status. The code says what kind of failure it is; the record of the
   calling thread says what happened in words, and holds one frame per ANN_TRY that the failure passed
   through. */
#ifndef ANN_BASE_STATUS_H
#define ANN_BASE_STATUS_H

#include <stddef.h>

typedef enum ann_status {
#define ANN_STATUS(name, exit_code, text) ANN_##name,
#include "base/status.def"
#undef ANN_STATUS
    ANN_STATUS_COUNT
} ann_status;

#define ANN_MUST_CHECK __attribute__((warn_unused_result))
#define ANN_PRINTF(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))

/* The status's name, e.g. "ERR_SHAPE". Local. */
const char *ann_status_name(ann_status status);
/* A short English text, e.g. "shape mismatch". Local. */
const char *ann_status_text(ann_status status);
/* The exit code of a program that ends because of `status`. Local. */
int ann_status_exit_code(ann_status status);

/* Starts a new error record (text from fmt) on the calling thread and returns `status`; with status ANN_OK it
   does nothing. Use it as `return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));`. Local. */
#ifndef __clang_analyzer__
#define ann_error(status, ...) anni_error_set((status), __FILE__, __LINE__, __VA_ARGS__)
#else /* lets the analyzer see that the result is `status`, so that it does not go on after a failure */
#define ann_error(status, ...) (anni_error_set((status), __FILE__, __LINE__, __VA_ARGS__), (status))
#endif
ann_status anni_error_set(ann_status status, const char *file, int line, const char *fmt, ...)
    ANN_PRINTF(4, 5);
void anni_error_frame(const char *file, int line, const char *call);

/* The calling thread's last error: one line, without frames, at most 1023 bytes; "" if there was none.
   Borrowed until the next error on this thread. Local. */
const char *ann_error_text(void);
ann_status ann_error_status(void);
/* Writes "file:line: call" frames, innermost first, one per line, into buf (NUL-terminated, truncated to
   size). Returns the number of frames. Local. */
int ann_error_trace(char *buf, size_t size);
void ann_error_clear(void);

/* Evaluates expr once; on failure adds a frame and returns the status to the caller. */
#define ANN_TRY(expr)                                                                                        \
    do {                                                                                                     \
        const ann_status ann_try_status_ = (expr);                                                           \
        if (ann_try_status_ != ANN_OK) {                                                                     \
            anni_error_frame(__FILE__, __LINE__, #expr);                                                     \
            return ann_try_status_;                                                                          \
        }                                                                                                    \
    } while (0)

#endif
