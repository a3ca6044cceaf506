#!/bin/bash
# What goes wrong for users, end to end, on one rank and on several: a mistake in the run file, unusable data, no room on the disk,
# damaged checkpoints, requests to stop, lost ranks. Each time: one clear line, the same exit code on every rank, no hang, nothing
# lost, no process left.
# timeout: 900
set -u
[ -n "${ANNULUS:-}" ] && [ -x "$ANNULUS" ] || { echo "skipped: the program annulus was not built"; exit 77; }
. "$ANNULUS_SOURCE/launch/env.sh"
MPIRUN=${MPIRUN:-mpirun}
MAKE_DATASET=$ANNULUS_BUILD/tests/make_dataset
bad=0
wrong() { echo "WRONG: $*"; sed 's/^/    /' err; bad=1; }

# ---- what every case is checked with; all run in ./, outputs in ./out and ./err

# Processes that work in this folder, but for this shell's own.
left() {
    local process
    for process in $(grep -lxE 'annulus|mpi.*|orte.*' /proc/[0-9]*/comm 2>/dev/null); do
        process=${process%/comm}
        [ "$(readlink "$process/cwd" 2>/dev/null)" = "$PWD" ] && echo "${process#/proc/}"
    done
}
children() { grep -lx "PPid:[[:space:]]$1" /proc/[0-9]*/status 2>/dev/null | cut -d / -f 3; }
none_left() {
    for _ in $(seq 50); do [ "$(left)" ] || return 0; sleep 0.1; done
    wrong "processes left after: $1"
    kill -KILL $(left)
}
# Notes each rank's exit code, since mpirun tells one at most.
rank_script() { printf '%s\n' '"$@"' 'code=$?' 'echo $code >"codes/${OMPI_COMM_WORLD_RANK:-0}"' 'exit $code'; }

