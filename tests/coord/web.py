"""web.py URL REGISTRY LONG PID: asks the web page, of the process PID, for what it must and must not answer; the run "long" has
LONG metrics."""
import http.client
import json
import os
import random
import socket
import sqlite3
import sys
import threading
import time
import urllib.parse

url, registry, long_metrics, server = urllib.parse.urlparse(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
host, port = url.hostname, url.port
failures = []


def check(good, text):
    if not good:
        failures.append(text)
        print("failed:", text, flush=True)


def ask(path, method="GET", headers=None, source=None):
    """One request on a connection of its own: status, headers, body."""
    connection = http.client.HTTPConnection(host, port, timeout=20, source_address=source)
    connection.putrequest(method, path, skip_host="Host" in (headers or {}))
    for name, value in (headers or {}).items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def load(path):
    status, headers, body = ask(path)
    check(status == 200, f"{path}: {status} {body[:200]}")
    check(headers["Content-Type"] == "application/json" and headers["Cache-Control"] == "no-store", f"{path}: headers")
    check(not any(c in body for c in b"<>&'"), f"{path}: what HTML would read as markup")
    return json.loads(body)


def raw(data, wait=1):
    """Sends bytes; what comes back within that many seconds, b"" if the connection was cut."""
    answer = b""
    try:
        with socket.create_connection((host, port), timeout=20) as s:
            s.sendall(data)
            s.settimeout(wait)
            while chunk := s.recv(65536):
                answer += chunk
    except OSError:
        pass  # cut, or nothing more is to come
    return answer


def dump():
    with sqlite3.connect(f"file:{registry}?mode=ro", uri=True) as db:
        return "\n".join(db.iterdump())


def pages():
    for path, kind, text in (("/", "text/html", b"<title>Annulus</title>"), ("/app.js", "text/javascript", b"textContent"),
                             ("/app.css", "text/css", b":root"), ("/icon.svg", "image/svg+xml", b"<svg")):
        status, headers, body = ask(path)
        check(status == 200 and headers["Content-Type"].startswith(kind) and text in body, f"{path}: {status} {headers}")
        check(headers["Content-Security-Policy"].startswith("default-src 'none'"), f"{path}: no policy")
        check("unsafe" not in headers["Content-Security-Policy"], f"{path}: an unsafe policy")
        check(headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer", f"{path}: headers")
        check(b"innerHTML" not in body and b"document.write" not in body and b"eval(" not in body, f"{path}: markup is made of text")
        for word in (b"http://", b"https://"):
            check(body.count(word) == body.count(b"http://www.w3.org/2000/svg") * (word == b"http://"), f"{path}: external resources")
        head, head_headers, nothing = ask(path, "HEAD")
        check(head == 200 and nothing == b"" and head_headers["Content-Length"] == str(len(body)), f"HEAD {path}: {head}")
    check(ask("/api/runs", "HEAD")[0] == 200, "HEAD /api/runs")


def contents():
    runs = load("/api/runs")
    check({r["name"]: r["state"] for r in runs["runs"]} == {"fashion": "active", "long": "active", "wordy": "active", "waiting": "submitted"}, f"{runs}")
    run = load("/api/runs/fashion")
    check([(p["name"], p["state"], p["after"]) for p in run["phases"]] == [
        ("pretrain", "done", []), ("transfer", "active", ["pretrain"]), ("adapt/usps", "pending", ["pretrain"]),
        ("evaluate", "pending", ["transfer", "adapt/usps"]), ("export", "pending", ["adapt/usps"])], f"{run['phases']}")
    check(run["phases"][1]["step"] == 4200 and run["phases"][1]["steps"] == 6000, "progress")
    check(run["phases"][0]["checkpoint"]["path"].startswith("runs/</script>"), "a checkpoint's path comes back as it was")
    check(abs(run["phases"][1]["metric"]["values"]["loss"] - 0.2298) < 1e-3, "the newest metric")
    check([r["lag_ms"] for r in run["jobs"][0]["rank_states"]] == [0, 12, 1840, 35], f"{run['jobs']}")
    check([(c["kind"], c["value"], c["author"]) for c in run["pending"]] == [
        ("checkpoint", 0, '<b>eve</b> & "co" (control)'), ("set_lr_factor", 0.5, '<b>eve</b> & "co" (control)')], f"{run['pending']}")
    records = load("/api/runs/fashion/records?from=1&most=2000")
    check([r["sequence"] for r in records["records"]] == list(range(1, run["sequence"] + 1)), "records without gaps")
    speeds = [r["metric"]["values"]["samples_per_s"] for r in records["records"] if "metric" in r]
    check(len(speeds) == 420 and speeds.count(None) == 9, f"{len(speeds)} speeds, {speeds.count(None)} not finite")
    check(sum("event" in r for r in records["records"]) == run["sequence"] - 420, "events")


def ranges():
    seen, following = [], 1
    while True:
        page = load(f"/api/runs/long/records?from={following}&most=999")
        check(len(page["records"]) <= 999, "more than asked for")
        seen += [r["sequence"] for r in page["records"]]
        if page["next"] > page["sequence"]:
            break
        check(page["next"] == following + 999, "where to go on")
        following = page["next"]
    check(seen == list(range(1, page["sequence"] + 1)) and len(seen) > long_metrics, "pages have all records")
    page = load("/api/runs/long/records?from=5&most=100&every=7")
    check([r["sequence"] for r in page["records"]] == list(range(5, 705, 7)) and page["next"] == 705, "every seventh record")
    page = load("/api/runs/long/records?from=1&most=2000&only=events")
    check(page["records"] and all("event" in r for r in page["records"]) and page["next"] == 8001, f"only events: {page['next']}")
    paths, following, sizes = 0, 1, []
    while following < load("/api/runs/wordy")["sequence"]:
        page = load(f"/api/runs/wordy/records?from={following}&most=2000")
        paths += sum(r.get("event", {}).get("checkpoint", {}).get("path") == "<" * 4000 for r in page["records"])
        sizes.append(sum(len(json.dumps(r).replace("<", "\\u003c")) for r in page["records"]))
        following = page["next"]
    check(paths == 400 and len(sizes) > 5 and max(sizes) < 1100000, f"long records: {paths}, in answers of {sizes} bytes")
    check(load(f"/api/runs/long/records?from={seen[-1] + 1}")["records"] == [], "records that are not there yet")
    check(load("/api/runs/waiting/records")["sequence"] >= 0, "a run without metrics")


def refusals():
    for path in ("/", "/app.js", "/api/runs", "/api/runs/fashion", "/api/runs/fashion/records", "/api/runs/none"):
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "PROPFIND"):
            status, headers, _ = ask(path, method)
            check(status == 405 and headers["Allow"] == "GET, HEAD", f"{method} {path}: {status}")
    for path in ("/registry.db", "/index.html/", "//", "/app.js/..", "/../registry.db", "/%2e%2e/registry.db", "/api", "/api/",
                 "/api/run", "/api/runs/none", "/api/runs/none/records", "/api/runs/fashion/", "/api/runs/fashion/x",
                 "/api/runs/fashion/records/", "/state/token-control"):
        status = ask(path)[0]
        check(status == 404, f"{path}: {status}")
        check(ask(path, "POST")[0] in (404, 405), f"POST {path}")
    for name in ("", ".", "..", "-x", "a%00b", "%3Cscript%3E", "a%20b", "fashion%27--", "'%20OR%201=1--", "x" * 129, "x" * 5000, "a\\b",
                 "\xe9", "*", "fashion;"):
        for end in ("", "/records"):
            status, headers, body = ask(f"/api/runs/{urllib.parse.quote(name, safe=chr(37) + chr(92) + chr(39) + '*;=<>')}{end}")
            check(status == 400 and headers["Content-Type"].startswith("text/plain"), f"name {name[:20]!r}{end}: {status}")
    for query in ("from=0", "from=-1", "from=x", "from=1.5", "from=", "from=99999999999999999999", "most=0", "most=2001",
                  "most=1e3", "every=0", "every=-3", "only=", "only=metrics", "from=1%20OR%201"):
        status = ask(f"/api/runs/fashion/records?{query}")[0]
        check(status == 400, f"{query}: {status}")
    check(load("/api/runs/fashion/records?most=3&unknown=1&from=2")["records"][0]["sequence"] == 2, "what is unknown is left alone")


def hosts():
    for good in (f"localhost:{port}", "localhost", "127.0.0.1", "127.9.9.9:1", "[::1]:80"):
        check(ask("/api/runs", headers={"Host": good})[0] == 200, f"Host {good}")
    for wrong in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::2]", "x" * 300,
                  "localhost@evil.example", "10.0.0.1"):
        for path in ("/", "/api/runs"):
            status, _, body = ask(path, headers={"Host": wrong})
            check(status == 403 and b"fashion" not in body, f"Host {wrong[:30]!r}: {status}")
    check(raw(b"GET /api/runs HTTP/1.0\r\n\r\n").split()[1] == b"403", "HTTP/1.0 without Host")


