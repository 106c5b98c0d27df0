# From clean images to restored ones: synth, noise, learn, denoise, and every kind of file keeps its kind.
. "$(dirname "$0")/lib.sh"

run 0 "$bitune" synth --size 64x64 --count 4 --seed 3 -o clean
run 0 "$bitune" noise --sigma 25 --seed 5 -o noisy clean
run 0 "$bitune" learn --regularizer tv --sigma 25 --train clean --crop 48x48 --max-outer 6 -o model.json
run 0 "$bitune" denoise --model model.json --reference clean --json -o restored noisy
cp out denoise.json
equal "$(field denoise.json images)" 4
equal "$(field denoise.json certified)" true
no_leftovers

# The figures that are printed are those of the files on disk, up to rounding to 8 bits.
i=0
for name in leaves-000.png leaves-001.png leaves-002.png leaves-003.png; do
  before=$("$image_tool" psnr noisy/$name clean/$name)
  after=$("$image_tool" psnr restored/$name clean/$name)
  holds "$after > $before + 3"
  holds "($before - $(field denoise.json results.$i.psnr_noisy))^2 < 1e-10"
  holds "($after - $(field denoise.json results.$i.psnr))^2 < 0.02^2"
  i=$((i + 1))
done

# keeps FILE BITS SAMPLES PAGES: a file of this kind goes through noise and denoise and comes out as it went in.
keeps() {
  mkdir -p kinds/clean
  "$image_tool" convert "$original" "kinds/clean/$1" "$2" "$3" "$4" || failed "$1 cannot be made"
  run 0 "$bitune" noise --sigma 25 --seed 1 --quiet -o kinds/noisy "kinds/clean/$1"
  run 0 "$bitune" denoise --model model.json --quiet -o kinds/restored "kinds/noisy/$1"
  "$image_tool" info "kinds/clean/$1" >wanted
  for folder in noisy restored; do
    "$image_tool" info "kinds/$folder/$1" >got
    same wanted got
  done
  equal "$(wc -l <got | tr -d ' ')" "$4"
  before=$("$image_tool" psnr "kinds/noisy/$1" "kinds/clean/$1")
  after=$("$image_tool" psnr "kinds/restored/$1" "kinds/clean/$1")
  holds "$before > 18 && $after > $before + 3"
  case $3 in
    2 | 4) equal "$("$image_tool" alpha "kinds/restored/$1" "kinds/clean/$1")" 0 ;;
  esac
}

original=clean/leaves-000.png
keeps gray8.png 8 1 1
keeps gray16.png 16 1 1
keeps gray8-alpha.png 8 2 1
keeps gray16-alpha.png 16 2 1
keeps gray8.tif 8 1 1
keeps gray16.tif 16 1 1
keeps float.tif 32 1 1
keeps stack16.tif 16 1 3
keeps stack-float.tif 32 1 2
keeps gray16-alpha.tif 16 2 2

run 0 "$bitune" synth --color --size 64x64 --seed 4 --quiet -o color
original=color/leaves-000.png
keeps rgb8.png 8 3 1
keeps rgb16.png 16 3 1
keeps rgba8.png 8 4 1
keeps rgba16.png 16 4 1
keeps rgb8.tif 8 3 1
keeps rgb-float.tif 32 3 1
keeps rgba16-stack.tif 16 4 2

# All kinds in one run, among them names that differ only in the extension.
run 0 "$bitune" denoise --model model.json --reference kinds/clean --json -o all kinds/noisy
equal "$(field out images)" 17
for file in kinds/restored/*; do same "$file" "all/${file##*/}"; done

# Both treatments of colour gain.
run 0 "$bitune" denoise --model model.json --color channels --quiet -o channels kinds/noisy/rgb16.png
holds "$("$image_tool" psnr channels/rgb16.png kinds/clean/rgb16.png) > 23"

# A float file is not clipped, so about half of the noise on white stays above it.
run 0 "$bitune" noise --sigma 25 --format tif-float --quiet -o float clean/leaves-000.png
"$image_tool" info float/leaves-000.tif >got
equal "$(cat got)" "tif 64x64 bits 32 samples 1"

# A finer tolerance moves the result by no more than the two bounds allow.
run 0 "$bitune" denoise --model model.json --json --tol 1e-3 -o coarse kinds/noisy/float.tif
coarse=$(field out results.0.bound)
run 0 "$bitune" denoise --model model.json --json --tol 1e-6 -o fine kinds/noisy/float.tif
fine=$(field out results.0.bound)
holds "$coarse <= 1e-3 && $fine <= 1e-6"
holds "10^(-$("$image_tool" psnr coarse/float.tif fine/float.tif) / 20) <= $coarse + $fine + 1e-7"

finish
