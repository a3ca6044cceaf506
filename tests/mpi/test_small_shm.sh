#!/bin/bash
# Where /dev/shm is too small for shared memory, as in many containers, ranks send messages instead: with no room for
# anything, and with room for the communicator's own window but not for the messages'.
set -u
. "$ANNULUS_SOURCE/launch/env.sh"
if unshare -m true 2>/dev/null; then namespace=(unshare -m); else namespace=(unshare -rm); fi
"${namespace[@]}" mount -t tmpfs -o size=1m tmpfs /dev/shm 2>/dev/null || { echo "skipped: no right to mount a small /dev/shm here"; exit 77; }
export OMPI_MCA_btl=tcp,self # MPI's own shared memory has no room either
for size in 1m 8m; do
    out=$("${namespace[@]}" bash -c 'mount -t tmpfs -o size=$0 tmpfs /dev/shm && exec timeout 60 "$@"' $size \
        "$MPIRUN" -n 3 "$ANNULUS" bench allreduce --rounds 1 --max 65536 2>&1)
    code=$?
    echo "$out"
    [ $code = 0 ] || { echo "FAILED: /dev/shm of $size: ended with $code"; exit 1; }
    grep -q '^ *65536 ' <<<"$out" || { echo "FAILED: /dev/shm of $size: no table"; exit 1; }
    grep -q 'not enough space' <<<"$out" && { echo "FAILED: /dev/shm of $size: MPI was asked for more than there is"; exit 1; }
done
exit 0
