/* What the doctor found: a list of findings, each with its level, one line of what was seen, one line of what
   to do, and the ranks that it is about. What is the same on several ranks is one finding. Local. */
#ifndef ANNULUS_LAUNCH_DOCTOR_REPORT_H
#define ANNULUS_LAUNCH_DOCTOR_REPORT_H

#include <stdbool.h>
#include <stdio.h>
#include "base/status.h"

typedef enum doctor_level {
    DOCTOR_OK,
    DOCTOR_NOTE,    /* worth knowing, nothing to do */
    DOCTOR_WARNING, /* costs speed, or may go wrong */
    DOCTOR_ERROR    /* not safe to start */
} doctor_level;

typedef struct doctor_finding {
    doctor_level level;
    const char *check;   /* "binding"; static */
    char *text, *remedy; /* remedy: "" only with OK and NOTE */
    bool *ranks;         /* [ranks of the job] it is about */
} doctor_finding;

typedef struct doctor_report {
    int ranks;
    const char **hosts; /* [ranks]; borrowed names */
    doctor_finding *findings;
    int count, room;
    bool lost; /* some finding for which there was no memory */
} doctor_report;

/* hosts: [ranks], borrowed with their names until _free. Errors: ANN_ERR_MEMORY. */
ann_status doctor_report_new(doctor_report *out, int ranks, const char **hosts) ANN_MUST_CHECK;
void doctor_report_free(doctor_report *report);

/* Adds a finding about one rank, about all ranks of that rank's host, or about the job. A remedy (copied) is
   given with warnings and errors, and with no other: NULL there. */
void doctor_say_rank(doctor_report *report, int rank, doctor_level level, const char *check,
                     const char *remedy, const char *fmt, ...) ANN_PRINTF(6, 7);
void doctor_say_host(doctor_report *report, int rank, doctor_level level, const char *check,
                     const char *remedy, const char *fmt, ...) ANN_PRINTF(6, 7);
void doctor_say_job(doctor_report *report, doctor_level level, const char *check, const char *remedy,
                    const char *fmt, ...) ANN_PRINTF(5, 6);

int doctor_report_count(const doctor_report *report, doctor_level level);
/* The finding of that check with `part` in its text, or NULL. */
const doctor_finding *doctor_report_find(const doctor_report *report, const char *check, const char *part);
/* Whom a finding is about: "" (all ranks), "hosts a, b", "ranks 0-2, 5". Returns buf. */
const char *doctor_report_where(char *buf, size_t size, const doctor_report *report,
                                const doctor_finding *finding);

/* For people: findings of level `least` and above, and the verdict; and all as one JSON object with a line
   for each finding. */
void doctor_report_print(const doctor_report *report, doctor_level least, FILE *to);
void doctor_report_print_json(const doctor_report *report, FILE *to);

#endif
