#!/bin/bash
# labels: long
# timeout: 900
# launch/annulus-run: whatever is done to a job, its supervisor brings it to the end, with the weights of the uninterrupted run, bit by
# bit, and leaves no process and no file. At random moments a rank is killed, a rank is stopped (the verdict of the others ends the job),
# mpirun is killed, or all ranks are stopped (the supervisor ends the job).
# How many times: the argument, or ANNULUS_KILLS, or 4.
set -u
[ -x "${ANNULUS:-}" ] || { echo "skipped: the program was not built"; exit 77; }
. "$ANNULUS_SOURCE/launch/env.sh"
. "$ANNULUS_SOURCE/tests/train/soak.bash"
kills=${1:-${ANNULUS_KILLS:-4}}
supervisor=
run=$ANNULUS_SOURCE/launch/annulus-run

stop_all() {
    [ -z "$supervisor" ] || kill -TERM "$supervisor" 2>/dev/null
    [ -z "$supervisor" ] || { sleep 1; kill -TERM "$supervisor" 2>/dev/null; wait "$supervisor"; }
    cleanup
}
trap stop_all EXIT # more of them, for annulus train
supervise() { # OUTPUT OPTION...
    local output=$1
    shift
    "$run" --mpirun "$MPIRUN" --backoff 0 "$@" -n 2 -- "$ANNULUS" train --threads 1 --set output="$output" \
        --set comm.timeout_s=3 "${train_args[@]}" "$dir/run.yaml" >"$dir/log" 2>&1 &
    supervisor=$!
}
# Sets $mpirun_pid to the job under way, waiting for it; fails when the supervisor has ended.
find_job() {
    for _ in $(seq 200); do
        mpirun_pid=$(awk -v p="$supervisor" '$4 == p && $2 ~ /mpirun|orterun|mpiexec/ { print $1 }' /proc/[0-9]*/stat 2>/dev/null)
        [ -z "$mpirun_pid" ] || [ -z "$(ranks)" ] || return 0
        kill -0 "$supervisor" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}
restarts() { grep -c '^annulus-run: .*: restart ' "$dir/log"; }
strike() { # KIND: true if it struck
    local pids one before
    find_job || return 1
    a_moment
    find_job || return 1
    before=$(restarts)
    mapfile -t pids < <(ranks)
    [ ${#pids[@]} -gt 0 ] || return 1 # the job ended just now
    one=${pids[RANDOM % ${#pids[@]}]}
    case $1 in
    kill) kill -KILL "$one" ;;
    stop) kill -STOP "$one" ;;
    mpirun) kill -KILL "$mpirun_pid" ;;
    freeze) kill -STOP "${pids[@]}" ;;
    esac 2>/dev/null || return 1
    for _ in $(seq 600); do # until the job is another one
        [ "$(restarts)" = "$before" ] || return 0
        kill -0 "$supervisor" 2>/dev/null || return 1 # the run was finished already
        sleep 0.1
    done
    fail "$1: nothing has happened for a minute"
}
# Processes of jobs of this test.
left() {
    local process
    for process in $(grep -lxE 'annulus|annulus-run|mpi.*|orte.*' /proc/[0-9]*/comm 2>/dev/null); do
        tr '\0' ' ' <"${process%/comm}/cmdline" 2>/dev/null | grep -qF "$dir/" && echo "${process//[!0-9]/}"
    done
}
nothing_left() {
    [ -z "$(left)" ] || fail "processes are left: $(ps -o pid,stat,args -p "$(left | paste -sd ,)")"
    [ -z "$(ls -A "$dir/mpi")" ] || fail "left in TMPDIR: $(ls -A "$dir/mpi")"
    [ ! -e "$(sed -n 's/^.*shared memory in \(.*\)$/\1/p' "$dir/log" | head -n 1)/" ] || fail "left in /dev/shm"
}
ended() { # CODE TEXT
    local code
    wait "$supervisor"
    code=$?
    supervisor= mpirun_pid=
    [ $code = "$1" ] || fail "the supervisor ended with $code, not $1"
    tail -n 1 "$dir/log" | grep -q "^annulus-run: $2" || fail "the last line is not: $2"
    nothing_left
}

make_data
make_run
sed -i 's/epochs: 14,/epochs: 60,/; s/epochs: 10,/epochs: 40,/; s/epochs: 20,/epochs: 80,/' "$dir/run.yaml" # time to interfere
whole_runs 2

kinds=(kill stop mpirun freeze)
declare -A struck
delivered=0 job=0
while [ $delivered -lt "$kills" ]; do
    job=$((job + 1)) in_job=0
    supervise "$dir/killed$job" --max-restarts 1000 --stall 15
    while [ $delivered -lt "$kills" ] && [ $in_job -lt 6 ]; do
        kind=${kinds[delivered % 4]}
        strike $kind || { kill -0 "$supervisor" 2>/dev/null && continue; break; }
        delivered=$((delivered + 1)) in_job=$((in_job + 1)) struck[$kind]=$((${struck[$kind]:-0} + 1))
    done
    ended 0 "the run is finished: $in_job restarts, "
    [ "$(grep -c 'verdict: .*late: rank [01] (host ' "$dir/log")" -le $in_job ] || fail "more than one verdict a job"
    check "$dir/killed$job" 2
    rm -rf "$dir/killed$job"
done

# ---- where it must not start again, or not for ever
train_args=(--set phases.transfer.program.1.epochs=600) # it does not end before it is asked to stop
supervise "$dir/long"
ended 0 "the run is finished: 0 restarts"
supervise "$dir/asked" --max-restarts 5
find_job || fail "no job"
for _ in $(seq 200); do grep -q loss "$dir/log" && break; sleep 0.05; done
kill -TERM "$supervisor"
ended 75 "stopped on request"
supervise "$dir/asked" --max-restarts 5 --stall 60
ended 0 "the run is finished: 0 restarts"
# (A line of progress that spans the stop is over fewer steps, so that only the weights are compared.)
apart=$(distance "$dir/long/transfer" "$dir/asked/transfer")
[ "$apart" = 0 ] || fail "other weights after a stop: $apart apart"

cp "$dir/run.yaml" "$dir/kept.yaml"
sed 's/^log:/lag:/' "$dir/kept.yaml" >"$dir/run.yaml"
supervise "$dir/wrong"
ended 2 "ended with 2, where another start would not help: 0 restarts"
cp "$dir/kept.yaml" "$dir/run.yaml"

supervise "$dir/once" --max-restarts 1
strike kill || fail "no kill"
find_job || fail "no second job"
mapfile -t pids < <(ranks)
kill -KILL "${pids[0]}"
ended 137 "ended with 137 (a rank was killed), after the last restart: 1 restarts"

tally=
for kind in "${kinds[@]}"; do tally+="${tally:+, }$kind ${struck[$kind]:-0}"; done
echo "$delivered strikes ($tally) in $job jobs: weights as uninterrupted, nothing left"
