#!/bin/bash
# labels: long
# timeout: 240
# A time limit so short that the job is requeued three times: Slurm warns it, it writes a checkpoint, ends and goes on; the weights
# are those of the uninterrupted run, and the log is one.
. "${BASH_SOURCE%/*}/cluster.bash"
cluster_up
make_run 20000
timeout 100 "${MPIRUN:-mpirun}" -n 2 "$ANNULUS" train --threads 1 --set output=alone run.yaml >alone.log 2>&1 || fail "mpirun alone"

# Slurm looks at its jobs every 30 s, and warns a minute's job that asks for it 50 s before the end the first time it looks.
submit_slowly limit --nodes 2 --time 1 --signal-before 50
requeued() { [ "$(lines limit.log 'ended with 75: requeued')" -ge 3 ]; }
until_true 160 requeued || fail "not requeued three times"
rm slow
timeout 10 scontrol update JobId="$job" TimeLimit=10
ends "$job" 60 COMPLETED 0:0
same_weights alone limit
said limit 4 'job .*, restart'
said limit 3 'the time limit is near'
said limit 3 'stopped on request in phase mlp'
said limit 3 'mlp  resumes at step'
exit $bad
