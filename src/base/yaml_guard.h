/* Texts on which libfyaml 0.7.12 does not come back, found by tests/fuzz. Asked before it sees a text. */
#ifndef ANN_BASE_YAML_GUARD_H
#define ANN_BASE_YAML_GUARD_H

#include <stddef.h>

/* NULL if the parser may have the text; otherwise what is wrong with it, and where (from 1). */
const char *anni_yaml_guard(int *line, int *column, const char *text, size_t bytes);

#endif
