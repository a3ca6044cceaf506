# For the tests of the coordinator, which source it: a folder of their own, servers that are ended with the test, checks of
# exit codes and of output. At the end of a test: exit $bad.
set -u
[ -n "${ANNULUS:-}" ] && [ -x "$ANNULUS" ] || { echo "skipped: the program annulus was not built"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/annulus-coord-XXXXXX")
trap finish EXIT
cd "$dir" || exit 1
bad=0 server=

finish() {
    [ -z "$server" ] || { kill -KILL "$server" 2>/dev/null; wait "$server" 2>/dev/null; }
    rm -rf "$dir"
}
complain() { echo "$*"; bad=1; }

# start_server ARGUMENT...: annulus coordinator --state ./state ARGUMENT...; its process id in $server, its address in $address
start_server() {
    local tries
    rm -f state/address
    "$ANNULUS" coordinator --state state "$@" >server.out 2>>server.err </dev/null &
    server=$!
    for ((tries = 0; tries < 300; tries++)); do
        [ ! -s state/address ] || break
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    address=$(cat state/address 2>/dev/null) && return
    echo "the coordinator did not start: $(cat server.out server.err)"
    exit 1
}
# stop_server SIGNAL CODE: ends it, and compares its exit code
stop_server() {
    local code=0
    kill "-$1" "$server"
    wait "$server" 2>/dev/null || code=$?
    server=
    [ "$code" = "$2" ] || complain "the coordinator ended with $code, not $2: $(cat server.err)"
}
# run CODE COMMAND...: runs it (at most a minute) and compares the exit code; output in ./out and ./err
run() {
    local want=$1 code=0
    shift
    timeout -k 5 60 "$@" >out 2>err </dev/null || code=$?
    [ $code = "$want" ] && return
    complain "exit code $code, not $want: $*"
    sed 's/^/    /' out err
}
# ctl CODE ARGUMENT...: annulus ctl, on ./state
ctl() { run "$1" "$ANNULUS" ctl --state state "${@:2}"; }
# has FILE TEXT [COUNT]: COUNT lines (default: at least one) of the file contain the text
has() {
    local n
    n=$(grep -cF -- "$2" "$1")
    if [ "${3:-}" ]; then [ "$n" = "$3" ]; else [ "$n" -gt 0 ]; fi && return
    complain "$1 has $n lines with: $2"
    sed 's/^/    /' "$1"
}
# await COMMAND...: until it succeeds, for 20 s
await() { for _ in {1..400}; do "$@" >/dev/null 2>&1 && return; sleep 0.05; done; complain "never: $*"; }
# make_run NAME: ./data.h5, and ./run.yaml with a run whose output is ./alone.dir; its phases come from standard input
make_run() {
    "$ANNULUS_BUILD/tests/make_dataset" good data.h5 200 || exit 1
    cat - /dev/fd/3 >run.yaml 3<&0 <<YAML
name: $1
output: alone.dir
data: {path: data.h5}
log: {every_steps: 20}
models:
  encoder: [flatten: {}, dense: {name: fc1, units: 256, activation: relu}]
  head: [dense: {name: out, units: 2}]
  decoder: [dense: {name: out, units: 64}]
phases:
YAML
}
# foreign SCRIPT ARGUMENT...: a Python client, with the messages of annulus.proto; ends the test with 77 where it cannot run
foreign() {
    local python=/usr/bin/python3
    "$python" -c 'import grpc, google.protobuf' 2>/dev/null || { echo "skipped: python3-grpcio is not installed"; exit 77; }
    command -v protoc-c >/dev/null || { echo "skipped: protoc-c is not installed"; exit 77; }
    [ -f messages.ds ] || protoc-c --proto_path="$ANNULUS_SOURCE/src" --descriptor_set_out=messages.ds coord/annulus.proto || exit 1
    timeout -k 5 120 "$python" "$ANNULUS_SOURCE/tests/coord/$1" "${@:2}" </dev/null >foreign.out 2>&1 && return
    complain "$1 has failed: $(cat foreign.out)"
}
