#!/bin/bash
# annulus run: a graph of six phases on two ranks; --only, --from, a stop in the middle and --resume; estimates and the
# drawing; what is evaluated and exported is what was trained; wrong graphs and wrong choices.
# timeout: 300
. "${BASH_SOURCE%/*}/cli.bash"
make_dataset=$ANNULUS_BUILD/tests/make_dataset
"$make_dataset" good source.h5 200 && "$make_dataset" good target.h5 120 || exit 1

# In the file each phase stands before those that it needs.
cat >run.yaml <<'YAML'
name: branches
output: out.dir
data: {path: source.h5}
checkpoint: {best: test_loss}
log: {every_steps: 5}
models:
  encoder:
    - flatten: {}
    - dense: {name: fc1, units: 32, activation: relu}
  decoder:
    - dense: {name: out, units: 64}
  head:
    - dense: {name: out, units: 2}
phases:
  - {name: weights, kind: export, load: {from: wide, tensors: "encoder/*"}, file: exported/wide.npz}
  - {name: check, kind: evaluate, load: {from: wide}}
  - name: adapted
    kind: adapt
    model: [encoder, head]
    data: {path: target.h5}
    loss: cross_entropy
    load: {from: wide}
    batch: 20
    program: [{epochs: 2, lr: 0.001}]
  - name: wide
    kind: transfer
    model: [encoder, head]
    loss: cross_entropy
    load: {from: pretrain, tensors: "encoder/*"}
    batch: 20
    program: [{name: head, train: "head/*", epochs: 1, lr: 0.01}, {name: all, epochs: 2, lr: 0.01}]
  - name: narrow
    kind: transfer
    model: [encoder, head]
    loss: cross_entropy
    load: {from: pretrain, tensors: "encoder/*", checkpoint: best}
    after: [check]
    batch: 20
    program: [{train: "head/*", steps: 8, lr: 0.01}]
  - name: pretrain
    kind: pretrain
    model: [encoder, decoder]
    loss: bce
    batch: 40
    program: [{epochs: 2, lr: 0.01}]
YAML

job() { run "$1" "${mpirun[@]}" -n 2 "$ANNULUS" run --threads 1 "${@:2}" run.yaml; }
# order NAME...: the closing table has these phases in this order
order() {
    local have
    have=$(awk 'table { print $1 } $1 == "phase" && $2 == "test" { table = 1 }' out | xargs)
    [ "$have" = "$*" ] && return
    echo "the table has: $have, not: $*"
    bad=1
}
# same PHASE A B: the newest checkpoints of a phase in two outputs have equal tensors
same() {
    "$ANNULUS" ckpt diff --no-meta "$2/$1" "$3/$1" >diff 2>&1 && return
    echo "$1 differs between $2 and $3"
    sed 's/^/    /' diff
    bad=1
}
# loss TEXT: the number behind "test loss" in the first line of ./out that begins with the text
loss() { awk -v text="$1" 'index($0, text) == 1 { for (i = 2; i <= NF; i++) if ($(i - 2) == "test" && $(i - 1) == "loss") { print $i; exit } }' out; }

# ---- the whole graph
job 0
order pretrain wide weights check adapted narrow
has out "check: loaded 4 tensors from wide (*), initialised 0" 1
has out "adapted: loaded 4 tensors from wide (*), initialised 0" 1
has out "weights: wrote 2 tensors from wide (encoder/*) to out.dir/exported/wide.npz" 1
[ "$(loss wide/all)" ] && [ "$(loss wide/all)" = "$(loss check/evaluate)" ] ||
    { echo "evaluated: $(loss check/evaluate), trained: $(loss wide/all)"; bad=1; }
if python3 -c 'import numpy, h5py' 2>/dev/null; then
    run 0 python3 -c '
import h5py, numpy
exported, trained = numpy.load("out.dir/exported/wide.npz"), h5py.File("out.dir/wide/latest.h5")
assert sorted(exported.files) == ["encoder/fc1/bias", "encoder/fc1/weight"], exported.files
for name in exported.files: assert (exported[name] == trained[name][:]).all(), name'
fi
[ "$(grep -c '"phase":"check".*"test_loss":0' out.dir/check/metrics.jsonl)" = 1 ] || { echo "no result of check in metrics.jsonl"; bad=1; }
cp -r out.dir first.dir

