# For the tables in the folders beside it, which source it with their usage text in $usage: options, and jobs that train the
# phases of several runs. What an earlier table has finished is not done again.

fail() { # CODE LINE...
    local code=$1
    shift
    printf 'table: %s\n' "$@" >&2
    exit "$code"
}

# table_begin ARGUMENT...: sets $seeds, $jobs, $output (defaults are what they are set to before) and what is left,
# $arguments; goes to the root of the sources. $annulus: the program.
table_begin() {
    arguments=()
    while [ $# -gt 0 ]; do
        case $1 in
        --help) echo "$usage"; exit 0 ;;
        --seeds | --jobs)
            [[ ${2:-} =~ ^[1-9][0-9]{0,2}$ ]] || fail 2 "$1: accepted is a number from 1 to 999, not '${2:-}'"
            [ "$1" = --seeds ] && seeds=$2 || jobs=$2
            shift 2 ;;
        --output)
            [ -n "${2:-}" ] || fail 2 "--output: the folder is missing"
            output=$(realpath -m "$2")
            shift 2 ;;
        -*) fail 2 "no option '$1'; --help lists them" ;;
        *) arguments+=("$(realpath -m "$1")"); shift ;;
        esac
    done
    cd "$(dirname "${BASH_SOURCE[0]}")/../.."
    . launch/env.sh
    annulus=${ANNULUS:-build/annulus}
    [ -x "$annulus" ] || fail 1 "$annulus does not exist: launch/quickstart builds it"
    mkdir -p "$output"
}

# train NAME ARGUMENT...: one run, into $output/NAME, with one thread.
train() {
    "$annulus" run --resume --threads 1 --no-coordinator --set "output=$output/$1" "${@:2}" &
    wait $!
}

job() {
    trap 'kill $!' TERM
    each_run
}

# Jobs share the phases of a run among them, and go on to the next one when all are done; `each_run` calls train for each.
# SIGTERM ends the phases in work after a checkpoint.
table_train() {
    echo "table: $jobs jobs; what they do is in $output/job*.log" >&2
    workers=()
    trap 'kill "${workers[@]}" 2>/dev/null || true' EXIT
    for ((i = 1; i <= jobs; i++)); do
        job >"$output/job$i.log" 2>&1 &
        workers+=($!)
    done
    for ((i = 1; i <= jobs; i++)); do
        wait "${workers[i - 1]}" || fail 1 "job $i has failed:" "$(tail -n 3 "$output/job$i.log")"
    done
}

# Functions for awk: add(KEY, X), mean(KEY), and shown(KEY, WIDTH, DIGITS), "mean +- standard deviation" or what there is.
table_statistics='
    function add(key, x) { count[key]++; sum[key] += x; square[key] += x * x }
    function mean(key) { return sum[key] / count[key] }
    function shown(key, width, digits,    m, v) {
        if (!count[key]) return sprintf("%*s", width, "-")
        m = mean(key)
        if (count[key] == 1) return sprintf("%*.*f", width, digits, m)
        v = (square[key] - count[key] * m * m) / (count[key] - 1)
        return sprintf("%*.*f +- %*.*f", width - digits - 6, digits, m, digits + 2, digits, v > 0 ? sqrt(v) : 0)
    }'
