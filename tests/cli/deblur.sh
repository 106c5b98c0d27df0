# From clean images to deblurred and inpainted ones: synth, blur, noise, learn, restore.
. "$(dirname "$0")/lib.sh"

run 0 "$bitune" synth --size 64x72 --count 3 --seed 3 --quiet -o clean
run 0 "$bitune" learn --regularizer tv --sigma 15 --train clean --max-outer 4 --quiet -o model.json

# restores MARGIN BLUR BOUNDARY: PSNR grows by at least MARGIN dB, proven to the tolerance.
restores() {
  rm -rf blurred noisy restored
  run 0 "$bitune" blur --blur "$2" --boundary "$3" --format tif-float --quiet -o blurred clean
  run 0 "$bitune" noise --sigma 2 --seed 5 --format tif-float --quiet -o noisy blurred
  run 0 "$bitune" restore --model model.json --blur "$2" --boundary "$3" --sigma 2 --reference clean --json \
    -o restored noisy
  equal "$(field out images)" 3
  equal "$(field out certified)" true
  i=0
  while [ $i -lt 3 ]; do
    holds "$(field out results.$i.psnr) > $(field out results.$i.psnr_degraded) + $1"
    holds "$(field out results.$i.bound) <= 1e-3"
    equal "$(field out results.$i.certificate)" proven
    i=$((i + 1))
  done
}
restores 1.5 gaussian:1.6 reflect
restores 1.5 gaussian:1.6 periodic
restores 3 motion:9,30 reflect
restores 3 motion:9,30 periodic
restores 2 disk:2.5 reflect
restores 2 box:4 reflect
no_leftovers

# The figures printed are those of the files on disk.
holds "($("$image_tool" psnr restored/leaves-000.tif clean/leaves-000.png) - $(field out results.0.psnr))^2 < 1e-8"

# The same kernel from a file and from a description; another blur does worse.
printf '1,1,1,1\n1,1,1,1\n# four by four\n1,1,1,1\n1;1;1 1\n' >box.csv
run 0 "$bitune" restore --model model.json --kernel box.csv --sigma 2 --quiet -o from_file noisy
for name in leaves-000.tif leaves-001.tif leaves-002.tif; do same "restored/$name" "from_file/$name"; done
run 0 "$bitune" restore --model model.json --blur box:4 --sigma 2 --reference clean --json -o restored noisy
right=$(field out psnr_mean)
run 0 "$bitune" restore --model model.json --blur motion:9,30 --sigma 2 --reference clean --json -o wrong noisy
holds "$(field out psnr_mean) < $right - 1"

# A finer tolerance moves the result by no more than the two bounds allow.
run 0 "$bitune" restore --model model.json --blur box:4 --sigma 2 --tol 1e-2 --json -o coarse noisy/leaves-000.tif
coarse=$(field out results.0.bound)
run 0 "$bitune" restore --model model.json --blur box:4 --sigma 2 --tol 1e-6 --json -o fine noisy/leaves-000.tif
fine=$(field out results.0.bound)
holds "$coarse <= 1e-2 && $fine <= 1e-6"
holds "10^(-$("$image_tool" psnr coarse/leaves-000.tif fine/leaves-000.tif) / 20) <= $coarse + $fine + 1e-7"

# Without a ridge nothing is proven, which is told; exit code 3 says that the solver did not converge.
run 0 "$bitune" restore --model model.json --blur box:4 --sigma 2 --ridge 0 --json -o none noisy/leaves-000.tif
equal "$(field out results.0.certificate)" none
equal "$(field out certified)" false
equal "$(field out results.0.reached)" true
run 3 "$bitune" restore --model model.json --blur box:4 --sigma 2 --ridge 0 --max-lower 2 --json -o none noisy/leaves-000.tif
equal "$(field out results.0.reached)" false
check "it is not said in words" grep -q 'did NOT converge' out

# Models by name: the nearest level as it was learned, its weight times (sigma/level)^2; the default is foe.
mkdir models
cp model.json models/tv-15.json
for variant in convex log; do
  run 0 "$bitune" learn --regularizer foe --variant $variant --filters 4 --filter-size 3 --iterations 0 --crop 32x32 \
    --train clean --sigma 25 --quiet -o models/foe-$variant-25.json
done
mv models/foe-log-25.json models/foe-25.json
BITUNE_MODELS=$work/models
export BITUNE_MODELS
run 0 "$bitune" restore --model tv --blur box:4 --sigma 2 --json -o by_name noisy
equal "$(field out model.file)" "$work/models/tv-15.json"
equal "$(field out model.sigma)" 15.0
equal "$(field out model.adapted)" none
holds "($(field out strength) - (2 / 15) ^ 2)^2 < 1e-20"
for name in leaves-000.tif leaves-001.tif leaves-002.tif; do same "from_file/$name" "by_name/$name"; done
run 0 "$bitune" restore --model foe-convex --blur box:4 --sigma 2 --reference clean --json -o foe noisy
equal "$(field out certificate)" proven
holds "$(field out psnr_mean) > $(field out psnr_degraded_mean) + 1"
run 0 "$bitune" restore --blur box:4 --sigma 2 --reference clean -o foe noisy
check "it is not said that there is no certificate" grep -q 'gradient .*no certificate for this model; the solver converged' out
check "the model is not told" grep -q 'model: .*foe-25.json (foe log), learned for sigma 25; weight times 0.0064$' out
refuses 1 'no model named "tw"' "$bitune" restore --model tw --blur box:4 --sigma 2 -o never noisy
unset BITUNE_MODELS

