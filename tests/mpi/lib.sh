# tests/mpi/lib.sh: mpirun for the scripts of this folder; sourced after tests/cli/lib.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # set by tests/cli/lib.sh

command -v mpirun >/dev/null 2>&1 || skip "there is no mpirun"
"$bitune" version --json >"$work/out"
case $(field "$work/out" libraries.mpi) in
  *"Open MPI"*)
    # More ranks than cores, and root in a container, are fine for a test.
    mpirun_options="--oversubscribe"
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    ;;
  *) mpirun_options= ;;
esac

# ranks N COMMAND …
ranks() {
  count=$1
  shift
  # shellcheck disable=SC2086 # a list of words
  mpirun $mpirun_options -n "$count" "$@"
}
