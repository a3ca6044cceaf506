"""A foreign job and a foreign operator: submit, register, phases, metrics, requests, checkpoints, watch, stop; with the coordinator
killed and started again in the middle by kill-and-restart.

usage: job.py ADDRESS, where ./restart, a script, kills the coordinator and starts it at the same address"""
import subprocess
import sys
import threading
import time

import grpc

from annulus_client import Client, refused, token

address = sys.argv[1]
job, operator = Client(address, token()), Client(address, token())
viewer = Client(address, token("observe"))
TEXT = "name: graph\n"


def insist(call, **fields):
    """Repeats a call that may be repeated while the coordinator is away."""
    for _ in range(100):
        try:
            return call(**fields)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(0.1)
    raise AssertionError("the coordinator did not come back")


# ---- an operator submits ----
assert not operator.Submit(run="graph", run_file=TEXT).known
assert operator.Submit(run="graph", run_file=TEXT).known
refused("FAILED_PRECONDITION", operator.Submit, run="graph", run_file="other")
refused("PERMISSION_DENIED", viewer.Submit, run="mine", run_file=TEXT)
assert [r.name for r in viewer.List().runs] == ["graph"]

# ---- watching, from the first record on, in a thread: everything must come exactly once, also over the restart ----
seen, watching = [], True


def watch():
    next_sequence = 1
    while watching:
        try:
            for reply in viewer.Watch(run="graph", sequence=next_sequence, timeout=60):
                for record in reply.records:
                    assert record.sequence == next_sequence, (record.sequence, next_sequence)
                    next_sequence += 1
                    seen.append(record)
                    if record.event.kind == "run_done":
                        return
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED), error
            time.sleep(0.1)


watcher = threading.Thread(target=watch, daemon=True)
watcher.start()

# ---- a job comes, and gets its first phase; repeating the call makes no second job ----
phases = [dict(name="pretrain", kind="pretrain", inputs="p"),
          dict(name="cnn", kind="transfer", after=["pretrain"], inputs="c"),
          dict(name="adapt/a", kind="adapt", after=["cnn"], inputs="a")]
start = dict(key="start-1", run="graph", run_file=TEXT, phases=phases, hosts=["node1", "node2"], ranks=4, process_id=17,
             instance="embedded", version="test")
first = job.RegisterJob(**start)
again = job.RegisterJob(**start)
assert first.job == again.job and first.assignment.kind == 1 and first.assignment.phase == "pretrain", (first, again)
assert len(viewer.Status(run="graph").jobs) == 1
number = first.job


def metric(sequence, phase="pretrain"):
    return dict(sequence=sequence, time_ms=1000 + sequence, phase=phase, stage="train", step=10 * sequence,
                values=[dict(name="loss", value=1 / sequence)])


assert job.Report(job=number, metrics=[metric(1), metric(2)]).sequence == 2
assert job.Report(job=number, metrics=[metric(1), metric(2), metric(3)]).sequence == 3  # sent again: counted once
refused("FAILED_PRECONDITION", job.Report, job=number, metrics=[metric(5)])
# ---- reports in one stream; what is refused ends it, and what was answered before stays
assert [reply.sequence for reply in job.reports(dict(job=number, metrics=[metric(s)]) for s in (1, 2, 3, 3))] == [3] * 4
answered = []
try:
    for reply in job.reports(dict(job=n, metrics=[metric(s)]) for n, s in ((number, 4), (number, 5), (number, 7), (number, 6))):
        answered.append(reply.sequence)
    raise AssertionError("a gap was accepted")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
assert answered == [4, 5], answered
refused("INVALID_ARGUMENT", lambda: job.reports([]))
refused("PERMISSION_DENIED", lambda: viewer.reports([dict(job=number, metrics=[metric(6)])]))
assert job.Report(job=number).sequence == 5
beat = job.Heartbeat(job=number, phase="pretrain", stage="train", step=30, steps=100, ranks=[dict(rank=0, host="node1", step=30)])
assert not beat.requests and not beat.over

# ---- a request reaches the job until the job says that it was applied ----
paused = operator.Control(run="graph", kind="PAUSE", step=-1, key="once")
assert paused.jobs == 1 and operator.Control(run="graph", kind="PAUSE", step=-1, key="once").id == paused.id
factor = operator.Control(run="graph", kind="SET_LR_FACTOR", value=0.5, step=-1)
for _ in range(2):
    wanted = job.Heartbeat(job=number, phase="pretrain", step=31).requests
    assert [(w.id, w.kind, w.value) for w in wanted] == [(paused.id, 1, 0.0), (factor.id, 5, 0.5)], wanted
assert wanted[0].author == "tester by token (control)" and wanted[0].time_ms > 0
job.Applied(job=number, request=paused.id, step=32)
job.Applied(job=number, request=paused.id, step=33)  # told again: nothing changes
job.Applied(job=number, request=factor.id, step=32, refused="no")
refused("NOT_FOUND", job.Applied, job=number, request=99, step=1)
assert not job.Heartbeat(job=number, phase="pretrain", step=33).requests
assert viewer.Status(run="graph").summary.paused
# what is no number is refused wherever it stands
refused("INVALID_ARGUMENT", operator.Control, run="graph", kind="PAUSE", step=-1, value=float("nan"))
refused("INVALID_ARGUMENT", job.Heartbeat, job=number, phase="pretrain", step=33, epoch=float("inf"))

