#!/bin/bash
# labels: slow
# The graph on Fashion-MNIST, while its coordinator is killed twice, in the middle of phases, and started again: training goes on
# meanwhile, and afterwards the coordinator knows all measurements of before, of after, and of the time between, once.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
. "$ANNULUS_SOURCE/launch/env.sh"
. "$ANNULUS_SOURCE/tests/fashion/fashion.bash"
make_graph
start_server --plain
touch slow
LD_PRELOAD=$ANNULUS_BUILD/tests/shim_pause.so ANNULUS_PAUSE_FILE=$dir/slow ANNULUS_PAUSE_MS=800 \
    graph killed --coordinator "$address" --coordinator-plain --coordinator-dir state &
job=$!
trap 'kill $(pgrep -P "$job") 2>/dev/null; wait "$job" 2>/dev/null; finish' EXIT
until_true() { # COMMAND...
    local tries
    for ((tries = 0; tries < 400; tries++)); do ! "$@" || return 0; sleep 0.1; done
    echo "never: $*"
    cat killed.log
    exit 1
}
count() { progress killed | wc -l; }
more_than() { [ "$(count)" -gt "$1" ]; }
works_on() { timeout 10 "$ANNULUS" ctl --plain --state state status fashion-graph 2>&1 | grep -q "^$1 .* ACTIVE "; } # PHASE
heard_again() { [ "$(grep -c 'coordinator: back' killed.log)" = "$1" ]; } # TIMES
times=0
for phase in pretrain many; do
    until_true within killed $phase
    until_true works_on $phase
    stop_server KILL 137
    before=$(count)
    until_true more_than $((before + 2))
    within killed $phase || wrong "the coordinator was not killed in the middle of $phase"
    start_server --plain --listen "$address"
    times=$((times + 1))
    until_true heard_again $times
done
rm slow
wait $job || wrong "the job has failed"
same_as_plain killed
led state killed
[ "$(grep -c 'training goes on' killed.log)" = 2 ] || wrong "the log does not tell of it: $(grep coordinator: killed.log)"
stop_server TERM 0
exit $bad
