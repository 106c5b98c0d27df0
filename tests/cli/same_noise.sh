# `eval --seed N` measures what `noise --seed N` and `denoise` do on disk, page by page, in every kind of file.
. "$(dirname "$0")/lib.sh"

make_model
mkdir mixed
"$image_tool" convert clean/leaves-000.png mixed/a.png 8 1 1
"$image_tool" convert clean/leaves-001.png mixed/b.tif 16 1 3
"$image_tool" convert clean/leaves-002.png mixed/c.tif 32 1 1
"$bitune" synth --color --size 40x56 --seed 4 --quiet -o color
"$image_tool" convert color/leaves-000.png mixed/d.tif 8 3 2

# near A B: equal to a millionth of a dB; numbers, both.
near() {
  case "$1$2" in
    *MISSING* | *null* | '') failed "no number: \"$1\" and \"$2\"" ;;
    *) holds "($1 - ($2))^2 <= 1e-12" ;;
  esac
}

for seed in 1 7 9007199254740993; do
  run 0 "$bitune" eval --model model.json --sigma 30 --seed $seed --csv table.csv --json mixed
  cp out eval.json
  run 0 "$bitune" noise --sigma 30 --seed $seed --format tif-float --quiet -o noisy mixed
  run 0 "$bitune" denoise --model model.json --sigma 30 --reference mixed --json -o restored noisy
  # A float sample is exact to 1e-7, PSNR of the noise to 1e-6 dB.
  near "$(field eval.json psnr_noisy_mean)" "$(field out psnr_noisy_mean)"
  near "$(field eval.json psnr_mean)" "$(field out psnr_mean)"
  near "$(field eval.json ssim_mean)" "$(field out ssim_mean)"
  for i in 0 1 2 3; do
    row=$((i + 2))
    near "$(sed -n ${row}p table.csv | cut -d, -f4)" "$(printf '%.6f' "$(field out results.$i.psnr)")"
  done
done

# The noise belongs to the place in the list, not to the number of processes or the format.
run 0 "$bitune" noise --sigma 30 --seed 1 --format tif-float --quiet --jobs 1 -o one mixed
run 0 "$bitune" noise --sigma 30 --seed 1 --format tif-float --quiet --jobs 3 -o three mixed
for file in one/*; do same "$file" "three/${file##*/}"; done
run 0 "$bitune" noise --sigma 30 --seed 1 --quiet -o second mixed/b.tif mixed/a.png
run 0 "$bitune" noise --sigma 30 --seed 1 --quiet -o first mixed/a.png
check "the noise does not depend on the place in the list" [ "$(cmp first/a.png second/a.png >/dev/null; echo $?)" = 1 ]

# Its standard deviation is what was asked for: 48x48 samples, 1.5% standard error of sigma.
holds "($("$image_tool" psnr one/c.tif mixed/c.tif) - 20 * log(255 / 30) / log(10))^2 < 0.5^2"

# Pages of a stack have noise of their own.
value() { "$image_tool" value "$1" "$2" 0 0 0; }
holds "$(value one/b.tif 0) - $(value mixed/b.tif 0) != $(value one/b.tif 1) - $(value mixed/b.tif 1)"

finish
