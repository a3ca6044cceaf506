/* annulus ctl watch on a terminal. */
#ifndef ANNULUS_LAUNCH_CTL_LIVE_H
#define ANNULUS_LAUNCH_CTL_LIVE_H

#include "coord/coord.h"

/* Draws a run until it is done, the coordinator is lost for retry_ms, or SIGINT comes (ANN_OK): progress of
   each phase, the loss, what else was measured last, ranks, and the newest events. `watcher` is for the
   stream, `asker` for the status. */
ann_status ctl_live(ann_coord_client *watcher, ann_coord_client *asker, const char *run, uint64_t from,
                    int retry_ms);

#endif