def malformed():
    start = f"GET /api/runs HTTP/1.1\r\nHost: localhost\r\n".encode()
    for data in (start + b"X: " + b"a" * 200000 + b"\r\n\r\n", b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 start + b"".join(b"X%d: y\r\n" % i for i in range(5000)) + b"\r\n", start + b"Content-Length: 1000000000\r\n\r\nx",
                 start + b"Content-Length: -1\r\n\r\n", start + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                 b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100000,
                 b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 5000, b"GET\r\n\r\n",
                 start + b"\0\xff: \x80\r\n\r\n", b"GET /api/runs\0/x HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        answer = raw(data)
        refused = answer[:10] in (b"HTTP/1.1 4", b"HTTP/1.0 4") or answer.startswith(b"HTTP/1.1 505")
        check(not answer or refused or b"\0" in data, f"{data[:60]!r}: {answer[:80]!r}")
    draw = random.Random(5)
    for _ in range(200):
        answer = raw(draw.randbytes(draw.randrange(1, 3000)), 0.01)
        check(b" 200 " not in answer[:40], f"random bytes: {answer[:80]!r}")
    check(ask("/")[0] == 200, "after malformed requests")


def open_files():
    return len(os.listdir(f"/proc/{server}/fd"))


def misbehave(how, ready, over):
    """A client that never ends by itself."""
    with socket.create_connection((host, port), timeout=20, source_address=("127.0.0.3", 0)) as s:
        s.settimeout(1)
        if how == "slow reader":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(40 * b"GET /api/runs/long/records?most=2000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        ready.wait()
        while not over.wait(1):
            try:
                if how == "trickle":
                    s.sendall(b"G")
                if how == "slow reader":
                    s.recv(256)
            except OSError:
                pass  # cut


def slow_and_many():
    base, ready, over, held = open_files(), threading.Barrier(4), threading.Event(), []
    threads = [threading.Thread(target=misbehave, args=(how, ready, over)) for how in ("silent", "trickle", "slow reader")]
    for t in threads:
        t.start()
    ready.wait(60)
    for _ in range(200):
        held.append(socket.create_connection((host, port), timeout=20))
    status = ask("/api/runs", source=("127.0.0.2", 0))[0]
    check(status == 200, f"while one address holds 200 connections, another gets {status}")
    check(open_files() <= base + 64, f"{open_files() - base} connections are open")
    for s in held:
        s.close()
    deadline = time.monotonic() + 120
    while open_files() > base and time.monotonic() < deadline:
        time.sleep(0.5)
    check(open_files() <= base, f"{open_files() - base} slow clients have not been cut")
    check(ask("/api/runs")[0] == 200, "no answer after all that")
    over.set()
    for t in threads:
        t.join()


before = dump()
for part in (pages, contents, ranges, refusals, hosts, malformed, slow_and_many):
    began = time.monotonic()
    part()
    print(f"{part.__name__} done in {time.monotonic() - began:.1f} s", flush=True)
check(dump() == before, "the registry has changed")
sys.exit(bool(failures))
