#!/bin/bash
# labels: slow
# timeout: 240
# A node is lost in the middle: the job runs again from its newest checkpoint. On as many nodes as before the weights are those of the
# uninterrupted run; with --nodes 1-2 it goes on with the node that is left, and the results are the same to rounding.
. "${BASH_SOURCE%/*}/cluster.bash"
cluster_up
make_run 3000
timeout 60 "${MPIRUN:-mpirun}" -n 2 "$ANNULUS" train --threads 1 --set output=alone run.yaml >alone.log 2>&1 || fail "mpirun alone"
has_checkpoint() { [ -e "$1/mlp/latest" ]; }
# Slurm would find out by itself, by its SlurmdTimeout.
is_down() { timeout 10 scontrol update NodeName="$1" State=DOWN Reason=crash; }

# The node of the batch script: Slurm requeues the job.
submit_slowly both --nodes 2
until_true 60 has_checkpoint both || fail "no checkpoint"
node_kill node1
is_down node1
node_start node1
rm slow
ends "$job" 90 COMPLETED 0:0
said both 2 'job .*, restart'
said both 1 'mlp  resumes at step'
same_weights alone both

# Another node, which does not come back: the ranks that are left find out.
until_true 60 all_idle || fail "the node is not back"
submit_slowly one --nodes 1-2
until_true 60 has_checkpoint one || fail "no checkpoint"
said one 1 '2 nodes'
node_kill node2
is_down node2
rm slow
ends "$job" 90 COMPLETED 0:0
said one 1 '1 nodes'
said one 1 'mlp  resumes at step'
final() { tail -n 1 "$1/mlp/metrics.jsonl" | sed -E 's/.*"test_loss":([^,}]*).*/\1/'; }
awk -v a="$(final alone)" -v b="$(final one)" 'BEGIN { d = a - b; exit !(a > 0 && d * d <= 1e-6 * a * a) }' ||
    wrong "on one node the run ended with $(final one), not with $(final alone)"
exit $bad
