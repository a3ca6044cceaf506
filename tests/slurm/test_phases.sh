#!/bin/bash
# labels: long
# timeout: 200
# A job for each phase, with dependencies: both branches run at the same time, on a node each, with as many ranks as each phase
# asks for; what was submitted again when all is done has nothing left to do; when a phase fails, what needs it does not begin.
. "${BASH_SOURCE%/*}/cluster.bash"
cluster_up
"$ANNULUS_BUILD/tests/make_dataset" good good.h5 300 || fail "no dataset"
cat >run.yaml <<'YAML'
name: graph
output: out
data: { path: good.h5 }
log: { every_steps: 50 }
comm: { timeout_s: 5, calibrate: never }
models:
  encoder: [flatten: {}, dense: { name: fc1, units: 32, activation: relu }]
  head: [dense: { name: out, units: 2 }]
  decoder: [dense: { name: out, units: 64 }]
phases:
  - { name: first, kind: pretrain, model: [encoder, decoder], loss: bce, batch: 50, program: [{ steps: 50, lr: 0.001 }] }
  - { name: left, kind: transfer, model: [encoder, head], loss: cross_entropy, batch: 48, resources: { nodes: 1, ranks: 2, threads: 1 },
      load: { from: first, tensors: "encoder/*" }, program: [{ steps: 20000, lr: 0.001 }] }
  - { name: right, kind: transfer, model: [encoder, head], loss: cross_entropy, batch: 20,
      load: { from: first, tensors: "encoder/*" }, program: [{ steps: 20000, lr: 0.001 }] }
  - { name: last, kind: adapt, model: [encoder, head], loss: cross_entropy, batch: 40, after: [right], data: { path: good.h5 },
      load: { from: left }, program: [{ steps: 20, lr: 0.0001 }] }
YAML
launch() { # OPTION...: a job for each phase; their numbers in $jobs, by name
    timeout 60 "$ANNULUS" slurm --submit --executor slurm --threads 2 --time 10:00 --log "%x.log" "$@" run.yaml >table || fail "not submitted"
    declare -gA jobs=()
    while read -r name number _; do jobs[$name]=$number; done < <(tail -n +2 table)
    [ ${#jobs[@]} = 4 ] || fail "jobs: $(cat table)"
}
launch
grep -q "^last .*afterok:${jobs[left]}:${jobs[right]}\$" table || wrong "dependencies: $(cat table)"
for phase in first left right last; do ends "${jobs[$phase]}" 120 COMPLETED 0:0; done
at() { date -d "$(job_field "${jobs[$1]}" "$2")" +%s; } # PHASE FIELD
[ "$(at first EndTime)" -le "$(at left StartTime)" ] && [ "$(at right EndTime)" -le "$(at last StartTime)" ] || wrong "the order"
[ "$(at left StartTime)" -lt "$(at right EndTime)" ] && [ "$(at right StartTime)" -lt "$(at left EndTime)" ] || wrong "the branches did not run at the same time"
[ "$(job_field "${jobs[left]}" NodeList)" != "$(job_field "${jobs[right]}" NodeList)" ] || wrong "the branches shared a node"
grep -q "2 ranks x 1 thread" graph-left.log && grep -q "1 rank x 2 threads" graph-right.log || wrong "sizes: $(grep -h ' x ' graph-*.log)"

# ---- the same weights as without Slurm
for item in first:1:2 left:2:1 right:1:2 last:1:2; do
    IFS=: read -r phase ranks threads <<<"$item"
    timeout 60 mpirun -q -n "$ranks" "$ANNULUS" run --no-coordinator --only "$phase" --threads "$threads" --set output=local run.yaml >local.log 2>&1 ||
        wrong "without Slurm: $(tail -n 3 local.log)"
    timeout 30 "$ANNULUS" ckpt diff --no-meta "out/$phase" "local/$phase" >diff.log 2>&1 || { wrong "$phase has other weights"; cat diff.log; }
done

# ---- again
launch
for phase in first left right last; do ends "${jobs[$phase]}" 120 COMPLETED 0:0; done
[ "$(cat graph-*.log | grep -c "  ledger ok")" = 4 ] || wrong "a phase was trained again"

# ---- a phase that fails
cp good.h5 gone.h5
launch --set output=bad --set "data.path=gone.h5"
rm gone.h5
ends "${jobs[first]}" 60 FAILED 2:0
for phase in left right last; do ends "${jobs[$phase]}" 60 CANCELLED 0:0; done
exit $bad
