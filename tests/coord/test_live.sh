#!/bin/bash
# annulus ctl watch on a terminal: progress, loss, ranks and events, nothing of somebody else's control characters; then the screen is
# given back. On a pipe it prints lines.
. "$ANNULUS_SOURCE/tests/coord/coord.bash"
command -v script >/dev/null || { echo "skipped: script (bsdutils) is not installed"; exit 77; }
start_server --plain
cat >watch <<END
#!/bin/bash
exec timeout 60 "$ANNULUS" ctl watch live --plain --state state
END
chmod +x watch
foreign live.py "$address"
has foreign.out good
grep -q "$(printf '\e\[?1049h')" screen || complain "no picture was drawn"
grep -q "$(printf '\e\[?1049l')" screen || complain "the screen was not given back"
for text in 'run live' '████' '50/100' 'loss, last 40 reports' 'rank 3' '250 ms behind' 'lucky?[31m' 'DONE'; do has screen "$text"; done
! grep -q "$(printf 'lucky\e')" screen || complain "a job can write to the terminal"
run 0 ./watch
has out 'step 39'
has out run_done
! grep -q "$(printf '\e')" out || complain "there is a control character in plain lines"
stop_server TERM 0
exit $bad
