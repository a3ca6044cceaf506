#!/bin/bash
# labels: slow slurm
# timeout: 400
# The graph on Fashion-MNIST as a Slurm job with a time limit so short that it is requeued three times, at different steps.
. "$ANNULUS_SOURCE/tests/fashion/fashion.bash"
. "$ANNULUS_SOURCE/tests/slurm/cluster.bash"
cluster_up
make_graph
# Slurm looks at its jobs every 30 s, and warns a minute's job that asks for it 50 s before the end the first time it looks.
ANNULUS_PAUSE_MS=1200 submit_slowly limit "${shorter[@]}" --nodes 1 --tasks-per-node 2 --time 1 --signal-before 50
requeued() { [ "$(lines limit.log 'ended with 75: requeued')" = 3 ]; }
until_true 200 requeued || fail "not requeued three times"
rm slow
until_true 60 grep -q 'restart 3,' limit.log || fail "not started again"
timeout 10 scontrol update JobId="$job" TimeLimit=10
ends "$job" 100 COMPLETED 0:0
said limit 4 'job .*, restart'
said limit 3 'the time limit is near'
said limit 3 'stopped on request in phase'
grep 'stopped on request in phase' limit.log
[ "$(grep -o 'stopped on request in phase .* at step [0-9]*' limit.log | sort -u | wc -l)" = 3 ] || wrong "not at different steps"
same_as_plain limit
led_itself limit again
exit $bad
