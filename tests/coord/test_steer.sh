#!/bin/bash
# A job of four ranks with steps of two fifths of a second (two lines each, and each line waits), steered from outside: a checkpoint,
# another learning rate, a pause and its end, three times. Each takes effect after the step under way or the next one, on all ranks at
# the same: their parameters are compared after each step. From its first checkpoint on the job is repeated, led by nobody, and ends
# with the same bits; without the log of requests it ends with others.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
. "$ANNULUS_SOURCE/launch/env.sh"
python=/usr/bin/python3
[ -x $python ] || { echo "skipped: $python is not installed"; exit 77; }
"$ANNULUS_BUILD/tests/make_dataset" good data.h5 400 || exit 1
cat >run.yaml <<'YAML'
name: steered
output: led.dir
data: {path: data.h5}
log: {every_steps: 1}
comm: {check_every: 1}
checkpoint: {keep: 0}
models:
  net: [flatten: {}, dense: {name: fc, units: 32, activation: relu}, dropout: {name: drop, p: 0.2}, dense: {name: out, units: 2}]
phases:
  - {name: only, kind: supervised, model: [net], loss: cross_entropy, batch: 40, optimizer: {kind: adam}, program: [{steps: 300, lr: 0.001}]}
YAML
mpirun=(env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0:verify_asan_link_order=0" "${MPIRUN:-mpirun}" -q -n 4)
job=
trap '[ -z "$job" ] || { kill -KILL "$job"; wait "$job"; } 2>/dev/null; finish' EXIT
requests() { [ "$(wc -l <led.dir/control.jsonl)" -ge "$1" ]; }
# ask ARGUMENT...: a request, until it is applied
asked=0
ask() {
    ctl 0 --plain "$@"
    await requests $((++asked))
}

start_server --plain
touch slow
LD_PRELOAD=$ANNULUS_BUILD/tests/shim_pause.so ANNULUS_PAUSE_FILE=$dir/slow ANNULUS_PAUSE_MS=200 "${mpirun[@]}" \
    "$ANNULUS" run --threads 1 --coordinator "$address" --coordinator-plain --coordinator-dir state run.yaml >led.out 2>led.err </dev/null &
job=$!
await grep -q '"step":3,' led.dir/only/metrics.jsonl
for factor in 0.5 2 0.25; do
    ask checkpoint steered
    ask set steered lr_factor=$factor
    ask pause steered
    ask resume steered
done
rm slow
code=0
wait "$job" || code=$?
job=
[ $code = 0 ] || complain "the job ended with $code: $(tail -n 5 led.out led.err)"
timeout 20 "$ANNULUS" ctl --plain --state state watch steered --json --timeout 5 >watched 2>err </dev/null || complain "$(cat err)"
"$python" "$ANNULUS_SOURCE/tests/coord/steer.py" watched || bad=1

# again OUTPUT: the rest of the job, behind its first checkpoint
again() {
    run 0 "${mpirun[@]}" "$ANNULUS" run --threads 1 --no-coordinator --resume --set output="$1" run.yaml
    has out "  step $((10#${first#step-} + 1))  " 1
    ! grep -q '  step 1  ' out || complain "it began anew"
    "$ANNULUS" ckpt diff --no-meta led.dir/only "$1/only" >diff 2>&1
}
first=$(ls led.dir/only | grep '^step-[0-9]*$' | sort | head -n 1)
cp -r led.dir repeated.dir
find repeated.dir/only -mindepth 1 -maxdepth 1 ! -name "$first" ! -name metrics.jsonl -exec rm -r {} +
cp -r repeated.dir alone.dir
rm alone.dir/control.jsonl
again repeated.dir || complain "repeated, it has other weights: $(cat diff)"
again alone.dir && complain "requests have no effect on the weights"
stop_server TERM 0
exit $bad
