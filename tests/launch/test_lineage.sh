#!/bin/bash
# annulus lineage and --resume from outside: what runs again after which change, what is printed against what is on disk, parents
# that are damaged, replaced, cut into other shards or gone; stop rules in a run file, and their mistakes.
# timeout: 240
. "${BASH_SOURCE%/*}/cli.bash"

run 0 "$ANNULUS" lineage --help && has out "usage: annulus lineage"
run 2 "$ANNULUS" lineage && has err "one checkpoint is needed, found 0"
run 4 "$ANNULUS" lineage nowhere

"$ANNULUS_BUILD/tests/make_dataset" good tiny.h5 200 || exit 1
"$ANNULUS_BUILD/tests/make_dataset" good other.h5 160 || exit 1
cat >run.yaml <<'YAML'
name: tiny
output: out.dir
data: {path: tiny.h5}
log: {every_steps: 10}
models:
  body: [flatten: {}, dense: {name: fc1, units: 16, activation: relu}]
  back: [dense: {name: fc1, units: 64}]
  head: [dense: {name: fc, units: 2}]
phases:
  - {name: pretrain, kind: pretrain, model: [body, back], loss: mse, batch: 20, program: [{epochs: 2, lr: 0.01}]}
  - name: transfer
    kind: transfer
    model: [body, head]
    loss: cross_entropy
    load: {from: pretrain, tensors: "body/*"}
    batch: 20
    program: [{epochs: 3, lr: 0.01}]
  - {name: alone, kind: supervised, model: [body, head], loss: cross_entropy, batch: 20, program: [{epochs: 1, lr: 0.01}]}
YAML
train() { run 0 "${mpirun[@]}" -n 2 "$ANNULUS" train --threads 1 "$@"; }
# phases NAME:WHAT...: as the last command has treated them
phases() {
    local item
    for item; do
        case ${item#*:} in
            again) has out "${item%:*}  runs again: " 1 ;;
            kept) has out "${item%:*}  finished before" 1 ;;
        esac
    done
    has out " runs again: " $(grep -o again <<<"$*" | wc -l)
}
# records NAME: how many records of the phase there are, all of them whole
records() {
    grep -c "\"phase\":\"$1\".*}\$" "out.dir/$1/metrics.jsonl"
}

# ---- nothing has changed, or nothing that matters
train run.yaml
cp -r out.dir first.dir
train --resume run.yaml && phases pretrain:kept transfer:kept alone:kept
train --resume --set log.every_steps=3 --set checkpoint.every="2 steps" --set name=other run.yaml && phases pretrain:kept transfer:kept alone:kept
cp tiny.h5 moved.h5
train --resume --set data.path=moved.h5 run.yaml && phases pretrain:kept transfer:kept alone:kept
diff -r out.dir first.dir >/dev/null || { echo "a resume without change has changed something"; bad=1; }
[ ! -e out.dir.1 ] || { echo "something was moved aside"; bad=1; }

