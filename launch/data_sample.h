/* `annulus data sample --run`. */
#ifndef ANNULUS_LAUNCH_DATA_SAMPLE_H
#define ANNULUS_LAUNCH_DATA_SAMPLE_H

#include <stdint.h>

typedef struct data_sample_run_request {
    const char *path, *phase, *out; /* the run file; NULL: its first phase; the contact sheet */
    int64_t epoch;
    int count;
} data_sample_run_request;

/* Returns the exit code. */
int data_sample_run(const data_sample_run_request *request);

#endif
