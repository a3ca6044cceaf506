#!/bin/bash
# The coordinator starts, says where it is, keeps others off its state and its port, and ends cleanly; annulus ctl from outside.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
run 2 "$ANNULUS" coordinator --plain --state state --listen 0.0.0.0:0
has err 'loopback'
run 2 "$ANNULUS" coordinator --plain --state state --listen 127.0.0.1.example.org:0
has err 'loopback'
run 2 "$ANNULUS" coordinator --plain --state state --listen nonsense
run 2 "$ANNULUS" coordinator --plain --state state extra
run 2 "$ANNULUS" coordinator --plain --state state --keep-days -1
run 2 "$ANNULUS" coordinator --plain --days 3
run 0 "$ANNULUS" coordinator --help
run 0 "$ANNULUS" ctl --help

start_server --plain
has server.out "listens on $address"
for file in token-control token-observe registry.db; do
    [ "$(stat -c %a "state/$file")" = 600 ] || complain "$file may be read by others"
done
run 2 "$ANNULUS" coordinator --plain --state state
has err 'another coordinator'
run 2 "$ANNULUS" coordinator --plain --state second --listen "$address"
has err 'in use'

echo 'phases: []' >a.yaml
ctl 0 submit a.yaml --plain
has out 'known now'
ctl 0 submit a.yaml --plain
has out 'known already'
echo 'phases: [b]' >a.yaml
ctl 2 submit a.yaml --plain
ctl 0 submit a.yaml --plain --name b
ctl 4 submit nothing.yaml --plain
ctl 0 list --plain
has out SUBMITTED 2
ctl 0 set a lr_factor=0.5 --plain
ctl 1 set a lr_factor=-1 --plain
ctl 2 set a colour=red --plain
ctl 0 checkpoint a --plain
ctl 1 pause a --plain --phase '../x'
ctl 2 pause a --plain --phase x
ctl 0 stop a --plain --after 5
ctl 0 status a --plain
has out STOPPED
has out 'SET_LR_FACTOR, step -1, value 0.5'
ctl 0 resume a --plain
ctl 4 status nobody --plain
ctl 1 status '../a' --plain
ctl 2 frobnicate --plain
ctl 2 list more --plain
ctl 0 log --plain
has out 'somebody by token (control)'
ctl 0 log a --plain --json
has out '"action": "STOP"' 1
run 4 "$ANNULUS" ctl list --state nowhere --plain
ctl 0 list --plain --client observe
ctl 2 pause a --plain --client observe
ctl 0 log --plain
has out refused

# A watcher is told when the coordinator ends, and the next coordinator knows all.
"$ANNULUS" ctl watch a --plain --state state --timeout 1 >watched 2>&1 </dev/null &
watcher=$!
for ((i = 0; i < 100; i++)); do grep -q stopped watched && break; sleep 0.05; done
stop_server TERM 0
[ ! -e state/address ] || complain "the address stays"
code=0
wait $watcher || code=$?
[ $code = 7 ] || complain "the watcher ended with $code"
has watched submitted 1
ctl 4 list --plain
start_server --plain
ctl 0 list --plain
has out SUBMITTED 2
stop_server INT 0
exit $bad
