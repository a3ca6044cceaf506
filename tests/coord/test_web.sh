#!/bin/bash
# The coordinator's web page from outside: pages, JSON, methods, hostile requests, slow clients, many connections; none of it
# changes the registry.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
. "$ANNULUS_SOURCE/tests/coord/web.bash"
start_web
timeout -k 5 200 python3 "$ANNULUS_SOURCE/tests/coord/web.py" "$web" state/registry.db 9000 "$server" || complain "web.py has failed"
grep -vE 'coordinator|web page' server.err && complain "unexpected lines in the log"

# What the writer commits is seen at once by the page's own connection.
ctl 0 pause fashion --plain
python3 - "$web" <<'END' || complain "a request is not seen"
import json, sys, urllib.request
run = json.load(urllib.request.urlopen(sys.argv[1] + "api/runs/fashion"))
sys.exit([c["kind"] for c in run["pending"]] != ["checkpoint", "set_lr_factor", "pause"])
END
stop_server TERM 0

# Addresses that are none, and one that is taken.
for listen in 127.0.0.1 :1 host: 127.0.0.1:65536 127.0.0.1:x '[::1' 192.0.2.1:0; do
    run 2 "$ANNULUS" coordinator --state state --plain --http "$listen"
    has err 'web page'
done
run 2 "$ANNULUS" coordinator --state state --plain --http 127.0.0.1:
has err '[HOST:]PORT'
exit $bad
