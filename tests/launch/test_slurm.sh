#!/bin/bash
# annulus slurm and its script from outside, without Slurm: quoting, command lines, what the script does about each exit code (with a
# srun, scontrol and sbatch of the test's own), and the deadline of a job.
# timeout: 200
. "${BASH_SOURCE%/*}/cli.bash"

odd=$'a b\'c"d$(touch broken)`touch broken`\\e#%f'
mkdir "$odd" && cd "$odd" || exit 1
run 0 "$ANNULUS_BUILD/tests/make_dataset" good good.h5 60
cat >"$odd.yaml" <<'YAML'
name: odd
output: out
data: { path: good.h5 }
log: { every_steps: 100 }
models:
  net: [flatten: {}, dense: { name: fc, units: 2 }]
phases:
  - { name: a, kind: supervised, model: [net], loss: cross_entropy, batch: 20, program: [{ steps: 400, lr: 0.01 }] }
YAML

# ---- values come through as they are
run 0 "$ANNULUS" slurm --output script --set "output=$odd" --nodes 1-2 --tasks-per-node 3 --threads 5 --time 1-02:03:04 --partition "$odd" \
    --log "$odd" --launcher mpirun --bind none --chain --max-restarts 7 --signal-before 60 --option --account=x \
    --coordinator "$odd" --coordinator-dir "$odd" --coordinator-plain --no-coordinator "$odd.yaml"
run 0 bash -n script
sed '/^# ---- the rest/,$d' script >settings
cat >>settings <<'SH'
printf '%s\n' "$annulus" "${run[@]}" "$ranks_per_node $threads $launcher $bind $continue $max_restarts"
SH
run 0 bash settings
printf '%s\n' "$(readlink -f "$ANNULUS")" --set "output=$odd" --coordinator "$odd" --coordinator-dir "$odd" \
    --coordinator-plain --no-coordinator -- "$odd.yaml" "3 5 mpirun none chain 7" >expected
cmp out expected || { bad=1; diff out expected; }
has script '#SBATCH --job-name="odd"' 1
has script '#SBATCH --nodes=1-2' 1
has script '#SBATCH --ntasks-per-node=3' 1
has script '#SBATCH --cpus-per-task=5' 1
has script '#SBATCH --time=1-02:03:04' 1
has script '#SBATCH --signal=B:USR1@60' 1
has script '#SBATCH --open-mode=append' 1
has script '#SBATCH --no-requeue' 1
has script '#SBATCH --account=x' 1
escaped=$(sed 's/[\\"]/\\&/g' <<<"$odd")
has script "#SBATCH --partition=\"$escaped\"" 1
has script "#SBATCH --output=\"$escaped\"" 1
has script "/$escaped\"" 1
run 0 "$ANNULUS" slurm "$odd.yaml" && has out '#SBATCH --output=odd-%j.log' && has out '#SBATCH --requeue'
run 0 "$ANNULUS" slurm --array 4 "$odd.yaml" && has out '#SBATCH --array=1-4%1' && has out "#SBATCH --output=odd-%A.log"
[ ! -e broken ] || { echo "a value was run as a command"; bad=1; }

# ---- mistakes
run 2 "$ANNULUS" slurm && has err "one run file is needed, found 0"
for nodes in 0 2-1 -1 1- 1-2-3 many ""; do run 2 "$ANNULUS" slurm --nodes "$nodes" "$odd.yaml" && has err "--nodes: found '$nodes'"; done
for time in soon 1: :1 1:2:3:4 1-2-3 "1 h" ""; do run 2 "$ANNULUS" slurm --time "$time" "$odd.yaml" && has err "--time: found '$time'"; done
run 2 "$ANNULUS" slurm --launcher ssh "$odd.yaml" && has err "accepted are srun and mpirun"
run 2 "$ANNULUS" slurm --executor slurm "$odd.yaml" && has err "--executor slurm needs --submit"
run 2 "$ANNULUS" slurm --executor mars "$odd.yaml" && has err "accepted are mpi and slurm"
run 2 "$ANNULUS" slurm --requeue --chain "$odd.yaml" && has err "accepted is one of --requeue, --chain and --array"
run 2 "$ANNULUS" slurm --partition $'a\nrm -r x' "$odd.yaml" && has err "more than one line"
run 2 "$ANNULUS" slurm --option 'rm' "$odd.yaml" && has err "--option: found 'rm'"
run 2 "$ANNULUS" slurm nothing.yaml && has err "cannot be opened"
run 2 "$ANNULUS" slurm --set phases.a.batch=0 "$odd.yaml" && has err "phases.a.batch"
run 5 "$ANNULUS" slurm --output nowhere/script "$odd.yaml" && has err "nowhere/script: No such file or directory"

