#!/bin/bash
# labels: slow slurm
# The graph on Fashion-MNIST as Slurm jobs: on two nodes, led by the coordinator that rank 0 holds, and on one, led by another coordinator.
. "$ANNULUS_SOURCE/tests/slurm/cluster.bash"
. "${BASH_SOURCE%/*}/fashion.bash"
cluster_up
make_graph
start_coordinator() { # STATE: sets $address
    "$ANNULUS" coordinator --plain --state "$1" >/dev/null 2>coordinator.log </dev/null &
    coordinator=$!
    until_true 20 test -s "$1/address" || fail "no coordinator"
    address=$(cat "$1/address")
}
stop_coordinator() { kill -TERM $coordinator && wait $coordinator || wrong "the coordinator ended with $?"; }

submit two "${shorter[@]}" --nodes 2
ends "$job" 100 COMPLETED 0:0
said two 1 '2 ranks x 1 thread'
said two 1 '2 nodes: node'
same_as_plain two
start_coordinator two/coordinator
led two/coordinator two
stop_coordinator

start_coordinator state
submit outside "${shorter[@]}" --nodes 1 --tasks-per-node 2 --coordinator "$address" --coordinator-plain --coordinator-dir state
ends "$job" 100 COMPLETED 0:0
said outside 1 '2 ranks x 1 thread'
said outside 1 '1 nodes: node'
same_as_plain outside
led state outside
stop_coordinator
exit $bad
