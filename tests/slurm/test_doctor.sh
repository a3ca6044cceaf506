#!/bin/bash
# labels: long
# timeout: 120
# annulus doctor as a step of srun: ranks that PMIx has joined are fine; tasks of which each is rank 0 are found out, with the
# remedy; mpirun inside the allocation is fine, too.
. "${BASH_SOURCE%/*}/cluster.bash"
cluster_up
make_run 20
# doctor CODE NAME COMMAND...: what it says is in NAME.log
doctor() {
    local want=$1 name=$2 code=0
    shift 2
    timeout 60 "$@" >"$name.log" 2>"$name.err.log" || code=$?
    [ $code = "$want" ] || wrong "$name: exit code $code, not $want"
}
step() { doctor "$1" "$2" srun --nodes=2 --ntasks=2 --mpi="$3" "$ANNULUS" doctor --threads 1 "${@:4}" run.yaml; }

step 0 joined pmix
said joined 1 'ok  *launcher  *srun started 2 ranks, in a Slurm allocation$'
said joined 1 'ok  *PMIx  *launcher [0-9.]*, MPI [0-9.]*$'
said joined 1 'ok  *PMIx  *Slurm has the plugin pmix_v'
said joined 1 'ok  *program  *the same on all ranks$'
said joined 1 'ok  *run file  *good, and the same on all ranks$'
said joined 1 'a sum of 4 KiB over 2 ranks: '
said joined 1 '^safe to start: 0 errors'

step 1 copies none --quick
said copies 2 'error  *launcher  *srun started 2 tasks, but MPI sees one: these are copies that do not know of each other, and all of them are rank 0'
said copies 2 'remedy: use srun --mpi=pmix (srun --mpi=list shows what there is), or mpirun inside the allocation$'
said copies 2 '^not safe to start: 1 error'
said copies 1 'ok  *HDF5' # the second copy says only what is wrong

doctor 0 inside salloc --quiet --nodes=2 --ntasks=2 "${MPIRUN:-mpirun}" "$ANNULUS" doctor --quick --threads 1 run.yaml
said inside 1 'ok  *launcher  *mpirun started 2 ranks, in a Slurm allocation$'
said inside 1 '^safe to start: 0 errors'
exit $bad
