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
# data CODE ARGUMENT...: annulus data ARGUMENT..., as run does
data() { run "$1" "$ANNULUS" data "${@:2}"; }
# make_images [SIDE CLASSES TRAIN]: images in ./idx, 200 + 40 of 8 x 8 in 2 classes; even classes are dark, odd ones bright
make_images() {
    local split
    mkdir idx
    for split in train:${3:-200} t10k:40; do
        perl -e '
            my ($split, $side, $classes) = @ARGV;
            my ($name, $n) = split /:/, $split;
            srand(1);
            open(my $x, ">:raw", "idx/$name-images-idx3-ubyte") or die; open(my $y, ">:raw", "idx/$name-labels-idx1-ubyte") or die;
            print $x pack("N4", 0x803, $n, $side, $side); print $y pack("N2", 0x801, $n);
            for my $i (0 .. $n - 1) { print $x pack("C*", map { int(rand(100)) + 120 * ($i % 2) } 1 .. $side ** 2); print $y pack("C", $i % $classes); }
        ' $split ${1:-8} ${2:-2} || exit 1
    done
}
