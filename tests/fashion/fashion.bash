# Sourced by the tests of this folder behind coord.bash or before cluster.bash: the graph of launch/runs/fashion-graph.yaml with fewer steps, on
# two ranks. However it is run, all phases end with the weights of ./plain, the same bits, and the same measurements, each once.
[ -e /usr/share/datasets/fashion-mnist ] || { echo "skipped: Debian's package dataset-fashion-mnist is not installed"; exit 77; }
phases=(pretrain few many unmoved moved)
# Options for annulus run and annulus slurm.
shorter=(
    --set 'phases.pretrain.program.denoise={name: denoise, steps: 40, lr: 0.001, schedule: {kind: cosine}}'
    --set phases.few.program.head.epochs=2 --set phases.few.program.finetune.epochs=2
    --set phases.many.program.head.epochs=1 --set phases.many.program.finetune.epochs=1
    --set phases.moved.program.finetune.epochs=3
    --set log.every_steps=5 --set 'checkpoint.every=20 steps' --set comm.calibrate=never
)
declare -F wrong >/dev/null || wrong() { complain "$@"; }

# graph OUTPUT ARGUMENT...: runs it under mpirun; what it writes in OUTPUT.log
graph() {
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 timeout -k 5 200 "${MPIRUN:-mpirun}" -q -n 2 \
        "$ANNULUS" run --threads 1 "${shorter[@]}" --set output="$1" "${@:2}" run.yaml >"$1.log" 2>&1 </dev/null
}
# The run file, its datasets, and the run in ./plain, by the command of launch/runs/fashion-graph.yaml.
make_graph() {
    cp "$ANNULUS_SOURCE/launch/runs/fashion-graph.yaml" run.yaml && mkdir data || exit 1
    {
        "$ANNULUS" data import idx --name fashion-mnist /usr/share/datasets/fashion-mnist data/fashion-mnist.h5 &&
            "$ANNULUS" data transform "$ANNULUS_SOURCE/datasets/fashion-negative.yaml" data/fashion-mnist.h5 data/fashion-negative.h5
    } >data.log 2>&1 || { echo "no data: $(cat data.log)"; exit 1; }
    graph plain || { echo "the graph has failed: $(cat plain.log)"; exit 1; }
}

measurements() { local phase; for phase in "${phases[@]}"; do cat "$1/$phase/metrics.jsonl" 2>/dev/null; done; }
# progress OUTPUT: "PHASE STEP LOSS STEPS" of its progress lines, in order; the loss is the mean of so many steps
progress() { measurements "$1" | sed -n 's/^{"phase":"\([^"]*\)",.*"step":\([0-9]*\),.*[{,]"loss":\([^,]*\),.*"steps":\([0-9]*\),.*/\1 \2 \3 \4/p'; }
results() { measurements "$1" | grep '"test_loss":' | cut -d, -f1-6; }
# within OUTPUT PHASE: the newest measurement is of the phase
within() { [[ $(progress "$1" | tail -n 1) == "$2 "* ]]; }
same_as_plain() { # OUTPUT
    local phase
    for phase in "${phases[@]}"; do
        "$ANNULUS" ckpt diff --no-meta "plain/$phase" "$1/$phase" >diff.log 2>&1 && grep -qx equal diff.log ||
            wrong "$1: $phase has other weights: $(cat diff.log)"
    done
    [ "$(results plain | wc -l)" = 7 ] || wrong "plain has $(results plain | wc -l) results"
    diff <(results plain) <(results "$1") >diff.log || wrong "$1 has other results: $(cat diff.log)"
    diff <(progress plain | cut -d ' ' -f 1,2) <(progress "$1" | cut -d ' ' -f 1,2) >diff.log || wrong "$1 has other measurements: $(cat diff.log)"
    # After a stop within them, the first mean is not that of all five steps.
    progress "$1" | grep ' 5$' | grep -vxFf <(progress plain) >diff.log && wrong "$1 has other losses: $(cat diff.log)"
}
# The coordinator whose state is in a folder: each phase is done, and it was told of each measurement, once. With `again`: at least once,
# because a job that was killed had made some steps of which nothing was left.
led() { # STATE OUTPUT [again]
    local once=sort
    [ "${3:-}" != again ] || once='sort -u'
    timeout 20 "$ANNULUS" ctl --plain --state "$1" status fashion-graph >status.log 2>&1 </dev/null
    grep -q 'DONE  *5/5' status.log || wrong "$2: the coordinator does not know that all is done: $(cat status.log)"
    timeout 20 "$ANNULUS" ctl --plain --state "$1" watch fashion-graph --json --timeout 5 >watched.log 2>&1 </dev/null
    diff <(progress "$2" | cut -d ' ' -f 1,2 | sort) <(
        sed -n 's/.*"metric": {.*"phase": "\([^"]*\)",.*"step": \([0-9]*\),.*{"name": "loss",.*/\1 \2/p' watched.log | $once
    ) >diff.log || wrong "$2: the coordinator knows other measurements: $(cat diff.log)"
}
start_coordinator() { # STATE: sets $address
    rm -f "$1/address"
    "$ANNULUS" coordinator --plain --state "$1" >/dev/null 2>coordinator.log </dev/null &
    server=$!
    for _ in {1..200}; do [ ! -s "$1/address" ] || break; sleep 0.1; done
    address=$(cat "$1/address") || { echo "no coordinator: $(cat coordinator.log)"; exit 1; }
}
stop_coordinator() {
    kill -TERM "$server" && wait "$server" || wrong "the coordinator ended with $?: $(cat coordinator.log)"
    server=
}
# The same of the coordinator that rank 0 held, from what is left of it.
led_itself() { # OUTPUT [again]
    start_coordinator "$1/coordinator"
    led "$1/coordinator" "$@"
    stop_coordinator
}
