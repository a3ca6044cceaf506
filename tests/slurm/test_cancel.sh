#!/bin/bash
# labels: slow
# timeout: 240
# scancel and preemption: the job writes a checkpoint within the time that Slurm leaves it, and goes on from there later. SIGCONT
# alone is no request. And the other ways on: a chain of jobs, an array.
. "${BASH_SOURCE%/*}/cluster.bash"
cluster_up
make_run 3000
timeout 60 "${MPIRUN:-mpirun}" -n 2 "$ANNULUS" train --threads 1 --set output=alone run.yaml >alone.log 2>&1 || fail "mpirun alone"

for launcher in srun mpirun; do
    submit_slowly $launcher --nodes 2 --launcher $launcher
    await_progress $launcher
    timeout 10 scancel --signal=CONT --full "$job"
    sleep 1
    timeout 10 scancel "$job"
    until_true 40 grep -q 'annulus.sbatch: cancelled' $launcher.log || wrong "$launcher: the script was not left the time to end"
    until_true 40 job_is "$job" CANCELLED || wrong "$launcher: $(job_field "$job" JobState) after scancel"
    said $launcher 1 'stopped on request in phase mlp'
    [ -e $launcher/mlp/latest ] || wrong "$launcher: no checkpoint"
    rm slow
    submit $launcher --nodes 2 --launcher $launcher
    ends "$job" 60 COMPLETED 0:0
    said $launcher 1 'mlp  resumes at step'
    same_weights alone $launcher
done

# Another job takes the nodes: Slurm requeues this one.
submit_slowly preempted --nodes 2
await_progress preempted
urgent=$(timeout 10 sbatch --parsable --partition=urgent --nodes=2 --exclusive --output=urgent.log --wrap true)
ends "$urgent" 60 COMPLETED 0:0
rm slow
ends "$job" 60 COMPLETED 0:0
said preempted 2 'job .*, restart'
said preempted 1 'stopped on request in phase mlp'
said preempted 1 'mlp  resumes at step'
same_weights alone preempted

# The warning before the time limit, as Slurm sends it.
warn() { # NAME JOB
    timeout 10 scancel --signal=USR1 --batch "$2"
    until_true 30 grep -q 'stopped on request' "$1.log" || fail "$1 does not stop"
    rm slow
}
submit_slowly warned --nodes 2 --launcher mpirun
await_progress warned
warn warned "$job"
ends "$job" 60 COMPLETED 0:0
said warned 1 'ended with 75: requeued'
said warned 1 'mlp  resumes at step'
same_weights alone warned

submit_slowly chain --nodes 2 --chain
await_progress chain
warn chain "$job"
ends "$job" 60 FAILED 75:0
next=$(sed -n 's/.*job \([0-9]*\) goes on if this one.*/\1/p' chain.log | head -n 1)
ends "$next" 60 COMPLETED 0:0
said chain 1 'mlp  resumes at step'
said chain 1 'the run is finished'
same_weights alone chain
[ -z "$(timeout 10 squeue -h)" ] || wrong "a job is left: $(timeout 10 squeue)"

submit_slowly array --nodes 2 --array 3
await_progress array
warn array "${job}_1"
until_true 60 eval '[ "$(lines array.log "the run is finished")" = 2 ]' || wrong "the array has not come to its end"
said array 1 'the next job of the array goes on'
said array 1 'mlp  resumes at step'
same_weights alone array
exit $bad
