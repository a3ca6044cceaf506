#!/bin/bash
# The program from outside: help, bad command lines, bad run files, exit codes, a tiny run on one and two ranks, stopping and resuming.
# timeout: 240
. "${BASH_SOURCE%/*}/cli.bash"

# ---- help and command lines
run 0 "$ANNULUS" --help && has out "annulus COMMAND"
run 0 "$ANNULUS" --version && has out "annulus "
for command in train data "data import" "data import idx" "data import cifar" "data import csv" "data import npy" "data import images" "data info" "data verify" graph doctor; do
    run 0 "$ANNULUS" $command --help
    has out "usage: annulus ${command%% *}"
done
run 0 "$ANNULUS" train --help && has out "phases[].optimizer: " && has out "weight_decay"
run 2 "$ANNULUS"
run 2 "$ANNULUS" trian && has err "unknown command 'trian', did you mean 'train'?"
run 2 "$ANNULUS" train && has err "annulus train: one run file is needed, found 0; see annulus train --help"
run 2 "$ANNULUS" train --sett seed=1 run.yaml && has err "annulus train: unknown option --sett"
run 2 "$ANNULUS" train run.yaml --set && has err "annulus train: --set needs a value"
run 2 "$ANNULUS" train --check=yes run.yaml && has err "annulus train: --check takes no value"
run 2 "$ANNULUS" train --threads many run.yaml && has err "--threads: found 'many', accepted is an integer from 1 to 1024"
run 2 "$ANNULUS" graph --text --dot run.yaml && has err "accepted is one of --text and --dot"
run 2 "$ANNULUS" data && has err "annulus data: a command is needed, accepted are import, info, verify"
run 2 "$ANNULUS" data import && has err "a format is needed, accepted are idx"
run 2 "$ANNULUS" data import idx one && has err "FOLDER and OUT.h5 are needed"
run 0 env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0" "$ANNULUS" doctor --quick && has out "OpenBLAS" && has out "safe to start"
run 5 bash -c '"$1" --help >/dev/full' - "$ANNULUS" && has err "standard output could not be written"

# ---- a dataset of 200 + 40 images of 8 x 8: class 0 is dark, class 1 is bright
make_images
run 0 "$ANNULUS" data import idx --name tiny --classes dark,bright idx tiny.h5
run 0 "$ANNULUS" data verify tiny.h5 && has out "verified" 4
run 0 "$ANNULUS" data info tiny.h5 && has out "tiny" && has out "bright"
run 0 "$ANNULUS" data import idx --train-images idx/train-images-idx3-ubyte --train-labels=idx/train-labels-idx1-ubyte part.h5
run 4 "$ANNULUS" data import idx nowhere other.h5 && has err "error: nowhere/train-images-idx3-ubyte.gz"
run 2 "$ANNULUS" data import idx --test-images idx/t10k-images-idx3-ubyte x.h5 && has err "--train-images is missing"
run 6 "$ANNULUS" data info idx/train-images-idx3-ubyte && has err "error: idx/train-images-idx3-ubyte"
run 4 "$ANNULUS" data info nothing.h5 && has err "error: nothing.h5"

cat >run.yaml <<'YAML'
name: tiny
output: out.dir
data: {path: tiny.h5}
checkpoint: {every: 50 steps}
log: {every_steps: 10}
models:
  body:
    - flatten: {}
    - dense: {name: fc1, units: 16, activation: relu}
  back:
    - dense: {name: fc1, units: 64}
  head:
    - dense: {name: fc, units: 2}
phases:
  - name: pretrain
    kind: pretrain
    model: [body, back]
    loss: mse
    batch: 20
    program: [{epochs: 2, lr: 0.01}]
  - name: transfer
    kind: transfer
    model: [body, head]
    loss: cross_entropy
    load: {from: pretrain, tensors: "body/*"}
    batch: 20
    program: [{train: "head/*", epochs: 2, lr: 0.01}, {epochs: 3, lr: 0.01}]
