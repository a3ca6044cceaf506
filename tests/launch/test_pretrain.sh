#!/bin/bash
# launch/runs/pretrain: the run file is right for data of Fashion-MNIST's shape; the table's usage errors, and its
# numbers, from a stand-in for the program that writes known accuracies.
. "${BASH_SOURCE%/*}/cli.bash"
runs=$ANNULUS_SOURCE/launch/runs/pretrain

make_images 28 10 1000
data 0 import idx --name tiny idx tiny.h5
run 0 "$ANNULUS" train --check --set data.path=tiny.h5 "$runs/pretrain.yaml"
has out "good: 32 phases"

table() { run "$1" env DATA="$dir/tiny.h5" "$runs/table" "${@:2}"; }
table 0 --help
has out "usage: launch/runs/pretrain/table"
table 2 --seeds 0
has err "--seeds: accepted is a number from 1 to 999, not '0'"
table 2 --jobs
has err "--jobs: accepted is a number"
table 2 --output
has err "--output: the folder is missing"
table 2 --fast
has err "no option '--fast'"
table 2 fast
has err "no argument '$dir/fast'"
run 1 env DATA=none.h5 "$runs/table"
has err "none.h5 does not exist: launch/quickstart makes it"

# The accuracies of a phase rise with the seed by 0.02; basic has 0.05 more than the others, the probe of moco 0.1 less.
cat >stand-in <<'SH'
#!/bin/bash
for last; do true; done
[[ $* =~ output=([^ ]+).*seed=([0-9]+) ]] || exit 2
for phase in $(sed -n 's/^  - name: \([^ ]*\).*/\1/p' "$last"); do
    mkdir -p "${BASH_REMATCH[1]}/$phase"
    perl -e '
        my ($phase, $seed) = @ARGV;
        my $a = 0.5 + 0.02 * $seed + 0.05 * ($phase eq "basic");
        printf "{\"phase\":\"%s\",\"stage\":\"%s\",\"test_loss\":1,\"test_accuracy\":%g,\"lineage\":\"0x1\"}\n", $phase, @$_
            for ["probe", 0.1], ["probe", $a - 0.1 * ($phase eq "moco")], ["finetune", $a + 0.2];
    ' $phase "${BASH_REMATCH[2]}" >"${BASH_REMATCH[1]}/$phase/metrics.jsonl"
done
SH
chmod +x stand-in
ANNULUS=$dir/stand-in table 0 --output "$dir/out.dir" --jobs 1
has out "random.relu                 54.00 +- 2.00   74.00 +- 2.00" 1
has out "basic                       59.00 +- 2.00   79.00 +- 2.00   +5.00   +5.00" 1
has out "moco                        44.00 +- 2.00   74.00 +- 2.00  -10.00   +0.00" 1
has out "mean +- standard deviation of 3 seeds" 1
has out " +- " 20
ANNULUS=$dir/stand-in table 0 --output "$dir/out.dir" --jobs 1 --seeds 1
has out "basic                               57.00           77.00   +5.00   +5.00" 1
has out " +- " 0
printf '#!/bin/bash\necho "error: it is broken"; exit 6\n' >stand-in
ANNULUS=$dir/stand-in table 1 --output "$dir/failed.dir" --seeds 1
has err "error: it is broken"
# When the table is ended, so are its jobs, in order.
printf '#!/bin/bash\ntrap "touch ended; exit 75" TERM\ntouch begun\nsleep 30 & wait\n' | sed "2s|^|cd $dir; |" >stand-in
ANNULUS=$dir/stand-in DATA=$dir/tiny.h5 "$runs/table" --output "$dir/ended.dir" --jobs 1 2>/dev/null &
for ((i = 0; i < 100; i++)); do [ -e begun ] && break; sleep 0.1; done
kill $! && wait $!
for ((i = 0; i < 100; i++)); do [ -e ended ] && break; sleep 0.1; done
[ -e ended ] || { echo "a job went on without its table"; bad=1; }
exit $bad
