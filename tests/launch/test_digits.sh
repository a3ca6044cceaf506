#!/bin/bash
# launch/runs/digits: the run file is right for images of its size; the table's usage errors, and its numbers, from a
# stand-in for the program that writes known accuracies.
. "${BASH_SOURCE%/*}/cli.bash"
runs=$ANNULUS_SOURCE/launch/runs/digits

make_images 28 10
data 0 import idx --name tiny idx tiny.h5
run 0 "$ANNULUS" train --check --set "data.sources[0].path=tiny.h5" --set "data.sources[0].limit=100" \
    --set "data.sources[1].path=tiny.h5" --set "data.sources[1].limit=100" "$runs/digits.yaml"
has out "good: 24 phases"

table() { run "$1" "$runs/table" "${@:2}"; }
table 0 --help
has out "usage: launch/runs/digits/table"
table 2
has err "one folder of digits is wanted"
table 1 --output "$dir/none.dir" nowhere
has err "mnist was not imported:"
has err "nowhere/mnist10k-images-idx3-ubyte.gz"

# Accuracies rise with the seed by 0.02; dann has 0.1 more than the others, and the other direction 0.2 less. The evaluation before
# the last one was better by 0.01, which mutual information does not see.
cat >stand-in <<'SH'
#!/bin/bash
for last; do true; done
[ "$1" = data ] && { touch "$last"; exit; }
[[ $* =~ output=([^ ]+).*seed=([0-9]+) ]] || exit 2
for phase in $(sed -n 's/^  - name: \([^ ]*\).*/\1/p' "$last"); do
    mkdir -p "${BASH_REMATCH[1]}/$phase"
    perl -e '
        my ($phase, $seed, $output) = @ARGV;
        my $a = 0.5 + 0.02 * $seed + 0.1 * ($phase eq "dann") - 0.2 * ($output =~ m,/usps-mnist-,);
        printf "{\"phase\":\"%s\",\"stage\":\"stage1\",\"test_loss\":1,\"test_accuracy\":%g,\"lineage\":\"0x1\"}\n", $phase, $_
            for $a + 0.01, $a;
        printf "{\"event\":\"chosen\",\"phase\":\"%s\",\"last\":%g,\"im\":%g,\"oracle\":%g}\n", $phase, $a, $a, $a + 0.01
            if $phase ne "source";
    ' $phase "${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}" >"${BASH_REMATCH[1]}/$phase/metrics.jsonl"
done
SH
chmod +x stand-in
ANNULUS=$dir/stand-in table 0 --output "$dir/out.dir" --seeds 3 idx
has out "source           54.0 +- 2.0             -             -    34.0 +- 2.0             -             -" 1
has out "dann             64.0 +- 2.0   64.0 +- 2.0   65.0 +- 2.0    44.0 +- 2.0   44.0 +- 2.0   45.0 +- 2.0" 1
has out " +- 2.0   " 24
exit $bad
