#!/bin/sh
# Deblurring and inpainting with models by name or file: PSNR before and after, certificate, seconds an image.
#
#   tests/bench/restore.sh IMAGES MODEL ...       e.g. tests/bench/restore.sh bsd68 tv foe-convex foe
#
# Blurs (two known by name, one from a file) have noise of sigma 2.55, inpainting none but the rounding to 8 bits. COUNT
# limits the images (all), TOL is the tolerance (1e-3), BITUNE names the program.
set -eu
[ $# -ge 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d' >&2; exit 2; }
bitune=${BITUNE:-bitune}
work=$(mktemp -d "${TMPDIR:-/tmp}/restore.XXXXXX")
trap 'rm -rf "$work"' EXIT
find "$1" -name '*.png' -o -name '*.tif' | sort | head -n "${COUNT:-1000}" >"$work/list"
mkdir "$work/clean"
while read -r file; do cp "$file" "$work/clean"; done <"$work/list"
shift
field() { sed -n "s/^  \"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$work/report"; }

row() { # NAME MODEL SIGMA FOLDER OPTIONS …
  name=$1 model=$2 sigma=$3 folder=$4
  shift 4
  status=0
  "$bitune" restore --model "$model" --sigma "$sigma" --tol "${TOL:-1e-3}" --reference "$work/clean" --json --quiet \
    -o "$work/restored" "$@" "$folder" >"$work/report" || status=$?
  printf '%-16s %-24s %8.2f %8.2f %8.4f %10s %4d %8.2f\n' "$name" "$(basename "$model")" "$(field psnr_degraded_mean)" \
    "$(field psnr_mean)" "$(field ssim_mean)" "$(field certificate)" "$status" \
    "$(echo "$(field seconds) / $(field images)" | bc -l)"
}

printf '%-16s %-24s %8s %8s %8s %10s %4s %8s\n' task model degraded restored SSIM certificate exit 's/image'
# A shaken camera's path: it rests below, then jumps to the upper right.
cat >"$work/shake.csv" <<'END'
0,0,0,0,0,0,1
0,0,0,0,0,1,2
0,0,0,0,1,2,0
0,0,0,1,2,0,0
1,0,1,2,0,0,0
3,4,3,0,0,0,0
1,3,0,0,0,0,0
END

blurred() { # NAME MODELS -- OPTIONS: the models on images blurred by the options
  name=$1 models=''
  shift
  while [ "$1" != -- ]; do models="$models $1" && shift; done
  shift
  rm -rf "$work/blurred" "$work/noisy"
  "$bitune" blur "$@" --format tif-float --quiet -o "$work/blurred" "$work/clean"
  "$bitune" noise --sigma 2.55 --seed 1 --format tif-float --quiet -o "$work/noisy" "$work/blurred"
  for model in $models; do row "$name" "$model" 2.55 "$work/noisy" "$@"; done
}

blurred gaussian:1.6 "$@" -- --blur gaussian:1.6
blurred motion:15,30 "$@" -- --blur motion:15,30
blurred 'kernel file' "$@" -- --kernel "$work/shake.csv"
"$bitune" blur --drop 0.5 --seed 1 --masks "$work/masks" --quiet -o "$work/damaged" "$work/clean"
for model in "$@"; do row 'half missing' "$model" 1 "$work/damaged" --mask "$work/masks"; done
