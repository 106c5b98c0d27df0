# Learning for deblurring and inpainting: better there than a model of denoising, the same on any number of processes.
. "$(dirname "$0")/lib.sh"

run 0 "$bitune" synth --size 48x56 --count 4 --seed 3 --quiet -o clean
run 0 "$bitune" blur --blur gaussian:1.5 --format tif-float --quiet -o blurred clean
run 0 "$bitune" noise --sigma 2 --seed 5 --format tif-float --quiet -o noisy blurred
run 0 "$bitune" learn --sigma 2 --train clean --quiet -o denoising.json
run 0 "$bitune" learn --sigma 2 --blur gaussian:1.5 --train clean --json -o deblurring.json
equal "$(field out certificate)" proven
equal "$(field out settings.blur)" gaussian:1.5
loss=$(field out loss)
restored_psnr() {
  run 0 "$bitune" restore --model "$1" --blur gaussian:1.5 --sigma 2 --reference clean --json -o restored noisy
  field out psnr_mean
}
deblurring=$(restored_psnr deblurring.json)
holds "$deblurring > $(restored_psnr denoising.json) + 0.1"
# The loss that was learned is that of restoring such images.
holds "($loss + $deblurring)^2 < 0.3^2"
run 0 "$bitune" learn --sigma 2 --blur gaussian:1.5 --train clean --jobs 3 --json -o three.json
holds "($(field out loss) - $loss)^2 < 1e-16"

# A kernel from a file.
printf '1,1,1\n1,1,1\n1,1,1\n' >box.csv
run 0 "$bitune" learn --sigma 2 --kernel box.csv --train clean --max-outer 2 --json -o file.json
loss=$(field out loss)
run 0 "$bitune" learn --sigma 2 --blur box:3 --train clean --max-outer 2 --json -o box.json
holds "($(field out loss) - $loss)^2 < 1e-20"

# Missing pixels.
run 0 "$bitune" learn --sigma 4 --drop 0.5 --train clean --json -o filling.json
equal "$(field out certificate)" proven
run 0 "$bitune" learn --sigma 4 --drop 0.5 --train clean --max-outer 2 --checkpoint drop.ckpt --quiet -o part.json
run 0 "$bitune" learn --sigma 4 --drop 0.5 --train clean --resume drop.ckpt --quiet -o whole.json
same_answer filling.json whole.json
refuses 1 "drop.ckpt" "$bitune" learn --sigma 4 --drop 0.4 --train clean --resume drop.ckpt -o whole.json
refuses 1 "drop.ckpt" "$bitune" learn --sigma 4 --train clean --resume drop.ckpt -o whole.json
run 0 "$bitune" blur --drop 0.5 --seed 2 --masks holes --quiet -o damaged clean
run 0 "$bitune" restore --model filling.json --mask holes --sigma 1 --reference clean --json -o filled damaged
holds "$(field out psnr_mean) > $(field out psnr_degraded_mean) + 12"

# Fields of experts on windows; another batch, another draw of what is observed.
run 0 "$bitune" learn --regularizer foe --variant convex --filters 4 --filter-size 3 --sigma 2 --blur box:3 --train clean \
  --crop 24x24 --batch 2 --iterations 6 --accuracy 1e-3 --checkpoint run.ckpt --json -o windows.json
equal "$(field out outer_iterations)" 6
refuses 1 "run.ckpt" "$bitune" learn --regularizer foe --variant convex --filters 4 --filter-size 3 --sigma 2 --blur box:5 \
  --train clean --crop 24x24 --batch 2 --iterations 6 --accuracy 1e-3 --resume run.ckpt -o windows.json

refuses 2 "give a blur or --drop, not both" "$bitune" learn --sigma 2 --blur box:3 --drop 0.5 --train clean -o never.json
refuses 2 "bitune restore --reference" "$bitune" learn --sigma 2 --blur box:3 --valid clean --train clean -o never.json
refuses 2 "are for --blur" "$bitune" learn --sigma 2 --ridge 0.1 --train clean -o never.json
refuses 2 "there are gaussian:SIGMA" "$bitune" learn --sigma 2 --blur fog --train clean -o never.json
refuses 1 "larger than the image" "$bitune" learn --sigma 2 --blur box:65 --train clean -o never.json
absent never.json

finish
