# tests/cli/lib.sh: what the scripts of this folder and of tests/mpi share. A script sources it first and ends with
# `finish`; it runs in a fresh folder, which is removed at the end.
#
# Environment: BITUNE the program; optional BITUNE_TOOLS the folder of json_get and image_tool.
# By hand: BITUNE=$PWD/build/bin/bitune sh tests/cli/restore.sh
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2120 # used by the scripts

set -u
[ -n "${BITUNE:-}" ] || { echo "set BITUNE to the program's path" >&2; exit 1; }
tools=${BITUNE_TOOLS:-$(dirname "$BITUNE")/../tests/cli}
source_folder=$(cd "$(dirname "$0")/../.." && pwd)
json_get=$tools/json_get
image_tool=$tools/image_tool
# A build without the imaging part has no image_tool, nor scripts that need it.
for program in "$BITUNE" "$json_get"; do
  [ -x "$program" ] || { echo "$program is missing" >&2; exit 1; }
done
bitune=$BITUNE

checks=0
failures=0
work=$(mktemp -d) || exit 1
cd "$work" || exit 1

# Called at the end whatever happens; a script adds to it by defining `clean`.
leave() {
  command -v clean >/dev/null 2>&1 && clean
  cd / && rm -rf "$work"
}
trap leave EXIT
trap 'exit 1' INT TERM HUP

finish() {
  echo "$checks checks, $failures failed"
  [ "$checks" -gt 0 ] && [ "$failures" -eq 0 ]
  exit
}

# For what cannot run here; a script that has failed before fails.
skip() {
  [ "$failures" -eq 0 ] || finish
  echo "SKIPPED: $*"
  exit 77
}

passed() { checks=$((checks + 1)); }

failed() {
  checks=$((checks + 1))
  failures=$((failures + 1))
  echo "FAILED: $*"
}

# run CODE COMMAND …: the exit code must be CODE; what was printed is in the files out and err.
run() {
  expected=$1
  shift
  "$@" >"$work/out" 2>"$work/err" </dev/null
  code=$?
  if [ "$code" -eq "$expected" ]; then
    passed
    return 0
  fi
  failed "exit code $code instead of $expected: $*"
  sed 's/^/  stdout: /' "$work/out" | head -n 20
  sed 's/^/  stderr: /' "$work/err" | head -n 20
  return 1
}

# says TEXT …: stderr of the last run has a line "bitune: …" with each TEXT (plain text, not a pattern).
says() {
  for text in "$@"; do
    if grep '^bitune: ' "$work/err" | grep -qF -- "$text"; then
      passed
    else
      failed "stderr lacks \"$text\":"
      sed 's/^/  /' "$work/err"
    fi
  done
}

# refuses CODE TEXT COMMAND …: exit code CODE and one line on stderr, "bitune: …TEXT…", and no line more.
refuses() {
  wanted_code=$1
  wanted_text=$2
  shift 2
  run "$wanted_code" "$@"
  says "$wanted_text"
  lines=$(wc -l <"$work/err")
  check "one line on stderr, not $lines, of: $*" [ "$lines" -eq 1 ]
}

# check WHAT COMMAND …: the command must succeed.
check() {
  what=$1
  shift
  if "$@"; then passed; else failed "$what"; fi
}

# holds EXPRESSION: an awk expression on numbers, as in: holds "$psnr > $noisy + 3".
holds() {
  if awk "BEGIN { exit !($1) }" </dev/null; then passed; else failed "$1"; fi
}

same() { check "$1 and $2 differ" cmp -s "$1" "$2"; }
equal() { check "\"$1\" is not \"$2\"" [ "$1" = "$2" ]; }
exists() { for name in "$@"; do check "$name is missing" [ -e "$name" ]; done; }
absent() { for name in "$@"; do check "$name is there" [ ! -e "$name" ]; done; }

# No file under this folder that was begun and not finished.
no_leftovers() {
  found=$(find "${1:-.}" -name '.bitune-*')
  check "left over: $found" [ -z "$found" ]
}

# field FILE PATH: prints a value; "MISSING" if there is none.
field() { "$json_get" "$1" "$2" 2>/dev/null || echo MISSING; }

# has FILE PATH …: the JSON file has these fields.
has() {
  json=$1
  shift
  for path in "$@"; do check "$json has no $path" [ "$(field "$json" "$path")" != MISSING ]; done
}

# same_model A B: model files equal but for the record of time, file names and number of processes.
same_model() {
  "$json_get" --without settings,seconds,output "$1" >"$work/model_1" 2>/dev/null
  "$json_get" --without settings,seconds,output "$2" >"$work/model_2" 2>/dev/null
  check "$1 holds no model" [ -s "$work/model_1" ]
  same "$work/model_1" "$work/model_2"
}

# same_log A B: logs equal but for the column of seconds.
same_log() {
  cut -d, -f1-17,19- "$1" >"$work/log_1"
  cut -d, -f1-17,19- "$2" >"$work/log_2"
  check "$1 has no rows" [ "$(wc -l <"$work/log_1")" -gt 1 ]
  same "$work/log_1" "$work/log_2"
}

# same_course A B: logs whose iterations, losses and parameters are equal to the last bit. A resumed run repeats some
# work, so the columns of work and seconds are left out.
same_course() {
  cut -d, -f1-12,19- "$1" >"$work/log_1"
  cut -d, -f1-12,19- "$2" >"$work/log_2"
  check "$1 has no rows" [ "$(wc -l <"$work/log_1")" -gt 1 ]
  same "$work/log_1" "$work/log_2"
}

# same_answer A B: models with equal parameters and loss, to the last bit.
same_answer() {
  for path in sigma regularizer training.loss training.loss_bounds training.theta training.outer_iterations \
    training.reason; do
    check "$1 has no $path" [ "$(field "$1" $path)" != MISSING ]
    equal "$path $(field "$1" $path)" "$path $(field "$2" $path)"
  done
}

# until_filled FILE: waits until it holds something, at most 30 s.
until_filled() {
  tries=0
  while [ ! -s "$1" ] && [ $tries -lt 600 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
  check "$1 did not appear" [ -s "$1" ]
}

# Clean images and a model, made once a script: the folder clean (4 gray PNG of 48x48), model.json.
make_clean() { "$bitune" synth --size 48x48 --count "${1:-4}" --seed 3 --quiet -o clean || exit 1; }
make_model() {
  [ -d clean ] || make_clean
  "$bitune" learn --sigma 25 --train clean --max-outer 4 --quiet -o model.json || exit 1
}
