#!/bin/bash
# with_cluster.sh COMMAND...: runs a command on a private Slurm of two nodes, such as `bash`, with ANNULUS, ANNULUS_SOURCE and
# ANNULUS_BUILD set to the program, the source folder and the build folder.
. "${BASH_SOURCE%/*}/cluster.bash"
cluster_up
"$@"
