#!/bin/bash
# timeout: 240
# Two jobs on one run with two branches, of one rank each: the coordinator gives each phase to one of them; without a coordinator,
# the locks of the output folder do. The weights are those of a job alone.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
. "$ANNULUS_SOURCE/launch/env.sh"
make_run branches <<'YAML'
  - {name: first, kind: pretrain, model: [encoder, decoder], loss: bce, batch: 100, program: [{epochs: 500, lr: 0.0001}]}
  - {name: left, kind: transfer, model: [encoder, head], loss: cross_entropy, batch: 40,
     load: {from: first, tensors: "encoder/*"}, program: [{epochs: 4000, lr: 0.001}]}
  - {name: right, kind: transfer, model: [encoder, head], loss: cross_entropy, batch: 20,
     load: {from: first, tensors: "encoder/*"}, program: [{epochs: 2000, lr: 0.001}]}
  - {name: last, kind: adapt, model: [encoder, head], loss: cross_entropy, batch: 40, after: [right], data: {path: data.h5},
     load: {from: left}, program: [{epochs: 5, lr: 0.0001}]}
YAML
jobs=()
trap '[ ${#jobs[@]} = 0 ] || { kill -KILL "${jobs[@]}"; wait "${jobs[@]}"; } 2>/dev/null; finish' EXIT
# start NAME ARGUMENT...: a job in the background
start() {
    timeout -k 5 200 "$ANNULUS" run --threads 1 "${@:2}" run.yaml >"$1.out" 2>"$1.err" </dev/null &
    jobs+=($!)
}
# ended: all jobs, each with 0
ended() {
    local job code
    for job in "${jobs[@]}"; do
        code=0
        wait "$job" || code=$?
        [ $code = 0 ] || complain "a job ended with $code: $(tail -n 5 ./*.out ./*.err)"
    done
    jobs=()
}
same() { # OUTPUT: weights as of one job
    local phase
    for phase in first left right last; do
        "$ANNULUS" ckpt diff --no-meta alone.dir/$phase "$1/$phase" >diff 2>&1 || complain "$1 has other weights: $(cat diff)"
    done
}
# shared NAME NAME: each phase was trained by one of the two jobs, and the branches by different ones
shared() {
    local phase a b
    for phase in first left right last; do
        a=$(grep -c "^$phase  ledger ok" "$1.out") b=$(grep -c "^$phase  ledger ok" "$2.out")
        [ $((a + b)) = 1 ] || complain "$phase was trained $a times by $1, $b times by $2"
        [ $phase != left ] || left=$a
        [ $phase != right ] || [ "$a" != "$left" ] || complain "$1 and $2 have not shared the branches"
        has "$1.out" "$phase  finished before" $((1 - a))
        has "$2.out" "$phase  finished before" $((1 - b))
    done
}
start alone --no-coordinator
ended

# ---- led by one coordinator
start_server --plain
led=(--resume --coordinator "$address" --coordinator-plain --coordinator-dir state --set output=led.dir)
start led1 "${led[@]}"
start led2 "${led[@]}"
ended
shared led1 led2
same led.dir
ctl 0 status branches --plain
has out DONE

# ---- led by nobody
start free1 --resume --no-coordinator --set output=free.dir
start free2 --resume --no-coordinator --set output=free.dir
ended
shared free1 free2
same free.dir

# ---- who would begin anew does not take away what another job works on
start busy --no-coordinator --set output=busy.dir
await test -s busy.dir/first/metrics.jsonl
run 2 "$ANNULUS" run --threads 1 --no-coordinator --set output=busy.dir run.yaml
has err "another job works in busy.dir: wait for its end, or join it by --resume" 1
run 2 "$ANNULUS" run --threads 1 --no-coordinator --only first --set output=busy.dir run.yaml
has err "another job works in busy.dir" 1
ended
same busy.dir

# ---- a run that an operator has stopped stays so for a job that nobody started by hand
ctl 2 stop branches --plain
start stopped --coordinator "$address" --coordinator-plain --coordinator-dir state --set output=stopped.dir
await test -s stopped.dir/first/metrics.jsonl
ctl 0 stop branches --plain
wait "${jobs[0]}"
[ $? = 75 ] || complain "not stopped: $(tail -n 3 stopped.out stopped.err)"
jobs=()
run 2 env SLURM_RESTART_COUNT=1 "$ANNULUS" run --threads 1 "${led[@]}" --set output=stopped.dir run.yaml
has err "the run 'branches' was stopped" 1
start again "${led[@]}" --set output=stopped.dir
ended
same stopped.dir
exit $bad
