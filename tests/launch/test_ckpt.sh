#!/bin/bash
# annulus ckpt from outside: every command on the checkpoints of a tiny run, damage of each kind named exactly and the older good
# checkpoint offered, shards merged and cut again and resumed from, exports read by other programs, loading from files.
# timeout: 240
. "${BASH_SOURCE%/*}/cli.bash"

# ---- help and command lines
for command in "" ls info verify diff merge reshard export import prune; do
    run 0 "$ANNULUS" ckpt $command --help && has out "usage: annulus ckpt"
done
run 2 "$ANNULUS" ckpt && has err "a command is needed, accepted are ls, info"
run 2 "$ANNULUS" ckpt verfy && has err "did you mean 'verify'?"
run 2 "$ANNULUS" ckpt diff one && has err "two checkpoints are needed, found 1"
run 2 "$ANNULUS" ckpt prune here && has err "--keep is missing"
run 2 "$ANNULUS" ckpt reshard --shards 0 a b && has err "accepted is an integer from 1 to 65536"
run 2 "$ANNULUS" ckpt export a b.xyz && has err "--format is needed"
run 2 "$ANNULUS" ckpt diff --tolerance x a b && has err "accepted is a number from 0 on"
run 2 "$ANNULUS" ckpt import --rename 'a=b*' a b && has err "accepted is FROM=TO"
run 4 "$ANNULUS" ckpt ls nowhere
run 4 "$ANNULUS" ckpt verify nowhere

# ---- a run of two phases on two ranks
make_images
run 0 "$ANNULUS" data import idx --name tiny idx tiny.h5
cat >run.yaml <<'YAML'
name: tiny
output: out.dir
data: {path: tiny.h5}
checkpoint: {every: 5 steps, when_busy: wait, keep: 3}
models:
  body:
    - flatten: {}
    - dense: {name: fc1, units: 16, activation: relu}
  back:
    - dense: {name: fc1, units: 64}
  head:
    - dense: {name: fc, units: 2}
phases:
  - {name: pretrain, kind: pretrain, model: [body, back], loss: mse, batch: 20, program: [{epochs: 2, lr: 0.01}]}
  - name: transfer
    kind: transfer
    model: [body, head]
    loss: cross_entropy
    load: {from: pretrain, tensors: "body/*"}
    batch: 20
    program: [{epochs: 3, lr: 0.01}]
YAML
run 0 "${mpirun[@]}" -n 2 "$ANNULUS" train --set data.path=tiny.h5 run.yaml
cp -r out.dir good.dir
folder=out.dir/transfer
newest=$folder/step-0000000030
run 0 "$ANNULUS" ckpt diff $folder/latest $newest && has out "equal"
run 6 "$ANNULUS" ckpt verify $folder/latest.h5 && has err "latest.h5: is neither a checkpoint nor the name of one"
older=$folder/step-0000000025

run 0 "$ANNULUS" ckpt ls out.dir && has out "out.dir/pretrain" && has out " good " 6 && has out " latest" 2
run 0 "$ANNULUS" ckpt ls --json $folder && has out '"step": 30, "state": "good"' 1 && has out '"shards": 2' 3
run 1 "$ANNULUS" ckpt info out.dir && has err "out.dir has the folders pretrain, transfer: name one of them"
run 0 "$ANNULUS" ckpt info $folder && has out "$newest" && has out "head/fc/weight" && has out "[64,16]" && has out "--config prints it"
run 0 "$ANNULUS" ckpt info --config $folder/ && has out "name: tiny"
run 0 "$ANNULUS" ckpt verify $folder && has out "$newest: good: " && has out "ledger ok: 200 samples x 3 epochs"
run 0 "$ANNULUS" ckpt verify out.dir && has out ": good: " 2 && has out "ledger ok" 2
run 0 "$ANNULUS" ckpt verify $older/ && has out "$older: good: "

