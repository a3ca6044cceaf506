#!/bin/bash
# labels: slow slurm
# timeout: 400
# The graph on Fashion-MNIST as a Slurm job on two nodes, led by the coordinator that rank 0 holds; as two jobs of one node each, to
# which another coordinator gives the branches; and as a job for each phase.
. "$ANNULUS_SOURCE/tests/fashion/fashion.bash"
. "$ANNULUS_SOURCE/tests/slurm/cluster.bash"
cluster_up
make_graph

submit two "${shorter[@]}" --nodes 2
ends "$job" 100 COMPLETED 0:0
said two 1 '2 ranks x 1 thread'
said two 1 '2 nodes: node'
same_as_plain two
led_itself two

start_coordinator state
jobs=()
for name in one other; do
    ANNULUS_PAUSE_MS=300 submit_slowly $name "${shorter[@]}" --set output=shared --nodes 1 --tasks-per-node 2 \
        --coordinator "$address" --coordinator-plain --coordinator-dir state
    jobs+=("$job")
done
branches_begun() { [ -s shared/few/metrics.jsonl ] && [ -s shared/many/metrics.jsonl ]; }
until_true 100 branches_begun || fail "the branches have not begun"
rm slow
for job in "${jobs[@]}"; do ends "$job" 150 COMPLETED 0:0; done
for name in one other; do
    said $name 1 '2 ranks x 1 thread'
    said $name 1 '1 nodes: node'
done
for phase in pretrain few many moved; do
    [ "$(cat one.log other.log | grep -c "^$phase  ledger ok")" = 1 ] || wrong "$phase was not trained once"
done
[ "$(lines one.log '^few  ledger ok')" != "$(lines one.log '^many  ledger ok')" ] || wrong "one job has trained both branches"
same_as_plain shared
led state shared
stop_coordinator

start_coordinator another
timeout 60 "$ANNULUS" slurm --submit --executor slurm --tasks-per-node 2 --time 10:00 --log %x.log --set output=each "${shorter[@]}" \
    --coordinator "$address" --coordinator-plain --coordinator-dir another run.yaml >jobs.log || fail "not submitted"
count=0
while read -r phase job _; do
    count=$((count + 1))
    ends "$job" 150 COMPLETED 0:0
    said "fashion-graph-$phase" 1 '2 ranks x 1 thread'
    [ "$phase" = unmoved ] || said "fashion-graph-$phase" 1 "^$phase  ledger ok"
done < <(tail -n +2 jobs.log)
[ $count = 5 ] || wrong "jobs: $(cat jobs.log)"
same_as_plain each
led another each
stop_coordinator
exit $bad
