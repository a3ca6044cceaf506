# Sourced by test_resume.sh: a small run that is killed again and again, and what must hold in the end.

limit_s=60 # for the end of mpirun after a kill; the job's own timeout is less
dir=$(mktemp -d "${TMPDIR:-/tmp}/resume-XXXXXX") || exit 1
mpirun_pid=
cleanup() {
    [ -z "$mpirun_pid" ] || kill -KILL "$mpirun_pid" $(ranks) 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
fail() { echo "FAILED: $*"; tail -n 30 "$dir/log"; exit 1; }

# What Open MPI leaves behind after a kill goes where it is removed.
mkdir "$dir/mpi"
export TMPDIR=$dir/mpi OMPI_MCA_btl_vader_backing_directory=$dir/mpi

# ---- data: noise with random labels, which a network can only learn by heart ----

big_endian() { printf '%b' "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"; }
make_idx() { # PREFIX SAMPLES
    { printf '\0\0\x08\x03'; big_endian "$2"; big_endian 14; big_endian 14; head -c $(($2 * 196)) /dev/urandom; } >"$dir/$1-images-idx3-ubyte"
    { printf '\0\0\x08\x01'; big_endian "$2"; LC_ALL=C tr -dc '\000-\004' </dev/urandom | head -c "$2"; } >"$dir/$1-labels-idx1-ubyte"
}
make_data() {
    make_idx train 700
    make_idx t10k 150
    "$ANNULUS" data import idx --name noise "$dir" "$dir/noise.h5" >"$dir/log" 2>&1 || fail "cannot import"
}

make_run() {
    cat >"$dir/run.yaml" <<YAML
name: resume
output: $dir/whole2
data: { path: $dir/noise.h5 }
checkpoint: { every: 5 steps, keep: 3 }
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
      program: [{ epochs: 14, lr: 0.001 }] }
  - { name: transfer, kind: transfer, model: [encoder, head], loss: cross_entropy, load: { from: pretrain, tensors: "encoder/*" },
      batch: 48, program: [{ train: "head/*", epochs: 10, lr: 0.002 }, { epochs: 20, lr: 0.0005, schedule: { kind: cosine },
          groups: [{ match: "encoder/fc1/*", lr: 0.3 }, { match: "encoder/*", lr: 0.6 }, { match: "*" }] }] }
YAML
}

# ---- jobs ----

