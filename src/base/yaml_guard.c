#include "base/yaml_guard.h"

#include <stdbool.h>
#include <string.h>

/* A directive without an end of line is waited for without end. Nobody needs directives in a run file or a
   manifest, so all are refused: '%' in the first column. */
static bool is_directive(const char *text, size_t at) {
    if (text[at] != '%') return false;
    if (at == 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) return true; /* behind a byte order mark */
    return at == 0 || text[at - 1] == '\n' || text[at - 1] == '\r';
}

const char *anni_yaml_guard(int *line, int *column, const char *text, size_t bytes) {
    *line = *column = 1;
    for (size_t i = 0; i < bytes; i++) {
        if (is_directive(text, i)) return "directives (lines that begin with %) are not accepted";
        (*column)++;
        if (text[i] != '\n') continue;
        (*line)++;
        *column = 1;
    }
    return NULL;
}
