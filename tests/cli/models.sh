# Models by name and noise level, noise of unknown level, and what is told of a model.
. "$(dirname "$0")/lib.sh"

make_clean
mkdir models
learn() { "$bitune" learn --train clean --quiet "$@" || failed "learn $*"; }
for sigma in 15 40; do learn --sigma $sigma --max-outer 4 -o models/tv-$sigma.json; done
# A field of experts as it starts.
for variant in convex log; do
  learn --regularizer foe --variant $variant --filters 4 --filter-size 3 --iterations 0 --crop 32x32 --sigma 25 -o models/foe-$variant-25.json
done
# So heavy that denoising is not convex.
sed 's/"theta": \[[^,]*,/"theta": [-3,/' models/foe-log-25.json >models/foe-25.json
BITUNE_MODELS=$work/nowhere:$work/models
export BITUNE_MODELS
"$bitune" noise --sigma 25 --quiet -o noisy clean

# A model file of a field of experts.
has models/foe-25.json regularizer.filters regularizer.size regularizer.theta.0
equal "$(field models/foe-25.json regularizer.theta.#)" 45
equal "$(field models/foe-25.json regularizer.parameters.3)" 'filter*36'

# By name: the level in between is told, and the file.
run 0 "$bitune" denoise --model tv --sigma 25 --json --reference clean -o tv noisy
cp out tv.json
equal "$(field tv.json model.sigma)" 25.0
equal "$(field tv.json model.sigma_learned)" 15.0
equal "$(field tv.json model.adapted)" interpolate
equal "$(field tv.json model.file.1)" "$work/models/tv-40.json"
equal "$(field tv.json results.0.sigma_estimated)" false
equal "$(field tv.json certificate)" proven
holds "$(field tv.json psnr_mean) > $(field tv.json psnr_noisy_mean) + 3"
for rule in contrast weight none; do
  run 0 "$bitune" denoise --model tv --sigma 25 --adapt $rule --json -o $rule noisy
  equal "$(field out model.adapted)" $rule
  check "--adapt $rule changes nothing" [ "$(cmp tv/leaves-000.png $rule/leaves-000.png >/dev/null; echo $?)" = 1 ]
done
run 0 "$bitune" denoise --model tv-15 -o as_it_is noisy
check "the model is not told" grep -q 'model: .*tv-15.json (tv isotropic), learned for sigma 15$' out
run 0 "$bitune" denoise --model models/tv-15.json -o by_file noisy
same as_it_is/leaves-000.png by_file/leaves-000.png

# Without --sigma it is estimated, page by page, whatever the number of processes.
run 0 "$bitune" denoise --model tv --json --jobs 1 -o estimated noisy
cp out estimated.json
equal "$(field estimated.json results.0.sigma_estimated)" true
holds "$(field estimated.json results.0.sigma) > 17 && $(field estimated.json results.0.sigma) < 33"
run 0 "$bitune" denoise --model tv --json --jobs 2 -o estimated_2 noisy
equal "$(field out results.0.sigma)" "$(field estimated.json results.0.sigma)"
equal "$(field out results.0.models)" "$(field estimated.json results.0.models)"
same estimated/leaves-001.png estimated_2/leaves-001.png
run 0 "$bitune" denoise --model tv -o told noisy
check "the estimate is not told" grep -q 'leaves-000.png .*sigma [0-9.]* (estimated)' out
run 0 "$bitune" sigma --json noisy
equal "$(field out results.0.sigma)" "$(field estimated.json results.0.sigma)"
run 0 "$bitune" sigma noisy
check "no mean" grep -q '^mean of 4 images: sigma' out
"$image_tool" convert clean/leaves-000.png stack.tif 16 1 3
run 0 "$bitune" noise --sigma 20 --quiet -o stacks stack.tif
run 0 "$bitune" denoise --model tv --json -o restored stacks
holds "$(field out results.0.sigma_range.0) <= $(field out results.0.sigma) && $(field out results.0.sigma) <= $(field out results.0.sigma_range.1)"
"$bitune" synth --size 8x8 --quiet -o tiny
refuses 1 "leaves-000.png: page 1: an image of 8x8 is too small" "$bitune" sigma tiny
refuses 1 "give --sigma" "$bitune" denoise --model tv -o none tiny

