/* The newest records of a run that somebody watches: a ring of bounded length. Not thread-safe: its user has
   a lock. */
#ifndef ANN_COORD_FEED_H
#define ANN_COORD_FEED_H

#include <grpc/grpc.h>
#include "coord/registry.h"

enum { ANNI_FEED_RECORDS = 4096 };

typedef struct anni_feed {
    struct anni_feed *next;
    int64_t run;
    int users;
    uint64_t first, end; /* records first .. end - 1 are in the ring; none known: both 0 */
    size_t bytes;
    grpc_slice ring[ANNI_FEED_RECORDS];
} anni_feed;

/* The feed of a run, for one more user, a new one if there is none in the list; NULL if there is no memory.
   The last user to close it frees it. */
anni_feed *anni_feed_open(anni_feed **list, int64_t run);
void anni_feed_close(anni_feed **list, anni_feed *feed);
/* To the feed of the record's run; false if there is none. */
bool anni_feed_append(anni_feed *list, const anni_fresh *record);
/* A record as it stands in a WatchReply. Owner: the caller. */
grpc_slice anni_feed_frame(const anni_fresh *record);
/* References to those from number `at` on that are there, up to `most` and about max_bytes; how many they
 * are.
 */
size_t anni_feed_slices(const anni_feed *feed, uint64_t at, grpc_slice *out, size_t most, size_t max_bytes);

#endif