# ---- sbatch
mkdir bin
fake() { printf '#!/bin/bash\n%s\n' "$2" >"bin/$1" && chmod +x "bin/$1"; } # NAME TEXT
with_fakes=(env "PATH=$PWD/bin:$PATH" SLURM_JOB_ID=77 SLURM_JOB_NUM_NODES=2)
fake sbatch 'cat >submitted; echo Submitted batch job 5'
run 0 "${with_fakes[@]}" "$ANNULUS" slurm --submit --output kept "$odd.yaml" && has out "Submitted batch job 5"
cmp kept submitted || bad=1
fake sbatch 'cat >/dev/null; echo no such partition >&2; exit 1'
run 5 "${with_fakes[@]}" "$ANNULUS" slurm --submit "$odd.yaml" && has err "no such partition" && has err "sbatch has refused the script"
run 4 env PATH=/nowhere "$ANNULUS" slurm --submit "$odd.yaml" && has err "sbatch was not found"

# ---- the script: what follows which exit code
fake srun 'printf "%s\n" "$@" >srun.args; exit ${CODE:-0}'
fake scontrol 'echo "$@" >>calls; echo "JobId=77 JobState=${STATE:-RUNNING} PreemptTime=None"'
fake scancel 'echo "scancel $@" >>calls'
fake squeue 'date -d "1 hour" +%FT%T'
fake sbatch 'echo "sbatch $ANNULUS_CHAIN $*" >>calls; echo 78'
script() { # CODE-OF-SRUN CODE CALLS [VARIABLE=VALUE...]: CALLS is what it asked of Slurm
    local code=$1 want=$2 calls=$3
    shift 3
    rm -f calls
    touch calls
    run "$want" "${with_fakes[@]}" CODE="$code" "$@" bash ./script
    [ "$(grep -v 'show job' calls | paste -sd ';')" = "$calls" ] || { echo "srun ended with $code: called: $(cat calls), not $calls"; bad=1; }
}
run 0 "$ANNULUS" slurm --output script --nodes 2 --max-restarts 3 "$odd.yaml"
script 0 0 ""
has srun.args --mpi=pmix 1
has srun.args "$odd.yaml" 1
has srun.args --ntasks=2 1
for code in 2 4 6 8 127; do script $code $code ""; done
for code in 75 1 7 9 137; do script $code $code "requeue 77"; done
script 75 75 "requeue 77" SLURM_RESTART_COUNT=2
script 75 75 "" SLURM_RESTART_COUNT=3
run 0 "$ANNULUS" slurm --output script --nodes 2 --max-restarts 3 --chain "$odd.yaml"
follow="--parsable --dependency=afternotok:77 --kill-on-invalid-dep=yes ./script"
script 0 0 "sbatch 1 $follow;scancel 78"
script 2 2 "sbatch 1 $follow;scancel 78"
script 75 75 "sbatch 1 $follow"
script 75 75 "sbatch 3 $follow" ANNULUS_CHAIN=2
script 75 75 "" ANNULUS_CHAIN=3
run 0 "$ANNULUS" slurm --output script --nodes 2 --array 2 "$odd.yaml"
script 75 75 ""

# The script is asked to end (scancel), or warned, while the ranks are at work; they end with 75 then.
fake srun 'trap "exit 75" USR2; kill -$SIGNAL $PPID; [ $SIGNAL = USR1 ] || exit 75; for i in {1..100}; do sleep 0.1; done'
run 0 "$ANNULUS" slurm --output script --nodes 2 "$odd.yaml"
script - 75 "requeue 77" SIGNAL=USR1 STATE=RUNNING
script - 75 "" SIGNAL=TERM STATE=COMPLETING
has out "cancelled (ended with 75)"
script - 75 "requeue 77" SIGNAL=TERM STATE=RUNNING
fake squeue 'date +%FT%T'
script - 75 "requeue 77" SIGNAL=TERM STATE=COMPLETING # the time limit itself

# ---- the deadline
for ranks in 1 2; do
    for variable in ANNULUS_DEADLINE SLURM_JOB_END_TIME; do
        rm -rf deadline
        run 75 "${mpirun[@]}" -n $ranks env $variable=$(($(date +%s) + 5)) "$ANNULUS" train --set output=deadline "$odd.yaml"
        has err "stopped because the job ends soon, in phase a at step 8; a checkpoint was written" 1
        run 0 "${mpirun[@]}" -n $ranks env $variable=soon "$ANNULUS" train --resume --set output=deadline "$odd.yaml"
        has out "a  resumes at step 8"
    done
done
run 0 env ANNULUS_DEADLINE=$(($(date +%s) + 3600)) SLURM_JOB_END_TIME=1 "$ANNULUS" train --set output=far "$odd.yaml"
exit $bad
