/* Where `annulus coordinator` and `annulus ctl` look for the coordinator's state. */
#ifndef ANNULUS_LAUNCH_COORD_STATE_H
#define ANNULUS_LAUNCH_COORD_STATE_H

#include <stddef.h>

/* `given`, or $XDG_STATE_HOME/annulus, or ~/.local/state/annulus, whose parents are made. Returns buf. */
const char *coord_state_dir(char *buf, size_t size, const char *given);

#endif
