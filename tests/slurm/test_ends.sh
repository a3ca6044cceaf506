#!/bin/bash
# timeout: 120
# A private Slurm ends with its test, however that ends; two of them may run at the same time.
set -u
here=$ANNULUS_SOURCE/tests/slurm
work=$(mktemp -d "${TMPDIR:-/tmp}/annulus-ends-XXXXXX")
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
bad=0 pids=()
timeout 60 bash "$here/with_cluster.sh" true >"$work/first" 2>&1
code=$?
[ $code != 77 ] || { cat "$work/first"; exit 77; }
[ $code = 0 ] || { cat "$work/first"; exit 1; }

# Processes whose environment names a cluster's folder below ours.
left() {
    local process
    for process in /proc/[0-9]*; do
        [ "$process" != /proc/$$ ] && [ "$process" != "/proc/$BASHPID" ] || continue
        grep -qazF "$work/annulus-slurm-" "$process/environ" 2>/dev/null && echo "${process#/proc/}"
    done
}
for signal in TERM KILL; do
    for name in a b; do
        bash "$here/with_cluster.sh" bash -c 'srun sleep 60 & sleep 2; touch "$1"; wait' - "$work/$name.up" >"$work/$name.log" 2>&1 &
        pids[${#pids[@]}]=$!
    done
    for _ in {1..300}; do [ -e "$work/a.up" ] && [ -e "$work/b.up" ] && break; sleep 0.1; done
    [ -e "$work/a.up" ] && [ -e "$work/b.up" ] || { echo "two at a time do not come up"; cat "$work"/*.log; bad=1; }
    [ "$(left | wc -l)" -ge 10 ] || { echo "the check does not see the processes"; cat "$work"/*.log; bad=1; }
    kill -$signal "${pids[@]}"
    wait "${pids[@]}" 2>/dev/null
    for _ in {1..50}; do [ -n "$(left)" ] || break; sleep 0.1; done
    [ -z "$(left)" ] || { echo "left after SIG$signal: $(ps -o pid,args -p "$(left | paste -sd ,)")"; bad=1; }
    rm -f "$work"/*.up
    pids=()
done
exit $bad
