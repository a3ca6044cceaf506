"""How soon requests took effect: reads what `annulus ctl watch --json` printed, and complains if those of a kind took effect later than
after the step that follows the one under way (their median), or not once within a second: load may make some late.

usage: steer.py FILE"""
import json
import statistics
import sys

MOST_S, MOST_STEPS, KINDS = 1, 1, ("CHECKPOINT", "SET_LR_FACTOR", "PAUSE", "RESUME")

records = [json.loads(line) for line in open(sys.argv[1])]
metrics = sorted((r["metric"]["time_ms"], r["metric"]["step"]) for r in records if "metric" in r)
applied = [r for r in records if r.get("event", {}).get("kind") == "applied"]
waited = {kind: [] for kind in KINDS}
paused = None
for record in applied:
    event, control = record["event"], record["event"]["control"]
    under_way = max([step for time, step in metrics if time <= control["time_ms"]], default=0) + 1
    after = event["step"] - 1  # it took effect after this step
    waited[control["kind"]].append(((record["time_ms"] - control["time_ms"]) / 1000, after - under_way))
    if control["kind"] == "PAUSE":
        paused = record["time_ms"], after
    if control["kind"] == "RESUME":
        assert after == paused[1], f"paused after step {paused[1]}, resumed after step {after}"
        assert not [s for time, s in metrics if paused[0] < time <= control["time_ms"]], "training went on in a pause"
good = True
for kind, those in waited.items():
    print(kind, ", ".join(f"{s:.2f} s, {max(0, steps)} steps later" for s, steps in those))
    good = good and those and min(s for s, _ in those) <= MOST_S and statistics.median(steps for _, steps in those) <= MOST_STEPS
sys.exit(0 if good else 1)
