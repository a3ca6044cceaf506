/* Writing JSON into memory, up to a size. The first failure sticks: calls after it do nothing. Local. */
#ifndef ANN_COORD_JSON_H
#define ANN_COORD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"

typedef struct anni_json {
    char *text; /* not NUL-terminated */
    size_t size, room;
    size_t most;       /* bytes; more is ANN_ERR_MEMORY */
    bool comma;        /* the next value in this list or object is not its first */
    ann_status status; /* the first failure */
} anni_json;

/* Owner: the caller, anni_json_fini, or free(text) of what is taken over. */
void anni_json_init(anni_json *j, size_t most);
void anni_json_fini(anni_json *j);

/* '{' or '[', and '}' or ']'. */
void anni_json_open(anni_json *j, char bracket);
void anni_json_close(anni_json *j, char bracket);
/* Within an object; a value or an open follows. */
void anni_json_key(anni_json *j, const char *key);

/* Values. A text is escaped so that it can stand in HTML, too; what is not UTF-8 in it becomes U+FFFD. A
   number that is not finite becomes null. A key of NULL leaves the key out. */
void anni_json_text(anni_json *j, const char *key, const char *value);
void anni_json_int(anni_json *j, const char *key, int64_t value);
void anni_json_number(anni_json *j, const char *key, double value);
void anni_json_bool(anni_json *j, const char *key, bool value);
void anni_json_null(anni_json *j, const char *key);

#endif
