#!/bin/bash
# annulus doctor: alone, on ranks, with settings, folders and programs that are wrong, and on "hosts" of their own.
# timeout: 240
. "${BASH_SOURCE%/*}/cli.bash"
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 # asked for its settings, MPI leaves memory
unset HDF5_USE_FILE_LOCKING OPENBLAS_NUM_THREADS
for name in ${!SLURM_@} ${!OMP_@}; do unset "$name"; done
# lacks FILE TEXT: no line of the file contains the text
lacks() { has "$1" "$2" 0; }
# doctor CODE ARGUMENT...; ranks CODE N ARGUMENT...
doctor() { run "$1" "$ANNULUS" doctor "${@:2}"; }
ranks() { run "$1" "${mpirun[@]}" -n "$2" "$ANNULUS" doctor "${@:3}"; }

make_images
run 0 "$ANNULUS" data import idx idx tiny.h5
cat >run.yaml <<'YAML'
name: tiny
output: out.dir
data: {path: tiny.h5}
models:
  net: [{flatten: {}}, {dense: {name: fc1, units: 300, activation: relu}}, {dense: {name: fc2, units: 2}}]
phases:
  - name: first
    kind: supervised
    model: [net]
    loss: cross_entropy
    batch: 40
    program: [{epochs: 1, lr: 0.01}]
YAML

# ---- command lines
run 0 "$ANNULUS" doctor --help && has out "usage: annulus doctor"
doctor 2 one two && has err "one run file at most is accepted, found 2"
doctor 2 --threads 0 && has err "--threads: found '0'"
doctor 2 --set seed=2 && has err "--set needs a run file"
doctor 2 --slow && has err "unknown option --slow"

# ---- alone
doctor 0 && has out "started alone, without MPI" 1 && has out "safe to start: 0 errors" 1 && has out "a thread computes" 1
lacks out "run file" && lacks out "program"
doctor 0 --quick && has out "benchmark    left out (--quick)" 1 && lacks out "GFLOP"
doctor 0 --quick run.yaml && has out "run file     good" 1 && has out "output out.dir: " 1 && has out "data tiny.h5: " 1
has out "checkpoints: about " 1 && has out "does not exist yet"
lacks out "datasets"
[ ! -e out.dir ] || { echo "the output folder was made"; bad=1; }
doctor 0 run.yaml && has out "datasets     readable" 1
doctor 0 --quick --set phases.first.resources.threads=3 run.yaml && has out "binding      3 threads on processor" 1
doctor 0 --quick --threads 2 --set phases.first.resources.threads=3 run.yaml && has out "binding      2 threads on processor" 1
[ -z "$(find . -name '.annulus-doctor*')" ] || { echo "a file was left behind"; bad=1; }
sed 's/^data:/dato:/' run.yaml >bad.yaml
doctor 1 --quick bad.yaml && has out "error    run file     bad.yaml:3:1: dato: unknown key" 1 && has out "not safe to start: 1 error," 1
doctor 1 --quick --set output=run.yaml/x run.yaml && has out "output run.yaml/x cannot be written" 1
sed 's/units: 2}/units: 1}/' run.yaml >narrow.yaml
doctor 1 --quick narrow.yaml && has out "error    run file"

# ---- an OpenBLAS that does not know the processor is told
doctor 0 --quick && lacks out "OpenBLAS uses kernels for"

# ---- settings: what is warned about is so only with them
for setting in OPENBLAS_CORETYPE=Haswell OPENBLAS_L2_SIZE=1 OMP_DYNAMIC=true GOMP_CPU_AFFINITY=0 OMP_PROC_BIND=true OMP_WAIT_POLICY=active; do
    run 0 env $setting "$ANNULUS" doctor --quick && has out "warning  environment  $setting: " 1 && has out "remedy: unset ${setting%=*}"
done
run 0 env OMP_NUM_THREADS=3 OMP_DYNAMIC=false "$ANNULUS" doctor --quick && has out "environment  OMP_" 2 && lacks out "warning  environment"
run 0 bash -c 'ulimit -f 2000; "$1" doctor --quick run.yaml' - "$ANNULUS" && has out "warning  limits       files may have 1.95 MiB at most" 1
run 1 bash -c 'ulimit -f 16; "$1" doctor --quick run.yaml' - "$ANNULUS" && has out "error    limits       files may have 16 KiB, and a checkpoint"
run 1 bash -c 'ulimit -n 64; "$1" doctor --quick' - "$ANNULUS" && has out "error    limits       only 64 files may be open" 1
run 0 env HDF5_USE_FILE_LOCKING=FALSE "$ANNULUS" doctor --quick && has out "HDF5_USE_FILE_LOCKING = FALSE" 1
run 0 env OMPI_MCA_btl_tcp_if_include=none9 "$ANNULUS" doctor --quick && has out "btl_tcp_if_include is none9, and no interface" 1
run 0 env OMPI_MCA_btl_tcp_if_include=lo "$ANNULUS" doctor --quick && has out "MPI's TCP would use lo (" 1