# ---- nothing is left to do; but a file that was exported and is gone is written again
job 0 --resume && has out "finished before" 6
rm -r out.dir/exported
job 0 --resume && has out "finished before" 5 && cmp out.dir/exported/wide.npz first.dir/exported/wide.npz || bad=1
run 0 "${mpirun[@]}" -n 2 "$ANNULUS" train --resume run.yaml && has out "finished before" 6

# ---- parts of it; what was there is kept elsewhere, and metrics of other phases stay
others() { find "$1" -name metrics.jsonl -not -path '*/narrow/*' | sort | xargs cat; }
kept() { ls -d out.dir.*/narrow 2>/dev/null | wc -l; }
lines=$(wc -l <out.dir/narrow/metrics.jsonl)
others out.dir >others
before=$(kept)
job 0 --only narrow
order pretrain narrow
has out "pretrain  finished before" 1 && has out "narrow  what it had is moved to out.dir." 1
same narrow out.dir first.dir
[ "$(kept)" = $((before + 1)) ] || { echo "narrow was not kept"; bad=1; }
[ "$(wc -l <out.dir/narrow/metrics.jsonl)" = "$lines" ] || { echo "metrics.jsonl has other lines"; bad=1; }
others out.dir | cmp - others || bad=1
job 0 --only narrow --resume && has out "narrow  finished before" 1 && [ "$(kept)" = $((before + 1)) ] || bad=1
job 0 --from wide
order pretrain wide weights check adapted narrow
has out "finished before" 1 && has out "what it had is moved to out.dir." 5
for phase in wide adapted narrow; do same $phase out.dir first.dir; done
job 0 --only pretrain --only narrow --set output=two.dir
order pretrain narrow
same pretrain two.dir first.dir && same narrow two.dir first.dir
run 0 "${mpirun[@]}" -n 2 "$ANNULUS" run --threads 1 --set output=two.dir --resume run.yaml
has out "finished before" 2
order pretrain wide weights check adapted narrow
same adapted two.dir first.dir

# ---- a file is evaluated as the phase that it was exported from is
job 0 --only weights --set 'phases.weights.load.tensors="*"' --set phases.weights.file=whole.safetensors
has out "wrote 4 tensors from wide (*) to out.dir/whole.safetensors" 1
wanted=$(awk '$1 == "wide" { print $2 }' out | tail -1)
job 0 --only check --set 'phases.check={name: check, kind: evaluate, model: [encoder, head], loss: cross_entropy, load: {file: out.dir/whole.safetensors}}'
[ "$(awk '$1 == "check" { print $2 }' out | tail -1)" = "$wanted" ] || { echo "the file evaluates to another loss than $wanted"; cat out; bad=1; }

# ---- what a phase comes from: through phases that are not run, the best checkpoint, what is gone
run 0 "$ANNULUS" lineage first.dir/adapted
has out "parent   wide, step 30" 1 && has out "parent   pretrain, step 10" 1 && has out ": as recorded" 2
worse=(--set output=best.dir --set "checkpoint={best: test_loss, every: 2 steps, when_busy: wait, keep: 0}"
    --set "phases.pretrain.program=[{name: good, steps: 6, lr: 0.01}, {name: bad, steps: 4, lr: 3}]")
job 0 --only pretrain --only narrow "${worse[@]}"
best=$(cat best.dir/pretrain/best)
[ "$best" != "$(cat best.dir/pretrain/latest)" ] || { echo "the best checkpoint is the last one"; bad=1; }
run 0 "$ANNULUS" lineage best.dir/narrow
has out "best.dir/pretrain/$best" 2 && has out ": as recorded" 1
job 0 --only narrow --resume "${worse[@]}" && has out "narrow  finished before" 1
job 0 --only check --resume
has out "wide  finished before" 1
other=(--set "phases.pretrain.program=[{epochs: 1, lr: 0.01}]")
again="otherwise than it would now: "
job 2 --only check "${other[@]}"
has err "another phase comes, through others, from 'pretrain', which has finished in out.dir $again" 1 && has err "run it again first, with --resume --only pretrain" 1
cp -r out.dir made.dir
job 0 --only pretrain --resume --set output=made.dir "${other[@]}"
job 2 --only check --set output=made.dir "${other[@]}"
has err "another phase loads from 'wide', which has finished in made.dir ${again}its parent pretrain has other content: " 1
job 0 --only wide --resume --set output=made.dir "${other[@]}"
job 0 --only check --set output=made.dir "${other[@]}" && has out "wide  finished before" 1
mv out.dir/pretrain kept.dir
job 0 --only check && has out "wide  finished before" 1
job 2 --only check "${other[@]}"
has err "another phase loads from 'wide', which has finished in out.dir ${again}its parent pretrain had another configuration" 1
job 2 --only check --only pretrain "${other[@]}"
has err "its parent pretrain had another configuration" 1
[ ! -e out.dir/pretrain ] || { echo "work began before its parents were looked at"; bad=1; }
job 2 --only narrow
has err "the phase 'pretrain' has not finished in out.dir, and another one loads from it: run it first, with --only pretrain" 1
mv kept.dir out.dir/pretrain

