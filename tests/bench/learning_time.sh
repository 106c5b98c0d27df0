#!/bin/sh
# Fields of experts learned by several methods for about the same wall time: losses on the images learned from and on others.
#
#   tests/bench/learning_time.sh TRAIN SECONDS ...       e.g. tests/bench/learning_time.sh train400 30 120
#
# Learns from the first 20 images of TRAIN and judges on numbers 301 to 320. A stochastic run's iterations are chosen from
# the time that 20 of them take, the evaluation at the end included, since its steps shrink to nothing at the last one.
# One process on one thread; BITUNE names the program.
set -eu
[ $# -ge 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d' >&2; exit 2; }
bitune=${BITUNE:-bitune}
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
work=$(mktemp -d "${TMPDIR:-/tmp}/learning.XXXXXX")
trap 'rm -rf "$work"' EXIT
train=$1
shift
mkdir "$work/held"
find "$train" -name '*.png' -o -name '*.tif' | sort | sed -n 301,320p | while read -r file; do cp "$file" "$work/held"; done
field() { sed -n "s/^  \"$1\": \([^,]*\),\{0,1\}\$/\1/p" "$work/report"; }

# learn FOLDER OPTIONS …: the report is left in $work/report; a budget that is used up is no failure here.
learn() {
  folder=$1
  shift
  "$bitune" learn --train "$folder" --images 20 --sigma 25 --loss squared --regularizer foe --variant convex --jobs 1 \
    --quiet --json "$@" >"$work/report" || [ $? -eq 3 ]
}
judged() { learn "$1" --start "$work/model.json" --method maid --max-outer 0 --eps0 0.01 --delta0 0.01 -o "$work/same.json"; }

row() { # NAME OPTIONS …
  name=$1
  shift
  learn "$train" "$@" -o "$work/model.json"
  seconds=$(field seconds)
  judged "$train"
  loss=$(field loss) psnr=$(field psnr_train)
  judged "$work/held"
  printf '%-12s %8.1f %10.3f %8.2f %10.3f %8.2f\n' "$name" "$seconds" "$loss" "$psnr" "$(field loss)" "$(field psnr_train)"
}

stochastic() { learn "$train" --method isgd --batch 6 --crop 128x128 --accuracy 1e-3 --adjoint-accuracy 0.05 "$@"; }
stochastic --iterations 20 -o "$work/model.json"
each=$(field seconds)
printf '%-12s %8s %10s %8s %10s %8s\n' method seconds loss dB held-out dB
for limit in "$@"; do
  row isgd --method isgd --batch 6 --crop 128x128 --accuracy 1e-3 --adjoint-accuracy 0.05 \
    --iterations "$(awk "BEGIN { print int(20 * $limit / $each) + 1 }")"
  row maid --method maid --max-outer 100000 --max-seconds "$limit"
  row maid-plain --method maid-plain --max-outer 100000 --max-seconds "$limit"
  row fixed --method fixed --eps0 0.1 --delta0 0.1 --max-outer 100000 --max-seconds "$limit"
done