# ---- copies that do not know of each other
for id in 0 1; do
    run 1 env SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_NTASKS=2 SLURM_PROCID=$id PATH="$PATH" "$ANNULUS" doctor --quick
    has out "error    launcher     srun started 2 tasks, but MPI sees one: these are copies" 1 && has out "remedy: use srun --mpi=pmix" 1
done
run 1 env SLURM_NTASKS=2 SLURM_PROCID=1 "$ANNULUS" doctor --quick && has out "Slurm started 2 tasks, but MPI sees one" 1 && lacks out "ok "
run 0 env SLURM_NTASKS=2 SLURM_PROCID=0 "$ANNULUS" doctor --quick && has out "warning  launcher     the allocation is for 2 tasks" 1
mkdir fake
printf '#!/bin/sh\necho "MPI plugin types are..."; echo "	none"; echo "	pmi2"\n' >fake/srun
chmod +x fake/srun
run 0 env SLURM_JOB_ID=7 PATH="$PWD/fake:$PATH" "$ANNULUS" doctor --quick && has out "warning  PMIx         Slurm has no pmix plugin" 1
printf '#!/bin/sh\necho "MPI plugin types are..."; echo "	none"; echo "	pmix"; echo "specific pmix plugin versions available: pmix_v4"\n' >fake/srun
run 0 env SLURM_JOB_ID=7 PATH="$PWD/fake:$PATH" "$ANNULUS" doctor --quick && has out "ok       PMIx         Slurm has the plugin pmix_v4" 1

# ---- ranks: what is the same on all is said once
ranks 0 2 run.yaml && has out "mpirun started 2 ranks" 1 && has out "the same on all ranks" 2 && has out "ok       OpenBLAS     OpenBLAS" 1
has out "a sum of 4 KiB over 2 ranks" 1 && has out "between ranks of a host: " 1 && has out "safe to start: 0 errors" 1
lacks out "[rank"
taskset -c 0,1 true 2>/dev/null && {
    run 0 taskset -c 0,1 "${mpirun[@]}" -n 4 "$ANNULUS" doctor --quick --threads 2
    has out "warning  binding      4 ranks with 8 threads in all on 2 processors" 1
    run 0 taskset -c 0,1 "${mpirun[@]}" -n 2 "$ANNULUS" doctor --quick --threads 1
    lacks out "warning  binding"
    run 0 "${mpirun[@]}" -n 1 taskset -c 0 "$ANNULUS" doctor --quick --threads 1 : -n 1 taskset -c 1 "$ANNULUS" doctor --quick --threads 1
    lacks out "warning  binding"
    has out "1 thread on processor 0 [rank 0]" 1 && has out "1 thread on processor 1 [rank 1]" 1
    run 0 "${mpirun[@]}" -n 2 taskset -c 0 "$ANNULUS" doctor --quick --threads 1 : -n 1 taskset -c 1 "$ANNULUS" doctor --quick --threads 1
    has out "warning  binding      3 ranks with 3 threads in all on 2 processors" 1
}
cp "$ANNULUS" other
printf x >>other
run 1 "${mpirun[@]}" -n 1 "$ANNULUS" doctor --quick : -n 1 ./other doctor --quick
has out "error    program      runs another program than rank 0 [rank 1]" 1 && lacks out "the same on all ranks"
sed 's/lr: 0.01/lr: 0.02/' run.yaml >other.yaml
run 1 "${mpirun[@]}" -n 2 "$ANNULUS" doctor --quick run.yaml : -n 1 "$ANNULUS" doctor --quick other.yaml
has out "error    run file     another text than rank 0 reads [rank 2]" 1
ranks 2 2 --slow && has err "unknown option --slow" 1

# ---- the estimate of a checkpoint, against one
run 0 "$ANNULUS" train run.yaml
real=$(du -sb out.dir/first/step-* | cut -f1)
[ $((real * 10 / 1024)) -le 3000 ] && [ $((real * 13 / 1024)) -ge 3000 ] || { echo "a checkpoint has $real bytes, about 300 KiB were said"; bad=1; }
rm -rf out.dir

