# Sourced by the scripts of this folder and by .ci/run: an environment in which Open MPI and OpenBLAS are quiet, as fast as they can
# be, and do not hang on one machine with few cores, in a container, or as root. Values that are already set win.

# These two pin OpenBLAS to another processor's kernels; a shell that exports them halves the speed.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE

# More ranks than cores: let them, do not bind them, and let a waiting rank give its core away.
export OMPI_MCA_rmaps_base_oversubscribe="${OMPI_MCA_rmaps_base_oversubscribe:-1}"
export OMPI_MCA_hwloc_base_binding_policy="${OMPI_MCA_hwloc_base_binding_policy:-none}"
export OMPI_MCA_mpi_yield_when_idle="${OMPI_MCA_mpi_yield_when_idle:-1}"
# Shared memory and TCP; no cross-memory attach, which containers forbid.
export OMPI_MCA_pml="${OMPI_MCA_pml:-ob1}"
export OMPI_MCA_btl="${OMPI_MCA_btl:-self,vader,tcp}"
export OMPI_MCA_btl_vader_single_copy_mechanism="${OMPI_MCA_btl_vader_single_copy_mechanism:-none}"

if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
