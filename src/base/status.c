#include "base/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct status_info {
    const char *name, *text;
    int exit_code;
} status_info;

static const status_info infos[ANN_STATUS_COUNT] = {
#define ANN_STATUS(name, exit_code, text) [ANN_##name] = {#name, text, exit_code},
#include "base/status.def"
#undef ANN_STATUS
};

#define TEXT_BYTES 1024
#define MAX_FRAMES 32

typedef struct error_frame {
    const char *file, *call; /* string literals */
    int line;
} error_frame;

typedef struct error_record {
    ann_status status;
    char text[TEXT_BYTES];
    int frame_count;
    error_frame frames[MAX_FRAMES];
} error_record;

static _Thread_local error_record record;

static const status_info *info_of(ann_status status) {
    const bool known = (int)status >= 0 && (int)status < ANN_STATUS_COUNT;
    return &infos[known ? status : ANN_ERR_INTERNAL];
}

const char *ann_status_name(ann_status status) { return info_of(status)->name; }
const char *ann_status_text(ann_status status) { return info_of(status)->text; }
int ann_status_exit_code(ann_status status) { return info_of(status)->exit_code; }

ann_status anni_error_set(ann_status status, const char *file, int line, const char *fmt, ...) {
    if (status == ANN_OK) return ANN_OK;
    char text[TEXT_BYTES]; /* the arguments may point into the record itself */
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0) text[0] = '\0';
    va_end(args);
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\r') *p = ' ';
    memcpy(record.text, text, sizeof text);
    record.status = status;
    record.frame_count = 0;
    anni_error_frame(file, line, "ann_error");
    return status;
}

void anni_error_frame(const char *file, int line, const char *call) {
    if (record.frame_count < MAX_FRAMES)
        record.frames[record.frame_count++] = (error_frame){.file = file, .call = call, .line = line};
}

const char *ann_error_text(void) { return record.text; }
ann_status ann_error_status(void) { return record.status; }

int ann_error_trace(char *buf, size_t size) {
    if (size) buf[0] = '\0';
    size_t used = 0;
    for (int i = 0; i < record.frame_count && used < size; i++) {
        const error_frame *f = &record.frames[i];
        const int n = snprintf(buf + used, size - used, "%s:%d: %s\n", f->file, f->line, f->call);
        if (n < 0) break;
        used += (size_t)n;
    }
    return record.frame_count;
}

void ann_error_clear(void) {
    record.status = ANN_OK;
    record.text[0] = '\0';
    record.frame_count = 0;
}
