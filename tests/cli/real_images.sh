# On photographs, where BITUNE_DATA names a folder with bsd68, train400, kodak and tiff.
. "$(dirname "$0")/lib.sh"

data=${BITUNE_DATA:-}
for folder in bsd68 train400; do
  [ -d "$data/$folder" ] || skip "BITUNE_DATA names no folder with $folder"
done

run 0 "$bitune" learn --sigma 25 --train "$data/train400" --images 20 --crop 96x96 --json -o model.json
holds "$(field out psnr_train) > 27"
equal "$(field out certificate)" proven

# The first twelve of the test set; unclipped noise of sigma 25 has 20.17 dB.
files=$(find "$data/bsd68/" -name '*.png' | sort | head -n 12)
# shellcheck disable=SC2086 # a list of words
run 0 "$bitune" eval --model model.json --sigma 25 --seed 1 --json $files
equal "$(field out certified)" true
holds "($(field out psnr_noisy_mean) - 20.17)^2 < 0.02^2"
holds "$(field out psnr_mean) > $(field out psnr_noisy_mean) + 6.5"
fine=$(field out psnr_mean)
# The default tolerance settles the PSNR to 0.01 dB.
# shellcheck disable=SC2086
run 0 "$bitune" eval --model model.json --sigma 25 --seed 1 --tol 1e-7 --json $files
holds "($(field out psnr_mean) - $fine)^2 < 0.01^2"

if [ -d "$data/kodak" ]; then
  run 0 "$bitune" eval --model model.json --sigma 25 --json "$data/kodak"
  holds "$(field out psnr_mean) > $(field out psnr_noisy_mean) + 6.5"
fi

# Files of unusual kinds go through and come out as they went in.
if [ -d "$data/tiff" ]; then
  run 0 "$bitune" denoise --model model.json --json -o restored "$data/tiff"
  equal "$(field out images)" "$(find "$data/tiff/" -name '*.tif*' -o -name '*.png' | wc -l | tr -d ' ')"
fi

finish