# ---- stopped in the middle of a branch, and resumed
await() { for _ in $(seq 300); do "$@" 2>/dev/null && return; sleep 0.1; done; echo "never: $*"; bad=1; }
slow=(--set output=slow.dir --set log.every_steps=1 --set "phases.wide.program=[{epochs: 300000, lr: 0.01}]")
code=0
timeout -k 5 60 "${mpirun[@]}" -n 2 "$ANNULUS" run --threads 1 "${slow[@]}" run.yaml >out 2>err &
pid=$!
await grep -q '"phase":"wide"' slow.dir/wide/metrics.jsonl
touch slow.dir/stop.now
wait $pid || code=$?
[ $code = 75 ] || { echo "exit code $code, not 75, after stop.now"; sed 's/^/    /' out err; bad=1; }
[ ! -e slow.dir/check ] || { echo "a phase began after the stop"; bad=1; }
touch slow.dir/stop.now # of the past: it is not obeyed
timeout -k 5 60 "${mpirun[@]}" -n 2 "$ANNULUS" run --threads 1 --from wide --resume "${slow[@]}" run.yaml >out 2>err &
pid=$!
await grep -q "wide  resumes at step" out
has out "pretrain  finished before" 1
touch slow.dir/stop.now
code=0
wait $pid || code=$?
[ $code = 75 ] || { echo "exit code $code, not 75, after stop.now of the resumed run"; sed 's/^/    /' out err; bad=1; }
run 2 "${mpirun[@]}" -n 2 "$ANNULUS" run "${slow[@]}" --only check run.yaml
has err "the phase 'wide' has not finished in slow.dir, and another one loads from it: run it first, with --only wide" 1

# ---- estimates
job 0 --dry-run --plot graph.svg --set output=none.dir
has out "phase " 1 && has out "wide      transfer  pretrain" 1 && has out "6 of 6 phases" 1
has out "1 epoch + 2 epochs" 1 && has out "encoder+head" 5
awk '$1 == "wide" && $7 == 2146 { print $(NF - 3), $(NF - 2) }' out | grep -qx "30 2" || { echo "steps and ranks of wide"; cat out; bad=1; }
run 0 "$ANNULUS" run --dry-run --only pretrain --only wide --only narrow --only weights \
    --set 'phases.pretrain.stop={early: {patience: 3, min_delta: 0.01}, target: {metric: test_loss, reach: 0.1}, every: 20 steps, wall_time: 90 min}' \
    --set 'phases.wide.stop={target: {metric: test_accuracy, reach: 0.95}, every: 1 epoch}' --set 'phases.narrow.stop={wall_time: 30 s}' run.yaml
has out "  2 epochs, early test_loss patience 3 min_delta 0.01, target test_loss 0.1 every 20 steps, wall_time 1:30:00  " 1
has out "  1 epoch + 2 epochs, target test_accuracy 0.95 every 1 epoch  " 1 && has out "  8 steps, wall_time 30 s  " 1
[ ! -e none.dir ] || { echo "--dry-run has made the output folder"; bad=1; }
run 0 "$ANNULUS" run --dry-run --from check --set phases.narrow.resources.ranks=4 run.yaml
has out "2 of 6 phases" 1
awk '$1 == "narrow" { print $(NF - 3), $(NF - 2) }' out | grep -qx "8 4" || { echo "steps and ranks of narrow"; cat out; bad=1; }
if command -v python3 >/dev/null; then
    run 0 python3 -c '
