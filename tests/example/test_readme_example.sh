#!/bin/bash
# The README's C example compiles against the installed library, with pkg-config and with CMake, and trains.
set -eu
prefix=$TMPDIR/prefix work=$TMPDIR/work
rm -rf "$prefix" "$work"
mkdir -p "$work"
trap 'rm -rf "$prefix" "$work"' EXIT
cmake --install "$ANNULUS_BUILD" --prefix "$prefix" >/dev/null

awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on' "$ANNULUS_SOURCE/README.md" >"$work/example.c"
lines=$(grep -c . "$work/example.c") || { echo "README.md has no C example"; exit 1; }
[ "$lines" -le 40 ] || { echo "the example has grown to $lines lines"; exit 1; }

pc=$(find "$prefix" -name annulus.pc -printf '%h')
export PKG_CONFIG_PATH=$pc
# A sanitizer build's library needs the sanitizer's flags.
sanitize=$(sed -n 's/^ANNULUS_SANITIZE:STRING=\(..*\)/-fsanitize=\1/p' "$ANNULUS_BUILD/CMakeCache.txt")
# shellcheck disable=SC2046 # words are wanted
cc -std=c11 -Wall -Wextra -Werror $sanitize -o "$work/example" "$work/example.c" $(pkg-config --cflags --libs annulus) -Wl,-rpath,"${pc%/*}"
"$work/example" | tee "$work/out"
# "step N: loss L": the last loss is below a tenth of the first.
awk '/^step/ { last = $NF; if (!n++) first = last } END { exit !(n > 1 && last < first / 10) }' "$work/out" ||
    { echo "the loss did not fall"; exit 1; }

cat >"$work/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(example C)
find_package(annulus 0.1 REQUIRED)
add_executable(by-cmake example.c)
target_link_libraries(by-cmake PRIVATE annulus::annulus)
END
cmake -S "$work" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="$sanitize" >"$work/log" 2>&1 &&
    cmake --build "$work/build" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$work/build/by-cmake" | cmp - "$work/out" || { echo "the two builds of the example differ"; exit 1; }

for file in bin/annulus include/annulus/annulus.h share/doc/annulus/LICENSE; do
    [ -e "$prefix/$file" ] || { echo "$file was not installed"; exit 1; }
done
