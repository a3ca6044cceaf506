#!/bin/bash
# src/ returns statuses: it never ends the process, jumps, or writes to stdout. And nothing is left unfinished.
set -u
cd "$ANNULUS_SOURCE" || exit 1
calls='exit|_exit|_Exit|quick_exit|abort|assert|printf|vprintf|puts|putchar|MPI_Abort|setjmp|longjmp|system|popen|raise'
pattern="(^|[^A-Za-z0-9_.>])($calls)[ \t]*\(|(^|[^A-Za-z0-9_])stdout([^A-Za-z0-9_]|$)"

# Comments and the contents of strings go, lines stay.
code() {
    perl -0777 -pe 's{/\*.*?\*/}{ "\n" x ($& =~ tr/\n//) }gse; s{//[^\n]*}{}g; s{"(\\.|[^"\\\n])*"}{""}g' "$1"
}

bad=0 files=0
while read -r file; do
    files=$((files + 1))
    found=$(code "$file" | grep -nE "$pattern" | sed "s|^|$file:|") || true
    # The one process that src/ makes itself ends there.
    [ "$file" != src/base/trial.c ] || found=$(grep -v ' _exit(0);$' <<<"$found")
    [ -z "$found" ] || { echo "$found"; bad=1; }
done < <(find src -name '*.[ch]')
[ $files -gt 0 ] || { echo "no file found: the check does not work"; bad=1; }
unfinished=$(grep -rnE '\b(TODO|FIXME|XXX)\b' src launch datasets cmake CMakeLists.txt) && { echo "$unfinished"; bad=1; }

# The pattern itself must be able to find.
for sample in 'exit(1);' '  printf("x");' 'x = system ("ls");' 'fputs(s, stdout);'; do
    grep -qE "$pattern" <<<"$sample" || { echo "the check misses: $sample"; bad=1; }
done
for sample in 'snprintf(b, n, "")' '_Static_assert(1, "")' 'ops->exit(1)' 'ann_abort(x)'; do
    ! grep -qE "$pattern" <<<"$sample" || { echo "the check wrongly finds: $sample"; bad=1; }
done
echo "$files files checked"
exit $bad