# run RANKS CODE WHAT ARGUMENT...: annulus train with the arguments ends with the code on every rank. RANKS 0: without mpirun.
run() {
    local ranks=$1 want=$2 what="$3, $1 ranks" code=0 start=(sh rank.sh)
    shift 3
    # mpirun is to wait for the other ranks when one has failed, instead of ending them: they must end by themselves.
    [ "$ranks" = 0 ] || start=("$MPIRUN" -q --mca orte_abort_on_non_zero_status 0 -n "$ranks" sh rank.sh)
    rm -rf codes
    mkdir codes
    timeout -k 5 60 "${start[@]}" "$ANNULUS" train "$@" >out 2>err || code=$?
    # So told, mpirun has no exit code of its own.
    [ $code = $((ranks == 0 ? want : 0)) ] || wrong "$what: exit code $code"
    [ "$(sort -u codes/*)" = "$want" ] || wrong "$what: exit codes of the ranks $(paste -sd ' ' codes/*), not $want"
    [ "$(ls codes | wc -l)" -ge "$ranks" ] || wrong "$what: not every rank has ended by itself"
    none_left "$what"
}
# fails RANKS CODE TEXT ARGUMENT...: run, and stderr is the one line "error: TEXT...", perhaps with "rank R: " in between.
fails() {
    local ranks=$1 code=$2 text=$3 line
    shift 3
    run "$ranks" "$code" "$text" "$@"
    line=$(cat err)
    line=${line#error: }
    line=${line#rank [0-9]: }
    [ "$(wc -l <err)" = 1 ] && [[ $line == "$text"* ]] && grep -q '^error: ' err || wrong "$ranks ranks: not one line: $text"
}
# The same behind warnings.
fails_at_last() {
    local ranks=$1 code=$2 text=$3 line
    shift 3
    run "$ranks" "$code" "$text" "$@"
    line=$(tail -n 1 err)
    line=${line#error: }
    [[ ${line#rank [0-9]: } == "$text"* ]] && [ "$(grep -vc '^warning: ' err)" = 1 ] && grep -q '^error: ' err ||
        wrong "$ranks ranks: not one line after warnings: $text"
}
everywhere() { fails 0 "$@"; fails "${ranks:=3}" "$@"; ranks=$((5 - ranks)); } # alternately on 3 and 2 ranks
# The run's last record: the test loss after all phases.
final_loss() { tail -n 1 "$1"/train/metrics.jsonl; }
same_end() { [ "$(final_loss "$1")" = "$(final_loss "$2")" ] || wrong "$1 ended with $(final_loss "$1"), not with $(final_loss "$2")"; }
steps_of() { (cd "$1" && echo step-*); }

# start ARGUMENT...: the long run on 3 ranks, in the background, until it has shown some progress; sets $mpi.
start() {
    rm -f out
    timeout -k 5 60 "$MPIRUN" -q -n "${ranks_of_start:-3}" "$ANNULUS" train "$@" long.yaml >out 2>err &
    job=$!
    for _ in $(seq 600); do grep -qs loss out && break; sleep 0.05; done
    mpi=$(children $job)
}
pid_of_rank() {
    local pid
    for pid in $(children "$mpi"); do
        tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$1" && echo "$pid"
    done
}
# ends CODE WHAT: the long run ends with the code, and leaves nothing running.
ends() {
    local code=0
    wait $job || code=$?
    [ $code = "$1" ] || wrong "$2: exit code $code, not $1"
    none_left "$2"
}

write_run_files() {
    rank_script >rank.sh
    cat >run.yaml <<'YAML'
name: tiny
output: kept
data:
  path: good.h5
checkpoint: {every: 20 steps, keep: 4, when_busy: wait}
log: {every_steps: 50}
comm: {timeout_s: 20}
models:
  net:
    - flatten: {}
    - dense: {name: fc1, units: 16, activation: relu}
    - dense: {name: fc2, units: 2}
phases:
  - name: train
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 20
    optimizer: {kind: adam}
    program: [{epochs: 10, lr: 0.01}]
YAML
    # Some seconds long, so that there is time to interfere.
    sed 's/epochs: 10, lr: 0.01/steps: 6000, lr: 0.0002/; s/every: 20 steps/every: 200 steps/; s/timeout_s: 20/timeout_s: 3/' \
        run.yaml >long.yaml
}

# ---- on a small disk: bash test_faults.sh --small-disk FOLDER, in a mount namespace of its own

room() { mount -t tmpfs -o "remount,size=$1,nr_inodes=1000" tmpfs disk; }

small_disk() {
    cd "$1" || exit 1
    mount -t tmpfs -o size=2m,nr_inodes=1000 tmpfs disk || exit 77
    for ranks in 0 2; do
        rm -rf disk/*
        room $((300 + 50 * ranks))k # there is room for some checkpoints, but not for all
        set -- --set output=disk/run --set checkpoint.keep=0 --set "checkpoint.every=10 steps" --set log.every_steps=1000
        # Training goes on without checkpoints; only the last one's failure is an error.
        fails_at_last $ranks 5 'disk/run/train/step-' "$@" run.yaml
        grep -q '^warning: phase train: no checkpoint of step .*No space left on device' err || wrong "a full disk, $ranks ranks: another reason"
        before=$(steps_of disk/run/train)
        [[ $before == step-0000000010* ]] || wrong "a full disk, $ranks ranks: no checkpoint was kept, there is $before"
        fails_at_last $ranks 5 'disk/run/train/step-' "$@" --resume run.yaml # still full
        [ "$before" = "$(steps_of disk/run/train)" ] || wrong "a full disk, $ranks ranks: $before became $(steps_of disk/run/train)"
        room 8m
        run $ranks 0 "resume when there is room" "$@" --resume run.yaml
        grep -q "resumes at step .* from disk/run/train/${before##* }" out || wrong "$ranks ranks: not resumed from ${before##* }"
        [ $ranks = 0 ] && same_end disk/run kept

        rm -rf disk/*
        mkdir disk/run
        room 256k
        set -- --set output=disk/run --set checkpoint.every=never --set log.every_steps=1
        head -c 1m /dev/zero >disk/run/ballast 2>/dev/null
        fails $ranks 5 'disk/run/train/metrics.jsonl: cannot write it: No space left on device' --resume "$@" run.yaml
        rm disk/run/ballast
        run $ranks 0 "metrics when there is room" --resume "$@" run.yaml
    done
    exit $bad
}
if [ "${1:-}" = --small-disk ]; then small_disk "$2"; fi

# ---- the stage: datasets, run files, and a finished run that must not be touched

dir=$(mktemp -d "${TMPDIR:-/tmp}/annulus-faults-XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
touch err
mkdir disk
write_run_files
for kind in good nan rank dtype unequal; do "$MAKE_DATASET" $kind $kind.h5 || exit 1; done
"$MAKE_DATASET" good few.h5 2 || exit 1
head -c 9000 good.h5 >truncated.h5
head -c 500 good.h5 >stump.h5
echo "no HDF5" >text.h5
: >empty.h5
mkdir folder.h5
run 0 0 "a good run" run.yaml
cp -r kept kept.copy

# ---- the run file: one line, with the place; nothing has begun
mistake() { # SED-COMMAND TEXT
    sed "$1" run.yaml >mistake.yaml
    everywhere 2 "mistake.yaml:$2" mistake.yaml
}
mistake 's/^log: {every_steps/log: {evry_steps/' "6:7: log.evry_steps: unknown key, did you mean 'every_steps'?"
mistake 's/units: 16/units: sixteen/' "11:33: models.net[1].dense.units: found 'sixteen', accepted is an integer from 1 to 100000000"
mistake 's/batch: 20/batch: 0/' "18:12: phases[0].batch: '0' is out of range, accepted is an integer from 1 to 1000000000"
mistake 's/good.h5/none.h5/' "4:9: data.path: 'none.h5': No such file or directory"
mistake 's/good.h5/folder.h5/' "4:9: data.path: 'folder.h5' is no file"
everywhere 2 'none.yaml: cannot be opened: No such file or directory' none.yaml

# ---- the dataset
dataset() { everywhere "$2" "$3" --set data.path="$1" run.yaml; } # FILE CODE TEXT
dataset text.h5 6 'text.h5: is not an HDF5 file'
dataset empty.h5 6 'empty.h5: is empty'
dataset truncated.h5 6 'truncated.h5: cannot be opened as HDF5: truncated file'
dataset stump.h5 6 'stump.h5: '
dataset rank.h5 6 'rank.h5: /train/x: wrong rank 1'
dataset dtype.h5 6 'dtype.h5: /train/x: is strings, accepted: '
dataset unequal.h5 6 'unequal.h5: /train/y: 199 labels for 200 samples of x'
dataset nan.h5 8 'nan.h5: /train/x: sample 100 holds NaN'

# ---- empty shards
fails 3 2 'run.yaml: phase train: few.h5: /train: 2 samples cannot be shared among 3 ranks' --set data.path=few.h5 run.yaml
sed 's/batch: 20/batch: 2/' run.yaml >narrow.yaml
fails 3 2 'narrow.yaml:18:12: phases[0].batch: 2 samples for 3 ranks' narrow.yaml

# ---- the output folder
echo "a file" >file
everywhere 5 'output file: is not a folder' --set output=file run.yaml
everywhere 5 'output file/run: Not a directory' --set output=file/run run.yaml
[ "$(cat file)" = "a file" ] || wrong "the file in the output folder's place has changed"

# ---- nothing of all this has touched the finished run
diff -r kept kept.copy >/dev/null && [ ! -e kept.1 ] || wrong "a failure has changed the finished run"
run 0 0 "the finished run" --resume run.yaml
grep -q 'finished before' out || wrong "the finished run is not known any more"

# ---- the loss is no number
sed '/name: fc1/s/units: 16, activation: relu/units: 64/; s/units: 2/units: 64/; s/supervised/pretrain/; s/cross_entropy/mse/
     s/adam/sgd/; s/lr: 0.01/lr: 1e6/; s/kept/diverged/' run.yaml >diverging.yaml
everywhere 8 'phase train, step ' diverging.yaml
grep -q 'the loss is ' err || wrong "a diverging loss is called something else"

# ---- damaged checkpoints
damage() { # FILE: its hundredth byte from the end is turned round
    local at=$(($(stat -c %s "$1") - 100)) byte
    byte=$(od -An -tu1 -j $at -N 1 "$1")
    printf "$(printf '\\%03o' $((byte ^ 255)))" | dd of="$1" bs=1 seek=$at conv=notrunc 2>/dev/null
}
for ranks in 0 2; do
    rm -rf damaged
    cp -r kept damaged
    damage damaged/train/step-0000000100/shard-0000.h5
    run $ranks 0 "one damaged checkpoint" --set output=damaged --resume run.yaml
    [ "$(wc -l <err)" = 1 ] && grep -q '^warning: checkpoint damaged/train/step-0000000100 is not used: .*shard-0000.h5: ' err ||
        wrong "a damaged checkpoint, $ranks ranks: not one warning"
    grep -q 'resumes at step 80' out || wrong "a damaged checkpoint, $ranks ranks: did not go on from the one before"
    [ $ranks = 0 ] && same_end damaged kept

    rm -rf damaged
    cp -r kept damaged
    for shard in damaged/train/step-*/shard-0000.h5; do damage "$shard"; done
    cp -r damaged damaged.copy
    run $ranks 6 "damaged checkpoints" --set output=damaged --resume run.yaml
    [ "$(grep -c '^warning: ' err)" = 4 ] && [ "$(grep -c -v '^warning: ' err)" = 1 ] &&
        grep -q '^error: .*damaged/train: no checkpoint there is good' err || wrong "damaged checkpoints, $ranks ranks"
    diff -r damaged damaged.copy >/dev/null || wrong "damaged checkpoints, $ranks ranks: were changed"
    rm -rf damaged.copy
done

# ---- a run file that was changed between start and --resume of an unfinished phase
sed 's/units: 16/units: 17/; s/kept/unfinished/' run.yaml >changed.yaml
rm -rf unfinished unfinished.copy
cp -r kept unfinished
rm -r unfinished/train/step-0000000100
cp -r unfinished unfinished.copy
everywhere 2 'changed.yaml: cannot resume from unfinished/train/step-0000000080: ' --resume changed.yaml
everywhere 2 'run.yaml: cannot resume from unfinished/train/step-0000000080: the run file says "seed = 9"' --set output=unfinished --set seed=9 --resume run.yaml
diff -r unfinished unfinished.copy >/dev/null || wrong "a changed run file has changed the run"

# ---- requests to stop, in turn; in the end the same result as without
ranks_of_start=2
run 2 0 "the uninterrupted run" --set output=whole long.yaml
start --set output=stopped
kill -USR2 "$mpi"
ends 75 SIGUSR2
[ "$(wc -l <err)" = 1 ] && grep -q '^stopped on request in phase train at step [0-9]*; a checkpoint was written' err || wrong SIGUSR2
start --set output=stopped --resume
kill -TERM "$(pid_of_rank 1)" # as srun does; mpirun's own SIGTERM comes with an exit code of its own
ends 75 "SIGTERM to a rank"
[ "$(wc -l <err)" = 1 ] && grep -q '^stopped on request' err || wrong "SIGTERM to a rank"
start --set output=stopped --resume
kill -TERM "$mpi"
ends 1 "SIGTERM to mpirun"
run 2 0 "the stopped run" --set output=stopped --resume long.yaml
same_end stopped whole

# ---- lost ranks
ranks_of_start=3
start --set output=lost
kill -STOP "$(pid_of_rank 1)"
ends 7 "a rank that is silent"
grep -q '^error: phase train, step [0-9]*: .*timeout of 3 s: no answer from rank 1 ' err || wrong "a rank that is silent: no verdict"
grep -v '^error: \|^\[rank [12]\] error: ' err && wrong "a rank that is silent: other lines"
start --set output=lost --resume
kill -KILL "$(pid_of_rank 2)"
ends 137 "a rank that was killed"
run 2 0 "the lost run" --set output=lost --resume long.yaml
a=$(final_loss lost) b=$(final_loss whole)
awk -v a="${a#*\"test_loss\":}" -v b="${b#*\"test_loss\":}" 'BEGIN { d = a - b; exit !(d * d <= 1e-8 * b * b) }' ||
    wrong "the lost run ended with $a, not with $b"

# ---- no room on the disk
if unshare -m true 2>/dev/null; then namespace=(unshare -m); else namespace=(unshare -rm); fi
if "${namespace[@]}" mount -t tmpfs -o size=1m tmpfs disk 2>/dev/null; then
    "${namespace[@]}" bash "$ANNULUS_SOURCE/tests/launch/test_faults.sh" --small-disk "$dir" || bad=1
else
    echo "skipped: a full disk: no right to mount a small tmpfs here"
fi

[ $bad = 0 ] && echo "all as it should be"
exit $bad
