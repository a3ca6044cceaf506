/* Making records within a transaction. */
#ifndef ANN_COORD_RECORDS_H
#define ANN_COORD_RECORDS_H

#include "coord/registry.h"

/* Takes the next `count` sequence numbers of a run. */
ann_status anni_record_numbers(anni_registry *r, int64_t run, int count, uint64_t *first) ANN_MUST_CHECK;
/* Writes a record whose sequence number is set. */
ann_status anni_record_add(anni_registry *r, int64_t run, Annulus__V1__Record *record) ANN_MUST_CHECK;
/* Numbers and writes an event. */
ann_status anni_event_add(anni_registry *r, int64_t run, Annulus__V1__Event *event) ANN_MUST_CHECK;
/* Appends to fresh[], which owns `bytes` from now on, also after a failure. */
ann_status anni_fresh_add(anni_registry *r, int64_t run, uint64_t sequence, uint8_t *bytes,
                          size_t size) ANN_MUST_CHECK;

#endif
