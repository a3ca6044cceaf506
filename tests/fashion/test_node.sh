#!/bin/bash
# labels: slow slurm
# The graph on Fashion-MNIST as a Slurm job whose node dies in the middle of the second branch: it goes on there, on the other node.
. "$ANNULUS_SOURCE/tests/fashion/fashion.bash"
. "$ANNULUS_SOURCE/tests/slurm/cluster.bash"
cluster_up
make_graph
submit_slowly node "${shorter[@]}" --nodes 1 --tasks-per-node 2
has_checkpoint() { [ -e node/many/latest ] && within node many; }
until_true 100 has_checkpoint || fail "the second branch has not come to a checkpoint"
first=$(job_field "$job" BatchHost)
reached=$(progress node | tail -n 1)
node_kill "$first"
timeout 10 scontrol update NodeName="$first" State=DOWN Reason=crash # as Slurm does by itself, after its SlurmdTimeout
rm slow
ends "$job" 120 COMPLETED 0:0
second=$(job_field "$job" BatchHost)
[ "$first" != "$second" ] || wrong "both on $first"
said node 1 "restart 0, 1 nodes: $first"
said node 1 "restart 1, 1 nodes: $second"
said node 2 '2 ranks x 1 thread'
said node 1 'pretrain  finished before'
said node 1 'few  finished before'
said node 1 'many  resumes at step'
echo "$first died behind $reached; $second: $(grep 'resumes at step' node.log)"
same_as_plain node
led_itself node again
exit $bad
