#!/bin/sh
# How well models do at noise levels between those they were learned for, by each rule of --adapt.
#
#   tests/bench/adapt.sh MODEL IMAGES SIGMA ...     e.g. tests/bench/adapt.sh tv bsd68 10 20 35
#
# One row a level: the noisy images' mean PSNR, then that of each rule. If LEARNED is a file name with %s for the level,
# the last column is the model learned for that very level. BITUNE names the program, BITUNE_MODELS a folder of models.
set -eu
[ $# -ge 3 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d' >&2; exit 2; }
bitune=${BITUNE:-bitune}
model=$1
images=$2
shift 2
mean() { sed -n "s/^  \"$1\": \([0-9.]*\),\{0,1\}$/\1/p"; }

printf '%6s %8s %12s %12s %12s %12s %12s\n' sigma noisy contrast weight interpolate none learned
for sigma in "$@"; do
  row=
  for rule in contrast weight interpolate none; do
    "$bitune" eval --model "$model" --sigma "$sigma" --adapt $rule --json "$images" >"${TMPDIR:-/tmp}/adapt.$$"
    row="$row $(mean psnr_mean <"${TMPDIR:-/tmp}/adapt.$$")"
  done
  noisy=$(mean psnr_noisy_mean <"${TMPDIR:-/tmp}/adapt.$$")
  learned=nan
  if [ -n "${LEARNED:-}" ]; then
    # shellcheck disable=SC2059 # the name has a place for the level
    learned=$("$bitune" eval --model "$(printf "$LEARNED" "$sigma")" --json "$images" | mean psnr_mean)
  fi
  # shellcheck disable=SC2086 # a list of numbers
  printf '%6g %8.3f %12.3f %12.3f %12.3f %12.3f %12.3f\n' "$sigma" "$noisy" $row "$learned"
  rm -f "${TMPDIR:-/tmp}/adapt.$$"
done
