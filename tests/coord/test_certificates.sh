#!/bin/bash
# Mutual TLS: roles in certificates, another authority, expired and missing certificates, a token over TLS, plain text to TLS.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
run 2 "$ANNULUS" coordinator --state state --listen localhost:0
has err 'annulus coordinator init'
run 0 "$ANNULUS" coordinator init --state state --host coordinator.example --host 192.0.2.7
run 1 "$ANNULUS" coordinator init --state state # never over what is there
run 0 "$ANNULUS" coordinator init --state state --client alice --role control
run 0 "$ANNULUS" coordinator init --state state --client late --role control --days 0
run 1 "$ANNULUS" coordinator init --state state --client ../mallory
run 1 "$ANNULUS" coordinator init --state other --host 'bad name,IP:1.2.3.4'
run 0 "$ANNULUS" coordinator init --state other
for key in ca server control observe alice; do
    [ "$(stat -c %a "state/$key.key")" = 600 ] || complain "$key.key may be read by others"
done
[ "$(stat -c %a state)" = 700 ] || complain "the state may be read by others"

start_server
echo 'phases: []' >run.yaml
ctl 0 submit run.yaml
ctl 0 list
has out SUBMITTED
ctl 0 stop run --client alice
ctl 0 list --client observe
ctl 2 pause run --client observe
has err 'role control'
ctl 0 log
has out 'alice (control)'
has out 'observe (observe)'
has out refused

# Those who are not who they say.
ctl 7 list --client late --timeout 2
mkdir strangers
cp state/ca.crt state/address strangers
cp other/control.crt other/control.key strangers
run 7 "$ANNULUS" ctl list --state strangers --timeout 2
run 7 "$ANNULUS" ctl list --state other --address "$address" --timeout 2 # does not trust the server
ctl 4 list --plain                                                      # there is no token
mkdir empty
cp state/ca.crt empty
run 4 "$ANNULUS" ctl list --state empty --address "$address"

# A token over TLS.
stop_server TERM 0
head -c 32 /dev/zero | od -v -An -tx1 | tr -d ' \n' >state/token-observe
cp state/ca.crt state/token-observe empty
chmod 644 state/token-observe
run 2 "$ANNULUS" coordinator --state state
has err 'by others'
chmod 600 state/token-observe empty/token-observe
start_server
run 0 "$ANNULUS" ctl list --state empty --address "$address"
run 2 "$ANNULUS" ctl pause run --state empty --address "$address"
foreign certificates.py "$address"
stop_server TERM 0
exit $bad
