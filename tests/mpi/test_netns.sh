#!/bin/bash
# Sums between four hosts, which are network namespaces, with one rank and with two on each: annulus bench
# allreduce checks every sum of every algorithm. Nothing may be left behind.
set -u
here=$ANNULUS_SOURCE/tests/mpi
. "$ANNULUS_SOURCE/launch/env.sh"
for ranks in 1 2; do
    out=$(timeout 120 "$here/netns.sh" 4 1gbit $ranks "$ANNULUS_PROGRAM" bench allreduce --all --rounds 1 \
        --max 262144 2>&1)
    code=$?
    echo "$out"
    [ $code -ne 77 ] || exit 77
    [ $code -eq 0 ] || exit 1
    grep -q "^$((4 * ranks)) ranks, $ranks on this host" <<<"$out" || exit 1
    grep -Eq '^ +262144 ' <<<"$out" || exit 1
done
left=$(ip -o link | grep -E ': an[0-9]+(br|v[0-9])' ; ip netns list | grep -E '^an[0-9]+h[0-9]')
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
