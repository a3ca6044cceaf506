/* The registry as JSON, for the web page. Errors: as of the registry; ANN_ERR_ARG (a name), ANN_ERR_NOT_FOUND
 * (a run). Local. */
#ifndef ANN_COORD_WEB_JSON_H
#define ANN_COORD_WEB_JSON_H

#include "coord/json.h"
#include "coord/registry.h"

/* Which records: from number `from` on, up to `most`, of which each is `every` numbers behind the one before.
   With only_events there are only events among them, and some thousand records are looked at. An answer of
   more than a megabyte ends there. */
typedef struct anni_web_range {
    uint64_t from;
    int most;
    uint64_t every;
    bool only_events;
} anni_web_range;

enum {
    ANNI_WEB_MOST_RECORDS = 2000,
    ANNI_WEB_MOST_RUNS = 500,
    ANNI_WEB_MOST_RANKS = 1024,
    ANNI_WEB_MOST_HOSTS = 16,
    ANNI_WEB_MOST_LOOKED_AT = 8000
};

/* {"now_ms", "runs": [...], "left_out"}: the runs that changed last, newest first. */
ann_status anni_web_runs(anni_json *j, anni_registry *r) ANN_MUST_CHECK;
/* {"now_ms", "run", "phases", "jobs", "pending", "sequence"}. */
ann_status anni_web_run(anni_json *j, anni_registry *r, const char *run) ANN_MUST_CHECK;
/* {"sequence": of the run's last record, "next": where to go on, "records": [...]}. */
ann_status anni_web_records(anni_json *j, anni_registry *r, const char *run,
                            const anni_web_range *range) ANN_MUST_CHECK;

#endif
