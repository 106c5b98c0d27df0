#!/bin/sh
# Tests and benchmarks of the CUDA backend on a machine with a GPU; the last lines count what passed, failed and was
# SKIPPED, which is not passed.
#
#   ./tests/gpu.sh                 configures (without the imaging part), builds and runs everything
#   ./tests/gpu.sh --prefix DIR    the same with jansson, zlib, NLopt, LAPACK, OpenBLAS and CUnit below DIR
#   ./tests/gpu.sh --pack DIR      builds here, GPU or not, and puts programs and libraries into DIR, which needs no
#                                  compiler or package where it is run but CUDA's own libraries: DIR/gpu.sh
#   DIR/gpu.sh                     runs a packed folder
#   ... --device cuda:1            another device than cuda
#   ... --sanitize                 the kernel tests under compute-sanitizer as well (memcheck, racecheck, initcheck)
#   ... --no-bench                 no benchmarks
#
# BITUNE_BUILD names the build folder (build-gpu/), CUDAARCHS the architectures (80-real;90). Exit code: 0 if nothing
# failed and something passed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d'; }
stop() { printf '%s\n' "gpu.sh: $*" >&2; exit 1; }

device=cuda
pack='' prefix='' sanitize='' bench=yes
while [ $# -gt 0 ]; do
  case $1 in
    --prefix | --pack | --device)
      [ $# -gt 1 ] || stop "$1 needs a value"
      case $1 in
        --prefix) prefix=$(cd "$2" && pwd) ;;
        --pack) mkdir -p "$2" && pack=$(cd "$2" && pwd) ;;
        --device) device=$2 ;;
      esac
      shift
      ;;
    --sanitize) sanitize=yes ;;
    --no-bench) bench='' ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

suites='parity ops kernels networks optimizer augment recorder train hdet'

build() {
  root=$(cd "$here/.." && pwd)
  folder=${BITUNE_BUILD:-$root/build-gpu}
  if [ -n "$prefix" ]; then
    for part in lib/pkgconfig lib64/pkgconfig lib/*/pkgconfig share/pkgconfig; do
      for found in "$prefix"/$part; do
        [ ! -d "$found" ] || PKG_CONFIG_PATH=$found${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
      done
    done
    export PKG_CONFIG_PATH LD_LIBRARY_PATH="$prefix/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  fi
  generator=
  ! command -v ninja >/dev/null 2>&1 || [ -f "$folder/CMakeCache.txt" ] || generator=-GNinja
  printf '%s\n' "Building in $folder"
  cmake -S "$root" -B "$folder" $generator -DBITUNE_IMAGING=OFF -DBITUNE_CUDA=ON -DBITUNE_TESTS=ON \
    ${prefix:+-DCMAKE_PREFIX_PATH="$prefix"} >"$here/gpu-configure.log" 2>&1 ||
    { tail -n 20 "$here/gpu-configure.log" >&2; stop "configuring failed; all output in $here/gpu-configure.log"; }
  targets='bitune_program bench_nn bench_nn_steps'
  for suite in $suites; do targets="$targets test_nn_$suite"; done
  # shellcheck disable=SC2086 # a list of words
  cmake --build "$folder" --parallel "$(getconf _NPROCESSORS_ONLN)" --target $targets >"$here/gpu-build.log" 2>&1 ||
    { tail -n 30 "$here/gpu-build.log" >&2; stop "the build failed; all output in $here/gpu-build.log"; }
  rm -f "$here/gpu-configure.log" "$here/gpu-build.log"
  bin="$folder/bin $folder/tests/nn $folder/bench"
  libraries=$folder/cuda
}

# program NAME: its path
program() {
  for place in $bin; do
    if [ -x "$place/$1" ]; then printf '%s' "$place/$1"; return 0; fi
  done
  stop "$1 is missing"
}

# Copies the programs and the libraries that they load, but for the C library; CUDA is loaded by none of them.
make_pack() {
  mkdir -p "$pack/bin" "$pack/lib"
  cp "$here/gpu.sh" "$pack/gpu.sh"
  cp "$libraries"/libbitune_cuda.so "$pack/lib/"
  for name in bitune bench_nn bench_nn_steps $(for suite in $suites; do echo "test_nn_$suite"; done); do
    file=$(program "$name")
    cp "$file" "$pack/bin/"
    ldd "$file" | awk '$3 ~ /^\// { print $3 }'
  done | sort -u | grep -v -E '/(libc|libm|libdl|libpthread|librt|ld-linux[^/]*)\.so' |
    while read -r file; do cp -L "$file" "$pack/lib/"; done
  printf '%s\n' "Packed: run $pack/gpu.sh where there is a GPU"
}

passed=0 failed=0 skipped=0 names=''

# count NAME CODE
count() {
  case $2 in
    0) passed=$((passed + 1)); word=passed ;;
    77) skipped=$((skipped + 1)); word=SKIPPED names="$names $1" ;;
    *) failed=$((failed + 1)); word="FAILED ($2)" names="$names $1" ;;
  esac
  printf '%-44s %s\n' "$1" "$word"
}

# run NAME COMMAND …: its output is shown if it does not pass
run() {
  title=$1
  shift
  code=0
  "$@" >"$log" 2>&1 || code=$?
  count "$title" $code
  [ $code -eq 0 ] || grep -v '^ *Test: .*passed$' "$log" | tail -n 40
}

if [ -d "$here/bin" ] && [ -f "$here/lib/libbitune_cuda.so" ]; then
  bin=$here/bin libraries=$here/lib
else
  build
fi
if [ -n "$pack" ]; then make_pack; exit 0; fi

export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
command -v nvidia-smi >/dev/null 2>&1 &&
  nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader || echo "no nvidia-smi"
"$(program bitune)" version

echo
for suite in $suites; do run "test_nn_$suite $device" "$(program "test_nn_$suite")" "$device"; done
if [ -n "$sanitize" ]; then
  if command -v compute-sanitizer >/dev/null 2>&1; then
    for tool in memcheck racecheck initcheck; do
      run "test_nn_parity, $tool" compute-sanitizer --tool $tool --error-exitcode 9 "$(program test_nn_parity)" "$device"
    done
  else
    for tool in memcheck racecheck initcheck; do count "test_nn_parity, $tool" 77; done
    echo "compute-sanitizer is not on PATH"
  fi
fi
if [ -n "$bench" ]; then
  for mode in "$device" "$device,tf32"; do
    run "bench_nn $mode" "$(program bench_nn)" "$mode"
    [ $code -ne 0 ] || cat "$log"
  done
  # Whole networks, their steps started kernel by kernel and as a graph.
  for task in mnist-mlp fmnist-cnn cifar-resnet18 ptb-lstm; do
    for tuner in none dstn; do
      for mode in "$device" "$device,graph"; do
        run "bench_nn_steps $task $tuner $mode" "$(program bench_nn_steps)" "$task" "$tuner" "$mode" 10
        [ $code -ne 0 ] || cat "$log"
      done
    done
  done
fi

printf '\n%s\n' "passed $passed, failed $failed, SKIPPED (not passed) $skipped${names:+:$names}"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
