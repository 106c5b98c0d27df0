# Image files and folders that are not what they should be: one line each, the right exit code, the rest done.
. "$(dirname "$0")/lib.sh"

make_model
good=clean/leaves-000.png
"$image_tool" convert $good gray.tif 16 1 3
"$image_tool" nan nan.tif
size=$(wc -c <$good)

mkdir bad
head -c 20 $good >bad/short.png
head -c $((size / 2)) $good >bad/half.png
head -c $((size - 13)) $good >bad/almost.png
head -c $(($(wc -c <gray.tif) / 2)) gray.tif >bad/half.tif
head -c 6 gray.tif >bad/six.tif
echo "this is a text" >bad/text.png
cp bad/text.png bad/text.tif
: >bad/empty.png
: >bad/empty.tif
cp nan.tif bad/nan.tif
{ head -c 16 $good; printf '\177\377\377\377\177\377\377\377'; tail -c +25 $good; } >bad/enormous.png
count=$(find bad -type f | wc -l | tr -d ' ')
equal "$count" 11

# Each alone, in every command that reads images.
for file in bad/*; do
  refuses 1 "$file: " "$bitune" denoise --model model.json -o never --quiet "$file"
  refuses 1 "$file: " "$bitune" eval --model model.json --quiet "$file"
  refuses 1 "$file: " "$bitune" noise --sigma 25 -o never --quiet "$file"
done
check "something was written from a broken file" [ -z "$(ls -A never)" ]
"$bitune" denoise --model model.json -o never --quiet bad/nan.tif 2>err
says "row" "column"

# All of them among good ones: told by name, one line each, the others done, and listed in JSON.
mkdir all
cp bad/* all
cp clean/leaves-000.png clean/leaves-001.png gray.tif all
for jobs in 1 3; do
  rm -rf restored noisy
  run 1 "$bitune" denoise --model model.json -o restored --json --jobs $jobs all
  equal "$(wc -l <err | tr -d ' ')" "$count"
  equal "$(field out images)" 3
  equal "$(field out failed.#)" "$count"
  for file in bad/*; do says "all/${file#bad/}: "; done
  equal "$(ls restored | tr '\n' ' ')" "gray.tif leaves-000.png leaves-001.png "
  run 1 "$bitune" noise --sigma 25 -o noisy --json --jobs $jobs all
  equal "$(field out images)" 3
  equal "$(ls noisy | tr '\n' ' ')" "gray.tif leaves-000.png leaves-001.png "
  run 1 "$bitune" eval --model model.json --json --jobs $jobs all
  equal "$(field out images)" 3
  check "the mean is lost" [ "$(field out psnr_mean)" != null ]
done
no_leftovers

# Learning goes on without the broken ones, to the same answer as from the good ones alone.
mkdir some
cp clean/*.png some
head -c 200 $good >some/leaves-004.png
run 1 "$bitune" learn --sigma 25 --train some --max-outer 3 --json -o some.json
says "leaves-004.png: "
equal "$(wc -l <err | tr -d ' ')" 1
equal "$(field out failed.0)" leaves-004.png
run 0 "$bitune" learn --sigma 25 --train clean --max-outer 3 --quiet -o good.json
same_answer good.json some.json
run 1 "$bitune" learn --sigma 25 --train bad --quiet -o never.json
says "bad: no image could be read"
absent never.json

# Validation images that cannot be read do not cost the model.
run 1 "$bitune" learn --sigma 25 --train clean --valid all --max-outer 1 --json -o valid.json
exists valid.json
check "no validation result" [ "$(field out psnr_valid)" != MISSING ]

# Folders.
mkdir empty
refuses 1 "empty: no images" "$bitune" eval --model model.json empty
refuses 1 "empty: no images" "$bitune" learn --sigma 25 --train empty -o never.json
refuses 1 "empty: no images" "$bitune" denoise --model model.json -o out.d empty
refuses 1 "missing: No such file" "$bitune" eval --model model.json missing
refuses 1 "missing: No such file" "$bitune" learn --sigma 25 --train missing -o never.json
refuses 1 "missing: No such file" "$bitune" denoise --model model.json -o out.d missing
refuses 1 "missing.png: No such file" "$bitune" noise --sigma 25 -o out.d missing.png
absent never.json out.d

# References: without partner, of another size, of other colours, with another number of pages.
mkdir reference pair
cp clean/leaves-001.png reference
"$image_tool" convert $good reference/leaves-002.png 8 3 1
"$bitune" synth --size 40x48 --quiet -o reference
cp gray.tif pair
"$image_tool" convert $good reference/gray.tif 16 1 2
cp clean/*.png pair
run 1 "$bitune" denoise --model model.json --reference reference -o paired --json pair
equal "$(field out images)" 1
equal "$(wc -l <err | tr -d ' ')" 4
says "pair/gray.tif has 3 pages, its reference reference/gray.tif has 2"
says "pair/leaves-000.png is 48x48 with 1 colours, its reference reference/leaves-000.png is 40x48 with 1"
says "pair/leaves-002.png is 48x48 with 1 colours, its reference reference/leaves-002.png is 48x48 with 3"
says "leaves-003.png"
equal "$(ls paired)" leaves-001.png
refuses 1 "missing" "$bitune" denoise --model model.json --reference missing --quiet -o never $good

# A name that tests every quoting.
odd="odd ' \" \$(x) \\ name.png"
cp $good "$odd"
run 0 "$bitune" denoise --model model.json --json -o "o d d" "$odd"
equal "$(field out results.0.file)" "$odd"
exists "o d d/$odd"
printf 'no image' >"$(printf 'tab\tand\033[31m.png')"
run 1 "$bitune" eval --model model.json --quiet tab*.png
check "a control character reached stderr" [ "$(tr -d '\n' <err | tr -d '[:print:]' | wc -c)" -eq 0 ]

no_leftovers
finish
