#!/bin/bash
# The graph on Fashion-MNIST under mpirun: led by the coordinator that rank 0 holds, by nobody, and by another coordinator.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
. "$ANNULUS_SOURCE/launch/env.sh"
. "$ANNULUS_SOURCE/tests/fashion/fashion.bash"
make_graph
led_itself plain

graph unled --no-coordinator || wrong "unled: $(tail -n 5 unled.log)"
same_as_plain unled
[ ! -e unled/coordinator ] || wrong "there is a coordinator"

start_coordinator state
graph outside --coordinator "$address" --coordinator-plain --coordinator-dir state || wrong "outside: $(tail -n 5 outside.log)"
same_as_plain outside
led state outside
stop_coordinator
[ ! -e outside/coordinator ] || wrong "there is a second coordinator"
exit $bad
