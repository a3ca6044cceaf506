#!/bin/bash
# A hundred watchers of ten runs, whose jobs report: each gets everything once and in order; the registry knows each report once,
# also when the same jobs report from several clients at once.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
start_server --plain
foreign load.py "$address"
stop_server TERM 0
exit $bad