# ---- damage: of each kind, in each file; all but whole.h5 in the exit code of a resume as well
flip() { perl -e 'open(my $f, "+<:raw", $ARGV[0]) or die; seek($f, $ARGV[1], 0); read($f, my $c, 1); seek($f, $ARGV[1], 0); print $f chr(ord($c) ^ 4)' "$1" "$2"; }
restore() { rm -rf out.dir && cp -r good.dir out.dir; }
offers() { run 6 "$ANNULUS" ckpt verify $folder && has out "$newest: bad. The newest good one before it is $older" 1; }
size=$(stat -c %s $newest/shard-0001.h5)
flip $newest/shard-0001.h5 30
offers && has err "$newest/shard-0001.h5: wrong checksum of the bytes around the tensors" 1
restore
# The last bytes of the data are moments of the weight that is declared first.
at=$(perl -e 'open(my $f, "<:raw", $ARGV[0]) or die; local $/; my $x = <$f>; $x =~ /(.*)[^\0]/s; print length($1)' $newest/shard-0001.h5)
flip $newest/shard-0001.h5 "$at"
offers && has err "$newest/shard-0001.h5: wrong checksum of tensor v/body/fc1/weight, elements" 1
flip $newest/shard-0000.h5 30
offers && has err "error: " 2
restore
truncate -s $((size - 1)) $newest/shard-0001.h5
offers && has err "$newest/shard-0001.h5: the shard has $((size - 1)) bytes, not $size" 1
run 0 "$ANNULUS" ckpt ls $folder && has out " damaged" 1 && has out "not $size" 1
restore
rm $newest/shard-0000.h5
offers && has err "$newest/shard-0000.h5: the shard is missing" 1
restore
flip $newest/whole.h5 100
offers && has err "$newest/whole.h5 is missing or damaged" 1
restore
flip $newest/manifest.yaml 100
run 6 "$ANNULUS" ckpt verify $newest && has err "$newest/manifest.yaml" && has out "newest good one before it is $older"
run 0 "$ANNULUS" ckpt verify $folder && has out "$older: good"
restore
rm $newest/manifest.yaml
run 6 "$ANNULUS" ckpt verify $newest && has out "newest good one before it is $older"
restore
flip $newest/shard-0000.h5 30
flip $older/shard-0000.h5 30
run 6 "$ANNULUS" ckpt verify $folder && has out "before it is $folder/step-0000000020"
flip $folder/step-0000000020/shard-0000.h5 30
run 6 "$ANNULUS" ckpt verify $folder && has out "and there is no good one before it"
restore

# ---- a resume finds damage while it restores, and all ranks fall back together
flip $newest/shard-0001.h5 "$at"
run 0 "${mpirun[@]}" -n 2 "$ANNULUS" train --resume --set data.path=tiny.h5 run.yaml
has out "resumes at step 25" 1
has err "step-0000000030 is not used" 1
run 0 "$ANNULUS" ckpt diff --no-meta $folder good.dir/transfer && has out "equal"
restore
sed 's/epochs: 3, lr/epochs: 4, lr/' run.yaml >longer.yaml
run 0 "$ANNULUS" train --resume longer.yaml && has out "pretrain  finished before" 1 && has out "transfer  runs again: the run file says " 1
diff -r out.dir.1/transfer good.dir/transfer || bad=1
restore

# ---- shards do not matter: merged, cut again, resumed from
run 0 "$ANNULUS" ckpt merge $folder one && has out "one/step-0000000030: 12 tensors in 1 shard"
run 0 "$ANNULUS" ckpt reshard --shards 3 one three
run 0 "$ANNULUS" ckpt reshard --shards 2 three two
for copy in one two three; do
    run 0 "$ANNULUS" ckpt verify $copy && has out "$copy/step-0000000030: good" && has out "ledger ok"
    run 0 "$ANNULUS" ckpt diff $copy $newest && has out "equal" 1
done
run 1 "$ANNULUS" ckpt merge three one && has err "one/step-0000000030 is there already"
rm -rf $folder && mkdir $folder
run 0 "$ANNULUS" ckpt reshard --shards 3 good.dir/transfer/step-0000000025 $folder
run 0 "${mpirun[@]}" -n 2 "$ANNULUS" train --resume --set data.path=tiny.h5 run.yaml && has out "resumes at step 25" 1
run 0 "$ANNULUS" ckpt diff --no-meta $folder good.dir/transfer && has out "equal"
restore

# ---- differences
run 1 "$ANNULUS" ckpt diff $newest $older
has out "head/fc/weight: " && has out "elements differ, by at most" && has out "metadata step: 30 | 25" 1
"$ANNULUS" train --set output=other --set phases.transfer.batch=40 run.yaml >/dev/null 2>&1
run 1 "$ANNULUS" ckpt diff --tensors none $newest other/transfer
has out "metadata facts: line " && has out "batch = 20 | phases.transfer.batch = 40" 1
run 0 "$ANNULUS" ckpt diff --no-meta --tolerance 1e9 $newest $older && has out "equal" 1
run 1 "$ANNULUS" ckpt diff --no-meta --tensors 'head/*,back/*' $newest out.dir/pretrain
has out "head/fc/bias: only in the first" 1
has out "back/fc1/bias: only in the second" 1

# ---- prune
run 0 "$ANNULUS" ckpt prune --keep 2 --dry-run $folder && has out "step-0000000020  " 1 && has out "1 would go, 2 stay" 1
[ -d $folder/step-0000000020 ] || { echo "a dry run has removed something"; bad=1; }
flip $newest/shard-0000.h5 30
run 0 "$ANNULUS" ckpt prune --keep 1 $folder && has out "1 removed, 2 stay" 1
[ -d $older ] || { echo "prune has removed the last good checkpoint"; bad=1; }
restore
for step in 30 25 20; do flip $folder/step-00000000$step/shard-0000.h5 30; done
run 6 "$ANNULUS" ckpt prune --keep 1 $folder && has err "nothing is removed"
restore

# ---- nothing is made of a damaged checkpoint
flip $newest/shard-0001.h5 "$at"
run 6 "$ANNULUS" ckpt export --role all $newest no.npz && has err "wrong checksum of tensor v/body/fc1/weight" 1
run 6 "$ANNULUS" ckpt merge $newest no && has err "wrong checksum" 1
run 6 "$ANNULUS" ckpt diff $newest $older && has err "wrong checksum" 1
run 0 "$ANNULUS" ckpt export $newest model.npz && has out "4 tensors" # what is asked for is not damaged
[ ! -e no.npz ] && [ ! -e no.npz.part ] && [ ! -e no/step-0000000030 ] || { echo "something was made of a damaged checkpoint"; bad=1; }
restore

