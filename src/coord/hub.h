/* Watchers and what they are fed from.

   A feed is the newest records of a run that somebody watches: a ring of bounded length, shared by its
   watchers, each of which has a position in it and at most one message under way. So a slow reader costs a
   position and a message, and nobody waits for it. A watcher begins in the registry, which a reader's thread
   reads page by page, and goes over to the feed when it has caught up. One that falls out of the feed
   afterwards is cut off (ABORTED) and told where to go on; one whose message is not taken for long is
   cancelled.

   What is new is sent at once where little happens; where much does, in rounds, so that the hub's thread
   takes a tenth of a core at most. */
#ifndef ANN_COORD_HUB_H
#define ANN_COORD_HUB_H

#include "coord/call.h"
#include "coord/worker.h"

typedef struct anni_hub anni_hub;

/* `reader` is asked for pages; borrowed. Owner: the caller, anni_hub_stop. */
ann_status anni_hub_start(anni_hub **out) ANN_MUST_CHECK;
void anni_hub_set_reader(anni_hub *hub, anni_coord_worker *reader);
/* No more watchers; those that are there end with UNAVAILABLE. */
void anni_hub_close(anni_hub *hub);
/* After all calls have ended. */
void anni_hub_stop(anni_hub *hub);

/* A call of Watch has arrived and may be answered. Never blocks. Errors, which the caller of Watch has been
   told: ANN_ERR_ARG (the request is malformed). */
ann_status anni_hub_watch(anni_hub *hub, anni_call *call) ANN_MUST_CHECK;
/* What happened to a call of Watch. Never blocks. */
void anni_hub_sent(anni_hub *hub, anni_call *call, bool good);
void anni_hub_closed(anni_hub *hub, anni_call *call);
/* The writer has committed these; anni_coord_worker_options.publish, with the hub as context. */
void anni_hub_publish(void *context, const anni_fresh *fresh, int count);

#endif
