# For the tests of the program from outside, which source it: a folder of their own to work in, removed at the end, and checks
# of exit codes and of output. At the end of a test: exit $bad.
set -u
[ -n "${ANNULUS:-}" ] && [ -x "$ANNULUS" ] || { echo "skipped: the program annulus was not built"; exit 77; }
command -v perl >/dev/null || { echo "skipped: perl makes the test's images"; exit 77; }
. "$ANNULUS_SOURCE/launch/env.sh"
# MPI libraries leave memory to the end of the process.
mpirun=(env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0" "${MPIRUN:-mpirun}")
dir=$(mktemp -d "${TMPDIR:-/tmp}/annulus-cli-XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
bad=0

# run CODE COMMAND...: runs it (at most a minute) and compares the exit code; output in ./out and ./err
run() {
    local want=$1 code=0
    shift
    timeout -k 5 60 "$@" >out 2>err || code=$?
    [ $code = "$want" ] && return
    echo "exit code $code, not $want: $*"
    sed 's/^/    /' out err
    bad=1
}
# has FILE TEXT [COUNT]: COUNT lines (default: at least one) of the file contain the text
has() {
    local n
    n=$(grep -cF -- "$2" "$1")
    if [ "${3:-}" ]; then [ "$n" = "$3" ]; else [ "$n" -gt 0 ]; fi && return
    echo "$n lines with: $2"
    sed 's/^/    /' out err
    bad=1
}
