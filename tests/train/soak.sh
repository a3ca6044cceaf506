#!/bin/bash
# The soak test: test_resume.sh with 200 kills (or ANNULUS_KILLS), by hand, on the release build. Ten minutes on two quiet cores.
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/launch/env.sh"
export ANNULUS_SOURCE=$root ANNULUS_BUILD=${ANNULUS_BUILD:-$root/build} MPIRUN=${MPIRUN:-mpirun} ANNULUS_KILLS=${ANNULUS_KILLS:-200}
export ANNULUS=${ANNULUS:-$ANNULUS_BUILD/annulus} OPENBLAS_NUM_THREADS=1
exec bash "$root/tests/train/test_resume.sh"
