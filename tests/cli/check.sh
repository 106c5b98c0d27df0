# `bitune check`: a model and its operators, tested on one's own configuration.
. "$(dirname "$0")/lib.sh"

make_model
run 0 "$bitune" learn --sigma 25 --variant anisotropic --train clean --max-outer 2 --quiet -o anisotropic.json

# all_passed: every row of the last run's JSON has passed, and there are many.
all_passed() {
  cp out check.json
  rows=$(field check.json checks.#)
  check "only $rows checks" [ "$rows" -ge 20 ]
  i=0
  while [ $i -lt "$rows" ]; do
    equal "$(field check.json checks.$i.name) $(field check.json checks.$i.passed)" "$(field check.json checks.$i.name) true"
    i=$((i + 1))
  done
}

for model in model.json anisotropic.json; do
  run 0 "$bitune" check --model $model --json
  all_passed
  run 0 "$bitune" check --model $model --images 2 --crop 24x20 --json clean
  all_passed
done
for name in gradient hessian "cross adjoint" certificate "hypergradient bound"; do
  check "no check \"$name\"" grep -qF "\"$name\"" check.json
done
run 0 "$bitune" check --model model.json --solver bt_fista clean
check "no summary" grep -q 'checks passed' out

head -c 100 clean/leaves-000.png >cut.png
refuses 1 "cut.png: " "$bitune" check --model model.json cut.png
refuses 1 "nowhere" "$bitune" check --model model.json nowhere
refuses 2 "--model is required" "$bitune" check clean

finish
