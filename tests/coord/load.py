"""Many watchers, and many clients that report at once.

usage: load.py ADDRESS"""
import sys
import threading

from annulus_client import Client, token

address = sys.argv[1]
RUNS, WATCHERS, CALLS, METRICS = 10, 100, 20, 50
options = [("grpc.use_local_subchannel_pool", 1)]
clients = [Client(address, token(), options=options) for _ in range(RUNS)]
viewers = [Client(address, token("observe"), options=options) for _ in range(4)]
faults, lock = [], threading.Lock()


def fault(text):
    with lock:
        faults.append(text)


def work(i):
    job = clients[i].RegisterJob(key=f"k{i}", run=f"run{i}", ranks=1, phases=[dict(name="p")]).job
    sequence = 0
    for call in range(CALLS):
        metrics = [dict(sequence=sequence + 1 + k, phase="p", step=k, values=[dict(name="x", value=k)]) for k in range(METRICS)]
        for _ in range(1 + call % 2):  # every other one is sent twice
            got = clients[i].Report(job=job, metrics=metrics).sequence
            if got != sequence + METRICS:
                fault(f"run {i}: {got} instead of {sequence + METRICS}")
        sequence += METRICS
    clients[i].Leave(job=job)


def watch(i):
    expected, metrics = 1, 0
    try:
        for reply in viewers[i % 4].Watch(run=f"run{i % RUNS}", sequence=1, timeout=100):
            for record in reply.records:
                if record.sequence != expected:
                    fault(f"watcher {i}: {record.sequence} instead of {expected}")
                expected += 1
                metrics += record.HasField("metric")
                if record.event.kind == "ended":
                    if metrics != CALLS * METRICS:
                        fault(f"watcher {i}: {metrics} metrics")
                    return
        fault(f"watcher {i}: the stream has ended")
    except Exception as error:
        fault(f"watcher {i}: {error}")


for i in range(RUNS):
    clients[i].Submit(run=f"run{i}", run_file="x")
threads = [threading.Thread(target=watch, args=(i,)) for i in range(WATCHERS)]
threads += [threading.Thread(target=work, args=(i,)) for i in range(RUNS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not faults, faults[:10]
print("good")