YAML

# ---- checks and graphs need no MPI
run 0 "$ANNULUS" train --check run.yaml && has out "run.yaml: good: 2 phases"
[ ! -e out.dir ] || { echo "--check has made the output folder"; bad=1; }
run 2 "$ANNULUS" train --check --set phases.pretrain.bacth=1 run.yaml
has err "error: --set phases.pretrain.bacth=1: phases[0].bacth: unknown key, did you mean 'batch'?" 1
run 2 "$ANNULUS" train --check --set data.path=none.h5 run.yaml
has err "data.path: 'none.h5': No such file or directory"
run 6 "$ANNULUS" train --check --set data.path=run.yaml run.yaml && has err "run.yaml: "
sed 's/units: 64}/units: 63}/' run.yaml >narrow.yaml
"$ANNULUS" train --check narrow.yaml >out 2>err && { echo "a reconstruction of the wrong width was accepted"; bad=1; }
run 0 "$ANNULUS" graph run.yaml && has out "built" && has out "matmul" && has out "order"
run 0 "$ANNULUS" graph --dot --stage built --phase transfer run.yaml && has out "digraph" 1
run 2 "$ANNULUS" graph --phase none run.yaml && has err "run.yaml has no phase 'none'"
run 2 "$ANNULUS" graph --stage none run.yaml && has err "there is no stage 'none'"

# ---- a run on one rank; a bad file, and a run, on several
run 0 "$ANNULUS" train run.yaml && has out "transfer" && has out "test accuracy"
run 0 "$ANNULUS" train --resume run.yaml && has out "finished before"
sed 's/^data:/dato:/' run.yaml >bad.yaml
run 2 "${mpirun[@]}" -n 3 "$ANNULUS" train bad.yaml
has err "error: bad.yaml:3:1: dato: unknown key, did you mean 'data'?" 1
run 2 "${mpirun[@]}" -n 2 "$ANNULUS" train --wrong run.yaml && has err "annulus train: unknown option --wrong" 1
run 0 "${mpirun[@]}" -n 2 "$ANNULUS" train --set output=two run.yaml && has out "2 ranks" 1

# ---- requests: a checkpoint, and a checkpoint and the end; --resume goes on from it
sed 's/epochs: 2, lr: 0.01}\]$/epochs: 100000, lr: 0.01}]/; s/out.dir/stopped/; s/every: 50 steps/every: never/' run.yaml >long.yaml
await() { # COMMAND...: until it succeeds
    for _ in $(seq 200); do "$@" 2>/dev/null && return; sleep 0.1; done
    echo "never: $*"
    bad=1
}
newest() { [ "$(cat stopped/*/latest)" != "$before" ]; }
for way in TERM USR2 INT stop.now; do
    rm -f out # or the last one's lines would be taken for this one's
    # Perl, because a shell starts background jobs with SIGINT ignored.
    perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$ANNULUS" train --resume long.yaml >out 2>err &
    pid=$!
    await grep -qs loss out
    before=$(cat stopped/*/latest 2>/dev/null)
    if [ $way = USR2 ]; then # first for checkpoints alone
        kill -USR1 $pid
        await newest
        before=$(cat stopped/*/latest)
        touch stopped/checkpoint.now
        await newest
        [ ! -e stopped/checkpoint.now ] || { echo "checkpoint.now is still there"; bad=1; }
        kill -0 $pid || { echo "ended behind a checkpoint"; bad=1; }
    fi
    if [ $way = stop.now ]; then touch stopped/stop.now; else kill -$way $pid; fi
    code=0
    wait $pid || code=$?
    [ $code = 75 ] || { echo "$way: exit code $code, not 75"; cat out err; bad=1; }
    has err "stopped on request" 1
done
has out "resumes at step" 1

[ $bad = 0 ] && echo "all as it should be"
exit $bad
