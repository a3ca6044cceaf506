#!/bin/bash
# timeout: 600
# reduction: invariant gives the same bits on 1, 2, 4 and 8 ranks: 100 steps of a small convolutional network with dropout and batch
# norm, without and with a stop and a resume on another number of ranks; and another way of cutting gives other bits, so that equal
# ones say something.
. "$(dirname "${BASH_SOURCE[0]}")/../launch/cli.bash" || exit 1
export OMPI_MCA_rmaps_base_oversubscribe=1

run 0 "$ANNULUS_BUILD/tests/make_dataset" good good.h5 300
cat >run.yaml <<'YAML'
name: invariant
seed: 5
output: out
data: { path: good.h5 }
checkpoint: { every: 10 steps, keep: 0, when_busy: wait }
log: { every_steps: 25 }
comm: { bucket_bytes: 8192 }
models:
  net:
    - conv2d: { name: conv1, channels: 6, kernel: 3, padding: 1 }
    - batch_norm: { name: bn1 }
    - activation: { kind: relu }
    - max_pool: { kernel: 2 }
    - conv2d: { name: conv2, channels: 12, kernel: 3, padding: 1 }
    - batch_norm: { name: bn2, momentum: 0.2 }
    - activation: { kind: relu }
    - max_pool: { kernel: 2 }
    - flatten: {}
    - dense: { name: fc1, units: 512, activation: relu }
    - dropout: { name: drop, p: 0.3 }
    - dense: { name: fc2, units: 2 }
phases:
  - name: cnn
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 48
    reduction: { order: invariant, shards: 8 }
    optimizer: { kind: adam, clip_norm: 1 }
    program: [{ steps: 100, lr: 0.002 }]
YAML

train() { # RANKS OUTPUT OPTION...
    run 0 "${mpirun[@]}" -n "$1" "$ANNULUS" train --set output="$2" "${@:3}" run.yaml
}
same() { # A B: checkpoints
    run 0 "$ANNULUS" ckpt diff --no-meta "$1" "$2"
    has out equal
}

for n in 1 2 4 8; do
    train $n on$n --threads 1
    [ -e on$n/cnn/latest ] || { echo "no checkpoint of $n ranks"; bad=1; }
done
for n in 2 4 8; do same on1/cnn on$n/cnn; done
same on1/cnn/step-0000000050 on4/cnn/step-0000000050

# Whatever carries the sums: by messages, that of fc1 would go round a ring if the order were free.
for n in 4 8; do
    train $n messages$n --threads 1 --set comm.shared_memory=false
    same on1/cnn messages$n/cnn
done

# Threads of the command line decide nothing here.
train 1 threads --threads 2
same on1/cnn threads/cnn

# Groups of parameters: here on 1 rank the second would be cut in two, and on 8 the two would fit into one message. The norm is
# summed in the same order all the same.
groups="[{ match: 'net/conv1/*, net/bn1/*', lr: 0.5 }, { match: '*' }]"
for n in 1 8; do
    train $n groups$n --threads 1 --set phases[0].optimizer.clip_norm=0.01 --set \
        "phases[0].program=[{ steps: 50, lr: 0.002, train: 'net/conv1/*, net/bn1/*, net/fc2/*, net/fc1/bias', groups: $groups }]"
done
same groups1/cnn groups8/cnn

# A run that is cut off after a checkpoint, and goes on elsewhere.
for pair in 1:4 4:2 8:1; do
    out=cut${pair%:*}
    cp -r on${pair%:*} $out
    rm -rf $out/cnn/step-00000000[6789]* $out/cnn/step-0000000100 $out/cnn/latest*
    train ${pair#*:} $out --resume
    has out 'resumes at step 50'
    same on1/cnn $out/cnn
done

# Eight shards are no four shards, and no shards at all; three ranks have no place in the tree.
train 2 four --set phases.cnn.reduction.shards=4
run 1 "$ANNULUS" ckpt diff --no-meta on1/cnn four/cnn
run 2 "${mpirun[@]}" -n 3 "$ANNULUS" train --set output=three run.yaml
has err 'run.yaml:28:44: phases[0].reduction.shards: 8 shards for 3 ranks, accepted is a number of ranks that divides them'
exit $bad
