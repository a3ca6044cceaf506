/* The coordinator's web page: what runs there are, and how they go. It only reads.

   One thread of its own answers requests, with its own connection to the registry, so that no reader of the
   page can hold up a job. Answers:
       /, /app.js, /app.css, /icon.svg                              the page
       /api/runs                                                    all runs
       /api/runs/NAME                                               phases, jobs, requests of a run
       /api/runs/NAME/records?from=N&most=M&every=K&only=events     metrics and events from number N on

   Who can connect can read: there are no passwords. So it listens on a loopback address unless told
   otherwise, and there refuses requests whose Host is no loopback name (DNS rebinding). */
#ifndef ANN_COORD_WEB_H
#define ANN_COORD_WEB_H

#include "base/status.h"

typedef struct ann_coord_web ann_coord_web;

/* Serves the registry in `dir`, which a server must have opened before, at `listen`: "[HOST:]PORT", without
   HOST 127.0.0.1; port 0 picks a free one. The thread has the caller's signal mask. Errors: ANN_ERR_CONFIG
   (address), ANN_ERR_IO, ANN_ERR_MEMORY. Owner: the caller, ann_coord_web_stop. Local. */
ann_status ann_coord_web_start(ann_coord_web **out, const char *dir, const char *listen) ANN_MUST_CHECK;
/* "http://HOST:PORT/" with the port that was picked. Borrowed. */
const char *ann_coord_web_address(const ann_coord_web *web);
/* Closes all connections. NULL is fine. */
void ann_coord_web_stop(ann_coord_web *web);

#endif