import xml.etree.ElementTree as tree
space = "{http://www.w3.org/2000/svg}"
root = tree.parse("graph.svg").getroot()
boxes = [r for r in root.iter(space + "rect") if r.get("rx")]
texts = [t.text for t in root.iter(space + "text")]
edges = [p for p in root.iter(space + "path") if p.get("marker-end")]
assert len(boxes) == 6 and len(edges) == 6, (len(boxes), len(edges))
assert sum(1 for e in edges if e.get("stroke-dasharray")) == 1
for wanted in ("branches", "pretrain", "weights", "export", "adapt", "encoder/*", "encoder/* (best)"):
    assert wanted in texts, (wanted, texts)
width, height = float(root.get("width")), float(root.get("height"))
place = [(float(b.get("x")), float(b.get("y")), float(b.get("width")), float(b.get("height"))) for b in boxes]
for i, (x, y, w, h) in enumerate(place):
    assert 0 <= x and x + w <= width and 0 <= y and y + h <= height, place
    for u, v, _, _ in place[:i]: assert abs(x - u) >= w or abs(y - v) >= h, "boxes overlap"'
fi
run 5 "$ANNULUS" run --dry-run --only weights --plot none.dir/graph.svg run.yaml && has err "none.dir/graph.svg" 1

# ---- resources
run 2 "${mpirun[@]}" -n 2 "$ANNULUS" run --set output=res.dir --set phases.adapted.resources.ranks=3 run.yaml
has err "phases[2].resources.ranks: the phase 'adapted' is to run on 3 ranks, and this job has 2: mpirun -n 3" 1
run 2 "${mpirun[@]}" -n 2 "$ANNULUS" run --set output=res.dir --set phases.adapted.resources.nodes=2 run.yaml
has err "phases[2].resources.nodes: the phase 'adapted' is to run on 2 hosts, and the ranks of this job are on 1: mpirun --host or srun --nodes 2" 1
[ ! -e res.dir ] || { echo "work began before resources were checked"; bad=1; }
run 0 "$ANNULUS" run --set output=res.dir --set phases.adapted.resources.ranks=3 --set phases.pretrain.resources="{nodes: 1, ranks: 1, threads: 3}" --only pretrain run.yaml
order pretrain
has out "pretrain  3 threads a rank" 1
run 0 "$ANNULUS" run --set output=res.dir --set phases.pretrain.resources.threads=3 --threads 2 --only pretrain run.yaml
has out "pretrain  2 threads a rank" 1

# ---- mistakes
run 0 "$ANNULUS" run --check run.yaml && has out "run.yaml: good: 6 phases" 1
sed 's/file: exported/after: [wide, narow], file: exported/' run.yaml >wrong.yaml
run 2 "$ANNULUS" run --check wrong.yaml && has err "error: wrong.yaml:15:91: phases[0].after[1]: there is no phase 'narow', did you mean 'narrow'?" 1
sed 's/kind: pretrain/&\n    after: [narrow]/' run.yaml >wrong.yaml
run 2 "$ANNULUS" run --check wrong.yaml && has err "phases wait for each other: " 1 && has err "error: wrong.yaml:"
sed 's/after: \[check\]/after: [narrow]/' run.yaml >wrong.yaml
run 2 "$ANNULUS" run --check wrong.yaml && has err "phases[4].after[0]: the phase 'narrow' would have to wait for itself" 1
run 2 "$ANNULUS" run --set 'phases.check={name: check, kind: evaluate, load: {from: pretrain, tensors: "encoder/*"}}' --set output=eval.dir --only pretrain --only check run.yaml
has err "phase check: kind evaluate needs all tensors of its model, and 2 were not loaded: decoder/out/weight, decoder/out/bias" 1
run 2 "$ANNULUS" run --only nobody run.yaml && has err "run.yaml has no phase 'nobody'" 1
run 2 "$ANNULUS" run --from wide --only wide run.yaml && has err "accepted is one of --from and --only" 1
run 2 "$ANNULUS" run --plot graph.svg run.yaml && has err "--plot needs --dry-run" 1
run 2 "$ANNULUS" run && has err "one run file is needed, found 0" 1
run 2 "$ANNULUS" plan scaling --phase check --network alpha_us=40,gbit=1 run.yaml && has err "kind evaluate is not trained" 1
run 0 "$ANNULUS" graph --phase check run.yaml && has out "matmul"
run 2 "$ANNULUS" graph --phase weights run.yaml && has err "phase weights: kind export computes nothing" 1
run 0 "$ANNULUS" run --help && has out "usage: annulus run"
exit $bad
