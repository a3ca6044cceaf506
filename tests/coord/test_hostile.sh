#!/bin/bash
# Random bytes, malformed and oversized messages, strings with a NUL, unknown methods, missing tokens, strange names, idle connections, slow readers.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
start_server --plain --lost-after 3600
foreign hostile.py "$address" "$server"
cat foreign.out
kill -0 "$server" || complain "the coordinator is gone"
ctl 0 list --plain
has out good 1
[ "$(wc -l <out)" = 2 ] || complain "there is another run"
stop_server TERM 0
exit $bad