# Inpainting, with one mask and with a folder of masks; half of the pixels are unknown.
run 0 "$bitune" blur --drop 0.5 --seed 2 --masks holes --quiet -o damaged clean
run 0 "$bitune" restore --model model.json --mask holes --sigma 1 --reference clean --json -o filled damaged
equal "$(field out certified)" true
holds "$(field out psnr_mean) > $(field out psnr_degraded_mean) + 12"
run 0 "$bitune" blur --mask holes/leaves-000.png --quiet -o again clean/leaves-000.png
same again/leaves-000.png damaged/leaves-000.png
run 0 "$bitune" restore --model model.json --mask holes/leaves-000.png --sigma 1 --quiet -o one damaged/leaves-000.png
same one/leaves-000.png filled/leaves-000.png

# What was dropped depends on the seed and the place in the list, not on the number of processes.
run 0 "$bitune" blur --drop 0.5 --seed 2 --masks holes3 --jobs 3 --quiet -o damaged3 clean
run 0 "$bitune" blur --drop 0.5 --seed 3 --masks other --quiet -o damaged4 clean
for name in leaves-000.png leaves-001.png leaves-002.png; do
  same "holes/$name" "holes3/$name"
  same "damaged/$name" "damaged3/$name"
done
check "masks do not depend on the seed" [ "$(cmp holes/leaves-000.png other/leaves-000.png >/dev/null; echo $?)" = 1 ]

# Kinds of files: 16 bits, colour, alpha, float, stacks of pages.
run 0 "$bitune" synth --color --size 48x40 --seed 4 --quiet -o color
keeps() {
  mkdir -p kinds/clean
  "$image_tool" convert color/leaves-000.png "kinds/clean/$1" "$2" "$3" "$4" || failed "$1 cannot be made"
  run 0 "$bitune" blur --blur gaussian:1 --quiet -o kinds/blurred "kinds/clean/$1"
  run 0 "$bitune" restore --model model.json --blur gaussian:1 --sigma 1 --quiet -o kinds/restored "kinds/blurred/$1"
  "$image_tool" info "kinds/clean/$1" >wanted
  for folder in blurred restored; do
    "$image_tool" info "kinds/$folder/$1" >got
    same wanted got
  done
  holds "$("$image_tool" psnr "kinds/restored/$1" "kinds/clean/$1") > $("$image_tool" psnr "kinds/blurred/$1" "kinds/clean/$1") + 1"
}
keeps rgb8.png 8 3 1
keeps rgba16.png 16 4 1
keeps rgb-float.tif 32 3 1
keeps stack.tif 16 3 2
run 0 "$bitune" blur --drop 0.3 --masks kinds/holes --quiet -o kinds/damaged kinds/clean/stack.tif
run 0 "$bitune" restore --model model.json --mask kinds/holes --sigma 1 --quiet -o kinds/filled kinds/damaged/stack.tif
holds "$("$image_tool" psnr kinds/filled/stack.tif kinds/clean/stack.tif) > $("$image_tool" psnr kinds/damaged/stack.tif kinds/clean/stack.tif) + 8"

# What is wrong on the command line.
image=noisy/leaves-000.tif
refuses 2 "--blur, --kernel or --mask is required" "$bitune" restore --model model.json --sigma 2 -o never $image
refuses 2 "give one of --blur, --kernel and --mask" \
  "$bitune" restore --model model.json --sigma 2 --blur box:3 --mask holes -o never $image
refuses 2 "there are gaussian:SIGMA" "$bitune" restore --model model.json --sigma 2 --blur fog -o never $image
refuses 2 "such as motion:15,30" "$bitune" restore --model model.json --sigma 2 --blur motion:15 -o never $image
refuses 2 "--sigma is required" "$bitune" restore --model model.json --blur box:3 -o never $image
refuses 2 "--blur, --kernel or --mask is required" "$bitune" blur -o never $image
refuses 2 "--masks needs --drop" "$bitune" blur --blur box:3 --masks holes -o never $image

# What is wrong in files: named, one line, nothing written.
restore="$bitune restore --model model.json --sigma 2 -o never --quiet"
refuses 1 "larger than the image" $restore --blur box:65 $image
says "$image" "65x65" "64x72"
printf '1,nan\n' >nan.csv
refuses 1 "nan.csv:1: nan is no finite number" $restore --kernel nan.csv $image
printf '1,-1\n' >zero.csv
refuses 1 "zero.csv: the kernel's sum is zero" $restore --kernel zero.csv $image
printf '1,2\n3\n' >ragged.csv
refuses 1 "ragged.csv:2: a row of 1 numbers after rows of 2" $restore --kernel ragged.csv $image
refuses 1 "missing.csv" $restore --kernel missing.csv $image
run 0 "$bitune" synth --size 20x20 --quiet -o tiny
refuses 1 "give a mask of the image's size" $restore --mask tiny/leaves-000.png $image
says "$image is 64x72" "20x20"
run 0 "$bitune" blur --drop 1 --masks black --quiet -o dark clean/leaves-000.png
refuses 1 "has no known pixel" $restore --mask black/leaves-000.png $image
refuses 1 "holes" $restore --mask holes tiny/leaves-000.png
check "something was written" [ -z "$(ls -A never 2>/dev/null)" ]

# One image that does not fit among others that do.
mkdir mixed
cp noisy/leaves-000.tif mixed
cp tiny/leaves-000.png mixed/tiny.png
run 1 "$bitune" restore --model model.json --sigma 2 --blur box:21 -o partly --json mixed
equal "$(field out images)" 1
equal "$(field out failed.#)" 1
says "mixed/tiny.png" "larger than the image"
exists partly/leaves-000.tif
absent partly/tiny.png

finish
