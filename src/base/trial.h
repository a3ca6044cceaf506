/* Work that may crash the process, done by a child first.

   Libraries that parse other people's files crash or hang on damaged ones. A trial does the same work in a
   forked child, whose memory is a copy of ours: if the child comes back, so shall we. The child computes and
   reads: it cannot write files, has bounds on CPU time and memory, prints nothing, and dies with us.

   Why fork, and not a program of its own: the library is then the same, in the same state, with no program to
   find. MPI: the child calls nothing of it, and Open MPI's transports mark their registered memory so that a
   fork leaves it to the parent. */
#ifndef ANN_BASE_TRIAL_H
#define ANN_BASE_TRIAL_H

#include "base/status.h"

typedef struct anni_trial {
    ann_status (*work)(void *context); /* must not log, nor lock what another thread may hold */
    void *context;
    const char *what;    /* what is tried, for the error: "FILE: is damaged: the HDF5 library" */
    unsigned cpu_s;      /* CPU seconds that the work may take */
    size_t memory_bytes; /* that it may take beyond what the process has */
} anni_trial;

/* What the work returned, with its text; ANN_ERR_FORMAT "WHAT crashes on it (SIGNAL)" or "WHAT does not end
   on it" if the child was ended by a signal or a bound, or took nearly all of its memory. ANN_OK also if
   there can be no child, or it waits for something for a minute. Within a trial, the work itself. Cost: a
   fork, 1 ms and more in a large process. Local. */
ann_status anni_trial_run(const anni_trial *trial) ANN_MUST_CHECK;

#endif
