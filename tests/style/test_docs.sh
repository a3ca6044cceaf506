#!/bin/bash
# The files that the README files name exist.
set -u
cd "$ANNULUS_SOURCE" || exit 1
bad=0 names=0
while read -r readme; do
    folder=$(dirname "$readme")
    while read -r name; do
        names=$((names + 1))
        [ -e "$name" ] || [ -e "$folder/$name" ] || { echo "$readme names $name, which does not exist"; bad=1; }
    done < <({
        grep -oP '(^|[ `(])(\./)?\K(launch|src|cmake|tests|datasets|slurm|\.ci)/[\w./-]*\w(?![\w./<*-]*[<*])' "$readme" 
        grep -oE '\]\([^):#]+\)' "$readme" | sed -E 's/^..//; s/.$//'
    } | sort -u)
done < <(git ls-files '*.md' 2>/dev/null || find . -name '*.md' -not -path './build*')
[ $names -gt 0 ] || { echo "no file name found: the check does not work"; bad=1; }
echo "$names names checked"
exit $bad