# ---- folders: full, in memory
if unshare -m true 2>/dev/null; then
    # on SIZE CODE COMMAND...: with a tmpfs of that size at ./small, which nobody else sees
    mkdir small
    on() { run "$2" unshare -m sh -c 'mount -t tmpfs -o size=$1 none small && shift && exec "$@"' - "$1" "${@:3}"; }
    on 8k 1 sh -c 'head -c 8192 /dev/zero >small/full; exec "$@"' - "$ANNULUS" doctor --quick --set output=small/run run.yaml
    has out "error    storage      output small/run cannot be written: No space left on device" 1 && has out "small/run: 0 bytes free, and one checkpoint takes about" 1
    on 256k 1 "$ANNULUS" doctor --quick --set output=small/run run.yaml
    has out "small/run: 256 KiB free, and one checkpoint takes about" 1 && lacks out "cannot be written"
    on 700k 0 "$ANNULUS" doctor --quick --set output=small/run run.yaml
    has out "warning  storage      output small/run: 700 KiB free, and the checkpoints of all phases take about" 1
    on 50m 0 "$ANNULUS" doctor --quick --set output=small/run run.yaml
    has out "warning  storage      output small/run is in memory (tmpfs)" 1 && has out "checkpoints: about" 1
    on 8k 1 sh -c 'head -c 8192 /dev/zero >small/full; TMPDIR=$PWD/small exec "$@"' - "$ANNULUS" doctor --quick
    has out "error    storage      tmp $PWD/small cannot be written" 1
    on 8k 1 sh -c 'mount -o remount,ro small; exec "$@"' - "$ANNULUS" doctor --quick --set output=small/run run.yaml
    has out "output small/run cannot be written: Read-only file system" 1
else
    echo "skipped: no file system can be mounted here"
fi

# ---- several hosts: a rank in a namespace with another name
if unshare -u -m true 2>/dev/null; then
    export OMPI_MCA_btl_tcp_if_include=lo
    away=(unshare -u -m sh -c 'hostname away && exec "$@"' -)
    run 0 "${mpirun[@]}" -n 2 "$ANNULUS" doctor run.yaml : -n 1 "${away[@]}" "$ANNULUS" doctor run.yaml
    has out "clocks       all hosts agree to" 1 && has out "between hosts: " 1 && has out "with the same content on all hosts" 1
    has out "is another folder" 0 && has out "ok       storage      output" 1
    cp tiny.h5 away.h5
    run 0 "$ANNULUS" data import idx --train-images idx/t10k-images-idx3-ubyte --train-labels idx/t10k-labels-idx1-ubyte \
        --test-images idx/t10k-images-idx3-ubyte --test-labels idx/t10k-labels-idx1-ubyte far.h5
    mkdir -p small out.dir
    away=(unshare -u -m sh -c 'hostname away && mount -t tmpfs none out.dir && mount --bind far.h5 tiny.h5 && exec "$@"' -)
    run 1 "${mpirun[@]}" -n 2 "$ANNULUS" doctor run.yaml : -n 2 "${away[@]}" "$ANNULUS" doctor run.yaml
    has out "output out.dir is another folder than on rank 0's host: checkpoints would be torn apart [host away]" 1
    has out "error    datasets     other content than on rank 0's host [host away]" 1
    has out "is in memory (tmpfs): checkpoints take memory and do not survive the host [host away]" 1
else
    echo "skipped: no host of another name can be made here"
fi

# ---- for programs
if command -v python3 >/dev/null; then
    cat >check.py <<'PYTHON'
import json, sys
report = json.load(open("kept"))
code, ranks = int(sys.argv[1]), int(sys.argv[2])
found = report["findings"]
assert report["safe"] == (code == 0) and len(report["hosts"]) == ranks, report
assert report["errors"] == sum(f["level"] == "error" for f in found)
assert report["warnings"] == sum(f["level"] == "warning" for f in found)
for f in found:
    assert f["level"] in ("ok", "note", "warning", "error") and f["check"] and f["text"], f
    assert ("remedy" in f) == (f["level"] in ("warning", "error")), f
    assert f["ranks"] and all(0 <= r < ranks for r in f["ranks"]), f
PYTHON
    ranks 0 2 --json run.yaml && cp out kept && run 0 python3 check.py 0 2
    run 1 env 'OMP_DYNAMIC="a\' "${mpirun[@]}" -n 2 "$ANNULUS" doctor --quick --json run.yaml : -n 1 ./other doctor --quick --json run.yaml
    cp out kept && run 0 python3 check.py 1 3
fi
exit $bad
