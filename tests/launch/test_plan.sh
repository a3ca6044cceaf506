#!/bin/bash
# annulus plan scaling: its tables for a given network and for a measured one, the drawing, and bad command lines.
# timeout: 240
. "${BASH_SOURCE%/*}/cli.bash"

make_images
run 0 "$ANNULUS" data import idx idx tiny.h5
cat >run.yaml <<'YAML'
name: tiny
output: out.dir
data: {path: tiny.h5}
models:
  net:
    - flatten: {}
    - dense: {name: fc1, units: 32, activation: relu}
    - dense: {name: fc2, units: 2}
phases:
  - name: first
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 40
    program: [{epochs: 1, lr: 0.01}]
  - name: parts
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 64
    accumulate: 2
    sampling: {remainder: drop}
    compress: {method: bf16}
    program: [{epochs: 1, lr: 0.01}]
  - name: apart
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 40
    sync: {every: 4}
    program: [{epochs: 1, lr: 0.01}]
YAML

# numbers ROWS: the table of weak scaling, then that of strong scaling, have so many rows of nine numbers. Steps are no shorter
# than computing, and samples/s follow from the step.
numbers() {
    awk -v rows="$1" '
        /^weak scaling/ { table = 1 } /^strong scaling/ { table = 2 }
        table && $1 ~ /^[0-9]+$/ && NF == 9 {
            n[table]++
            if ($9 <= 0 || (table == 1 && $9 > 1)) { print "efficiency: " $0; bad = 1 }
            if ($7 < $4 || $6 > $5 + 0.01 || $6 < 0) { print "times: " $0; bad = 1 }
            samples = table == 1 ? $2 * $3 : total
            if (n[table] == 1) samples = total = $2 * $3
            if (($8 * $7 / 1000) / samples < 0.9 || ($8 * $7 / 1000) / samples > 1.1) { print "samples: " $0; bad = 1 }
        }
        END { if (n[1] != rows || n[2] != rows) { print n[1] " and " n[2] " rows"; bad = 1 } exit bad }' out && return
    sed 's/^/    /' out
    bad=1
}
net=(--network alpha_us=40,gbit=1)

run 0 "$ANNULUS" plan --help && has out "scaling"
run 0 "$ANNULUS" plan scaling --help && has out "usage: annulus plan scaling"
run 0 "$ANNULUS" plan scaling run.yaml --nodes 2,4,8 --threads 1 "${net[@]}" --ranks-per-node 1 --plot plot.svg
has out "nodes   ranks batch/rank  compute_ms   comm_ms  exposed_ms   step_ms    samples/s efficiency" 2
has out "between nodes: 40.00 us for a message, 1.000 Gbit/s" 1
numbers 3
run 0 "$ANNULUS" plan scaling run.yaml --phase parts --nodes 2,4,...,16 --ranks-per-node 2 --cores-per-node 1 --threads 1 "${net[@]}"
numbers 4 && has out "computing takes 2.00 times" 1
run 0 "$ANNULUS" plan scaling run.yaml --nodes 32,64 --threads 1 --ranks-per-node 1 "${net[@]}"
has out "a batch of 40 samples is less than one for each rank" 1

if command -v python3 >/dev/null; then
    run 0 python3 -c '
import sys, xml.etree.ElementTree as tree
root = tree.parse("plot.svg").getroot()
texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
for wanted in ("nodes", "efficiency", "samples/s", "ideal", "weak", "strong", "2", "4", "8"):
    assert wanted in texts, (wanted, texts)
assert any("tiny, phase first" in t for t in texts), texts
for line in root.iter("{http://www.w3.org/2000/svg}polyline"):
    points = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
    assert len(points) == 3, points
    for x, y in points:
        assert 0 <= x <= float(root.get("width")) and 0 <= y <= float(root.get("height")), (x, y)
'
fi

# What is measured: two ranks on this host, so one node only.
run 0 "${mpirun[@]}" -n 2 "$ANNULUS" plan scaling run.yaml --nodes 1 --threads 1
numbers 1 && has out "of 2 ranks on 1 host" 1
run 2 "${mpirun[@]}" -n 2 "$ANNULUS" plan scaling run.yaml --nodes 1,2 && has err "no network can be measured"

# ---- mistakes
plan() { run 2 "$ANNULUS" plan "${@:2}" && has err "$1"; }
plan "a command is needed, accepted are scaling"
plan "did you mean 'scaling'?" scalign
plan "one run file is needed, found 0" scaling
for network in fast gbit=1 alpha_us=1 alpha_us=0,gbit=1 alpha_us=1,gbit=-1 alpha_us=1,gbit=1,gbit=2 alpha_us=1,gbit=1, alpha_us=1x,gbit=1 ""; do
    plan "annulus plan scaling: --network: " scaling run.yaml --network "$network"
done
for nodes in 0 4,2 2,2 two 2, ...,8 2,...,...,8 ""; do plan "--nodes: found '$nodes'" scaling run.yaml --nodes "$nodes"; done
plan "no network can be measured" scaling run.yaml --nodes 2
plan "has no phase 'none'" scaling run.yaml --nodes 2 "${net[@]}" --phase none
plan "the first row is 41 ranks, and a batch only 40 samples" scaling run.yaml --nodes 41 --ranks-per-node 1 "${net[@]}"
plan "--ranks-per-node: found '0'" scaling run.yaml --ranks-per-node 0
run 1 "$ANNULUS" plan scaling run.yaml --nodes 2 "${net[@]}" --phase apart && has err "are not modelled"
run 5 "$ANNULUS" plan scaling run.yaml --nodes 2 "${net[@]}" --plot nowhere/plot.svg && has err "nowhere/plot.svg"
exit $bad
