#!/bin/bash
# timeout: 240
# Four hosts of one and of two ranks, as network namespaces behind links of 1 Gbit/s: every sum of every algorithm
# is right, training gives the bits of training on one host, and nothing is left behind, not even after a TERM.
. "$(dirname "${BASH_SOURCE[0]}")/../launch/cli.bash" || exit 1
netns=$ANNULUS_SOURCE/tests/mpi/netns.sh
export OPENBLAS_NUM_THREADS=1 OMPI_MCA_rmaps_base_oversubscribe=1

left() { # PID: what netns.sh of that process has left; links go a moment after their namespace
    local i
    for i in {1..30}; do
        ! { ip netns list; ip -o link; } | grep -q "an$1[hvb]" && return
        sleep 0.1
    done
    echo "left behind by $1:"
    { ip netns list; ip -o link; } | grep "an$1[hvb]"
    bad=1
}

hosts() { # HOSTS RATE RANKS PROGRAM...: its exit code in $code
    # shellcheck disable=SC2016
    timeout 100 bash -c 'echo $$ >pid; exec bash "$0" "$@"' "$netns" "$@" >out 2>err
    code=$?
    left "$(cat pid)"
}

timeout 30 bash "$netns" 1 none 1 true >out 2>err
if [ $? = 77 ]; then
    cat out
    exit 77
fi

for ranks in 1 2; do
    hosts 4 1gbit $ranks "$ANNULUS" bench allreduce --rounds 1 --max 65536 --algorithms
    [ $code = 0 ] || { echo "bench on 4 hosts of $ranks: exit code $code"; tail -5 out err; bad=1; }
done

run 0 "$ANNULUS_BUILD/tests/make_dataset" good good.h5 300
cat >run.yaml <<'YAML'
name: hosts
seed: 5
output: out
data: { path: good.h5 }
models:
  net: [flatten: {}, dense: { name: fc1, units: 64, activation: relu }, dense: { name: fc2, units: 2 }]
phases:
  - name: mlp
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 48
    reduction: { order: invariant, shards: 8 }
    optimizer: { kind: adam }
    program: [{ steps: 20, lr: 0.002 }]
YAML
run 0 "${mpirun[@]}" -n 4 "$ANNULUS" train --threads 1 --set output=local run.yaml
for ranks in 1 2; do
    hosts 4 1gbit $ranks "$ANNULUS" train --threads 1 --set output=hosts$ranks --set phases.mlp.resources.nodes=4 run.yaml
    [ $code = 0 ] || { echo "training on 4 hosts of $ranks: exit code $code"; tail -5 out err; bad=1; }
    run 0 "$ANNULUS" ckpt diff --no-meta local/mlp hosts$ranks/mlp
    has out equal
done

hosts 2 none 2 "$ANNULUS" train --threads 1 --set output=few --set phases.mlp.resources.nodes=4 run.yaml
[ $code = 2 ] || { echo "2 hosts in place of 4: exit code $code"; bad=1; }
has err "phases[0].resources.nodes: the phase 'mlp' is to run on 4 hosts, and the ranks of this job are on 2" 1

bash "$netns" 2 none 1 sleep 60 >out 2>err &
pid=$!
for i in {1..100}; do
    [ -n "$(ip netns pids an${pid}h2 2>/dev/null)" ] && break
    sleep 0.1
done
kill -TERM $pid
began=$SECONDS
wait $pid
code=$?
[ $code = 143 ] && [ $((SECONDS - began)) -lt 20 ] || { echo "TERM: exit code $code after $((SECONDS - began)) s"; bad=1; }
left $pid
exit $bad
