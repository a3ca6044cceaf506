#!/bin/bash
# Random bytes, malformed and oversized messages, strings with a NUL, unknown methods, missing tokens, strange names, idle connections, slow readers.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
start_server --plain
foreign hostile.py "$address"
kill -0 "$server" || complain "the coordinator is gone"
ctl 0 list --plain
has out good 1
[ "$(wc -l <out)" = 2 ] || complain "there is another run"
stop_server TERM 0
exit $bad
