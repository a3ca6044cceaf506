/* Requests from outside (lead.h) that changed what a phase learns, as its checkpoints hold them: the log
   alone does not tell which of them a checkpoint has seen, and does not move with it.

   A checkpoint's metadata hold them under "requests", as a YAML map; those without any have no such key:

       dropped: 0                       # older ones, for which there was no room
       requests:
       - {request: lr, value: 0.5, step: 120, author: "alice", asked_ms: 1764180000000}

   Local. */
#ifndef ANN_TRAIN_REQUESTS_H
#define ANN_TRAIN_REQUESTS_H

#include "base/yaml.h"
#include "ckpt/ckpt.h"
#include "train/lead.h"

enum { ANN_REQUESTS_MAX = 64 };

typedef struct ann_request {
    int64_t step; /* of the phase, behind which it was applied */
    ann_control control;
} ann_request;

typedef struct ann_requests {
    ann_request items[ANN_REQUESTS_MAX]; /* in the order in which they were applied */
    int count;
    int64_t dropped; /* older ones */
} ann_requests;

void ann_requests_add(ann_requests *requests, const ann_request *request);

/* Errors: ANN_ERR_MEMORY. */
ann_status ann_requests_save(ann_meta *meta, const ann_requests *requests) ANN_MUST_CHECK;
/* Errors: ANN_ERR_FORMAT. */
ann_status ann_requests_load(ann_requests *out, const ann_meta *meta) ANN_MUST_CHECK;

/* One of them, from a map of the metadata or a line of control.jsonl. Errors: ANN_ERR_FORMAT. */
ann_status anni_request_read(ann_request *out, const ann_yaml_node *map) ANN_MUST_CHECK;

#endif
