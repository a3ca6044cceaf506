"""What is malformed, oversized, unknown or without a right to it is refused and logged, and changes nothing.

usage: hostile.py ADDRESS PID, the coordinator's; its registry is ./state/registry.db"""
import random
import resource
import socket
import sqlite3
import sys
import time

import grpc

from annulus_client import Client, message, refused, token

address = sys.argv[1]
host, port = address.rsplit(":", 1)
client = Client(address, token())
client.Submit(run="good", run_file="x")
job = client.RegisterJob(key="k", run="good", ranks=1, phases=[dict(name="p")]).job


def raw(path, data, metadata=client.metadata, channel=client.channel):
    """Sends bytes as the request of a unary method; its status code."""
    call = channel.unary_unary(path, request_serializer=lambda b: b, response_deserializer=lambda b: b)
    try:
        call(data, timeout=20, metadata=metadata)
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


def registry():
    """All that the coordinator knows, but for the audit log."""
    with sqlite3.connect("file:state/registry.db?mode=ro", uri=True) as db:
        tables = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(map(repr, db.execute(f"SELECT * FROM {name}"))) for name in tables if name not in ("audit", "sqlite_sequence")}


def memory_mib():
    with open(f"/proc/{sys.argv[2]}/status") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("VmRSS")) / 1024


# ---- random bytes where HTTP/2 is expected ----
random.seed(1)
for length in (1, 10, 1000, 100000):
    with socket.create_connection((host, int(port)), timeout=10) as s:
        try:
            s.sendall(random.randbytes(length))
            s.settimeout(0.2)
            s.recv(100)
        except OSError:
            pass
with socket.create_connection((host, int(port)), timeout=10) as s:
    s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + random.randbytes(5000))

# ---- malformed messages: never anything but a status ----
list_path, submit_path = "/annulus.v1.Operator/List", "/annulus.v1.Operator/Submit"
paths = ["/annulus.v1." + p for p in ("Coordinator/RegisterJob", "Coordinator/Report", "Coordinator/Heartbeat",
                                       "Operator/Control", "Operator/Status", "Operator/Submit")]
seed = message("ReportRequest")(job=job, metrics=[dict(sequence=1, phase="p", values=[dict(name="loss", value=1)])]).SerializeToString()
for _ in range(300):
    data = bytearray(random.choice((seed, random.randbytes(random.randint(1, 60)))))
    for _ in range(random.randint(1, 4)):
        data[random.randrange(len(data))] = random.randrange(256)
    code = raw(random.choice(paths), bytes(data))
    assert code in ("OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"), (code, bytes(data))
before = registry()
assert "run" in before and "record" in before
assert raw(submit_path, b"\x0a\x05abc") == "INVALID_ARGUMENT"  # a string that is cut short
assert raw(submit_path, b"\x0a\x01a\x12\x02\xff\xfe") == "INVALID_ARGUMENT"  # no UTF-8
# Strings with a NUL, which C would end there: in the message, in one within, in a list, behind the same field once more.
for path, data in ((submit_path, b"\x0a\x03a\x00b"), (submit_path, b"\x0a\x01\x00\x0a\x01a"),
                   (paths[0], message("RegisterRequest")(key="n", run="good", ranks=1, hosts=["a", "b\0"]).SerializeToString()),
                   (paths[1], message("ReportRequest")(job=job, metrics=[dict(sequence=1, phase="p", values=[dict(name="l\0ss", value=1)])]).SerializeToString())):
    assert raw(path, data) == "INVALID_ARGUMENT", (path, data)
refused("INVALID_ARGUMENT", client.Status, run="good\0")
refused("INVALID_ARGUMENT", client.Watch, run="good\0", sequence=1)
# Fields that nobody knows yet, strings among them, are passed over; so are values in another than the shortest form.
status_path, unknown = "/annulus.v1.Operator/Status", b"\xa2\x06\x03a\x00b\xa8\x06\x80\x00\xad\x06abcd\xb1\x06abcdefgh"
assert raw(status_path, unknown + b"\x0a\x84\x00good") == "OK"
call = client.channel.unary_stream("/annulus.v1.Operator/Watch", request_serializer=lambda b: b, response_deserializer=lambda b: b)
try:
    next(call(b"\x0a\x05abc", timeout=20, metadata=client.metadata))
    raise AssertionError("was accepted")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error

# ---- oversized ----
assert raw(submit_path, message("SubmitRequest")(run="big", run_file="x" * (5 << 20)).SerializeToString()) == "RESOURCE_EXHAUSTED"
refused("INVALID_ARGUMENT", client.Leave, job=job, text="x" * 5000)
refused("INVALID_ARGUMENT", client.RegisterJob, key="many", run="many", ranks=1, phases=[dict(name=f"p{i}") for i in range(1001)])

# ---- unknown methods ----
for path in ("/annulus.v1.Operator/Destroy", "/annulus.v2.Operator/List", "/", "/x"):
    assert raw(path, b"") == "UNIMPLEMENTED", path

# A stream of reports whose second message is malformed: the first is answered, and the stream ends.
call = client.channel.stream_stream(paths[1], request_serializer=lambda b: b, response_deserializer=lambda b: b)
answers, good = [], message("ReportRequest")(job=job).SerializeToString()
try:
    for answer in call(iter([good, b"\x0a\x05abc", good]), timeout=20, metadata=client.metadata):
        answers.append(answer)
    raise AssertionError("was accepted")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and len(answers) == 1, (error, answers)

