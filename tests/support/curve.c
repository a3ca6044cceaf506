#include "support/curve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "support/check.h"
#include "support/scratch.h"

int curve_read(double *values, int limit, const char *folder, const char *name, const char *key) {
    char path[SCRATCH_PATH_BYTES], quoted[64];
    int n = 0;
    char *text = scratch_read_all(scratch_path(path, "%s/%s/*/metrics.jsonl", folder, name));
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    for (const char *p = text; (p = strstr(p, quoted)) && n < limit; n++) {
        p += strlen(quoted);
        values[n] = strtod(p, NULL);
    }
    free(text);
    return n;
}

bool curve_is_golden(const char *name, const double *values, int n, double tolerance) {
    char path[SCRATCH_PATH_BYTES];
    const char *source = getenv("ANNULUS_SOURCE");
    const bool write = getenv("ANNULUS_GOLDEN_OUT") != NULL;
    FILE *file =
        fopen(scratch_path(path, "%s/tests/golden/%s.txt", source ? source : ".", name), write ? "w" : "r");
    bool good = file != NULL;
    double worst = 0;
    for (int i = 0; good && i < n; i++) {
        double want;
        if (write) {
            good = fprintf(file, "%.9g\n", values[i]) > 0;
            continue;
        }
        good = fscanf(file, "%lf", &want) == 1;
        const double error = good ? fabs(values[i] / want - 1) : INFINITY;
        worst = error > worst ? error : worst;
        if (!(error <= tolerance)) fprintf(stderr, "%s, value %d: %.9g\n", path, i + 1, values[i]);
        good = error <= tolerance;
    }
    if (file) fclose(file);
    else fprintf(stderr, "cannot open %s\n", path);
    print_message("%s: worst relative difference %.2g\n", name, worst);
    return good;
}
