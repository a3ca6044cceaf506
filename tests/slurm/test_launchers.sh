#!/bin/bash
# labels: long
# timeout: 170
# A run by srun and by mpirun, as batch scripts that annulus slurm submits, ends in the same weights as by mpirun alone; so does
# slurm/annulus.sbatch. Where another start does not help, there is none.
. "${BASH_SOURCE%/*}/cluster.bash"
began=$SECONDS
cluster_up
[ $((SECONDS - began)) -lt 20 ] || wrong "Slurm came up after $((SECONDS - began)) s"
make_run 300
timeout 60 "${MPIRUN:-mpirun}" -n 2 "$ANNULUS" train --threads 1 --set output=alone run.yaml >alone.log 2>&1 || fail "mpirun alone"

for launcher in srun mpirun; do
    for bind in none cores; do
        submit $launcher-$bind --nodes 2 --launcher $launcher --bind $bind
        ends "$job" 60 COMPLETED 0:0
        same_weights alone $launcher-$bind
        grep -q 'annulus.sbatch: the run is finished' $launcher-$bind.log || wrong "$launcher: the log does not tell of the end"
        grep -q "2 ranks" $launcher-$bind.log || wrong "$launcher: not 2 ranks"
    done
done

submit one --nodes 1 --tasks-per-node 2
ends "$job" 60 COMPLETED 0:0
same_weights alone one

# The script for people, with their changes.
sed -E "s|^annulus=[^ ]*|annulus=$ANNULUS|; s/^(ranks_per_node)=[^ ]*/\1=1/; s/^(threads)=[^ ]*/\1=1/; s/^(#SBATCH --(ntasks-per-node|cpus-per-task)).*/\1=1/
        s/^run=[^ ]*/run=(--set output=people run.yaml)/; s/^##(SBATCH --partition)/#\1/" "$ANNULUS_SOURCE/slurm/annulus.sbatch" >people.sbatch
job=$(timeout 30 sbatch --parsable people.sbatch) || fail "slurm/annulus.sbatch is refused"
ends "$job" 60 COMPLETED 0:0
same_weights alone people

# From a folder whose name has all that needs quotes.
odd=$'a b\'c"d$(touch broken)e#f' # (Slurm itself has other plans with backslashes)
mkdir "$odd" && cp good.h5 run.yaml "$odd" && cd "$odd" || exit 1
submit inside --nodes 2
ends "$job" 60 COMPLETED 0:0
[ ! -e broken ] || wrong "a name was run as a command"
cd "$dir" || exit 1
same_weights alone "$odd/inside"

# A mistake that only the job meets.
submit mistake --option --hold
mv run.yaml away.yaml
timeout 10 scontrol release "$job"
ends "$job" 60 FAILED 2:0
grep -q 'ended with 2, where another start would not help' mistake.log || wrong "a mistake: $(tail -n 1 mistake.log)"
exit $bad