time.sleep(1)  # ten lines of the log are written in a second
assert raw(submit_path, b"\x0a\x05abc") == "INVALID_ARGUMENT"
refused("INVALID_ARGUMENT", client.Watch, run="no name", sequence=1)

# ---- without a token, with a wrong one, with a strange one ----
time.sleep(1)
entries = client.Log(limit=1000).entries
assert any(e.action == submit_path and "malformed" in e.text and e.result == "refused" for e in entries), entries[-20:]
assert any(e.action == "/annulus.v1.Operator/Watch" and "the name of a run" in e.text and e.result == "refused" for e in entries), entries[-20:]
known = len(entries)
for metadata in ([], [("authorization", "Bearer " + "0" * 64)], [("authorization", "Basic " + token())],
                 [("authorization", token())], [("authorization", "Bearer " + token() + "0")], [("authorization", "Bearer ")]):
    for path in (list_path, submit_path, "/x"):
        assert raw(path, message("SubmitRequest")(run="mine").SerializeToString(), metadata) == "UNAUTHENTICATED", (path, metadata)
assert raw(list_path, b"", [("authorization", "Bearer " + "a" * 100000)], Client(address, options=[("x", 1)]).channel) != "OK"
time.sleep(0.2)
entries = client.Log().entries[known:]
assert entries and all(e.result == "refused" and e.author.startswith("ip") for e in entries), entries

# ---- names ----
for name in ("", "../../etc/passwd", "a/b", "a'; DROP TABLE run; --", "a\nb", "a b", "-a", ".a", "x" * 129, "é", "%s%n"):
    refused("INVALID_ARGUMENT", client.Submit, run=name)
    refused("INVALID_ARGUMENT", client.Status, run=name)
    refused("INVALID_ARGUMENT", client.Watch, run=name, sequence=1)
    refused("INVALID_ARGUMENT", client.RegisterJob, key="k" + str(len(name)), run=name, ranks=1)
    refused("INVALID_ARGUMENT", client.Control, run=name, kind="STOP")
refused("INVALID_ARGUMENT", client.RegisterJob, key="a b", run="good", ranks=1)
refused("INVALID_ARGUMENT", client.RegisterJob, key="a", run="good", ranks=0)
refused("INVALID_ARGUMENT", client.RegisterJob, key="a", run="good", ranks=1, hosts=["a\x1b[2J"])
refused("INVALID_ARGUMENT", client.RegisterJob, key="a", run="good", ranks=1, phases=[dict(name="a", after=["b"]), dict(name="b")])
refused("INVALID_ARGUMENT", client.RegisterJob, key="a", run="good", ranks=1, phases=[dict(name="a"), dict(name="a")])
refused("INVALID_ARGUMENT", client.Control, run="good", kind="SET_LR_FACTOR", value=float("nan"))
refused("INVALID_ARGUMENT", client.Control, run="good", kind="STOP", step=-2)
refused("INVALID_ARGUMENT", client.Control, run="good")
refused("NOT_FOUND", client.Control, run="nobody", kind="PAUSE")
refused("NOT_FOUND", client.Heartbeat, job=10**15)
refused("NOT_FOUND", client.Watch, run="nobody", sequence=1)
refused("INVALID_ARGUMENT", client.Watch, run="good", sequence=2**64 - 1)

assert registry() == before

# ---- many connections that say nothing ----
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
few = memory_mib()
idle = [socket.create_connection((host, int(port)), timeout=20) for _ in range(min(10000, hard - 200))]
begin = time.monotonic()
assert [r.name for r in client.List().runs] == ["good"], client.List()
print(f"with {len(idle)} connections that say nothing the coordinator answers in {time.monotonic() - begin:.3f} s and has "
      f"{memory_mib():.0f} MiB, {few:.0f} before")
for s in idle:
    s.close()
assert registry() == before

# ---- a reader that does not read: nobody waits for it, and it is told where to go on ----
options = [("grpc.max_receive_message_length", -1), ("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0)]
slow, quick = Client(address, token("observe"), options=options), Client(address, token("observe"))
lazy, eager = slow.Watch(run="good", sequence=1, timeout=60), quick.Watch(run="good", sequence=1, timeout=60)
first = next(lazy).records[-1].sequence
seen = next(eager).records[-1].sequence
taken = client.Report(job=job).sequence
last = client.Status(run="good").sequence
text = "m" * 120
values = [dict(name=f"{text}{i}", value=i) for i in range(8)]
for batch in range(40):
    metrics = [dict(sequence=taken + 1 + i, phase="p", step=i, values=values) for i in range(500)]
    taken = client.Report(job=job, metrics=metrics).sequence
    while seen < last + 500 * (batch + 1):  # the other reader has all of it at once
        for record in next(eager).records:
            assert record.sequence == seen + 1
            seen += 1
try:
    expected = first + 1
    for reply in lazy:
        for record in reply.records:
            assert record.sequence == expected, (record.sequence, expected)
            expected += 1
    raise AssertionError("the slow reader was not cut off")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.ABORTED, error
    assert f"from sequence {expected}" in error.details(), (error.details(), expected)
again = 0
for reply in slow.Watch(run="good", sequence=expected, timeout=60):
    again += len(reply.records)
    if expected + again > seen:
        break
assert expected + again == seen + 1
print("good")