# ---- the coordinator is killed; the job goes on ----
subprocess.run(["./restart"], check=True, timeout=60)
assert insist(job.Report, job=number, metrics=[metric(s) for s in range(2, 40)]).sequence == 39
checkpoint = dict(phase="pretrain", step=100, path="out/pretrain/step-100", hash="h1")
for _ in range(2):
    job.Committed(job=number, checkpoint=checkpoint)
for _ in range(2):  # the second time, the answer to the first was lost
    then = job.PhaseDone(job=number, phase="pretrain", text="fine")
    assert then.kind == 1 and then.phase == "cnn" and [c.path for c in then.inputs] == ["out/pretrain/step-100"], then

# ---- a later job of the same instance takes over ----
second = job.RegisterJob(**dict(start, key="start-2"))
assert second.job != number and second.assignment.phase == "cnn"
assert job.Heartbeat(job=number, phase="cnn", step=1).over
number = second.job
third = job.RegisterJob(**dict(start, key="start-3", instance="other"))
assert third.assignment.kind == 0, third  # WAIT: the phase is held by another
assert job.Next(job=third.job).kind == 0
refused("FAILED_PRECONDITION", job.Committed, job=third.job, checkpoint=dict(phase="cnn", step=1, path="x"))
refused("FAILED_PRECONDITION", job.PhaseDone, job=third.job, phase="cnn")
assert job.Heartbeat(job=third.job, phase="cnn", step=1).over
alone = job.RegisterJob(**dict(start, key="start-alone", instance="alone", only=["adapt/a"]))
assert alone.assignment.kind == 0, alone  # what comes before is in work
job.Leave(job=alone.job, exit_code=0)
job.Leave(job=third.job, exit_code=0)

# ---- stop, after a step; the run stays stopped until somebody takes it up again ----
stop = operator.Control(run="graph", kind="STOP", step=50)
wanted = job.Heartbeat(job=number, phase="cnn", step=40).requests
assert [(w.id, w.kind, w.step) for w in wanted] == [(stop.id, 4, 50)]
job.Applied(job=number, request=stop.id, step=51)
job.Leave(job=number, exit_code=75, text="stopped on request")
assert viewer.Status(run="graph").summary.state == 4
assert job.RegisterJob(**dict(start, key="start-4")).assignment.kind == 3
operator.Control(run="graph", kind="RESUME", step=-1)
fifth = job.RegisterJob(**dict(start, key="start-5"))
number = fifth.job
assert fifth.assignment.phase == "cnn", fifth
assert job.PhaseDone(job=number, phase="cnn").phase == "adapt/a"
assert job.PhaseDone(job=number, phase="adapt/a").kind == 2
job.Leave(job=number, exit_code=0)
status = viewer.Status(run="graph", run_file=True)
assert status.summary.state == 3 and status.summary.phases_done == 3 and status.run_file == TEXT, status
refused("FAILED_PRECONDITION", operator.Control, run="graph", kind="PAUSE")

# ---- a phase with other inputs is done again ----
changed = [dict(p, inputs="new") if p["name"] == "adapt/a" else p for p in phases]
redo = job.RegisterJob(**dict(start, key="start-6", phases=changed))
assert redo.assignment.kind == 1 and redo.assignment.phase == "adapt/a", redo

assert job.PhaseDone(job=redo.job, phase="adapt/a").kind == 2
job.Leave(job=redo.job, exit_code=0)

# ---- a job for certain phases, which begin anew ----
part = job.RegisterJob(**dict(start, key="start-7", phases=changed, only=["cnn", "adapt/a"], anew=True))
assert part.assignment.phase == "cnn" and not [c for c in part.assignment.inputs if c.phase == "cnn"], part
other = job.RegisterJob(**dict(start, key="start-8", phases=changed, instance="other", only=["adapt/a"]))
assert other.assignment.kind == 0, other
assert [p.state for p in viewer.Status(run="graph").phases] == [2, 1, 0]
job.Leave(job=part.job, exit_code=1)
# nobody works on what comes before: whether its result is there, only the job knows
assert job.Next(job=other.job).phase == "adapt/a"
# a job that went on by itself tells what it has done
assert not job.Heartbeat(job=other.job, phase="cnn", step=3).over
assert job.PhaseDone(job=other.job, phase="cnn").phase == "adapt/a"
assert job.PhaseDone(job=other.job, phase="adapt/a").kind == 2
job.Leave(job=other.job, exit_code=0)
assert [p.state for p in viewer.Status(run="graph").phases] == [2, 2, 2]

watcher.join(timeout=20)
watching = False
assert not watcher.is_alive(), "the watcher has not seen the end"
got = [r.metric.sequence for r in seen if r.HasField("metric")]
assert got == list(range(1, 40)), got
kinds = [r.event.kind for r in seen if r.HasField("event")]
for kind in ("submitted", "registered", "phase_began", "control", "applied", "refused", "checkpoint", "phase_done", "replaced",
             "ended", "stopped", "run_done"):
    assert kind in kinds, (kind, kinds)
assert kinds.count("checkpoint") == 1 and kinds.count("applied") == 2, kinds
actions = [(e.action, e.result) for e in viewer.Log().entries]
for entry in (("Submit", "accepted"), ("PAUSE", "accepted"), ("Applied", "applied"), ("Applied", "refused"), ("STOP", "accepted"),
              ("/annulus.v1.Operator/Submit", "refused")):
    assert entry in actions, (entry, actions)
print("good")