# ---- the second phase
train --resume --set phases.transfer.batch=10 run.yaml && phases pretrain:kept transfer:again alone:kept
has out 'the run file says "phases.transfer.batch = 10", the checkpoint was made with "phases.transfer.batch = 20"' 1
has out "transfer  what it had is moved to out.dir.1/transfer" 1
diff -r out.dir.1/transfer first.dir/transfer || bad=1
diff out.dir/alone/metrics.jsonl first.dir/alone/metrics.jsonl || { echo "another phase's metrics"; bad=1; }
[ "$(records pretrain)" = 3 ] && [ "$(records transfer)" = 7 ] && [ "$(records alone)" = 2 ] || { echo "metrics:"; cat out.dir/*/metrics.jsonl; bad=1; }
train --resume --set phases.transfer.batch=10 run.yaml && phases pretrain:kept transfer:kept alone:kept

# ---- the first, and the one that takes from it
rm -rf out.dir out.dir.1 && cp -r first.dir out.dir
train --resume --set phases.pretrain.program[0].lr=0.02 run.yaml && phases pretrain:again transfer:again alone:kept
has out "transfer  runs again: its parent pretrain has other content: 0x" 1
[ "$(ls out.dir.1 | tr '\n' ' ')" = "pretrain transfer " ] || { echo "in out.dir.1: $(ls out.dir.1)"; bad=1; }
run 0 "$ANNULUS" lineage out.dir.1/transfer && has out "as recorded" 1
rm -rf fresh.dir
train --set output=fresh.dir --set phases.pretrain.program[0].lr=0.02 run.yaml
for phase in pretrain transfer alone; do run 0 "$ANNULUS" ckpt diff --no-meta out.dir/$phase fresh.dir/$phase && has out "equal"; done

# ---- the data
rm -rf out.dir out.dir.1 && cp -r first.dir out.dir
train --resume --set data.path=other.h5 run.yaml && phases pretrain:again transfer:again alone:again
has out "runs again: its training data have changed" 3

# ---- what is printed, against what is on disk
rm -rf out.dir out.dir.1 && cp -r first.dir out.dir
child=out.dir/transfer/step-0000000030 parent=out.dir/pretrain/step-0000000020
value() { sed -n "s/^ *$1  *\([0-9a-f]\{16\}\)\( .*\)\{0,1\}\$/\1/p" out | sed -n "${2}p"; } # NAME N: the N-th hash called so
run 0 "$ANNULUS" lineage out.dir/transfer
has out "  phase    transfer" 1 && has out "  phase    pretrain" 1 && has out "  step     30, written 20" 1
has out "  parent   pretrain, step 20, key $(value key 2)" 1 && has out "           $parent" 1 && has out "as recorded" 1
has out "  parent   none" 1 && has out "$child" 1
key=$(value key 1) id=$(value id 1) of_parent=$(value key 2) content=$(sed -n 's/.*content \(.*\): as recorded/\1/p' out)
has out "  code     $("$ANNULUS" --version)" 2
grep '"test_loss"' out.dir/transfer/metrics.jsonl >out && has out "\"lineage\":\"0x$id\"" 1
run 0 "$ANNULUS" ckpt info --config $child && has out "key: 0x$key" 1 && has out "content: 0x$content" 1 && has out "key: 0x$of_parent" 1
run 0 "$ANNULUS" lineage --json $child && has out '"parents": [' 2 && has out "\"content\": \"$content\", \"state\": \"same\"" 1
has out "{\"path\": \"$child\", \"step\": 30, " 1 && has out "{\"path\": \"$parent\", \"step\": 20, " 1 && has out "\"key\": \"$key\"" 1

# ---- the same content in other shards, and from another place
run 0 "$ANNULUS" ckpt reshard --shards 3 $parent cut
rm -r $parent && cp -r cut/step-0000000020 $parent
run 0 "$ANNULUS" lineage $child && has out "as recorded" 1
(cd out.dir/transfer && run 0 "$ANNULUS" lineage latest && has out "../pretrain/step-0000000020" && has out "as recorded" 1)
train --resume run.yaml && phases pretrain:kept transfer:kept alone:kept

# ---- another content, damage, and nothing
rm -r $parent && cp -r fresh.dir/pretrain/step-0000000020 $parent
run 1 "$ANNULUS" lineage $child && has out "HAS OTHER CONTENT NOW" 1 && has out "  phase    pretrain" 0
run 1 "$ANNULUS" lineage --json $child && has out '"state": "changed"' 1
rm -r $parent && cp -r first.dir/pretrain/step-0000000020 $parent
run 0 "$ANNULUS" lineage $child
printf x | dd of=$parent/shard-0000.h5 bs=1 seek=$(($(stat -c %s $parent/shard-0000.h5) - 100)) conv=notrunc 2>/dev/null
run 1 "$ANNULUS" lineage $child && has out "HAS OTHER CONTENT NOW" 1
rm -r $parent
run 0 "$ANNULUS" lineage $child && has out "not there any more" 1 && has out "  phase    pretrain" 0

# ---- three generations, of which one is asked for
chain=(--set output=chain.dir --set "phases.alone.load={from: transfer, tensors: 'body/*'}")
train "${chain[@]}" run.yaml
only() { run "$1" "${mpirun[@]}" -n 2 "$ANNULUS" run --threads 1 --resume --only alone "${chain[@]}" "${@:2}" run.yaml; }
only 0 && has out "alone  finished before" 1 && has out "transfer  finished before" 1
only 0 --set phases.alone.batch=10 && has out "alone  runs again: the run file says " 1 && has out "transfer  finished before" 1
run 0 "$ANNULUS" lineage chain.dir/alone && has out "as recorded" 2 && has out "  phase " 3
only 2 --set phases.transfer.batch=10
has err "another phase loads from 'transfer', which has finished in chain.dir otherwise than it would now: the run file says " 1

# ---- a file as parent, and a checkpoint without a lineage
run 0 "$ANNULUS" ckpt export first.dir/pretrain w.npz
file=(--set output=loaded.dir --set "phases.transfer.load={file: w.npz, tensors: 'body/*'}" --set phases.pretrain.batch=25)
train "${file[@]}" run.yaml
run 0 "$ANNULUS" lineage loaded.dir/transfer && has out "  parent   a file" 1 && has out "$PWD/w.npz" 1 && has out "as recorded" 1
train --resume "${file[@]}" run.yaml && phases pretrain:kept transfer:kept alone:kept
run 0 "$ANNULUS" ckpt export fresh.dir/pretrain w.npz
run 1 "$ANNULUS" lineage loaded.dir/transfer && has out "HAS OTHER CONTENT NOW" 1
train --resume "${file[@]}" run.yaml && phases pretrain:kept transfer:again alone:kept
has out "its parent $PWD/w.npz has other content" 1
run 0 "$ANNULUS" ckpt import w.npz imported && run 0 "$ANNULUS" lineage imported && has out "its lineage is not known" 1

# ---- stop rules
rules=(--set output=stop.dir --set "phases.pretrain.program[0].epochs=100" --set phases.alone.program[0].epochs=100)
train "${rules[@]}" --set 'phases.pretrain.stop={every: 5 steps, early: {patience: 1, min_delta: 0.05}}' \
    --set 'phases.alone.stop={target: {metric: test_accuracy, reach: 0.9}}' run.yaml
has out "pretrain  stops at step " 1 && has out ": test loss has not improved on " 1 && has out "pretrain  takes back the weights of step " 1
has out "alone  stops at step " 1 && has out ": test accuracy has reached 0.9" 1
grep -c '"event":"stopped","phase":"pretrain".*"reason":"early"' stop.dir/pretrain/metrics.jsonl >out && has out 1
grep -c '"event":"stopped","phase":"alone".*"reason":"target"' stop.dir/alone/metrics.jsonl >out && has out 1
run 0 "$ANNULUS" ckpt info stop.dir/pretrain && has out "  stop_reason        early" 1
run 0 "$ANNULUS" ckpt info stop.dir/transfer && has out "  stop_reason        program" 1
# mistake LINE:COLUMN TEXT RULE: in place of the rule of the last phase
mistake() {
    sed "\$s/.\$/, stop: $3}/" run.yaml >wrong.yaml
    run 2 "$ANNULUS" train --check wrong.yaml && has err "wrong.yaml:18:$1: phases[2].stop$2" 1
}
mistake 131 ".early: the key 'patience' is missing" '{early: {}}'
mistake 149 ".early.patience: '0' is out of range" '{early: {patience: 0}}'
mistake 130 ": accepted is at least one of early, target and wall_time" '{}'
mistake 131 ".every: it is for early, target and choice, found neither" '{every: 1 epoch, wall_time: 1 h}'
mistake 138 ".every: found '10 s', accepted is a number of steps or epochs" '{every: 10 s, early: {patience: 1}}'
mistake 142 ".wall_time: found '5 steps', accepted is a number of s, min or h" '{wall_time: 5 steps}'
mistake 170 ".target.reach: 95 is out of range, accepted is a share from 0 to 1" '{target: {metric: test_accuracy, reach: 95}}'
mistake 148 ".target.metric: found 'loss', accepted is test_loss, test_accuracy" '{target: {metric: loss, reach: 1}}'
run 2 "$ANNULUS" train --check --set 'phases.pretrain.stop={early: {patience: 1, metric: test_accuracy}}' run.yaml
has err "the loss mse uses no labels, so there is no accuracy; accepted is test_loss" 1

[ $bad = 0 ] && echo "all as it should be"
exit $bad
