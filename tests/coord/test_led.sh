#!/bin/bash
# timeout: 240
# annulus run led by a coordinator: the one that rank 0 holds, and another. What operators ask for is applied and written down;
# training neither waits for a coordinator that is stopped, killed or not there, nor is it another one; and what was measured
# meanwhile is told once it is back.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
. "$ANNULUS_SOURCE/launch/env.sh"
mpirun=(env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0" "${MPIRUN:-mpirun}" -q -n 2)
make_run led <<'YAML'
  - {name: pretrain, kind: pretrain, model: [encoder, decoder], loss: bce, batch: 100, program: [{epochs: 10000, lr: 0.0001}]}
  - {name: tune, kind: transfer, model: [encoder, head], loss: cross_entropy, batch: 40,
     load: {from: pretrain, tensors: "encoder/*"}, program: [{epochs: 20, lr: 0.001}]}
YAML
job=
# start OUTPUT ARGUMENT...: a job in the background, its process id in $job
start() {
    "${mpirun[@]}" "$ANNULUS" run --threads 1 --set output="$1" "${@:2}" run.yaml >"$1.out" 2>"$1.err" </dev/null &
    job=$!
}
ended() { # CODE OUTPUT
    local code=0
    wait "$job" || code=$?
    job=
    [ $code = "$1" ] || complain "the job ended with $code, not $1: $(tail -n 5 "$2.out" "$2.err")"
}
step_of() { tail -n 1 "$1/pretrain/metrics.jsonl" | sed 's/.*"step":\([0-9]*\).*/\1/'; }
same() { # OUTPUT: weights as without a coordinator
    "$ANNULUS" ckpt diff --no-meta alone.dir/tune "$1/tune" >diff 2>&1 || complain "$1 has other weights: $(cat diff)"
}
# told STATE OUTPUT RUN: each measurement of the phases is with the coordinator, once
told() {
    local want have
    want=$(cat "$2"/*/metrics.jsonl | grep -c '"loss":')
    timeout 20 "$ANNULUS" ctl --plain --state "$1" watch "$3" --json --timeout 5 >watched 2>&1 </dev/null
    have=$(grep -c '"samples_per_s"' watched)
    [ "$have" = "$want" ] || complain "$2 has $want measurements, the coordinator $have"
}
trap '[ -z "$job" ] || { kill -KILL "$job"; wait "$job"; } 2>/dev/null; finish' EXIT

run 0 "${mpirun[@]}" "$ANNULUS" run --threads 1 --no-coordinator run.yaml
[ ! -e alone.dir/coordinator ] || complain "there is a coordinator"

# ---- the one that rank 0 holds
inner() { run "$1" "$ANNULUS" ctl --plain --state held.dir/coordinator "${@:2}"; }
start held.dir
await test -s held.dir/coordinator/address
await grep -q '"step":200,' held.dir/pretrain/metrics.jsonl
inner 0 pause led
await grep -q pause held.dir/control.jsonl
inner 0 status led
has out "paused" && has out "pretrain" && has out "LIVE" 1
before=$(step_of held.dir)
sleep 1
[ "$(step_of held.dir)" = "$before" ] || complain "training goes on in a pause"
inner 0 set led lr_factor=1
inner 0 checkpoint led
await test -e held.dir/pretrain/latest
inner 0 resume led
await grep -q resume held.dir/control.jsonl
inner 0 stop led
ended 75 held.dir
[ "$(grep -o '"request":"[a-z]*"' held.dir/control.jsonl | cut -d'"' -f4 | xargs)" = "pause lr checkpoint resume stop" ] ||
    complain "requests: $(cat held.dir/control.jsonl)"
[ ! -e held.dir/coordinator/address ] || complain "the coordinator is said to be there after the end"
start held.dir --resume
ended 0 held.dir
same held.dir
run 0 "$ANNULUS" lineage held.dir/tune # through its parent, which was led
[ "$(grep -c '^  request  behind step [0-9]*: lr 1, by .* at 20' out)" = 1 ] || complain "the lineage names no request: $(cat out)"
run 0 "$ANNULUS" lineage --json held.dir/pretrain
has out '"requests_dropped": 0, "requests": [{"request": "lr", "value": 1, "step": ' 1

# ---- one that is not there
start lonely.dir --coordinator 127.0.0.1:1 --coordinator-plain --coordinator-dir held.dir/coordinator
ended 0 lonely.dir
has lonely.dir.err "training goes on" 1
same lonely.dir

# ---- another one: stopped for a while, then killed and started again in the middle
start_server --plain
start led.dir --coordinator "$address" --coordinator-plain --coordinator-dir state
await grep -q '"step":400,' led.dir/pretrain/metrics.jsonl
kill -STOP "$server"
before=$(step_of led.dir)
sleep 1
[ "$(step_of led.dir)" -gt "$before" ] || complain "training waits for a coordinator that is stopped"
kill -CONT "$server"
stop_server KILL 137
start_server --plain --listen "$address"
ended 0 led.dir
same led.dir
ctl 0 status led --plain
has out DONE

# ---- a job that ends as soon as its coordinator is back, after a long absence
start late.dir --coordinator "$address" --coordinator-plain --coordinator-dir state --set name=late --set "phases.pretrain.program=[{epochs: 200000, lr: 0.0001}]"
await grep -q '"step":100,' late.dir/pretrain/metrics.jsonl
stop_server KILL 137
sleep 5 # the agent's pauses between two attempts have become as long as they get
start_server --plain --listen "$address"
touch late.dir/stop.now
ended 75 late.dir
has late.dir.err "were not told" 0
told state late.dir late
told state led.dir led
stop_server TERM 0
exit $bad
