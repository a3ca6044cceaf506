#!/bin/bash
# labels: slow slurm
# The graph on Fashion-MNIST as Slurm jobs: on two nodes, led by the coordinator that rank 0 holds, and on one, led by another coordinator.
. "$ANNULUS_SOURCE/tests/slurm/cluster.bash"
. "${BASH_SOURCE%/*}/fashion.bash"
cluster_up
make_graph

submit two "${shorter[@]}" --nodes 2
ends "$job" 100 COMPLETED 0:0
said two 1 '2 ranks x 1 thread'
said two 1 '2 nodes: node'
same_as_plain two
led_itself two

start_coordinator state
submit outside "${shorter[@]}" --nodes 1 --tasks-per-node 2 --coordinator "$address" --coordinator-plain --coordinator-dir state
ends "$job" 100 COMPLETED 0:0
said outside 1 '2 ranks x 1 thread'
said outside 1 '1 nodes: node'
same_as_plain outside
led state outside
stop_coordinator
exit $bad
