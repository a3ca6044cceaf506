#!/bin/bash
# labels: slow
# timeout: 240
# A time limit so short that the job is requeued three times: Slurm warns it, it writes a checkpoint, ends and goes on; the weights
# are those of the uninterrupted run, and the log is one. Beside it, a job that is not warned: it stops by itself.
. "${BASH_SOURCE%/*}/cluster.bash"
cluster_up
make_run 20000
timeout 100 "${MPIRUN:-mpirun}" -n 2 "$ANNULUS" train --threads 1 --set output=alone run.yaml >alone.log 2>&1 || fail "mpirun alone"

# Slurm looks at its jobs every 30 s, and warns a minute's job that asks for it 50 s before the end the first time it looks.
submit_slowly limit --nodes 2 --time 1 --signal-before 50
warned=$job
"$ANNULUS" slurm --nodes 2 --time 1 --log unwarned.log --set output=unwarned run.yaml | sed '/--signal/d' >unwarned.sbatch
unwarned=$(LD_PRELOAD=$ANNULUS_BUILD/tests/shim_pause.so ANNULUS_PAUSE_FILE=$dir/slow timeout 30 sbatch --parsable unwarned.sbatch) ||
    fail "not submitted"
requeued() { [ "$(lines limit.log 'ended with 75: requeued')" -ge 3 ]; }
until_true 160 requeued || fail "not requeued three times"
has_stopped() { [ "$(lines unwarned.log 'ended with 75: requeued')" -ge 1 ]; }
until_true 90 has_stopped || fail "the job that was not warned has not stopped"
rm slow
for job in "$warned" "$unwarned"; do timeout 10 scontrol update JobId="$job" TimeLimit=10; done
ends "$warned" 60 COMPLETED 0:0
ends "$unwarned" 60 COMPLETED 0:0
same_weights alone limit
same_weights alone unwarned
[ "$(lines unwarned.log 'stopped because the job ends soon, in phase mlp')" -ge 1 ] || wrong "it did not stop by itself"
said unwarned 0 'the time limit is near'
n=$(lines limit.log 'ended with 75: requeued')
said limit $((n + 1)) 'job .*, restart'
said limit "$n" 'the time limit is near'
said limit "$n" 'stopped on request in phase mlp'
said limit "$n" 'mlp  resumes at step'
exit $bad
