#!/bin/bash
# annulus bench overlap on a tiny run: exit codes, a line for each message, a trace that holds all ranks.
. "${BASH_SOURCE%/*}/cli.bash"

for command in bench "bench allreduce" "bench overlap"; do
    run 0 "$ANNULUS" $command --help
    has out "annulus bench"
done
for option in --phase --steps --trace --threads --set; do has out "  $option "; done

make_images
run 0 "$ANNULUS" data import idx --name tiny idx tiny.h5
cat >run.yaml <<'YAML'
name: tiny
output: out.dir
data: {path: tiny.h5}
comm: {bucket_bytes: 1000000}
models:
  net:
    - flatten: {}
    - dense: {name: fc1, units: 1000, activation: relu}
    - dense: {name: fc2, units: 500, activation: relu}
    - dense: {name: fc3, units: 2}
phases:
  - name: cnn
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 20
    program: [{steps: 200, lr: 0.01}]
  - name: apart
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 20
    sync: {every: 4}
    program: [{epochs: 2, lr: 0.01}]
YAML
overlap() { run "$1" "${mpirun[@]}" -n "$2" "$ANNULUS" bench overlap --threads 1 "${@:3}"; }

# ---- mistakes
run 2 "$ANNULUS" bench overlap && has err "annulus bench overlap: one run file is needed, found 0"
run 2 "$ANNULUS" bench overlap --steps 0 run.yaml && has err "--steps: found '0', accepted is an integer from 1 to 10000"
run 2 "$ANNULUS" bench overlap run.yaml && has err "error: one rank sends nothing" 1
overlap 4 2 --phase none run.yaml && has err 'error: run.yaml: there is no phase "none"' 1
overlap 2 2 --phase apart run.yaml && has err "ranks train apart" 1
overlap 2 2 --set seed=x run.yaml && has err "seed" 1
overlap 5 2 --steps 2 --trace none/trace.json run.yaml && has err "none/trace.json: No such file or directory" 1

# ---- good runs. The parameters come as three messages: fc2 and fc3; fc1.
overlap 0 2 --steps 7 --trace trace.json run.yaml
[ -e out.dir ] && { echo "an output folder was made"; bad=1; }
has out "cnn: 2 ranks on 1 host, 7 steps" 1
for line in computing communication step overlap exposed starts "moving on" longest; do has out "$line " ; done
messages=$(grep -c '  allreduce f32\[' out)
[ "$messages" -ge 2 ] || { echo "$messages messages"; cat out; bad=1; }
grep -E '^ +[0-9]+ +[0-9]+ .*  allreduce f32\[' out | awk '{ bytes += $2; if ($1 != NR || $4 < $3 || $4 <= 0) exit 1 } END { exit !(bytes >= 4 * (65 * 1000 + 1001 * 500 + 501 * 2)) }' ||
    { echo "the table of messages is wrong"; cat out; bad=1; }

# The trace: valid, every message of the last three steps on every rank begins before it ends, and waits, computing and votes.
cat >check.py <<'PY'
import collections, json, sys
ranks, messages = int(sys.argv[1]), int(sys.argv[2])
with open("trace.json") as f:
    events = json.load(f)["traceEvents"]
count = collections.Counter((e["pid"], e["ph"], e.get("cat")) for e in events)
begins = {}
for e in events:
    if e["ph"] == "b": begins[e["id"]] = e["ts"]
ends = [e for e in events if e["ph"] == "e"]
assert {e["pid"] for e in events} == set(range(ranks)), "not all ranks"
for r in range(ranks):
    assert count[r, "M", None] == 1
    assert count[r, "b", "message"] == count[r, "e", "message"] == 3 * messages, count
    assert count[r, "X", "wait"] == count[r, "X", "start"] == 3 * messages, count
    assert count[r, "X", "vote"] == 3, count
    assert count[r, "X", "compute"] > 3 * 6, count
    assert count[r, "X", "progress"] > 0, count
assert all(begins[e["id"]] <= e["ts"] for e in ends)
assert all(e["dur"] >= 0 and e["ts"] > -60e6 and e["ts"] < 60e6 for e in events if e["ph"] == "X")
PY
if command -v python3 >/dev/null; then
    run 0 python3 check.py 2 "$messages"
    # More steps than fit are not all kept, and micro-batches send once.
    overlap 0 3 --steps 40 --trace trace.json --set phases.cnn.batch=24 --set phases.cnn.accumulate=2 run.yaml
    run 0 python3 check.py 3 "$messages"
fi
overlap 0 2 --steps 1 --set comm.shared_memory=false run.yaml && has out "cnn: 2 ranks on 1 host, 1 steps" 1

exit $bad
