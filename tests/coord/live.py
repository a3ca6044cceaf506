"""A run that somebody watches on a terminal: ./watch runs on one, and what it writes is in ./screen.

usage: live.py ADDRESS"""
import subprocess
import sys
import time

from annulus_client import Client, token

client = Client(sys.argv[1], token())
client.Submit(run="live", run_file="x")
job = client.RegisterJob(key="k", run="live", ranks=4, hosts=["node1"], phases=[dict(name="pretrain"), dict(name="adapt")]).job
viewer = subprocess.Popen(["script", "-q", "-c", "./watch", "screen"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
try:
    metrics = [dict(sequence=i + 1, phase="pretrain", stage="train", step=i, values=[dict(name="loss", value=1 / (i + 1))])
               for i in range(40)]
    client.Report(job=job, metrics=metrics)
    ranks = [dict(rank=i, host="node1", step=50, lag_ms=250 * (i == 3)) for i in range(4)]
    client.Heartbeat(job=job, phase="pretrain", stage="train", step=50, steps=100, ranks=ranks)
    for _ in range(300):
        with open("screen", "rb") as stream:
            if b"250 ms behind" in stream.read():
                break
        time.sleep(0.1)
    client.PhaseDone(job=job, phase="pretrain", text="lucky\x1b[31m")
    time.sleep(1)
    client.PhaseDone(job=job, phase="adapt")
    client.Leave(job=job, text="lucky\x1b[31m")
    assert viewer.wait(timeout=60) == 0
finally:
    viewer.kill()
print("good")
