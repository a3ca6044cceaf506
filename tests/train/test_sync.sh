#!/bin/bash
# timeout: 300
# Ranks that train apart (phases[].sync): checkpoints wait for a meeting, and a run that is cut off at one and goes on from it ends in the
# same bits as the uninterrupted one, with the momenta of each rank folded in both. The same of micro-batches.
. "$(dirname "${BASH_SOURCE[0]}")/../launch/cli.bash" || exit 1

run 0 "$ANNULUS_BUILD/tests/make_dataset" good good.h5 300
cat >run.yaml <<'YAML'
name: sync
output: out
data: { path: good.h5 }
checkpoint: { every: 6 steps, keep: 0, when_busy: wait }
log: { every_steps: 10 }
models:
  net:
    - flatten: {}
    - dense: { name: fc1, units: 32 }
    - batch_norm: { name: bn1 }
    - activation: { kind: relu }
    - dense: { name: fc2, units: 2 }
phases:
  - name: only
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 48
    optimizer: { kind: adam }
    program: [{ train: "*,!net/bn1/*", steps: 12, lr: 0.002 }, { steps: 50, lr: 0.001 }]
YAML
train() { # RANKS OUTPUT OPTION...
    run 0 "${mpirun[@]}" --oversubscribe -n "$1" "$ANNULUS" train --threads 1 --set output="$2" "${@:3}" run.yaml
}
# check RANKS OPTION...: the whole run and one that is cut off after step 36 end in the same bits
check() {
    rm -rf whole cut
    train "$1" whole "${@:2}"
    cp -r whole cut
    rm -rf cut/only/step-00000000[456]* cut/only/latest*
    train "$1" cut --resume "${@:2}"
    has out 'resumes at step 36'
    run 0 "$ANNULUS" ckpt diff --no-meta whole/only cut/only
    has out equal
}

sync=(--set phases.only.sync.every=4)
check 2 "${sync[@]}"
# due at 6, 12, 18 ... of which 12 ends a stage; meetings are at multiples of 4 of each stage, so at 16, 20, ...
[ "$(cd whole/only && echo step-*)" = "$(printf 'step-%010d ' 8 12 20 24 32 36 44 48 56 60 62 | sed 's/ $//')" ] ||
    { echo "checkpoints: $(ls whole/only)"; bad=1; }
check 3 "${sync[@]}" --set phases.only.sync.outer_lr=0.7 --set phases.only.sync.outer_momentum=0.9
run 0 "$ANNULUS" ckpt info whole/only
has out anchor/net/fc1/weight
has out outer/net/fc1/weight
check 1 "${sync[@]}" --set phases.only.sync.outer_lr=0.5
check 2 --set phases.only.accumulate=4
run 0 "$ANNULUS" ckpt info whole/only
has out sum0 0

# The last batch of an epoch has 12 samples, which are not 2 ranks x 4 micro-batches; left out, all is well.
sed -e 's/^    batch: 48/&\n    accumulate: 4/' -e 's/program: .*/program: [{ epochs: 1, lr: 0.001 }]/' run.yaml >cut.yaml
run 2 "${mpirun[@]}" --oversubscribe -n 2 "$ANNULUS" train --set output=cut2 cut.yaml
has err "cut.yaml:19:17: phases[0].accumulate: a batch of 12 samples is not cut evenly into 4 micro-batches of each of 2 ranks; it is the last one"
run 0 "${mpirun[@]}" --oversubscribe -n 2 "$ANNULUS" train --set output=cut2 --set phases.only.sampling.remainder=drop cut.yaml
exit $bad
