#include "data_text.h"

#include <stdlib.h>
#include <string.h>

bool data_text_shape(ann_shape *out, const char *text) {
    *out = (ann_shape){0};
    while (out->rank < ANN_MAX_RANK) {
        char *end;
        const long long extent = strtoll(text, &end, 10);
        if (end == text || extent < 1 || extent > 1 << 30) return false;
        out->dim[out->rank++] = extent;
        if (*end == '\0') return true;
        if (*end != ',') return false;
        text = end + 1;
    }
    return false;
}

bool data_text_size(int *height, int *width, const char *text) {
    char *end;
    const long rows = strtol(text, &end, 10);
    if (end == text || *end != 'x') return false;
    char *start = end + 1;
    const long columns = strtol(start, &end, 10);
    *height = (int)rows;
    *width = (int)columns;
    return end != start && !*end && rows >= 1 && columns >= 1 && rows <= 32768 && columns <= 32768;
}

bool data_text_field(ann_field_source *out, const char *text) {
    char *name = (char *)(uintptr_t)text, *equals = strchr(name, '=');
    if (equals == NULL || equals == name || equals[1] == '\0') return false;
    *equals = '\0';
    *out = (ann_field_source){name, equals + 1};
    return true;
}