fault= # "RANK:CALL:WHAT": see shim_fault.c
start() { # RANKS OUTPUT
    local with=()
    [ -z "$fault" ] || with=(env LD_PRELOAD="$ANNULUS_BUILD/tests/shim_fault.so" ANNULUS_FAULT="$fault")
    "$MPIRUN" -n "$1" "${with[@]}" "$ANNULUS" train --resume --threads 1 --set output="$2" "$dir/run.yaml" >"$dir/log" 2>&1 &
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
gone() { # PID...: waits until none of them is left
    local waited=0
    while kill -0 "$@" 2>/dev/null; do
        sleep 0.1
        waited=$((waited + 1))
        [ $waited -lt $((limit_s * 10)) ] || fail "processes $* are still there $limit_s s later"
    done
}

# ---- kills: each waits for its moment and returns whether it struck ----

duration_ms=2000 # of a whole run, the longest
a_moment() { sleep "$(awk -v r=$RANDOM -v d=$duration_ms 'BEGIN { printf "%.3f", 0.2 + 0.5e-3 * d * r / 32768 }')"; }
kill_rank() {
    local pids
    mapfile -t pids < <(ranks)
    [ ${#pids[@]} -gt 0 ] && kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null
}
strike_rank() { a_moment; kill_rank; }
strike_job() { # mpirun and all its ranks
    a_moment
    local pids
    mapfile -t pids < <(ranks)
    [ ${#pids[@]} -gt 0 ] && kill -KILL "$mpirun_pid" "${pids[@]}" 2>/dev/null || return 1
    { wait "$mpirun_pid"; } 2>/dev/null # at once, or bash tells of its end
    status=$?
    mpirun_pid=
    gone "${pids[@]}"
}
strike_writer() { # a rank, while a checkpoint is being written
    a_moment
    local end=$((SECONDS + 5))
    until compgen -G "$output/*/*.part" >/dev/null; do
        alive && [ $SECONDS -lt $end ] || return 1
    done
    kill_rank
}
strike_call() { # nothing to do but wait: the fault was planted before the start
    await
    grep -q '^fault: ' "$dir/log"
}
plant_call() { # RANKS
    local whats=(fail kill-before kill-after)
    fault=$((RANDOM % $1)):$((1 + RANDOM % 100)):${whats[RANDOM % 3]}
}

# ---- what must hold in the end ----

# Lines "phase step name value" of everything that was measured.
curve() { sed -nE 's/.*"phase":"([a-z]*)".*"step":([0-9]*),.*"(loss|test_loss)":([^,}]*).*/\1 \2 \3 \4/p' "$1"/*/metrics.jsonl; }
same_curve() { # OUTPUT OTHER TOLERANCE: the same steps, none missing, none twice, and values as near as that
    paste -d' ' <(curve "$1") <(curve "$2") >"$dir/both"
    awk -v tolerance="$3" '{ d = $4 - $8; if (d < 0) d = -d
           if (NF != 8 || $1 != $5 || $2 != $6 || $3 != $7 || d > tolerance * $4) { print "differs: " $0; bad = 1 }
           if (d / $4 > worst) worst = d / $4 }
         END { printf "%d values, worst relative difference %.2g; ", NR, worst; exit bad || NR < 50 }' "$dir/both"
}
# The largest relative difference (L2) of any tensor of the two runs' final weights and optimizer states.
distance() { # CHECKPOINTS CHECKPOINTS
    "$ANNULUS" ckpt diff --no-meta "$1" "$2" >"$dir/diff" 2>"$dir/diff.err"
    [ $? -le 1 ] || fail "ckpt diff: $(cat "$dir/diff.err")"
    awk 'match($0, /relative L2 [^)]*/) { x = substr($0, RSTART + 12, RLENGTH - 12) + 0; if (x > worst) worst = x; n++ }
         !/relative L2|^equal$/ { other = 1 } END { printf "%.3g\n", other ? 1e9 : worst }' "$dir/diff"
}
at_most() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }'; }

# Runs without a kill, on each of these numbers of ranks. Rounding depends on that number, and training carries
# it on: final weights may differ by 32 times as much as those of the whole runs do. That is far less than what
# one lost or repeated batch makes, which must be so.
whole_runs() { # RANKS...
    local n d started
    rounding=0 duration_ms=0
    for n; do
        started=$(date +%s%3N)
        start "$n" "$dir/whole$n"
        await
        d=$(($(date +%s%3N) - started))
        [ $d -lt $duration_ms ] || duration_ms=$d
        [ $status = 0 ] || fail "the uninterrupted run on $n ranks ended with $status"
        [ "$(grep -c 'ledger ok: 700 samples' "$dir/log")" = 2 ] || fail "no ledger"
        d=$(distance "$dir/whole$1/transfer" "$dir/whole$n/transfer")
        at_most "$d" "$rounding" || rounding=$d
    done
    allowed=$(awk -v r="$rounding" 'BEGIN { printf "%.3g", 32 * r }')
    "$MPIRUN" -n 1 "$ANNULUS" train --threads 1 --set output="$dir/other" --set phases.transfer.program.1.epochs=19 "$dir/run.yaml" >"$dir/log" 2>&1 ||
        fail "a run with an epoch less"
    d=$(distance "$dir/whole$1/transfer" "$dir/other/transfer")
    at_most "$allowed" "$(awk -v d="$d" 'BEGIN { print d / 100 }')" || fail "an epoch less makes only $d, and $allowed is allowed"
    echo "whole runs on $* ranks: weights differ by at most $rounding (an epoch less: $d)"
}

check() { # OUTPUT RANKS ("": several)
    local like=${2:-2} d
    if [ -n "$2" ]; then same_curve "$dir/whole$like" "$1" 0 || fail "another curve than the uninterrupted run's"
    else same_curve "$dir/whole$like" "$1" 1e-4 || fail "another curve than the uninterrupted run's"; fi
    d=$(distance "$dir/whole$like/transfer" "$1/transfer")
    if [ -n "$2" ]; then at_most "$d" 0 || fail "final weights differ by $d, on $2 ranks throughout"
    else at_most "$d" "$allowed" || fail "final weights differ by $d, allowed is $allowed"; fi
    "$ANNULUS" ckpt verify "$1/pretrain" >"$dir/verify" 2>&1 && "$ANNULUS" ckpt verify "$1/transfer" >>"$dir/verify" 2>&1 ||
        fail "ckpt verify: $(cat "$dir/verify")"
    [ "$(grep -c 'ledger ok: 700 samples' "$dir/verify")" = 2 ] || fail "ckpt verify: no ledger: $(cat "$dir/verify")"
    ! ls -d "$1"/*/*.part 2>/dev/null || fail "left-overs"
    echo "weights differ by $d, on ${2:-changing} ranks"
}

# ---- the whole ----

kinds=(rank call writer job)
declare -A struck

# Kills jobs so many times and checks what each job has made in the end. Every second job is resumed on the same number of ranks
# throughout; these numbers are those of the whole runs.
soak() { # KILLS RANKS...
    local kills=$1 delivered=0 job=0 attempt=0 in_job n fixed kind
    shift
    local counts=("$@") most=$((kills / 25 + 2))
    while [ $delivered -lt "$kills" ]; do
        job=$((job + 1)) in_job=0 fixed=
        [ $((job % 2)) = 1 ] || fixed=${counts[job / 2 % ${#counts[@]}]}
        output=$dir/killed$job
        while :; do
            attempt=$((attempt + 1))
            n=${fixed:-$((1 + (attempt * 3 + attempt / 4) % 4))}
            kind=none fault=
            [ $delivered -ge "$kills" ] || [ $in_job -ge $most ] || kind=${kinds[delivered % 4]}
            [ $kind != call ] || plant_call "$n"
            start "$n" "$output"
            if [ $kind != none ] && strike_$kind; then
                delivered=$((delivered + 1)) in_job=$((in_job + 1)) struck[$kind]=$((${struck[$kind]:-0} + 1))
                [ -z "$mpirun_pid" ] || await
                echo "kill $delivered ($kind${fault:+ $fault}) on $n ranks: ended with $status, now at $(cat "$output"/*/latest 2>/dev/null | tr '\n' ' ')"
            else
                [ -z "$mpirun_pid" ] || await
                [ $status = 0 ] || fail "on $n ranks, ended with $status"
            fi
            [ $status != 0 ] || break
        done
        printf 'job %d: ' $job
        check "$output" "$fixed"
        rm -rf "$output"
    done
    local tally=
    for kind in "${kinds[@]}"; do tally+="${tally:+, }$kind ${struck[$kind]:-0}"; done
    echo "$delivered kills ($tally), $attempt starts, $job jobs: same results, ledgers ok"
}
