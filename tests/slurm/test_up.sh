#!/bin/bash
. "${BASH_SOURCE%/*}/cluster.bash"
s=$(date +%s%N)
cluster_up
echo "up in $((($(date +%s%N)-s)/1000000)) ms"
make_run 2000
sinfo -N -l
cat >hello.sh <<'X'
#!/bin/bash
hostname
X
time timeout 60 srun --mpi=pmix -N2 -n2 "$ANNULUS" train --threads 1 --set output=s run.yaml | tail -3
time timeout 60 salloc -N2 -n2 "${MPIRUN:-mpirun}" "$ANNULUS" train --threads 1 --set output=m run.yaml | tail -3
time timeout 60 "${MPIRUN:-mpirun}" -n 2 "$ANNULUS" train --threads 1 --set output=w run.yaml | tail -3
same_weights s w; same_weights m w
exit $bad
