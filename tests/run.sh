#!/bin/sh
# Sets up, builds with warnings as errors, and runs every test; the last lines say what passed, failed and was skipped.
#
#   ./tests/run.sh                the build and all tests, then the build without the imaging part and its tests
#   ./tests/run.sh --sanitize     all tests under the address and undefined-behaviour sanitizers (gcc or clang)
#   ./tests/run.sh --valgrind     a selection of the tests under valgrind
#   ./tests/run.sh --no-imaging   only the build without the imaging part and its tests
#   ./tests/run.sh [...] -- ARGS  ARGS go to ctest: -R cli_resume, for one
#
# BITUNE_BUILD names the build folder (build/; the others stand beside it), BITUNE_DATA a folder of real images for the
# tests that can use them. Exit code: 0 if everything that could run passed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

# The comment above.
usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d'; }

what=all
while [ $# -gt 0 ]; do
  case $1 in
    --sanitize) what=sanitize ;;
    --valgrind) what=valgrind ;;
    --no-imaging) what=core ;;
    -h | --help) usage; exit 0 ;;
    --) shift; break ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

. "$root/apps/setup.sh"
build=$bitune_build_folder
cores=$(getconf _NPROCESSORS_ONLN)
start=$(date +%s)
outcome=0
if [ -z "${BITUNE_DATA:-}" ] && [ -d "$root/../shared/data/bsd68" ]; then BITUNE_DATA=$root/../shared/data; fi
export BITUNE_DATA="${BITUNE_DATA:-}"
# More ranks than cores, and root in a container, are fine for a test.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

step() { printf '\n%s\n' "== $*"; }

# expect WHAT VALUE WANTED: a build that is not what this script asked for must not pass for it.
expect() { [ "$2" = "$3" ] || bitune_stop "the build's $1 is \"$2\" instead of \"$3\""; }
cached() { sed -n "s/^$1:[A-Z]*=//p" "$bitune_build_folder/CMakeCache.txt"; }
built() {
  "$bitune_build_folder/bin/bitune" version --json |
    sed -n "s/^ *\"$1\": \"\(.*\)\",\{0,1\}$/\1/p; s/^ *\"$1\": \([a-z]*\),\{0,1\}$/\1/p"
}

# make_build FOLDER IMAGING SANITIZERS TYPE
make_build() {
  bitune_build_folder=$1
  step "Building in $1"
  bitune_configure -DBITUNE_WERROR=ON -DBITUNE_TESTS=ON -DBITUNE_IMAGING="$2" -DBITUNE_SANITIZE="$3" \
    -DCMAKE_BUILD_TYPE="$4"
  bitune_build
  expect BITUNE_WERROR "$(cached BITUNE_WERROR)" ON
  expect BITUNE_TESTS "$(cached BITUNE_TESTS)" ON
  expect type "$(built type)" "$4"
  expect sanitizers "$(built sanitizers)" "${3:-null}"
  case $2 in
    ON) expect imaging "$(built imaging)" true ;;
    OFF) expect imaging "$(built imaging)" false ;;
  esac
}

# expect_tests NAME …: kinds of tests that the build must have.
expect_tests() {
  ctest --test-dir "$bitune_build_folder" -N -C Valgrind >"$bitune_build_folder/tests.txt"
  for kind in "$@"; do
    grep -q "Test *#[0-9]*: $kind" "$bitune_build_folder/tests.txt" || bitune_stop "the build has no tests $kind*"
  done
}

# run_tests CTEST_OPTIONS …
run_tests() {
  step "Testing $bitune_build_folder"
  log=$bitune_build_folder/tests.log
  status=$bitune_build_folder/tests.status
  {
    code=0
    ctest --test-dir "$bitune_build_folder" --output-on-failure --no-tests=error --parallel "$cores" "$@" || code=$?
    echo $code >"$status"
  } 2>&1 | tee "$log"
  [ "$(cat "$status")" -eq 0 ] || outcome=1
  line=$(grep 'tests passed' "$log" || echo "ctest failed")
  skipped=$(sed -n 's/.* - \(.*\) (Skipped).*/\1/p' "$log" | tr '\n' ' ')
  [ -z "$skipped" ] || line="$line; SKIPPED, not passed: $skipped"
  summary="${summary:-}
${bitune_build_folder##*/}: $line"
}

finish() {
  step "Summary after $((($(date +%s) - start) / 60)) min $((($(date +%s) - start) % 60)) s"
  printf '%s\n' "${summary#?}"
  [ $outcome -eq 0 ] && echo "All tests that ran passed." || echo "SOMETHING FAILED."
  exit $outcome
}

core() {
  make_build "$build-core" OFF "" Release
  expect_tests test_
  run_tests "$@"
}

step "Installing what is missing"
[ $what != valgrind ] || bitune_needs="$bitune_needs
command:valgrind valgrind
"
bitune_install

case $what in
  all)
    make_build "$build" ON "" Release
    expect_tests test_ test_conformance cli_ mpi_ fuzz_
    run_tests "$@"
    [ $# -gt 0 ] || core
    ;;
  core) core "$@" ;;
  sanitize)
    # MPI and its helpers keep memory to the end of the process; bitune's own leaks are errors.
    export LSAN_OPTIONS="suppressions=$root/tests/leaks.supp:print_suppressions=0"
    export ASAN_OPTIONS="detect_leaks=1:fast_unwind_on_malloc=0"
    export UBSAN_OPTIONS="print_stacktrace=1"
    make_build "$build-sanitize" ON address,undefined RelWithDebInfo
    expect_tests test_ test_conformance cli_ mpi_ fuzz_
    run_tests "$@"
    ;;
  valgrind)
    make_build "$build" ON "" Release
    expect_tests test_ valgrind
    run_tests -C Valgrind -L valgrind "$@"
    ;;
esac
finish