# ---- files for others, and from others
run 0 "$ANNULUS" train --set output=afresh --set "phases.transfer.load={file: $folder, tensors: 'body/*'}" run.yaml
has out "loaded 2 tensors from $newest (checkpoint; body/*)" 1
for format in h5 npz safetensors; do
    run 0 "$ANNULUS" ckpt export --role all $folder all.$format && has out "12 tensors"
    run 0 "$ANNULUS" ckpt export --tensors 'body/*' $folder some.$format && has out "2 tensors"
    for file in all some; do
        rm -rf back
        run 0 "$ANNULUS" ckpt import --step 30 $file.$format back && has out "back/step-0000000030"
        run 0 "$ANNULUS" ckpt diff --no-meta --tensors "$([ $file = all ] && echo '*' || echo 'body/*')" back $folder && has out "equal"
    done
    run 0 "$ANNULUS" train --set output=loaded --set "phases.transfer.load={file: some.$format, tensors: 'body/*', strict: true}" \
        --set phases.transfer.kind=supervised run.yaml
    cp out loaded.out
    run 0 "$ANNULUS" ckpt diff --no-meta --tolerance 1e-5 loaded/transfer afresh/transfer && has out "equal"
    has loaded.out "transfer: loaded 2 tensors from some.$format ($format; body/*), initialised 2: head/fc/weight, head/fc/bias" 1
    rm -rf loaded*
done
[ ! -e all.h5.part ] || { echo "a temporary file is left"; bad=1; }
run 2 "$ANNULUS" train --set output=loaded --set "phases.transfer.load={file: some.npz, strict: true}" run.yaml
has err "load is strict, and 2 tensors do not fit as they are: missing head/fc/weight: the file has no such tensor" 1
run 2 "$ANNULUS" train --set output=loaded --set "phases.transfer.load={file: some.npz, tensors: 'head/*'}" run.yaml
has err "no tensor was loaded from some.npz" 1
run 6 "$ANNULUS" train --set output=loaded --set "phases.transfer.load={file: run.yaml}" run.yaml
has err "neither a safetensors, npz, npy nor HDF5 file" 1
flip all.npz 300 && flip all.npz 700
run 6 "$ANNULUS" ckpt import all.npz damaged

# ---- other people's readers
python=/usr/bin/python3
if "$python" -c 'import h5py, numpy' 2>/dev/null; then
    run 0 "$ANNULUS" ckpt export --role all $folder all.npz
    run 0 "$python" "$ANNULUS_SOURCE/tests/ckpt/read_export.py" $newest all.h5 all.npz all.safetensors some.h5 some.npz some.safetensors
    has out ": 12 of 12 tensors, equal" 3 && has out ": 2 of 12 tensors, equal" 3
    run 0 "$python" "$ANNULUS_SOURCE/tests/ckpt/read_latest.py" $folder && has out "whole, then missing" 1
    run 0 "$python" "$ANNULUS_SOURCE/tests/ckpt/make_foreign.py" theirs.npz stored.npz theirs.h5 theirs.safetensors theirs.npy
    for file in theirs.npz stored.npz theirs.h5 theirs.safetensors; do
        run 0 "$ANNULUS" train --set output=loaded --set "phases.transfer.load={file: $file, transpose: '*/weight', rename: {fc.*: body/fc1/*, cls.*: head/fc/*}}" run.yaml
        has out "transposed  body/fc1/weight: [16,64] -> [64,16]" 1
        has out "converted   body/fc1/weight: f16 -> f32" 1
        has out "reshaped    body/fc1/bias: [1,16] -> [16]" 1
        has out "converted   body/fc1/bias: f64 -> f32" 1
        has out "skipped     head/fc/bias: [3] there, [2] here" 1
        has out "missing     head/fc/weight: the file has no such tensor" 1
        has out "skipped     extra: no tensor here is called so" 1
        has out "transfer: loaded 2 tensors from $file" 1
        rm -rf loaded*
    done
    run 1 "$ANNULUS" ckpt import --strict theirs.npz strict && has err "2 tensors cannot be taken as they are"
    [ ! -e strict ] || { echo "a refused import has left something"; bad=1; }
    run 0 "$ANNULUS" ckpt import theirs.npy npy && has out "converted tensor: f16 -> f32"
    run 0 "$ANNULUS" ckpt import --rename 'fc.*=body/*' --tensors 'body/*' --step 7 theirs.npz renamed && has out "skipped   extra: not asked for"
    run 0 "$ANNULUS" ckpt info renamed && has out "body/weight" && has out "step 7" && has out "[16,64]"
else
    echo "not compared with h5py and numpy: /usr/bin/python3 has none (Debian: python3-h5py)"
fi

[ $bad = 0 ] && echo "all as it should be"
exit $bad
