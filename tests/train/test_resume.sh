#!/bin/bash
# labels: long
# timeout: 900
# kill -9 of a random rank at random moments, with checkpoints every few steps; each time the job is resumed on another number of
# ranks. In the end the whole loss curve is the uninterrupted run's, and each sample of each epoch was used exactly once.
# ANNULUS_KILLS: how many kills (default 4).
set -u
kills=${ANNULUS_KILLS:-4}
limit_s=60 # for the end of mpirun after a kill; the job's own timeout is less
[ -x "${ANNULUS:-}" ] || { echo "skipped: the program was not built"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/resume-XXXXXX") || exit 1
mpirun_pid=
cleanup() {
    [ -z "$mpirun_pid" ] || kill -KILL "$mpirun_pid" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
fail() { echo "FAILED: $*"; tail -n 30 "$dir/log"; exit 1; }

# ---- data: noise with random labels, which a network can only learn by heart ----

big_endian() { printf '%b' "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"; }
make_idx() { # PREFIX SAMPLES
    { printf '\0\0\x08\x03'; big_endian "$2"; big_endian 14; big_endian 14; head -c $(($2 * 196)) /dev/urandom; } >"$dir/$1-images-idx3-ubyte"
    { printf '\0\0\x08\x01'; big_endian "$2"; LC_ALL=C tr -dc '\000-\004' </dev/urandom | head -c "$2"; } >"$dir/$1-labels-idx1-ubyte"
}
make_idx train 700
make_idx t10k 150
"$ANNULUS" data import idx --name noise "$dir" "$dir/noise.h5" >"$dir/log" 2>&1 || fail "cannot import"

cat >"$dir/run.yaml" <<YAML
name: resume
output: $dir/whole
data: { path: $dir/noise.h5 }
checkpoint: { every_steps: 5, keep: 3 }
log: { every_steps: 5 }
comm: { timeout_s: 30 }
models:
  encoder:
    - flatten: {}
    - dense: { name: fc1, units: 96, activation: relu }
    - dense: { name: fc2, units: 32, activation: relu }
  decoder:
    - dense: { name: out, units: 196 }
  head:
    - dropout: { name: drop, p: 0.2 }
    - dense: { name: out, units: 5 }
phases:
  - { name: pretrain, kind: pretrain, model: [encoder, decoder], loss: bce, noise: { mask: 0.3 }, batch: 48,
      program: [{ epochs: 7, lr: 0.001 }] }
  - { name: transfer, kind: transfer, model: [encoder, head], loss: cross_entropy, load: { from: pretrain, tensors: "encoder/*" },
      batch: 48, program: [{ train: "head/*", epochs: 5, lr: 0.002 }, { epochs: 10, lr: 0.0005, schedule: { kind: cosine } }] }
YAML

# ---- runs ----

start() { # RANKS OUTPUT
    "$MPIRUN" -n "$1" "$ANNULUS" train --resume --threads 1 --set output="$2" "$dir/run.yaml" >"$dir/log" 2>&1 &
    mpirun_pid=$!
}
alive() { kill -0 "$mpirun_pid" 2>/dev/null; }
await() { # waits for mpirun for at most limit_s; its status is in $status
    local waited=0
    while alive; do
        sleep 0.1
        waited=$((waited + 1))
        [ $waited -lt $((limit_s * 10)) ] || fail "still running $limit_s s later"
    done
    wait "$mpirun_pid"
    status=$?
    mpirun_pid=
}
# The ranks: the processes whose parent is our mpirun.
ranks() { awk -v parent="$mpirun_pid" '$4 == parent { print $1 }' /proc/[0-9]*/stat 2>/dev/null; }

start 2 "$dir/whole"
await
[ $status = 0 ] || fail "the uninterrupted run ended with $status"
[ "$(grep -c 'ledger ok: 700 samples' "$dir/log")" = 2 ] || fail "no ledger"

# Lines "phase step value" of everything that was measured.
curve() { sed -nE 's/.*"phase":"([a-z]*)".*"step":([0-9]*),.*"(loss|test_loss)":([^,}]*).*/\1 \2 \3 \4/p' "$1/metrics.jsonl"; }
compare() { # OUTPUT
    paste -d' ' <(curve "$dir/whole") <(curve "$1") >"$dir/both"
    awk '{ d = $4 - $8; if (d < 0) d = -d
           if (NF != 8 || $1 != $5 || $2 != $6 || $3 != $7 || d > 1e-4 * $4) { print "differs: " $0; bad = 1 }
           if (d / $4 > worst) worst = d / $4 }
         END { printf "%d values, worst relative difference %.2g\n", NR, worst; exit bad || NR < 50 }' "$dir/both"
}

delivered=0 cycle=0 counts=(2 3 1) attempt=0
while [ $delivered -lt "$kills" ]; do
    cycle=$((cycle + 1))
    output=$dir/killed$cycle
    while :; do
        n=${counts[attempt % 3]}
        attempt=$((attempt + 1))
        start "$n" "$output"
        if [ $delivered -lt "$kills" ]; then
            sleep "$(awk -v r=$RANDOM 'BEGIN { printf "%.3f", 0.3 + 1.7 * r / 32768 }')"
            mapfile -t pids < <(ranks)
            if [ ${#pids[@]} -gt 0 ] && kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null; then
                delivered=$((delivered + 1))
                await
                [ $status != 0 ] || break # the rank had done its work
                echo "kill $delivered on $n ranks: $(grep -cE 'resumes at' "$dir/log") resumed, now at $(cat "$output"/*/latest 2>/dev/null | tr '\n' ' ')"
                continue
            fi
        fi
        await
        [ $status = 0 ] || fail "resumed on $n ranks, ended with $status"
        break
    done
    compare "$output" || fail "another result than the uninterrupted run's"
    ! ls -d "$output"/*/*.part 2>/dev/null || fail "left-overs"
done
echo "$delivered kills, $attempt starts, $cycle jobs: same results, ledgers ok"
