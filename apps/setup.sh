# Set-up shared by apps/quickstart.sh and tests/run.sh, to be sourced with $root set to the repository:
#   bitune_install                      what is missing, by apt on Debian and Ubuntu; elsewhere it is named
#   bitune_configure [CMAKE OPTIONS]    into $bitune_build_folder ($BITUNE_BUILD, or build/)
#   bitune_build [TARGET ...]           with all cores
# Each ends the script with one line of explanation if it fails.
# shellcheck shell=sh
# shellcheck disable=SC2154,SC2120

bitune_build_folder=${BITUNE_BUILD:-$root/build}

# What must be there (a command, or a pkg-config module by one of its names) and Debian's package for it.
bitune_needs='
command:cmake cmake
command:ninja ninja-build
command:cc gcc
command:cc libc6-dev
command:pkg-config pkg-config
command:mpirun openmpi-bin
command:gnuplot gnuplot-nox
module:petsc|PETSc petsc-dev
module:fftw3 libfftw3-dev
module:libpng libpng-dev
module:libtiff-4 libtiff-dev
module:jansson libjansson-dev
module:zlib zlib1g-dev
module:openblas libopenblas-dev
module:nlopt libnlopt-dev
module:lapack liblapack-dev
module:cunit libcunit1-dev
'

bitune_stop() {
  printf '%s\n' "bitune: $*" >&2
  exit 1
}

bitune_has() {
  case $1 in
    command:*) command -v "${1#command:}" >/dev/null 2>&1 ;;
    module:*)
      for bitune_module in $(printf '%s' "${1#module:}" | tr '|' ' '); do
        pkg-config --exists "$bitune_module" 2>/dev/null && return 0
      done
      return 1
      ;;
  esac
}

bitune_missing() {
  printf '%s' "$bitune_needs" | while read -r bitune_what bitune_package; do
    [ -z "$bitune_what" ] || bitune_has "$bitune_what" || printf '%s ' "$bitune_package"
  done
}

# Runs a long command with its output in a file that is shown only if the command fails.
bitune_quietly() {
  bitune_log=$1
  shift
  "$@" >"$bitune_log" 2>&1 && return 0
  tail -n 30 "$bitune_log" >&2
  bitune_stop "failed: $* (all output in $bitune_log)"
}

bitune_install() {
  bitune_packages=$(bitune_missing)
  [ -n "$bitune_packages" ] || return 0
  command -v apt-get >/dev/null 2>&1 ||
    bitune_stop "these are missing, by their names on Debian; install them first: $bitune_packages"
  bitune_root=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || bitune_stop "as root, run: apt-get install $bitune_packages"
    bitune_root='sudo'
  fi
  printf '%s\n' "Installing $bitune_packages"
  bitune_apt_log=$(mktemp)
  # shellcheck disable=SC2086 # a list of words
  bitune_quietly "$bitune_apt_log" $bitune_root apt-get update
  # shellcheck disable=SC2086
  bitune_quietly "$bitune_apt_log" $bitune_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends $bitune_packages
  rm -f "$bitune_apt_log"
  bitune_packages=$(bitune_missing)
  [ -z "$bitune_packages" ] || bitune_stop "still missing after the installation: $bitune_packages"
}

bitune_configure() {
  mkdir -p "$bitune_build_folder"
  bitune_generator=
  # A folder that was configured before keeps its generator.
  [ -f "$bitune_build_folder/CMakeCache.txt" ] || bitune_generator='-GNinja'
  # shellcheck disable=SC2086
  bitune_quietly "$bitune_build_folder/configure.log" cmake -S "$root" -B "$bitune_build_folder" \
    $bitune_generator "$@"
}

bitune_build() {
  bitune_targets=${*:-all}
  # shellcheck disable=SC2086
  bitune_quietly "$bitune_build_folder/build.log" cmake --build "$bitune_build_folder" \
    --parallel "$(getconf _NPROCESSORS_ONLN)" --target $bitune_targets
}
