# Every model in data/models loads by its name and level, denoises, and passes its check.
. "$(dirname "$0")/lib.sh"

BITUNE_MODELS=$source_folder/data/models
export BITUNE_MODELS
set -- "$BITUNE_MODELS"/*-[0-9]*.json
[ -e "$1" ] || skip "there are no models in data/models"

make_clean 1
for file in "$@"; do
  stem=$(basename "$file" .json)
  name=${stem%-*}
  sigma=${stem##*-}
  equal "$(field "$file" sigma | sed 's/\.0$//')" "$sigma"
  run 0 "$bitune" check --model "$stem" --crop 12x12
  rm -rf noisy
  run 0 "$bitune" noise --sigma "$sigma" --format tif-float --quiet -o noisy clean
  run 0 "$bitune" denoise --model "$name" --sigma "$sigma" --json -o restored noisy
  equal "$(field out model.file)" "$file"
  holds "$("$image_tool" psnr restored/leaves-000.tif clean/leaves-000.png) > $("$image_tool" psnr noisy/leaves-000.tif clean/leaves-000.png)"
done

finish
