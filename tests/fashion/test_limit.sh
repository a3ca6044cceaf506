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
# The job stops on Slurm's warning or by its own clock, whichever is first; a start that is warned before it trains is one more.
stops() { grep -oE 'stopped (on request|because the job ends soon,) in phase .* at step [0-9]+' limit.log 2>/dev/null | sed 's/.*in phase //' | sort -u; }
three_stops() { [ "$(stops | wc -l)" -ge 3 ]; }
until_true 250 three_stops || fail "not stopped three times"
rm slow
starts=$(lines limit.log 'job .*, restart')
started_again() { [ "$(lines limit.log 'job .*, restart')" -gt "$starts" ]; }
until_true 60 started_again || fail "not started again"
timeout 10 scontrol update JobId="$job" TimeLimit=10
ends "$job" 100 COMPLETED 0:0
stops
[ "$(stops | wc -l)" = 3 ] || wrong "not stopped at three steps"
[ "$(lines limit.log 'ended with 75: requeued')" = "$starts" ] || wrong "not requeued $starts times"
same_as_plain limit
led_itself limit again
exit $bad
