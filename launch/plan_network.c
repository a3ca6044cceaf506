/* The network as the command line gives it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plan.h"

static bool number(const char *text, size_t length, double *out) {
    char copy[64], *end;
    if (length == 0 || length >= sizeof copy) return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0' && *out > 0 && *out < 1e9;
}

static bool starts(const char *text, const char *word) { return strncmp(text, word, strlen(word)) == 0; }

bool plan_network_parse(ann_model *model, const char *text, char *complaint, size_t size) {
    static const char *const keys[2] = {"alpha_us=", "gbit="};
    double values[2] = {0, 0};
    for (const char *at = text;;) {
        const size_t length = strcspn(at, ",");
        int key = 0;
        while (key < 2 && !starts(at, keys[key])) key++;
        const size_t skip = key < 2 ? strlen(keys[key]) : 0;
        if (key == 2 || values[key] > 0 || !number(at + skip, length - skip, &values[key])) {
            snprintf(complaint, size,
                     "found '%s', accepted is measured, or alpha_us=MICROSECONDS,gbit=GBIT_PER_SECOND, both "
                     "numbers above 0",
                     text);
            return false;
        }
        if (at[length] == '\0') break;
        at += length + 1;
    }
    if (!(values[0] > 0 && values[1] > 0)) {
        snprintf(complaint, size, "%s is missing in '%s'", values[0] > 0 ? "gbit=" : "alpha_us=", text);
        return false;
    }
    model->seconds[ANN_TERM_ALPHA] = values[0] * 1e-6;
    model->seconds[ANN_TERM_BETA] = 8e-9 / values[1];
    return true;
}
