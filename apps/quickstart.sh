#!/bin/sh
# From a fresh machine to denoised images: installs what is missing, builds, learns a TV model on the sample
# images, denoises a held-out set and leaves everything in run/quickstart.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/apps/setup.sh"

step() { printf '\n%s\n' "== $*"; }

step "Setting up and building"
bitune_install
# shellcheck disable=SC2119 # no options
bitune_configure
bitune_build bitune_program

cd "$root"
bitune=${bitune_build_folder#"$root"/}/bin/bitune
samples=data/samples
out=run/quickstart
mkdir -p "$out"

step "Learning total variation for noise of sigma 25 from $samples/train"
"$bitune" learn --regularizer tv --sigma 25 --train "$samples/train" -o "$out/model.json" \
  --log "$out/learning.csv"
"$bitune" plot "$out/learning.csv" -o "$out/learning.png" --quiet

step "Adding noise to $samples/test, which was not learned from"
"$bitune" noise --sigma 25 --seed 1 -o "$out/noisy" "$samples/test"

step "Denoising it"
"$bitune" denoise --model "$out/model.json" --reference "$samples/test" -o "$out/denoised" "$out/noisy"

image=leaves-000.png
"$bitune" montage -o "$out/before-after.png" --zoom 2 --quiet \
  "$out/noisy/$image" "$out/denoised/$image" "$samples/test/$image"

step "Done"
printf '%s\n' "Before, after and the truth: $out/before-after.png" \
  "The denoised images:         $out/denoised" \
  "How the model was learned:   $out/learning.png" \
  "Your own images:             $bitune denoise -o restored IMAGE|DIR ..." \
  "  with the model just learned: add --model $out/model.json"
