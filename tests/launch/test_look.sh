#!/bin/bash
# annulus look from outside: which pictures of which phase, accuracy and error against the phase's own, what it takes the weights from,
# hidden labels, and wrong usage.
# timeout: 240
. "${BASH_SOURCE%/*}/cli.bash"

run 0 "$ANNULUS" look --help && has out "usage: annulus look"
run 2 "$ANNULUS" look && has err "one run file is needed, found 0"
run 2 "$ANNULUS" look --samples 3 run.yaml && has err "--samples: found '3', accepted is an integer from 4 to 10000"

"$ANNULUS_BUILD/tests/make_dataset" good a.h5 200 || exit 1
"$ANNULUS_BUILD/tests/make_dataset" good b.h5 160 || exit 1
cat >run.yaml <<'YAML'
name: tiny
output: out.dir
data: {path: a.h5}
models:
  body: [flatten: {}, dense: {name: fc1, units: 16, activation: relu}]
  back: [dense: {name: fc1, units: 64}]
  half: [dense: {name: fc1, units: 64}]
  code: [flatten: {}, dense: {name: fc1, units: 6}]
  head: [dense: {name: fc, units: 2}]
  domain: [dense: {name: fc, units: 1}]
phases:
  - {name: pre, kind: pretrain, model: [body, back], loss: mse, batch: 20, program: [{epochs: 2, lr: 0.01}]}
  - {name: vae, kind: pretrain, model: [code, half], loss: bce, method: {variational: {}}, batch: 20, program: [{epochs: 2, lr: 0.01}]}
  - {name: class, kind: transfer, model: [body, head], loss: cross_entropy, load: {from: pre, tensors: "body/*"}, batch: 20, program: [{steps: 60, lr: 0.005}]}
  - name: moved
    kind: adapt
    model: [body, head]
    loss: cross_entropy
    method: {dann: {discriminator: domain}}
    data: {sources: [{path: a.h5}, {path: b.h5, labels: hide}]}
    load: {from: class}
    batch: 20
    program: [{steps: 3, lr: 0.01}]
  - {name: same, kind: evaluate, load: {from: class}}
  - {name: file, kind: export, load: {from: class}, file: w.npz}
YAML
look() { run "$1" "$ANNULUS" look --samples 60 "${@:2}" run.yaml; }
# drew PHASE NAME...: these pictures and no others are there, as PNG
drew() {
    local phase=$1 name
    shift
    [ "$(ls out.dir/$phase/look | tr '\n' ' ')" = "$* " ] || { echo "$phase: $(ls out.dir/$phase/look)"; bad=1; }
    for name; do
        [ "$(head -c 4 "out.dir/$phase/look/$name" | tail -c 3)" = PNG ] || { echo "$phase/$name is no PNG"; bad=1; }
        has out "wrote out.dir/$phase/look/$name" 1
    done
}
# metric PHASE KEY: the last one of the phase
metric() { sed -n "s/.*\"$2\":\([0-9.e+-]*\).*/\1/p" "out.dir/$1/metrics.jsonl" | tail -n 1; }
accuracy() { perl -e 'printf("%.2f", 100 * $ARGV[0])' "$(metric "$1" test_accuracy)"; }

look 4 --phase pre && has err "out.dir/pre: No such file or directory"
run 0 "$ANNULUS" train --threads 1 run.yaml

# ---- a classifier
look 0 --phase class && drew class confusion.png scatter.png
has out "test accuracy $(accuracy class) % of 50 samples" 1 && has out "phase class: out.dir/class/step-0000000060" 1
has out "classes by 16 features, of 200 training samples with labels, 50 test samples:" 1
# bright and dark are told by their features; half of the samples are of each
for judge in "linear probe" "20 nearest neighbours"; do
    sed -n "s/^  $judge \(.*\) %$/\1/p" out | grep -qE '^([89][0-9]|100)\.' || { echo "$judge:"; cat out; bad=1; }
done
has out "  recall  precision  class" 1
look 0 --phase same --out same.dir && has out "test accuracy $(accuracy class) % of 50 samples" 1 && [ -e same.dir/confusion.png ] || bad=1

# ---- an autoencoder: the error of values from 0 to 1 is its loss
look 0 --phase pre --anomaly 1 --pca && drew pre reconstruct.png roc.png scatter.png
has out "reconstruction error $(perl -e 'printf("%.6f", $ARGV[0])' "$(metric pre test_loss)"), mean square over 50 test samples" 1
has out "anomalies (class 1) by their reconstruction error: area under the ROC curve " 1
area=$(sed -n 's/.*ROC curve //p' out)
look 0 --phase pre --anomaly 0 && has out "ROC curve $(perl -e 'printf("%.4f", 1 - $ARGV[0])' "$area")" 1
look 0 --phase pre && cp out first && look 0 --phase pre && { cmp out first || bad=1; }
look 0 --phase vae && drew vae interpolate.png reconstruct.png samples.png scatter.png
has out "classes by 3 features" 1

# ---- a target domain: judged by its test samples, learned without its labels
look 0 --phase moved && drew moved after.png before.png confusion.png
has out "test accuracy $(accuracy moved) % of 40 samples" 1 && has out "of 200 training samples with labels, 40 test samples" 1
has out "before: out.dir/class/step-0000000060" 1

# ---- other weights
run 0 "$ANNULUS" ckpt export out.dir/class w.npz
look 0 --phase moved --checkpoint out.dir/class && has out "phase moved: out.dir/class/step-0000000060" 1
look 0 --phase class --checkpoint w.npz && has out "test accuracy $(accuracy class) % of 50 samples" 1
look 2 --phase class --checkpoint out.dir/pre && has err "phase class: head/fc/weight is not in out.dir/pre/step-0000000020"
look 2 --phase class --set models.head[0].dense.units=3 && has err "head/fc/weight is [16,3] here and [16,2] in out.dir/class/step-0000000060"

# ---- mistakes
look 2 --phase none && has err "run.yaml has no phase 'none'"
look 2 --phase file && has err "phase file: kind export has no model of its own"
look 2 --phase class --anomaly 1 && has err "--anomaly: phase class reconstructs nothing"
look 2 --phase pre --anomaly 0,2 && has err "--anomaly: there is no class '2', accepted are numbers from 0 to 1 and names"
look 4 --phase class --out no/such/folder && has err "no/such/folder: No such file or directory"
look 4 --phase class --checkpoint nowhere && has err "nowhere: No such file or directory"

[ $bad = 0 ] && echo "all as it should be"
exit $bad
