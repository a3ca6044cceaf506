#!/bin/bash
# A python3-grpcio client submits, works on, watches and stops a run; the coordinator is killed with SIGKILL in the middle and
# started again at the same address.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
start_server --plain
disown "$server"
cat >restart <<END
#!/bin/bash
kill -KILL $server
while kill -0 $server 2>/dev/null; do sleep 0.02; done
rm -f state/address
"$ANNULUS" coordinator --plain --state state --listen $address >server.out 2>>server.err </dev/null &
echo \$! >restarted
for ((i = 0; i < 200; i++)); do [ -s state/address ] && exit 0; sleep 0.05; done
exit 1
END
chmod +x restart
foreign job.py "$address"
server=$(cat restarted)
ctl 0 status graph --plain
has out DONE
ctl 0 log graph --plain
has out STOP
ctl 0 list --plain --json
has out '"name": "graph"'
# It is no child of this shell: its end is seen by its lock.
kill -TERM "$server"
flock -w 20 state/lock true || complain "the coordinator does not end"
server=
exit $bad