# Without --model the default; a certificate that there is not is told in words, and is no error by itself.
run 0 "$bitune" denoise --sigma 25 -o default noisy
check "it is not said that there is no certificate" grep -q 'gradient .*no certificate for this model; the solver converged' out
check "the model is not told" grep -q 'model: .*foe-25.json (foe log)' out
run 0 "$bitune" denoise --sigma 25 --json -o default noisy
equal "$(field out certified)" false
equal "$(field out certificate)" none
equal "$(field out results.0.reached)" true
equal "$(field out results.0.bound)" null
run 0 "$bitune" denoise --json -o default noisy
equal "$(field out results.0.sigma_estimated)" true
run 3 "$bitune" denoise --sigma 25 --max-lower 1 --json -o default noisy
equal "$(field out results.0.reached)" false
check "it is not said in words" grep -q 'did NOT converge' out
run 0 "$bitune" eval --model foe --sigma 25 clean
check "eval does not say it" grep -q '^certificates: no certificate for this model' out
check "eval does not tell the model" grep -q '^model: .*foe-25.json' out
run 0 "$bitune" eval --model foe-convex --sigma 25 --json clean
equal "$(field out certificate)" proven
run 3 "$bitune" eval --model foe --sigma 25 --max-lower 1 --json clean
equal "$(field out reached)" false

# Names that are not there, levels that are not given.
known="foe (25), foe-convex (25), foe-log (25), tv (15, 40)"
refuses 1 "no model file and no model named \"tw\"; there are, with their noise levels: $known" \
  "$bitune" denoise --model tw -o never noisy
refuses 1 "$known" "$bitune" eval --model tw --sigma 25 clean
refuses 1 "$known" "$bitune" check --model tw
refuses 1 "$known" "$bitune" plot tw -o never.png
refuses 1 "give --sigma" "$bitune" eval --model tv clean
refuses 1 "give --sigma" "$bitune" check --model tv
cp models/tv-15.json models/tv-20.json
refuses 1 "tv-20.json: sigma is 15, the file's name says 20" "$bitune" denoise --model tv --sigma 20 -o never noisy
refuses 1 "tv-20.json: sigma is 15, the file's name says 20" "$bitune" denoise --model tv -o never noisy
rm models/tv-20.json
absent never

# check tells what certificates rest on.
run 0 "$bitune" check --model foe-convex --json --crop 12x12
for path in model.file constants.mu constants.lipschitz constants.convexity constants.filter_norms.1; do has out $path; done
equal "$(field out constants.certificate)" proven
equal "$(field out constants.mu)" 1.0

# Pictures.
if command -v gnuplot >/dev/null 2>&1; then
  run 0 "$bitune" plot models/foe-convex-25.json -o filters.png --json
  equal "$(field out filters)" 4
  "$image_tool" info filters.png >info
  check "filters.png is no picture" grep -qE '^png [0-9]{3,4}x[0-9]{3,4} ' info
  run 0 "$bitune" plot foe --sigma 30 -o filters.svg --title "A 'title'"
  for text in Filters Potentials Influence "A 'title'"; do
    check "\"$text\" is missing from the picture" grep -q "$text" filters.svg
  done
  run 0 "$bitune" plot tv --sigma 25 -o tv.svg
  check "no potential" grep -q Potentials tv.svg
  check "filters of tv" [ -z "$(grep Filters tv.svg)" ]
  run 0 "$bitune" plot foe-convex -o filters.pdf
  sed 's/"theta"/"thota"/' models/tv-15.json >broken.json
  refuses 1 'broken.json: field "theta" is missing' "$bitune" plot broken.json -o never.png
  absent never.png
else
  echo "there is no gnuplot: no pictures"
fi
no_leftovers

finish
